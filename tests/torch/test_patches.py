"""Patches as samples in PyTorch's DataLoader."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rico_hdl
from rico_hdl.errors import StoreError, UsageError
from tests.support.reading import arrays
from tests.support.stores import converted

torch = pytest.importorskip("torch", reason="torch is not installed: make test-torch")

from torch.utils.data import DataLoader

from rico_hdl.torch import PatchDataset

N = 10
RGB = ["B04", "B03", "B02"]


@pytest.fixture(scope="module")
def eurosat(tmp_path_factory):
    """A store of 13 bands of 64 x 64 pixels."""
    return converted("eurosat-multi-spectral", tmp_path_factory.mktemp("eurosat"), N)


@pytest.fixture(scope="module")
def bigearthnet(tmp_path_factory):
    """A store of Sentinel-1 patches, and of Sentinel-2 patches with three resolutions."""
    return converted("bigearthnet", tmp_path_factory.mktemp("bigearthnet"), 5, ["s1", "s2"])


class AddOne:
    """A picklable transform."""

    def __call__(self, sample):
        return sample | {"image": sample["image"].float() + 1}


class Die:
    """A transform that kills its process, as running out of memory would."""

    def __call__(self, sample):
        os.kill(os.getpid(), signal.SIGKILL)
        return sample


def expected(store, key, bands):
    """The pixels of a patch, as safetensors reads them."""
    patch = arrays(store)[key]
    return np.stack([patch[band] for band in bands])


def test_iterating_and_indexing_follow_python(eurosat):
    """Negative and numpy indexes work; an index out of range is an IndexError."""
    dataset = PatchDataset(eurosat, bands="rgb")
    assert dataset[-1]["key"] == dataset[np.int64(N - 1)]["key"] == dataset.keys[N - 1]
    assert dataset[torch.tensor(2)]["key"] == dataset.keys[2]
    assert [sample["key"] for sample in dataset] == list(dataset.keys)
    for index in (N, -N - 1):
        with pytest.raises(IndexError):
            dataset[index]


def test_keys_and_labels_stay_together(eurosat):
    """Chosen keys keep their order, each with its label."""
    keys = sorted(arrays(eurosat))[::-2]
    dataset = PatchDataset(eurosat, keys, "rgb", labels=[10 * i for i in range(len(keys))])
    assert [(s["key"], int(s["label"])) for s in dataset] == [
        (key, 10 * i) for i, key in enumerate(keys)
    ]
    assert dataset[0]["label"].dtype == torch.int64
    assert dataset[0]["label"].shape == ()


def test_keys_that_are_missing_are_counted(eurosat):
    """Missing keys, too few labels, no patches and a missing store are errors that say so."""
    keys = ["Nowhere_1", *sorted(arrays(eurosat))[:2], "Nowhere_2"]
    with pytest.raises(KeyError, match="lacks 2 of 4 keys, such as 'Nowhere_1'"):
        PatchDataset(eurosat, keys)
    with pytest.raises(UsageError, match="3 labels for 10 keys"):
        PatchDataset(eurosat, labels=[1, 2, 3])
    with pytest.raises(UsageError, match="no patches"):
        PatchDataset(eurosat, [])
    with pytest.raises(StoreError, match="absent"):
        PatchDataset(eurosat.parent / "absent")


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_bands_can_stay_apart(bigearthnet, dtype):
    """Grouped by band, samples hold one image of shape (rows, columns) per band."""
    store = rico_hdl.open(bigearthnet)
    dataset = PatchDataset(store, store.keys("s2"), grouped="band", dtype=dtype)
    dataset = pickle.loads(pickle.dumps(dataset))
    assert dataset.entries["image_B8A"].shape == (60, 60)
    stored = arrays(bigearthnet)
    for sample in dataset:
        patch = stored[sample["key"]]
        assert set(sample) == {"key", *(f"image_{band}" for band in patch)}
        for band, pixels in patch.items():
            assert np.array_equal(sample[f"image_{band}"].numpy(), pixels.astype(dtype or "uint16"))


def test_patches_of_unusual_size_can_be_left_out(tmp_path):
    """With on_size="skip", the dataset omits patches of unusual size."""
    store = converted("uc-merced", tmp_path, 4)
    stored = arrays(store)
    usual = sorted(key for key, patch in stored.items() if patch["Red"].shape == (256, 256))
    assert len(usual) == 3
    dataset = PatchDataset(store, labels=range(4), on_size="skip")
    assert list(dataset.keys) == usual
    assert [int(s["label"]) for s in dataset] == [sorted(stored).index(key) for key in usual]
    with pytest.raises(UsageError, match=r"256 ?x ?255|\(256, 255\)"):
        list(PatchDataset(store))


def test_transform_is_applied_to_each_sample(eurosat):
    """A transform receives each sample and returns its replacement."""
    plain, added = PatchDataset(eurosat), PatchDataset(eurosat, transform=AddOne())
    for one, other in zip(plain, added, strict=True):
        assert torch.equal(one["image"].float() + 1, other["image"])
        assert one["key"] == other["key"]


@given(st.lists(st.integers(-N, N - 1), max_size=8))
def test_many_at_once_are_the_same_as_one_by_one(eurosat, indices):
    """Samples read in a batch equal samples read one by one, for any positions."""
    dataset = PatchDataset(eurosat, bands=["B12", "B8A"], labels=np.arange(N))
    found = dataset.__getitems__(indices)
    assert len(found) == len(indices)
    for index, sample in zip(indices, found, strict=True):
        single = dataset[index]
        assert (sample["key"], sample["label"]) == (single["key"], single["label"])
        assert torch.equal(sample["image"], single["image"])


def test_pickled_datasets_are_small_and_the_same(eurosat):
    """A used dataset, pickled and restored, returns the same samples in any process."""
    dataset = PatchDataset(eurosat, bands=RGB, labels=range(N))
    before = dataset[3]
    data = pickle.dumps(dataset)
    assert len(data) < 50_000
    again = pickle.loads(data)
    assert again[3]["key"] == before["key"]
    assert torch.equal(again[3]["image"], before["image"])
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer)[3])"
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    assert done.stdout.decode().strip() == str(before)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_every_kind_read_the_same(eurosat, method):
    """Worker processes of every start method return the same batches as no workers."""
    dataset = PatchDataset(eurosat, bands=RGB, labels=range(N), transform=AddOne())
    plain = list(DataLoader(dataset, batch_size=3))
    workers = DataLoader(dataset, batch_size=3, num_workers=2, multiprocessing_context=method)
    found = list(workers)
    assert len(found) == len(plain) == 4
    for batch, other in zip(found, plain, strict=True):
        assert batch["key"] == other["key"]
        assert torch.equal(batch["image"], other["image"])
        assert torch.equal(batch["label"], other["label"])


def test_native_dtypes_go_through_workers(bigearthnet):
    """uint16 images of several resolutions pass through workers unchanged."""
    store = rico_hdl.open(bigearthnet)
    dataset = PatchDataset(store, store.keys("s2"), grouped=True)
    (batch,) = DataLoader(dataset, batch_size=5, num_workers=1)
    assert batch["image_20x20"].dtype == torch.uint16
    for i, sample in enumerate(dataset):
        for name in dataset.entries:
            assert torch.equal(batch[name][i], sample[name])


def test_killed_worker_is_reported(eurosat):
    """A killed worker process raises an error in the trainer, and leaves the store intact."""
    dataset = PatchDataset(eurosat, bands="rgb", transform=Die())
    with pytest.raises(RuntimeError, match=re.compile("worker.*(killed|exited)", re.DOTALL)):
        list(DataLoader(dataset, batch_size=2, num_workers=2))
    dataset.transform = None
    assert [sample["key"] for sample in dataset] == list(dataset.keys)


def test_errors_reach_the_trainer_from_a_worker(bigearthnet):
    """A read error in a worker reaches the trainer with the key and bands."""
    keys = sorted(arrays(bigearthnet), reverse=True)
    dataset = PatchDataset(bigearthnet, keys, bands="rgb")  # S1 patches have no such bands
    with pytest.raises((RuntimeError, UsageError), match=r"S1A_IW.*'rgb'"):
        list(DataLoader(dataset, batch_size=2, num_workers=1))
