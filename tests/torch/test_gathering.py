"""Copying whole batches with torch's kernels, judged by the reader that copies patch by patch."""

from __future__ import annotations

import threading

import lmdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

import corpus
import rico_hdl
from rico_hdl.datasets import registry
from rico_hdl.errors import SizeError

torch = pytest.importorskip("torch", reason="torch is not installed: make test-torch")

from rico_hdl.torch import PatchDataset, loader
from rico_hdl.torch.gathering import GatheringReader

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
FLOATS = ("float16", "float32", "float64")


@pytest.fixture(scope="module")
def bigearthnet(tmp_path_factory):
    """A store of Sentinel-2 patches with bands of three resolutions."""
    folder = tmp_path_factory.mktemp("gathering")
    spec = registry()["bigearthnet"]
    rico_hdl.convert(spec, corpus.generate(spec, folder, 40, modalities=["s2"]), folder / "store")
    return rico_hdl.open(folder / "store")


def write(folder, patches):
    """A store written with nothing but lmdb and safetensors."""
    folder.mkdir()
    with lmdb.open(str(folder), map_size=1 << 28) as env, env.begin(write=True) as txn:
        for key, patch in patches.items():
            txn.put(key.encode(), save(patch))
    return rico_hdl.open(folder)


def same(store, keys, n_spare=0, **options):
    """Both readers fill the same bytes, also into some of an array's channels."""
    reader = store.reader(**options)
    gathering = GatheringReader(reader)
    expected = reader.read_batch(keys)
    found = gathering.read_batch(keys)
    assert list(found.keys) == list(expected.keys) == list(keys)
    if isinstance(expected.images, dict):
        assert found.images.keys() == expected.images.keys()
        for name, images in expected.images.items():
            assert found.images[name].dtype == images.dtype
            assert found.images[name].tobytes() == images.tobytes()
        return
    assert found.images.dtype == expected.images.dtype
    assert found.images.tobytes() == expected.images.tobytes()
    n, n_bands, *size = expected.images.shape
    wider = np.full((n, n_bands + n_spare, *size), 77, expected.images.dtype)
    gathering.read_batch(keys, wider[:, :n_bands])
    assert wider[:, :n_bands].tobytes() == expected.images.tobytes()
    assert (wider[:, n_bands:] == 77).all()


@given(
    positions=st.lists(st.integers(0, 39), min_size=1, max_size=40),
    bands=st.lists(st.sampled_from(BANDS), min_size=1, max_size=6),
    size=st.sampled_from([(120, 120), (240, 240), (60, 60), (120, 240), (40, 50), (660, 120)]),
    resampling=st.sampled_from(["nearest", "nearest", "bilinear"]),
    dtype=st.sampled_from(["float32", "uint16", "int32", "float64"]),
)
def test_batches_are_those_of_the_plain_reader(bigearthnet, positions, **options):
    """Any bands in any order, size, resampling and dtype give the same bytes, for any patches."""
    same(bigearthnet, bigearthnet.keys()[positions], 2, **options)


@given(st.lists(st.integers(0, 39), min_size=1, max_size=40))
def test_native_resolutions_are_those_of_the_plain_reader(bigearthnet, positions):
    """One array for each resolution gives the same bytes, too."""
    keys = bigearthnet.keys()[positions]
    same(bigearthnet, keys, grouped=True)
    same(bigearthnet, keys, bands="rgb")
    same(bigearthnet, list(keys), bands="10m", dtype="float32")


@pytest.mark.parametrize("dtype", [*DTYPES, *FLOATS, "bool"])
@pytest.mark.parametrize("n_pixels", [3, 40])
def test_every_dtype_and_place_of_a_record(tmp_path, dtype, n_pixels):
    """Patches of any dtype are the same, be they on pages of their own or among the keys."""
    random = np.random.default_rng(0)
    shape = (n_pixels, n_pixels)
    patches = {
        f"patch_{i:03}": {
            band: random.bytes(n_pixels**2 * np.dtype(dtype).itemsize) for band in ("a", "b", "c")
        }
        for i in range(50)
    }
    store = write(
        tmp_path / "store",
        {
            key: {
                band: np.frombuffer(data, dtype if dtype != "bool" else "uint8")
                .reshape(shape)
                .astype(dtype)
                for band, data in patch.items()
            }
            for key, patch in patches.items()
        },
    )
    keys = list(store.keys())
    for bands in (None, ["c", "a"], ["c", "b", "a"], ["b"]):
        same(store, keys, bands=bands)
        if dtype != "bool":
            same(store, keys, bands=bands, size=[2 * n for n in shape])


def test_half_precision_is_rounded_as_numpy_rounds(tmp_path):
    """Doubles become half precision in one step: by way of float32 some would be rounded twice."""
    random = np.random.default_rng(0)
    patches = {f"patch_{i}": {"a": random.normal(0, 100, (256, 256))} for i in range(8)}
    store = write(tmp_path / "store", patches)
    pixels = [patch["a"] for patch in patches.values()]
    twice = [a.astype("float32").astype("float16") != a.astype("float16") for a in pixels]
    assert np.any(twice)
    same(store, list(patches), dtype="float16")
    same(store, list(patches), dtype="float16", size=(512, 512))


def test_patches_of_several_layouts(tmp_path):
    """Batches of patches that differ in size or in where their bands lie are the same."""
    random = np.random.default_rng(1)
    patches = {}
    for i in range(30):
        side = 64 if i % 3 else 63
        names = ["a", "b", "c"] if i % 2 else ["a", "aa", "b", "c"]
        patches[f"patch_{i:02}"] = {
            name: random.integers(0, 65535, (side, side), np.uint16) for name in names
        }
    store = write(tmp_path / "store", patches)
    keys = list(store.keys())
    for on_size in ("pad+crop", "keep"):
        same(store, keys, bands=["a", "c"], size=(128, 128), on_size=on_size)
    reader = GatheringReader(store.reader(bands=["a", "c"]))
    with pytest.raises(SizeError):
        reader.read_batch(keys)


def test_loader_threads_compute_alone(bigearthnet):
    """In the loader's threads torch uses one thread each, and elsewhere as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    seen = []

    def look(batch):
        seen.append(torch.get_num_threads())
        return batch

    try:
        with loader(PatchDataset(bigearthnet, bands="rgb"), 4, transform=look) as batches:
            list(batches)
        assert set(seen) == {1}
        assert torch.get_num_threads() == 3
        other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        other.start()
        other.join()
        assert seen[-1] == 3
    finally:
        torch.set_num_threads(before)
