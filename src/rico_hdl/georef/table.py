"""Where many patches are: one array for each property, for maps, selections and checks.

In: the side-car's entries of some keys. Out: a `Georefs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rico_hdl.georef.bounds import lonlat_bounds

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Georefs:
    """Where patches are, and when they were taken; row i belongs to the key at position i."""

    known: npt.NDArray[np.bool_]
    """Whether the store knows anything about the patch, of shape (keys,)."""
    crs: tuple[str, ...]
    """The coordinate reference systems that occur: EPSG codes, or WKT."""
    crs_index: npt.NDArray[np.int32]
    """The position of each patch's system in `crs`; -1 if it has none, or if its files disagree."""
    transforms: npt.NDArray[np.float64]
    """The transforms of the finest bands, of shape (keys, 6); NaN if unknown. See `Georef`."""
    shapes: npt.NDArray[np.int32]
    """(rows, columns) of the finest bands, of shape (keys, 2); 0 if unknown."""
    disagree: npt.NDArray[np.bool_]
    """Whether files of the patch are in different places."""
    times: npt.NDArray[np.datetime64]
    """When each patch was taken, in UTC and milliseconds; NaT if unknown."""

    def __len__(self) -> int:
        return len(self.known)

    def bounds(self) -> npt.NDArray[np.float64]:
        """West, south, east, north in degrees on WGS 84, of shape (keys, 4); NaN if unknown.

        West is greater than east for a patch across the 180th meridian.

        Raises:
            UsageError: pyproj is not installed, or doesn't know a system.
        """
        found: Any = np.full((len(self), 4), np.nan)
        for rows, crs, shape in self.groups():
            found[rows] = lonlat_bounds(crs, self.transforms[rows], shape)
        return found  # type: ignore[no-any-return]

    def extents(self) -> npt.NDArray[np.float64]:
        """Left, bottom, right, top in each patch's own system: (keys, 4), NaN if unknown."""
        a, b, c, d, e, f = self.transforms.T
        rows, columns = self.shapes.T
        x = np.stack([c, c + a * columns, c + b * rows, c + a * columns + b * rows])
        y = np.stack([f, f + d * columns, f + e * rows, f + d * columns + e * rows])
        return np.stack([x.min(axis=0), y.min(axis=0), x.max(axis=0), y.max(axis=0)], axis=1)

    def groups(self) -> list[tuple[npt.NDArray[np.int64], str, tuple[int, int]]]:
        """The patches with a place, by system and size: rows, system, (rows, columns)."""
        placed = (self.crs_index >= 0) & ~np.isnan(self.transforms).any(axis=1)
        rows = np.flatnonzero(placed)
        kinds = np.column_stack([self.crs_index[rows], self.shapes[rows]])
        unique, which = np.unique(kinds, axis=0, return_inverse=True)
        return [
            (rows[which.reshape(-1) == i], self.crs[kind[0]], (int(kind[1]), int(kind[2])))
            for i, kind in enumerate(unique.tolist())
        ]
