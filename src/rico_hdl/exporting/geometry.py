"""Outlines of patches as polygons in longitude and latitude.

In: where patches are. Out: polygons in well-known binary (OGC 06-103r4), little-endian, and their
bounds. A patch across the 180th meridian becomes two polygons, as GeoJSON (RFC 7946) recommends.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from rico_hdl.georef.bounds import lonlat_corners

if TYPE_CHECKING:
    import numpy.typing as npt

    from rico_hdl.georef import Georefs

_POLYGON, _MULTI_POLYGON = 3, 6
_RING: Final = struct.Struct("<BIII")  # byte order, type, rings, points of the first ring
_HALF_TURN: Final = 180.0


def outlines(georefs: Georefs) -> tuple[list[bytes | None], npt.NDArray[np.float64]]:
    """The polygon of each patch, None if its place is unknown, and bounds: (patches, 4).

    The corners are exact. The sides are straight in longitude and latitude: at 60 degrees north,
    they leave those of a patch of 10 km in UTM by 3 m.

    Raises:
        UsageError: pyproj is not installed, or doesn't know a system.
    """
    polygons: list[bytes | None] = [None] * len(georefs)
    bounds = np.full((len(georefs), 4), np.nan)
    enclosing = georefs.bounds()
    for rows, crs, shape in georefs.groups():
        corners = lonlat_corners(crs, georefs.transforms[rows], shape)
        for row, ring in zip(rows.tolist(), corners, strict=True):
            parts = _parts(ring, enclosing[row])
            if parts:
                polygons[row] = _wkb(parts)
                points = np.concatenate(parts)
                bounds[row] = (*points.min(axis=0), *points.max(axis=0))
    return polygons, bounds


def _parts(
    ring: npt.NDArray[np.float64], bounds: npt.NDArray[np.float64]
) -> list[npt.NDArray[np.float64]]:
    """The rings, counter-clockwise, of one or two polygons."""
    if not (np.isfinite(ring).all() and np.isfinite(bounds).all()):
        return []
    west, south, east, north = bounds
    if (west, east) == (-_HALF_TURN, _HALF_TURN):  # around a pole
        ring = np.array([(west, south), (east, south), (east, north), (west, north)])
    elif west > east:
        ring = ring.copy()
        ring[ring[:, 0] < 0, 0] += 2 * _HALF_TURN
        parts = [_clipped(ring, _HALF_TURN, 1), _clipped(ring, _HALF_TURN, -1)]
        parts[1][:, 0] -= 2 * _HALF_TURN
        return [_counter_clockwise(part) for part in parts if len(part) > 2]
    return [_counter_clockwise(ring)]


def _clipped(ring: npt.NDArray[np.float64], meridian: float, side: int) -> npt.NDArray[np.float64]:
    """The part of a ring on one side of a meridian (Sutherland and Hodgman 1974)."""
    points: list[tuple[float, float]] = []
    for (x, y), (next_x, next_y) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if side * (meridian - x) >= 0:
            points.append((x, y))
        if (meridian - x) * (meridian - next_x) < 0:
            points.append((meridian, y + (meridian - x) / (next_x - x) * (next_y - y)))
    return np.array(points).reshape(-1, 2)


def _counter_clockwise(ring: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    x, y = (ring - ring[0]).T
    area = np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y)
    return ring if area > 0 else ring[::-1]


def _wkb(parts: list[npt.NDArray[np.float64]]) -> bytes:
    polygons = []
    for part in parts:
        closed = np.concatenate([part, part[:1]])
        polygons.append(_RING.pack(1, _POLYGON, 1, len(closed)) + closed.astype("<f8").tobytes())
    if len(polygons) == 1:
        return polygons[0]
    return struct.pack("<BII", 1, _MULTI_POLYGON, len(polygons)) + b"".join(polygons)
