"""WebDataset: tar files, streamed through a shuffling buffer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import safetensors.numpy
import webdataset as wds
from torch.utils.data import default_collate

from formats.protocol import Reader
from formats.tasks import BATCH_SIZE, NEEDED, PATCHES_PER_SHARD, pick

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from formats.protocol import Batches, Indices, Samples
    from formats.tasks import Corpus

_N_SHUFFLED = 1000


class WebDataset(Reader):
    """A tar member of safetensors per patch."""

    libraries: ClassVar[tuple[str, ...]] = ("webdataset", "safetensors")
    tuning = (
        f"shards of {PATCHES_PER_SHARD} patches; one safetensors member for each patch, one array"
        f" for each resolution; `shardshuffle`, `.shuffle({_N_SHUFFLED})` before decoding; with"
        " workers `.batched` in them and `WebLoader`. The order is shuffled in that buffer"
    )

    @classmethod
    def write(cls, corpus: Corpus, folder: Path) -> None:
        """Write shards."""
        pattern = str(folder / "%04d.tar")
        with wds.ShardWriter(pattern, maxcount=PATCHES_PER_SHARD, verbose=0) as out:
            for index in range(len(corpus)):
                groups = {name: np.array(array[index]) for name, array in corpus.groups.items()}
                record = safetensors.numpy.save(groups)
                out.write({"__key__": f"{index:08d}", "safetensors": record})

    def samples(self, task: str, order: Iterable[Indices]) -> Samples:
        """Patches in WebDataset's own order."""
        del order
        yield from self._stream(task)

    def workers(self, task: str, order: Iterable[Indices], n_workers: int) -> Batches:
        """Batches through WebDataset's own loader."""
        del order
        stream = self._stream(task).batched(BATCH_SIZE, collation_fn=_stack, partial=False)
        yield from wds.WebLoader(stream, batch_size=None, num_workers=n_workers)

    def _stream(self, task: str) -> Any:  # noqa: ANN401 - a pipeline
        shards = sorted(str(path) for path in self.folder.glob("*.tar"))
        stream = wds.WebDataset(shards, shardshuffle=len(shards), nodesplitter=None, seed=1)
        return stream.repeat().shuffle(_N_SHUFFLED).map(partial(_decoded, task))


def _decoded(task: str, sample: dict[str, Any]) -> tuple[int, Any]:
    """The index and the task's arrays."""
    groups = safetensors.numpy.load(sample["safetensors"])
    needed = {name: groups[name] for name in NEEDED[task]}
    return int(sample["__key__"]), needed if task == "T3" else pick(needed, task)


def _stack(samples: list[tuple[int, Any]]) -> tuple[list[int], Any]:
    """A batch of tensors."""
    indices, images = zip(*samples, strict=True)
    return list(indices), default_collate(list(images))
