"""Decompressing the chunks of a Zarr store.

In: compressed bytes, the codec's name in the array's metadata, and how many bytes they may become.
Out: those bytes. What would become more is an error before it takes memory. Only codecs that give
back exactly what was put in are used; those that run code from the file (pickle) never are.

Names and formats: https://numcodecs.readthedocs.io/ - what Zarr v2 refers to. Other libraries read
them here, so that nothing needs to be installed for it; a test compares them with numcodecs.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Final, Protocol, cast

from rico_hdl.errors import ArchiveError, SourceError

_BLOSC_HEADER_BYTES: Final = 16
_LZ4_HEADER_BYTES: Final = 4


def decompress(codec: str, data: bytes, limit: int) -> bytes:
    """What a codec made smaller.

    Args:
        codec: The codec's name, such as ``blosc``; one of `CODECS`.
        data: The compressed bytes.
        limit: The most bytes that may come out.

    Raises:
        ArchiveError: The bytes are damaged, or would become more than the limit.
    """
    try:
        found = _DECOMPRESS[codec](data, limit)
    except (RuntimeError, ValueError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise ArchiveError(f"can't be decompressed by {codec}: {error}") from error
    if len(found) > limit:
        raise ArchiveError(f"becomes more than {limit} bytes when it is decompressed by {codec}")
    return found


def check_codec(codec: object) -> str:
    """The name of a codec that can be used.

    Raises:
        SourceError: It is not known, or not safe.
    """
    if not isinstance(codec, str) or codec not in _DECOMPRESS:
        raise SourceError(
            f"it is compressed by {codec!a}, expected one of {', '.join(_DECOMPRESS)}",
            "Write the store again with one of these, or unpack it with the library that wrote it.",
        )
    return codec


def _blosc(data: bytes, limit: int) -> bytes:
    from imagecodecs import blosc_decode  # noqa: PLC0415 - slow to import, for few sources

    # https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst. The library believes the
    # header: where it says more bytes than there are, it would read on behind them.
    n_bytes, n_compressed = (int.from_bytes(data[i : i + 4], "little") for i in (4, 12))
    if len(data) < _BLOSC_HEADER_BYTES or n_compressed != len(data):
        raise ValueError(f"{len(data)} bytes, its header says {n_compressed}")
    if n_bytes > limit:
        raise ValueError(f"its header says {n_bytes} bytes, expected at most {limit}")
    return cast("bytes", blosc_decode(data, numthreads=1, out=n_bytes))


def _lz4(data: bytes, limit: int) -> bytes:
    from imagecodecs import lz4_decode  # noqa: PLC0415 - see `_blosc`

    n_bytes = int.from_bytes(data[:_LZ4_HEADER_BYTES], "little")
    if len(data) < _LZ4_HEADER_BYTES or n_bytes > limit:
        raise ValueError(f"its header says {n_bytes} bytes, expected at most {limit}")
    found = cast("bytes", lz4_decode(data, header=True, out=n_bytes))
    if len(found) != n_bytes:
        raise ValueError(f"{len(found)} bytes, its header says {n_bytes}")
    return found


def _zstd(data: bytes, limit: int) -> bytes:
    from imagecodecs import zstd_decode  # noqa: PLC0415 - see `_blosc`

    return cast("bytes", zstd_decode(data, out=limit))


class _ChunkDecompressor(Protocol):
    """What the standard library's decompressors have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def _with(make: Callable[[], _ChunkDecompressor]) -> Callable[[bytes, int], bytes]:
    def decompress_all(data: bytes, limit: int) -> bytes:
        found = b""
        while True:  # several streams may follow each other, as gzip allows
            decompressor = make()
            found += decompressor.decompress(data, limit + 1 - len(found))
            data = decompressor.unused_data
            if len(found) <= limit and not decompressor.eof:
                raise EOFError("it ends too early")
            if len(found) > limit or not data:
                return found

    return decompress_all


_DECOMPRESS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "blosc": _blosc,
    "lz4": _lz4,
    "zstd": _zstd,
    "zlib": _with(zlib.decompressobj),
    "gzip": _with(lambda: zlib.decompressobj(wbits=31)),
    "bz2": _with(bz2.BZ2Decompressor),
    "lzma": _with(lzma.LZMADecompressor),
}

CODECS: Final = tuple(_DECOMPRESS)
"""The names of the codecs that can be used."""
