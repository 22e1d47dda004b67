"""TIFF files in memory, as the publishers' tools write them.

In: rasters and an `Encoding`. Out: the bytes of a file, encoded by tifffile. It writes nothing to
disk.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tifffile

from rico_hdl.testing.encodings import GDAL_STRIP_BYTES

if TYPE_CHECKING:
    import numpy.typing as npt

    from rico_hdl.testing.encodings import Encoding

_ASCII, _SHORT, _DOUBLE = 2, 3, 12
"""TIFF field types."""

_GEO_KEYS: Final = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)
"""GeoTIFF key directory: projected, pixel is area, EPSG:32633 (UTM zone 33N)."""

_ORIGIN: Final = (300_000.0, 5_000_000.0)
_SIDE: Final = 1200.0
"""What every patch covers, in metres: 120 pixels of 10 m, say."""
_N_ACROSS: Final = 75
_ZONES: Final = (32633, 32634)

_RESOLUTION_UNIT, _PLANAR_CONFIGURATION = 296, 284
"""TIFF tags."""


def encoded(stack: npt.NDArray[Any], encoding: Encoding) -> bytes:
    """A TIFF file.

    Args:
        stack: (band, row, column), of the encoding's dtype.
        encoding: The encoding of the file.
    """
    if encoding.compression is not None:
        return _written(stack, encoding)
    head, tail = _template(encoding, stack.shape)
    return b"".join((head, _stored(stack, encoding).tobytes(), tail))


def origin_of(key: str) -> tuple[float, float, int]:
    """The place of a patch: easting and northing of its upper left corner, EPSG code."""
    number = zlib.crc32(key.encode())
    down, across = divmod(number % _N_ACROSS**2, _N_ACROSS)
    x, y = _ORIGIN
    # One in 16 in another zone: in real datasets, patches of a scene are in one.
    return x + _SIDE * across, y + _SIDE * down, _ZONES[number >> 28 == 0]


def moved(data: bytes, key: str) -> bytes:
    """A file of `encoded` at the place of a patch; as it is if it is not georeferenced."""
    old, new = struct.pack("<2d", *_ORIGIN), struct.pack("<2d", *origin_of(key)[:2])
    at = data.find(old)
    if at < 0:
        return data
    data = data[:at] + new + data[at + len(old) :]
    keys = struct.pack("<4H", *_GEO_KEYS[-4:])
    return data.replace(keys, struct.pack("<4H", *_GEO_KEYS[-4:-1], origin_of(key)[2]), 1)


def _geo_tags(n_rows: int, n_columns: int) -> list[tuple[int, int, int, Any, bool]]:
    scale = (_SIDE / n_columns, _SIDE / n_rows, 0.0)
    return [
        (33550, _DOUBLE, 3, scale, True),  # ModelPixelScale
        (33922, _DOUBLE, 6, (0.0, 0.0, 0.0, *_ORIGIN, 0.0), True),  # ModelTiepoint
        (34735, _SHORT, len(_GEO_KEYS), _GEO_KEYS, True),  # GeoKeyDirectory
    ]


def _stored(stack: npt.NDArray[Any], encoding: Encoding) -> npt.NDArray[Any]:
    """The samples in the order of the file."""
    if len(stack) == 1:
        return stack.reshape(stack.shape[1:])
    return stack if encoding.planar == "separate" else np.moveaxis(stack, 0, -1)


@lru_cache(maxsize=256)
def _template(encoding: Encoding, shape: tuple[int, int, int]) -> tuple[bytes, bytes]:
    """The bytes before and after the pixels of uncompressed files of one shape.

    Raises:
        ValueError: tifffile did not write the pixels in one piece.
    """
    data = _written(np.zeros(shape, encoding.dtype), encoding)
    with tifffile.TiffFile(BytesIO(data)) as file:
        offsets, sizes = file.pages.first.dataoffsets, file.pages.first.databytecounts
    pieces = zip(offsets[1:], offsets, sizes, strict=False)
    n_bytes = int(np.prod(shape)) * np.dtype(encoding.dtype).itemsize
    if sum(sizes) != n_bytes or any(later != start + size for later, start, size in pieces):
        raise ValueError(f"the pixels of {shape} {encoding} are not contiguous")
    return data[: offsets[0]], data[offsets[0] + n_bytes :]


def _written(stack: npt.NDArray[Any], encoding: Encoding) -> bytes:
    n_bands, n_rows, n_columns = stack.shape
    arguments: dict[str, Any] = {}
    if encoding.tile:
        arguments["tile"] = encoding.tile
    else:
        n_interleaved = n_bands if encoding.planar == "contig" else 1
        row_bytes = n_columns * n_interleaved * stack.itemsize
        rows = encoding.rows_per_strip or max(1, GDAL_STRIP_BYTES // row_bytes)
        arguments["rowsperstrip"] = min(rows, n_rows)
    if n_bands > 1:
        arguments["planarconfig"] = encoding.planar
    if encoding.photometric == "palette":
        ramp = np.arange(256, dtype=np.uint16) * 257
        arguments["colormap"] = np.array([ramp, ramp[::-1], ramp])
    tags = _geo_tags(n_rows, n_columns) if encoding.geo_tags else []
    if encoding.nodata is not None:
        tags.append((42113, _ASCII, len(encoding.nodata) + 1, encoding.nodata, True))
    buffer = BytesIO()
    tifffile.imwrite(
        buffer,
        _stored(stack, encoding),
        byteorder="<",
        compression=encoding.compression,
        predictor=encoding.predictor if encoding.compression not in {None, "jpeg"} else None,
        photometric=encoding.photometric,
        # These keep tifffile's own description, software and date out of the file.
        metadata=None,
        software=False,
        extratags=tags,
        **arguments,
    )
    data = buffer.getvalue()
    return data if n_bands > 1 else _with_planar_configuration(data, encoding)


def _with_planar_configuration(data: bytes, encoding: Encoding) -> bytes:
    """A single-band file with the tag that GDAL always writes and tifffile does not.

    It replaces the resolution unit, which is the next tag in the order required by the format.
    """
    edited = bytearray(data)
    (directory,) = struct.unpack_from("<I", data, 4)
    (n_entries,) = struct.unpack_from("<H", data, directory)
    for entry in range(directory + 2, directory + 2 + 12 * n_entries, 12):
        if struct.unpack_from("<H", data, entry)[0] == _RESOLUTION_UNIT:
            value = 2 if encoding.planar == "separate" else 1
            struct.pack_into("<HHIHH", edited, entry, _PLANAR_CONFIGURATION, _SHORT, 1, value, 0)
            return bytes(edited)
    raise ValueError("tifffile wrote no resolution unit to replace")
