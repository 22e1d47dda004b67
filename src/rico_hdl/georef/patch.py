"""What is known about one patch beyond its pixels.

In: the tags of its files. Out: a `Georef`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np

from rico_hdl.decoding.geotags import FileTags, KeptTags, places_of
from rico_hdl.errors import StoreError
from rico_hdl.georef.affine import corners, shape_of, transforms
from rico_hdl.georef.bounds import lonlat_bounds
from rico_hdl.georef.geokeys import crs_of
from rico_hdl.georef.metadata import GdalMetadata, metadata_of, nodata_of

Transform = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f) of ``x = a * column + b * row + c`` and ``y = d * column + e * row + f``; (0,
0) is the upper left corner of the first pixel. ``affine.Affine(*transform)`` is rasterio's form."""

Bounds = tuple[float, float, float, float]
"""West, south, east, north in degrees on WGS 84. West is greater than east across the 180th
meridian."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class FileGeoref:
    """What one file of a patch says."""

    bands: tuple[str, ...]
    """The names of its bands, in file order."""
    shape: tuple[int, int]
    """(rows, columns)."""
    transform: Transform | None
    """Its affine transform; None if it has none."""
    nodata: float | int | None
    """The value that stands for no data; None if there is none."""
    tags: FileTags
    """Its raw tags, without those that differ from patch to patch."""
    place: bytes
    """The values of the others; see `rico_hdl.decoding.geotags.KeptTags`."""

    @cached_property
    def crs(self) -> str | None:
        """Its coordinate reference system: ``EPSG:32633``, or WKT; None if it has none.

        Raises:
            UsageError: It takes GDAL to tell, and rasterio is not installed.
        """
        return crs_of(self.tags)

    @cached_property
    def metadata(self) -> GdalMetadata:
        """Everything that GDAL noted in it."""
        return metadata_of(self.tags)

    @property
    def descriptions(self) -> tuple[str, ...]:
        """The description of each band; empty for bands without one."""
        return tuple(self.metadata.text(i, "description") for i in range(len(self.bands)))

    @property
    def scales(self) -> tuple[float, ...]:
        """What each band's values are multiplied by to get physical values; usually 1."""
        return tuple(self.metadata.number(i, "scale") for i in range(len(self.bands)))

    @property
    def offsets(self) -> tuple[float, ...]:
        """What is added to each band's scaled values; usually 0."""
        return tuple(self.metadata.number(i, "offset") for i in range(len(self.bands)))

    @property
    def units(self) -> tuple[str, ...]:
        """The unit of each band's physical values; empty for bands without one."""
        return tuple(self.metadata.text(i, "unittype") for i in range(len(self.bands)))


@dataclass(frozen=True)
class Georef:
    """What is known about a patch beyond its pixels."""

    key: str
    """Its key."""
    files: tuple[FileGeoref, ...]
    """What each of its files says, in band order."""
    time: datetime | None
    """When it was taken, in UTC, as far as names tell; midnight if they only give the date."""

    @cached_property
    def _main(self) -> FileGeoref:
        """The file with the finest pixels, which stands for the patch.

        Raises:
            StoreError: Another file is elsewhere.
        """
        main = self.files[finest([file.tags for file in self.files])]
        for file in self.files:
            if file is main:
                continue
            if file.crs != main.crs or apart(_corners(file), _corners(main), _pixel(file, main)):
                raise StoreError(
                    f"{self.key}: its files are in different places: {', '.join(main.bands[:3])} "
                    f"at {main.crs} {main.transform}, {', '.join(file.bands[:3])} at {file.crs} "
                    f"{file.transform}",
                    "They are kept as they are: use the files of georef.files.",
                )
        return main

    @property
    def crs(self) -> str | None:
        """Its coordinate reference system: ``EPSG:32633``, or WKT; None if it has none.

        Raises:
            StoreError: Its files are in different places.
            UsageError: It takes GDAL to tell, and rasterio is not installed.
        """
        return self._main.crs

    @property
    def transform(self) -> Transform | None:
        """The transform of its finest bands; None if it has none.

        Raises:
            StoreError: Its files are in different places.
        """
        return self._main.transform

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of its finest bands.

        Raises:
            StoreError: Its files are in different places.
        """
        return self._main.shape

    @property
    def nodata(self) -> float | int | None:
        """The value that stands for no data in all bands; None if there is none.

        Raises:
            StoreError: It differs between its files.
        """
        found = {str(file.nodata): file.nodata for file in self.files}
        if len(found) > 1:
            raise StoreError(
                f"{self.key}: its bands have different nodata values: {', '.join(found)}",
                "Use those of georef.files.",
            )
        return self.files[0].nodata

    @cached_property
    def bounds(self) -> Bounds | None:
        """Its bounds in longitude and latitude; None if it has no place. See `Bounds`.

        Raises:
            StoreError: Its files are in different places.
            UsageError: pyproj is not installed, or doesn't know the system.
        """
        main = self._main
        if main.crs is None or main.transform is None:
            return None
        found = lonlat_bounds(main.crs, np.array([main.transform]), main.shape)[0]
        return None if np.isnan(found).any() else (*map(float, found),)  # type: ignore[return-value]

    @property
    def extent(self) -> Bounds | None:
        """Left, bottom, right and top in its own coordinate reference system; None if unknown.

        Raises:
            StoreError: Its files are in different places.
        """
        if self._main.transform is None:
            return None
        points = _corners(self._main)[0]
        low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return (low[0], low[1], high[0], high[1])

    def of(self, band: str) -> FileGeoref:
        """What the file of a band says."""
        return next(file for file in self.files if band in file.bands)


def georef_of(
    key: str, tags: KeptTags, bands: Sequence[tuple[str, ...]], time: int | None
) -> Georef:
    """What is known about a patch.

    Args:
        key: Its key.
        tags: The tags of its files.
        bands: The names of each file's bands.
        time: Milliseconds since 1970 in UTC; None if unknown.
    """
    files = []
    for file, place, names in zip(tags.files, places_of(tags), bands, strict=True):
        raw = np.frombuffer(place, np.uint8).reshape(1, -1)
        numbers = transforms(file, raw)[0].tolist()
        known = None if any(number != number for number in numbers) else tuple(numbers)  # noqa: PLR0124 - NaN
        files.append(FileGeoref(names, shape_of(file), known, nodata_of(file), file, place))
    return Georef(
        key, tuple(files), None if time is None else _EPOCH + timedelta(milliseconds=time)
    )


@lru_cache(maxsize=1024)
def _finest(files: tuple[FileTags, ...]) -> int:
    sizes = [shape[0] * shape[1] for shape in map(shape_of, files)]
    return sizes.index(max(sizes))


def finest(files: Sequence[FileTags]) -> int:
    """The zero-based position of the first file with the most pixels."""
    return _finest(tuple(files))


def apart(one: Any, other: Any, pixel: Any) -> Any:  # noqa: ANN401 - arrays or single patches
    """Whether corners are more than a pixel apart: an array of shape (patches,).

    Bands of different resolutions often end within a pixel of each other, not at the same place.

    Args:
        one: Corners, of shape (patches, 4, 2).
        other: The same of another file.
        pixel: The side of the larger pixels, of shape (patches,).
    """
    far = abs(one - other).max(axis=(1, 2)) > pixel * (1 + 1e-9)
    return far | (np.isnan(one).any(axis=(1, 2)) != np.isnan(other).any(axis=(1, 2)))


def side(found: Any) -> Any:  # noqa: ANN401 - an array
    """The longest side of a pixel, an array of shape (patches,), for transforms (patches, 6)."""
    return np.maximum(np.hypot(found[:, 0], found[:, 3]), np.hypot(found[:, 1], found[:, 4]))


def _array(file: FileGeoref) -> Any:  # noqa: ANN401 - an array
    return np.array([file.transform or (np.nan,) * 6])


def _corners(file: FileGeoref) -> Any:  # noqa: ANN401 - an array
    return corners(file.tags, _array(file))


def _pixel(one: FileGeoref, other: FileGeoref) -> Any:  # noqa: ANN401 - an array
    return np.maximum(side(_array(one)), side(_array(other)))
