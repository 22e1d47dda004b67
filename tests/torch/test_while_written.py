"""PyTorch datasets and loaders while another process writes to the store."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader

from rico_hdl.torch import PatchDataset, loader
from tests.support.writing import SIDES, N, begin, key_of, n_wrong, writer

NUMBER_OF = {key_of(number): number for number in range(N)}
N_SOAK = 1_000_000


def wrong_in(batch):
    """The number of wrong patches in a batch, and the number of patches."""
    numbers = np.array([NUMBER_OF[key] for key in batch["key"]])
    if "image" in batch:
        images = batch["image"].numpy()
    else:
        images = np.stack([batch[f"image_{band}"].numpy() for band in ("B1", "B2", "B3")], axis=1)
    return n_wrong(images, numbers), len(numbers)


def ways(dataset):
    """All batches of a dataset, first from our loader, then from PyTorch's."""
    with loader(dataset, 32, shuffle=True, n_threads=2) as batches:
        yield from batches
    yield from DataLoader(dataset, 32, num_workers=2)


def read_all(folder, side, kind, n_reads):
    """Read all datasets until enough patches are read; return the number of wrong ones."""
    datasets = [PatchDataset(folder), PatchDataset(folder, grouped="band")]
    n_wrong_ones = n = 0
    with writer(kind, folder, side):
        while n < n_reads:
            for dataset in datasets:
                for batch in ways(dataset):
                    wrong, n_more = wrong_in(batch)
                    n_wrong_ones += wrong
                    n += n_more
    return n_wrong_ones


@pytest.mark.parametrize("size", SIDES)
@pytest.mark.parametrize("kind", ["replace", "add", "convert"])
def test_batches_are_those_of_their_keys(tmp_path, kind, size):
    """Threads and worker processes read each key's own patch while another process writes."""
    folder = begin(tmp_path / "store", SIDES[size])
    assert read_all(folder, SIDES[size], kind, 4 * N) == 0


@pytest.mark.soak
@pytest.mark.parametrize("size", SIDES)
@pytest.mark.parametrize("kind", ["replace", "add", "convert"])
def test_a_million_samples_are_those_of_their_keys(tmp_path, kind, size, rounds):
    """In a million samples read during each kind of write, none is wrong."""
    folder = begin(tmp_path / "store", SIDES[size])
    for _ in rounds(10):
        assert read_all(folder, SIDES[size], kind, N_SOAK // 10) == 0
