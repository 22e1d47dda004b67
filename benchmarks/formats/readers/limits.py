"""Limits to compare with: memory maps, a plain copy, and a loader that reads nothing."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import torch

from formats.protocol import MODES, RandomReader
from formats.tasks import (
    BATCH_SIZE,
    GROUPS,
    NEEDED,
    RGB,
    RGB_OF_10M,
    SIDES,
    TEN,
    Array,
    Sample,
    pick,
    upsample_into,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from formats.protocol import Batches, Indices, Samples
    from formats.tasks import Corpus

_N_BUFFERS = 4
"""Buffers of a ring: two being filled, one waiting, one in use."""


class Buffer(NamedTuple):
    """Memory for a batch, allocated once."""

    batch: Sample
    """The batch that the reader yields."""
    fill: Callable[[Indices], None]
    """Fills it with these patches, as many as it has rows."""


class MemoryMap(RandomReader):
    """One `.npy` per resolution."""

    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    tuning = "`numpy.load(…, mmap_mode='r')`, indexed, and copied"
    modes: ClassVar[tuple[str, ...]] = tuple(MODES)

    @classmethod
    def write(cls, corpus: Corpus, folder: Path) -> None:
        """Copy the groups."""
        for name, array in corpus.groups.items():
            np.save(folder / f"{name}.npy", array)

    def mapped(self, name: str) -> Array:
        """A file, mapped."""
        # A plain array: a memmap's own indexing costs microseconds.
        array: Array = np.load(self.folder / f"{name}.npy", mmap_mode="r").view(np.ndarray)
        return array

    def single(self, task: str) -> Callable[[int], Sample]:
        """Index the maps."""
        maps = {name: self.mapped(name) for name in NEEDED[task]}

        def read(index: int) -> Sample:
            return pick({name: array[index] for name, array in maps.items()}, task)

        return read

    def batched(self, task: str) -> Callable[[Indices], Sample]:
        """Fill new memory, patch by patch."""
        maps = {name: self.mapped(name) for name in NEEDED[task]}

        def read(indices: Indices) -> Sample:
            batch = empty(task, len(indices))
            fill_from(maps, task, indices, batch)
            return batch

        return read

    def buffer(self, task: str, n_patches: int) -> Buffer:
        """A batch that is filled from the maps."""
        maps = {name: self.mapped(name) for name in NEEDED[task]}
        batch = empty(task, n_patches)
        return Buffer(batch, lambda indices: fill_from(maps, task, indices, batch))


class MemoryMapRing(MemoryMap):
    """Memory maps read into a ring of reused buffers that two threads fill."""

    tuning = (
        "by batch into one buffer that is used again; with two workers: two threads fill a ring of"
        f" {_N_BUFFERS} buffers"
    )
    modes: ClassVar[tuple[str, ...]] = ("batch", "workers")

    def batched(self, task: str) -> Callable[[Indices], Sample]:
        """Fill the same memory each time."""
        buffer = self.buffer(task, BATCH_SIZE)

        def read(indices: Indices) -> Sample:
            buffer.fill(indices)
            return buffer.batch

        return read

    def workers(self, task: str, order: Iterable[Indices], n_workers: int) -> Batches:
        """Let threads fill buffers ahead."""
        free = [self.buffer(task, BATCH_SIZE) for _ in range(_N_BUFFERS)]
        ahead: deque[tuple[Indices, Buffer, Future[None]]] = deque()
        with ThreadPoolExecutor(n_workers) as threads:
            for indices in order:
                buffer = free.pop()
                ahead.append((indices, buffer, threads.submit(buffer.fill, indices)))
                if not free:
                    ready, buffer, filled = ahead.popleft()
                    filled.result()
                    yield ready, buffer.batch
                    free.append(buffer)


class Copy(MemoryMapRing):
    """One copy per patch from a file that holds exactly the bytes of a task, patch by patch."""

    tuning = (
        "a mapped file with just the bytes that T1 or T3 yields, each patch's in one piece; one"
        " copy of each into memory that is used again; with two workers as the row above. T2"
        " converts, which no copy does"
    )
    tasks = ("T1", "T3")
    modes: ClassVar[tuple[str, ...]] = tuple(MODES)

    @classmethod
    def write(cls, corpus: Corpus, folder: Path) -> None:
        """One file per task."""
        np.save(folder / "T1.npy", corpus.groups["10m"][:, RGB_OF_10M].reshape(len(corpus), -1))
        flat = [np.asarray(corpus.groups[name]).reshape(len(corpus), -1) for name in GROUPS]
        np.save(folder / "T3.npy", np.concatenate(flat, axis=1))

    def samples(self, task: str, order: Iterable[Indices]) -> Samples:
        """Copy each patch into the same memory."""
        source = self.mapped(task)
        place = np.empty(source.shape[1:], source.dtype)
        sample = unpacked(task, place)
        for indices in order:
            for index in indices:
                place[:] = source[index]
                yield index, sample

    def buffer(self, task: str, n_patches: int) -> Buffer:
        """A batch that is filled by one copy for each patch."""
        source = self.mapped(task)
        flat = np.empty((n_patches, *source.shape[1:]), source.dtype)

        def fill(indices: Indices) -> None:
            for row, index in zip(flat, indices, strict=True):
                row[:] = source[index]

        return Buffer(unpacked(task, flat), fill)


class Nothing(RandomReader):
    """Empty batches through a `DataLoader`, where no format can be faster."""

    libraries: ClassVar[tuple[str, ...]] = ("torch",)
    tuning = "the same array for each patch, so that only stacking and moving of batches remain"
    is_checked = False
    modes = ("workers",)

    @classmethod
    def write(cls, corpus: Corpus, folder: Path) -> None:
        """Write the files of the shared folder; this reader needs none."""
        MemoryMap.write(corpus, folder)

    def single(self, task: str) -> Callable[[int], Sample]:
        """A function that always returns the same sample."""
        batch = empty(task, 1)
        sample: Any = (
            {
                name: torch.zeros(array.shape[1:], dtype=torch.uint16)
                for name, array in batch.items()
            }
            if isinstance(batch, dict)
            else torch.from_numpy(np.zeros_like(batch[0]))
        )
        return lambda _: sample


def empty(task: str, n_patches: int) -> Sample:
    """Memory for a batch."""
    if task == "T1":
        return np.empty((n_patches, len(RGB), SIDES["10m"], SIDES["10m"]), np.uint16)
    if task == "T2":
        return np.empty((n_patches, len(TEN), SIDES["10m"], SIDES["10m"]), np.float32)
    return {
        name: np.empty((n_patches, len(bands), SIDES[name], SIDES[name]), np.uint16)
        for name, bands in GROUPS.items()
    }


def fill_from(maps: dict[str, Array], task: str, indices: Indices, batch: Any) -> None:  # noqa: ANN401 - see `Sample`
    """Fill a batch from arrays by resolution, patch by patch."""
    if task == "T1":
        source = maps["10m"]
        for row, index in zip(batch, indices, strict=True):
            row[:] = source[index, RGB_OF_10M]
    elif task == "T2":
        fine, coarse = maps["10m"], maps["20m"]
        for row, index in zip(batch, indices, strict=True):
            upsample_into(row, fine[index], coarse[index])
    else:
        for name, source in maps.items():
            np.take(source, indices, axis=0, out=batch[name], mode="clip")


def unpacked(task: str, flat: Array) -> Sample:
    """Views of the bytes of patches, (values,) or (patches, values), as a task's arrays."""
    if task == "T1":
        return flat.reshape(*flat.shape[:-1], len(RGB), SIDES["10m"], SIDES["10m"])
    views, start = {}, 0
    for name, bands in GROUPS.items():
        shape = (len(bands), SIDES[name], SIDES[name])
        stop = start + int(np.prod(shape))
        views[name] = flat[..., start:stop].reshape(*flat.shape[:-1], *shape)
        start = stop
    return views
