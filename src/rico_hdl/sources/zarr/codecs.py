"""Decompressing the chunks of a Zarr store.

In: compressed bytes, the codec's name in the array's metadata, and the most bytes that they may
decompress to. Out: the decompressed bytes. More bytes are an error before they take memory. Only
lossless codecs are used, and none that runs code from the file (pickle).

Names and formats: https://numcodecs.readthedocs.io/, which Zarr v2 refers to. The codecs come from
libraries that rico-hdl needs anyway; a test compares them with numcodecs.
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
    """Decompress bytes.

    Args:
        codec: The codec's name, such as ``blosc``; one of `CODECS`.
        data: The compressed bytes.
        limit: Maximum number of bytes of the result.

    Raises:
        ArchiveError: The bytes are damaged, or the result would exceed the limit.
    """
    try:
        found = _DECOMPRESS[codec](data, limit)
    except (RuntimeError, ValueError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise ArchiveError(f"can't be decompressed by {codec}: {error}") from error
    if len(found) > limit:
        raise ArchiveError(f"decompresses to more than {limit} bytes with {codec}")
    return found


def check_codec(codec: object) -> str:
    """Check that a codec is supported, and return its name.

    Raises:
        SourceError: The codec is unknown, or not safe.
    """
    if not isinstance(codec, str) or codec not in _DECOMPRESS:
        raise SourceError(
            f"it is compressed by {codec!a}, expected one of {', '.join(_DECOMPRESS)}",
            "Rewrite the store with one of these, or unpack it with the library that wrote it.",
        )
    return codec


def _blosc(data: bytes, limit: int) -> bytes:
    from imagecodecs import blosc_decode  # noqa: PLC0415 - slow to import, for few sources

    # https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst. The library trusts the
    # header: if it states more bytes than there are, the library reads past their end.
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
    """The interface that the standard library's decompressors have in common."""

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
"""The names of the supported codecs."""
