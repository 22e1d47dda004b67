"""PyTorch datasets and loaders return the same pixels as every read method."""

import numpy as np
import pytest

from rico_hdl.testing.contracts.readers import ReaderContract

torch = pytest.importorskip("torch", reason="torch is not installed: make test-torch")

from torch.utils.data import DataLoader

from rico_hdl.torch import PatchDataset, loader


class TestSamples(ReaderContract):
    """Reads one sample at a time."""

    def read(self, folder, keys, bands):
        dataset = PatchDataset(folder, keys, list(bands))
        return np.stack([dataset[i]["image"].numpy() for i in range(len(dataset))])


class TestLoader(ReaderContract):
    """Reads batches with this package's loader."""

    def read(self, folder, keys, bands):
        dataset = PatchDataset(folder, keys, list(bands))
        with loader(dataset, 4, n_threads=2) as batches:
            return np.concatenate([batch["image"].numpy().copy() for batch in batches])


class TestLoaderOfLargeBatches(ReaderContract):
    """Reads batches that are large enough to be copied by one call for all patches."""

    def read(self, folder, keys, bands):
        dataset = PatchDataset(folder, keys, list(bands))
        with loader(dataset, 16, n_threads=2) as batches:
            return np.concatenate([batch["image"].numpy().copy() for batch in batches])


class TestDataLoader(ReaderContract):
    """Reads batches with PyTorch's DataLoader."""

    def read(self, folder, keys, bands):
        batches = DataLoader(PatchDataset(folder, keys, list(bands)), 4)
        return np.concatenate([batch["image"].numpy() for batch in batches])
