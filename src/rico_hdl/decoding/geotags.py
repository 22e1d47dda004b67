"""The tags of TIFF files that say more than pixels: where a patch is, and what its values mean.

In: the bytes of a file that was decoded. Out: its tags as raw values, little-endian. They are not
interpreted, because that takes longer than decoding a band, and because a later version may know
better. Values that can't be read, as in damaged files, are left out: they affect no pixel.

Files of one band look alike, so a `TagKeeper` remembers what the last file looked like. A file with
the same bytes there has the same tags, which takes a third of a microsecond to find out; parsing
takes 35. The position of a patch (ModelTiepoint, ModelTransformation) differs from file to file and
is kept apart from the tags that files share; so is ModelPixelScale once it has differed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

WIDTH: Final = 256
HEIGHT: Final = 257
PHOTOMETRIC: Final = 262
DATE_TIME: Final = 306
COLOR_MAP: Final = 320
MODEL_PIXEL_SCALE: Final = 33550
MODEL_TIEPOINT: Final = 33922
MODEL_TRANSFORMATION: Final = 34264
GEO_KEY_DIRECTORY: Final = 34735
GEO_DOUBLE_PARAMS: Final = 34736
GEO_ASCII_PARAMS: Final = 34737
GDAL_METADATA: Final = 42112
GDAL_NODATA: Final = 42113

KEPT_TAGS: Final = frozenset({
    WIDTH, HEIGHT, PHOTOMETRIC,
    269, 270, 271, 272,  # DocumentName, ImageDescription, Make, Model
    274,  # Orientation
    282, 283, 296,  # XResolution, YResolution, ResolutionUnit
    305, DATE_TIME, 315, 316, 33432,  # Software, …, Artist, HostComputer, Copyright
    COLOR_MAP,
    338,  # ExtraSamples
    MODEL_PIXEL_SCALE, MODEL_TIEPOINT, MODEL_TRANSFORMATION,
    GEO_KEY_DIRECTORY, GEO_DOUBLE_PARAMS, GEO_ASCII_PARAMS,
    GDAL_METADATA, GDAL_NODATA,
    50844,  # RPCCoefficientTag
})  # fmt: skip
"""The tags that are kept. Those of the encoding, such as strips and compression, are not."""

TYPE_BYTES: Final = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8,
}  # fmt: skip
"""Bytes of a value by TIFF type number (TIFF 6.0, BigTIFF)."""

MAX_FILE_BYTES: Final = 2**20
"""Values of one file that are kept, in bytes; larger ones are left out. HySpecNet-11k, with 224
described bands, has some 20 kB."""

_PLACES: Final = frozenset({MODEL_TIEPOINT, MODEL_TRANSFORMATION})
_PIECES: Final = frozenset({273, 279, 324, 325})  # where strips and tiles are, and how long
_MAX_ENTRIES: Final = 4096
_MAX_GAP: Final = 512
_MAX_HELD_BYTES: Final = 2**20
_MAX_RECENT: Final = 4
_NONE: Final = 1  # no compression


class Tag(NamedTuple):
    """A tag of a file."""

    number: int
    """Its number."""
    type: int
    """The TIFF type of its values."""
    n: int
    """How many values it has."""
    value: bytes | None
    """Its values, little-endian; None if they are among the `KeptTags.places` of each patch."""

    @property
    def n_bytes(self) -> int:
        """Bytes of its values."""
        return self.n * TYPE_BYTES[self.type]


class FileTags:
    """The tags that files of one band share.

    Files with the same tags share one object, so that a set of them is cheap; equality is identity.

    Args:
        tags: The tags, by their numbers.
    """

    __slots__ = ("n_bytes", "n_place_bytes", "tags")

    def __init__(self, tags: tuple[Tag, ...]) -> None:
        self.tags = tags
        """The tags, sorted by number."""
        self.n_place_bytes = sum(tag.n_bytes for tag in tags if tag.value is None)
        """Bytes of the values that each patch has for itself."""
        self.n_bytes = sum(len(tag.value) + 16 for tag in tags if tag.value is not None)
        """The memory that the others take, about."""


class KeptTags(NamedTuple):
    """The tags of all files of a patch."""

    files: tuple[FileTags, ...]
    """Of each file, in the order of the patch's files."""
    places: bytes
    """The values that only this patch has: those of each file's tags without a value, in order. If
    all files have the same ones, as in most datasets, only those of the first."""
    n_new_bytes: int = 0
    """The memory of tags that no patch shared so far, about."""


def kept(found: list[tuple[FileTags, bytes]], n_new_bytes: int = 0) -> KeptTags:
    """The tags of a patch.

    Args:
        found: The tags of each of its files, and the values that the file has for itself.
        n_new_bytes: See `KeptTags.n_new_bytes`.
    """
    if len(found) == 1:
        return KeptTags((found[0][0],), found[0][1], n_new_bytes)
    files, places = zip(*found, strict=True)
    first = places[0]
    if places.count(first) == len(places):
        return KeptTags(files, first, n_new_bytes)
    return KeptTags(files, b"".join(places), n_new_bytes)


def places_of(found: KeptTags) -> list[bytes]:
    """The values of each file that only this patch has; see `KeptTags.places`.

    Raises:
        ValueError: Their number of bytes is that of no patch with these files.
    """
    lengths = [file.n_place_bytes for file in found.files]
    n_bytes = len(found.places)
    if n_bytes == lengths[0] and lengths.count(lengths[0]) == len(lengths):
        return [found.places] * len(lengths)
    if n_bytes != sum(lengths):
        raise ValueError(f"{n_bytes} bytes of places, expected {sum(lengths)}")
    stops = [sum(lengths[: i + 1]) for i in range(len(lengths))]
    return [found.places[stop - n : stop] for stop, n in zip(stops, lengths, strict=True)]


@dataclass(frozen=True, slots=True)
class _Likeness:
    """What a file looks like, and its tags."""

    pieces: tuple[tuple[int, int, bytes], ...]
    """[start, stop) of bytes in the file that determine its tags, and the bytes found there."""
    place: tuple[int, int]
    """[start, stop) of the values that each file has for itself."""
    file: FileTags
    is_usual: bool
    """Whether other files can be compared with it."""


class Learned:
    """The tags that the keepers of a modality's files have met; may be shared by threads."""

    def __init__(self) -> None:
        self.n_bytes = 0
        """The memory that all of them took, about; it only grows."""
        self._files: dict[tuple[Tag, ...], FileTags] = {}  # each kind once
        self._held_bytes = 0

    def shared(self, tags: tuple[Tag, ...]) -> FileTags:
        """The tags of a file; the same object for the same tags, as long as they are few."""
        file = self._files.get(tags)
        if file is not None:
            return file
        new = FileTags(tags)
        self.n_bytes += new.n_bytes
        self._held_bytes += new.n_bytes
        if self._held_bytes > _MAX_HELD_BYTES:
            self._files.clear()
            self._held_bytes = new.n_bytes
        return self._files.setdefault(tags, new)


class TagKeeper:
    """Keeps the tags of files that usually look alike; may be shared by threads.

    Args:
        learned: The tags that were met, also in other bands.
    """

    def __init__(self, learned: Learned) -> None:
        self._learned = learned
        self._recent: tuple[_Likeness, ...] = ()  # several: threads may be in different scenes
        self._places = _PLACES

    def keep(self, data: bytes) -> tuple[FileTags, bytes]:
        """The tags of a file, and the values that it has for itself.

        Args:
            data: The whole file, or its beginning with all tags and their values.
        """
        for known in self._recent:
            for start, stop, piece in known.pieces:
                if data[start:stop] != piece:  # half the time of startswith
                    break
            else:
                start, stop = known.place
                return known.file, data[start:stop]
        return self._learn(data)

    def _learn(self, data: bytes) -> tuple[FileTags, bytes]:
        entries = read_entries(data)
        recent = self._recent
        scale = next((e for e in entries.found if e.number == MODEL_PIXEL_SCALE), None)
        if scale is not None and recent and self._places is _PLACES:
            before = next((t for t in recent[0].file.tags if t.number == MODEL_PIXEL_SCALE), None)
            if before is not None and before.value != entries.value(scale, data):
                self._places = _PLACES | {MODEL_PIXEL_SCALE}
        known, place = _likeness(data, entries, self._places, self._learned)
        if known.is_usual:
            self._recent = (known, *recent[: _MAX_RECENT - 1])
        return known.file, place


class TagEntry(NamedTuple):
    """A tag in a directory, and where its values are."""

    number: int
    type: int
    n: int
    start: int
    """Zero-based offset of its values in the file."""
    at: int
    """Zero-based offset of the entry."""

    @property
    def stop(self) -> int:
        """Zero-based offset after its values."""
        return self.start + self.n * TYPE_BYTES[self.type]


class TagEntries(NamedTuple):
    """The kept tags of a file's first directory."""

    order: str
    """``<`` or ``>``."""
    found: list[TagEntry]
    """Those that can be read, by number."""
    head: list[tuple[int, int]]
    """[start, stop) of the bytes that determine them, without their values."""
    is_plain: bool
    """Whether the pixels are not compressed."""
    needed: int
    """How many bytes of the file it takes to read them all; more than ``len(data)`` if some are
    missing from it."""

    def value(self, entry: TagEntry, data: bytes) -> bytes:
        """The values of a tag, little-endian."""
        return _little(data[entry.start : entry.stop], entry.type, self.order)


def read_entries(data: bytes) -> TagEntries:
    """The kept tags of a file's first directory; none if it has no directory that can be read.

    Args:
        data: The whole file, or its beginning.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2], "")
    try:
        version = struct.unpack_from(f"{order}H", data, 2)[0] if order else 0
        if version not in {42, 43}:
            return TagEntries("<", [], [], is_plain=False, needed=8)
        is_big = version == 43
        head = 16 if is_big else 8
        (start,) = struct.unpack_from(order + ("Q" if is_big else "I"), data, head // 2)
        (n,) = struct.unpack_from(order + ("Q" if is_big else "H"), data, start)
    except struct.error:
        needed = start + 8 if "start" in locals() else 16
        return TagEntries(order or "<", [], [], is_plain=False, needed=needed)
    at, size = (start + 8, 20) if is_big else (start + 2, 12)
    stop = at + n * size
    if not 1 <= n <= _MAX_ENTRIES or stop > len(data):
        return TagEntries(order, [], [], is_plain=False, needed=stop if n <= _MAX_ENTRIES else 0)
    return _entries(data, order, (start, at, stop), is_big=is_big)


def _entries(data: bytes, order: str, place: tuple[int, int, int], *, is_big: bool) -> TagEntries:
    """The kept tags of a directory: its count, its first entry and its end are at a place."""
    size, inline, head = (20, 8, 16) if is_big else (12, 4, 8)
    start, at, stop = place
    layout = struct.Struct(f"{order}HH{'Q' if inline == 8 else 'I'}")
    found: dict[int, TagEntry | None] = {}
    holes: list[int] = []
    is_plain, needed = True, stop
    for position in range(at, stop, size):
        number, kind, n = layout.unpack_from(data, position)
        where = position + layout.size
        if number == 259 and kind == 3:
            is_plain = struct.unpack_from(f"{order}H", data, where) == (_NONE,)
        if number in _PIECES:
            holes.append(where)
        if number not in KEPT_TAGS or kind not in TYPE_BYTES or not n:
            continue
        n_bytes = n * TYPE_BYTES[kind]
        if n_bytes > inline:
            (where,) = struct.unpack_from(order + ("Q" if inline == 8 else "I"), data, where)
        if n_bytes <= MAX_FILE_BYTES:
            needed = max(needed, where + n_bytes)
        # Twice the same tag: readers disagree on which one counts.
        entry = TagEntry(number, kind, n, where, position)
        found[number] = entry if number not in found else None
    tags = [e for e in found.values() if e is not None and e.stop <= len(data)]
    tags.sort(key=lambda entry: (entry.number == GDAL_METADATA, entry.number))
    chosen, n_kept = [], 0
    for entry in tags:  # metadata last: it may be the largest, and everything else matters more
        n_kept += entry.stop - entry.start
        if n_kept <= MAX_FILE_BYTES:
            chosen.append(entry)
    chosen.sort()
    parts = [(0, head), (start, at)]
    begin = at
    for hole in () if is_plain else sorted(holes):
        parts.append((begin, hole))
        begin = hole + inline
    parts.append((begin, stop))
    return TagEntries(order, chosen, parts, is_plain, needed)


def _likeness(
    data: bytes, entries: TagEntries, own: frozenset[int], learned: Learned
) -> tuple[_Likeness, bytes]:
    """What a file looks like, its tags, and the values that it has for itself."""
    tags, places, ranges = [], [], list(entries.head)
    place = b""
    for entry in entries.found:
        value = entries.value(entry, data)
        is_own = entry.number in own
        tags.append(Tag(entry.number, entry.type, entry.n, None if is_own else value))
        if is_own:
            places.append((entry.start, entry.stop))
            place += value
        else:
            ranges.append((entry.start, entry.stop))
    file = learned.shared(tuple(tags))
    joined = _joined(places, 0) or [(0, 0)]
    pieces = _without(_joined(sorted(ranges), _MAX_GAP if entries.is_plain else 0), places)
    # Other files are rare, and parsed one by one. A piece behind the place shows that the file does
    # not end before.
    is_usual = (
        len(joined) == 1
        and joined[0][1] <= max((stop for _, stop in pieces), default=0)
        and (entries.order == "<" or not places)
        and bool(entries.head)
        and entries.needed <= len(data)
    )
    known = _Likeness(
        tuple((start, stop, data[start:stop]) for start, stop in pieces),
        joined[0],
        file,
        is_usual,
    )
    return known, place


def _joined(ranges: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """Merge [start, stop) ranges in the given order that are at most ``gap`` bytes apart."""
    joined: list[tuple[int, int]] = []
    for start, stop in ranges:
        if joined and joined[-1][0] <= start <= joined[-1][1] + gap:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def _without(ranges: list[tuple[int, int]], places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Cut the places out of the ranges."""
    for start, stop in places:
        cut = []
        for a, b in ranges:
            cut += [(x, y) for x, y in ((a, min(b, start)), (max(a, stop), b)) if x < y]
        ranges = cut
    return ranges


def _little(value: bytes, kind: int, order: str) -> bytes:
    """Values in little-endian order."""
    width = 4 if kind in {5, 10} else TYPE_BYTES[kind]
    if order == "<" or width == 1:
        return value
    return b"".join(value[i : i + width][::-1] for i in range(0, len(value), width))
