"""The LMDB through this project: the store, its dataset in PyTorch's loader, and its own loader."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import rico_hdl
from formats.readers.recipe import Recipe
from formats.tasks import BATCH_SIZE, NATIVE_T2, RGB, TEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from formats.protocol import Batches, Indices
    from formats.tasks import Sample

_OPTIONS: dict[str, dict[str, Any]] = {
    "T1": {"bands": RGB},
    "T2": {"bands": TEN, "size": (120, 120), "dtype": "float32"},
    NATIVE_T2: {"bands": TEN, "grouped": True},
    "T3": {"grouped": "band"},
}
"""The options of reading, by task."""
_N_AHEAD = 2048
"""Batches of a finite order; more than are timed."""


class Ours(Recipe):
    """`rico_hdl.open`, and `rico_hdl.torch.PatchDataset` in PyTorch's `DataLoader`."""

    libraries: ClassVar[tuple[str, ...]] = ("rico-hdl", "lmdb")
    tuning = (
        "`store.reader(…)`: its `read`, and its `read_batch` into new memory; for T3 sample by"
        " sample `store[key]`, else `grouped='band'`, one array for each band; with workers"
        " `rico_hdl.torch.PatchDataset` in a `DataLoader`"
    )

    def single(self, task: str) -> Callable[[int], Sample]:
        """Read patches one by one."""
        store, keys = rico_hdl.open(self.folder), self.keys
        if task == "T3":
            return lambda index: store[keys[index]]
        read = store.reader(**_OPTIONS[task]).read
        return lambda index: read(keys[index])

    def batched(self, task: str) -> Callable[[Indices], Sample]:
        """Read into new memory."""
        store = rico_hdl.open(self.folder)
        keys, read = store.keys(), store.reader(**_OPTIONS[task]).read_batch
        return lambda indices: read(keys[indices]).images

    def workers(self, task: str, order: Iterable[Indices], n_workers: int) -> Batches:
        """Batches through PyTorch's loader around the dataset."""
        from torch.utils.data import DataLoader  # noqa: PLC0415 - only this mode needs it

        loader = DataLoader(self.dataset(task), batch_sampler=order, num_workers=n_workers)
        for indices, batch in zip(order, loader, strict=False):
            yield indices, images(batch)

    def dataset(self, task: str) -> Any:  # noqa: ANN401 - rico_hdl.torch needs torch to be typed
        """The patches as a dataset for PyTorch."""
        from rico_hdl.torch import PatchDataset  # noqa: PLC0415 - as above

        return PatchDataset(self.folder, self.keys, **_OPTIONS[task])


class OurBuffers(Ours):
    """`read_batch` into reused memory."""

    libraries: ClassVar[tuple[str, ...]] = Ours.libraries
    tuning = "`read_batch(…, out=)`, always the same memory"
    modes = ("batch",)

    def batched(self, task: str) -> Callable[[Indices], Sample]:
        """Fill the same memory each time."""
        store = rico_hdl.open(self.folder)
        keys, reader = store.keys(), store.reader(**_OPTIONS[task])
        buffers = reader.empty(keys[0], BATCH_SIZE)
        return lambda indices: reader.read_batch(keys[indices], out=buffers).images


class OurLoader(Ours):
    """`Store.batches` and `rico_hdl.torch.loader`: threads that fill reused memory."""

    libraries: ClassVar[tuple[str, ...]] = (*Ours.libraries, "torch")
    tuning = (
        "in one process `store.batches(…)`, whose threads read ahead; with two workers"
        " `rico_hdl.torch.loader(…, n_threads=2)`"
    )
    modes = ("batch", "workers")

    def batches(self, task: str, order: Iterable[Indices]) -> Batches:
        """Let the store's own threads read ahead."""
        planned = list(islice(order, _N_AHEAD))
        store = rico_hdl.open(self.folder)
        keys = store.keys()[[index for indices in planned for index in indices]]
        batches = store.batches(keys, batch_size=BATCH_SIZE, **_OPTIONS[task])
        for indices, batch in zip(planned, batches, strict=True):
            yield indices, batch.images

    def workers(self, task: str, order: Iterable[Indices], n_workers: int) -> Batches:
        """Batches through the project's own loader, with threads in place of processes."""
        from rico_hdl.torch import loader  # noqa: PLC0415 - only this mode needs PyTorch

        planned = list(islice(order, _N_AHEAD))
        positions = [index for indices in planned for index in indices]
        own = loader(self.dataset(task), BATCH_SIZE, sampler=positions, n_threads=n_workers)
        for indices, batch in zip(planned, own, strict=True):
            yield indices, images(batch)


class OurNative(OurLoader):
    """The loader without conversion, which is faster on the device."""

    libraries: ClassVar[tuple[str, ...]] = OurLoader.libraries
    tuning = (
        "T2 with `grouped=True`: uint16 by resolution, as stored, to be converted and upsampled on"
        " the device; otherwise as above"
    )
    tasks = ("T2",)
    checked_as: ClassVar[dict[str, str]] = {"T2": NATIVE_T2}

    def batches(self, task: str, order: Iterable[Indices]) -> Batches:
        """Batches as stored."""
        return super().batches(self.checked_as[task], order)

    def workers(self, task: str, order: Iterable[Indices], n_workers: int) -> Batches:
        """Batches as stored."""
        return super().workers(self.checked_as[task], order, n_workers)


def images(batch: dict[str, Any]) -> Any:  # noqa: ANN401 - a tensor, or a dictionary of them
    """The pixels of a batch of `rico_hdl.torch`."""
    if "image" in batch:
        return batch["image"]
    return {
        name.removeprefix("image_"): tensor
        for name, tensor in batch.items()
        if name.startswith("image_")
    }
