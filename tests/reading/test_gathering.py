"""Batches that are gathered a block of records at a time are those that are copied one by one."""

from __future__ import annotations

import os
from pathlib import Path

import lmdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

import rico_hdl
from rico_hdl.reading import gathering
from rico_hdl.reading.gathering import gather_rows

SIDES = {"A": 60, "B": 120, "C": 120, "D": 120, "E": 60, "F": 20}
"""Rows, and columns, of each band; neighbours in the record differ, so it takes several runs."""
N_PATCHES = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A store of noise, written without the package, whose records have pages of their own."""
    noise = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("gathering")
    with lmdb.open(os.fspath(folder), map_size=2**26) as env, env.begin(write=True) as txn:
        for i in range(N_PATCHES):
            bands = {
                name: noise.integers(0, 2**16, (side, side), np.uint16)
                for name, side in SIDES.items()
            }
            txn.put(b"patch_%02d" % i, save(bands))
    return folder


@given(
    bands=st.permutations(sorted(SIDES)).flatmap(
        lambda order: st.integers(1, len(order)).map(lambda n: order[:n])
    ),
    rows=st.lists(st.integers(0, N_PATCHES - 1), min_size=4, max_size=60),
    options=st.sampled_from(
        [
            {"grouped": True},
            {"size": 120},
            {"size": 120, "dtype": "float32"},
            {"size": 60, "dtype": "int32"},
            {"size": 30, "resampling": "bilinear", "dtype": "float64"},
        ]
    ),
)
def test_every_pixel_is_equal(folder, bands, rows, options) -> None:
    """Whatever bands are read in whatever order, dtype and size, the batch is the same."""
    with rico_hdl.open(folder) as store:
        reader = store.reader(bands=bands, **options)
        keys = store.keys()[np.array(rows)]
        expected = reader.read_batch(keys).images
        found = reader.copying(gather_rows).read_batch(keys).images
        expected, found = (x if isinstance(x, dict) else {"": x} for x in (expected, found))
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
            assert found[name].tobytes() == array.tobytes()


def test_blocks_are_gathered(folder, monkeypatch) -> None:
    """Records with pages of their own are not copied one by one, also in batches of threads."""

    def refuse(*_: object) -> None:
        raise AssertionError("copied one by one")

    monkeypatch.setattr(gathering, "copy_rows", refuse)
    with rico_hdl.open(folder) as store:
        images = [
            batch.images.copy()
            for batch in store.batches(batch_size=16, n_threads=2, bands=["D", "B", "C"])
        ]
        expected = store.read_batch(store.keys(), bands=["D", "B", "C"])
    assert np.array_equal(np.concatenate(images), expected)


def test_small_and_large_records_are_copied_one_by_one(tmp_path) -> None:
    """Records that share pages, and those of which a block holds few, are read as well."""
    noise = np.random.default_rng(2)
    for name, side, n in (("small", 9, 50), ("large", 1000, 5)):
        patches = {f"{i:03}": noise.integers(0, 2**16, (side, side), np.uint16) for i in range(n)}
        with (
            lmdb.open(os.fspath(tmp_path / name), map_size=2**26) as env,
            env.begin(write=True) as txn,
        ):
            for key, band in patches.items():
                txn.put(key.encode(), save({"A": band}))
        with rico_hdl.open(tmp_path / name) as store:
            found = store.reader().copying(gather_rows).read_batch(store.keys()).images
        assert np.array_equal(found[:, 0], np.stack(list(patches.values())))
