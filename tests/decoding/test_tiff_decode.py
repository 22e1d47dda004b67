"""Decoding TIFF files: the bits that an independent reader returns, or an error."""

import json
import logging
import random
import zlib
from array import array
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from rico_hdl.decoding.gdal import GdalDecoder
from rico_hdl.decoding.raster import bands_of, rasters_of
from rico_hdl.decoding.tiff import Decoder, deflate, parse_header
from rico_hdl.decoding.tiff.header import Segments
from rico_hdl.decoding.tiff.libtiff import decode_with_libtiff
from rico_hdl.errors import MemoryLimitError, TiffError, UsageError
from rico_hdl.system.memory import Allowance
from tests.support import tiff_corpus, tiff_mutations
from tests.support.image_files import by_pillow, gdal_has_libjpeg_turbo, smooth
from tests.support.running import python
from tests.support.tiff_files import (
    DTYPES,
    LONG,
    LONG8,
    SHORT,
    bits_of,
    build,
    by_gdal,
    by_tifffile,
    decoded_bits,
    pixels,
    plain_blocks,
    plain_file,
    plain_tags,
    random_stack,
    read_by_gdal,
    read_by_tifffile,
    tifffile_options,
    warnings_of_gdal,
)

ROOT = Path(__file__).resolve().parents[2]


def decoded(data):
    """The bits of the bands, decoded by a new decoder."""
    return decoded_bits(Decoder().decode(data))


def judged(data, dtype):
    """The bits of the bands as an independent reader returns them."""
    # GDAL before 3.11 converts float16 to float32.
    return bits_of(read_by_tifffile(data) if dtype == "float16" else read_by_gdal(data))


# ---- encodings that occur in practice -------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_files_of_tifffile(seed):
    """Files by tifffile are decoded to the bits that were written and that GDAL reads."""
    n_files = 0
    for i in range(200):
        rng = random.Random(f"{seed} {i}")
        stack = random_stack(rng)
        options = tifffile_options(rng, stack)
        try:
            data = by_tifffile(stack, **options)
        except ValueError:  # not an encoding that tifffile can write
            continue
        n_files += 1
        ours = decoded(data)
        if options["compression"] != "lerc":  # whose encoder does not keep every NaN
            assert ours == bits_of(list(stack)), options
        if i % 2 == 0 or options["compression"] == "lerc":
            assert ours == judged(data, stack.dtype.name), options
    assert n_files > 150


@pytest.mark.parametrize("seed", range(6))
def test_files_of_careless_writers(seed):
    """Padding, sparse blocks and wrong byte counts change no pixel, whatever the compression."""
    n_files = 150
    n_by_gdal = 0
    for i in range(n_files):
        data, image = tiff_corpus.by_careless_writer(random.Random(f"{seed} {i}"))
        ours = decoded(data)
        assert ours == bits_of(list(np.moveaxis(image, 2, 0))), i
        # Where a deflate stream goes on after the pixels, GDAL leaves the last ones undefined.
        n_by_gdal += ours == bits_of(read_by_gdal(data))
    assert n_by_gdal > 0.9 * n_files


@pytest.mark.parametrize("n_bits", range(17, 32))
@pytest.mark.parametrize("order", ["LITTLE", "BIG"])
def test_samples_of_17_to_31_bits(n_bits, order):
    """Integers of 17 to 31 bits are widened to 32, as by GDAL, unless readers disagree on them."""
    stack = pixels((2, 9, 13), "u4") % np.uint32(2**n_bits)
    data = by_gdal(stack, nbits=n_bits, ENDIANNESS=order, compress="LZW")
    if (n_bits, order) == (24, "BIG"):
        with pytest.raises(TiffError, match="decoders disagree"):
            decoded(data)
    else:
        assert decoded(data) == bits_of(read_by_gdal(data)) == bits_of(read_by_tifffile(data))


@pytest.mark.parametrize("compress", ["CCITTRLE", "CCITTFAX3", "CCITTFAX4"])
@pytest.mark.parametrize("layout", [{"BLOCKYSIZE": 7}, {"TILED": "YES", "BLOCKXSIZE": 16}])
def test_bitmaps(compress, layout):
    """CCITT's compressions are decoded as by GDAL, in strips and tiles, and with white as 0."""
    if "TILED" in layout:
        layout = {**layout, "BLOCKYSIZE": 16}
    for photometric in ("MINISBLACK", "MINISWHITE"):
        stack = pixels((1, 40, 45), "u1") % 2
        data = by_gdal(stack, nbits=1, compress=compress, PHOTOMETRIC=photometric, **layout)
        assert decoded(data) == bits_of(read_by_gdal(data)) == bits_of(list(stack))


@pytest.mark.parametrize("compress", ["CCITTRLE", "CCITTFAX3", "CCITTFAX4"])
def test_damaged_bitmaps(compress):
    """A bitmap that GDAL warns about is refused, and any other has GDAL's pixels."""
    intact = by_gdal(pixels((1, 40, 45), "u1") % 2, nbits=1, compress=compress)
    blocks = parse_header(intact).read_blocks(intact)
    rng = random.Random(0)
    counts = Counter()
    for _ in range(150):
        data = bytearray(intact)
        data[blocks.offsets[0] + rng.randrange(blocks.counts[0])] ^= rng.randrange(1, 256)
        try:
            ours = decoded(bytes(data))
        except TiffError:
            counts["refused"] += 1
            continue
        with warnings_of_gdal() as warnings:
            assert ours == bits_of(read_by_gdal(bytes(data)))
        assert not warnings
        counts["decoded"] += 1
    assert counts["refused"] > 10
    assert counts["decoded"] > 0


def test_damaged_bitmaps_are_noticed_while_logging_is_off():
    """Damage to CCITT, of which libtiff only warns, is noticed even if all logging is disabled."""
    data = by_gdal(pixels((1, 40, 45), "u1") % 2, nbits=1, compress="CCITTFAX4")
    start = parse_header(data).read_blocks(data).offsets[0]
    damaged = [data[:at] + b"\x55" + data[at + 1 :] for at in range(start, start + 60)]
    found = [tiff_mutations.attempt(Decoder(), one) for one in damaged]
    logging.disable(logging.CRITICAL)
    try:
        assert [tiff_mutations.attempt(Decoder(), one) for one in damaged] == found
    finally:
        logging.disable(logging.NOTSET)
    assert any("is damaged" in message for _, message in found)


@pytest.mark.parametrize(
    ("photometric", "n_bands"), [("CMYK", 4), ("CIELAB", 3), ("ICCLAB", 3), ("ITULAB", 3)]
)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("compress", ["NONE", "LZW", "DEFLATE"])
def test_other_colours_are_plain_bands(photometric, n_bands, dtype, compress):
    """CMYK and Lab are not converted: the bands are those that the file stores."""
    stack = pixels((n_bands, 20, 33), dtype)
    data = by_gdal(stack, PHOTOMETRIC=photometric, compress=compress)
    assert decoded(data) == bits_of(read_by_gdal(data)) == bits_of(list(stack))
    assert decoded_bits(GdalDecoder().decode(data)) == bits_of(list(stack))


@pytest.mark.parametrize("n_bands", [3, 4])
def test_lossless_webp(n_bands):
    """Lossless WebP is decoded as by GDAL, and lossy WebP is refused."""
    stack = pixels((n_bands, 40, 40), "u1")
    options = {"compress": "WEBP", "INTERLEAVE": "PIXEL", "BLOCKYSIZE": 16}
    data = by_gdal(stack, WEBP_LOSSLESS="YES", **options)
    assert decoded(data) == bits_of(read_by_gdal(data)) == bits_of(list(stack))
    with pytest.raises(TiffError, match="lossy WebP"):
        decoded(by_gdal(stack, WEBP_LOSSLESS="NO", **options))


@pytest.mark.parametrize(
    ("dtype", "text", "expected"),
    [
        ("u1", b"5", 5), ("i2", b" -9999 ", -9999), ("u2", b"7.0", 7), ("f4", b"nan", np.nan),
        ("f4", b"0.1", 0.1), ("f8", b"-1e-300", -1e-300), ("f8", b"inf", np.inf),
        ("i8", b"9223372036854775807", 2**63 - 1), ("u8", b"18446744073709551615", 2**64 - 1),
        ("u1", b"1.5", None), ("u1", b"-9999", None), ("u1", b"nan", None), ("f4", b"1e60", None),
        ("u1", b"", None), ("u1", b"1_0", None), ("f4", b"none", None), ("f2", b"-9999", None),
        ("f2", b"-0.5", -0.5), ("f2", b"0.1", None), ("f2", b"nan", np.nan),
    ],
)  # fmt: skip
def test_sparse_blocks_have_the_nodata_value(dtype, text, expected):
    """Sparse blocks are filled with the nodata value as by GDAL, or refused if it does not fit."""
    nodata = (2, text + b"\0")  # ASCII
    tags = plain_tags((4, 5, 1), dtype, rows_per_strip=2, t42113=nodata)
    data = build(tags, [pixels((2, 5), dtype).tobytes(), b""])
    if expected is None:
        with pytest.raises(TiffError, match="nodata value"):
            decoded(data)
    else:
        image = np.frombuffer(decoded(data)[0][2], dtype).reshape(4, 5)
        assert np.array_equal(image[2:], np.full((2, 5), expected, dtype), equal_nan=True)
        by_judge = read_by_gdal(data)[0]  # GDAL before 3.11 gives float32 for float16
        assert np.array_equal(image.astype(by_judge.dtype), by_judge, equal_nan=True)


def test_codec_options_beyond_32_bits_are_refused():
    """An option of a codec that no classic TIFF can have is an error, not a traceback."""
    tags = plain_tags((8, 16, 1), "u1", t258=(3, [1]), t259=(3, [3]), t292=(16, [2**40]))
    with pytest.raises(TiffError, match="tag 292 has the value"):
        decoded(build(tags, [bytes(16)], big=True))


@pytest.mark.parametrize("n_bits", [*range(1, 8), *range(9, 16)])
@pytest.mark.parametrize("compress", ["NONE", "LZW", "DEFLATE", "ZSTD"])
@pytest.mark.parametrize("tiled", [False, True])
def test_samples_of_a_few_bits(n_bits, compress, tiled):
    """Samples of 1 to 15 bits are decoded to the next wider type, as by GDAL."""
    stack = pixels((3, 17, 33), "u1" if n_bits < 8 else "u2") % 2**n_bits
    sides = {"TILED": "YES", "BLOCKXSIZE": 16, "BLOCKYSIZE": 16} if tiled else {"BLOCKYSIZE": 5}
    data = by_gdal(stack, nbits=n_bits, compress=compress, **sides)
    assert decoded(data) == bits_of(read_by_gdal(data)) == bits_of(list(stack))


def test_only_the_first_page_counts():
    """A file with several pages, or with overviews and a mask, decodes to its first image."""
    stack = pixels((3, 64, 64), "u2")
    for compression in (None, "lzw", "zlib"):
        pages = BytesIO()
        with tifffile.TiffWriter(pages) as writer:
            writer.write(stack[0], compression=compression)
            writer.write(stack[1, :9], compression="zstd")
        assert decoded(pages.getvalue()) == bits_of(list(stack[:1]))
    pyramid = by_gdal(stack, driver="COG", compress="LZW", BLOCKSIZE=32, overviews=(2,))
    assert decoded(pyramid) == bits_of(list(stack))
    masked = by_gdal(stack, masked=True, overviews=(2, 4), nodata=7)
    assert decoded(masked) == bits_of(list(stack))


def test_palettes_and_inverted_greys_are_stored_values():
    """Palettes are not applied, and inverted greys are not turned back."""
    stack = pixels((1, 9, 7), "u1")
    palette = plain_file(stack[0][..., None], t262=(SHORT, [3]), t320=(SHORT, [0] * 768))
    assert decoded(palette) == bits_of(read_by_gdal(palette)) == bits_of(list(stack))
    inverted = plain_file(stack[0][..., None], t262=(SHORT, [0]))
    assert decoded(inverted) == bits_of(read_by_gdal(inverted)) == bits_of(list(stack))


def test_fill_order():
    """Bytes that are stored with reversed bits are reversed back, as by GDAL."""
    data = plain_file(pixels((9, 7, 2), "u2"), t266=(SHORT, [2]))
    assert decoded(data) == bits_of(read_by_gdal(data))


# ---- the decoding methods agree -------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("rows_per_strip", [1, 2, 5, 9])
@pytest.mark.parametrize("n_bands", [1, 3, 12])
def test_slicing_agrees_with_libtiff(dtype, planar, rows_per_strip, n_bands):
    """Uncompressed strips have the same bits whether they are sliced or decoded by libtiff."""
    image = pixels((5, 7, n_bands), dtype)
    data = plain_file(image, rows_per_strip=rows_per_strip, planar=planar)
    decoder = Decoder()
    sliced = decoded_bits(decoder.decode(data))
    assert decoder._known.pieces is not None
    by_libtiff = bands_of(decode_with_libtiff(data, parse_header(data)))
    assert sliced == decoded_bits(by_libtiff) == bits_of(list(np.moveaxis(image, 2, 0)))


@pytest.mark.parametrize("seed", range(4))
def test_strips_may_be_anywhere(seed):
    """Strips in any order, with gaps or overlaps, are read at the offsets in the file."""
    rng = random.Random(seed)
    image = pixels((8, 6, 1), "u2", seed)
    blocks = plain_blocks(image, rows_per_strip=2)
    tags = plain_tags(image.shape, "u2", rows_per_strip=2)
    head = len(build(tags, []))
    order = rng.sample(range(4), 4)
    offsets, tail = [0] * 4, b""
    for i in order:
        tail += bytes(rng.randrange(3))
        offsets[i] = head + len(tail)
        tail += blocks[i]
    offsets[order[0]] = offsets[order[1]]
    data = build(tags | {273: (LONG, offsets), 279: (LONG, [24] * 4)}, [], tail=tail)
    assert decoded(data) == bits_of(read_by_gdal(data))


@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "f4", "u8"])
@pytest.mark.parametrize("rows", [1, 7, 20])
@pytest.mark.parametrize("planar", [1, 2])
def test_inflating_agrees_with_libtiff(dtype, rows, planar):
    """Deflate strips of differences have the same bits from `inflate` and from libtiff."""
    image = pixels((20, 30, 3), dtype)
    bits = image.view(f"u{image.itemsize}")
    encoded = np.concatenate([bits[:, :1], bits[:, 1:] - bits[:, :-1]], axis=1)
    data = build(
        plain_tags(
            image.shape, dtype, rows_per_strip=rows, planar=planar,
            t259=(SHORT, [8]), t317=(SHORT, [2]),
        ),
        [zlib.compress(b) for b in plain_blocks(encoded, rows_per_strip=rows, planar=planar)],
    )  # fmt: skip
    header = parse_header(data)
    assert deflate.is_for_inflate(header)
    by_libtiff = bands_of(decode_with_libtiff(data, header))
    expected = bits_of(list(np.moveaxis(image, 2, 0)))
    assert decoded(data) == decoded_bits(by_libtiff) == expected


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "<f4", ">f4", ">u8"])
def test_rasters_of_any_layout(dtype):
    """Arrays of any byte order and memory layout become the same little-endian rows."""
    stack = pixels((3, 5, 4), dtype)
    wide = np.zeros((3, 10, 8), dtype)
    wide[:, ::2, 1::2] = stack
    layouts = [
        stack,
        np.asfortranarray(stack),
        np.moveaxis(np.ascontiguousarray(np.moveaxis(stack, 0, 2)), 2, 0),
        np.ascontiguousarray(stack[::-1, ::-1, ::-1])[::-1, ::-1, ::-1],
        wide[:, ::2, 1::2],
    ]
    for layout in layouts:
        assert decoded_bits(rasters_of(layout)) == bits_of(list(stack))


@given(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=20))
@settings(max_examples=100)
def test_checksums_of_blocks_make_the_checksum_of_all(blocks):
    """The Adler-32 of an image can be computed from those at the end of its strips."""
    blocks = [block * 50 for block in blocks]
    streams = [zlib.compress(block) for block in blocks]
    offsets = [8 + sum(map(len, streams[:i])) for i in range(len(streams))]
    where = Segments(
        array("Q", offsets), array("I", map(len, streams)), [len(block) for block in blocks]
    )
    combined = deflate._checksum_of_all(bytes(8) + b"".join(streams), where)
    assert combined == zlib.adler32(b"".join(blocks))


# ---- the remembered header ------------------------------------------------------------------


def _family():
    """Similar files: the same header with other pixels or offsets, and damaged ones."""
    image = pixels((8, 6, 1), "u2")
    files = [
        plain_file(image, rows_per_strip=3),
        plain_file(image[::-1], rows_per_strip=3),
        plain_file(image, rows_per_strip=3, t700=(1, [1] * 40)),
        plain_file(image, rows_per_strip=3, order=">"),
        plain_file(image, rows_per_strip=3, big=True),
        plain_file(image, rows_per_strip=4),
        plain_file(image.reshape(6, 8, 1), rows_per_strip=3),
        plain_file(image.reshape(8, 3, 2), rows_per_strip=3, planar=2),
        plain_file(image.view("i2"), rows_per_strip=3),
        by_tifffile(image[..., 0][None], compression="zlib", rowsperstrip=3),
        by_tifffile(image[::-1, :, 0][None], compression="zlib", rowsperstrip=3),
        by_tifffile(image[..., 0][None], compression="lzw", rowsperstrip=3),
    ]
    first = files[0]
    header = parse_header(first)
    moved = bytearray(first + first[-24:])
    moved[header.offsets.start : header.offsets.start + 4] = len(first).to_bytes(4, "little")
    files += [bytes(moved), first[:-1], first[:100], first + b"more", b"MM" + first[2:], b""]
    files += [file[:-1] for file in files[9:12]]
    return files


@given(st.lists(st.integers(0, 20), min_size=2, max_size=12))
@settings(max_examples=150)
def test_history_does_not_matter(order):
    """A decoder returns the same for a file, whatever it decoded before."""
    files = _family()
    decoder = Decoder()
    for i in order:
        fresh, _ = tiff_mutations.attempt(Decoder(), files[i])
        assert tiff_mutations.attempt(decoder, files[i])[0] == fresh


def test_one_changed_byte_does_not_go_unnoticed():
    """After any byte of a file changes, a decoder that remembers the file agrees with a new one."""
    data = plain_file(pixels((3, 4, 2), "u2"), rows_per_strip=2, t338=(SHORT, [0]))
    decoder = Decoder()
    for at in range(len(data)):
        decoder.decode(data)
        changed = data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :]
        fresh, message = tiff_mutations.attempt(Decoder(), changed)
        assert tiff_mutations.attempt(decoder, changed) == (fresh, message)


def test_a_known_header_is_not_parsed_again(monkeypatch):
    """Files with the same header are parsed once, whether compressed or not."""
    calls = []
    monkeypatch.setattr(
        "rico_hdl.decoding.tiff.decode.parse_header",
        lambda data: calls.append(1) or parse_header(data),
    )
    for options in ({}, {"compression": "zlib", "rowsperstrip": 3}):
        files = [by_tifffile(pixels((1, 8, 6), "u2", seed), **options) for seed in range(5)]
        decoder = Decoder()
        for data in files:
            decoder.decode(data)
    assert len(calls) == 2


# ---- refused files --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (
            {"t259": (SHORT, [6])},
            "compression 6 is not supported, expected one of none, CCITT, LZW",
        ),
        ({"t259": (SHORT, [50001])}, "WebP of 1 16-bit samples"),
        ({"t259": (SHORT, [4])}, "CCITT of 1 16-bit samples"),
        ({"t259": (SHORT, [50002])}, "compression 50002 "),
        ({"t262": (SHORT, [6])}, "YCbCr is not supported, except in JPEG"),
        ({"t339": (SHORT, [5])}, "16-bit samples of format 5 "),
        ({"t339": (SHORT, [3]), "t258": (SHORT, [24])}, "24-bit samples of format 3 "),
        ({"t339": (SHORT, [2]), "t258": (SHORT, [24])}, "24-bit samples of format 2 "),
        ({"t258": (SHORT, [0])}, "0-bit samples"),
        ({"t258": (SHORT, [12]), "t259": (SHORT, [34887])}, "LERC of 12-bit samples"),
        ({"t258": (SHORT, [12]), "t259": (SHORT, [5]), "t317": (SHORT, [2])}, "predictor 2 of 12-"),
        ({"t256": (LONG, [2**31]), "t257": (LONG, [2**31])}, "at most 536870912"),
        ({"t256": (LONG8, [2**63]), "t257": (LONG8, [2**63])}, "is 9223372036854775808"),
        ({"t279": (LONG, [47])}, "shorter than its pixels"),
        ({"t279": (LONG, [0])}, "strip 0 has 0 bytes at byte 1"),
        ({"t273": (LONG, [0])}, "strip 0 has 48 bytes at byte 0"),
        ({"t317": (SHORT, [9]), "t259": (SHORT, [5])}, "can't be decoded"),
    ],
)
def test_refused_encodings(changed, what):
    """An encoding that may not decode to the stored values is a TiffError that names it."""
    with pytest.raises(TiffError, match=what):
        Decoder().decode(plain_file(pixels((8, 3, 1), "u2"), **changed))


def test_refused_tiles_of_any_size():
    """Tiles that need more memory than an image may have are refused before it is allocated."""
    tags = plain_tags((9, 9, 1), "u2", tile=(16, 16), t322=(LONG, [2**30]), t323=(LONG, [2**30]))
    with pytest.raises(TiffError, match="expected at most"):
        Decoder().decode(build(tags, [bytes(512)]))


def test_refused_by_libtiff():
    """A directory that only libtiff refuses is a TiffError, too."""
    tags = plain_tags((9, 9, 1), "u2", tile=(16, 16), t278=(LONG, [0]))
    with pytest.raises(TiffError, match="does not accept the directory"):
        Decoder().decode(build(tags, [bytes(512)]))


@pytest.mark.parametrize("photometric", [1, 5])
def test_memory_of_blocks(photometric):
    """Files that are decoded strip by strip keep to the memory that decoding may take."""
    image = np.zeros((1000, 250, 4), "u2")
    changed = {"t262": (SHORT, [photometric]), "t259": (SHORT, [5])}
    tags = plain_tags(image.shape, "u2", rows_per_strip=500, **changed)
    strip = tiff_corpus.ENCODERS[5](image[:500].tobytes())
    data = build(tags, [strip, b"" if photometric == 1 else strip])
    assert decoded_bits(Decoder().decode(data, Allowance(10**7))) == decoded(data)
    with pytest.raises(MemoryLimitError):
        Decoder().decode(data, Allowance(4 * 10**6 + 10**5))


@pytest.mark.parametrize(
    ("stack", "options"),
    [
        (pixels((4, 32, 32), "u1"), {"compress": "JPEG"}),
        (pixels((3, 32, 32), "f4"), {"compress": "LERC", "MAX_Z_ERROR": 5, "ENDIANNESS": "BIG"}),
    ],
)
def test_refused_lossy_files(stack, options):
    """JPEG of four bands per pixel is refused, and so is the LERC that decoders get wrong."""
    data = by_gdal(stack, INTERLEAVE="PIXEL", **options)
    with pytest.raises(TiffError, match="not supported"):
        Decoder().decode(data)


# ---- JPEG in TIFF ---------------------------------------------------------------------------

JPEG_LAYOUTS = (
    {},
    {"BLOCKYSIZE": 16},
    {"TILED": "YES", "BLOCKXSIZE": 32, "BLOCKYSIZE": 16},
    {"ENDIANNESS": "BIG"},
    {"BIGTIFF": "YES"},
    {"JPEGTABLESMODE": 0},
)


@pytest.mark.parametrize("layout", JPEG_LAYOUTS)
@pytest.mark.parametrize("quality", [50, 95])
@pytest.mark.parametrize(
    ("n_bands", "options"),
    [
        (1, {}),
        (12, {"INTERLEAVE": "BAND"}),
        (3, {"INTERLEAVE": "BAND"}),
        (3, {"INTERLEAVE": "PIXEL", "PHOTOMETRIC": "RGB"}),
        (3, {"INTERLEAVE": "PIXEL", "PHOTOMETRIC": "MINISBLACK"}),
        (3, {"INTERLEAVE": "PIXEL", "PHOTOMETRIC": "YCBCR"}),
    ],
)
def test_jpeg_in_tiff(n_bands, options, quality, layout):
    """JPEG strips and tiles have GDAL's pixels; those of YCbCr have Pillow's."""
    stack = smooth(random.Random(n_bands), (n_bands, 40, 70))
    data = by_gdal(stack, compress="JPEG", JPEG_QUALITY=quality, **options, **layout)
    judge = by_pillow if options.get("PHOTOMETRIC") == "YCBCR" else read_by_gdal
    assert decoded(data) == bits_of(list(judge(data)))
    if judge is by_pillow and not gdal_has_libjpeg_turbo():
        with pytest.raises(UsageError, match="another library than libjpeg-turbo"):
            GdalDecoder().decode(data)
    else:
        assert decoded_bits(GdalDecoder().decode(data)) == decoded(data)


def test_damaged_jpeg_in_tiff():
    """A JPEG strip that is cut short, corrupt, or of another size is refused."""
    data = by_gdal(smooth(random.Random(0), (1, 64, 64)), compress="JPEG", BLOCKYSIZE=32)
    blocks = parse_header(data).read_blocks(data)
    start, count = blocks.offsets[1], blocks.counts[1]
    frame = data.index(b"\xff\xc0", start)
    longer = data[: frame + 5] + b"\0\x21" + data[frame + 7 :]
    corrupt = data[: start + count // 2] + b"\xff\0" * 10 + data[start + count // 2 + 20 :]
    ended = data[: start + count // 2] + b"\xff\xd9" + data[start + count // 2 + 2 :]
    for damaged, what in (
        (longer, "JPEG of 64 x 33 pixels of 1 samples, expected 64 x 32 of 1"),
        (corrupt, "strip or tile can't be decoded: .*Corrupt JPEG data"),
        (ended, "strip or tile can't be decoded: .*premature end"),
    ):
        with pytest.raises(TiffError, match=what):
            decoded(damaged)


# ---- damaged files --------------------------------------------------------------------------


def _strips(compression, *, rows_per_strip=8, n_rows=24, damage=lambda _i, block: block, **tags):
    """A file of encoded strips after a modification, and its image."""
    image = (pixels((n_rows, 32, 1), "u2") % 50).astype("u2")
    encode = tiff_corpus.ENCODERS[compression]
    blocks = [encode(block) for block in plain_blocks(image, rows_per_strip=rows_per_strip)]
    tags = plain_tags(
        image.shape, "u2", rows_per_strip=rows_per_strip, t259=(SHORT, [compression]), **tags
    )
    return build(tags, [damage(i, block) for i, block in enumerate(blocks)]), image


@pytest.mark.parametrize("compression", [1, 5, 8, 32773, 34925, 50000])
def test_truncated_blocks(compression):
    """A strip that ends early is refused, unless only its end mark is cut off."""
    intact, image = _strips(compression)
    expected = bits_of([image[..., 0]])
    assert decoded(intact) == expected
    n_refused = 0
    for cut in range(1, 200):
        data, _ = _strips(compression, damage=lambda i, b, cut=cut: b[:-cut] if i == 1 else b)
        try:
            assert decoded(data) == expected
        except TiffError:
            n_refused += 1
    # zstd's and xz's ends, index and checksum, are up to 60 bytes.
    assert n_refused > (199 if compression in {1, 8} else 130) - 1


@pytest.mark.parametrize("rows_per_strip", [1, 8, 24])
@pytest.mark.parametrize("tile", [False, True])
def test_damage_to_deflate_is_noticed(rows_per_strip, tile):
    """Every changed byte of a zlib stream is detected, thanks to the checksum at its end.

    libtiff 4.7 ignores the checksum. If a damaged stream decodes to too many bytes, it reports
    success, and the pixels are arbitrary.
    """
    intact, image = _strips(8, rows_per_strip=rows_per_strip)
    if tile:
        stack = image[..., 0][None]
        intact = by_tifffile(stack, compression="zlib", tile=(16, 16), byteorder=">")
    blocks = parse_header(intact).read_blocks(intact)
    rng = random.Random(0)
    expected = bits_of([image[..., 0]])
    assert decoded(intact) == expected
    n_refused = 0
    for _ in range(300):
        damaged = bytearray(intact)
        i = rng.randrange(len(blocks.offsets))
        at = blocks.offsets[i] + rng.randrange(blocks.counts[i])
        damaged[at] ^= rng.randrange(1, 256)
        try:
            # The compression level and similar fields may change without consequence.
            assert decoded(bytes(damaged)) == expected
        except TiffError:
            n_refused += 1
    assert n_refused > 280


@pytest.mark.parametrize("rows_per_strip", [2, 24])
@pytest.mark.parametrize("n_spare", [1, 64, 65, 6400])
def test_deflate_strips_with_bytes_to_spare(rows_per_strip, n_spare):
    """A strip may decode to whole rows beyond its own; any other length is damage."""
    data, image = _strips(
        8, rows_per_strip=rows_per_strip,
        damage=lambda _i, block: zlib.compress(zlib.decompress(block) + bytes(n_spare)),
    )  # fmt: skip
    if n_spare % 64:
        with pytest.raises(TiffError, match="is damaged"):
            decoded(data)
    else:
        assert decoded(data) == bits_of([image[..., 0]])


@pytest.mark.parametrize("predictor", [1, 2])
def test_deflate_bombs(predictor, monkeypatch):
    """The rows that all strips may have to spare are limited, because decoding them takes time."""
    monkeypatch.setattr(deflate, "MAX_PADDING_BYTES", 2**21)
    data, _ = _strips(
        8, rows_per_strip=2,
        damage=lambda _i, block: zlib.compress(zlib.decompress(block) + bytes(2**20)),
        t317=(SHORT, [predictor]),
    )  # fmt: skip
    with pytest.raises(TiffError, match="strip or tile 3 is damaged"):
        decoded(data)


@pytest.mark.parametrize("rows_per_strip", [2, 24])
def test_deflate_strips_with_padding(rows_per_strip):
    """Bytes after the end of a zlib stream are ignored."""
    data, image = _strips(8, rows_per_strip=rows_per_strip, damage=lambda _i, b: b + b"\0\0\0")
    assert decoded(data) == bits_of([image[..., 0]])


@pytest.mark.parametrize("seed", range(2))
def test_damaged_files_do_no_harm(seed):
    """A thousand damaged files give GDAL's pixels or a TiffError: no crash, hang or print."""
    done = python("-m", "tests.support.tiff_mutations", seed, 1000, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["wrong"] == []
    assert outcome["decoded"] > 100
    assert outcome["refused"] > 500


@pytest.mark.fuzz
def test_fresh_damaged_files_do_no_harm(rounds, seed):
    """Newly damaged files give GDAL's pixels or a TiffError, too."""
    for number in rounds(10):
        test_damaged_files_do_no_harm(seed + number)


@pytest.mark.fuzz
def test_fresh_files_of_other_writers(rounds, seed):
    """Newly generated files of other writers are decoded to their bits, too."""
    for number in rounds(5):
        test_files_of_tifffile(seed + number)
        test_files_of_careless_writers(seed + number)
