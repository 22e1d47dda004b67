"""Comparing the header before each member of a zip archive with its entry in the directory.

In: the header's bytes and the entry. Out: where the data starts, and any contradiction between the
two. Fields that a writer leaves open, because it doesn't know their values yet, don't count as a
contradiction. Section numbers below refer to APPNOTE.TXT 6.3.10.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from rico_hdl.errors import ArchiveError
from rico_hdl.sources.volumes import Volumes
from rico_hdl.sources.zip.directory import (
    IN_EXTRA_32,
    LOCAL,
    LOCAL_SIGNATURE,
    ZipEntry,
    large_numbers,
)

STREAMED: Final = 1 << 3
"""The flag for a CRC-32 and sizes after the data (4.4.4)."""
_UTF_8: Final = 1 << 11
"""The flag for names in UTF-8 (4.4.4)."""
_HOW_TO_READ: Final = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 13
"""Flags for encryption and patches: if set, the data can't be read as stored (4.4.4)."""
_DOS_NAMES: Final = frozenset({0, 6, 10, 11, 14})
"""Systems that write names in code page 437 (4.4.2): DOS, OS/2, Windows NTFS, MVS, VFAT."""

_DESCRIPTOR_SIGNATURE: Final = b"PK\7\x08"
_DESCRIPTORS: Final = (Struct("<3I"), Struct("<I2Q"))
"""4.3.9, after the data: CRC-32, bytes in the archive, bytes; with or without the signature."""
MAX_DESCRIPTOR_BYTES: Final = 24
"""Bytes of the longest descriptor."""


class LocalHeader(NamedTuple):
    """The header before a member's data."""

    n_bytes: int
    """Bytes before the data."""
    difference: str
    """How it contradicts the directory; empty if it doesn't."""


def parse_header(data: bytes, entry: ZipEntry) -> LocalHeader:
    """Parse the header of a member.

    Args:
        data: Bytes from the offset in the directory on, preferably the whole header.
        entry: The member's entry in the directory.

    Raises:
        ArchiveError: There is no header, or the header of another member. The message doesn't name
            the member that was expected.
    """
    if not data.startswith(LOCAL_SIGNATURE):
        found = data[:4].hex(" ") or "the end of the archive"
        raise ArchiveError(
            f"is damaged: expected its header at byte {entry.offset}, 50 4b 03 04, found {found}"
        )
    if len(data) < LOCAL.size:
        raise ArchiveError(f"is cut short: only {len(data)} bytes of its header are present")
    _, _, flags, method, _, _, crc, n_compressed, n_bytes, n_name, n_extra = LOCAL.unpack_from(data)
    stop = LOCAL.size + n_name
    raw_name = data[LOCAL.size : stop]
    if raw_name != entry.raw_name and not _is_same_name(raw_name, flags, entry):
        shown = name_of(raw_name[:200], flags, entry.system)
        raise ArchiveError(
            f"is damaged: the header at byte {entry.offset} belongs to another member: {shown!r}"
        )
    difference = ""
    if (flags, method, crc, n_compressed, n_bytes) != (
        *(entry.flags, entry.method, entry.crc, entry.n_compressed, entry.n_bytes),
    ):
        if IN_EXTRA_32 in {n_compressed, n_bytes}:
            large = large_numbers(data[stop : stop + n_extra], n_bytes, n_compressed, 0, 0)
            if large is not None:
                n_bytes, n_compressed, *_ = large
        difference = _difference(entry, flags, method, (crc, n_compressed, n_bytes))
    return LocalHeader(stop + n_extra, difference)


def _is_same_name(raw_name: bytes, flags: int, entry: ZipEntry) -> bool:
    """Whether two names are the same, apart from the backslashes of some tools."""
    ours = name_of(raw_name, flags, entry.system)
    theirs = name_of(entry.raw_name, entry.flags, entry.system)
    return ours.replace("\\", "/") == theirs.replace("\\", "/")


def _difference(entry: ZipEntry, flags: int, method: int, numbers: tuple[int, int, int]) -> str:
    """How a header contradicts the directory; empty if it doesn't."""
    if method != entry.method:
        return f"its method is {entry.method} in the directory, {method} in its own header"
    if (flags ^ entry.flags) & _HOW_TO_READ or (
        (flags ^ entry.flags) & _UTF_8 and not _is_same_name(entry.raw_name, flags, entry)
    ):
        return f"its flags are {entry.flags:#x} in the directory, {flags:#x} in its own header"
    # Some writers leave unknown numbers open without setting the flag for it.
    is_open = flags & STREAMED or not any(numbers)
    listed = (entry.crc, entry.n_compressed, entry.n_bytes)
    for label, expected, found in zip(_NUMBERS, listed, numbers, strict=True):
        # Some writers keep the lower 32 bits of a number that does not fit.
        is_same = found in {expected, expected % 2**32} or (found == 0 and is_open)
        if not is_same and found != IN_EXTRA_32:
            shown = "08x" if label == "CRC-32" else ","
            return (
                f"its {label} is {expected:{shown}} in the directory, {found:{shown}} in its own "
                "header"
            )
    return ""


_NUMBERS: Final = ("CRC-32", "size in the archive", "size")


def n_descriptor_bytes(data: bytes, entry: ZipEntry) -> int:
    """Bytes of the descriptor after a member's data; 0 if there is none.

    Args:
        data: The bytes between the member's data and the next structure.
        entry: The member's entry in the directory.
    """
    signed = data.startswith(_DESCRIPTOR_SIGNATURE)
    for start in (len(_DESCRIPTOR_SIGNATURE), 0) if signed else (0,):
        for form in reversed(_DESCRIPTORS):
            if start + form.size <= len(data):
                crc, n_compressed, n_bytes = form.unpack_from(data, start)
                found = (crc, n_compressed, n_bytes)
                if found == (entry.crc, entry.n_compressed, entry.n_bytes):
                    return start + form.size
    return 0


def name_of(raw_name: bytes, flags: int, system: int) -> str:
    """Decode a member's name.

    UTF-8 is tried first: Info-ZIP writes it without setting the flag, and it can hardly be confused
    with another encoding.
    """
    try:
        return raw_name.decode()
    except UnicodeDecodeError:
        if flags & _UTF_8 or system not in _DOS_NAMES:
            return raw_name.decode("utf-8", "surrogateescape")
        return raw_name.decode("cp437")


def walk_members(volumes: Volumes) -> Iterator[ZipEntry]:
    """The members of an archive without its directory, found by their own headers.

    The walk ends at the first member that is incomplete, or whose size is stored after its data.

    Raises:
        OSError: The archive can't be read.
    """
    at = 0 if volumes.pread(0, 4) == LOCAL_SIGNATURE else 4
    while True:
        header = volumes.pread(at, LOCAL.size + 2 * 0xFFFF)
        if len(header) < LOCAL.size or not header.startswith(LOCAL_SIGNATURE):
            return
        _, _, flags, method, _, _, crc, n_compressed, n_bytes, n_name, n_extra = LOCAL.unpack_from(
            header
        )
        stop = LOCAL.size + n_name
        if IN_EXTRA_32 in (n_compressed, n_bytes):
            extra = header[stop : stop + n_extra]
            large = large_numbers(extra, n_bytes, n_compressed, 0, 0)
            if large is None:
                return
            n_bytes, n_compressed, *_ = large
        limit = at + stop + n_extra + n_compressed
        if flags & STREAMED or limit > volumes.size:
            return
        name = header[LOCAL.size : stop]
        yield ZipEntry(name, 0, flags, method, crc, n_compressed, n_bytes, 0, n_extra, at, limit)
        at = limit
