"""Writing GeoTIFF files.

In: bands, and the tags that their file had. Out: the bytes of a file with the same pixels and tags.
It is written by tifffile, which the extra ``rico-hdl[geo]`` installs.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from rico_hdl.decoding.geotags import (
    COLOR_MAP,
    DATE_TIME,
    GDAL_METADATA,
    GDAL_NODATA,
    GEO_ASCII_PARAMS,
    GEO_DOUBLE_PARAMS,
    GEO_KEY_DIRECTORY,
    MODEL_PIXEL_SCALE,
    MODEL_TIEPOINT,
    MODEL_TRANSFORMATION,
    PHOTOMETRIC,
)
from rico_hdl.errors import UsageError

if TYPE_CHECKING:
    import numpy.typing as npt

Compression = Literal["deflate", "none"]

_WRITTEN: Final = frozenset({
    269, 270, 271, 272, 305, DATE_TIME, 315, 316, 33432,  # texts
    274,  # Orientation
    MODEL_PIXEL_SCALE, MODEL_TIEPOINT, MODEL_TRANSFORMATION,
    GEO_KEY_DIRECTORY, GEO_DOUBLE_PARAMS, GEO_ASCII_PARAMS,
    GDAL_METADATA, GDAL_NODATA,
    50844,  # RPCCoefficientTag
})  # fmt: skip
"""Tags that are written as they were. The encoding decides about the others."""
_PALETTE, _RGB, _SEPARATED, _LAB = 3, 2, 5, 8
_NAMES: Final = {0: "miniswhite", 1: "minisblack", _SEPARATED: "separated", _LAB: "cielab"}


def geotiff(
    bands: Sequence[npt.NDArray[Any]],
    tags: Sequence[tuple[int, int, int, bytes]],
    compression: Compression,
) -> bytes:
    """The bytes of a GeoTIFF file.

    Args:
        bands: Its bands, of one dtype and shape (rows, columns).
        tags: The tags that it had: number, type, number of values, values in little-endian order.
        compression: How its pixels are compressed, without loss.

    Raises:
        UsageError: tifffile is not installed.
    """
    tifffile = _tifffile()
    stack = np.stack(bands)
    options: dict[str, Any] = {"photometric": "minisblack"}
    values = {number: value for number, _, _, value in tags}
    options |= _colours(stack, values)
    if len(bands) == 1:
        stack = stack[0]
    elif options["photometric"] == "minisblack" or len(bands) > 4:
        options["planarconfig"] = "separate"
    else:
        stack, options["planarconfig"] = np.moveaxis(stack, 0, -1), "contig"
    if compression == "deflate":
        options["compression"] = "zlib"
        # libtiff takes differences of up to 32 bits, and of floats of 32 and 64.
        kind, n = stack.dtype.kind, stack.dtype.itemsize
        options["predictor"] = n <= 4 if kind in "iu" else n >= 4
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        np.ascontiguousarray(stack),
        byteorder="<",
        # These keep tifffile's own description, software and date out of the file.
        metadata=None,
        software=False,
        extratags=[
            (number, kind, n, value, True) for number, kind, n, value in tags if number in _WRITTEN
        ],
        **options,
    )
    return buffer.getvalue()


def _colours(stack: npt.NDArray[Any], values: dict[int, bytes]) -> dict[str, Any]:
    """How the colours of a file are described: as they were, if that fits its bands."""
    photometric = int.from_bytes(values.get(PHOTOMETRIC, b""), "little")
    colours = np.frombuffer(values.get(COLOR_MAP, b""), "<u2")
    if photometric == _RGB and len(stack) >= 3:
        return {"photometric": "rgb"}
    is_indexed = stack.dtype in (np.uint8, np.uint16) and len(stack) == 1
    if photometric == _PALETTE and is_indexed and len(colours) == 3 << 8 * stack.itemsize:
        return {"photometric": "palette", "colormap": colours.reshape(3, -1)}
    if photometric in {_SEPARATED, _LAB} and len(stack) != {_SEPARATED: 4, _LAB: 3}[photometric]:
        return {}
    return {"photometric": _NAMES.get(photometric, "minisblack")}


def _tifffile() -> Any:  # noqa: ANN401 - a module that may be missing
    try:
        import tifffile  # noqa: PLC0415 - optional
    except ImportError as error:
        raise UsageError(
            "writing GeoTIFF files needs tifffile, which is not installed",
            "Install it: pip install 'rico-hdl[geo]'",
        ) from error
    return tifffile
