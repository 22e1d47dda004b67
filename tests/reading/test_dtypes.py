"""Pixels of every dtype, in records of any place and layout."""

from __future__ import annotations

import numpy as np
import pytest

import rico_hdl
from rico_hdl.errors import SizeError
from tests.support.reading import same_bits
from tests.support.stores import store_of

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
FLOATS = ("float16", "float32", "float64")


def doubled(image):
    """Each pixel twice in both directions."""
    return image.repeat(2, -2).repeat(2, -1)


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS, "bool"])
@pytest.mark.parametrize("n_pixels", [3, 40])
def test_pixels_of_every_dtype_are_read(tmp_path, dtype, n_pixels):
    """Any bands, as stored or twice as large, whether records share pages or have their own."""
    random = np.random.default_rng(0)
    size = (n_pixels, n_pixels)
    kind = np.dtype("uint8" if dtype == "bool" else dtype)
    patches = {
        f"patch_{i:03}": {
            band: np.frombuffer(random.bytes(n_pixels**2 * kind.itemsize), kind)
            .reshape(size)
            .astype(dtype)
            for band in ("a", "b", "c")
        }
        for i in range(9)
    }
    with rico_hdl.open(store_of(tmp_path, patches)) as store:
        for bands in ("abc", "ca", "cba", "b"):
            expected = np.stack([[patch[band] for band in bands] for patch in patches.values()])
            assert same_bits(store.read_batch(list(patches), bands=list(bands)), expected)
            assert same_bits(store.read("patch_003", bands=list(bands)), expected[3])
            if dtype != "bool":
                large = store.read_batch(list(patches), bands=list(bands), size=2 * n_pixels)
                assert same_bits(large, doubled(expected))


def test_half_precision_is_rounded_as_numpy_rounds(tmp_path):
    """Doubles become half precision in one step: by way of float32 some would be rounded twice."""
    random = np.random.default_rng(0)
    patches = {f"patch_{i}": {"a": random.normal(0, 100, (256, 256))} for i in range(8)}
    expected = np.stack([[patch["a"].astype("float16")] for patch in patches.values()])
    twice = np.stack([[patch["a"].astype("float32")] for patch in patches.values()])
    assert np.any(twice.astype("float16") != expected)
    with rico_hdl.open(store_of(tmp_path, patches)) as store:
        assert same_bits(store.read_batch(list(patches), dtype="float16"), expected)
        large = store.read_batch(list(patches), dtype="float16", size=512)
        assert same_bits(large, doubled(expected))


def test_patches_of_several_layouts(tmp_path):
    """Patches whose bands differ in size or place share a batch, if a size or cutting allows it."""
    random = np.random.default_rng(1)
    patches = {}
    for i in range(30):
        side = 64 if i % 3 else 63
        names = ["a", "b", "c"] if i % 2 else ["a", "aa", "b", "c"]
        patches[f"patch_{i:02}"] = {
            name: random.integers(0, 65535, (side, side), np.uint16) for name in names
        }
    keys, options = list(patches), {"bands": ["a", "c"], "on_size": "pad+crop"}
    with rico_hdl.open(store_of(tmp_path, patches)) as store:
        for size in (None, 128):
            found = store.read_batch(keys, size=size, **options)
            for image, patch in zip(found, patches.values(), strict=True):
                stacked = np.stack([patch["a"], patch["c"]])
                padding = 64 - stacked.shape[1]
                padded = np.pad(stacked, ((0, 0), (0, padding), (0, padding)))
                assert same_bits(image, padded if size is None else doubled(padded))
        with pytest.raises(SizeError):
            store.read_batch(keys, bands=["a", "c"])
