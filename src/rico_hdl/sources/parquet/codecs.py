"""The compression of parquet's pages.

In: the stored bytes of a page. Out: its content.
"""

from __future__ import annotations

import zlib

UNCOMPRESSED, _SNAPPY, _GZIP, _BROTLI, _ZSTD, _LZ4 = 0, 1, 2, 4, 6, 7
"""The numbers of the codecs."""


def decompressed(codec: int, data: bytes, n_bytes: int) -> bytes | bytearray:
    """The content of a page.

    Args:
        codec: The number of its codec.
        data: Its stored bytes.
        n_bytes: The bytes of its content, as its header says.

    Raises:
        RuntimeError: The bytes are damaged.
        ValueError: The codec is unknown.
    """
    import imagecodecs  # noqa: PLC0415 - slow to import, for few sources

    if codec == _SNAPPY:
        found = imagecodecs.snappy_decode(data, out=n_bytes)
    elif codec == _GZIP:
        found = zlib.decompressobj(wbits=31).decompress(data, n_bytes)
    elif codec == _BROTLI:
        found = imagecodecs.brotli_decode(data, out=n_bytes)
    elif codec == _ZSTD:
        found = imagecodecs.zstd_decode(data, out=n_bytes)
    elif codec == _LZ4:
        found = imagecodecs.lz4_decode(data, header=False, out=n_bytes)
    else:
        raise ValueError(f"its compression codec has the unknown number {codec}")
    return found
