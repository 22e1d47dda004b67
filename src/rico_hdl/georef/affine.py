"""The affine transforms of files, for any number of patches at once.

In: the tags of a file that patches share, and the values that each patch has for itself. Out: the
six numbers (a, b, c, d, e, f) of ``x = a * column + b * row + c`` and ``y = d * column + e * row +
f``, where (0, 0) is the upper left corner of the first pixel: the order of rasterio and affine. The
rules are those of GDAL's GTiff driver, so the results are GDAL's, to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rico_hdl.decoding.geotags import (
    HEIGHT,
    MODEL_PIXEL_SCALE,
    MODEL_TIEPOINT,
    MODEL_TRANSFORMATION,
    WIDTH,
    FileTags,
)
from rico_hdl.georef.geokeys import is_point

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

_DOUBLE = 12


def transforms(file: FileTags, places: npt.NDArray[np.uint8]) -> Array:
    """The transforms of files, an array of shape (patches, 6); NaN for files without one.

    Args:
        file: The tags that the files share.
        places: The values that each file has for itself, of shape (patches, bytes).
    """
    n = len(places)
    values = {}
    at = 0
    for tag in file.tags:
        if tag.value is None:
            raw = places[:, at : at + tag.n_bytes]
            at += tag.n_bytes
        elif tag.number == MODEL_PIXEL_SCALE:
            raw = np.broadcast_to(np.frombuffer(tag.value, np.uint8), (n, tag.n_bytes))
        else:
            continue
        if tag.type == _DOUBLE:
            values[tag.number] = np.ascontiguousarray(raw).view("<f8").reshape(n, tag.n)
    found: Any = np.full((n, 6), np.nan)
    scale, tie = values.get(MODEL_PIXEL_SCALE), values.get(MODEL_TIEPOINT)
    matrix = values.get(MODEL_TRANSFORMATION)
    if scale is not None and tie is not None and scale.shape[1] > 1 and tie.shape[1] > 5:
        # A negative scale is in doubt: GDAL, against the specification, takes it as positive.
        usable = (scale[:, 0] != 0) & (scale[:, 1] > 0)
        a, e = scale[:, 0], -scale[:, 1]
        zero = np.zeros(n)
        c, f = tie[:, 3] - tie[:, 0] * a, tie[:, 4] - tie[:, 1] * e
        found = np.where(usable[:, None], np.stack([a, zero, c, zero, e, f], axis=1), np.nan)
    elif matrix is not None and matrix.shape[1] == 16:
        found = matrix[:, [0, 1, 3, 4, 5, 7]].copy()
    if is_point({tag.number: tag for tag in file.tags}):
        found[:, 2] -= found[:, 0] * 0.5 + found[:, 1] * 0.5
        found[:, 5] -= found[:, 3] * 0.5 + found[:, 4] * 0.5
    return found  # type: ignore[no-any-return]


def shape_of(file: FileTags) -> tuple[int, int]:
    """The (rows, columns) of a file."""
    sizes = {tag.number: int.from_bytes(tag.value or b"", "little") for tag in file.tags}
    return sizes.get(HEIGHT, 0), sizes.get(WIDTH, 0)


def corners(file: FileTags, found: Array) -> Array:
    """The corners of files, an array of shape (patches, 4, 2) of x and y, around the image.

    Args:
        file: The tags that the files share.
        found: Their transforms.
    """
    rows, columns = shape_of(file)
    return along(found, np.array([0, columns, columns, 0.0]), np.array([0, 0, rows, rows * 1.0]))


def along(found: Array, column: Array, row: Array) -> Array:
    """The coordinates of some points of each image, an array of shape (patches, points, 2).

    Args:
        found: The transforms.
        column: Zero-based column of each point, as a fraction.
        row: Zero-based row of each point, as a fraction.
    """
    a, b, c, d, e, f = (found[:, i, None] for i in range(6))
    return np.stack([a * column + b * row + c, d * column + e * row + f], axis=-1)
