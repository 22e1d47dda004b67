"""The LMDB as the README reads it: `load` the record, stack the bands. The baseline."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import lmdb
import numpy as np
import torch
from safetensors.numpy import load
from torch.nn.functional import interpolate

import rico_hdl
from formats.protocol import MODES, RandomReader
from formats.tasks import GROUPS, RGB, Array, Sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from formats.tasks import Corpus


@cache  # open the store once in each process, when it is first used there
def open_store(path: str) -> Any:  # noqa: ANN401 - lmdb has no types
    """Open the store as the README does."""
    return lmdb.open(path, readonly=True, lock=False, readahead=False)


class Recipe(RandomReader):
    """safetensors records in an LMDB, read without this project."""

    libraries: ClassVar[tuple[str, ...]] = ("lmdb", "safetensors")
    tuning = (
        "as the README shows it: `safetensors.numpy.load` of the record, `numpy.stack` of the"
        " bands; for T2 `torch.nn.functional.interpolate` of the 20 m bands, and `torch.cat`, on"
        " one thread, which is faster for arrays this small"
    )
    modes: ClassVar[tuple[str, ...]] = tuple(MODES)

    @classmethod
    def write(cls, corpus: Corpus, folder: Path) -> None:
        """Convert the GeoTIFFs."""
        rico_hdl.convert("bigearthnet", {"s2": corpus.geotiffs}, folder)

    def single(self, task: str) -> Callable[[int], Sample]:
        """Decode all bands of a record, and use the requested ones."""
        torch.set_num_threads(1)  # As in a worker of PyTorch's loader.
        path, keys = str(self.folder), [key.encode() for key in self.keys]

        def patch(index: int) -> dict[str, Array]:
            with open_store(path).begin() as transaction:
                return load(transaction.get(keys[index]))

        def rgb(index: int) -> Sample:
            bands = patch(index)
            return np.stack([bands[band] for band in RGB])

        def ten(index: int) -> Any:  # noqa: ANN401 - a tensor
            bands = patch(index)
            fine, coarse = (
                torch.from_numpy(np.stack([bands[b] for b in GROUPS[name]]).astype("float32"))
                for name in ("10m", "20m")
            )
            return torch.cat([fine, interpolate(coarse[None], size=fine.shape[-2:])[0]])

        return {"T1": rgb, "T2": ten, "T3": patch}[task]

    def batched(self, task: str) -> Callable[[list[int]], Sample]:  # type: ignore[override]
        """Read one by one and stack, as one would by hand."""
        read = self.single(task)
        stack: Callable[[Any], Any] = torch.stack if task == "T2" else np.stack

        def read_batch(indices: list[int]) -> Sample:
            patches: list[Any] = [read(index) for index in indices]
            if task == "T3":
                return {band: np.stack([patch[band] for patch in patches]) for band in patches[0]}
            stacked: Sample = stack(patches)
            return stacked

        return read_batch
