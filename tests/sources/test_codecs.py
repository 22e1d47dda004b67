"""Codecs of Zarr chunks: the result of numcodecs for the same bytes, or an error."""

import lzma
import zlib

import numcodecs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.sources.zarr.codecs import CODECS, check_codec, decompress

BOUNDED = settings(max_examples=60, deadline=None)

BLOSC = {"id": "blosc", "clevel": 5, "shuffle": 1, "blocksize": 0}
SETTINGS = [
    *[BLOSC | {"cname": name} for name in ("blosclz", "lz4", "lz4hc", "zlib", "zstd")],
    BLOSC | {"cname": "zstd", "shuffle": 2},
    BLOSC | {"cname": "lz4", "clevel": 0},
    {"id": "zstd", "level": 1},
    {"id": "lz4", "acceleration": 1},
    {"id": "zlib", "level": 1},
    {"id": "gzip", "level": 1},
    {"id": "bz2", "level": 1},
    {"id": "lzma", "preset": 0},
    {"id": "lzma", "format": lzma.FORMAT_ALONE, "preset": 0},
]
EACH = pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: "-".join(map(str, s.values())))

# Runs, as in masks, and noise, as in pixels.
DATA = st.one_of(
    st.binary(min_size=1, max_size=3000),
    st.builds(lambda byte, n: bytes([byte]) * n, st.integers(0, 255), st.integers(1, 70_000)),
)


def encoded(setting, data):
    """The bytes that numcodecs writes."""
    return bytes(numcodecs.get_codec(dict(setting)).encode(data))


def test_each_codec_is_tried():
    """The settings in these tests cover all codecs."""
    assert {setting["id"] for setting in SETTINGS} == set(CODECS)


@EACH
@BOUNDED
@given(data=DATA, more=st.sampled_from([0, 1, 1000]))
def test_chunks_of_numcodecs_are_read(setting, data, more):
    """Any bytes come back, whether the limit is exactly their number or more."""
    assert bytes(decompress(setting["id"], encoded(setting, data), len(data) + more)) == data


@EACH
@BOUNDED
@given(data=DATA)
def test_no_more_comes_out_than_the_limit(setting, data):
    """One byte beyond the limit is an error."""
    with pytest.raises(ArchiveError, match=setting["id"]):
        decompress(setting["id"], encoded(setting, data), len(data) - 1)


@EACH
@BOUNDED
@given(data=DATA, at=st.floats(0, 1, exclude_max=True))
def test_a_truncated_chunk_is_an_error(setting, data, at):
    """Bytes that are missing at the end never go unnoticed."""
    whole = encoded(setting, data)
    part = whole[: int(at * len(whole))]
    try:
        found = bytes(decompress(setting["id"], part, len(data)))
    except ArchiveError:
        return
    # Without checksums, a format's last bytes may be insignificant; missing pixels are noticed.
    assert data.startswith(found)
    assert found == data or len(found) < len(data)


@EACH
@BOUNDED
@given(data=DATA, at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_damaged_chunk_stays_within_the_limit(setting, data, at, bit):
    """A flipped bit is an error or gives other bytes within the limit, and never a crash."""
    damaged = bytearray(encoded(setting, data))
    damaged[int(at * len(damaged))] ^= 1 << bit
    try:
        found = decompress(setting["id"], bytes(damaged), len(data))
    except ArchiveError as error:
        assert setting["id"] in error.message  # noqa: PT017 - an error is optional
    else:
        assert len(found) <= len(data)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("data", [b"", b"\0", b"\0" * 15, b"\xff" * 64, b"not compressed at all"])
def test_data_that_is_not_a_chunk_gives_no_pixels(codec, data):
    """Bytes that were never compressed give no pixels."""
    try:
        assert bytes(decompress(codec, data, 10**6)) == b""
    except ArchiveError as error:
        assert codec in error.message  # noqa: PT017 - an error is optional


def test_streams_that_follow_each_other_are_one():
    """A gzip file may consist of several streams, and other data after the last is an error."""
    parts = [zlib.compress(bytes([i]) * 100, wbits=31) for i in range(3)]
    assert decompress("gzip", b"".join(parts), 300) == b"\0" * 100 + b"\1" * 100 + b"\2" * 100
    with pytest.raises(ArchiveError):
        decompress("gzip", b"".join(parts), 299)
    with pytest.raises(ArchiveError):
        decompress("gzip", parts[0] + b"rest", 300)


@pytest.mark.parametrize("codec", ["pickle", "msgpack2", "quantize", "", None, 3, ["blosc"], {}])
def test_other_codecs_are_refused(codec):
    """Codecs that change values, run code or don't exist are named, and never used."""
    with pytest.raises(SourceError, match="expected one of blosc, lz4, zstd") as caught:
        check_codec(codec)
    assert ascii(codec) in caught.value.message
