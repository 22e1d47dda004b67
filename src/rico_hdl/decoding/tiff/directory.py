"""Reading the entries of a TIFF file's first directory.

In: a whole file as bytes. Out: where the values of each tag are that matters for the pixels. Every
offset and count is checked against the file's size.

Tag numbers and types: TIFF 6.0 (Aldus, 1992), its Technical Note 3 (predictor 3), BigTIFF, and the
tag list of libtiff.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from rico_hdl.decoding.foreign import found
from rico_hdl.errors import TiffError

# Tags that determine the pixels; all others are skipped.
WIDTH: Final = 256
HEIGHT: Final = 257
BITS_PER_SAMPLE: Final = 258
COMPRESSION: Final = 259
PHOTOMETRIC: Final = 262
FILL_ORDER: Final = 266
STRIP_OFFSETS: Final = 273
SAMPLES_PER_PIXEL: Final = 277
ROWS_PER_STRIP: Final = 278
STRIP_BYTE_COUNTS: Final = 279
PLANAR_CONFIG: Final = 284
T4_OPTIONS: Final = 292
T6_OPTIONS: Final = 293
PREDICTOR: Final = 317
TILE_WIDTH: Final = 322
TILE_HEIGHT: Final = 323
TILE_OFFSETS: Final = 324
TILE_BYTE_COUNTS: Final = 325
EXTRA_SAMPLES: Final = 338
SAMPLE_FORMAT: Final = 339
DATA_TYPE: Final = 32996
IMAGE_DEPTH: Final = 32997
TILE_DEPTH: Final = 32998
JPEG_TABLES: Final = 347
GDAL_NODATA: Final = 42113
LERC_PARAMETERS: Final = 50674

_NAMES: Final = {
    WIDTH: "ImageWidth",
    HEIGHT: "ImageLength",
    BITS_PER_SAMPLE: "BitsPerSample",
    COMPRESSION: "Compression",
    PHOTOMETRIC: "PhotometricInterpretation",
    FILL_ORDER: "FillOrder",
    STRIP_OFFSETS: "StripOffsets",
    SAMPLES_PER_PIXEL: "SamplesPerPixel",
    ROWS_PER_STRIP: "RowsPerStrip",
    STRIP_BYTE_COUNTS: "StripByteCounts",
    PLANAR_CONFIG: "PlanarConfiguration",
    T4_OPTIONS: "T4Options",
    T6_OPTIONS: "T6Options",
    PREDICTOR: "Predictor",
    TILE_WIDTH: "TileWidth",
    TILE_HEIGHT: "TileLength",
    TILE_OFFSETS: "TileOffsets",
    TILE_BYTE_COUNTS: "TileByteCounts",
    EXTRA_SAMPLES: "ExtraSamples",
    SAMPLE_FORMAT: "SampleFormat",
    DATA_TYPE: "DataType",
    IMAGE_DEPTH: "ImageDepth",
    TILE_DEPTH: "TileDepth",
    JPEG_TABLES: "JPEGTables",
    GDAL_NODATA: "GDAL_NODATA",
    LERC_PARAMETERS: "LercParameters",
}
_OF_STRIPS: Final = (STRIP_OFFSETS, STRIP_BYTE_COUNTS)
_OF_TILES: Final = (TILE_OFFSETS, TILE_BYTE_COUNTS, TILE_WIDTH, TILE_HEIGHT)

# Unsigned integer types by TIFF type number: SHORT, LONG, LONG8.
_FORMATS: Final = {3: "H", 4: "I", 16: "Q"}
_ASCII: Final = 2
_BYTES: Final = {7: "B"}  # UNDEFINED
_SIZES: Final = {"B": 1, "H": 2, "I": 4, "Q": 8}

_MAX_ENTRIES: Final = 4096
"""libtiff rejects a directory with more entries as damaged (``TIFFFetchDirectory``)."""
_MAX_NUMBER: Final = 0xFFFF_FFFF
"""Single values are SHORT or LONG, even where BigTIFF has room for more."""
_MAX_EXTRA_SAMPLE: Final = 2
"""0 unspecified, 1 and 2 transparency. None changes a stored value, but GDAL refuses others."""


@dataclass(frozen=True, slots=True)
class Values:
    """Where a tag's values are."""

    format: str
    """The struct and array code of one value."""
    n: int
    """How many values there are."""
    start: int
    """Zero-based offset of the first one in the file."""

    @property
    def stop(self) -> int:
        """Zero-based offset after the last one."""
        return self.start + self.n * _SIZES[self.format]


class TiffDirectory:
    """The wanted entries of the first directory, and the byte ranges read to find them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.consulted: list[tuple[int, int]] = []
        self.entries: dict[int, Values] = {}
        order = {b"II": "<", b"MM": ">"}.get(data[:2])
        if order is None:
            raise TiffError(f"not a TIFF file: {found(data)}, expected 49 49 2a 00 or 4d 4d 00 2a")
        self.order = order
        self.consulted.append((0, 2))
        (magic,) = self.unpack("H", 2)
        if magic == 42:
            (start,) = self.unpack("I", 4)
            self._read_entries(start, count_format="H", offset_format="I")
        elif magic == 43:
            offset_size, zero, start = self.unpack("HHQ", 4)
            if (offset_size, zero) != (8, 0):
                raise TiffError(f"not a BigTIFF file: offset size {offset_size}, expected 8")
            self._read_entries(start, count_format="Q", offset_format="Q")
        else:
            raise TiffError(f"not a TIFF file: version {magic}, expected 42 or 43")

    def unpack(self, formats: str, start: int) -> tuple[int, ...]:
        """Read numbers in the byte order of the file.

        Args:
            formats: Codes of `struct`.
            start: Zero-based offset of the first one in the file.

        Raises:
            TiffError: The file ends before the last one.
        """
        layout = struct.Struct(self.order + formats)
        if start + layout.size > len(self.data):
            raise TiffError(
                f"truncated: the header extends to byte {start + layout.size}, "
                f"but the file ends at {len(self.data)}"
            )
        self.consulted.append((start, start + layout.size))
        return layout.unpack_from(self.data, start)

    def _read_entries(self, start: int, *, count_format: str, offset_format: str) -> None:
        (n_entries,) = self.unpack(count_format, start)
        if not 1 <= n_entries <= _MAX_ENTRIES:
            raise TiffError(
                f"damaged: the directory at byte {start} has {n_entries} entries, "
                f"expected 1 to {_MAX_ENTRIES}"
            )
        position = start + _SIZES[count_format]
        value_size = _SIZES[offset_format]
        entry = struct.Struct(f"{self.order}HH{offset_format}")
        entry_size = entry.size + value_size
        stop = position + n_entries * entry_size
        if stop > len(self.data):
            raise TiffError(
                f"truncated: the directory extends to byte {stop}, "
                f"but the file ends at {len(self.data)}"
            )
        self.consulted.append((position, stop))
        for at in range(position, stop, entry_size):
            tag, kind, n = entry.unpack_from(self.data, at)
            if tag not in _NAMES:
                continue
            if tag in self.entries:
                raise TiffError(f"damaged: {_NAMES[tag]} appears twice in the directory")
            code = (_BYTES if tag == JPEG_TABLES else _FORMATS).get(kind)
            if code is None or n == 0:
                if tag != GDAL_NODATA:
                    raise TiffError(
                        f"{_NAMES[tag]} has {n} values of type {kind}, expected integers"
                    )
                # Text of another type is in doubt, which matters only if it is needed.
                code, n = "B", n if kind == _ASCII else 0
            where = at + entry.size
            if n * _SIZES[code] > value_size:
                (where,) = struct.unpack_from(self.order + offset_format, self.data, where)
            values = Values(code, n, where)
            if values.stop > len(self.data):
                raise TiffError(
                    f"truncated: {_NAMES[tag]} is at bytes {where} to {values.stop}, "
                    f"but the file ends at {len(self.data)}"
                )
            self.entries[tag] = values

    def values(self, tag: int) -> Values:
        """Where the values of a tag are."""
        if tag not in self.entries:
            raise TiffError(f"{_NAMES[tag]} is missing")
        return self.entries[tag]

    def number(self, tag: int, default: int | None = None, *, n_samples: int = 1) -> int:
        """The single value of a tag, or the one value that all samples share."""
        if default is not None and tag not in self.entries:
            return default
        values = self.values(tag)
        if values.n not in {1, n_samples}:
            raise TiffError(f"{_NAMES[tag]} has {values.n} values, expected {n_samples}")
        found = set(self.unpack(f"{values.n}{values.format}", values.start))
        if len(found) != 1:
            raise TiffError(f"{_NAMES[tag]} differs between samples: {sorted(found)[:4]}")
        (value,) = found
        if value > _MAX_NUMBER:
            raise TiffError(f"{_NAMES[tag]} is {value}, expected at most {_MAX_NUMBER} (a LONG)")
        return value

    def numbers(self, tag: int) -> tuple[int, ...]:
        """All values of a tag; none if it is missing."""
        values = self.entries.get(tag)
        return () if values is None else self.unpack(f"{values.n}{values.format}", values.start)

    def in_tiles(self) -> bool:
        """Whether the image is stored in tiles rather than strips."""
        tiled, striped = (
            [_NAMES[tag] for tag in tags if tag in self.entries] for tags in (_OF_TILES, _OF_STRIPS)
        )
        if tiled and striped:
            raise TiffError(f"has both strips and tiles: {', '.join(striped + tiled)}")
        return bool(tiled)

    def refuse_odd(self, n_samples: int) -> None:
        """Refuse tags that change the meaning of all others in libtiff or GDAL."""
        if DATA_TYPE in self.entries:
            raise TiffError("has the obsolete tag DataType, expected SampleFormat")
        for tag in (IMAGE_DEPTH, TILE_DEPTH):
            if self.number(tag, 1) != 1:
                raise TiffError(f"is a volume: {_NAMES[tag]} is {self.number(tag)}, expected 1")
        extra = self.entries.get(EXTRA_SAMPLES)
        if extra is not None and (
            extra.n > n_samples
            or max(self.unpack(f"{extra.n}{extra.format}", extra.start)) > _MAX_EXTRA_SAMPLE
        ):
            raise TiffError(f"damaged: ExtraSamples does not match {n_samples} samples per pixel")
