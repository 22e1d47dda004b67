"""Strips and tiles in zlib format, with their checksums verified.

In: a file, its header and its blocks. Out: the image, or an error for the first damaged block.

This module exists because libtiff 4.7 ignores the checksum (Adler-32, at the end of each block). If
a damaged block decodes to more than its size, libtiff even reports success and leaves arbitrary
bytes in the image: ``ZIPDecode`` accepts ``LIBDEFLATE_INSUFFICIENT_SPACE``, which promises nothing
about the output.
"""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.errors import TiffError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from rico_hdl.decoding.tiff.header import Segments, TiffHeader

COMPRESSIONS: Final = frozenset({8, 32946})
"""Two numbers for the same format: Adobe's and libtiff's older one."""

_ADLER: Final = 65521
"""The modulus of Adler-32 (RFC 1950)."""


def is_for_inflate(header: TiffHeader) -> bool:
    """Whether `inflate` supports the encoding and is faster than libtiff followed by `verify`.

    It is faster for differences (predictor 2). The checksums cover the differences, not the sums
    that libtiff returns, so `verify` has to decode each strip a second time: strips of 1 to 32 KB
    took 1.4 to 1.9 times as long. Without a predictor libtiff is faster by about the same factor,
    thanks to libdeflate.
    """
    return (
        header.compression in COMPRESSIONS
        and header.tile is None
        and header.predictor == 2
        and header.fill_order == 1
        and header.bits in {8, 16, 32, 64}
        and header.byte_order == "<"
    )


def inflate(data: bytes, header: TiffHeader, blocks: Segments, dtype: str) -> npt.NDArray[Any]:
    """Decode an image to shape (planes, rows, columns, samples), little-endian.

    Raises:
        TiffError: A strip is damaged.
    """
    import numpy as np  # noqa: PLC0415 - only compressed files pay for it

    strips = b"".join(_inflated(data, blocks))
    differences = np.frombuffer(strips, f"<u{header.bits // 8}").reshape(header.shape)
    # Sums wrap around whatever the type: writers take differences of the bits, as integers.
    samples = np.add.accumulate(differences, axis=2, dtype=differences.dtype)
    return samples.view(np.dtype(dtype).newbyteorder("<"))


def verify(data: bytes, header: TiffHeader, blocks: Segments, image: np.ndarray) -> None:
    """Check that libtiff decoded what the writer encoded.

    Args:
        data: The file.
        header: Its header.
        blocks: Its blocks.
        image: The image that libtiff decoded, in file order.

    Raises:
        TiffError: A block is damaged.
    """
    is_as_encoded = (
        header.tile is None
        and header.predictor == 1
        and header.fill_order == 1
        and (header.bits == 8 or (header.byte_order == "<" and sys.byteorder == "little"))
        and header.bits in {8, 16, 32, 64}
    )
    if is_as_encoded and zlib.adler32(image.data) == _checksum_of_all(data, blocks):
        return
    for start, strip in zip(_starts(blocks), _inflated(data, blocks), strict=True):
        if is_as_encoded and strip != image.reshape(-1).view("u1")[start : start + len(strip)].data:
            raise TiffError("can't be decoded: zlib and libtiff decode a strip differently")


def _starts(blocks: Segments) -> Iterator[int]:
    start = 0
    for size in blocks.sizes:
        yield start
        start += size


def _inflated(data: bytes, blocks: Segments) -> Iterator[bytes]:
    """Decode the blocks one by one."""
    view = memoryview(data)
    for i, (start, count, size) in enumerate(zip(*blocks, strict=True)):
        stream = zlib.decompressobj()
        try:
            # One byte more than expected, to notice blocks that are too long.
            block = stream.decompress(view[start : start + count], size + 1)
        except zlib.error as error:
            raise TiffError(f"strip or tile {i} is damaged: {error}") from error
        if len(block) != size or not stream.eof:
            raise TiffError(
                f"strip or tile {i} is damaged: expected {size} bytes, found "
                f"{'more than ' if len(block) > size else ''}{min(len(block), size)}, "
                f"{'complete' if stream.eof else 'without an end'}"
            )
        yield block


def _checksum_of_all(data: bytes, blocks: Segments) -> int:
    """Combine the Adler-32 at the end of each block into the Adler-32 of all blocks together.

    Adler-32 is two sums modulo 65521: a is 1 plus the sum of the bytes, b the sum of the values of
    a after each byte. Each byte counts in b once for itself and once for every byte after it.
    """
    import numpy as np  # noqa: PLC0415 - only compressed files pay for it

    sizes = np.array(blocks.sizes, np.int64)
    ends = np.array(blocks.offsets, np.int64) + np.array(blocks.counts, np.int64)
    stored = np.frombuffer(data, np.uint8)[ends[:, np.newaxis] + np.arange(-4, 0)]
    b, a = stored.view(">u2").astype(np.int64).T
    sums = a - 1
    following = sizes.sum() - sizes.cumsum()
    weighted = b - sizes + sums * (following % _ADLER)
    low = (1 + sums.sum()) % _ADLER
    high = (sizes.sum() + (weighted % _ADLER).sum()) % _ADLER
    return int(high) << 16 | int(low)
