"""Reading the first directory of a TIFF file.

In: a whole file as bytes. Out: a `TiffHeader`: how the pixels are stored, and where the strips or
tiles are. Every offset is checked against the file's size, and every count against the image's
size. Only the first directory is read, and pixels are never touched.

The parser is stricter than libtiff, which repairs what it can: a missing or contradictory tag means
that the file is damaged or that its writer meant something else, so the pixels would be a guess.

Tag numbers and types: TIFF 6.0 (Aldus, 1992), its Technical Note 3 (predictor 3), BigTIFF, and the
tag list of libtiff.
"""

from __future__ import annotations

import struct
import sys
from array import array
from dataclasses import dataclass
from operator import add
from typing import Final, NamedTuple

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
}
_OF_STRIPS: Final = (STRIP_OFFSETS, STRIP_BYTE_COUNTS)
_OF_TILES: Final = (TILE_OFFSETS, TILE_BYTE_COUNTS, TILE_WIDTH, TILE_HEIGHT)

# Unsigned integer types by TIFF type number: SHORT, LONG, LONG8.
_FORMATS: Final = {3: "H", 4: "I", 16: "Q"}
_SIZES: Final = {"H": 2, "I": 4, "Q": 8}
_NATIVE: Final = "<" if sys.byteorder == "little" else ">"

_MAX_ENTRIES: Final = 4096
"""libtiff rejects a directory with more entries as damaged (``TIFFFetchDirectory``)."""
_MAX_SAMPLES: Final = 0xFFFF
"""SamplesPerPixel is a SHORT."""
_MAX_NUMBER: Final = 0xFFFF_FFFF
"""Single values are SHORT or LONG, even where BigTIFF has room for more."""
_MAX_EXTRA_SAMPLE: Final = 2
"""0 unspecified, 1 and 2 transparency. None changes a stored value, but GDAL refuses others."""

CONTIGUOUS: Final = 1
SEPARATE: Final = 2


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


class Segments(NamedTuple):
    """The strips or tiles of an image, in file order: planes, then rows, then columns."""

    offsets: array[int]
    """Zero-based offset of each one's first byte in the file."""
    counts: array[int]
    """Bytes of each one in the file."""
    sizes: list[int]
    """Bytes of each one when decoded, including the padding of tiles."""


@dataclass(frozen=True, slots=True)
class TiffHeader:
    """The first directory's description of the pixels."""

    byte_order: str
    """``<`` or ``>``."""
    width: int
    """Columns."""
    height: int
    """Rows."""
    n_samples: int
    """Samples per pixel: the number of bands."""
    bits: int
    """Bits per sample; the same for all samples."""
    sample_format: int
    """1 unsigned, 2 signed, 3 float, 4 undefined, 5 and 6 complex."""
    compression: int
    """1 for none; see `rico_hdl.decoding.tiff.libtiff` for the others."""
    photometric: int
    """0 and 1 grey, 2 RGB, 3 palette, 5 CMYK, 6 YCbCr, …"""
    planar: int
    """1 if the samples of a pixel are adjacent, 2 if each band is stored separately."""
    predictor: int
    """1 none, 2 horizontal differences, 3 floating point."""
    fill_order: int
    """1 if the first pixel is in the high bits of a byte."""
    tile: tuple[int, int] | None
    """(rows, columns) of a tile; None for strips."""
    rows_per_strip: int
    """Rows per strip, at most ``height``; meaningless for tiles."""
    offsets: Values
    """Where the strips or tiles begin."""
    byte_counts: Values
    """How long they are."""
    consulted: tuple[tuple[int, int], ...]
    """The [start, stop) ranges of the file that this header was read from. A file with the same
    bytes in these ranges, at least as long as the last of them, has the same header."""

    @property
    def n_planes(self) -> int:
        """Number of planes that are stored separately: one per sample, or 1."""
        return self.n_samples if self.planar == SEPARATE else 1

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(planes, rows, columns, samples of a plane) of the decoded image."""
        return (self.n_planes, self.height, self.width, self.n_samples // self.n_planes)

    @property
    def n_blocks(self) -> int:
        """How many strips or tiles the image takes."""
        rows, columns = self.tile or (self.rows_per_strip, self.width)
        return self.n_planes * -(-self.height // rows) * -(-self.width // columns)

    @property
    def n_bytes(self) -> int:
        """Bytes of all strips or tiles when decoded, including the padding of tiles."""
        rows, columns = self.tile or (self.rows_per_strip, self.width)
        if self.tile is None:
            return self.n_planes * self.height * self._row_bytes(columns)
        return self.n_blocks * rows * self._row_bytes(columns)

    def _row_bytes(self, columns: int) -> int:
        """Bytes per row of a strip or tile; each row starts on a byte boundary."""
        return (columns * (self.n_samples // self.n_planes) * self.bits + 7) // 8

    def read_blocks(self, data: bytes) -> Segments:
        """Locate the strips or tiles.

        Args:
            data: The file that this header was parsed from.

        Raises:
            TiffError: One is missing, as in sparse files, or is outside the file.
        """
        what = "strip" if self.tile is None else "tile"
        for values in (self.offsets, self.byte_counts):
            if values.n != self.n_blocks:
                raise TiffError(
                    f"has {values.n} {what}s, expected {self.n_blocks} for the image's size"
                )
        offsets, counts = self._table(data, self.offsets), self._table(data, self.byte_counts)
        if min(offsets) < 8 or min(counts) < 1:
            raise TiffError(f"a {what} is missing: sparse files are not supported")
        if max(map(add, offsets, counts)) > len(data):
            i = next(i for i, stop in enumerate(map(add, offsets, counts)) if stop > len(data))
            raise TiffError(
                f"truncated: {what} {i} is at bytes {offsets[i]} to {offsets[i] + counts[i]}, "
                f"but the file ends at {len(data)}"
            )
        return Segments(offsets, counts, self._sizes())

    def _table(self, data: bytes, values: Values) -> array[int]:
        """The values of a tag, as an array: some files have ten thousand of them."""
        table = array(values.format, data[values.start : values.stop])
        if self.byte_order != _NATIVE:
            table.byteswap()
        return table

    def _sizes(self) -> list[int]:
        if self.tile is not None:
            rows, columns = self.tile
            return [rows * self._row_bytes(columns)] * self.n_blocks
        row_bytes = self._row_bytes(self.width)
        n = -(-self.height // self.rows_per_strip)
        last = self.height - (n - 1) * self.rows_per_strip
        sizes = [self.rows_per_strip * row_bytes] * (n - 1) + [last * row_bytes]
        return sizes * self.n_planes


class _TiffDirectory:
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
            code = _FORMATS.get(kind)
            if code is None or n == 0:
                raise TiffError(f"{_NAMES[tag]} has {n} values of type {kind}, expected integers")
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


def parse_header(data: bytes) -> TiffHeader:
    """Read the first directory of a TIFF or BigTIFF file of either byte order.

    Args:
        data: The whole file.

    Raises:
        TiffError: The file is not a TIFF, is truncated, lacks a required tag, has tags that
            contradict each other, or gives the samples of a pixel different formats.
    """
    directory = _TiffDirectory(data)
    number = directory.number
    tiled = directory.in_tiles()
    width, height = number(WIDTH), number(HEIGHT)
    n_samples = number(SAMPLES_PER_PIXEL, 1)
    tile = (number(TILE_HEIGHT), number(TILE_WIDTH)) if tiled else None
    rows_per_strip = min(number(ROWS_PER_STRIP, height), height)
    block = tile or (rows_per_strip, width)
    if min(width, height, *block) < 1 or not 1 <= n_samples <= _MAX_SAMPLES:
        raise TiffError(
            f"claims {width} x {height} pixels of {n_samples} samples in "
            f"{'tiles' if tiled else 'strips'} of {block[1]} x {block[0]}"
        )
    directory.refuse_odd(n_samples)
    planar = number(PLANAR_CONFIG, CONTIGUOUS)
    if planar not in {CONTIGUOUS, SEPARATE}:
        raise TiffError(f"PlanarConfiguration is {planar}, expected 1 or 2")
    return TiffHeader(
        byte_order=directory.order,
        width=width,
        height=height,
        n_samples=n_samples,
        bits=number(BITS_PER_SAMPLE, 1, n_samples=n_samples),
        sample_format=number(SAMPLE_FORMAT, 1, n_samples=n_samples),
        compression=number(COMPRESSION, 1),
        photometric=number(PHOTOMETRIC, 1),
        planar=planar,
        predictor=number(PREDICTOR, 1),
        fill_order=number(FILL_ORDER, 1),
        tile=tile,
        rows_per_strip=rows_per_strip,
        offsets=directory.values(TILE_OFFSETS if tiled else STRIP_OFFSETS),
        byte_counts=directory.values(TILE_BYTE_COUNTS if tiled else STRIP_BYTE_COUNTS),
        consulted=tuple(directory.consulted),
    )
