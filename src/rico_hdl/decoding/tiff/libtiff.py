"""Decoding by libtiff, of whatever is known to come out of it unchanged.

In: a file and its header. Out: the image in the order of the file. What libtiff or its wrapper,
`imagecodecs.tiff_decode`, would change is refused by `refuse_doubtful`, which holds for the other
ways of decoding too: an encoding is either supported or not, whatever its compression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rico_hdl.decoding.raster import DTYPES
from rico_hdl.errors import TiffError

if TYPE_CHECKING:
    import numpy.typing as npt

    from rico_hdl.decoding.tiff.header import TiffHeader

MAX_IMAGE_BYTES: Final = 512 * 2**20
"""Bytes that one decoded file may have. Patches are far smaller: 13 MB for a whole Major-TOM
product. A damaged or hostile header that claims more is refused before memory is taken."""

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
    """Raise for what is not known to be decoded to the stored values.

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
        # Of float32, libtiff 4.7 (imagecodecs 2026.3.6, and GDAL 3.10 alike) gives other values
        # than were written, without an error.
        raise TiffError("big-endian LERC of floats is not supported: decoders get it wrong")
    if header.compression in {_PACKBITS, _LERC} and header.bits % 8:
        # Read row by row, which PackBits and LERC are not made for: what belongs to the next row
        # may get lost, without an error.
        raise TiffError(f"{_LOSSLESS[header.compression]} of {samples} is not supported")
    if header.photometric not in _GREY_RGB_PALETTE:
        raise TiffError(
            f"photometric interpretation {header.photometric} is not supported, "
            f"expected grey, RGB or palette (0 to 3)"
        )
    n_samples = header.width * header.height * header.n_samples
    n_bytes = max(header.n_bytes, n_samples * -(-header.bits // 8))
    if n_bytes > MAX_IMAGE_BYTES:
        raise TiffError(
            f"claims {header.width} x {header.height} pixels of {header.n_samples} samples: "
            f"{n_bytes} bytes decoded, more than the {MAX_IMAGE_BYTES} allowed"
        )


def decode_with_libtiff(data: bytes, header: TiffHeader) -> npt.NDArray[Any]:
    """The image, of shape (planes, rows, columns, samples), native byte order.

    Raises:
        TiffError: libtiff can't decode it, or understands the header in another way.
    """
    import imagecodecs  # noqa: PLC0415 - only compressed files pay for it
    import numpy as np  # noqa: PLC0415 - the same

    planes, rows, columns, samples = header.shape
    # The wrapper leaves out planes and samples where there is but one.
    shape = (
        *((planes,) if planes > 1 else ()),
        rows,
        columns,
        *((samples,) if samples > 1 else ()),
    )
    stored = DTYPES[header.sample_format, header.bits]
    # Zeros, so that nothing of another file shows where libtiff leaves pixels out.
    zeros = np.zeros(shape, stored)
    try:
        image = imagecodecs.tiff_decode(data, index=0, out=zeros)
    except IndexError as error:
        raise TiffError("can't be decoded: libtiff does not accept the directory") from error
    except (imagecodecs.TiffError, ValueError, TypeError, RuntimeError, MemoryError) as error:
        raise TiffError(f"can't be decoded: {' '.join(str(error).split())}") from error
    if image.shape != shape or image.itemsize != zeros.itemsize:
        raise TiffError(
            f"can't be decoded: the header says {stored} {shape}, "
            f"libtiff gave {image.dtype.name} {image.shape}"
        )
    return image.view(stored).reshape(header.shape)
