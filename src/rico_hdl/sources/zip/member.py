"""Reading one member of a zip archive.

In: the archive's volumes, and the member's entry in the directory. Out: the content, with its size
and CRC-32 verified, or the reason why it can't be read. Nothing is decompressed beyond the entry's
stated size, and nothing is decrypted. Section numbers below refer to APPNOTE.TXT 6.3.10.
"""

from __future__ import annotations

import stat
from typing import Final, cast

from rico_hdl.errors import ArchiveError
from rico_hdl.sources.protocol import MAX_MEMBER_BYTES
from rico_hdl.sources.volumes import Volumes
from rico_hdl.sources.zip.directory import ZipEntry
from rico_hdl.sources.zip.header import MAX_DESCRIPTOR_BYTES, n_descriptor_bytes, parse_header

_STORED: Final = 0
_DEFLATE: Final = 8
_BZIP2: Final = 12
_LZMA: Final = 14
_UNREADABLE: Final = {
    1: "shrink",
    6: "implode",
    9: "deflate64",
    10: "PKWARE's implode",
    20: "zstd",
    93: "zstd",
    94: "mp3",
    95: "xz",
    96: "jpeg",
    97: "WavPack",
    98: "PPMd",
}
"""Names of unsupported methods (4.4.5)."""
_MAX_LZMA_WINDOW_BYTES: Final = 2**26
"""Largest window that memory is allocated for: that of the strongest usual setting."""

_ENCRYPTED: Final = 1 << 0 | 1 << 6 | 1 << 13
_PATCH: Final = 1 << 5
_WITH_END_MARK: Final = 1 << 1
"""Flags of a member (4.4.4)."""

_SEPARATE_BYTES: Final = 2**20
_SLACK_BYTES: Final = 64
"""Allowance for the extra field before a member, which may be longer than in the directory:
Info-ZIP repeats times and owners there in a form that takes a few more bytes."""


def problem_of(entry: ZipEntry) -> str:
    """Why a member can't be read, judging by its entry; empty if it may be readable."""
    kind = stat.S_IFMT(entry.mode)
    if entry.problem:
        return entry.problem
    # `zip` marks a member that it read from a pipe as a pipe, though it has content like any other.
    if kind not in {0, stat.S_IFREG, stat.S_IFIFO}:
        return "it is a link" if kind == stat.S_IFLNK else "it is not a regular file"
    if entry.flags & _ENCRYPTED:
        return "it is encrypted"
    if entry.flags & _PATCH or entry.method not in {_STORED, _DEFLATE, _BZIP2, _LZMA}:
        method = _UNREADABLE.get(entry.method, f"method {entry.method}")
        return f"it is compressed with {method}, which is not supported"
    return _problem_of_size(entry)


def _problem_of_size(entry: ZipEntry) -> str:
    if max(entry.n_bytes, entry.n_compressed) > MAX_MEMBER_BYTES:
        return (
            f"it claims {entry.n_bytes:,} bytes, stored in {entry.n_compressed:,}, "
            f"expected at most {MAX_MEMBER_BYTES:,}"
        )
    if entry.min_stop > entry.limit:
        return (
            f"its {entry.n_compressed:,} bytes from byte {entry.offset} on overlap the structure "
            f"that starts at byte {entry.limit}"
        )
    return ""


def reading_bytes(entry: ZipEntry) -> int:
    """The memory that reading a member takes, in bytes, judging by its entry."""
    n_bytes = entry.n_bytes + entry.n_compressed
    return n_bytes + _MAX_LZMA_WINDOW_BYTES if entry.method == _LZMA else n_bytes


def read_member(volumes: Volumes, entry: ZipEntry) -> tuple[bytes, bool]:
    """Read a member that has no known problem.

    Returns:
        Its content, and whether everything up to the next structure agrees with the directory, so
        the member needs no second look.

    Raises:
        ArchiveError: The member is damaged. The message doesn't name it.
        OSError: The member can't be read.
    """
    # Header and data take one read, since the header's length is unknown before it is read. Large
    # uncompressed data is read separately to avoid copying it out of a larger read.
    is_separate = entry.method == _STORED and entry.n_compressed > _SEPARATE_BYTES
    n_head = entry.n_header + entry.n_extra + _SLACK_BYTES
    n_expected = n_head if is_separate else n_head + entry.n_compressed
    data = volumes.pread(entry.offset, min(n_expected, entry.limit - entry.offset))
    header = parse_header(data, entry)
    start = header.n_bytes
    stop = start + entry.n_compressed
    n_after = entry.limit - entry.offset - stop
    if n_after < 0:
        raise ArchiveError(
            f"is damaged: its data ends at byte {entry.offset + stop}, "
            f"but the next structure starts at byte {entry.limit}"
        )
    if 0 < n_after <= MAX_DESCRIPTOR_BYTES and stop + n_after <= len(data):
        n_after -= n_descriptor_bytes(data[stop : stop + n_after], entry)
    if stop > len(data):
        data = volumes.pread(entry.offset + start, entry.n_compressed)
        start, stop = 0, entry.n_compressed
    if stop > len(data):
        raise ArchiveError(
            f"is cut short: only {len(data) - start} of its {entry.n_compressed} bytes are present"
        )
    content = data if is_separate else _decompressed(memoryview(data)[start:stop], entry)
    _check(content, entry)
    return content, n_after == 0 and not header.difference


def _decompressed(data: memoryview, entry: ZipEntry) -> bytes:
    """Decompress a member's data, up to one byte beyond its size, to notice data that is too long.

    Raises:
        ArchiveError: The data can't be decompressed.
    """
    n_at_most = entry.n_bytes + 1
    if entry.method == _STORED:
        return bytes(data)
    if entry.method == _DEFLATE:
        content, is_complete = _from_deflate(data, n_at_most)
    elif entry.method == _BZIP2:
        content, is_complete = _from_bzip2(data, n_at_most)
    else:
        content, is_complete = _from_lzma(data, n_at_most)
        is_complete = is_complete or not entry.flags & _WITH_END_MARK
    if len(content) == entry.n_bytes and not is_complete:
        raise ArchiveError("is damaged: its compressed data has no end")
    return content


def _from_deflate(data: memoryview, n_at_most: int) -> tuple[bytes, bool]:
    """The content, and whether its end was reached."""
    # isal decompresses small files 1.6 times as fast as zlib.
    from isal import isal_zlib  # noqa: PLC0415 - uncompressed members don't pay for it

    decompressor = isal_zlib.decompressobj(-15)
    try:
        return decompressor.decompress(data, n_at_most), decompressor.eof
    except cast("type[Exception]", isal_zlib.error) as error:
        raise ArchiveError(f"is damaged: can't be decompressed: {error}") from error


def _from_bzip2(data: memoryview, n_at_most: int) -> tuple[bytes, bool]:
    """The content, and whether its end was reached."""
    import bz2  # noqa: PLC0415 - rare

    decompressor = bz2.BZ2Decompressor()
    try:
        return decompressor.decompress(data, n_at_most), decompressor.eof
    except (OSError, EOFError, ValueError) as error:
        raise ArchiveError(f"is damaged: can't be decompressed: {error}") from error


def _from_lzma(data: memoryview, n_at_most: int) -> tuple[bytes, bool]:
    """The content, and whether its end was reached, if it has one. Settings come first (5.8.8)."""
    import lzma  # noqa: PLC0415 - rare

    head = bytes(data[:9])
    window = int.from_bytes(head[5:], "little")
    if len(head) < 9 or head[2:4] != b"\5\0" or window > _MAX_LZMA_WINDOW_BYTES:
        raise ArchiveError(
            f"is damaged: its LZMA settings are {head.hex(' ')}, expected 9 bytes with a window of "
            f"at most {_MAX_LZMA_WINDOW_BYTES:,} bytes"
        )
    settings = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": max(window, 4096),
        "lc": head[4] % 9,
        "lp": head[4] // 9 % 5,
        "pb": head[4] // 45,
    }
    try:
        decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[settings])
        return decompressor.decompress(data[9:], n_at_most), decompressor.eof
    except (lzma.LZMAError, EOFError, ValueError) as error:
        raise ArchiveError(f"is damaged: can't be decompressed: {error}") from error


def _check(content: bytes, entry: ZipEntry) -> None:
    """Verify the size and CRC-32 of a member's content."""
    from isal import isal_zlib  # noqa: PLC0415 - its CRC-32 is five times as fast as zlib's

    if len(content) != entry.n_bytes:
        found = f"more than {entry.n_bytes}" if len(content) > entry.n_bytes else len(content)
        raise ArchiveError(f"is damaged: holds {found} bytes, expected {entry.n_bytes}")
    crc = isal_zlib.crc32(content)
    if crc != entry.crc:
        raise ArchiveError(f"is damaged: its CRC-32 is {crc:08x}, expected {entry.crc:08x}")
