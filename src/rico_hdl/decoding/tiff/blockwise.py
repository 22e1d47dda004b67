"""Decoding strips and tiles one by one, where libtiff can't be given the file as it is.

In: a file, its header and its strips or tiles (blocks, for short). Out: the image in file order.
libtiff decodes each block as a TIFF file of its own, whose header has no doubtful tags. This is how
GDAL reads encodings that `imagecodecs.tiff_decode` refuses or changes: sparse blocks, uncompressed
blocks with padding, a missing byte count, CMYK and Lab, CCITT, and PackBits of samples that are
not whole bytes. It takes about 30 µs per block, so files that libtiff can decode as a whole are
not decoded here.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.decoding.tiff import deflate
from rico_hdl.decoding.tiff import directory as tags
from rico_hdl.decoding.tiff.header import CONTIGUOUS, NONE
from rico_hdl.decoding.tiff.libtiff import (
    FAX,
    JPEG,
    PACKBITS,
    WHOLE_BYTES,
    YCBCR,
    decode_with_libtiff,
    sample_bytes,
)
from rico_hdl.errors import DecodingError, TiffError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from rico_hdl.decoding.tiff.header import Segments, TiffHeader

_GREY: Final = 1
_PLAIN_TO_LIBTIFF: Final = frozenset({0, 1, 2, 3})
"""Photometric interpretations that the wrapper of libtiff does not convert to RGB."""
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|nan|[-+]?inf", re.IGNORECASE)


def is_for_blocks(header: TiffHeader) -> bool:
    """Whether files with this header have to be decoded here."""
    return (
        header.byte_counts is None
        or header.photometric not in _PLAIN_TO_LIBTIFF
        or header.compression in FAX
        or header.compression == JPEG
        or _is_packed(header)
    )


def are_odd(header: TiffHeader, blocks: Segments) -> bool:
    """Whether a file has to be decoded here because of its blocks."""
    return (
        blocks.is_sparse
        or blocks.was_cut
        or (header.compression == NONE and list(blocks.counts) != blocks.sizes)
    )


def block_bytes(header: TiffHeader, blocks: Segments) -> int:
    """The memory that `decode_blocks` takes at its peak, beyond the image, in bytes."""
    rows, columns = header.block_shape
    decoded = rows * columns * header.shape[3] * sample_bytes(header)
    largest, encoded = max(blocks.sizes), max(blocks.counts)
    if header.compression not in deflate.COMPRESSIONS:
        encoded = min(encoded, _most_bytes(largest))
    if header.compression == JPEG:
        from rico_hdl.decoding.images.jpeg import jpeg_bytes  # noqa: PLC0415 - rare

        decoded += jpeg_bytes(rows * columns, header.shape[3])
    # As encoded and in a file of one strip; as rows of bytes, or inflated and stored by zlib.
    return 2 * encoded + 3 * largest + decoded


def _most_bytes(size: int) -> int:
    """The most bytes that are read of a block with so many bytes of pixels.

    Blocks may overlap, so that a small file could have gigabytes of them to be copied. libtiff,
    too, cuts blocks that are more than ten times as large as their pixels.
    """
    return 10 * size + 4096


def decode_blocks(
    data: bytes, header: TiffHeader, blocks: Segments, dtype: str
) -> npt.NDArray[Any]:
    """Decode an image to shape (planes, rows, columns, samples), in native byte order.

    Raises:
        TiffError: A block is damaged, or the value of sparse blocks is in doubt.
    """
    import numpy as np  # noqa: PLC0415 - uncompressed files don't need it

    image: npt.NDArray[Any] = np.zeros(header.shape, dtype)
    if blocks.is_sparse:
        image[:] = _fill_value(data, header, image.dtype)
    rows, columns = header.block_shape
    down, across = header.grid
    for i, block in _stored(data, header, blocks):
        plane, place = divmod(i, down * across)
        top, left = place // across * rows, place % across * columns
        n_rows = rows if header.tile else min(rows, header.height - top)
        pixels = _decode_block(block, header, n_rows, columns)
        # Tiles extend beyond the right and the lower edge of the image.
        place_of = image[plane, top : top + rows, left : left + columns]
        place_of[:] = pixels[: place_of.shape[0], : place_of.shape[1]]
    return image


def _stored(data: bytes, header: TiffHeader, blocks: Segments) -> Iterator[tuple[int, bytes]]:
    """The position and the encoded bytes of each block that is not sparse, without its padding."""
    if header.compression in deflate.COMPRESSIONS and header.fill_order == 1:
        for i, block in deflate.inflated(data, header, blocks):
            yield i, zlib.compress(block, 0)
        return
    view = memoryview(data)
    for i, (start, count, size) in enumerate(
        zip(blocks.offsets, blocks.counts, blocks.sizes, strict=True)
    ):
        if header.compression == NONE and 0 < count < size:
            raise TiffError("a strip or tile is shorter than its pixels")
        if count:
            most = size if header.compression == NONE else min(count, _most_bytes(size))
            block = bytes(view[start : start + most])
            yield i, block if header.fill_order == 1 else block.translate(_REVERSED)


def _decode_block(block: bytes, header: TiffHeader, rows: int, columns: int) -> npt.NDArray[Any]:
    """Decode a block to shape (rows, columns, samples)."""
    if header.compression == JPEG:
        return _decode_jpeg(block, header, rows, columns)
    alone = replace(
        header, width=columns, height=rows, n_samples=header.shape[3], planar=CONTIGUOUS,
        photometric=_GREY, fill_order=1, tile=None, rows_per_strip=rows,
    )  # fmt: skip
    if _is_packed(header):
        # First to rows of bytes, each of which begins with a new sample.
        packed = replace(alone, width=header.row_bytes(columns), n_samples=1, bits=8)
        block = decode_with_libtiff(_file_of(packed, block), packed).tobytes()
        alone = replace(alone, compression=NONE)
    image = decode_with_libtiff(_file_of(alone, block), alone)
    return image.reshape(image.shape[1:])


def _decode_jpeg(block: bytes, header: TiffHeader, rows: int, columns: int) -> npt.NDArray[Any]:
    """Decode a block that is a JPEG file, except for tables that all blocks share.

    The tags of the TIFF decide about colours, whatever the JPEG says: YCbCr becomes RGB, and
    everything else stays as it is, as in libtiff.
    """
    from rico_hdl.decoding.images.jpeg import decode_image  # noqa: PLC0415 - rare
    from rico_hdl.decoding.images.jpeg_header import parse_header  # noqa: PLC0415

    tables = b"".join(bytes(values) for _, values in header.codec_options)
    try:
        data = tables[:-2] + block[2:] if tables else block
        found = parse_header(data)
        if (found.height, found.width, found.n_bands) != (rows, columns, header.shape[3]):
            raise TiffError(
                f"a strip or tile is a JPEG of {found.width} x {found.height} pixels of "
                f"{found.n_bands} samples, expected {columns} x {rows} of {header.shape[3]}"
            )
        return decode_image(data, found, "YCBCR" if header.photometric == YCBCR else "RGB")
    except DecodingError as error:
        raise TiffError(f"a strip or tile can't be decoded: {error.message}") from error


def _is_packed(header: TiffHeader) -> bool:
    """Whether libtiff would have to stop between two bytes of PackBits, and lose some."""
    return header.compression == PACKBITS and header.bits not in WHOLE_BYTES


_MAX_LONG: Final = 2**32 - 1
"""The largest number of a classic TIFF."""


def _file_of(header: TiffHeader, block: bytes) -> bytes:
    """A TIFF file of one strip.

    Raises:
        TiffError: An option of the codec is not a number that TIFF files can have.
    """
    entries: dict[int, tuple[int, ...]] = {
        tags.WIDTH: (header.width,),
        tags.HEIGHT: (header.height,),
        tags.BITS_PER_SAMPLE: (header.bits,) * header.n_samples,
        tags.COMPRESSION: (header.compression,),
        tags.PHOTOMETRIC: (header.photometric,),
        tags.STRIP_OFFSETS: (0,),
        tags.SAMPLES_PER_PIXEL: (header.n_samples,),
        tags.ROWS_PER_STRIP: (header.height,),
        tags.STRIP_BYTE_COUNTS: (len(block),),
        tags.PREDICTOR: (header.predictor,),
        tags.SAMPLE_FORMAT: (header.sample_format,) * header.n_samples,
        **dict(header.codec_options),
    }
    entries = {tag: values for tag, values in sorted(entries.items()) if values}
    for tag, values in entries.items():
        if not 0 <= min(values) <= max(values) <= _MAX_LONG:
            raise TiffError(f"tag {tag} has the value {max(values)}, expected at most {_MAX_LONG}")
    long_values = [values for values in entries.values() if len(values) > 1]
    outside = 8 + 2 + 12 * len(entries) + 4
    entries[tags.STRIP_OFFSETS] = (outside + 4 * sum(map(len, long_values)),)
    order = header.byte_order
    parts = [struct.pack(f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(entries))]
    for tag, values in entries.items():
        parts.append(
            struct.pack(
                f"{order}HHII", tag, 4, len(values), values[0] if len(values) == 1 else outside
            )
        )
        outside += 4 * len(values) if len(values) > 1 else 0
    parts.append(bytes(4))
    parts += [struct.pack(f"{order}{len(values)}I", *values) for values in long_values]
    return b"".join([*parts, block])


def _fill_value(data: bytes, header: TiffHeader, dtype: np.dtype[Any]) -> float:
    """The value of the pixels of sparse blocks: the nodata value, or zero if there is none.

    Raises:
        TiffError: The dtype can't represent the nodata value, so that readers disagree.
    """
    import numpy as np  # noqa: PLC0415

    if header.nodata is None:
        return 0
    raw = data[header.nodata.start : header.nodata.stop].split(b"\0")[0]
    text = raw.decode("ascii", "replace").strip()
    if _NUMBER.fullmatch(text) and header.nodata.format == "B":
        if dtype.kind == "f":
            with np.errstate(over="ignore"):
                value = float(dtype.type(text))
            # GDAL before 3.11 takes narrow floats for float32, and so rounds the value less.
            is_same = dtype.itemsize > 2 or value == float(text) or np.isnan(value)
            if is_same and (not np.isinf(value) or "inf" in text.lower()):
                return value
        elif re.fullmatch(r"[-+]?\d+(\.0*)?", text):
            number = int(text.partition(".")[0])
            if np.iinfo(dtype).min <= number <= np.iinfo(dtype).max:
                return number
    raise TiffError(
        f"has sparse strips or tiles, whose nodata value {text[:40]!r} is not a {dtype.name}"
    )
