"""Records have the same bytes as the safetensors library's, and nothing else is accepted as one."""

import json
import sys

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from rico_hdl.decoding.tiff import Raster
from rico_hdl.errors import RecordError
from rico_hdl.record import decode, encode, layout_of, parse, record_bytes

BOUNDED = settings(max_examples=150)

DTYPES = (
    "bool", "uint8", "int8", "uint16", "int16", "float16", "uint32", "int32", "float32",
    "uint64", "int64", "float64",
)  # fmt: skip

# In UTF-16 the last of these sorts before the preceding one, in UTF-8 after it.
ODD = st.sampled_from(list('"\\/\b\f\n\r\t\0\x1f\x7f\x80\u2028é木\uffee\U0001f6f0'))
NAMES = st.text(st.one_of(ODD, st.characters(codec="utf-8")), max_size=6).filter(
    lambda name: name != "__metadata__"
)
SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)


def laid_out(draw, array):
    """The same values in one of the memory layouts that arrays can have."""
    how = draw(st.sampled_from(["plain", "fortran", "interleaved", "backwards", "big-endian"]))
    if how == "fortran":
        return np.asfortranarray(array)
    if how == "interleaved":
        wide = np.zeros((*array.shape, 3), array.dtype)
        wide[..., 1] = array
        return wide[..., 1]
    if how == "backwards" and array.ndim:
        return np.ascontiguousarray(array[::-1])[::-1]
    if how == "big-endian":
        return array.astype(array.dtype.newbyteorder(">"))
    return array


@st.composite
def patches(draw, dtypes=DTYPES):
    """Names with arrays of random bits, including NaN payloads and negative zeros."""
    arrays = {}
    for name in draw(st.lists(NAMES, unique=True, max_size=6)):
        dtype = np.dtype(draw(st.sampled_from(dtypes)))
        shape = draw(SHAPES)
        n_bytes = int(np.prod(shape, dtype=int)) * dtype.itemsize
        bits = draw(st.binary(min_size=n_bytes, max_size=n_bytes))
        if dtype.kind == "b":
            bits = bytes(byte & 1 for byte in bits)
        arrays[name] = laid_out(draw, np.frombuffer(bits, dtype).reshape(shape))
    return arrays


def raster_of(array):
    """A raster with an array's values; numpy makes its bytes, for any memory layout."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return Raster(array.dtype.name, array.shape, little.tobytes())


def encode_arrays(arrays):
    """The record of named arrays."""
    return encode(list(arrays), [raster_of(array) for array in arrays.values()])


def with_header(entries, data=b""):
    """A record with any header: bytes, text, or a value to encode as JSON."""
    text = entries if isinstance(entries, str | bytes) else json.dumps(entries)
    raw = text if isinstance(text, bytes) else text.encode()
    return len(raw).to_bytes(8, "little") + raw + data


@BOUNDED
@given(patches())
@example({"\U0001f6f0": np.zeros(1, "u1"), "\uffee": np.ones(1, "u1")})
@example({f"B{i}": np.full((2, 2), i, "<u2") for i in (1, 10, 100, 2)})
def test_encode_writes_the_bytes_of_the_library(arrays):
    """For any names, dtypes and shapes, the record equals the library's, byte for byte."""
    plain = {
        name: np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
        for name, array in arrays.items()
    }
    assert encode_arrays(arrays) == safetensors.numpy.save(plain)


@pytest.mark.skipif(sys.byteorder == "big", reason="the library's input is native")
def test_dtypes_are_ordered_as_in_the_library():
    """All dtypes in one record, each with names before and after the others', are in its order."""
    arrays = {
        f"{prefix}{dtype}": np.ones((1, 3), dtype) for prefix in ("z", "a") for dtype in DTYPES
    }
    assert encode_arrays(arrays) == safetensors.numpy.save(arrays)


@BOUNDED
@given(patches())
def test_decode_inverts_encode(arrays):
    """Names, dtypes, shapes and bits survive the round trip, read from bytes or a memory map."""
    record = encode_arrays(arrays)
    for form in (record, memoryview(record), memoryview(bytearray(record))):
        found = decode(form)
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            assert found[name].dtype.name == array.dtype.name
            assert found[name].shape == array.shape
            assert found[name].tobytes() == raster_of(array).data
            assert not found[name].flags.writeable


@BOUNDED
@given(patches())
def test_layout_and_size_are_those_of_the_record(arrays):
    """Parsed entries give the position of each raster's bytes, in the order of the layout."""
    record = encode_arrays(arrays)
    rasters = {name: raster_of(array) for name, array in arrays.items()}
    tensors = parse(record)
    layout = layout_of(tuple((n, r.dtype, r.shape) for n, r in rasters.items()))
    by_name = {t.name: t for t in tensors}
    assert record.startswith(layout.header)
    assert sorted(layout.order) == list(range(len(arrays)))
    for name, raster in rasters.items():
        assert record[by_name[name].start : by_name[name].stop] == raster.data


def test_record_bytes_is_the_length():
    """The predicted length is the record's."""
    arrays = {name: np.zeros((3, 5), "uint16") for name in ("B1", "B2")}
    assert record_bytes(arrays, "uint16", [(3, 5)] * 2) == len(encode_arrays(arrays))


@BOUNDED
@given(patches(), st.data())
def test_every_truncation_is_refused(arrays, data):
    """A record with its end cut off, or with extra bytes, is a RecordError."""
    record = encode_arrays(arrays)
    at = data.draw(st.integers(0, len(record) - 1))
    for damaged in (record[:at], record + b"\0", record[: at // 2]):
        with pytest.raises(RecordError):
            parse(damaged)


@BOUNDED
@given(patches(("uint8", "int16")), st.data())
def test_accepted_records_agree_with_the_library(arrays, data):
    """A record with changed bytes is refused, or read as the library reads it."""
    record = bytearray(encode_arrays(arrays))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(record) - 1))
        record[at : at + 1] = data.draw(st.binary(max_size=2) | st.sampled_from([b"0", b"}", b","]))
    try:
        found = decode(bytes(record))
    except RecordError:
        return
    theirs = safetensors.numpy.load(bytes(record))
    assert {k: (v.dtype, v.shape, v.tobytes()) for k, v in found.items()} == {
        k: (v.dtype, v.shape, v.tobytes()) for k, v in theirs.items()
    }


@BOUNDED
@given(st.binary(max_size=64))
def test_garbage_is_refused(garbage):
    """Bytes that are not a record are a RecordError, with or without a header length."""
    assume(
        garbage.strip(b" \t\n\r") != b"{}"
    )  # with its length in front, it is a record without bands
    for record in (garbage, len(garbage).to_bytes(8, "little") + garbage):
        with pytest.raises(RecordError):
            parse(record)


ENTRY = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param("[]", id="a list"),
        pytest.param('"ab"', id="a string"),
        pytest.param("12", id="a number"),
        pytest.param("null", id="null"),
        pytest.param("{", id="not JSON"),
        pytest.param("[" * 200_000, id="nested lists"),
        pytest.param('{"a":' * 200_000, id="nested objects"),
        pytest.param(b'{"\xff":{}}', id="not UTF-8"),
        pytest.param('{"a":{}}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param({"a": None}, id="entry null"),
        pytest.param({"a": []}, id="entry a list"),
        pytest.param({"a": {}}, id="entry empty"),
        pytest.param({"a": ENTRY | {"more": 1}}, id="entry with more"),
        pytest.param({"a": ENTRY | {"dtype": "X8"}}, id="unknown dtype"),
        pytest.param({"a": ENTRY | {"dtype": ["U8"]}}, id="dtype a list"),
        pytest.param({"a": ENTRY | {"shape": 4}}, id="shape a number"),
        pytest.param({"a": ENTRY | {"shape": "4"}}, id="shape a string"),
        pytest.param({"a": ENTRY | {"shape": ["4"]}}, id="side a string"),
        pytest.param({"a": ENTRY | {"shape": [4.0]}}, id="side a float"),
        pytest.param({"a": ENTRY | {"shape": [4, True]}}, id="side a truth value"),
        pytest.param({"a": ENTRY | {"shape": [-2, -2]}}, id="negative sides"),
        pytest.param({"a": ENTRY | {"shape": [float("nan")]}}, id="side not a number"),
        pytest.param({"a": ENTRY | {"shape": [float("inf")]}}, id="side infinite"),
        pytest.param({"a": ENTRY | {"shape": [10**300]}}, id="side huge"),
        pytest.param(
            {"a": {"dtype": "U8", "shape": [0, 2**64], "data_offsets": [0, 0]}},
            id="huge side next to a zero",
        ),
        pytest.param('{"a":' + json.dumps(ENTRY).replace("4", "9" * 5000) + "}", id="digits"),
        pytest.param(
            {"a": {"dtype": "U8", "shape": [0], "data_offsets": [int("9" * 4300)] * 2}},
            id="offset with as many digits as Python prints",
        ),
        pytest.param({"a": ENTRY | {"data_offsets": [0]}}, id="one offset"),
        pytest.param({"a": ENTRY | {"data_offsets": [0, 4, 4]}}, id="three offsets"),
        pytest.param({"a": ENTRY | {"data_offsets": [4, 0]}}, id="offsets swapped"),
        pytest.param({"a": ENTRY | {"data_offsets": [-4, 0]}}, id="offset negative"),
        pytest.param({"a": ENTRY | {"data_offsets": [0.0, 4.0]}}, id="offsets floats"),
        pytest.param({"a": ENTRY | {"data_offsets": [False, 4]}}, id="offset a truth value"),
        pytest.param({"a": ENTRY | {"data_offsets": [1, 5]}}, id="gap in front"),
        pytest.param({"a": ENTRY, "b": ENTRY}, id="overlap"),
        pytest.param({"a": ENTRY | {"shape": [3], "data_offsets": [0, 3]}}, id="left over"),
        pytest.param(
            {
                "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
                "b": {"dtype": "U8", "shape": [2], "data_offsets": [2, 4]},
            },
            id="gap between",
        ),
        pytest.param(f'{{"a":{json.dumps(ENTRY)},"a":{json.dumps(ENTRY)}}}', id="name twice"),
        pytest.param('{"a":{"dtype":"U8",' + json.dumps(ENTRY)[1:] + "}", id="key twice"),
        pytest.param('{"\\ud800":' + json.dumps(ENTRY) + "}", id="half a character"),
        pytest.param({"__metadata__": 3, "a": ENTRY}, id="metadata a number"),
        pytest.param({"__metadata__": {"a": 3}, "a": ENTRY}, id="metadata holds a number"),
    ],
)  # fmt: skip
def test_parse_refuses(entries):
    """A header that the format does not allow is a RecordError with a message of one line."""
    with pytest.raises(RecordError) as caught:
        parse(with_header(entries, b"\1\2\3\4"))
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("length", [0, 1, 10**8 + 1, 2**63, 2**64 - 1])
def test_parse_refuses_header_lengths(length):
    """A header length that is too small or exceeds the record is a RecordError."""
    with pytest.raises(RecordError):
        parse(length.to_bytes(8, "little") + b'{"a":1}')


def test_metadata_is_not_a_band():
    """Text metadata that other writers add is skipped."""
    array = np.arange(4, dtype="u1")
    record = safetensors.numpy.save({"a": array}, metadata={"made": "elsewhere"})
    assert [tensor.name for tensor in parse(record)] == ["a"]


def test_decode_refuses_more_dimensions_than_numpy_has():
    """A shape that is valid in the format but not in numpy is a RecordError."""
    entry = {"dtype": "U8", "shape": [1] * 65, "data_offsets": [0, 1]}
    assert len(parse(with_header({"a": entry}, b"\1"))) == 1
    with pytest.raises(RecordError):
        decode(with_header({"a": entry}, b"\1"))


@pytest.mark.parametrize(
    ("names", "rasters", "what"),
    [
        (["a", "a"], [("uint8", (1, 1), b"1")] * 2, "share a name"),
        (["a"], [("complex64", (1, 1), b"12345678")], "complex64"),
        (["a"], [("uint8", (1, 2), b"1")], "1 bytes, expected 2"),
        (["a"], [("uint16", (1, 1), b"1")], "1 bytes, expected 2"),
        (["a"], [("uint8", (-1, -1), b"1")], "shape"),
        (["a"], [], "0 rasters, expected 1"),
        ([], [("uint8", (1, 1), b"1")], "1 rasters, expected 0"),
        (["__metadata__"], [("uint8", (1, 1), b"1")], "__metadata__"),
        (["\udc80"], [("uint8", (1, 1), b"1")], "udc80"),
    ],
)
def test_encode_refuses(names, rasters, what):
    """Bands that can't be stored as one record are a RecordError that says which and why."""
    with pytest.raises(RecordError, match=what) as caught:
        encode(names, [Raster(*raster) for raster in rasters])
    caught.value.message.encode()


def test_a_record_without_bands_is_the_librarys():
    """No bands give the library's empty file."""
    assert encode([], []) == safetensors.numpy.save({})
    assert decode(encode([], [])) == {}
