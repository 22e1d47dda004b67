"""From the bytes of a TIFF file to rasters.

In: a whole file as bytes. Out: one `Raster` for each band, in file order. Two ways lead there and
give the same bits: uncompressed strips are sliced out of the file, after every assumption of that
was checked; all else is decoded by libtiff, after the header was checked for what libtiff or its
wrapper would silently change.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rico_hdl.errors import TiffError
from rico_hdl.tiff.header import CONTIGUOUS, SEPARATE, Header, parse_header

if TYPE_CHECKING:
    import numpy as np

MAX_IMAGE_BYTES: Final = 512 * 2**20
"""Bytes that one decoded file may have. Patches are far smaller: 13 MB for a whole Major-TOM
product. A damaged or hostile header that claims more is refused before memory is taken."""

_NONE: Final = 1
_LERC: Final = 34887
_LOSSLESS: Final = {
    _NONE: "none",
    5: "LZW",
    8: "deflate",
    32773: "PackBits",
    32946: "deflate",
    _LERC: "LERC",
    34925: "LZMA",
    50000: "zstd",
}
_KINDS: Final = {1: "uint", 2: "int", 3: "float", 4: "uint"}
_STORED: Final = frozenset(
    f"{kind}{bits}"
    for kind, sizes in {
        "uint": (8, 16, 32, 64),
        "int": (8, 16, 32, 64),
        "float": (16, 32, 64),
    }.items()
    for bits in sizes
)
_GREY_RGB_PALETTE: Final = frozenset({0, 1, 2, 3})


@dataclass(frozen=True, slots=True)
class Raster:
    """One band's pixels."""

    dtype: str
    """The numpy name, such as ``uint16``."""
    shape: tuple[int, int]
    """(rows, columns)."""
    data: bytes | memoryview
    """The pixels: C order, little-endian, without gaps."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What was learnt from one uncompressed file, to be reused for files with the same header.

    A header is a pure function of the byte ranges that were consulted for it; a file with the same
    bytes there, and long enough, has its pixels at the same places.
    """

    ranges: tuple[tuple[int, int, bytes], ...]
    n_bytes: int
    pieces: tuple[tuple[int, int], ...]
    header: Header
    dtype: str

    def holds_for(self, data: bytes) -> bool:
        if len(data) < self.n_bytes:
            return False
        return all(data[start:stop] == expected for start, stop, expected in self.ranges)


class Decoder:
    """Decodes files that usually look alike, such as one band of many patches.

    It remembers the header of the last uncompressed file: where the next one's is the same, nothing
    is parsed. May be shared by threads; it keeps no reference to a file's pixels.
    """

    def __init__(self) -> None:
        self._known: _Known | None = None

    def decode(self, data: bytes) -> tuple[Raster, ...]:
        """The bands of the first image in the file.

        Args:
            data: The whole file.

        Returns:
            One raster for each band, in file order. They may be views of ``data``.

        Raises:
            TiffError: The file is damaged, or is encoded in a way that is not known to be decoded
                without loss or change.
        """
        known = self._known
        if known is None or not known.holds_for(data):
            header = parse_header(data)
            known = _learn(data, header)
            if known is None:
                return _decode_with_libtiff(data, header)
            self._known = known
        return _slice(data, known)


def _merge(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Adjacent [start, stop) ranges joined; the order is kept, so nothing else is."""
    merged = [ranges[0]]
    for start, stop in ranges[1:]:
        if start == merged[-1][1]:
            merged[-1] = (merged[-1][0], stop)
        else:
            merged.append((start, stop))
    return merged


def _learn(data: bytes, header: Header) -> _Known | None:
    """Where the pixels of an uncompressed file lie, or None where libtiff had better decide."""
    dtype = f"{_KINDS.get(header.sample_format)}{header.bits}"
    plain = (
        sys.byteorder == "little"
        and (header.byte_order == "<" or header.bits == 8)
        and header.compression == _NONE
        and header.predictor == 1
        and header.fill_order == 1
        and header.photometric in _GREY_RGB_PALETTE
        and header.planar in (CONTIGUOUS, SEPARATE)
        and header.one_page
        and header.tile is None
        and header.byte_counts is not None
        and header.sample_format in (1, 2, 3)
        and dtype in _STORED
    )
    if not plain or header.byte_counts is None:
        return None
    planes = header.n_samples if header.planar == SEPARATE else 1
    row_bytes = header.width * (header.n_samples // planes) * (header.bits // 8)
    strips_per_plane = math.ceil(header.height / header.rows_per_strip)
    if {header.offsets.n, header.byte_counts.n} != {planes * strips_per_plane}:
        return None
    last = header.height - (strips_per_plane - 1) * header.rows_per_strip
    rows = [*[header.rows_per_strip] * (strips_per_plane - 1), last] * planes
    counts = header.read(data, header.byte_counts)
    if counts != tuple(n * row_bytes for n in rows):
        return None
    offsets = header.read(data, header.offsets)
    strips = [(start, start + n) for start, n in zip(offsets, counts, strict=True)]
    if min(offsets) < 8 or max(stop for _, stop in strips) > len(data):
        return None
    consulted = [
        *header.consulted,
        (header.offsets.start, header.offsets.stop),
        (header.byte_counts.start, header.byte_counts.stop),
    ]
    ranges = _merge(sorted(set(consulted)))
    return _Known(
        ranges=tuple((start, stop, data[start:stop]) for start, stop in ranges),
        n_bytes=max(stop for _, stop in (*strips, *ranges)),
        pieces=tuple(_merge(strips)),
        header=header,
        dtype=dtype,
    )


def _slice(data: bytes, known: _Known) -> tuple[Raster, ...]:
    """The bands of an uncompressed file whose pixels lie at known places."""
    view = memoryview(data)
    header = known.header
    pixels: bytes | memoryview
    if len(known.pieces) == 1:
        start, stop = known.pieces[0]
        pixels = view[start:stop]
    else:
        pixels = b"".join([view[start:stop] for start, stop in known.pieces])
    shape = (header.height, header.width)
    if header.n_samples == 1:
        return (Raster(known.dtype, shape, pixels),)
    if header.planar == SEPARATE:
        view, n = memoryview(pixels), len(pixels) // header.n_samples
        return tuple(
            Raster(known.dtype, shape, view[i * n : (i + 1) * n]) for i in range(header.n_samples)
        )
    import numpy as np  # noqa: PLC0415 - a fifth of a second that single-band files never need

    image = np.frombuffer(pixels, known.dtype).reshape(*shape, header.n_samples)
    return _rasters(image.transpose(2, 0, 1))


def _rasters(bands: np.ndarray) -> tuple[Raster, ...]:
    """Rasters from an array of shape (band, row, column) in any memory layout and byte order."""
    import numpy as np  # noqa: PLC0415 - see above

    dtype = bands.dtype.newbyteorder("<")
    # Contiguous first: a strided view would be stored with the wrong pixels, without an error.
    plain = np.ascontiguousarray(bands, dtype)
    n_bands, rows, columns = plain.shape
    view = memoryview(plain.reshape(-1).view(np.uint8))
    n = len(view) // n_bands
    return tuple(
        Raster(dtype.name, (rows, columns), view[i * n : (i + 1) * n]) for i in range(n_bands)
    )


def _refuse_doubtful(header: Header) -> None:
    """Raise for what libtiff, or its wrapper, does not decode to the stored values."""
    if header.compression not in _LOSSLESS:
        raise TiffError(
            f"compression {header.compression} is not supported, expected one of "
            f"{', '.join(dict.fromkeys(_LOSSLESS.values()))}"
        )
    if header.compression == _LERC and header.byte_order == ">" and header.bits > 8:
        # imagecodecs 2026.3.6 decodes big-endian float LERC to wrong values without an error.
        raise TiffError("big-endian LERC is not supported: decoders disagree about its values")
    if header.photometric not in _GREY_RGB_PALETTE:
        raise TiffError(
            f"photometric interpretation {header.photometric} is not supported, "
            f"expected grey, RGB or palette (0 to 3)"
        )
    if header.sample_format not in _KINDS:
        raise TiffError(f"sample format {header.sample_format} is not supported (complex numbers?)")
    tile_rows, tile_columns = header.tile or (header.rows_per_strip, header.width)
    in_tiles = (
        math.ceil(header.height / tile_rows) * tile_rows
        * math.ceil(header.width / tile_columns) * tile_columns
        * header.n_samples * math.ceil(header.bits / 8)
    )  # fmt: skip
    if max(header.n_bytes, in_tiles) > MAX_IMAGE_BYTES:
        raise TiffError(
            f"claims {header.width} x {header.height} pixels of {header.n_samples} samples: "
            f"{max(header.n_bytes, in_tiles)} bytes decoded, more than the {MAX_IMAGE_BYTES} allowed"
        )


def _decode_with_libtiff(data: bytes, header: Header) -> tuple[Raster, ...]:
    """The bands of any other file."""
    _refuse_doubtful(header)
    import imagecodecs  # noqa: PLC0415 - only compressed files pay for it
    import numpy as np  # noqa: PLC0415 - see above

    try:
        image = imagecodecs.tiff_decode(data, index=0)
    except (imagecodecs.TiffError, ValueError, RuntimeError, MemoryError) as error:
        raise TiffError(f"can't be decoded: {error}") from error
    if image.dtype == np.bool_:
        image = image.view(np.uint8)
    if header.n_samples == 1:
        expected: tuple[int, ...] = (header.height, header.width)
    elif header.planar == SEPARATE:
        expected = (header.n_samples, header.height, header.width)
    else:
        expected = (header.height, header.width, header.n_samples)
    # Samples of 1, 4 or 12 bits become the next wider integer; all others must keep their type.
    stored = f"{_KINDS[header.sample_format]}{max(8, 1 << (header.bits - 1).bit_length())}"
    if image.shape != expected or image.dtype.name != stored or stored not in _STORED:
        raise TiffError(
            f"can't be decoded: the header says {stored} {expected}, "
            f"the decoder gave {image.dtype.name} {image.shape}"
        )
    if header.n_samples == 1:
        return _rasters(image[np.newaxis])
    return _rasters(image if header.planar == SEPARATE else np.moveaxis(image, 2, 0))
