"""The bands of an array, whatever the order of its axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.decoding.raster import DTYPES, MAX_IMAGE_BYTES, Raster, rasters_of
from rico_hdl.errors import DecodingError
from rico_hdl.spec.arrays import BAND, BAND_IN_PATH, COLUMNS, ROWS, Arrays
from rico_hdl.spec.model import Modality

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_DTYPES: Final = frozenset({"bool", *DTYPES.values()})
"""The numpy names of dtypes that can be stored."""


def arrays_of(modality: Modality) -> Arrays:
    """The arrays in a modality's files.

    Raises:
        TypeError: It has none.
    """
    if modality.arrays is None or not modality.arrays.are_files:
        raise TypeError(f"modality {modality.name!r} has no array files")
    return modality.arrays


def array_paths(modality: Modality) -> list[str]:
    """The names of the arrays in each file, in the order of the bands if each has its own."""
    path = arrays_of(modality).path
    if BAND_IN_PATH not in path:
        return [path]
    return [path.replace(BAND_IN_PATH, band.token) for band in modality.bands]


def n_bytes_of(dtype: np.dtype[Any], shape: Sequence[int], arrays: Arrays) -> int:
    """The size of an array in bytes.

    Raises:
        DecodingError: The array can't be stored: it has other axes or an unknown dtype, or is too
            large or empty.
    """
    check_dtype(dtype)
    names = arrays.axis_names
    if len(shape) != len(names):
        raise DecodingError(
            f"its shape is {tuple(shape)}, expected {len(names)} axes: {', '.join(names)}"
        )
    n_bytes = math.prod(shape) * dtype.itemsize
    if not 0 < n_bytes <= MAX_IMAGE_BYTES:
        raise DecodingError(
            f"its shape is {tuple(shape)}: {n_bytes} bytes, expected 1 to {MAX_IMAGE_BYTES}"
        )
    return n_bytes


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Check that elements can be stored.

    Raises:
        DecodingError: They are no numbers, or of an unknown kind.
    """
    if dtype.hasobject:
        raise DecodingError("it holds Python objects or texts, which are not loaded")
    if dtype.name not in _DTYPES or dtype.subdtype is not None:
        raise DecodingError(f"its dtype is {dtype}, expected integers, floats or bool")


def bands_in(array: npt.NDArray[Any], arrays: Arrays) -> tuple[Raster, ...]:
    """Split an array with the axes of a spec into its bands; one if it has no axis of bands."""
    names = arrays.axis_names
    order = [names.index(name) for name in (BAND, ROWS, COLUMNS) if name in names]
    stack = array.transpose(order)
    return rasters_of(stack if BAND in names else stack[None])
