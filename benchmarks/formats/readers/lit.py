"""litdata: chunks of samples, streamed in shuffled order."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from litdata import StreamingDataLoader, StreamingDataset, optimize

from formats.protocol import Reader
from formats.tasks import BATCH_SIZE, NEEDED, PATCHES_PER_SHARD, Corpus, pick

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from formats.protocol import Batches, Indices, Samples


class LitData(Reader):
    """`StreamingDataset` over local chunks."""

    libraries: ClassVar[tuple[str, ...]] = ("litdata",)
    tuning = (
        f"`optimize` with chunks of {PATCHES_PER_SHARD} patches, one array for each resolution;"
        " `StreamingDataset(shuffle=True, batch_decode=0)`, so that samples are decoded one by one,"
        " since the default decodes windows that shuffling wastes; its `transform`; its"
        " `StreamingDataLoader`. The order is shuffled within chunks"
    )

    @classmethod
    def write(cls, corpus: Corpus, folder: Path) -> None:
        """Write chunks with one process."""
        optimize(
            partial(_sample, corpus.geotiffs.parent),
            list(range(len(corpus))),
            output_dir=str(folder / "chunks"),
            chunk_size=PATCHES_PER_SHARD,
            num_workers=1,
            mode="overwrite",
        )

    def samples(self, task: str, order: Iterable[Indices]) -> Samples:
        """All epochs, in litdata's own order."""
        del order
        dataset = self._dataset(task)
        while True:
            for sample in dataset:
                yield int(sample["index"]), sample["image"]

    def workers(self, task: str, order: Iterable[Indices], n_workers: int) -> Batches:
        """Batches through litdata's own loader."""
        del order
        loader = StreamingDataLoader(
            self._dataset(task),
            batch_size=BATCH_SIZE,
            num_workers=n_workers,
            drop_last=True,
            persistent_workers=True,
        )
        while True:
            for batch in loader:
                yield batch["index"].tolist(), batch["image"]

    def _dataset(self, task: str) -> Any:  # noqa: ANN401 - litdata's
        return StreamingDataset(
            str(self.folder / "chunks"),
            shuffle=True,
            drop_last=False,
            batch_decode=0,
            item_shuffle_window="full",
            transform=partial(_task, task),
        )


def _sample(folder: Path, index: int) -> dict[str, Any]:
    """One sample as stored."""
    groups = Corpus.load(folder).groups
    return {"index": index} | {name: np.array(array[index]) for name, array in groups.items()}


def _task(task: str, sample: dict[str, Any]) -> dict[str, Any]:
    """The task's arrays of a stored sample."""
    groups = {name: np.asarray(sample[name]) for name in NEEDED[task]}
    return {"index": sample["index"], "image": groups if task == "T3" else pick(groups, task)}
