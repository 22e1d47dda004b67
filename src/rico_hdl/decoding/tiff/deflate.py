"""Strips and tiles in zlib format, with their checksums verified.

In: a file, its header and its blocks. Out: the image, or an error for the first damaged block. It
exists because libtiff 4.7 does not look at the checksum (Adler-32, at the end of each block), and,
where a damaged block decodes to more than its size, reports success and leaves memory as it
happened to be in the image: ``ZIPDecode`` accepts ``LIBDEFLATE_INSUFFICIENT_SPACE``, which promises
nothing about the output.
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
"""Two numbers for the same format: Adobe's, and the older one of libtiff."""

_ADLER: Final = 65521
"""The modulus of Adler-32 (RFC 1950)."""


def is_for_inflate(header: TiffHeader) -> bool:
    """Whether `inflate` knows the encoding, and is faster than libtiff with `verify`.

    It is where there are differences (predictor 2): of those there is no checksum after libtiff has
    summed them up, so each strip would be decoded twice. Strips of 1 to 32 KB took 1.4 to 1.9 times
    as long that way. Without a predictor libtiff is faster by as much, thanks to libdeflate.
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
    """The image, of shape (planes, rows, columns, samples), little-endian.

    Raises:
        TiffError: A strip is damaged.
    """
    import numpy as np  # noqa: PLC0415 - only compressed files pay for it

    strips = b"".join(_inflated(data, blocks))
    differences = np.frombuffer(strips, f"<u{header.bits // 8}").reshape(header.shape)
    # Sums wrap around, whatever the type: the differences were taken of the bits.
    samples = np.add.accumulate(differences, axis=2, dtype=differences.dtype)
    return samples.view(np.dtype(dtype).newbyteorder("<"))


def verify(data: bytes, header: TiffHeader, blocks: Segments, image: np.ndarray) -> None:
    """Check that libtiff decoded what the writer encoded.

    Args:
        data: The file.
        header: Its header.
        blocks: Its blocks.
        image: What libtiff made of it, in the order of the file.

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
            raise TiffError("can't be decoded: zlib and libtiff disagree about a strip")


def _starts(blocks: Segments) -> Iterator[int]:
    start = 0
    for size in blocks.sizes:
        yield start
        start += size


def _inflated(data: bytes, blocks: Segments) -> Iterator[bytes]:
    """The blocks one after the other, decoded."""
    view = memoryview(data)
    for i, (start, count, size) in enumerate(zip(*blocks, strict=True)):
        stream = zlib.decompressobj()
        try:
            # One more than it should be, so that too long a block is noticed.
            block = stream.decompress(view[start : start + count], size + 1)
        except zlib.error as error:
            raise TiffError(f"strip or tile {i} is damaged: {error}") from error
        if len(block) != size or not stream.eof:
            raise TiffError(
                f"strip or tile {i} is damaged: "
                f"{'more than ' if len(block) > size else ''}{min(len(block), size)} bytes, "
                f"{'complete' if stream.eof else 'without its end'}, expected {size}"
            )
        yield block


def _checksum_of_all(data: bytes, blocks: Segments) -> int:
    """The Adler-32 that all blocks have together, from the one at the end of each.

    Adler-32 is two sums modulo 65521: a = 1 + the sum of the bytes, b = the sum of all a on the
    way. In b each byte counts as often as bytes follow it, itself included.
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
