"""Pixels of every dtype, in records of any offset and layout."""

from __future__ import annotations

import numpy as np
import pytest

import rico_hdl
from rico_hdl.errors import SizeError
from tests.support.reading import same_bits
from tests.support.stores import store_of


def doubled(image):
    """An image with each pixel repeated twice along both axes."""
    return image.repeat(2, -2).repeat(2, -1)


def test_half_precision_is_rounded_as_numpy_rounds(tmp_path):
    """Doubles are rounded to half precision once, without a detour through float32."""
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
    """Patches whose bands differ in size or offset share a batch if padded or resampled."""
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
