"""Coordinate reference systems that a GeoTIFF defines itself, as GDAL understands them.

In: the tags of a file. Out: WKT. This module needs rasterio, which rico-hdl does not install.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Sequence

from rico_hdl.decoding.geotags import Tag
from rico_hdl.errors import UsageError


def wkt_of(geo_tags: Sequence[Tag]) -> str:
    """The WKT of the coordinate reference system of a file; empty if GDAL sees none.

    Args:
        geo_tags: Its GeoKeys and their parameters (tags 34735 to 34737), sorted by number.

    Raises:
        UsageError: rasterio is not installed.
    """
    try:
        from rasterio.errors import RasterioError  # noqa: PLC0415 - optional
        from rasterio.io import MemoryFile  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "a patch's coordinate reference system is not one of EPSG's, but defined in its file; "
            "it takes rasterio to tell, which is not installed",
            "Install it: pip install 'rico-hdl[gdal]'",
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with MemoryFile(_pixel(geo_tags)) as memory, memory.open() as file:
                return "" if file.crs is None else str(file.crs.to_wkt())
        except RasterioError:
            return ""


def _pixel(geo_tags: Sequence[Tag]) -> bytes:
    """A TIFF file of one pixel with these tags."""
    plain = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1)]
    plain += [(279, 1)]
    place = [(33550, struct.pack("<3d", 1, 1, 0)), (33922, struct.pack("<6d", *[0] * 6))]
    tags = [Tag(number, 3, 1, struct.pack("<H", value)) for number, value in plain]
    tags += [Tag(number, 12, len(value) // 8, value) for number, value in place]
    tags += geo_tags
    start = 8 + 2  # a pixel, and a byte that makes its length even
    at = start + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag in tags:
        value = tag.value or b""
        field = value.ljust(4, b"\0")
        if len(value) > 4:
            field = struct.pack("<I", at + len(values))
            values += value + b"\0" * (len(value) % 2)
        entries += struct.pack("<HHI", tag.number, tag.type, tag.n) + field
    head = b"II*\0" + struct.pack("<I", start) + b"\0\0"
    return head + struct.pack("<H", len(tags)) + entries + bytes(4) + values
