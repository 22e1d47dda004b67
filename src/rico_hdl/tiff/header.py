"""Reading the first directory of a TIFF file.

In: a whole file as bytes. Out: a `Header` with all that decides how pixels are stored. It checks
every offset against the file's size, follows no more than the first directory, and never touches
pixels.

Tag numbers and types: TIFF 6.0 (Aldus, 1992), its Technical Note 3 (predictor 3), and BigTIFF.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from rico_hdl.errors import TiffError

# Tags that decide about pixels; all others are skipped.
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
SAMPLE_FORMAT: Final = 339

_WANTED: Final = frozenset(
    {
        WIDTH, HEIGHT, BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS,
        SAMPLES_PER_PIXEL, ROWS_PER_STRIP, STRIP_BYTE_COUNTS, PLANAR_CONFIG, PREDICTOR,
        TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTE_COUNTS, SAMPLE_FORMAT,
    }
)  # fmt: skip

# Unsigned integer types by TIFF type number: BYTE, SHORT, LONG, IFD, LONG8, IFD8.
_FORMATS: Final = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_SIZES: Final = {"B": 1, "H": 2, "I": 4, "Q": 8}

CONTIGUOUS: Final = 1
SEPARATE: Final = 2


@dataclass(frozen=True, slots=True)
class Values:
    """Where a tag's values lie; read only when asked for, since compressed files don't need them."""

    format: str
    """The struct code of one value."""
    n: int
    """How many values there are."""
    start: int
    """Zero-based offset of the first one in the file."""

    @property
    def stop(self) -> int:
        """Zero-based offset behind the last one."""
        return self.start + self.n * _SIZES[self.format]


@dataclass(frozen=True, slots=True)
class Header:
    """What the first directory says about the pixels."""

    byte_order: str
    """``<`` or ``>``."""
    width: int
    """Columns."""
    height: int
    """Rows."""
    n_samples: int
    """Samples per pixel: the number of bands."""
    bits: int
    """Bits of one sample; the same for all."""
    sample_format: int
    """1 unsigned, 2 signed, 3 float, 4 undefined, 5 and 6 complex."""
    compression: int
    """1 for none; see `rico_hdl.tiff.decode` for the others."""
    photometric: int
    """0 and 1 grey, 2 RGB, 3 palette, 5 CMYK, 6 YCbCr, …"""
    planar: int
    """1 where the samples of a pixel lie together, 2 where each band lies apart."""
    predictor: int
    """1 none, 2 horizontal differences, 3 floating point."""
    fill_order: int
    """1 where the first pixel is in the high bits of a byte."""
    tile: tuple[int, int] | None
    """(rows, columns) of a tile; None for strips."""
    rows_per_strip: int
    """Rows of a strip, at most ``height``; meaningless for tiles."""
    offsets: Values
    """Where the strips or tiles begin."""
    byte_counts: Values | None
    """How long they are, where the file says so."""
    one_page: bool
    """Whether there is no second directory."""
    consulted: tuple[tuple[int, int], ...]
    """The [start, stop) ranges of the file that all of the above was read from. A file with the
    same bytes in these ranges, at least as long as the last of them, has the same header."""

    @property
    def n_bytes(self) -> int:
        """Bytes of the decoded image."""
        return self.width * self.height * self.n_samples * ((self.bits + 7) // 8)

    def read(self, data: bytes, values: Values) -> tuple[int, ...]:
        """The values of a tag.

        Args:
            data: The file that this header was parsed from.
            values: One of ``offsets`` and ``byte_counts``.
        """
        return struct.unpack_from(f"{self.byte_order}{values.n}{values.format}", data, values.start)


class _Directory:
    """The wanted entries of the first directory, and a note of every byte that was looked at."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.consulted: list[tuple[int, int]] = []
        self.entries: dict[int, Values] = {}
        order = {b"II": "<", b"MM": ">"}.get(data[:2])
        if order is None:
            what = "is empty" if not data else f"begins with {data[:4].hex(' ')}"
            raise TiffError(f"not a TIFF file: {what}, expected 49 49 2a 00 or 4d 4d 00 2a")
        self.order = order
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
                f"truncated: the header goes to byte {start + layout.size}, "
                f"the file ends at {len(self.data)}"
            )
        self.consulted.append((start, start + layout.size))
        return layout.unpack_from(self.data, start)

    def _read_entries(self, start: int, *, count_format: str, offset_format: str) -> None:
        (n_entries,) = self.unpack(count_format, start)
        position = start + _SIZES[count_format]
        value_size = _SIZES[offset_format]
        entry = struct.Struct(f"{self.order}HH{offset_format}")
        entry_size = entry.size + value_size
        stop = position + n_entries * entry_size
        if stop + value_size > len(self.data):
            raise TiffError(
                f"truncated: the directory goes to byte {stop + value_size}, "
                f"the file ends at {len(self.data)}"
            )
        self.consulted.append((position, stop + value_size))
        for at in range(position, stop, entry_size):
            tag, kind, n = entry.unpack_from(self.data, at)
            if tag not in _WANTED:
                continue
            if tag in self.entries:
                raise TiffError(f"tag {tag} stands twice")
            code = _FORMATS.get(kind)
            if code is None or n == 0:
                raise TiffError(f"tag {tag} has type {kind} and {n} values, expected integers")
            where = at + entry.size
            if n * _SIZES[code] > value_size:
                (where,) = struct.unpack_from(self.order + offset_format, self.data, where)
            values = Values(code, n, where)
            if values.stop > len(self.data):
                raise TiffError(
                    f"truncated: tag {tag} lies at bytes {where} to {values.stop}, "
                    f"the file ends at {len(self.data)}"
                )
            self.entries[tag] = values
        self.one_page = not any(self.data[stop : stop + value_size])

    def number(self, tag: int, default: int | None = None) -> int:
        """The single value of a tag, or the one value that all samples share."""
        values = self.entries.get(tag)
        if values is None:
            if default is None:
                raise TiffError(f"tag {tag} is missing")
            return default
        found = set(self.unpack(f"{values.n}{values.format}", values.start))
        if len(found) != 1:
            raise TiffError(f"tag {tag} differs between samples: {sorted(found)[:4]}")
        return found.pop()


def parse_header(data: bytes) -> Header:
    """Read the first directory of a TIFF or BigTIFF file of either byte order.

    Args:
        data: The whole file.

    Raises:
        TiffError: The bytes are no TIFF, are truncated, lack a needed tag, or give the samples of a
            pixel different formats.
    """
    directory = _Directory(data)
    entries, number = directory.entries, directory.number
    width, height = number(WIDTH), number(HEIGHT)
    tile = None
    if TILE_OFFSETS in entries:
        if STRIP_OFFSETS in entries:
            raise TiffError("has both strips and tiles")
        tile = (number(TILE_HEIGHT), number(TILE_WIDTH))
    elif STRIP_OFFSETS not in entries:
        raise TiffError("has neither strips nor tiles")
    rows_per_strip = min(number(ROWS_PER_STRIP, height), height)
    sides = (width, height, *(tile or (rows_per_strip,)))
    n_samples = number(SAMPLES_PER_PIXEL, 1)
    if min(*sides, n_samples) < 1:
        raise TiffError(f"claims {width} x {height} pixels of {n_samples} samples, strips {sides}")
    return Header(
        byte_order=directory.order,
        width=width,
        height=height,
        n_samples=n_samples,
        bits=number(BITS_PER_SAMPLE, 1),
        sample_format=number(SAMPLE_FORMAT, 1),
        compression=number(COMPRESSION, 1),
        photometric=number(PHOTOMETRIC, 1),
        planar=number(PLANAR_CONFIG, CONTIGUOUS),
        predictor=number(PREDICTOR, 1),
        fill_order=number(FILL_ORDER, 1),
        tile=tile,
        rows_per_strip=rows_per_strip,
        offsets=entries[STRIP_OFFSETS if tile is None else TILE_OFFSETS],
        byte_counts=entries.get(STRIP_BYTE_COUNTS if tile is None else TILE_BYTE_COUNTS),
        one_page=directory.one_page,
        consulted=tuple(directory.consulted),
    )
