"""Batches for training, read ahead by threads into memory that is reused.

In: a dataset of patches. Out: batches: dictionaries of tensors, in an order that depends only on
seed and epoch. No processes are started: PyTorch's own loader spends most of its time moving
batches from worker processes to the trainer, and threads have nothing to move.
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
from rico_hdl.torch.normalising import Normalize, StatisticsOfBands
from rico_hdl.torch.order import Order, batches, n_batches
from rico_hdl.torch.patches import PatchDataset
from rico_hdl.torch.ring import Loan, Ring

Batch = dict[str, Any]
"""Tensors of shape (samples, …) by name, and ``key``: a list of the patches' keys."""

MAX_THREADS: Final = 8
"""The most threads by default: with more, copying waits for memory, not for processors."""


class Sampler(Protocol):
    """A custom order of samples, such as PyTorch's `WeightedRandomSampler`."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...


@dataclass(frozen=True)
class LoaderOptions:
    """The options of a loader; `loader` explains them."""

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

    A batch is valid as long as it is referenced: its memory is reused once none of its tensors is
    left. So a loop over the loader needs the memory of a few batches, and keeping batches takes
    more.

    A break, an exception or Ctrl-C ends the iteration: batches that are being read are finished
    and dropped. The threads then wait for the next epoch; they end with the loader, or with
    `close`. Beginning an iteration ends a previous one that is still running. A loader can be
    pickled and forked; the copy continues with the next epoch, in threads and memory of its own.

    Args:
        dataset: The dataset of the samples.
        subset: The zero-based positions to use in the dataset; None for all.
        options: The options.
    """

    def __init__(
        self, dataset: PatchDataset, subset: npt.NDArray[np.intp] | None, options: LoaderOptions
    ) -> None:
        self.dataset = dataset
        """The dataset of the samples."""
        self.epoch = 0
        """The number of the next iteration's epoch; each iteration adds one."""
        self.waited_s = 0.0
        """Seconds that the trainer has waited for batches, in all iterations so far."""
        self._subset, self._options = subset, options
        self._reset()

    def _reset(self) -> None:
        options = self._options
        # In addition to the batches ahead, the trainer holds one, or two while it gets the next.
        n_kept = options.prefetch + 2
        self._ring = Ring(
            self.dataset.memory, options.batch_size, n_kept, pinned=options.pin_memory
        )
        self._crew: Crew | None = None
        self._pid = os.getpid()
        self._ahead: deque[Future[Batch]] = deque()
        self._iteration: object = None

    def __len__(self) -> int:
        """The number of batches in an epoch of this rank."""
        options = self._options
        n = options.order.n_own if options.sampler is None else len(options.sampler)
        return n_batches(n, options.batch_size, drop_last=options.drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration, for example to continue a training run."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        """The batches of an epoch."""
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
        self._check_process()
        try:
            self._ahead.extend(map(self._submit, islice(chosen, self._options.prefetch)))
            while self._ahead:
                started = perf_counter()
                batch = self._ahead.popleft().result()
                self.waited_s += perf_counter() - started
                self._ahead.extend(map(self._submit, islice(chosen, 1)))
                yield batch
                del batch  # its memory is free once the trainer drops it, too
                self._check_process()
                if self._iteration is not iteration:
                    raise UsageError(
                        "a newer iteration over the same loader has ended this one",
                        "Make one loader for each iteration; they may share the dataset.",
                    )
        finally:
            if self._iteration is iteration:
                self._end()

    def _check_process(self) -> None:
        """Refuse to continue an iteration of the parent in a forked process.

        Raises:
            UsageError: This is another process than the one that began the iteration.
        """
        if os.getpid() != self._pid:
            raise UsageError(
                "this iteration was begun before a fork: its threads are in the other process",
                "Iterate over the loader again in this process: that begins an epoch of its own.",
            )

    def _submit(self, positions: npt.NDArray[np.intp]) -> Future[Batch]:
        """Let a thread read a batch."""
        if self._crew is None:
            prepare = partial(_compute_alone, torch.get_num_threads())
            self._crew = Crew(self._options.n_threads, prepare)
        return self._crew.submit(self._read, positions, self._ring.lend(len(positions)))

    def _read(self, positions: npt.NDArray[np.intp], memory: Loan) -> Batch:
        """Read a batch and transform it; runs in a thread."""
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
            error.add_note(f"in a batch of {len(positions)} patches that begins with {first}")
            raise

    def _end(self) -> None:
        """End the running iteration, if there is one."""
        if os.getpid() != self._pid:
            # A forked process has none of its parent's threads, and any of the locks that they hold
            # at the fork stays locked forever: nothing of the parent's is touched.
            self._reset()
            return
        self._iteration = None
        for future in self._ahead:
            future.cancel()
        wait(self._ahead)
        self._ahead.clear()

    def close(self) -> None:
        """End a running iteration and the threads; another iteration starts new threads."""
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
    """Keep torch from using further threads in this one: there are already enough of these."""
    torch.get_num_threads()  # otherwise its first call elsewhere undoes the next line
    torch.set_num_threads(1)
    # That also set the number for all future threads. A thread that ends at once resets it.
    last = Thread(target=torch.set_num_threads, args=(n_usual,))
    last.start()
    last.join()


def loader(  # noqa: PLR0913 - the options of PyTorch's loader
    dataset: PatchDataset | Subset[Any],
    batch_size: int = 1,
    *,
    shuffle: bool = False,
    seed: int = 0,
    drop_last: bool = False,
    sampler: Sampler | None = None,
    normalize: StatisticsOfBands | None = None,
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
        batch_size: Samples per batch.
        shuffle: Whether to shuffle the samples, in another order for each epoch.
        seed: The seed of the order, which depends on seed and epoch, never on threads; it is that
            of PyTorch's `DistributedSampler`.
        drop_last: Whether to drop an incomplete last batch, and the samples that do not divide
            evenly among the ranks.
        sampler: A custom order, such as PyTorch's `WeightedRandomSampler`.
        normalize: The statistics by which images are normalised, in the threads: see `Normalize`.
        transform: A function from batch to batch, called after that in the threads: it should spend
            its time in code that releases Python's lock, such as tensor operations. The dataset's
            own transform is applied before, sample by sample.
        rank: Zero-based number of this process among those that train together; None asks
            `torch.distributed` if that is initialized. Each rank gets its own samples.
        world_size: The number of these processes; None asks, too.
        n_threads: None for the number of processors this process may use, at most `MAX_THREADS`.
        prefetch: Batches that are read ahead; None for one more than ``n_threads``.
        pin_memory: Whether batches are in memory that copies with ``non_blocking=True`` can use;
            without an accelerator it has no effect. Memory is reused only after the copies that
            were begun on the current stream of the iterating thread are complete.

    Raises:
        UsageError: An option is invalid.
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
            "sampler= excludes shuffle=True and several ranks: it decides order and share itself",
            "Leave shuffle at False, and give rank=0, world_size=1.",
        )
    n = len(patches) if subset is None else len(subset)
    order = Order(n, shuffle, seed, rank, world_size, drop_last)
    if normalize is not None:
        transform = Normalize(normalize, patches, then=transform)
    pinned = pin_memory and torch.accelerator.is_available()
    options = LoaderOptions(
        batch_size, order, drop_last, sampler, transform, threads, ahead, pinned
    )
    return Loader(patches, subset, options)


def _whole(dataset: object) -> tuple[PatchDataset, npt.NDArray[np.intp] | None]:
    """The dataset of patches behind nested subsets, and the positions that they select.

    Raises:
        UsageError: It is not a dataset of patches.
    """
    subset = None
    while isinstance(dataset, Subset):
        own = np.asarray(dataset.indices, np.intp)
        subset = own if subset is None else own[subset]
        dataset = dataset.dataset
    if not isinstance(dataset, PatchDataset):
        raise UsageError(
            f"dataset is a {type(dataset).__name__}, expected a dataset of rico_hdl.torch",
            "Use torch.utils.data.DataLoader for other datasets.",
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
