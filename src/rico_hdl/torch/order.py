"""The order of the samples of an epoch, and their division among ranks.

The order is that of PyTorch's `DistributedSampler` for the same seed, epoch, rank and world size,
so one can replace the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch


@dataclass(frozen=True)
class Order:
    """All settings that determine the order of samples, except the epoch."""

    n: int
    """Samples of all ranks together."""
    shuffle: bool = False
    """Whether to shuffle the samples, in another order for each epoch."""
    seed: int = 0
    """The seed of the order; the same for all ranks."""
    rank: int = 0
    """Zero-based number of this process among those that train together."""
    world_size: int = 1
    """The number of these processes."""
    drop_last: bool = False
    """Whether to drop the samples that do not divide evenly among the ranks; otherwise the first
    ones of the order are repeated."""

    @property
    def n_own(self) -> int:
        """Samples per rank; all ranks have the same number."""
        share = self.n / self.world_size
        return math.floor(share) if self.drop_last else math.ceil(share)

    def positions(self, epoch: int) -> npt.NDArray[np.intp]:
        """The zero-based positions of this rank's samples in an epoch."""
        order = np.arange(self.n)
        if self.shuffle:
            generator = torch.Generator()
            generator.manual_seed(self.seed + epoch)
            order = torch.randperm(self.n, generator=generator).numpy()
        return np.resize(order, self.n_own * self.world_size)[self.rank :: self.world_size]


def n_batches(n: int, batch_size: int, *, drop_last: bool) -> int:
    """The number of batches that ``n`` samples make."""
    return n // batch_size if drop_last else math.ceil(n / batch_size)


def batches(
    order: npt.NDArray[np.intp], batch_size: int, *, drop_last: bool
) -> Iterator[npt.NDArray[np.intp]]:
    """The positions of each batch; the last one may be smaller unless it is dropped."""
    for i in range(n_batches(len(order), batch_size, drop_last=drop_last)):
        yield order[i * batch_size : (i + 1) * batch_size]
