"""The content of one member of a zip archive.

In: the archive's volumes, and the member's entry in the directory. Out: its content, checked by its
size and CRC-32, or why it can't be had. No more is decompressed than the entry says that there
is, and nothing is decrypted. Sections below are those of APPNOTE.TXT 6.3.10.
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
"""Names of other methods (4.4.5)."""
_MAX_LZMA_WINDOW_BYTES: Final = 2**28
"""The largest window that memory is taken for: four times that of the strongest usual setting."""

_ENCRYPTED: Final = 1 << 0 | 1 << 6 | 1 << 13
_PATCH: Final = 1 << 5
_WITH_END_MARK: Final = 1 << 1
"""Flags of a member (4.4.4)."""

_APART_BYTES: Final = 2**20
_SLACK_BYTES: Final = 64
"""So much more than in the directory an extra field before a member is expected to take: the times
and owners that Info-ZIP repeats there in a longer form take a few bytes more."""


def problem_of(entry: ZipEntry) -> str:
    """Why a member can't be read, as far as its entry tells; empty if it may be readable."""
    kind = stat.S_IFMT(entry.mode)
    if entry.problem:
        return entry.problem
    # What `zip` read from a pipe it calls a pipe, but it has content like any file.
    if kind not in {0, stat.S_IFREG, stat.S_IFIFO}:
        return "it is a link" if kind == stat.S_IFLNK else "it is no file"
    if entry.flags & _ENCRYPTED:
        return "it is encrypted"
    if entry.flags & _PATCH or entry.method not in {_STORED, _DEFLATE, _BZIP2, _LZMA}:
        method = _UNREADABLE.get(entry.method, f"method {entry.method}")
        return f"it is compressed with {method}, which can't be read"
    return _problem_of_size(entry)


def _problem_of_size(entry: ZipEntry) -> str:
    if max(entry.n_bytes, entry.n_compressed) > MAX_MEMBER_BYTES:
        return (
            f"it says that it holds {entry.n_bytes:,} bytes, in {entry.n_compressed:,} of the "
            f"archive: more than the {MAX_MEMBER_BYTES:,} that are read"
        )
    if entry.min_stop > entry.limit:
        return (
            f"its {entry.n_compressed:,} bytes from byte {entry.offset} on overlap what begins at "
            f"byte {entry.limit}"
        )
    return ""


def read_member(volumes: Volumes, entry: ZipEntry) -> tuple[bytes, bool]:
    """The content of a member without a problem.

    Returns:
        Its content, and whether all up to what begins next is as the directory says, so that
        nothing of it needs a second look.

    Raises:
        ArchiveError: It is damaged; the message does not say which it is.
        OSError: It can't be read.
    """
    # One read for header and data: what the header adds is not known before it is read. Large data
    # that are stored as they are get a read of their own, so that they are not copied out of it.
    apart = entry.method == _STORED and entry.n_compressed > _APART_BYTES
    n_head = entry.n_header + entry.n_extra + _SLACK_BYTES
    n_expected = n_head if apart else n_head + entry.n_compressed
    data = volumes.pread(entry.offset, min(n_expected, entry.limit - entry.offset))
    header = parse_header(data, entry)
    start = header.n_bytes
    stop = start + entry.n_compressed
    n_behind = entry.limit - entry.offset - stop
    if n_behind < 0:
        raise ArchiveError(
            f"is damaged: its data end at byte {entry.offset + stop}, "
            f"but something else begins at byte {entry.limit}"
        )
    if 0 < n_behind <= MAX_DESCRIPTOR_BYTES and stop + n_behind <= len(data):
        n_behind -= n_descriptor_bytes(data[stop : stop + n_behind], entry)
    if stop > len(data):
        data = volumes.pread(entry.offset + start, entry.n_compressed)
        start, stop = 0, entry.n_compressed
    if stop > len(data):
        raise ArchiveError(
            f"is cut short: {len(data) - start} of its {entry.n_compressed} bytes are there"
        )
    content = data if apart else _decompressed(memoryview(data)[start:stop], entry)
    _check(content, entry)
    return content, n_behind == 0 and not header.difference


def _decompressed(data: memoryview, entry: ZipEntry) -> bytes:
    """A member's data, decompressed: one byte too many at most, so that too long ones are noticed.

    Raises:
        ArchiveError: They can't be decompressed.
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
        raise ArchiveError("is damaged: its compressed data have no end")
    return content


def _from_deflate(data: memoryview, n_at_most: int) -> tuple[bytes, bool]:
    """The content, and whether its end was met."""
    # Of small files it decompresses 1.6 times as many in a second as zlib does.
    from isal import isal_zlib  # noqa: PLC0415 - uncompressed members don't pay for it

    decompressor = isal_zlib.decompressobj(-15)
    try:
        return decompressor.decompress(data, n_at_most), decompressor.eof
    except cast("type[Exception]", isal_zlib.error) as error:
        raise ArchiveError(f"is damaged: can't be decompressed: {error}") from error


def _from_bzip2(data: memoryview, n_at_most: int) -> tuple[bytes, bool]:
    """The content, and whether its end was met."""
    import bz2  # noqa: PLC0415 - rare

    decompressor = bz2.BZ2Decompressor()
    try:
        return decompressor.decompress(data, n_at_most), decompressor.eof
    except (OSError, EOFError, ValueError) as error:
        raise ArchiveError(f"is damaged: can't be decompressed: {error}") from error


def _from_lzma(data: memoryview, n_at_most: int) -> tuple[bytes, bool]:
    """The content, and whether its end was met, if it has one. Settings come first (5.8.8)."""
    import lzma  # noqa: PLC0415 - rare

    head = bytes(data[:9])
    window = int.from_bytes(head[5:], "little")
    if len(head) < 9 or head[2:4] != b"\5\0" or window > _MAX_LZMA_WINDOW_BYTES:
        raise ArchiveError(
            f"is damaged: {head.hex(' ')} are no settings for LZMA with a window of at most "
            f"{_MAX_LZMA_WINDOW_BYTES:,} bytes"
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
    """Raise for content that is not what was stored."""
    from isal import isal_zlib  # noqa: PLC0415 - its CRC-32 takes a fifth of the time of zlib's

    if len(content) != entry.n_bytes:
        found = f"more than {entry.n_bytes}" if len(content) > entry.n_bytes else len(content)
        raise ArchiveError(f"is damaged: holds {found} bytes, expected {entry.n_bytes}")
    crc = isal_zlib.crc32(content)
    if crc != entry.crc:
        raise ArchiveError(f"is damaged: its CRC-32 is {crc:08x}, expected {entry.crc:08x}")
