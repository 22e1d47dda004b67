"""Decoding with libtiff, for encodings that are known to come out unchanged.

In: a file and its header. Out: the image in file order. `refuse_doubtful` rejects encodings that
libtiff or its wrapper, `imagecodecs.tiff_decode`, would change. It applies to the other decoding
methods as well: an encoding is either supported or not, whatever its compression.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.decoding import codec_warnings
from rico_hdl.decoding.raster import DTYPES, MAX_IMAGE_BYTES
from rico_hdl.decoding.tiff.header import NONE
from rico_hdl.errors import TiffError

if TYPE_CHECKING:
    import numpy.typing as npt

    from rico_hdl.decoding.tiff.header import Segments, TiffHeader

PACKBITS: Final = 32773
FAX: Final = frozenset({2, 3, 4})
"""CCITT's compressions of bitmaps: RLE, Group 3 and Group 4."""
JPEG: Final = 7
YCBCR: Final = 6
"""The photometric interpretation of JPEG that is converted to RGB."""
_LERC: Final = 34887
WEBP: Final = 50001
_SUPPORTED: Final = {
    NONE: "none",
    2: "CCITT",
    3: "CCITT",
    4: "CCITT",
    5: "LZW",
    JPEG: "JPEG",
    8: "deflate",
    PACKBITS: "PackBits",
    32946: "deflate",
    _LERC: "LERC",
    34925: "LZMA",
    50000: "zstd",
    WEBP: "lossless WebP",
}
_LOSSLESS_WEBP: Final = re.compile(rb"RIFF.{4}WEBPVP8L", re.DOTALL)
_SUMS: Final = frozenset({5, 8, 32946, 34925, 50000})
"""Compressions of differences, if the file has a predictor; the others ignore it."""
WHOLE_BYTES: Final = frozenset({8, 16, 32, 64})
"""Bits of samples that compressions and predictors of whole numbers of bytes are made for."""
_PHOTOMETRIC: Final = {
    0: "grey", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 8: "Lab", 9: "Lab",
    YCBCR: "YCbCr", 10: "Lab", 32803: "colour filters", 34892: "raw",
}  # fmt: skip
"""Photometric interpretations whose samples are stored as they are, and YCbCr, which is supported
in JPEG only. LogLuv is packed."""


def refuse_doubtful(header: TiffHeader) -> None:
    """Refuse encodings that are not known to decode to the stored values.

    Raises:
        TiffError: The encoding is not supported.
    """
    if header.compression not in _SUPPORTED:
        raise TiffError(
            f"compression {header.compression} is not supported, expected one of "
            f"{', '.join(dict.fromkeys(_SUPPORTED.values()))}"
        )
    _refuse_samples(header)
    if header.photometric not in _PHOTOMETRIC:
        raise TiffError(
            f"photometric interpretation {header.photometric} is not supported, "
            f"expected one of {', '.join(dict.fromkeys(_PHOTOMETRIC.values()))}"
        )
    if header.photometric == YCBCR and (header.compression, header.shape[3]) != (JPEG, 3):
        raise TiffError("YCbCr is not supported, except in JPEG of three samples per pixel")
    n_bytes = image_bytes(header)
    if n_bytes > MAX_IMAGE_BYTES:
        raise TiffError(
            f"claims {header.width} x {header.height} pixels of {header.n_samples} samples: "
            f"{n_bytes} bytes decoded, expected at most {MAX_IMAGE_BYTES}"
        )


def image_bytes(header: TiffHeader) -> int:
    """Bytes of a decoded image, with the padding of its tiles."""
    n_samples = header.width * header.height * header.n_samples
    return max(header.n_bytes, n_samples * sample_bytes(header))


def sample_bytes(header: TiffHeader) -> int:
    """Bytes of a decoded sample, which has the next wider type if it is narrow."""
    return 1 << (-(-header.bits // 8) - 1).bit_length()


def _refuse_samples(header: TiffHeader) -> None:
    """Refuse samples that readers disagree on, or that the compression is not made for."""
    samples = f"{header.bits}-bit samples of format {header.sample_format}"
    name, per_pixel = _SUPPORTED[header.compression], header.shape[3]
    if (header.sample_format, header.bits) not in DTYPES:
        raise TiffError(
            f"{samples} are not supported, expected integers (1 and 2) of 8, 16, 32 or 64 bits, "
            f"unsigned ones of fewer than 32, or floats (3) of 16, 32 or 64"
        )
    if header.bits == 24 and header.byte_order == ">":
        # GDAL 3.10 reads their bytes in the reverse of the order in which tifffile reads them.
        raise TiffError(f"big-endian {samples} are not supported: decoders disagree")
    if header.predictor != 1 and header.bits not in WHOLE_BYTES and header.compression in _SUMS:
        raise TiffError(f"predictor {header.predictor} of {samples} is not supported")
    if header.compression == _LERC and header.byte_order == ">" and header.sample_format == 3:
        # libtiff 4.7 (in imagecodecs 2026.3.6 and in GDAL 3.10) silently decodes float32 to values
        # other than those that were written.
        raise TiffError("big-endian LERC of floats is not supported: decoders get it wrong")
    if header.compression == _LERC and header.bits not in WHOLE_BYTES:
        # GDAL 3.10 writes such files, and reads other values from them.
        raise TiffError(f"LERC of {samples} is not supported: decoders get it wrong")
    if header.compression in FAX and (header.bits, per_pixel) != (1, 1):
        # GDAL 3.10 writes files with several samples per pixel, and reads other values from them.
        raise TiffError(
            f"{name} of {per_pixel} {samples} per pixel is not supported, expected 1 of 1 bit"
        )
    if header.compression == JPEG and (
        (header.bits, header.sample_format) != (8, 1) or per_pixel not in {1, 3}
    ):
        raise TiffError(
            f"JPEG of {per_pixel} {samples} per pixel is not supported, expected 1 or 3 of 8 bits"
        )
    if header.compression == WEBP and (header.bits != 8 or per_pixel not in {3, 4}):
        raise TiffError(
            f"WebP of {per_pixel} {samples} per pixel is not supported, expected 3 or 4 of 8 bits"
        )


def refuse_lossy(data: bytes, blocks: Segments) -> None:
    """Refuse WebP that is not lossless, because decoders round differently.

    Raises:
        TiffError: A strip or tile is lossy.
    """
    for i, (start, count) in enumerate(zip(blocks.offsets, blocks.counts, strict=True)):
        if count and not _LOSSLESS_WEBP.match(data, start):
            raise TiffError(f"lossy WebP is not supported: strip or tile {i} is not lossless")


def decode_with_libtiff(data: bytes, header: TiffHeader) -> npt.NDArray[Any]:
    """Decode an image to shape (planes, rows, columns, samples), in native byte order.

    Raises:
        TiffError: libtiff can't decode the file, interprets its header differently, or warns that
            a bitmap is damaged.
    """
    import imagecodecs  # noqa: PLC0415 - only compressed files pay for it
    import numpy as np  # noqa: PLC0415 - the same

    planes, rows, columns, samples = header.shape
    # The wrapper drops the axes of planes and samples if their length is 1.
    shape = (
        *((planes,) if planes > 1 else ()),
        rows,
        columns,
        *((samples,) if samples > 1 else ()),
    )
    stored = DTYPES[header.sample_format, header.bits]
    # Zeros, so that no pixels of another file remain where libtiff skips some.
    zeros = np.zeros(shape, stored)
    try:
        if header.compression in FAX:
            with codec_warnings.collected() as warnings:
                image = imagecodecs.tiff_decode(data, index=0, out=zeros, verbose=True)
            if warnings:
                raise TiffError(f"is damaged: {warnings[0]}")
        else:
            image = imagecodecs.tiff_decode(data, index=0, out=zeros)
    except IndexError as error:
        raise TiffError("can't be decoded: libtiff does not accept the directory") from error
    except (imagecodecs.TiffError, ValueError, TypeError, RuntimeError, MemoryError) as error:
        raise TiffError(f"can't be decoded: {' '.join(str(error).split())}") from error
    if image.shape != shape or image.itemsize != zeros.itemsize:
        raise TiffError(
            f"can't be decoded: libtiff returned {image.dtype.name} {image.shape}, "
            f"expected {stored} {shape} from the header"
        )
    return image.view(stored).reshape(header.shape)
