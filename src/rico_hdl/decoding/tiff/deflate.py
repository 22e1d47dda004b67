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
    from collections.abc import Callable, Iterator

    import numpy as np
    import numpy.typing as npt

    from rico_hdl.decoding.tiff.header import Segments, TiffHeader

COMPRESSIONS: Final = frozenset({8, 32946})
"""Two numbers for the same format: Adobe's and libtiff's older one."""

_ADLER: Final = 65521
"""The modulus of Adler-32 (RFC 1950)."""

_CHUNK_BYTES: Final = 2**20
MAX_PADDING_BYTES: Final = 64 * 2**20
"""Most bytes that all blocks of a file may decode to beyond their pixels. They are decoded for the
checksum, and zlib compresses zeros to a thousandth."""


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

    strips = b"".join([strip for _, strip in inflated(data, header, blocks)])
    differences = np.frombuffer(strips, f"<u{header.bits // 8}").reshape(header.shape)
    # Sums wrap around whatever the type: writers take differences of the bits, as integers.
    samples = np.add.accumulate(differences, axis=2, dtype=differences.dtype)
    return samples.view(np.dtype(dtype).newbyteorder("<"))


def verify(data: bytes, header: TiffHeader, blocks: Segments, image: np.ndarray) -> bool:
    """Check that libtiff decoded what the writer encoded.

    Args:
        data: The file.
        header: Its header.
        blocks: Its blocks, none of them sparse.
        image: The image that libtiff decoded, in file order.

    Returns:
        Whether the image can be trusted. If not, every block is intact, but some decode to more
        bytes than their pixels take, of which libtiff leaves the last ones undefined.

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
        return True
    start = 0
    padded: list[int] = []
    for _, strip in inflated(data, header, blocks, padded.append):
        stop = start + len(strip)
        if is_as_encoded and not padded and strip != image.reshape(-1).view("u1")[start:stop].data:
            raise TiffError("can't be decoded: zlib and libtiff decode a strip differently")
        start = stop
    return not padded


def inflated(
    data: bytes,
    header: TiffHeader,
    blocks: Segments,
    on_padded: Callable[[int], object] = lambda _: None,
) -> Iterator[tuple[int, bytes]]:
    """Decode the blocks one by one, without their padding.

    Padding is whole rows, such as those of a last strip with as many rows as the others. Any other
    number of bytes means that the header is damaged.

    Args:
        data: The file.
        header: Its header.
        blocks: Its blocks.
        on_padded: Called with the position of each block that has padding.

    Yields:
        Each block that is not sparse: its position, and the bytes of its pixels.

    Raises:
        TiffError: A block is damaged.
    """
    view = memoryview(data)
    row_bytes = header.row_bytes(header.block_shape[1])
    left = MAX_PADDING_BYTES
    for i, (start, count, size) in enumerate(
        zip(blocks.offsets, blocks.counts, blocks.sizes, strict=True)
    ):
        if not count:
            continue
        stream = zlib.decompressobj()
        try:
            # One byte more than expected, to notice padding.
            block = stream.decompress(view[start : start + count], size + 1)
            n = len(block)
            while n > size and not stream.eof and left > 0:
                more = stream.decompress(stream.unconsumed_tail, _CHUNK_BYTES)
                if not more and not stream.eof:
                    break
                n += len(more)
                left -= len(more)
        except zlib.error as error:
            raise TiffError(f"strip or tile {i} is damaged: {error}") from error
        if n < size or not stream.eof or (n - size) % row_bytes:
            raise TiffError(
                f"strip or tile {i} is damaged: expected {size} bytes, found {n}, "
                f"{'complete' if stream.eof else 'without an end'}"
            )
        if n > size:
            on_padded(i)
            block = block[:size]
        yield i, block


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
