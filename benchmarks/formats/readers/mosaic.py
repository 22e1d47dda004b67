"""MosaicML streaming: shards of samples in its own format."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from formats.protocol import RandomReader
from formats.tasks import BATCH_SIZE, NEEDED, pick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from formats.protocol import Batches, Indices
    from formats.tasks import Corpus, Sample

if "streaming" not in sys.modules and (_found := find_spec("streaming")):
    # The package imports torchvision for datasets that are not used here, and fails if that was
    # built for another PyTorch. Only its submodules are therefore imported.
    _package = ModuleType("streaming")
    _package.__path__ = list(_found.submodule_search_locations or ())
    sys.modules["streaming"] = _package
from streaming.base import MDSWriter, StreamingDataset
from streaming.base.util import clean_stale_shared_memory
from torch.utils.data import DataLoader

_SHARD_BYTES = 40_000_000


class Shards(StreamingDataset):
    """The shards, with samples as a task wants them."""

    def __init__(self, task: str, **options: object) -> None:
        super().__init__(**options)
        self._task = task

    def __getitem__(self, at: int) -> dict[str, Any]:
        sample: dict[str, Any] = super().__getitem__(at)
        groups = {name: sample[name] for name in NEEDED[self._task]}
        image = groups if self._task == "T3" else pick(groups, self._task)
        return {"index": sample["index"], "image": image}


class Mosaic(RandomReader):
    """`StreamingDataset` over local shards."""

    libraries: ClassVar[tuple[str, ...]] = ("mosaicml-streaming",)
    tuning = (
        "shards of 40 MB, one `ndarray` column of fixed shape per resolution, no compression;"
        " `StreamingDataset(local=…)`, indexed; with workers iterated with `shuffle=True`"
    )

    @classmethod
    def write(cls, corpus: Corpus, folder: Path) -> None:
        """Write shards."""
        columns = {"index": "int"} | {
            name: f"ndarray:uint16:{','.join(map(str, array.shape[1:]))}"
            for name, array in corpus.groups.items()
        }
        with MDSWriter(out=str(folder / "shards"), columns=columns, size_limit=_SHARD_BYTES) as out:
            for index in range(len(corpus)):
                groups = {name: np.array(array[index]) for name, array in corpus.groups.items()}
                out.write({"index": index} | groups)

    def single(self, task: str) -> Callable[[int], Sample]:
        """Index the dataset."""
        dataset = self._dataset(task)

        def read(index: int) -> Sample:
            sample: Sample = dataset[index]["image"]
            return sample

        return read

    def workers(self, task: str, order: Iterable[Indices], n_workers: int) -> Batches:
        """PyTorch's loader around its own iteration, which divides the samples among workers."""
        del order
        loader = DataLoader(
            self._dataset(task, shuffle=True),
            batch_size=BATCH_SIZE,
            num_workers=n_workers,
            drop_last=True,
            persistent_workers=True,
        )
        while True:
            for batch in loader:
                yield batch["index"].tolist(), batch["image"]

    def _dataset(self, task: str, *, shuffle: bool = False) -> Shards:
        # It shares memory under names that an earlier process may have left.
        clean_stale_shared_memory()
        folder = str(self.folder / "shards")
        return Shards(task, local=folder, batch_size=BATCH_SIZE, shuffle=shuffle)
