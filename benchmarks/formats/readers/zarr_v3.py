"""Zarr v3: sharded arrays through the Rust codecs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import zarr
import zarrs

from formats.protocol import RandomReader
from formats.tasks import NEEDED, PATCHES_PER_SHARD, Array, pick

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from formats.tasks import Corpus, Sample


class Zarr(RandomReader):
    """One array per resolution."""

    libraries: ClassVar[tuple[str, ...]] = ("zarr", "zarrs")
    tuning = (
        f"one array for each resolution, shards of {PATCHES_PER_SHARD} patches, chunks of one"
        " patch, no compressor; `zarrs.ZarrsCodecPipeline`; patch by patch, since `oindex` of a"
        " batch was several times slower"
    )

    @classmethod
    def write(cls, corpus: Corpus, folder: Path) -> None:
        """Write the arrays."""
        for name, array in corpus.groups.items():
            zarr.create_array(
                store=str(folder / name),
                data=np.asarray(array),
                chunks=(1, *array.shape[1:]),
                shards=(PATCHES_PER_SHARD, *array.shape[1:]),
                compressors=None,
            )

    def arrays(self, task: str) -> dict[str, Any]:
        """The arrays that a task needs."""
        zarr.config.set({"codec_pipeline.path": f"{zarrs.__name__}.ZarrsCodecPipeline"})
        return {name: zarr.open_array(str(self.folder / name), mode="r") for name in NEEDED[task]}

    def single(self, task: str) -> Callable[[int], Sample]:
        """Index the arrays."""
        arrays = self.arrays(task)

        def read(index: int) -> Sample:
            groups: dict[str, Array] = {name: np.asarray(a[index]) for name, a in arrays.items()}
            return groups if task == "T3" else pick(groups, task)

        return read
