"""Decoding PNG files, bit for bit.

Format: W3C "Portable Network Graphics (PNG) Specification", third edition. libpng decodes the
pixels, but it ignores some damage, and `imagecodecs.png_decode` expands palettes, transparency and
narrow grey samples to what a screen would show. So this module verifies all checksums and inflates
the data itself, and hands libpng a plain file with the same samples: stored data, no palette, no
transparency. The samples come out as the file holds them, as GDAL returns them:

- A palette gives one band, the indexes.
- Grey samples of 1, 2 and 4 bits keep their values (0 to 1, 3 or 15) in bytes.
- A transparent colour (``tRNS``), gamma, and all other metadata are ignored.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rico_hdl.decoding.foreign import found
from rico_hdl.decoding.raster import MAX_IMAGE_BYTES, Raster, bands_of
from rico_hdl.errors import DecodingError

if TYPE_CHECKING:
    import numpy as np

    from rico_hdl.system.memory import Allowance

PNG_START: Final = b"\x89PNG\r\n\x1a\n"
"""The first bytes of every PNG file."""

_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_SAMPLES: Final = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGB_ALPHA: 4}
_BITS: Final = {
    _GREY: (1, 2, 4, 8, 16),
    _PALETTE: (1, 2, 4, 8),
    **dict.fromkeys((_RGB, _GREY_ALPHA, _RGB_ALPHA), (8, 16)),
}
_CRITICAL: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_LOWER_CASE: Final = 0x20
"""The bit of ASCII that makes a letter lower-case: the first letter of optional chunks' names."""
_ADAM7: Final = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
_ONE_PASS: Final = ((0, 0, 1, 1),)
"""First row, first column, and steps between rows and columns of the passes of an interlaced
image."""


@dataclass(frozen=True, slots=True)
class PngHeader:
    """The header of a PNG file."""

    width: int
    """Columns."""
    height: int
    """Rows."""
    bits: int
    """Bits of a sample."""
    colour: int
    """The colour type."""
    interlaced: bool
    """Whether the image is stored in seven passes."""

    @property
    def n_samples(self) -> int:
        """Samples of a pixel, which are the bands."""
        return _SAMPLES[self.colour]

    @property
    def image_bytes(self) -> int:
        """Bytes of the decoded image."""
        return self.width * self.height * self.n_samples * (2 if self.bits == 16 else 1)

    @property
    def passes(self) -> list[tuple[slice, slice, int]]:
        """The rows and the columns of each pass, and the bytes of its filtered rows."""
        passes = []
        for row, column, row_step, column_step in _ADAM7 if self.interlaced else _ONE_PASS:
            rows, columns = slice(row, None, row_step), slice(column, None, column_step)
            n_columns = len(range(column, self.width, column_step))
            row_bytes = 1 + -(-n_columns * self.n_samples * self.bits // 8)
            n_bytes = len(range(row, self.height, row_step)) * row_bytes
            if n_columns and n_bytes:
                passes.append((rows, columns, n_bytes))
        return passes

    @property
    def stream_bytes(self) -> int:
        """Bytes of the inflated data: the rows of each pass, with a byte each for the filter."""
        return sum(n_bytes for _, _, n_bytes in self.passes)


class PngDecoder:
    """Decodes PNG files; may be shared by threads."""

    def decode(self, data: bytes, allowance: Allowance | None = None) -> tuple[Raster, ...]:
        """Decode a file; of an animation, its default image.

        Args:
            data: The whole file.
            allowance: The memory that decoding may take, beyond the file; any if None.

        Returns:
            One raster for grey files and palettes, three for red, green and blue; and one more for
            alpha if each pixel has it.

        Raises:
            MemoryLimitError: Decoding would take more memory.
            DecodingError: The file is damaged, or not a PNG.
        """
        header, streams = parse(data)
        if header.image_bytes > MAX_IMAGE_BYTES:
            raise DecodingError(
                f"claims {header.width} x {header.height} pixels of {header.n_samples} samples: "
                f"{header.image_bytes} bytes decoded, expected at most {MAX_IMAGE_BYTES}"
            )
        if allowance is not None:
            # The data as one piece, inflated and stored, and the image.
            allowance.need(len(data) + 2 * header.stream_bytes + header.image_bytes)
        return bands_of(_decoded(header, _inflated(header, streams)))


def parse(data: bytes) -> tuple[PngHeader, list[memoryview]]:
    """The header of a file, and the parts of its compressed data.

    Raises:
        DecodingError: The file is not a PNG, a checksum is wrong, or chunks are missing or unknown.
    """
    if not data.startswith(PNG_START):
        raise DecodingError(f"not a PNG file: {found(data)}, expected {PNG_START.hex(' ')}")
    header: PngHeader | None = None
    streams: list[memoryview] = []
    at = len(PNG_START)
    name, has_palette = b"", False
    while name != b"IEND":
        previous, start = name, at
        name, body, at = _chunk(data, start)
        if header is None:
            header = _header(name, body)
        elif name == b"IHDR" or (name == b"IDAT" and streams and previous != b"IDAT"):
            raise _damaged(f"the chunk {name.decode()} at byte {start} is misplaced")
        elif name not in _CRITICAL and not name[0] & _LOWER_CASE:
            raise DecodingError(f"the PNG chunk {name!a} at byte {start} is not supported")
        if name == b"PLTE" and not streams:
            has_palette = 0 < len(body) <= 3 * 256 and len(body) % 3 == 0
        if name == b"IDAT":
            streams.append(body)
    if header is None or not streams or (header.colour == _PALETTE and not has_palette):
        raise _damaged(f"it has no {'palette' if streams else 'pixels'}")
    return header, streams


def _chunk(data: bytes, at: int) -> tuple[bytes, memoryview, int]:
    """The name and body of the chunk at a position, and the position after it."""
    view = memoryview(data)
    n_bytes = int.from_bytes(view[at : at + 4], "big")
    stop = at + 12 + n_bytes
    if stop > len(data) or len(data) < at + 12:
        raise _damaged(
            f"expected a chunk of {n_bytes} bytes at byte {at}, it has {len(data)} bytes"
        )
    if zlib.crc32(view[at + 4 : stop - 4]) != int.from_bytes(view[stop - 4 : stop], "big"):
        raise _damaged(f"the checksum of the chunk at byte {at} is wrong")
    name = bytes(view[at + 4 : at + 8])
    if not name.isalpha() or name[2] & _LOWER_CASE:
        raise _damaged(f"the chunk at byte {at} is named {name!a}")
    return name, view[at + 8 : stop - 4], stop


def _header(name: bytes, body: memoryview) -> PngHeader:
    if name != b"IHDR" or len(body) != 13:
        raise _damaged(f"its first chunk is {name!a} of {len(body)} bytes, expected IHDR of 13")
    width, height, bits, colour, compression, filters, interlace = struct.unpack(">2I5B", body)
    if not 0 < width < 2**31 or not 0 < height < 2**31:
        raise _damaged(f"it claims {width} x {height} pixels")
    if bits not in _BITS.get(colour, ()) or compression or filters or interlace > 1:
        raise DecodingError(
            f"PNG with bit depth {bits}, colour type {colour}, compression {compression}, filter "
            f"{filters} and interlace {interlace} is not supported"
        )
    return PngHeader(width, height, bits, colour, bool(interlace))


def _inflated(header: PngHeader, streams: list[memoryview]) -> bytes | bytearray:
    """The filtered rows, whose checksum libdeflate verifies.

    Raises:
        DecodingError: The data is damaged, or too short or long for the image.
    """
    import imagecodecs  # noqa: PLC0415 - takes a tenth of a second

    expected = header.stream_bytes
    try:
        rows = imagecodecs.deflate_decode(b"".join(streams), out=expected)
    except (imagecodecs.DeflateError, ValueError, MemoryError) as error:
        raise _damaged(f"its data does not inflate to {expected} bytes ({error})") from error
    if len(rows) != expected:
        raise _damaged(f"its data inflates to {len(rows)} bytes, expected {expected}")
    return rows


def _decoded(header: PngHeader, stream: bytes | bytearray) -> np.ndarray:
    """The image, of shape (1, rows, columns, samples)."""
    import numpy as np  # noqa: PLC0415 - takes a tenth of a second

    shape = (header.height, header.width, header.n_samples)
    if not header.interlaced:
        return _unfiltered(header, header.width, header.height, stream).reshape(1, *shape)
    image = np.empty(shape, np.uint16 if header.bits == 16 else np.uint8)
    start = 0
    for rows, columns, n_bytes in header.passes:
        part = image[rows, columns]
        pixels = _unfiltered(header, part.shape[1], part.shape[0], stream[start : start + n_bytes])
        part[:] = pixels.reshape(part.shape)
        start += n_bytes
    return image[np.newaxis]


def _unfiltered(header: PngHeader, width: int, height: int, rows: bytes | bytearray) -> np.ndarray:
    """The pixels of a pass, by libpng.

    Raises:
        DecodingError: A row has no known filter.
    """
    import imagecodecs  # noqa: PLC0415 - takes a tenth of a second
    import numpy as np  # noqa: PLC0415 - the same

    colour = _GREY if header.colour == _PALETTE else header.colour
    plain = b"".join(
        [
            PNG_START,
            *_written(b"IHDR", struct.pack(">2I5B", width, height, header.bits, colour, 0, 0, 0)),
            *_written(b"IDAT", zlib.compress(rows, 0)),
            *_written(b"IEND", b""),
        ]
    )
    try:
        image = imagecodecs.png_decode(plain)
    except (imagecodecs.PngError, ValueError, MemoryError) as error:
        raise DecodingError(f"can't be decoded: {' '.join(str(error).split())}") from error
    if header.bits < 8:
        # libpng scales narrow grey samples to 0 to 255.
        image //= np.uint8(255 // (2**header.bits - 1))
    return image


def _written(name: bytes, body: bytes) -> tuple[bytes, ...]:
    """A chunk, in parts."""
    checksum = zlib.crc32(body, zlib.crc32(name))
    return struct.pack(">I", len(body)) + name, body, struct.pack(">I", checksum)


def _damaged(what: str) -> DecodingError:
    return DecodingError(f"the PNG file is damaged or cut short: {what}")
