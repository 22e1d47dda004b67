"""PNG and JPEG files of every kind, and independent readers of them."""

import random
import struct
import warnings
import zlib
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image
from rasterio import Env
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

PNG = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel, by colour type: grey, RGB, palette, grey and alpha, RGB and alpha."""
KINDS = [
    *((0, bits) for bits in (1, 2, 4, 8, 16)),
    *((3, bits) for bits in (1, 2, 4, 8)),
    *((colour, bits) for colour in (2, 4, 6) for bits in (8, 16)),
]
"""Every (colour type, bits) that PNG has."""
_ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)


def chunk(name, body=b""):
    """A chunk with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def chunks_of(data):
    """(name, body) of each chunk of an intact file."""
    found, at = [], 8
    while at < len(data):
        (n,) = struct.unpack_from(">I", data, at)
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + n]))
        at += 12 + n
    return found


def png(stack, colour=None, bits=None, *, interlaced=False, rng=None, extra=(), n_idat=1, level=6):
    """A PNG file.

    Args:
        stack: (band, row, column), uint8 or uint16.
        colour: The colour type; by default that of the number of bands.
        bits: Bits of a sample; by default those of the dtype.
        interlaced: Whether to write seven passes.
        rng: Chooses a filter for each row; none without it.
        extra: Chunks between the header and the data.
        n_idat: The number of chunks that hold the data.
        level: Of zlib.
    """
    n_bands, n_rows, n_columns = stack.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[n_bands] if colour is None else colour
    bits = bits or 8 * stack.itemsize
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = b"".join(
        _filtered(stack[:, row::row_step, column::column_step], bits, rng)
        for row, column, row_step, column_step in passes
    )
    stream = zlib.compress(rows, level)
    palette = []
    if colour == 3:
        palette = [chunk(b"PLTE", bytes(i * 7 % 256 for i in range(3 * 2**bits)))]
    size = -(-len(stream) // n_idat)
    data = [chunk(b"IDAT", stream[i : i + size]) for i in range(0, len(stream), size)]
    header = struct.pack(">2I5B", n_columns, n_rows, bits, colour, 0, 0, interlaced)
    return b"".join([PNG, chunk(b"IHDR", header), *palette, *extra, *data, chunk(b"IEND")])


def _filtered(stack, bits, rng):
    """The rows of a pass: a byte for the filter, and the filtered bytes."""
    n_bands, n_rows, n_columns = stack.shape
    if not n_rows or not n_columns:
        return b""
    samples = np.moveaxis(stack, 0, -1).reshape(n_rows, n_columns * n_bands)
    if bits < 8:
        as_bits = np.unpackbits(samples.astype("u1")[..., None], axis=-1)[..., 8 - bits :]
        rows = np.packbits(as_bits.reshape(n_rows, -1), axis=1)
    else:
        rows = np.frombuffer(samples.astype(f">u{bits // 8}").tobytes(), "u1").reshape(n_rows, -1)
    step = max(1, n_bands * bits // 8)
    rows = rows.astype(int)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    left = np.hstack([np.zeros((n_rows, step), int), rows])[:, : rows.shape[1]]
    corner = np.hstack([np.zeros((n_rows, step), int), above])[:, : rows.shape[1]]
    guess = left + above - corner
    distances = np.stack([abs(guess - left), abs(guess - above), abs(guess - corner)])
    paeth = np.choose(distances.argmin(axis=0), [left, above, corner])
    predictions = [0 * rows, left, above, (left + above) // 2, paeth]
    out = b""
    for row in range(n_rows):
        kind = rng.randrange(5) if rng else 0
        out += bytes([kind]) + ((rows - predictions[kind]) % 256)[row].astype("u1").tobytes()
    return out


def jpeg(stack, **options):
    """A JPEG file of a stack of one or three bands, by Pillow."""
    image = stack[0] if len(stack) == 1 else np.ascontiguousarray(np.moveaxis(stack, 0, -1))
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def smooth(rng, shape):
    """Bands of shape (band, row, column) that look like an image."""
    steps = np.random.default_rng(rng.randrange(2**32)).normal(size=shape)
    walk = steps.cumsum(1).cumsum(2)
    walk -= walk.min()
    return (walk / max(walk.max(), 1e-9) * 220 + 10 * abs(steps)).clip(0, 255).astype("u1")


def by_pillow(data):
    """The bands of a file as Pillow reads them, of shape (band, row, column)."""
    with Image.open(BytesIO(data)) as image:
        pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


def by_gdal(data):
    """The bands of a file as GDAL reads them, which here refuses what libjpeg warns about."""
    with warnings.catch_warnings(), Env(GDAL_ERROR_ON_LIBJPEG_WARNING=True):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(data) as memory, memory.open() as file:
            return file.read()


@cache
def gdal_has_libjpeg_turbo():
    """Whether GDAL decodes colour JPEG as Pillow does; rasterio's wheels of 2025 don't."""
    data = jpeg(smooth(random.Random(0), (3, 32, 32)))
    return bool(np.array_equal(by_gdal(data), by_pillow(data)))


def stacked(rasters):
    """Our bands as one array of shape (band, row, column)."""
    return np.stack([np.frombuffer(r.data, r.dtype).reshape(r.shape) for r in rasters])


def random_samples(rng, shape, bits):
    """Random samples of a number of bits, of shape (band, row, column)."""
    n_samples = shape[0] * shape[1] * shape[2]
    samples = np.frombuffer(rng.randbytes(2 * n_samples), "<u2").reshape(shape)
    return (samples & (2**bits - 1)).astype("u2" if bits == 16 else "u1")
