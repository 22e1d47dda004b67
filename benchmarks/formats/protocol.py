"""The protocol of a reader: how to write a format, and how to read each task from it.

In: a folder. Out: samples and batches with the indices of their patches, so they can be checked
whatever order a format yields them in. A reader measures nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from formats.tasks import Corpus, Sample

    Indices = Sequence[int]
    Samples = Generator[tuple[int, object], None, None]
    """The index and the sample of each patch."""
    Batches = Generator[tuple[Indices, object], None, None]
    """The indices and the batch: an array or tensor (N, …), or a dictionary of them."""

MODES: Final[dict[str, str]] = {
    "sample": "one process, sample by sample",
    "batch": "one process, by batch",
    "workers": "two workers",
}


class Reader(ABC):
    """A method of reading the corpus.

    Creating one opens nothing, so it may be sent to other processes; each process opens the files
    at its first read. It yields its own memory or a ring of buffers, never a view of a file, so
    every task moves its bytes.
    """

    libraries: ClassVar[tuple[str, ...]]
    """Distributions whose versions are reported."""
    tuning: ClassVar[str]
    """Its tuning, as Markdown."""
    tasks: ClassVar[tuple[str, ...]] = ("T1", "T2", "T3")
    """Supported tasks."""
    modes: ClassVar[tuple[str, ...]] = ("sample", "workers")
    """Supported modes; the tables show a dash for others."""
    checked_as: ClassVar[dict[str, str]] = {}
    """By task, if its result differs from the usual one: the result's name in
    `tasks.Corpus.expected`."""
    is_checked: ClassVar[bool] = True
    """Whether it yields pixels at all."""

    def __init__(self, folder: Path, corpus: Corpus) -> None:
        """Read what `write` left in `folder`; of `corpus`, only its keys may be used."""
        self.folder = folder
        self.keys = corpus.keys

    @classmethod
    @abstractmethod
    def write(cls, corpus: Corpus, folder: Path) -> None:
        """Write the corpus into an empty folder."""

    @abstractmethod
    def samples(self, task: str, order: Iterable[Indices]) -> Samples:
        """An endless stream of single patches, in `order` if the format supports it."""

    def batches(self, task: str, order: Iterable[Indices]) -> Batches:
        """Batches made by the format itself, in this process; only with the mode ``batch``."""
        raise NotImplementedError

    @abstractmethod
    def workers(self, task: str, order: Iterable[Indices], n_workers: int) -> Batches:
        """Batches of tensors through a loader with that many workers."""


class RandomReader(Reader):
    """A reader that can read any patch at any time."""

    start_method: ClassVar[str | None] = None
    """The start method of worker processes; None for PyTorch's default."""
    batches_in_workers: ClassVar[bool] = False
    """Whether workers read whole batches; otherwise they read single patches, which PyTorch
    stacks. Each reader uses the faster one."""

    @abstractmethod
    def single(self, task: str) -> Callable[[int], Sample]:
        """A function that reads one patch, with everything opened."""

    def batched(self, task: str) -> Callable[[Indices], Sample]:
        """A function that reads a batch, with everything opened; only with the mode ``batch``."""
        raise NotImplementedError

    def samples(self, task: str, order: Iterable[Indices]) -> Samples:
        """Patches in the given order."""
        read = self.single(task)
        for indices in order:
            for index in indices:
                yield index, read(index)

    def batches(self, task: str, order: Iterable[Indices]) -> Batches:
        """Batches in the given order."""
        read = self.batched(task)
        for indices in order:
            yield indices, read(indices)

    def workers(self, task: str, order: Iterable[Indices], n_workers: int) -> Batches:
        """Batches through PyTorch's own loader."""
        # Imported here, because only this mode needs PyTorch.
        from formats.loading import load  # noqa: PLC0415

        return load(self, task, order, n_workers)


class Order:
    """An endless random order of patches, in batches: one permutation after another."""

    def __init__(self, n_patches: int, batch_size: int, seed: int) -> None:
        self._n_patches = n_patches
        self._batch_size = batch_size
        self._seed = seed

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng(self._seed)
        rest: list[int] = []
        while True:
            rest += random.permutation(self._n_patches).tolist()
            while len(rest) >= self._batch_size:
                yield rest[: self._batch_size]
                rest = rest[self._batch_size :]


def versions(reader: type[Reader]) -> dict[str, str]:
    """The versions of a reader's libraries, by name; "?" if one runs without being installed."""
    found = {}
    for name in reader.libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "?"
    return found
