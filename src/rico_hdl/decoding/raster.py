"""The decoded form of a band.

In: an array of any memory layout and byte order. Out: one `Raster` per band, always laid out the
same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_KINDS: Final = {1: "uint", 2: "int", 3: "float"}
_BITS: Final = {1: (8, 16, 32, 64), 2: (8, 16, 32, 64), 3: (16, 32, 64)}

DTYPES: Final = {
    **{(kind, bits): f"{_KINDS[kind]}{bits}" for kind, sizes in _BITS.items() for bits in sizes},
    # Narrower samples are stored as the next wider type, as GDAL returns them.
    **{
        (1, bits): f"uint{8 if bits < 8 else 16 if bits < 16 else 32}"
        for bits in range(1, 32)
        if bits not in {8, 16}
    },
}
"""TIFF's (SampleFormat, BitsPerSample) -> the numpy name of the dtype that samples are stored as.
Complex numbers, and widths whose byte order or sign readers disagree on, are not supported."""

MAX_IMAGE_BYTES: Final = 512 * 2**20
"""Largest decoded file, in bytes. Patches are far smaller: 13 MB for a whole Major-TOM product. A
damaged or hostile header that claims more is refused before memory is allocated."""


class Raster(NamedTuple):
    """One band's pixels."""

    dtype: str
    """The numpy name, such as ``uint16``."""
    shape: tuple[int, int]
    """(rows, columns)."""
    data: bytes | memoryview
    """The pixels: C order, little-endian, contiguous."""


def rasters_of(bands: npt.NDArray[Any]) -> tuple[Raster, ...]:
    """Split an array of shape (band, row, column) into its bands."""
    import numpy as np  # noqa: PLC0415 - takes a tenth of a second; single-band files don't need it

    # Contiguous first: a strided view would silently be stored with the wrong pixels.
    plain = np.ascontiguousarray(bands, bands.dtype.newbyteorder("<"))
    return split(plain.reshape(-1).view(np.uint8).data, plain.dtype.name, plain.shape)


def split(
    pixels: bytes | memoryview, dtype: str, shape: tuple[int, int, int]
) -> tuple[Raster, ...]:
    """Split pixels that are laid out as in a raster, one band after another.

    Args:
        pixels: C order, little-endian.
        dtype: The numpy name.
        shape: (bands, rows, columns).
    """
    n_bands, rows, columns = shape
    if n_bands == 1:
        return (Raster(dtype, (rows, columns), pixels),)
    view, n = memoryview(pixels), len(pixels) // n_bands
    return tuple(
        [Raster(dtype, (rows, columns), view[i : i + n]) for i in range(0, n * n_bands, n)]
    )


def bands_of(image: np.ndarray) -> tuple[Raster, ...]:
    """Split an image in file order, of shape (planes, rows, columns, samples), into its bands."""
    planes, rows, columns, samples = image.shape
    return rasters_of(image.transpose(0, 3, 1, 2).reshape(planes * samples, rows, columns))
