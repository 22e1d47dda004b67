"""Bounds in longitude and latitude.

In: the outlines of patches in their coordinate reference systems. Out: west, south, east and north
in degrees on WGS 84. Needs pyproj.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rico_hdl.errors import UsageError
from rico_hdl.georef.affine import along

if TYPE_CHECKING:
    from rico_hdl.georef.affine import Array

N_STEPS: Final = 8
"""Points per side of a patch that are transformed. A parallel bends within a patch: the bounds of
a patch of 1.2 km in UTM would be wrong by 5 cm at 60 degrees north if only its corners were used,
and by less than a millimetre with 8 steps; those of 10 km by 3 m and 5 cm."""

_AT_ONCE: Final = 2**16  # patches whose points are in memory at a time
_HALF_TURN: Final = 180.0


def needed_pyproj() -> Any:  # noqa: ANN401 - a module that may be missing
    """The module pyproj.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import pyproj  # noqa: PLC0415 - optional
    except ImportError as error:
        raise UsageError(
            "bounds in longitude and latitude need pyproj, which is not installed",
            "Install it: pip install 'rico-hdl[geo]'",
        ) from error
    return pyproj


@lru_cache(maxsize=256)
def _transformer(crs: str) -> Any:  # noqa: ANN401 - pyproj's class
    # Safe for threads: pyproj keeps a context for each.
    return needed_pyproj().Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)


def lonlat_bounds(crs: str, found: Array, shape: tuple[int, int]) -> Array:
    """The bounds of patches, an array of shape (patches, 4): west, south, east, north in degrees.

    West is greater than east for a patch across the 180th meridian, as in GeoJSON (RFC 7946). A
    patch that contains a pole has all longitudes. Bounds are NaN where the system is not defined.

    Args:
        crs: Their coordinate reference system: an EPSG code or WKT.
        found: Their transforms, of shape (patches, 6).
        shape: Their (rows, columns).

    Raises:
        UsageError: pyproj is not installed, or doesn't know the system.
    """
    bounds = np.full((len(found), 4), np.nan)
    transformer = _transformer_of(crs)
    for start in range(0, len(found), _AT_ONCE):
        some = found[start : start + _AT_ONCE]
        lon, lat = _lonlat(transformer, along(some, *_outline(shape)))
        bounds[start : start + _AT_ONCE] = _enclosing(lon, lat)
        _take_in_poles(transformer, some, shape, bounds[start : start + _AT_ONCE])
    return bounds


def lonlat_corners(crs: str, found: Array, shape: tuple[int, int]) -> Array:
    """Longitude and latitude of the corners of patches, around the image: (patches, 4, 2).

    Args:
        crs: Their coordinate reference system: an EPSG code or WKT.
        found: Their transforms, of shape (patches, 6).
        shape: Their (rows, columns).

    Raises:
        UsageError: pyproj is not installed, or doesn't know the system.
    """
    rows, columns = shape
    around = np.array([0, columns, columns, 0.0]), np.array([0, 0, rows, rows * 1.0])
    return np.stack(_lonlat(_transformer_of(crs), along(found, *around)), axis=-1)


def _transformer_of(crs: str) -> Any:  # noqa: ANN401 - pyproj's class
    pyproj = needed_pyproj()
    try:
        return _transformer(crs)
    except pyproj.exceptions.CRSError as error:
        raise UsageError(f"pyproj doesn't know {crs[:60]!r}: {error}") from error


def _lonlat(transformer: Any, points: Array) -> tuple[Array, Array]:  # noqa: ANN401 - pyproj's class
    """Longitude and latitude of some points, within 180 degrees; NaN where not defined."""
    lon, lat = transformer.transform(points[..., 0], points[..., 1])
    lon, lat = (np.where(np.isfinite(part), part, np.nan) for part in (lon, lat))
    return np.where(abs(lon) > _HALF_TURN, (lon + 180) % 360 - 180, lon), lat


def _outline(shape: tuple[int, int]) -> tuple[Array, Array]:
    """Columns and rows of points around an image, beginning and ending at its first corner."""
    rows, columns = shape
    step = np.arange(N_STEPS) / N_STEPS
    column = np.concatenate([step, np.ones(N_STEPS), 1 - step, np.zeros(N_STEPS)])
    row = np.concatenate([np.zeros(N_STEPS), step, np.ones(N_STEPS), 1 - step])
    return column * columns, row * rows


def _enclosing(lon: Array, lat: Array) -> Array:
    """The bounds of rings of points, across the 180th meridian if they jump there."""
    west, east = lon.min(axis=1), lon.max(axis=1)
    jumps = east - west > _HALF_TURN
    if jumps.any():
        west = np.where(jumps, np.where(lon >= 0, lon, np.inf).min(axis=1), west)
        east = np.where(jumps, np.where(lon < 0, lon, -np.inf).max(axis=1), east)
    return np.stack([west, lat.min(axis=1), east, lat.max(axis=1)], axis=1)


def _take_in_poles(transformer: Any, found: Array, shape: tuple[int, int], bounds: Array) -> None:  # noqa: ANN401 - pyproj's class
    """Extend the bounds of images that contain a pole, in place."""
    rows, columns = shape
    for latitude in (90.0, -90.0):
        far = latitude * np.where(latitude > 0, bounds[:, 3], bounds[:, 1]) > 80 * 90
        if not far.any():
            continue
        x, y = transformer.transform(0.0, latitude, direction="INVERSE")
        a, b, c, d, e, f = (found[:, i] for i in range(6))
        with np.errstate(all="ignore"):
            det = a * e - b * d
            column = (e * (x - c) - b * (y - f)) / det
            row = (a * (y - f) - d * (x - c)) / det
        inside = far & (column >= 0) & (column <= columns) & (row >= 0) & (row <= rows)
        bounds[inside, 0], bounds[inside, 2] = -_HALF_TURN, _HALF_TURN
        bounds[inside, 3 if latitude > 0 else 1] = latitude
