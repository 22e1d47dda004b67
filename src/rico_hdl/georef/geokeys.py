"""The coordinate reference system that a file's GeoKeys name.

In: the tags of a file. Out: an EPSG code, or WKT. A code is taken as it is if every other key
agrees with it or doesn't matter; everything else (a system that the file defines itself, other
units, a vertical system) is left to GDAL, whose rules for such files no short module can follow.

Numbers of keys: OGC GeoTIFF 1.1 (19-008r4), annex B.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from rico_hdl.decoding.gdal_crs import wkt_of
from rico_hdl.decoding.geotags import (
    GEO_ASCII_PARAMS,
    GEO_DOUBLE_PARAMS,
    GEO_KEY_DIRECTORY,
    FileTags,
    Tag,
)

_MODEL_TYPE: Final = 1024
_RASTER_TYPE: Final = 1025
_GEODETIC: Final = 2048
_ANGULAR_UNITS: Final = 2054
_PROJECTED: Final = 3072
_LINEAR_UNITS: Final = 3076
_DEGREE, _METRE = 9102, 9001
_IS_POINT: Final = 2
_HARMLESS: Final = frozenset({
    1026, 2049, 3073,  # citations
    2057, 2059,  # the ellipsoid's axis and flattening, as GDAL adds them to geographic systems
})  # fmt: skip
_MAX_CODE: Final = 32766  # 32767 is "user-defined"


def is_point(tags: Mapping[int, Tag]) -> bool:
    """Whether a tie point is the centre of a pixel, not its upper left corner."""
    return _keys(tags).get(_RASTER_TYPE) == _IS_POINT


def crs_of(file: FileTags) -> str | None:
    """The coordinate reference system of a file: ``EPSG:32633``, or WKT; None if it has none.

    Raises:
        UsageError: It takes GDAL to tell, and rasterio is not installed.
    """
    return _crs(tuple(t for t in file.tags if GEO_KEY_DIRECTORY <= t.number <= GEO_ASCII_PARAMS))


@lru_cache(maxsize=4096)
def _crs(geo_tags: tuple[Tag, ...]) -> str | None:
    keys = _keys({tag.number: tag for tag in geo_tags})
    if not keys:
        return None
    code = _code(keys)
    if code is not None:
        return f"EPSG:{code}"
    return wkt_of(geo_tags) or None


def _code(keys: Mapping[int, int | None]) -> int | None:
    """The EPSG code; None if that is not certain."""
    model = keys.get(_MODEL_TYPE)
    known = {_MODEL_TYPE, _RASTER_TYPE, _GEODETIC, _ANGULAR_UNITS, *_HARMLESS}
    if keys.get(_ANGULAR_UNITS, _DEGREE) != _DEGREE:
        return None
    if model == 1:
        known |= {_PROJECTED, _LINEAR_UNITS}
        code = keys.get(_PROJECTED)
        if keys.get(_LINEAR_UNITS, _METRE) != _METRE or _GEODETIC in keys:
            return None
    elif model == 2:
        code = keys.get(_GEODETIC)
    else:
        return None
    if code is None or not 1024 <= code <= _MAX_CODE or not known >= keys.keys():
        return None
    return code


def _keys(tags: Mapping[int, Tag]) -> dict[int, int | None]:
    """The keys with their values; None for a value in another tag."""
    directory = tags.get(GEO_KEY_DIRECTORY)
    if directory is None or directory.value is None or directory.type != 3:
        return {}
    numbers = struct.unpack(f"<{directory.n}H", directory.value)
    found: dict[int, int | None] = {}
    for at in range(4, min(len(numbers) - 3, 4 * numbers[3] + 1) if len(numbers) > 3 else 0, 4):
        key, place, _, value = numbers[at : at + 4]
        found[key] = None if place in {GEO_DOUBLE_PARAMS, GEO_ASCII_PARAMS} else value
    return found
