"""Decoding with libtiff, for encodings that are known to come out unchanged.

In: a file and its header. Out: the image in file order. `refuse_doubtful` rejects encodings that
libtiff or its wrapper, `imagecodecs.tiff_decode`, would change. It applies to the other decoding
methods as well: an encoding is either supported or not, whatever its compression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rico_hdl.decoding.raster import DTYPES
from rico_hdl.errors import TiffError

if TYPE_CHECKING:
    import numpy.typing as npt

    from rico_hdl.decoding.tiff.header import TiffHeader

MAX_IMAGE_BYTES: Final = 512 * 2**20
"""Largest decoded file, in bytes. Patches are far smaller: 13 MB for a whole Major-TOM product. A
damaged or hostile header that claims more is refused before memory is allocated."""

NONE: Final = 1
_PACKBITS: Final = 32773
_LERC: Final = 34887
_LOSSLESS: Final = {
    NONE: "none",
    5: "LZW",
    8: "deflate",
    _PACKBITS: "PackBits",
    32946: "deflate",
    _LERC: "LERC",
    34925: "LZMA",
    50000: "zstd",
}
_GREY_RGB_PALETTE: Final = frozenset({0, 1, 2, 3})


def refuse_doubtful(header: TiffHeader) -> None:
    """Refuse encodings that are not known to decode to the stored values.

    Raises:
        TiffError: The encoding is not supported.
    """
    samples = f"{header.bits}-bit samples of format {header.sample_format}"
    if header.compression not in _LOSSLESS:
        raise TiffError(
            f"compression {header.compression} is not supported, expected one of "
            f"{', '.join(dict.fromkeys(_LOSSLESS.values()))}"
        )
    if (header.sample_format, header.bits) not in DTYPES:
        raise TiffError(
            f"{samples} are not supported, expected integers (1 and 2) of 8, 16, 32 or 64 bits, "
            f"unsigned ones of fewer than 16, or floats (3) of 16, 32 or 64"
        )
    if header.compression == _LERC and header.byte_order == ">" and header.sample_format == 3:
        # libtiff 4.7 (in imagecodecs 2026.3.6 and in GDAL 3.10) silently decodes float32 to values
        # other than those that were written.
        raise TiffError("big-endian LERC of floats is not supported: decoders get it wrong")
    if header.compression in {_PACKBITS, _LERC} and header.bits % 8:
        # libtiff reads row by row, which PackBits and LERC are not made for: pixels of the next row
        # may be lost silently.
        raise TiffError(f"{_LOSSLESS[header.compression]} of {samples} is not supported")
    if header.photometric not in _GREY_RGB_PALETTE:
        raise TiffError(
            f"photometric interpretation {header.photometric} is not supported, "
            f"expected grey, RGB or palette (0 to 3)"
        )
    n_bytes = image_bytes(header)
    if n_bytes > MAX_IMAGE_BYTES:
        raise TiffError(
            f"claims {header.width} x {header.height} pixels of {header.n_samples} samples: "
            f"{n_bytes} bytes decoded, expected at most {MAX_IMAGE_BYTES}"
        )


def image_bytes(header: TiffHeader) -> int:
    """Bytes of a decoded image, with the padding of its tiles."""
    n_samples = header.width * header.height * header.n_samples
    return max(header.n_bytes, n_samples * -(-header.bits // 8))


def decode_with_libtiff(data: bytes, header: TiffHeader) -> npt.NDArray[Any]:
    """Decode an image to shape (planes, rows, columns, samples), in native byte order.

    Raises:
        TiffError: libtiff can't decode the file, or interprets its header differently.
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
