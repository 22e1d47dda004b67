"""Locating the members of a zip archive by the directory at its end.

In: the archive's volumes. Out: an entry per member, in archive order, and any damage of the
directory. The members themselves are not read.

`zipfile` can't be used for this: it doesn't support volumes, refuses the whole archive if one name
is not UTF-8, and takes 550 bytes of memory per member. Section numbers below refer to APPNOTE.TXT
6.3.10, PKWARE's description of the format.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final, NamedTuple

from rico_hdl.errors import ArchiveError
from rico_hdl.sources.volumes import Volumes

MAX_DIRECTORY_BYTES: Final = 512 * 2**20
"""Largest directory that is read: about five million members."""

LOCAL: Final = Struct("<4s5H3I2H")
"""4.3.7, before each member: signature, version, flags, method, time, date, CRC-32, bytes in the
archive, bytes, bytes of the name, bytes of the extra field."""
LOCAL_SIGNATURE: Final = b"PK\3\4"

_ENTRY: Final = Struct("<4s2B5H3I5H2I")
"""4.3.12: signature, version and system it was made by, version, flags, method, time, date, CRC-32,
bytes in the archive, bytes, bytes of the name, of the extra field, of the comment, volume,
attributes, system-specific attributes, offset."""
_ENTRY_SIGNATURE: Final = b"PK\1\2"
_END: Final = Struct("<4s4H2IH")
"""4.3.16: signature, volume, volume where the directory begins, entries on this volume, entries,
bytes of the directory, its offset, bytes of the comment."""
_END_SIGNATURE: Final = b"PK\5\6"
_END64: Final = Struct("<4sQ2H2I4Q")
"""4.3.14: signature, bytes, two versions, then as above."""
_END64_SIGNATURE: Final = b"PK\6\6"
_LOCATOR: Final = Struct("<4sIQI")
"""4.3.15: signature, volume and offset of the record above, number of volumes."""
_LOCATOR_SIGNATURE: Final = b"PK\6\7"

_IN_EXTRA_16: Final = 0xFFFF
IN_EXTRA_32: Final = 0xFFFFFFFF
"""Marks a number that is too large for its field and is in the zip64 extra field (4.5.3)."""
_ZIP64: Final = 1

_NOWHERE: Final = 2**64 - 1
_UNIX: Final = 3
SPLIT_SIGNATURE: Final = b"PK\7\x08"
"""The first bytes of the first of several volumes (8.5.3)."""
BEGINNINGS: Final = (LOCAL_SIGNATURE, SPLIT_SIGNATURE, b"PK00")
"""The first bytes of an archive with members, or of the first of its volumes (8.5.3, 8.5.4)."""


class EndOfDirectory(NamedTuple):
    """The record at the end of an archive."""

    at: int
    """Zero-based offset of the record, or of its zip64 form if it has one. The directory ends
    here."""
    n_volumes: int
    """Number of volumes; 1 also for an archive that was cut into parts afterwards."""
    n_entries: int
    """Number of entries in the directory; modulo 2**16, unless ``is_zip64``."""
    n_bytes: int
    """Bytes of the directory."""
    volume: int
    """Zero-based number of the volume where the directory begins."""
    offset: int
    """Zero-based offset of the directory in that volume."""
    is_zip64: bool
    """Whether the record has its zip64 form."""
    gaps: tuple[tuple[int, int], ...]
    """[start, stop) ranges after the record, up to the end of the file, that should be empty."""


class ZipEntry(NamedTuple):
    """A member's entry in the directory."""

    raw_name: bytes
    """Its name as stored."""
    system: int
    """The system that its attributes are for (4.4.2): 0 DOS, 3 Unix."""
    flags: int
    """See 4.4.4."""
    method: int
    """How it is compressed (4.4.5)."""
    crc: int
    """CRC-32 of its content."""
    n_compressed: int
    """Its bytes in the archive."""
    n_bytes: int
    """Bytes of its content."""
    mode: int
    """Its Unix type and permissions, or 0."""
    n_extra: int
    """Bytes of its extra field in the directory; the one before the member is often longer."""
    offset: int
    """Zero-based offset of its header, in all volumes together."""
    limit: int
    """Zero-based offset where the next structure starts."""
    problem: str = ""
    """The problem with the entry itself, if any."""

    @property
    def is_lost(self) -> bool:
        """Whether its offset is unknown."""
        return self.offset == _NOWHERE

    @property
    def n_header(self) -> int:
        """Bytes before the member's data, without the extra field."""
        return LOCAL.size + len(self.raw_name)

    @property
    def min_stop(self) -> int:
        """Zero-based offset after its data, if there is no extra field."""
        return self.offset + self.n_header + self.n_compressed


def find_end(volumes: Volumes) -> EndOfDirectory | None:
    """Find the record at the end of an archive; None if there is none.

    Raises:
        OSError: The archive can't be read.
    """
    before = max(0, volumes.size - _END.size - 0xFFFF)  # a comment may follow
    tail = volumes.pread(before, volumes.size - before)
    found = _find_record(tail)
    if found is None:
        return None
    at = before + found
    _, number, volume, _, n_entries, n_bytes, offset, _ = _END.unpack_from(tail, found)
    rest = (at + _END.size + _END.unpack_from(tail, found)[-1], volumes.size)
    end = EndOfDirectory(
        at, number + 1, n_entries, n_bytes, volume, offset, is_zip64=False, gaps=(rest,)
    )
    locator = volumes.pread(max(0, at - _LOCATOR.size), min(at, _LOCATOR.size))
    if not locator.startswith(_LOCATOR_SIGNATURE):
        return end
    _, volume, offset, n_volumes = _LOCATOR.unpack(locator)
    n_volumes = max(1, n_volumes)
    places = [at - _LOCATOR.size - _END64.size]  # its place if data was prepended to the archive
    if n_volumes in {1, len(volumes.starts)} and volume < len(volumes.starts):
        places.insert(0, volumes.starts[volume] + offset)
    for place in places:
        record = volumes.pread(max(0, place), _END64.size)
        if len(record) == _END64.size and record.startswith(_END64_SIGNATURE):
            _, n_record, *_, volume, _, n_entries, n_bytes, offset = _END64.unpack(record)
            stop = place + 12 + n_record  # the size excludes the first two fields (4.3.14.1)
            gap = (stop if stop <= at - _LOCATOR.size else place + _END64.size, at - _LOCATOR.size)
            return EndOfDirectory(
                *(place, n_volumes, n_entries, n_bytes, volume, offset),
                is_zip64=True,
                gaps=(gap, rest),
            )
    return end._replace(n_volumes=n_volumes)


def ends_here(volumes: Volumes, stop: int) -> bool:
    """Whether the record at the end of an archive ends at an offset.

    Raises:
        OSError: The archive can't be read.
    """
    before = max(0, stop - _END.size - 0xFFFF)
    tail = volumes.pread(before, stop - before)
    found = _find_record(tail)
    if found is None or found + _END.size + _END.unpack_from(tail, found)[-1] != len(tail):
        return False
    _, _, _, _, n_entries, n_bytes, _, _ = _END.unpack_from(tail, found)
    # Four bytes may match by chance; a self-extracting program certainly contains them.
    entry = volumes.pread(max(0, before + found - n_bytes), 4)
    return n_entries > 0 and n_bytes > 0 and (entry == _ENTRY_SIGNATURE or n_bytes == IN_EXTRA_32)


def _find_record(tail: bytes) -> int | None:
    """Offset of the record that ends with the file, or else of the last one that fits in it."""
    fits = None
    at = tail.rfind(_END_SIGNATURE)
    while at >= 0:
        if at + _END.size <= len(tail):
            stop = at + _END.size + _END.unpack_from(tail, at)[-1]
            if stop == len(tail):
                return at
            if stop < len(tail) and fits is None:
                fits = at
        at = tail.rfind(_END_SIGNATURE, 0, at)
    return fits


class CentralDirectory:
    """The directory of an archive, kept as stored; entries are parsed on request.

    Args:
        volumes: The archive's files.
        end: The record at its end.

    Raises:
        ArchiveError: The directory is not where it should be, or is too large.
        OSError: The directory can't be read.
    """

    def __init__(self, volumes: Volumes, end: EndOfDirectory) -> None:
        self._volume_starts = volumes.starts if end.n_volumes > 1 else (0,)
        if end.n_bytes > MAX_DIRECTORY_BYTES:
            raise ArchiveError(
                f"its directory claims to take {end.n_bytes:,} bytes, "
                f"expected at most {MAX_DIRECTORY_BYTES:,}"
            )
        self.start, self._shift = self._find(volumes, end)
        """Zero-based offset of its first byte, in all volumes together."""
        self.stop = self.start + end.n_bytes
        """Zero-based offset after its last byte."""
        self._data = volumes.pread(self.start, end.n_bytes)
        self._positions = array("I")
        self._offsets = array("Q")
        self.damage = ""
        """Damage to the directory as a whole, which means that members may be missing; empty if it
        is intact."""
        self._list(end)
        # The offsets are nearly always in order.
        self._order: Sequence[int] = range(len(self))
        if any(self._offsets[i] > self._offsets[i + 1] for i in range(len(self) - 1)):
            self._order = sorted(self._order, key=self._offsets.__getitem__)

    def __len__(self) -> int:
        return len(self._offsets)

    def _find(self, volumes: Volumes, end: EndOfDirectory) -> tuple[int, int]:
        """Where the directory starts, and by how much all offsets are too small.

        They are too small if a self-extracting program was prepended to the archive.
        """
        if end.volume >= len(self._volume_starts):
            where = f"volume {end.volume + 1} of {len(self._volume_starts)}"
            raise ArchiveError(f"its directory should start on {where}")
        declared = self._volume_starts[end.volume] + end.offset
        places = [(declared, 0)]
        if end.n_volumes == 1:
            # Info-ZIP leaves the offset open when it writes large numbers to a pipe.
            is_open = end.offset == IN_EXTRA_32 and not end.is_zip64
            before_end = end.at - end.n_bytes
            places.insert(0, (before_end, 0 if is_open else before_end - declared))
        signature = _ENTRY_SIGNATURE if end.n_bytes else b""
        for start, shift in places:
            if 0 <= start <= end.at - end.n_bytes and volumes.pread(start, 4).startswith(signature):
                return start, shift
        raise ArchiveError(f"its directory is not at byte {declared}, where it should be")

    def _list(self, end: EndOfDirectory) -> None:
        """Locate each entry in the directory, and each member in the archive."""
        position = 0
        while position < len(self._data):
            if self._data[
                position : position + 4
            ] != _ENTRY_SIGNATURE or position + _ENTRY.size > len(self._data):
                break
            fields = _ENTRY.unpack_from(self._data, position)
            stop = position + _ENTRY.size + sum(fields[11:14])
            if stop > len(self._data):
                break
            self._positions.append(position)
            self._offsets.append(self._entry(position, 0).offset)
            position = stop
        n, expected = len(self), end.n_entries
        if position < end.n_bytes:
            self.damage = f"its directory is damaged at byte {self.start + position}"
        elif n != expected if end.is_zip64 else n % 2**16 != expected:
            self.damage = f"its directory lists {n} members, expected {expected}"

    def __iter__(self) -> Iterator[ZipEntry]:
        """The entries, in the order of their offsets."""
        return map(self.entry, range(len(self)))

    def entry(self, i: int) -> ZipEntry:
        """The entry at a zero-based position in the order of offsets."""
        this = self._order[i]
        following = self._offsets[self._order[i + 1]] if i + 1 < len(self) else _NOWHERE
        return self._entry(self._positions[this], min(following, self.start))

    @property
    def first_offset(self) -> int:
        """Where the first member starts, or the directory if there are no members."""
        return min(self.start, self._offsets[self._order[0]]) if len(self) else self.start

    def _entry(self, position: int, limit: int) -> ZipEntry:
        fields = _ENTRY.unpack_from(self._data, position)
        _, _, system, _, flags, method, _, _, crc, n_compressed, n_bytes = fields[:11]
        n_name, n_extra, _, volume, _, attributes, offset = fields[11:]
        name_stop = position + _ENTRY.size + n_name
        problem = ""
        if IN_EXTRA_32 in (n_bytes, n_compressed, offset) or volume == _IN_EXTRA_16:
            extra = self._data[name_stop : name_stop + n_extra]
            large = large_numbers(extra, n_bytes, n_compressed, offset, volume)
            if large is None:
                problem = "its entry in the directory lacks numbers that should be in a zip64 field"
            else:
                n_bytes, n_compressed, offset, volume = large
        if volume < len(self._volume_starts):
            offset += self._volume_starts[volume] + self._shift
        else:
            problem = f"it should start on volume {volume + 1} of {len(self._volume_starts)}"
        if problem or not 0 <= offset < self.start:
            problem = problem or (
                f"it should start at byte {offset}, but the directory starts at byte {self.start}"
            )
            offset = _NOWHERE
        return ZipEntry(
            raw_name=self._data[name_stop - n_name : name_stop],
            system=system,
            flags=flags,
            method=method,
            crc=crc,
            n_compressed=n_compressed,
            n_bytes=n_bytes,
            mode=attributes >> 16,
            n_extra=n_extra,
            offset=offset,
            limit=limit,
            problem=problem,
        )


def large_numbers(
    extra: bytes, n_bytes: int, n_compressed: int, offset: int, volume: int
) -> tuple[int, int, int, int] | None:
    """The four numbers, with those that are too large for their fields from the extra field.

    Returns:
        None if the extra field lacks one of them.
    """
    position = 0
    while position + 4 <= len(extra):
        kind = int.from_bytes(extra[position : position + 2], "little")
        n = int.from_bytes(extra[position + 2 : position + 4], "little")
        if kind == _ZIP64:
            break
        position += 4 + n
    else:
        return None
    rest = extra[position + 4 : position + 4 + n]
    numbers = []
    for number, in_extra, size in (
        (n_bytes, IN_EXTRA_32, 8),
        (n_compressed, IN_EXTRA_32, 8),
        (offset, IN_EXTRA_32, 8),
        (volume, _IN_EXTRA_16, 4),
    ):
        if number != in_extra:
            numbers.append(number)
        elif len(rest) < size:
            return None
        else:
            numbers.append(int.from_bytes(rest[:size], "little"))
            rest = rest[size:]
    return numbers[0], numbers[1], numbers[2], numbers[3]


def begins_like_one(volumes: Volumes) -> bool:
    """Whether a file starts like a zip archive, even if the directory is missing.

    Raises:
        OSError: The file can't be read.
    """
    return volumes.pread(0, 4) in BEGINNINGS
