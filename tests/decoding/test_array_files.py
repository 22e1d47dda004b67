"""Array files of numpy and HDF5: forms that are read, and those that are refused."""

import json
import math
import pickle
import struct
import tracemalloc
import zlib
from io import BytesIO
from zipfile import ZIP_BZIP2, ZipFile

import h5py
import numpy as np
import pytest

from rico_hdl.decoding.formats import decoder_of
from rico_hdl.errors import DecodingError, MemoryLimitError
from rico_hdl.system.memory import Allowance
from tests.support.array_files import hdf5, modality_of, npy, npz
from tests.support.documents import ROOT
from tests.support.image_files import stacked
from tests.support.running import python

STACK = np.arange(2 * 5 * 7, dtype="<i2").reshape(2, 5, 7)
PIXELS = STACK.tobytes()


def decoded(data, *layout, **options):
    """The bands of a file, of shape (band, row, column)."""
    return stacked(decoder_of(modality_of(*layout, **options)).decode(data))


def refusal(data, *layout, **options):
    """The error that decoding raises."""
    with pytest.raises(DecodingError) as caught:
        decoded(data, *layout, **options)
    assert "\n" not in caught.value.message
    return caught.value.message


def header(text, version=(1, 0), body=PIXELS):
    """An npy file with a header of one's own."""
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text.encode("latin-1") + body


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 5, 7), }      \n",
        "{'shape':(2L,5L,7L),'descr':'<i2','fortran_order':False}",
        "\t{'fortran_order': False, 'descr': 'int16', 'shape': (2, 5, 7)}",
    ],
)
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_headers_of_other_writers(text, version):
    """Headers as numpy, Python 2 and other libraries write them are read."""
    assert np.array_equal(decoded(header(text, version), ".npy"), STACK)


GOOD = "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 5, 7)}"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (header(GOOD, (3, 0)), "version 3.0, expected 1.0 or 2.0"),
        (header(GOOD, (1, 1)), "version 1.1"),
        (header(GOOD)[:40], "damaged or cut short: expected a header"),
        (header(GOOD)[:-1], f"has {len(header(GOOD)) - 1} bytes, expected {len(header(GOOD))}"),
        (header(GOOD) + b"\0", "it is damaged"),
        (header(GOOD.replace("7)", "-7)")), "its header is"),
        (header(GOOD.replace("7)", "True)")), "its header is"),
        (header(GOOD.replace("(2, 5, 7)", "70")), "its header is"),
        (header(GOOD.replace("'<i2'", "'<i9'")), "its header is"),
        (header(GOOD.replace("False", "0")), "its header is"),
        (header(GOOD.replace("}", ", 'more': 1}")), "its header is"),
        (header("__import__('os')"), "its header is"),
        (header("(" * 9000), "its header is"),
        (header(GOOD.replace("(2, 5, 7)", "(2, 35)")), "its shape is (2, 35), expected 3 axes"),
        (header(GOOD.replace("(2, 5, 7)", "(2, 0, 7)"), body=b""), "0 bytes, expected 1 to"),
        (header(GOOD.replace("7)", f"{2**40})")), "bytes, expected 1 to"),
        (npy(STACK.astype("c8")), "its dtype is complex64, expected"),
        (npy(STACK.astype("U3")), "its dtype is <U3, expected"),
        (npy(STACK.astype("m8[s]")), "its dtype is timedelta64[s], expected"),
        (npy(np.zeros((2, 5, 7), [("a", "i2")])), "its dtype is"),
        (npz(image=STACK), "not an npy file: begins with 50 4b"),
        (hdf5({"image": STACK}), "not an npy file: is an HDF5 file"),
    ],
)
def test_refused_npy_files(data, expected):
    """Files that are damaged, or hold something else than numbers, are errors that say what."""
    assert expected in refusal(data, ".npy")


class Trap:
    """An object that would run code when it is loaded."""

    def __reduce__(self):
        return print, ("it was run",)


def test_pickled_objects_are_never_loaded(capfd):
    """Arrays of objects are refused, and attributes of HDF5 files are not read."""
    trap = np.array([[[Trap()]]], object)
    assert "Python objects" in refusal(npy(trap), ".npy")
    assert "Python objects" in refusal(npz(image=trap), ".npz", path="image")

    def with_pickles(file):
        file["image"] = STACK
        for place in (file, file["image"]):
            place.attrs["pickle"] = np.void(pickle.dumps(Trap()))

    data = hdf5({"image": with_pickles})
    assert np.array_equal(decoded(data, ".h5", path="image"), STACK)
    texts = hdf5({"image": np.array([["a", "b"]], object)})
    assert "Python objects or texts" in refusal(texts, ".h5", "y x", "image", bands=["a"])
    assert capfd.readouterr().out == ""


def test_an_array_for_each_band():
    """Each band may be an array of its own, with the band's token in its name."""
    red, green = STACK
    data = npz(**{"bands/04 - Red": red, "bands/03 - Green": green})
    names = {"bands": [("r", "04 - Red"), ("g", "03 - Green")]}
    assert np.array_equal(decoded(data, ".npz", "y x", "bands/{band}", **names), STACK)
    data = hdf5({"bands/04 - Red": red, "bands/03 - Green": green})
    assert np.array_equal(decoded(data, ".h5", "y x", "bands/{band}", **names), STACK)
    assert np.array_equal(decoded(npy(red.T), ".npy", "x y", bands=["red"]), STACK[:1])


def rezipped(data, **options):
    """An npz file, written again by zipfile with other options."""
    buffer = BytesIO()
    with ZipFile(BytesIO(data)) as old, ZipFile(buffer, "w", **options) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return buffer.getvalue()


def test_refused_npz_files():
    """Missing arrays, other codecs, wrong checksums and cut files are errors that say what."""
    data = npz(image=STACK, other=STACK)
    pixels = data.index(STACK.tobytes())
    flipped = data[:pixels] + b"\xff" + data[pixels + 1 :]
    assert "has 0 arrays named 'img', expected one; it has 'image', 'other'" in refusal(
        data, ".npz", path="img"
    )
    assert "Bad CRC-32" in refusal(flipped, ".npz", path="image")
    assert np.array_equal(decoded(flipped, ".npz", path="other"), STACK)
    assert "damaged or cut short" in refusal(data[:-9], ".npz", path="image")
    packed = rezipped(data, compression=ZIP_BZIP2)
    assert "compressed with method 12, expected 0 or 8" in refusal(packed, ".npz", path="image")
    assert "not an npz file: is a numpy array" in refusal(npy(STACK), ".npz", path="image")
    at = data.rindex(b"PK\x01\x02")
    encrypted = data[: at + 8] + b"\1" + data[at + 9 :]
    assert "is encrypted" in refusal(encrypted, ".npz", path="other")


def test_hdf5_files_stay_within_themselves(tmp_path):
    """Links, external and virtual datasets are refused: they may name any file of the machine."""
    secret = tmp_path / "secret.h5"
    secret.write_bytes(hdf5({"image": STACK}))
    raw = tmp_path / "secret.bin"
    raw.write_bytes(STACK.tobytes())
    layout = h5py.VirtualLayout(STACK.shape, STACK.dtype)
    layout[:] = h5py.VirtualSource(secret, "image", STACK.shape)
    places = {
        "external link": lambda file: file.update(image=h5py.ExternalLink(secret, "image")),
        "soft link": lambda file: file.update(image=h5py.SoftLink("/other"), other=STACK),
        "virtual": lambda file: file.create_virtual_dataset("image", layout),
        "external": lambda file: file.create_dataset(
            "image", STACK.shape, STACK.dtype, external=[(raw, 0, STACK.nbytes)]
        ),
    }
    for name, place in places.items():
        message = refusal(hdf5({name: place}), ".h5", path="image")
        assert "a link to another place" in message or "in other files" in message, name


def test_refused_hdf5_files():
    """Missing datasets, groups, other axes and other files are errors that say what is there."""
    data = hdf5({"a/image": STACK, "one": STACK[0]})
    assert "no dataset 'img'; / has 'a', 'one'" in refusal(data, ".h5", path="img")
    assert "no dataset 'a/img'; /a has 'image'" in refusal(data, ".h5", path="a/img")
    assert "no dataset but a group with 'image'" in refusal(data, ".h5", path="a")
    assert "no dataset 'one/x'" in refusal(data, ".h5", path="one/x")
    assert "dataset 'one': its shape is (5, 7), expected 3 axes" in refusal(data, ".h5", path="one")
    assert "not an HDF5 file: is a numpy array" in refusal(npy(STACK), ".h5", path="image")
    assert "dataset 'image'" in refusal(hdf5({"image": h5py.Empty("f4")}), ".h5", path="image")


@pytest.mark.parametrize("compression", ["gzip", "lzf"])
@pytest.mark.parametrize("n_bytes", [STACK.nbytes - 2, STACK.nbytes + 2])
def test_chunks_of_another_size_are_refused(compression, n_bytes):
    """A chunk of HDF5 that holds less than its pixels is not filled up with what is in memory."""
    other = hdf5({"image": np.zeros(n_bytes, "u1")}, chunks=(n_bytes,), compression=compression)
    with h5py.File(BytesIO(other)) as file:
        mask, chunk = file["image"].id.read_direct_chunk((0,))
    assert mask == 0

    def place(file):
        options = {"chunks": STACK.shape, "compression": compression}
        dataset = file.create_dataset("image", STACK.shape, "i2", **options)
        dataset.id.write_direct_chunk((0, 0, 0), chunk)

    message = refusal(hdf5({"image": place}), ".h5", path="image")
    assert f"chunk at (0, 0, 0) is damaged: it does not decompress to {STACK.nbytes}" in message


def test_other_filters_are_refused():
    """Filters of HDF5 whose output can't be checked are an error that names those which can."""
    data = hdf5({"image": STACK}, chunks=True, scaleoffset=0)
    assert "its filters are [6], expected gzip (1) or LZF" in refusal(data, ".h5", path="image")


def test_missing_chunks_have_the_fill_value():
    """A chunk that was never written has the dataset's fill value."""

    def place(file):
        dataset = file.create_dataset("image", (2, 4, 4), "i2", chunks=(1, 4, 4), fillvalue=-7)
        dataset[1] = 5

    found = decoded(hdf5({"image": place}), ".h5", path="image")
    assert np.array_equal(found, [np.full((4, 4), -7), np.full((4, 4), 5)])


@pytest.mark.parametrize("kind", ["npy", "npz", "h5"])
@pytest.mark.parametrize("seed", range(1))
def test_damaged_files_do_no_harm(kind, seed):
    """Damaged files give the pixels of numpy and h5py or an error: no crash, hang or print."""
    done = python("-m", "tests.support.array_mutations", kind, seed, 400, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["wrong"] == []
    assert outcome["decoded"] > 450
    assert outcome["refused"] > 250


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", ["npy", "npz", "h5"])
def test_fresh_damaged_files_do_no_harm(rounds, seed, kind):
    """Newly damaged files give the pixels of numpy and h5py or an error, too."""
    for number in rounds(10):
        test_damaged_files_do_no_harm(kind, seed + number)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_data_that_inflates_without_end(suffix):
    """Data that inflates to more than its array needs is refused, and takes no memory."""
    bomb = zlib.compress(bytes(2**26), 9)
    if suffix == ".npz":
        buffer = BytesIO()
        with ZipFile(buffer, "w", compression=8) as file:
            file.writestr("image.npy", npy(STACK) + bytes(2**20))
        data = buffer.getvalue()
    else:

        def place(file):
            chunked = file.create_dataset(
                "image", STACK.shape, "i2", chunks=True, compression="gzip"
            )
            chunked.id.write_direct_chunk((0, 0, 0), bomb)

        data = hdf5({"image": place})
    tracemalloc.start()
    try:
        message = refusal(data, suffix, path="image")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "does not decompress to" in message or "bytes, expected" in message
    assert peak < 2**23


@pytest.mark.parametrize(
    ("suffix", "make"),
    [
        (".npy", npy),
        (".npz", lambda stack: npz(image=stack, is_packed=True)),
        (".h5", lambda stack: hdf5({"image": stack}, chunks=True, compression="gzip")),
    ],
)
def test_memory_is_asked_for_first(suffix, make):
    """An array that needs more memory than allowed is an error before it is allocated."""
    shape = (4, 256, 256)
    data = make(np.zeros(shape))
    modality = modality_of(suffix, path="" if suffix == ".npy" else "image")
    decoder = decoder_of(modality)
    n_bytes = 8 * math.prod(shape)
    tracemalloc.start()
    try:
        with pytest.raises(MemoryLimitError):
            decoder.decode(data, Allowance(n_bytes - 1))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < n_bytes / 4
    allowance = Allowance(2**30)
    decoder.decode(data, allowance)
    assert n_bytes <= allowance.peak <= 2 * len(data) + 4 * n_bytes


def test_hdf5_with_checksums_and_lzf():
    """Datasets with Fletcher's checksum are verified, and LZF is read."""
    noise = np.random.default_rng(0).integers(0, 2**15, (2, 300, 300), "i2")
    for options in ({"compression": "gzip", "fletcher32": True}, {"compression": "lzf"}):
        data = hdf5({"image": noise}, chunks=(1, 300, 300), **options)
        assert np.array_equal(decoded(data, ".h5", path="image"), noise)
    data = hdf5({"image": noise}, chunks=(1, 300, 300), fletcher32=True)
    at = data.index(noise[1].tobytes()) + 99
    damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    assert "damaged" in refusal(damaged, ".h5", path="image")
