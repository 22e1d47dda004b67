"""What GDAL says about files beyond pixels, and files that say unusual things."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from rasterio.warp import transform

from rico_hdl.georef import FileGeoref


def opened(path: Path | str) -> Any:
    """A file, opened by rasterio without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path)


def said(file: Any) -> dict[str, Any]:
    """Everything that GDAL says about an opened file, in a form to compare."""
    has_place = file.transform != rasterio.Affine.identity()
    tags = {k: v for k, v in file.tags().items() if not k.startswith(("TIFFTAG_", "AREA_"))}
    return {
        "crs": file.crs,
        "transform": file.transform[:6] if has_place else None,
        "nodata": None if file.nodata is None else repr(float(file.nodata)),
        "shape": file.shape,
        "descriptions": tuple(text or "" for text in file.descriptions),
        "scales": file.scales,
        "offsets": file.offsets,
        "units": tuple(text or "" for text in file.units),
        "tags": tags,
        "band_tags": [file.tags(i) for i in file.indexes],
    }


def kept(file: FileGeoref) -> dict[str, Any]:
    """The same of what a store says about a file."""
    crs = None
    if file.crs is not None:
        code = file.crs.removeprefix("EPSG:")
        crs = CRS.from_epsg(int(code)) if code != file.crs else CRS.from_wkt(file.crs)
    return {
        "crs": crs,
        "transform": file.transform,
        "nodata": None if file.nodata is None else repr(float(file.nodata)),
        "shape": file.shape,
        "descriptions": file.descriptions,
        "scales": file.scales,
        "offsets": file.offsets,
        "units": file.units,
        "tags": file.metadata.items.get("", {}),
        "band_tags": [file.metadata.band_items.get(i, {}) for i in range(len(file.bands))],
    }


def outline(file: Any) -> np.ndarray:
    """The x and y of 400 points around an opened file."""
    step = np.arange(100) / 100
    column = np.concatenate([step, np.ones(100), 1 - step, np.zeros(100)]) * file.width
    row = np.concatenate([np.zeros(100), step, np.ones(100), 1 - step]) * file.height
    a, b, c, d, e, f = file.transform[:6]
    return np.array([a * column + b * row + c, d * column + e * row + f])


def lonlat(file: Any) -> tuple[float, ...]:
    """The bounds of an opened file in longitude and latitude, by GDAL."""
    lon, lat = map(np.array, transform(file.crs, CRS.from_string("OGC:CRS84"), *outline(file)))
    return (lon.min(), lat.min(), lon.max(), lat.max())


def same_bounds(one: Any, other: Any) -> bool:
    """Whether bounds agree to a few centimetres, since they are those of some points."""
    return all(math.isclose(a, b, abs_tol=2e-7) for a, b in zip(one, other, strict=True))


def geotiff(path: Path, stack: np.ndarray, **profile: Any) -> None:
    """A GeoTIFF that GDAL writes, with ``crs``, ``transform``, ``nodata`` and creation options."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile() as memory:
            n, rows, columns = stack.shape
            with memory.open(
                driver="GTiff", count=n, height=rows, width=columns, dtype=stack.dtype, **profile
            ) as file:
                file.write(stack)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(memory.getbuffer())
