"""The side-car ``rico-hdl.georef``: what the files of each patch say beyond pixels.

In: the raw tags of patches' files. Out: the same tags, even after a crash. It follows the journal:
blocks are only appended, before the records of their transaction are committed, and the newest
entry of a key counts. It is no part of the store's proof: without it, or with a damaged one, all
records are as safe as before, and `rico_hdl.keep_georeferencing` makes it again from the sources.

Layout: see `rico_hdl.store.blocks`. The content of a block is a JSON table with the tags that
patches share, preceded by its length ``<I``, then the values of these tags, then for all entries
the lengths of the keys ``<H``, the positions of their profiles ``<I``, the lengths of their places
``<I``, their times ``<q`` if the table says so, all keys, all places.
"""

from __future__ import annotations

import json
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, Final, NamedTuple

import xxhash

from rico_hdl.decoding.geotags import FileTags, KeptTags, Tag
from rico_hdl.errors import StoreError
from rico_hdl.store import blocks
from rico_hdl.store.blocks import Block, Gap

GEOREF_NAME: Final = "rico-hdl.georef"

NO_TIME: Final = -(2**63)
"""The time of a patch whose path tells none that its key lacks."""

_MAGIC: Final = b"RG1\n"
_LENGTH: Final = struct.Struct("<I")
_KEYS, _NUMBERS, _TIMES = "H", "I", "q"
_REPAIR: Final = "Remove the file, and make it again from the sources: rico-hdl georef STORE."


class GeorefEntry(NamedTuple):
    """What the files of one patch say."""

    key: bytes
    """The key in UTF-8."""
    tags: KeptTags
    """The tags of its files."""
    time: int = NO_TIME
    """Milliseconds since 1970 in UTC, if the path of its files tells a time that its key lacks."""


class GeorefBlock(NamedTuple):
    """The entries of one block, column by column."""

    keys: list[bytes]
    """The keys in UTF-8."""
    profiles: list[tuple[FileTags, ...]]
    """The tags that patches share, of each of their files."""
    profile_of: array[int]
    """The zero-based position of each entry's profile."""
    place_stops: array[int]
    """Where the values end that only this patch has, in `places`."""
    places: bytes
    """These values of all entries; see `rico_hdl.decoding.geotags.KeptTags`."""
    times: array[int] | None
    """The time of each entry, see `GeorefEntry.time`; None if none has one."""

    def tags(self, i: int) -> KeptTags:
        """The tags of the entry at a zero-based position."""
        start = self.place_stops[i - 1] if i else 0
        places = self.places[start : self.place_stops[i]]
        return KeptTags(self.profiles[self.profile_of[i]], places)


def content_of(entries: Sequence[tuple[bytes, KeptTags, int]]) -> bytes:
    """The content of a block; the entries may be plain tuples with the fields of `GeorefEntry`."""
    profile_at: dict[tuple[FileTags, ...], int] = {}
    n = profile_at.setdefault
    columns = [n(entry[1][0], len(profile_at)) for entry in entries]
    table, values = _table(list(profile_at))
    keys = [entry[0] for entry in entries]
    places = [entry[1][1] for entry in entries]
    parts = [
        _numbers(_KEYS, map(len, keys)),
        _numbers(_NUMBERS, columns),
        _numbers(_NUMBERS, map(len, places)),
    ]
    if any(entry[2] != NO_TIME for entry in entries):
        table["times"] = True
        parts.append(_numbers(_TIMES, [entry[2] for entry in entries]))
    text = json.dumps(table, separators=(",", ":")).encode()
    return b"".join([_LENGTH.pack(len(text)), text, *values, *parts, *keys, *places])


def _table(profiles: list[tuple[FileTags, ...]]) -> tuple[dict[str, Any], list[bytes]]:
    """The table of a block, JSON-ready, and the values that it refers to."""
    file_at: dict[FileTags, int] = {}
    value_at: dict[bytes, int] = {}
    for profile in profiles:
        for file in profile:
            file_at.setdefault(file, len(file_at))
    files = [
        [
            [t.number, t.type, t.n]
            if t.value is None
            else [t.number, t.type, t.n, value_at.setdefault(t.value, len(value_at))]
            for t in file.tags
        ]
        for file in file_at
    ]
    table: dict[str, Any] = {
        "profiles": [[file_at[file] for file in profile] for profile in profiles],
        "files": files,
        "values": [len(value) for value in value_at],
    }
    return table, list(value_at)


def _numbers(code: str, values: Any) -> bytes:  # noqa: ANN401 - any iterable of integers
    found = array(code, values)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


def parse(content: bytes, n: int) -> GeorefBlock:
    """The entries of a block.

    Args:
        content: Its content.
        n: The number of its entries.

    Raises:
        ValueError: It is not the content of such a block.
    """
    try:
        (n_table,) = _LENGTH.unpack_from(content)
        reader = _ContentReader(content, _LENGTH.size + n_table)
        table = json.loads(content[_LENGTH.size : reader.position])
        values = [reader.bytes(length) for length in table["values"]]
        files = [
            FileTags(
                tuple(
                    Tag(tag[0], tag[1], tag[2], values[tag[3]] if len(tag) > 3 else None)
                    for tag in file
                )
            )
            for file in table["files"]
        ]
        profiles = [tuple(files[i] for i in profile) for profile in table["profiles"]]
        key_lengths = reader.numbers(_KEYS, n)
        profile_of = reader.numbers(_NUMBERS, n)
        place_lengths = reader.numbers(_NUMBERS, n)
        times = reader.numbers(_TIMES, n) if table.get("times") else None
        keys = [reader.bytes(length) for length in key_lengths]
        stops = array("Q")
        total = 0
        for length in place_lengths:
            total += length
            stops.append(total)
        places = reader.bytes(total)
        if reader.position != len(content) or (n and max(profile_of) >= len(profiles)):
            raise ValueError("numbers and lengths don't fit")
    except (struct.error, KeyError, IndexError, TypeError) as error:
        raise ValueError(f"not the content of a block: {error!r}") from error
    return GeorefBlock(keys, profiles, profile_of, stops, places, times)


class _ContentReader:
    """Reads the content of a block from its beginning to its end."""

    def __init__(self, content: bytes, position: int) -> None:
        self._content = content
        self.position = position

    def bytes(self, n: int) -> bytes:
        self.position += n
        found = self._content[self.position - n : self.position]
        if len(found) != n:
            raise ValueError("the content ends too early")
        return found

    def numbers(self, code: str, n: int) -> array[int]:
        found = array(code, self.bytes(n * array(code).itemsize))
        if sys.byteorder == "big":
            found.byteswap()
        return found


def scan(folder: Path) -> Iterator[GeorefBlock | Gap]:
    """The intact blocks of a side-car, and the gaps between and after them; none without one.

    Args:
        folder: The store.

    Raises:
        OSError: The disk or network mount fails.
        StoreError: It can't be opened, or a block is of a form that this version doesn't know.
    """
    path = folder / GEOREF_NAME
    for part in raw_parts(path):
        if isinstance(part, Gap):
            yield part
            continue
        try:
            yield parse(part.content(), part.n_entries)
        except ValueError as error:
            raise StoreError(f"{path} can't be read: {error}", _REPAIR) from error


def raw_parts(path: Path) -> Iterator[Block | Gap]:
    """The intact blocks of a side-car as they are, and the gaps between and after them.

    Raises:
        OSError: The disk or network mount fails.
        StoreError: It can't be opened.
    """
    return blocks.scan(path, _MAGIC, "the georeferencing")


def append(file: FileIO, entries: Sequence[tuple[bytes, KeptTags, int]]) -> None:
    """Append a block to a file that is open for unbuffered appending.

    Raises:
        OSError: The disk is full or gone. A partly written block is cut off later.
    """
    blocks.append(file, _MAGIC, len(entries), content_of(entries))


def is_own(path: Path) -> bool:
    """Whether a file may be a side-car, damaged or not."""
    return any(isinstance(part, Block) or part.torn for part in raw_parts(path))


def hashes(keys: Iterable[bytes]) -> bytes:
    """The 16 bytes of each key's XXH3-128, one after another."""
    return b"".join([xxhash.xxh3_128_digest(key) for key in keys])
