"""Batches that torch copies with one call for all patches are those that NumPy copies."""

from __future__ import annotations

import os
from pathlib import Path

import lmdb
import numpy as np
import pytest
from safetensors.numpy import save

torch = pytest.importorskip("torch", reason="torch is not installed: make test-torch")

import rico_hdl
from rico_hdl.torch import PatchDataset, selecting

SIDES = {"A": 60, "B": 120, "C": 120, "D": 120, "E": 60}
"""Rows, and columns, of each band."""
N_PATCHES = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A store of noise, written without the package, whose records have pages of their own."""
    noise = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("selecting")
    with lmdb.open(os.fspath(folder), map_size=2**26) as env, env.begin(write=True) as txn:
        for i in range(N_PATCHES):
            bands = {
                name: noise.integers(0, 2**16, (side, side), np.uint16)
                for name, side in SIDES.items()
            }
            txn.put(b"patch_%02d" % i, save(bands))
    return folder


@pytest.mark.parametrize(
    "options",
    [
        {"bands": ["D", "C", "B"]},
        {"bands": ["B", "D", "C"]},
        {"bands": ["D"]},
        {"grouped": True},
        {"bands": ["E", "A", "D"], "grouped": True},
        {"size": 120},
        {"size": 60, "dtype": "float32"},
        {"grouped": "band"},
    ],
    ids=str,
)
def test_every_pixel_is_equal(folder, options) -> None:
    """Whatever bands are read in whatever order, dtype and size, the batch is the same."""
    rows = np.random.default_rng(3).integers(0, N_PATCHES, 57)
    with rico_hdl.open(folder) as store:
        keys = store.keys()[rows]
        expected = store.read_batch(keys, **options)
        dataset = PatchDataset(store, keys, **options)
        arrays = dataset.empty(len(keys))
        dataset.fill(np.arange(len(keys)), arrays)
        tensors = dataset.tensors(arrays)
        named = expected if isinstance(expected, dict) else {"": expected}
        for name, array in named.items():
            tensor = tensors[f"image_{name}" if name else "image"]
            assert tensor.numpy().tobytes() == array.tobytes()


def test_torch_copies_them(folder, monkeypatch) -> None:
    """Bands that are stored as they are read are not copied one by one."""

    def refuse(*_: object) -> None:
        raise AssertionError("copied one by one")

    monkeypatch.setattr(selecting, "copy_rows", refuse)
    samples = PatchDataset(folder, bands=["D", "B", "C"]).__getitems__(range(8))
    with rico_hdl.open(folder) as store:
        for sample in samples:
            expected = store.read(sample["key"], bands=["D", "B", "C"])
            assert np.array_equal(sample["image"].numpy(), expected)
