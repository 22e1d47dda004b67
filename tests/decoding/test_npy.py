"""Files of one array: the same bits as numpy's, or an error."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corpus
from rico_hdl.converting.converter import PatchConverter
from rico_hdl.datasets import registry
from rico_hdl.decoding.npy import NpyDecoder
from rico_hdl.errors import ArchiveError
from rico_hdl.record import parse
from rico_hdl.sources import FolderSource
from rico_hdl.values import Patch

DTYPES = [
    "bool", "int8", "uint8", "int16", "uint16", "float16", "int32", "uint32", "float32", "int64",
    "uint64", "float64",
]  # fmt: skip


def saved(array, **options):
    """What numpy writes."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def pixels_of(dtype, shape=(5, 4)):
    """Pixels that encode their place, of any dtype."""
    if dtype == "bool":
        return corpus.pixels("patch", 0, shape, "uint8") > 127
    return corpus.pixels("patch", 0, shape, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 4), (1, 1), (264, 264), (0, 3)])
def test_decodes_what_numpy_writes(dtype, shape):
    """Dtype, shape and every bit are numpy's, without a copy of the pixels."""
    array = pixels_of(dtype, shape) if 0 not in shape else np.empty(shape, dtype)
    data = saved(array)
    (raster,) = NpyDecoder().decode(data)
    assert (raster.dtype, raster.shape) == (dtype, shape)
    assert bytes(raster.data) == array.tobytes()
    assert raster.data.obj is data


def test_one_decoder_decodes_files_of_all_kinds():
    """What was learnt of one header is not used for another."""
    decoder = NpyDecoder()
    for dtype in DTYPES * 2:
        for shape in ((3, 7), (7, 3)):
            array = pixels_of(dtype, shape)
            (raster,) = decoder.decode(saved(array))
            assert (raster.dtype, raster.shape) == (dtype, shape)
            assert bytes(raster.data) == array.tobytes()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3), ">i2"),
        np.zeros((2, 3), "i2", order="F"),
        np.zeros((2, 3, 4), "i2"),
        np.zeros(3, "i2"),
        np.zeros((), "i2"),
        np.zeros((2, 3), "c8"),
        np.zeros((2, 3), "f8").astype(np.longdouble),
        np.zeros((2, 3), "U3"),
        np.zeros((2, 3), [("a", "i2")]),
        np.zeros((2, 3), [(f"field{i}", "i2") for i in range(100)]),
        np.zeros((2, 3), "M8[s]"),
    ],
    ids=lambda array: f"{array.dtype.str}-{array.ndim}",
)
def test_other_arrays_are_refused(array):
    """What is not rows and columns of numbers, as they lie in a record, is an error."""
    with pytest.raises(ArchiveError, match="expected rows and columns of numbers") as caught:
        NpyDecoder().decode(saved(array))
    assert "{'descr': " in caught.value.message
    assert len(caught.value.message) < 400


def test_pickles_are_never_loaded():
    """An array of objects is refused by its header: what is in it is not even looked at."""
    with pytest.raises(ArchiveError, match=r"\|O"):
        NpyDecoder().decode(saved(np.array([[print]], object), allow_pickle=True))


@settings(max_examples=150, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_damage_is_an_error_or_in_the_pixels_alone(at, bit, cut):
    """A file that was cut, or whose header was changed, never gives a raster of another size."""
    array = pixels_of("int16")
    data = saved(array)
    position = int(at * len(data))
    damaged = bytearray(data)
    if cut:
        del damaged[position:]
    else:
        damaged[position] ^= 1 << bit
    try:
        (raster,) = NpyDecoder().decode(bytes(damaged))
    except ArchiveError:
        return
    assert not cut
    assert len(raster.data) == array.nbytes
    assert raster.shape in {(5, 4), (4, 5)}


def test_what_is_left_over_is_an_error():
    """Bytes behind the pixels, and another version of the format, are named."""
    data = saved(pixels_of("int16"))
    with pytest.raises(ArchiveError, match=r"has 41 bytes, expected 40 for int16 \(5, 4\)"):
        NpyDecoder().decode(data + b"\0")
    with pytest.raises(ArchiveError, match="has 39 bytes, expected 40"):
        NpyDecoder().decode(data[:-1])
    with pytest.raises(ArchiveError, match="it begins with 93 4e 55 4d 50 59 02 00"):
        NpyDecoder().decode(saved(pixels_of("int16"), version=(2, 0)))
    with pytest.raises(ArchiveError, match="it begins with 49 49 2a 00"):
        NpyDecoder().decode(b"II*\0" + bytes(200))
    with pytest.raises(ArchiveError, match="it begins with"):
        NpyDecoder().decode(b"")


def test_workers_decode_a_modality_of_arrays_as_such(tmp_path):
    """A worker takes the decoder that fits the modality's files, and keeps float16."""
    modality = registry()["ssl4eo-s12-v1.1"].modality("s1")
    bands = {band.name: pixels_of("float16", (5, 4 + i)) for i, band in enumerate(modality.bands)}
    for name, array in bands.items():
        np.save(tmp_path / f"{name}.npy", array)
    paths = tuple(f"{band.token}.npy" for band in modality.bands)
    patch = Patch("s1_0080717_0", modality, FolderSource(tmp_path), paths)
    (record,) = PatchConverter().convert([patch])
    for tensor in parse(record.data):
        assert (tensor.dtype, tensor.shape) == ("float16", bands[tensor.name].shape)
        assert record.data[tensor.start : tensor.stop] == bands[tensor.name].tobytes()
    assert not record.constant


def test_workers_name_the_band_at_fault(tmp_path):
    """A file that is no array, or holds another dtype, is the failure of its patch and band."""
    modality = registry()["ssl4eo-s12-v1.1"].modality("s1")
    np.save(tmp_path / "vv.npy", pixels_of("float16"))
    np.save(tmp_path / "vh.npy", pixels_of("float32"))
    patch = Patch("s1_0080717_0", modality, FolderSource(tmp_path), ("vv.npy", "vh.npy"))
    (failure,) = PatchConverter().convert([patch])
    assert (failure.band, failure.reason) == ("vh", "the pixels are float32, expected float16")
    (tmp_path / "vh.npy").write_bytes(b"II*\0")
    (failure,) = PatchConverter().convert([patch])
    assert (failure.band, failure.reason[:12]) == ("vh", "no .npy file")
