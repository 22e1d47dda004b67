"""Unusual but valid TIFF files.

`by_careless_writer` makes files with padding, sparse strips and wrong byte counts. `case` gives the
arguments of every file that GDAL writes with its creation options, in all combinations: `N_CASES`
combinations of the options that determine how pixels are stored are numbered, and the other options
and the pixels are drawn at random, with the number as seed.
"""

import math
import random
import zlib
from io import BytesIO
from typing import NamedTuple

import imagecodecs
import numpy as np
import tifffile

from tests.support.tiff_files import (
    LONG,
    SHORT,
    STRIP_COUNTS,
    TILE_COUNTS,
    build,
    pixels,
    plain_tags,
)

ASCII = 2

COMPRESSIONS = (
    "NONE", "LZW", "DEFLATE", "PACKBITS", "ZSTD", "LZMA", "LERC", "LERC_DEFLATE", "LERC_ZSTD",
    "CCITTRLE", "CCITTFAX3", "CCITTFAX4", "WEBP", "JPEG",
)  # fmt: skip
SAMPLES = (
    *((dtype, None) for dtype in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")),
    *(("u1", n) for n in range(1, 8)),
    *(("u2", n) for n in range(9, 16)),
    *(("u4", n) for n in range(17, 32)),
    ("f4", 16),
    ("c8", None),
    ("c16", None),
)
"""(dtype, NBITS)."""
LAYOUTS = (
    {"BLOCKYSIZE": 1},
    {"BLOCKYSIZE": 7},
    {},
    {"TILED": "YES", "BLOCKXSIZE": 16, "BLOCKYSIZE": 32},
    {"TILED": "YES", "BLOCKXSIZE": 64, "BLOCKYSIZE": 16},
    {"driver": "COG", "BLOCKSIZE": 16},
)
AXES = (
    COMPRESSIONS,
    SAMPLES,
    LAYOUTS,
    (1, 2, 3),  # PREDICTOR
    ("PIXEL", "BAND"),
    ("LITTLE", "BIG"),
    (False, True),  # SPARSE_OK
    (1, 3, 4, 5),  # bands
)
N_CASES = math.prod(map(len, AXES))
_SIZES = ((1, 1), (1, 37), (37, 1), (17, 33), (32, 64), (40, 70))
_PHOTOMETRIC = {
    1: ("MINISBLACK", "MINISWHITE"),
    3: ("MINISBLACK", "RGB", "CIELAB", "ICCLAB", "ITULAB"),
    4: ("MINISBLACK", "RGB", "CMYK"),
}
_NODATA = {"u": (None, 0, 1, 7), "i": (None, 0, 7, -1), "f": (None, 0, -9999, 0.1, math.nan)}


class Case(NamedTuple):
    """What GDAL is asked to write."""

    stack: np.ndarray
    """The pixels: (band, row, column)."""
    options: dict
    """Arguments of `tiff_files.by_gdal`."""


def case(number):
    """The pixels and options of one combination, numbered from 0 to N_CASES - 1."""
    rng = random.Random(number)
    chosen = []
    for axis in AXES:
        number, i = divmod(number, len(axis))
        chosen.append(axis[i])
    compression, (dtype, n_bits), layout, predictor, interleave, order, sparse, n_bands = chosen
    options = {"compress": compression, "BIGTIFF": rng.choice(["YES", "NO", "IF_SAFER"]), **layout}
    nodata = rng.choice(_NODATA.get(dtype[0], (None,)))
    if nodata is not None:
        options["nodata"] = nodata
    if n_bits is not None:
        options["nbits"] = n_bits
    if sparse:
        options["SPARSE_OK"] = "TRUE"
    if "driver" in layout:
        options |= {"PREDICTOR": ("NO", "STANDARD", "FLOATING_POINT")[predictor - 1]}
    else:
        options |= {"PREDICTOR": predictor, "INTERLEAVE": interleave, "ENDIANNESS": order}
        options["PROFILE"] = rng.choice(["GDALGeoTIFF", "GeoTIFF", "BASELINE"])
        options["PHOTOMETRIC"] = rng.choice(_PHOTOMETRIC.get(n_bands, ("MINISBLACK",)))
        if options["PHOTOMETRIC"] != "CMYK" and n_bands > 1:
            options["ALPHA"] = rng.choice(["NO", "YES", "PREMULTIPLIED", "UNSPECIFIED"])
    if compression == "WEBP":
        options["WEBP_LOSSLESS"] = rng.choice(["YES", "YES", "NO"])
    if compression.startswith("LERC"):
        options["MAX_Z_ERROR"] = rng.choice([0, 0, 0.5])
    if rng.random() < 0.1:
        options["overviews"] = (2,)
    return Case(_stack(rng, dtype, n_bits, n_bands, nodata, sparse=sparse), options)


def crashes_gdal(options):
    """Whether GDAL 3.10 overwrites memory when it writes a file."""
    return options["compress"].startswith("LERC") and options.get("nbits") == 16


def _stack(rng, dtype, n_bits, n_bands, nodata, *, sparse):
    """Noise or few values, in part of the image only if the file may be sparse."""
    shape = (n_bands, *rng.choice(_SIZES))
    stack = pixels(shape, dtype, seed=rng.getrandbits(32)).copy()
    if stack.dtype.kind == "f" and n_bits:  # which GDAL rounds to half precision
        stack = np.float32(stack.view("u4") % 2048)
    elif rng.random() < 0.3 and stack.dtype.kind in "ui":
        stack %= 3
    if n_bits and stack.dtype.kind == "u":
        stack %= 2**n_bits
    if sparse:
        n_rows = rng.choice([0, 8, 33])
        stack[:, n_rows:, rng.choice([0, 16, 70]) :] = nodata or 0
    return stack


JPEG, LERC, WEBP, CCITT = 7, 34887, 50001, (2, 3, 4)
REFUSALS = {
    "JPEG of ": lambda page: (
        page.compression == JPEG
        and (_samples_per_pixel(page) not in {1, 3} or page.bitspersample != 8)
    ),
    "samples of format 6 ": lambda page: page.sampleformat == 6,  # complex
    "lossy WebP": lambda page: page.compression == WEBP and _is_lossy(page),
    # What GDAL can't read itself, or what other readers read differently:
    "WebP of ": lambda page: (
        page.compression == WEBP
        and (_samples_per_pixel(page) not in {3, 4} or page.bitspersample != 8)
    ),
    "CCITT of ": lambda page: (
        page.compression in CCITT and (_samples_per_pixel(page), page.bitspersample) != (1, 1)
    ),
    "LERC of ": lambda page: page.compression == LERC and page.bitspersample not in {8, 16, 32, 64},
    "big-endian LERC of floats": lambda page: (
        page.compression == LERC and page.sampleformat == 3 and page.parent.byteorder == ">"
    ),
    "big-endian 24-bit": lambda page: page.bitspersample == 24 and page.parent.byteorder == ">",
}
"""Part of the message -> whether a file with this page, as tifffile parses it, is refused."""


def refusals(data):
    """The reasons for which a file has to be refused, one of which its message contains."""
    with tifffile.TiffFile(BytesIO(data)) as file:
        return [reason for reason, applies in REFUSALS.items() if applies(file.pages.first)]


def is_ycbcr(data):
    """Whether a file stores luma and chroma, whose colours GDAL may decode in another way."""
    with tifffile.TiffFile(BytesIO(data)) as file:
        return file.pages.first.photometric == 6


def _samples_per_pixel(page):
    return page.samplesperpixel if page.planarconfig == 1 else 1


def _is_lossy(page):
    stream = page.parent.filehandle
    starts = []
    for offset, n_bytes in zip(page.dataoffsets, page.databytecounts, strict=True):
        if n_bytes:
            stream.seek(offset)
            starts.append(stream.read(16)[8:])
    return any(start != b"WEBPVP8L" for start in starts)


ENCODERS = {
    1: bytes,
    5: imagecodecs.lzw_encode,
    8: zlib.compress,
    32773: imagecodecs.packbits_encode,
    34925: imagecodecs.lzma_encode,
    50000: imagecodecs.zstd_encode,
}
"""TIFF's number of a compression -> its encoder."""


def by_careless_writer(rng):
    """A file of strips or tiles with padding, sparse ones, or wrong byte counts.

    Returns:
        The file, and its pixels: (row, column, band).
    """
    compression = rng.choice(list(ENCODERS))
    dtype, order = rng.choice(["u1", "u2", "i2", "f4", "u8"]), rng.choice("<<>")
    image = pixels((rng.randrange(1, 40), rng.randrange(1, 40), rng.choice([1, 1, 3])), dtype)
    image = np.array(image if rng.random() < 0.5 else (image.view(f"u{image.itemsize}") % 3))
    image = image.astype(dtype)
    planar = rng.choice([1, 2])
    sides = (rng.choice([16, 32]), rng.choice([16, 48])) if rng.random() < 0.4 else None
    rows = rng.randrange(1, 45)
    places = list(_places(image, sides, rows, planar))
    sparse = {i for i in range(len(places)) if rng.random() < 0.2}
    nodata = rng.choice([None, 5])
    for i in sparse:
        image[places[i]] = nodata or 0
    blocks, counts = [], []
    spare = rng.choice([0, 0, 1, 30])  # rows
    for i, place in enumerate(places):
        block = image[place]
        pads = [(0, spare), (0, 0), (0, 0)]
        if sides:
            pads = [(0, n + k - s) for n, k, s in zip(sides, (spare, 0), block.shape, strict=False)]
            pads.append((0, 0))
        padded = np.pad(block, pads, constant_values=1).astype(np.dtype(dtype).newbyteorder(order))
        raw = b"" if i in sparse else ENCODERS[compression](padded.tobytes())
        blocks.append(raw + (rng.randbytes(rng.choice([0, 0, 5])) if raw else b""))
        counts.append(len(blocks[-1]))
    if compression == 1 and not sides and counts[-1] and rng.random() < 0.3:
        counts[-1] = rng.choice([counts[-1] + 1, 2**31])  # beyond the end of the file
    photometric = rng.choice([1, 1, 9, 32803])
    tags = plain_tags(
        image.shape, dtype, rows_per_strip=rows, tile=sides, planar=planar,
        t259=(SHORT, [compression]), t262=(SHORT, [photometric]), t338=_extra(image, photometric),
        t42113=None if nodata is None else (ASCII, b"5\0"),
    )  # fmt: skip
    table = TILE_COUNTS if sides else STRIP_COUNTS
    tags[table] = (LONG, counts)
    if len(blocks) == 1 and not sparse and rng.random() < 0.3:
        del tags[table]
    return build(tags, blocks, order=order, big=rng.random() < 0.3), image


def _places(image, sides, rows, planar):
    """The pixels of each block, as an index into the image."""
    n_rows, n_columns, n_bands = image.shape
    height, width = sides or (rows, n_columns)
    bands = [slice(None)] if planar == 1 else [slice(i, i + 1) for i in range(n_bands)]
    for band in bands:
        for top in range(0, n_rows, height):
            for left in range(0, n_columns, width):
                yield slice(top, top + height), slice(left, left + width), band


def _extra(image, photometric):
    """The tag ExtraSamples, which GDAL expects of bands beyond the colours."""
    n_colours = 3 if photometric == 9 else 1
    n_extra = image.shape[2] - n_colours
    return (SHORT, [0] * n_extra) if n_extra > 0 else None
