"""Batches for training, read ahead by threads into memory that is used again.

In: a dataset of patches. Out: batches, dictionaries of tensors, in an order that depends on seed
and epoch alone. It starts no processes: what costs most in PyTorch's own loader is moving a batch
from a worker process to the trainer, and threads have nothing to move.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from threading import Thread
from time import perf_counter
from typing import Any, Final, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed
from torch.utils.data import Subset, default_collate

from rico_hdl.errors import UsageError
from rico_hdl.system.processors import n_usable_processors
from rico_hdl.torch.crew import Crew
from rico_hdl.torch.order import Order, batches, n_batches
from rico_hdl.torch.patches import PatchDataset
from rico_hdl.torch.ring import Loan, Ring

Batch = dict[str, Any]
"""Tensors of (sample, …) by name, and ``key``: a list of the patches' keys."""

MAX_THREADS: Final = 8
"""Threads unless told otherwise: what copies pixels soon waits for memory, not for processors."""


class Sampler(Protocol):
    """What decides the order itself, such as PyTorch's `WeightedRandomSampler`."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...


@dataclass(frozen=True)
class LoaderOptions:
    """What a loader does; `loader` explains the options."""

    batch_size: int
    order: Order
    drop_last: bool
    sampler: Sampler | None
    transform: Callable[[Batch], Batch] | None
    n_threads: int
    prefetch: int
    pin_memory: bool


class Loader:
    """An iterable of batches, to be iterated once for each epoch.

    A batch is valid as long as it is held: its memory is used again once no tensor of it is
    left. So a loop over the loader needs the memory of a few batches, and keeping batches takes
    more.

    Breaking off an iteration, an exception or Ctrl-C ends it: batches that are being read are
    finished and dropped. The threads then wait for the next epoch; they end with the loader, or
    with `close`. Beginning an iteration ends one that still goes on. A loader may be pickled and
    forked, and goes on elsewhere with the next epoch, in threads and memory of its own.

    Args:
        dataset: Where samples come from.
        subset: The zero-based positions in the dataset that count; None for all.
        options: What to do.
    """

    def __init__(
        self, dataset: PatchDataset, subset: npt.NDArray[np.intp] | None, options: LoaderOptions
    ) -> None:
        self.dataset = dataset
        """The dataset that the samples are from."""
        self.epoch = 0
        """The number of the epoch that the next iteration is; each iteration adds one."""
        self.waited_s = 0.0
        """Seconds that the trainer waited for batches, in all iterations so far."""
        self._subset, self._options = subset, options
        self._reset()

    def _reset(self) -> None:
        options = self._options
        # Beside the batches ahead, the trainer holds one, and another while it is given the next.
        n_kept = options.prefetch + 2
        self._ring = Ring(
            self.dataset.memory, options.batch_size, n_kept, pinned=options.pin_memory
        )
        self._crew: Crew | None = None
        self._pid = os.getpid()
        self._ahead: deque[Future[Batch]] = deque()
        self._iteration: object = None

    def __len__(self) -> int:
        """Batches in an epoch, of this rank."""
        options = self._options
        n = options.order.n_own if options.sampler is None else len(options.sampler)
        return n_batches(n, options.batch_size, drop_last=options.drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be that epoch, such as where a training run is continued."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        """The batches of an epoch."""
        if os.getpid() != self._pid:
            self._reset()  # a forked process has none of its parent's threads
        self._end()
        order = self._positions(self.epoch)
        self.epoch += 1
        self._iteration = iteration = object()
        chosen = batches(order, self._options.batch_size, drop_last=self._options.drop_last)
        return self._deliver(iteration, chosen)

    def _positions(self, epoch: int) -> npt.NDArray[np.intp]:
        """The zero-based positions in the dataset, in the order of an epoch."""
        sampler = self._options.sampler
        if sampler is None:
            order = self._options.order.positions(epoch)
        else:
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(epoch)
            order = np.fromiter(sampler, np.intp)
        return order if self._subset is None else self._subset[order]

    def _deliver(
        self, iteration: object, chosen: Iterator[npt.NDArray[np.intp]]
    ) -> Iterator[Batch]:
        try:
            self._ahead.extend(map(self._submit, islice(chosen, self._options.prefetch)))
            while self._ahead:
                started = perf_counter()
                batch = self._ahead.popleft().result()
                self.waited_s += perf_counter() - started
                self._ahead.extend(map(self._submit, islice(chosen, 1)))
                yield batch
                del batch  # its memory is free when the trainer lets go of it, too
                if self._iteration is not iteration:
                    raise UsageError(
                        "this iteration was ended by a newer one over the same loader",
                        "Make a loader for each; they may share the dataset.",
                    )
        finally:
            if self._iteration is iteration:
                self._end()

    def _submit(self, positions: npt.NDArray[np.intp]) -> Future[Batch]:
        """Let a thread read a batch."""
        if self._crew is None:
            prepare = partial(_compute_alone, torch.get_num_threads())
            self._crew = Crew(self._options.n_threads, prepare)
        return self._crew.submit(self._read, positions, self._ring.lend(len(positions)))

    def _read(self, positions: npt.NDArray[np.intp], memory: Loan) -> Batch:
        """A batch as the trainer gets it; runs in a thread."""
        try:
            arrays = memory.arrays()
            self.dataset.fill(positions, arrays)
            tensors = self.dataset.tensors(arrays)
            del arrays
            if self.dataset.transform is None:
                batch = {**tensors, "key": list(self.dataset.keys[positions])}
            else:
                batch = default_collate(self.dataset.samples(positions, tensors))
            return batch if self._options.transform is None else self._options.transform(batch)
        except Exception as error:
            first = self.dataset.keys[int(positions[0])]
            error.add_note(f"in a batch of {len(positions)} patches, the first of which is {first}")
            raise

    def _end(self) -> None:
        """End the iteration that goes on, if there is one."""
        self._iteration = None
        for future in self._ahead:
            future.cancel()
        wait(self._ahead)
        self._ahead.clear()

    def close(self) -> None:
        """End an iteration that goes on, and the threads; another iteration starts new ones."""
        self._end()
        if self._crew is not None:
            self._crew.end()
        self._reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        own = ("_ring", "_crew", "_pid", "_ahead", "_iteration")
        return {name: value for name, value in vars(self).items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()


def _compute_alone(n_usual: int) -> None:
    """Let torch use no further threads in this one: there are as many of these as are of use."""
    torch.get_num_threads()  # or the next line would be undone when it is first asked for
    torch.set_num_threads(1)
    # That set the number for all threads yet to come, too. One that ends at once sets it back.
    last = Thread(target=torch.set_num_threads, args=(n_usual,))
    last.start()
    last.join()


def loader(  # noqa: PLR0913 - the options that users know from PyTorch's loader
    dataset: PatchDataset | Subset[Any],
    batch_size: int = 1,
    *,
    shuffle: bool = False,
    seed: int = 0,
    drop_last: bool = False,
    sampler: Sampler | None = None,
    transform: Callable[[Batch], Batch] | None = None,
    rank: int | None = None,
    world_size: int | None = None,
    n_threads: int | None = None,
    prefetch: int | None = None,
    pin_memory: bool = False,
) -> Loader:
    """Batches of a dataset, read ahead by threads.

    Args:
        dataset: A dataset of this package, or a `torch.utils.data.Subset` of one.
        batch_size: Samples in a batch.
        shuffle: Whether every epoch has an order of its own.
        seed: Of the shuffling. The order depends on seed and epoch, never on threads; it is that of
            PyTorch's `DistributedSampler`.
        drop_last: Whether to drop a last batch that is smaller, and the samples that do not divide
            among the ranks.
        sampler: Decides the order instead, such as PyTorch's `WeightedRandomSampler`.
        transform: Makes another batch of each batch, in the threads: it should spend its time in
            what releases Python's lock, as tensor operations do. The dataset's own transform is
            applied before that, sample by sample.
        rank: Zero-based number of this process among those that train together; None asks
            `torch.distributed`, where that is initialized. Each rank gets its own samples.
        world_size: How many those are; None asks, too.
        n_threads: None for as many as this process may use processors, at most `MAX_THREADS`.
        prefetch: Batches that are read ahead; None for one more than there are threads.
        pin_memory: Whether batches are in memory that copies with ``non_blocking=True`` can use;
            without an accelerator it does nothing. Memory is not used again before the copies have
            been made that were begun on the current stream of the thread that iterates.

    Raises:
        UsageError: An option can't be carried out.
    """
    patches, subset = _whole(dataset)
    rank, world_size = _place(rank, world_size)
    threads = min(n_usable_processors(), MAX_THREADS) if n_threads is None else n_threads
    ahead = threads + 1 if prefetch is None else prefetch
    for name, value in {"batch_size": batch_size, "n_threads": threads, "prefetch": ahead}.items():
        if value < 1:
            raise UsageError(f"{name}={value}, expected at least 1")
    if sampler is not None and (shuffle or world_size > 1):
        raise UsageError(
            "a sampler decides the order and the share of a rank itself",
            "Leave shuffle at False, and give rank=0, world_size=1.",
        )
    n = len(patches) if subset is None else len(subset)
    order = Order(n, shuffle, seed, rank, world_size, drop_last)
    pinned = pin_memory and torch.accelerator.is_available()
    options = LoaderOptions(
        batch_size, order, drop_last, sampler, transform, threads, ahead, pinned
    )
    return Loader(patches, subset, options)


def _whole(dataset: object) -> tuple[PatchDataset, npt.NDArray[np.intp] | None]:
    """The dataset of patches behind subsets, and the positions that those leave.

    Raises:
        UsageError: There is none.
    """
    subset = None
    while isinstance(dataset, Subset):
        own = np.asarray(dataset.indices, np.intp)
        subset = own if subset is None else own[subset]
        dataset = dataset.dataset
    if not isinstance(dataset, PatchDataset):
        raise UsageError(
            f"a loader of {type(dataset).__name__}, expected a dataset of rico_hdl.torch",
            "For other datasets there is torch.utils.data.DataLoader.",
        )
    return dataset, subset


def _place(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """This process's rank and the number of ranks.

    Raises:
        UsageError: One is given without the other, or the rank is out of range.
    """
    if (rank is None) != (world_size is None):
        raise UsageError(f"rank={rank} and world_size={world_size}: give both or neither")
    if rank is None or world_size is None:
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return 0, 1
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    if not 0 <= rank < world_size:
        raise UsageError(f"rank={rank} of world_size={world_size}, expected 0 to {world_size - 1}")
    return rank, world_size
