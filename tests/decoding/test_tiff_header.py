"""Parsing the first directory of a TIFF file, and refusing invalid ones."""

import itertools

import pytest

from rico_hdl.decoding.tiff import Decoder, parse_header
from rico_hdl.errors import TiffError
from tests.support.tiff_files import LONG, LONG8, SHORT, build, pixels, plain_file, plain_tags

BYTE, ASCII, FLOAT, IFD = 1, 2, 11, 13

IMAGE = pixels((5, 4, 3), "u2")
TILE = {"tile": (16, 32), "shape": (20, 40, 3), "dtype": "u2"}
N_TILE_BYTES = 16 * 32 * 3 * 2


def tiled_file(**changed):
    """A file of four uncompressed tiles."""
    return build(plain_tags(**TILE, **changed), [bytes(N_TILE_BYTES)] * 4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(("planar", "shape"), [(1, (1, 5, 4, 3)), (2, (3, 5, 4, 1))])
def test_strips(order, big, planar, shape):
    """Classic TIFF and BigTIFF in both byte orders give the same header and strips."""
    data = plain_file(IMAGE, rows_per_strip=2, planar=planar, order=order, big=big)
    header = parse_header(data)
    assert header.byte_order == order
    assert (header.height, header.width, header.n_samples) == IMAGE.shape
    assert (header.bits, header.sample_format, header.compression) == (16, 1, 1)
    assert (header.photometric, header.predictor, header.fill_order) == (1, 1, 1)
    assert (header.planar, header.tile, header.rows_per_strip) == (planar, None, 2)
    assert header.shape == shape
    blocks = header.read_blocks(data)
    row_bytes = 4 * 2 * shape[-1]
    assert blocks.sizes == [2 * row_bytes, 2 * row_bytes, row_bytes] * shape[0]
    assert list(blocks.counts) == blocks.sizes
    assert header.n_bytes == sum(blocks.sizes) == IMAGE.nbytes
    assert blocks.offsets[-1] + blocks.counts[-1] == len(data)


def test_tiles():
    """Tiles are counted with their padding."""
    data = tiled_file()
    header = parse_header(data)
    assert header.tile == (16, 32)
    blocks = header.read_blocks(data)
    assert blocks.sizes == [N_TILE_BYTES] * 4
    assert header.n_bytes == 4 * N_TILE_BYTES


@pytest.mark.parametrize(("bits", "row_bytes"), [(1, 2), (2, 3), (4, 5), (12, 15)])
def test_rows_of_small_samples_begin_at_whole_bytes(bits, row_bytes):
    """Each row of ten narrow samples takes whole bytes."""
    tags = plain_tags((3, 10, 1), "u1", t258=(SHORT, [bits]))
    header = parse_header(build(tags, [bytes(3 * row_bytes)]))
    assert header.n_bytes == 3 * row_bytes


def test_defaults():
    """Optional tags have the defaults of TIFF 6.0."""
    left_out = dict.fromkeys(("t258", "t259", "t262", "t277", "t278", "t284", "t339"))
    header = parse_header(build(plain_tags((8, 8, 1), "u1", **left_out), [bytes(8)]))
    assert (header.bits, header.compression, header.n_samples) == (1, 1, 1)
    assert (header.sample_format, header.planar, header.rows_per_strip) == (1, 1, 8)


def test_more_rows_per_strip_than_rows():
    """RowsPerStrip may exceed the image's rows, up to the default of 2**32 - 1."""
    data = plain_file(IMAGE, t278=(LONG, [2**32 - 1]))
    assert parse_header(data).rows_per_strip == IMAGE.shape[0]


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"t256": None}, "ImageWidth is missing"),
        ({"t273": None}, "StripOffsets is missing"),
        ({"t256": (LONG, [0])}, "claims 0 x 5 pixels"),
        ({"t278": (LONG, [0])}, "in strips of 4 x 0"),
        ({"t277": (SHORT, [0])}, "of 0 samples"),
        ({"t278": (LONG8, [2**32])}, "RowsPerStrip is 4294967296"),
        ({"t277": (LONG, [65536]), "t258": (SHORT, [16])}, "of 65536 samples"),
        ({"t256": (LONG, [4, 4])}, "ImageWidth has 2 values"),
        ({"t256": (FLOAT, [4.0])}, "ImageWidth has 1 values of type 11"),
        ({"t273": (IFD, [8, 8, 8])}, "StripOffsets has 3 values of type 13"),
        ({"t256": (LONG, [])}, "ImageWidth has 0 values"),
        ({"t258": (SHORT, [16, 16, 8])}, "BitsPerSample differs"),
        ({"t258": (SHORT, [16, 16])}, "BitsPerSample has 2 values, expected 3"),
        ({"t339": (SHORT, [1, 1, 2])}, "SampleFormat differs"),
        ({"t284": (SHORT, [3])}, "PlanarConfiguration is 3"),
        ({"t322": (SHORT, [16])}, "strips and tiles"),
        ({"t324": (LONG, [8])}, "strips and tiles"),
        ({"t32996": (SHORT, [2])}, "obsolete tag DataType"),
        ({"t32997": (LONG, [2])}, "ImageDepth is 2"),
        ({"t338": (SHORT, [0] * 4)}, "ExtraSamples"),
        ({"t338": (SHORT, [3])}, "ExtraSamples"),
        ({"t338": (ASCII, [97])}, "ExtraSamples has 1 values of type 2"),
    ],
)
def test_refused_tags(changed, what):
    """Missing, invalid and contradictory tags are a TiffError that names the tag."""
    with pytest.raises(TiffError, match=what):
        parse_header(plain_file(IMAGE, **changed))


@pytest.mark.parametrize("missing", ["t322", "t323", "t324", "t325"])
def test_refused_half_a_tile(missing):
    """Tiles need all of their tags."""
    with pytest.raises(TiffError, match="is missing"):
        parse_header(tiled_file(**{missing: None}))


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"t273": (LONG, [300, 316])}, "has 2 strips, expected 3"),
        ({"t279": (LONG, [16, 16])}, "has 2 strips, expected 3"),
        ({"t279": (LONG, [16, 0, 8])}, "strip 1 has 0 bytes at byte 1"),
        ({"t279": None}, "StripByteCounts is missing"),
        ({"t273": (LONG, [100, 100, 10**6])}, "truncated: strip 2 is at bytes 1000000 to"),
        ({"t279": (LONG, [16, 2**32 - 1, 8]), "t259": (SHORT, [5])}, "truncated: strip 1"),
        ({"t257": (LONG, [2**32 - 1])}, "has 3 strips, expected 2147483648"),
    ],
)
def test_refused_strips(changed, what):
    """Too many, too few, sparse or out-of-file strips are a TiffError."""
    data = plain_file(pixels((5, 4, 1), "u2"), rows_per_strip=2, **changed)
    with pytest.raises(TiffError, match=what):
        parse_header(data).read_blocks(data)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is empty"),
        (b"PK\3\4" + bytes(64), "begins with 50 4b 03 04"),
        (b"II\x2c\0" + bytes(64), "version 44"),
        (b"II*\0\xff\xff\xff\xff", "truncated"),
        (b"II+\0\4\0\0\0" + bytes(64), "offset size 4"),
        (b"II+\0\x08\0\0\0" + b"\xff" * 8, "truncated"),
        (b"II*\0\x08\0\0\0\0\0" + bytes(64), "at byte 8 has 0 entries"),
        (b"II*\0\x08\0\0\0\1\x10" + bytes(2**16), "at byte 8 has 4097 entries"),
        (b"II+\0\x08\0\0\0\x10" + bytes(7) + b"\xff" * 8, "has 18446744073709551615 entries"),
        (b"II*\0\x08\0\0\0\7\0" + bytes(64), "truncated: the directory"),
    ],
)
def test_refused_beginnings(data, what):
    """A file that is not a TIFF, or has no valid directory, is a TiffError that says why."""
    with pytest.raises(TiffError, match=what):
        parse_header(data)


def test_refused_twin_tags():
    """A tag that appears twice is a TiffError; neither value is chosen."""
    data = bytearray(plain_file(IMAGE))
    at = data.index((257).to_bytes(2, "little") + b"\4\0")
    data[at : at + 2] = (256).to_bytes(2, "little")
    with pytest.raises(TiffError, match="ImageWidth"):
        parse_header(bytes(data))


@pytest.mark.parametrize("tag", [256, 258, 273, 279, 338, 339])
@pytest.mark.parametrize("big", [False, True])
def test_refused_counts_beyond_the_file(tag, big):
    """A count of values that the file can't hold is a TiffError before memory is allocated."""
    data = bytearray(plain_file(IMAGE, big=big, t338=(SHORT, [0, 0])))
    at = next(at for at in itertools.count(8, 2) if data[at : at + 2] == tag.to_bytes(2, "little"))
    data[at + 4 : at + (12 if big else 8)] = b"\xff" * (8 if big else 4)
    with pytest.raises(TiffError):
        Decoder().decode(bytes(data))


@pytest.mark.parametrize("big", [False, True])
def test_every_truncation_is_refused(big):
    """A file that ends anywhere before its last pixel is a TiffError."""
    data = plain_file(IMAGE, rows_per_strip=2, big=big, t338=(SHORT, [0, 0]))
    for n in range(len(data)):
        with pytest.raises(TiffError):
            Decoder().decode(data[:n])
