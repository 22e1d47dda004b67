"""The formats of compressed files, and the beginning of what is in them.

In: a file. Out: its format, recognised by the first bytes and never by the name, a decompressor for
its streams, and the first decompressed bytes. `decompression` reads whole files.

The libraries were chosen for speed: ISA-L inflates two to three times as fast as zlib, and
`backports.zstd` is the standard library's interface to zstd before Python 3.14. All of them release
Python's lock, and stop at a given number of output bytes, however far the input would expand. (Of
the multithreaded libraries, rapidgzip 0.16 accepted a truncated file as complete.)
"""

from __future__ import annotations

import bz2
import lzma
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from rico_hdl.errors import UnsupportedArchiveError
from rico_hdl.sources.files import open_regular

MAX_WINDOW_BYTES: Final = 2**27
"""How far back a compressed stream may refer, and so the memory that decompressing it takes: the
limit of the command-line tool zstd, and twice the window of ``xz -9``."""

MAGIC_BYTES: Final = 10
"""How many bytes of a file are needed to recognise its format."""

_READ_BYTES: Final = 2**16
_PEEK_BYTES: Final = 2**20
"""How far `peek` reads: more than bzip2 needs for its first block, of 900 kB (bzip2(1), -9)."""


class Decompressor(Protocol):
    """The standard library's interface of decompressors: the state of one stream."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream is reached."""

    @property
    def needs_input(self) -> bool:
        """Whether it gives more only after more input."""

    @property
    def unused_data(self) -> bytes:
        """The input after the end of the stream."""

    def decompress(self, data: bytes | memoryview, max_length: int = ..., /) -> bytes:
        """Decompress more input, to at most so many bytes; the rest follows at the next call."""


class Format(NamedTuple):
    """A format of compressed streams."""

    name: str
    magic: re.Pattern[bytes]
    """The first bytes of a stream."""
    make: Callable[[], tuple[Decompressor, type[Exception]]]
    """Returns a decompressor for one stream, and the exception that it raises."""
    command: str
    """The command that decompresses a file whatever memory that takes; the file's name follows."""


def _gzip() -> tuple[Decompressor, type[Exception]]:
    from isal import igzip_lib  # noqa: PLC0415 - only needed for such files

    # The stub declares the exception class as an instance.
    error: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP), error


def _zstd() -> tuple[Decompressor, type[Exception]]:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - as above
    else:
        from backports import zstd  # noqa: PLC0415 - as above

    window: dict[int, int] = {
        zstd.DecompressionParameter.window_log_max: MAX_WINDOW_BYTES.bit_length() - 1
    }
    return zstd.ZstdDecompressor(options=window), zstd.ZstdError


def _xz() -> tuple[Decompressor, type[Exception]]:
    # In addition to the window, it needs a few hundred kilobytes for its tables.
    limit = MAX_WINDOW_BYTES + 2**20
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=limit), lzma.LZMAError


def _bzip2() -> tuple[Decompressor, type[Exception]]:
    return bz2.BZ2Decompressor(), OSError


_FORMATS: Final = (
    Format("gzip", re.compile(rb"\x1f\x8b\x08"), _gzip, "gzip -d"),  # RFC 1952, section 2.3.1
    # RFC 8878, section 3.1: a frame, or a skippable one, as pzstd writes before each frame.
    Format(
        "zstd",
        re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
        _zstd,
        "zstd -d --long=31",
    ),
    # The .xz File Format 1.1.0, section 2.1.1.1.
    Format("xz", re.compile(rb"\xfd7zXZ\x00"), _xz, "xz -d"),
    # Including the magic of the first block or of the end: a tar may start with a file named BZh9.
    Format(
        "bzip2",
        re.compile(rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)"),
        _bzip2,
        "bzip2 -d",
    ),
)
_TOO_LARGE: Final = re.compile("too much memory|Memory usage limit")
"""Matches the errors of zstd and liblzma for a window beyond the limit."""


def format_of(head: bytes) -> Format | None:
    """The format of a compressed file, or None if it is not compressed in a known one.

    Args:
        head: The first `MAGIC_BYTES` bytes of the file, or more.
    """
    return next((known for known in _FORMATS if known.magic.match(head)), None)


def needs_too_much(known: Format, error: Exception) -> str:
    """Why decompressing would take too much memory, if an error says that it would; or empty."""
    if not _TOO_LARGE.search(str(error)):
        return ""
    return (
        f"is compressed with {known.name}, and its window of more than "
        f"{MAX_WINDOW_BYTES >> 20} MiB is not supported"
    )


def peek(path: Path, n_bytes: int) -> bytes:
    """The beginning of a file's decompressed content; less of it if the file is damaged.

    Raises:
        OSError: The file can't be read.
        UnsupportedArchiveError: Decompressing it would take too much memory.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        data = file.read(_READ_BYTES)
        known = format_of(data)
        if known is None:
            return data[:n_bytes]
        content, decompressor = b"", None
        while data and len(content) < n_bytes and file.tell() <= _PEEK_BYTES:
            if decompressor is None:
                decompressor, error_class = known.make()
            try:
                content += decompressor.decompress(data, n_bytes - len(content))
            except (error_class, EOFError, ValueError) as error:
                if reason := needs_too_much(known, error):
                    raise UnsupportedArchiveError(reason) from error
                break
            data = b""
            if decompressor.eof:
                data, decompressor = decompressor.unused_data, None
            data = data or file.read(_READ_BYTES)
    return content
