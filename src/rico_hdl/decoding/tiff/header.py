"""Reading the first directory of a TIFF file.

In: a whole file as bytes. Out: a `TiffHeader`: how the pixels are stored, and where the strips or
tiles are. Every offset is checked against the file's size, and every count against the image's
size. Only the first directory is read, and pixels are never touched.

The parser is stricter than libtiff, which repairs what it can: a missing or contradictory tag means
that the file is damaged or that its writer meant something else, so the pixels would be a guess.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from operator import add
from typing import Final, NamedTuple

from rico_hdl.decoding.tiff import directory as tags
from rico_hdl.decoding.tiff.directory import TiffDirectory, Values
from rico_hdl.errors import TiffError

NONE: Final = 1
"""The number of no compression."""

CONTIGUOUS: Final = 1
SEPARATE: Final = 2

_MAX_SAMPLES: Final = 0xFFFF
"""SamplesPerPixel is a SHORT."""
_NATIVE: Final = "<" if sys.byteorder == "little" else ">"
_OF_CODEC: Final = {
    3: tags.T4_OPTIONS, 4: tags.T6_OPTIONS, 7: tags.JPEG_TABLES, 34887: tags.LERC_PARAMETERS,
}  # fmt: skip
"""Compression -> the tag that its decoder depends on."""


class Segments(NamedTuple):
    """The strips or tiles of an image, in file order: planes, then rows, then columns."""

    offsets: array[int]
    """Zero-based offset of each one's first byte in the file; 0 for a sparse one."""
    counts: array[int]
    """Bytes of each one in the file; 0 for a sparse one."""
    sizes: list[int]
    """Bytes of each one when decoded, including the padding of tiles."""
    is_sparse: bool = False
    """Whether some of them are not stored, because all of their pixels have the same value."""
    was_cut: bool = False
    """Whether ``counts`` has smaller numbers than the file, where those extend beyond its end."""


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
    byte_counts: Values | None
    """How long they are; None if the only strip or tile extends to the end of the file."""
    nodata: Values | None
    """GDAL's nodata value as text, which is the value of sparse strips and tiles."""
    codec_options: tuple[tuple[int, tuple[int, ...]], ...]
    """The tags that the decoder of the compression depends on, with their values."""
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
    def block_shape(self) -> tuple[int, int]:
        """(rows, columns) of a tile or of any strip but the last."""
        return self.tile or (self.rows_per_strip, self.width)

    @property
    def grid(self) -> tuple[int, int]:
        """How many strips or tiles a plane has, (from top to bottom, from left to right)."""
        rows, columns = self.tile or (self.rows_per_strip, self.width)
        return -(-self.height // rows), -(-self.width // columns)

    @property
    def n_blocks(self) -> int:
        """How many strips or tiles the image takes."""
        down, across = self.grid
        return self.n_planes * down * across

    @property
    def n_bytes(self) -> int:
        """Bytes of all strips or tiles when decoded, including the padding of tiles."""
        rows, columns = self.block_shape
        if self.tile is None:
            return self.n_planes * self.height * self.row_bytes(columns)
        return self.n_blocks * rows * self.row_bytes(columns)

    def row_bytes(self, columns: int) -> int:
        """Bytes per row of a strip or tile; each row starts on a byte boundary."""
        return (columns * (self.n_samples // self.n_planes) * self.bits + 7) // 8

    def read_blocks(self, data: bytes) -> Segments:
        """Locate the strips or tiles.

        Args:
            data: The file that this header was parsed from.

        Raises:
            TiffError: There are too many or too few, or one is outside the file.
        """
        what, n_blocks = "strip" if self.tile is None else "tile", self.n_blocks
        for values in (self.offsets, self.byte_counts):
            if values is not None and values.n != n_blocks:
                raise TiffError(f"has {values.n} {what}s, expected {n_blocks} for the image's size")
        offsets = self._table(data, self.offsets)
        if self.byte_counts is None:
            counts = array("Q", [max(0, len(data) - offsets[0])])
        else:
            counts = self._table(data, self.byte_counts)
        is_sparse = min(offsets) < 8 or min(counts) < 1
        if is_sparse:
            for i, place in enumerate(zip(offsets, counts, strict=True)):
                if place != (0, 0) and (place[0] < 8 or place[1] < 1):
                    raise TiffError(
                        f"damaged: {what} {i} has {place[1]} bytes at byte {place[0]}, expected "
                        f"0 bytes at byte 0 if it is sparse"
                    )
        sizes = self._sizes()
        was_cut = max(map(add, offsets, counts)) > len(data)
        if was_cut:
            if self.compression == NONE and self.tile is None:  # GDAL reads only the pixels, too
                counts = array("Q", map(min, counts, sizes))
            self._refuse_outside(data, offsets, counts)
        return Segments(offsets, counts, sizes, is_sparse, was_cut)

    def _refuse_outside(self, data: bytes, offsets: array[int], counts: array[int]) -> None:
        for i, (start, count) in enumerate(zip(offsets, counts, strict=True)):
            if start + count > len(data):
                raise TiffError(
                    f"truncated: {'strip' if self.tile is None else 'tile'} {i} is at bytes "
                    f"{start} to {start + count}, but the file ends at {len(data)}"
                )

    def _table(self, data: bytes, values: Values) -> array[int]:
        """The values of a tag, as an array: some files have ten thousand of them."""
        table = array(values.format, data[values.start : values.stop])
        if self.byte_order != _NATIVE:
            table.byteswap()
        return table

    def _sizes(self) -> list[int]:
        if self.tile is not None:
            rows, columns = self.tile
            return [rows * self.row_bytes(columns)] * self.n_blocks
        row_bytes = self.row_bytes(self.width)
        n = -(-self.height // self.rows_per_strip)
        last = self.height - (n - 1) * self.rows_per_strip
        sizes = [self.rows_per_strip * row_bytes] * (n - 1) + [last * row_bytes]
        return sizes * self.n_planes


def parse_header(data: bytes) -> TiffHeader:
    """Read the first directory of a TIFF or BigTIFF file of either byte order.

    Args:
        data: The whole file.

    Raises:
        TiffError: The file is not a TIFF, is truncated, lacks a required tag, has tags that
            contradict each other, or gives the samples of a pixel different formats.
    """
    directory = TiffDirectory(data)
    number = directory.number
    tiled = directory.in_tiles()
    width, height = number(tags.WIDTH), number(tags.HEIGHT)
    n_samples = number(tags.SAMPLES_PER_PIXEL, 1)
    tile = (number(tags.TILE_HEIGHT), number(tags.TILE_WIDTH)) if tiled else None
    rows_per_strip = min(number(tags.ROWS_PER_STRIP, height), height)
    block = tile or (rows_per_strip, width)
    if min(width, height, *block) < 1 or not 1 <= n_samples <= _MAX_SAMPLES:
        raise TiffError(
            f"claims {width} x {height} pixels of {n_samples} samples in "
            f"{'tiles' if tiled else 'strips'} of {block[1]} x {block[0]}"
        )
    directory.refuse_odd(n_samples)
    planar = number(tags.PLANAR_CONFIG, CONTIGUOUS)
    fill_order = number(tags.FILL_ORDER, 1)
    if planar not in {1, 2} or fill_order not in {1, 2}:
        raise TiffError(
            f"PlanarConfiguration is {planar} and FillOrder {fill_order}, expected 1 or 2"
        )
    compression = number(tags.COMPRESSION, NONE)
    offsets = directory.values(tags.TILE_OFFSETS if tiled else tags.STRIP_OFFSETS)
    counts_tag = tags.TILE_BYTE_COUNTS if tiled else tags.STRIP_BYTE_COUNTS
    options = _OF_CODEC.get(compression)
    return TiffHeader(
        byte_order=directory.order,
        width=width,
        height=height,
        n_samples=n_samples,
        bits=number(tags.BITS_PER_SAMPLE, 1, n_samples=n_samples),
        sample_format=number(tags.SAMPLE_FORMAT, 1, n_samples=n_samples),
        compression=compression,
        photometric=number(tags.PHOTOMETRIC, 1),
        planar=planar,
        predictor=number(tags.PREDICTOR, 1),
        fill_order=fill_order,
        tile=tile,
        rows_per_strip=rows_per_strip,
        offsets=offsets,
        byte_counts=(
            directory.entries.get(counts_tag) if offsets.n == 1 else directory.values(counts_tag)
        ),
        nodata=directory.entries.get(tags.GDAL_NODATA),
        codec_options=() if options is None else ((options, directory.numbers(options)),),
        consulted=tuple(directory.consulted),
    )
