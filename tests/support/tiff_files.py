"""TIFF files for tests, and independent readers that judge how they are decoded.

There are three different writers: `build` combines any tags and blocks, including contradictory
ones; `by_gdal` and `by_tifffile` encode pixels. Pixels are random bits, so floats include NaN
payloads and negative zeros, and no swapped band or transposed axis goes unnoticed.
"""

import logging
import struct
import warnings
from contextlib import contextmanager
from io import BytesIO

import numpy as np
import rasterio
import tifffile
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.io import MemoryFile

SHORT, LONG, LONG8 = 3, 4, 16
_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 6: "b", 11: "f", 12: "d", 13: "I", 16: "Q"}

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
FILL_ORDER, STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS = 266, 273, 277, 278, 279
PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 284, 317, 322, 323, 324, 325
SAMPLE_FORMAT, DATA_TYPE, IMAGE_DEPTH, TILE_DEPTH = 339, 32996, 32997, 32998


def pixels(shape, dtype, seed=0):
    """Random bits as an array of any dtype."""
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    return np.frombuffer(np.random.default_rng(seed).bytes(n_bytes), dtype).reshape(shape)


def build(tags, blocks, *, order="<", big=False, next_directory=0, tail=b""):
    """A file of one directory, followed by the blocks and the tail.

    Args:
        tags: {tag: (TIFF type, values)}; the entries are written in this order. If the values of
            a strip or tile offsets tag are None, they become the offsets of the blocks, 0 for an
            empty one; if those of a byte counts tag are None, their lengths.
        blocks: The bytes of each strip or tile.
        order: ``<`` or ``>``.
        big: BigTIFF.
        next_directory: The offset of a second directory.
        tail: Bytes after the last block.
    """
    offset, head, count, entry_size = ("Q", 16, "Q", 20) if big else ("I", 8, "H", 12)
    inline = struct.calcsize(offset)
    resolved = dict(tags)
    for tag in (STRIP_COUNTS, TILE_COUNTS):
        if tag in tags and tags[tag][1] is None:
            resolved[tag] = (tags[tag][0], [len(block) for block in blocks])
    for tag in (STRIP_OFFSETS, TILE_OFFSETS):
        if tag in tags and tags[tag][1] is None:
            resolved[tag] = (tags[tag][0], [0] * len(blocks))
    packed = {
        tag: struct.pack(f"{order}{len(values)}{_CODES[kind]}", *values)
        for tag, (kind, values) in resolved.items()
    }
    values_at = head + struct.calcsize(count) + entry_size * len(packed) + inline
    blocks_at = values_at + sum(len(raw) for raw in packed.values() if len(raw) > inline)
    for tag in (STRIP_OFFSETS, TILE_OFFSETS):
        if tag in tags and tags[tag][1] is None:
            sizes = [len(block) for block in blocks]
            places = [blocks_at + sum(sizes[:i]) if sizes[i] else 0 for i in range(len(sizes))]
            packed[tag] = struct.pack(f"{order}{len(places)}{_CODES[tags[tag][0]]}", *places)
    mark = b"II" if order == "<" else b"MM"
    first = (43, 8, 0, head) if big else (42, head)
    out = [mark + struct.pack(f"{order}{'HHHQ' if big else 'HI'}", *first)]
    out.append(struct.pack(f"{order}{count}", len(packed)))
    outside = []
    for tag, raw in packed.items():
        kind, values = resolved[tag]
        out.append(struct.pack(f"{order}HH{offset}", tag, kind, len(values)))
        if len(raw) <= inline:
            out.append(raw.ljust(inline, b"\0"))
        else:
            out.append(struct.pack(f"{order}{offset}", values_at))
            values_at += len(raw)
            outside.append(raw)
    out.append(struct.pack(f"{order}{offset}", next_directory))
    return b"".join([*out, *outside, *blocks, tail])


def plain_tags(shape, dtype, *, rows_per_strip=None, tile=None, planar=1, **changed):
    """The tags of an uncompressed file.

    Args:
        shape: (rows, columns, samples).
        dtype: The samples' type.
        rows_per_strip: Rows of a strip; None for all rows.
        tile: (rows, columns); None for strips.
        planar: Tag 284.
        changed: Tags such as ``t259=(3, [8])`` that replace or extend the others; None to leave
            one out.
    """
    rows, columns, samples = shape
    dtype = np.dtype(dtype)
    tags = {
        WIDTH: (LONG, [columns]),
        HEIGHT: (LONG, [rows]),
        BITS: (SHORT, [dtype.itemsize * 8] * samples),
        COMPRESSION: (SHORT, [1]),
        PHOTOMETRIC: (SHORT, [1]),
        STRIP_OFFSETS: (LONG, None),
        SAMPLES: (SHORT, [samples]),
        ROWS_PER_STRIP: (LONG, [rows_per_strip or rows]),
        STRIP_COUNTS: (LONG, None),
        PLANAR: (SHORT, [planar]),
        TILE_WIDTH: (SHORT, [tile[1]] if tile else None),
        TILE_HEIGHT: (SHORT, [tile[0]] if tile else None),
        TILE_OFFSETS: (LONG, None),
        TILE_COUNTS: (LONG, None),
        SAMPLE_FORMAT: (SHORT, [{"u": 1, "b": 1, "i": 2, "f": 3}[dtype.kind]] * samples),
    }
    unused = (
        (STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_COUNTS)
        if tile
        else (TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS)
    )
    for tag in unused:
        del tags[tag]
    tags |= {int(name[1:]): entry for name, entry in changed.items()}
    return {tag: tags[tag] for tag in sorted(tags) if tags[tag] is not None}


def plain_blocks(image, *, rows_per_strip=None, planar=1, order="<"):
    """The strips of an image of shape (rows, columns, samples)."""
    rows = rows_per_strip or image.shape[0]
    planes = [image] if planar == 1 else [image[..., i] for i in range(image.shape[2])]
    return [
        np.ascontiguousarray(plane[start : start + rows], image.dtype.newbyteorder(order)).tobytes()
        for plane in planes
        for start in range(0, image.shape[0], rows)
    ]


def plain_file(image, *, rows_per_strip=None, planar=1, order="<", big=False, **changed):
    """An uncompressed file of an image of shape (rows, columns, samples)."""
    tags = plain_tags(
        image.shape, image.dtype, rows_per_strip=rows_per_strip, planar=planar, **changed
    )
    blocks = plain_blocks(image, rows_per_strip=rows_per_strip, planar=planar, order=order)
    return build(tags, blocks, order=order, big=big)


SIZES = ((1, 1), (1, 37), (37, 1), (17, 33), (16, 16), (48, 64), (3, 200))
DTYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8")


def random_stack(random, dtypes=DTYPES):
    """Pixels of shape (band, row, column): noise, few values, or all zero."""
    shape = (random.choice([1, 1, 2, 3, 4, 12, 13]), *random.choice(SIZES))
    noise = pixels(shape, random.choice(dtypes), seed=random.getrandbits(32))
    few = (noise.view(f"u{noise.itemsize}") % 3).astype(noise.dtype)
    return random.choice([noise, noise, few, np.zeros_like(noise)])


def tifffile_options(random, stack):
    """Options for `by_tifffile`: an encoding that keeps every bit."""
    compression = random.choice(
        [None, "lzw", "zlib", "deflate", "adobe_deflate", "zstd", "packbits", "lzma", "lerc"]
    )
    rows = stack.shape[1]
    options = {
        "compression": compression,
        "byteorder": random.choice("<>"),
        "bigtiff": random.random() < 0.3,
        "planar": random.choice(["contig", "separate"]),
        "photometric": random.choice(["minisblack", "minisblack", "miniswhite"]),
    }
    if compression not in {None, "packbits", "lerc"}:
        options["predictor"] = random.choice([1, 3] if stack.dtype.kind == "f" else [1, 2])
    if len(stack) in {3, 4} and random.random() < 0.3:
        options["photometric"] = "rgb"
    if random.random() < 0.5:
        options["tile"] = (random.choice([16, 32, 64]), random.choice([16, 48, 128]))
    else:
        options["rowsperstrip"] = random.choice([1, 2, 3, 5, 16, rows, rows + 7])
    return options


def by_tifffile(stack, *, planar="contig", **options):
    """A file that tifffile writes from a stack of shape (band, row, column)."""
    image = stack[0] if len(stack) == 1 else stack
    if len(stack) > 1:
        options["planarconfig"] = planar
        if planar == "contig":
            image = np.ascontiguousarray(np.moveaxis(stack, 0, 2))
    options.setdefault("photometric", "minisblack")
    buffer = BytesIO()
    tifffile.imwrite(buffer, image, metadata=None, software=False, **options)
    return buffer.getvalue()


def by_gdal(stack, *, masked=False, overviews=(), driver="GTiff", **options):
    """A file that GDAL writes from a stack of shape (band, row, column).

    Raises:
        rasterio.errors.RasterioError: GDAL doesn't support the encoding.
    """
    bands, rows, columns = stack.shape
    size = {"width": columns, "height": rows, "count": bands, "dtype": stack.dtype.name}
    with warnings.catch_warnings(), MemoryFile() as file:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with (
                rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
                file.open(driver=driver, **size, **options) as dataset,
            ):
                dataset.write(stack)
                if masked:
                    dataset.write_mask(stack[0] != 0)
                if overviews:
                    dataset.build_overviews(overviews)
        except CPLE_BaseError as error:  # rasterio lets these through when it closes a file
            raise RasterioIOError(str(error)) from error
        return bytes(file.getbuffer())


def read_by_gdal(data):
    """The bands as GDAL reads them, each of shape (row, column).

    Raises:
        rasterio.errors.RasterioError: GDAL can't read all of them.
    """
    with warnings.catch_warnings(), MemoryFile(data) as file:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        # One thread, no cache: each test reads the file as it is now. GTIFF_RAW: CMYK and Lab as
        # they are stored, not as RGB.
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
            rasterio.open(f"GTIFF_RAW:{file.name}", driver="GTiff") as dataset,
        ):
            return list(dataset.read())


class _Warnings(logging.Handler):
    """Collects what GDAL warns of, which rasterio logs."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


@contextmanager
def warnings_of_gdal():
    """Collect the warnings and errors that GDAL prints meanwhile, as a list of messages."""
    handler, logger = _Warnings(), logging.getLogger("rasterio")
    logger.addHandler(handler)
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)


def read_by_tifffile(data):
    """The bands of the first page as tifffile reads them, each of shape (row, column)."""
    with tifffile.TiffFile(BytesIO(data)) as file:
        page = file.pages.first
        image = page.asarray(squeeze=False)  # (planes, depth, rows, columns, samples)
        return list(np.concatenate([plane[0] for plane in image], axis=2).transpose(2, 0, 1))


def bits_of(bands):
    """(dtype name, shape, little-endian bytes) of each band, to compare bit for bit."""
    return [
        (band.dtype.name, band.shape, band.astype(band.dtype.newbyteorder("<")).tobytes())
        for band in bands
    ]


def decoded_bits(rasters):
    """The same for decoded rasters."""
    return [(raster.dtype, raster.shape, bytes(raster.data)) for raster in rasters]
