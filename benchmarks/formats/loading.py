"""PyTorch's `DataLoader` around a reader.

In: a reader and an order of patches. Out: batches of tensors. Workers start with PyTorch's default
method, and open their own files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from formats.protocol import Batches, Indices, RandomReader


class Patches(Dataset[Any]):
    """Single patches, for PyTorch to stack."""

    def __init__(self, reader: RandomReader, task: str) -> None:
        self._reader = reader
        self._task = task

    def __getitem__(self, index: int) -> Any:  # noqa: ANN401 - anything that PyTorch can stack
        # Opened by the worker that reads, not by the process that creates the dataset.
        if "_read" not in self.__dict__:
            self._read = self._reader.single(self._task)
        return self._read(index)


class PatchBatches(Patches):
    """Whole batches, which PyTorch only moves."""

    def __getitems__(self, indices: list[int]) -> Any:  # noqa: ANN401 - as above
        if "_read_batch" not in self.__dict__:
            self._read_batch = self._reader.batched(self._task)
        return as_tensors(self._read_batch(indices))


def load(reader: RandomReader, task: str, order: Iterable[Indices], n_workers: int) -> Batches:
    """Batches in the given order, with PyTorch's usual prefetching."""
    kind = PatchBatches if reader.batches_in_workers else Patches
    loader = DataLoader(
        kind(reader, task),
        batch_sampler=order,
        num_workers=n_workers,
        multiprocessing_context=reader.start_method,
        collate_fn=unchanged if reader.batches_in_workers else None,
    )
    yield from zip(order, loader, strict=False)


def unchanged(batch: object) -> object:
    """Return the batch unchanged: the dataset made it."""
    return batch


def as_tensors(batch: object) -> object:
    """A batch of arrays as tensors that share its memory, which PyTorch moves without pickling."""
    if isinstance(batch, dict):
        return {name: as_tensors(array) for name, array in batch.items()}
    return torch.from_numpy(batch) if isinstance(batch, np.ndarray) else batch
