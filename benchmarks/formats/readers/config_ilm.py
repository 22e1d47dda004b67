"""The LMDB through ConfigILM's BigEarthNet reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from configilm.extra.BENv2_utils import BENv2LDMBReader, stack_and_interpolate

from formats.readers.recipe import Recipe
from formats.tasks import BANDS, RGB, TEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from formats.tasks import Array, Sample


_ENVIRONMENTS: dict[str, Any] = {}
"""Opened in this process; a second reader must not open the same LMDB again."""


class ConfigILM(Recipe):
    """`BENv2LDMBReader`, which `BENv2DataSet` reads with."""

    libraries: ClassVar[tuple[str, ...]] = ("configilm", "lmdb", "safetensors")
    tuning = (
        "`BENv2LDMBReader` with `process_bands_fn`: `numpy.stack` for T1, its own"
        " `stack_and_interpolate(…, 120, 'nearest')` for T2, nothing for T3; labels of a"
        " `metadata.parquet` with one row per patch are looked up, but not returned"
    )
    modes = ("sample", "workers")

    def single(self, task: str) -> Callable[[int], Sample]:
        """Index its reader with the key."""
        torch.set_num_threads(1)  # As in a worker of PyTorch's loader.
        reader = BENv2LDMBReader(
            self.folder,
            self._metadata(),
            bands=list({"T1": RGB, "T2": TEN, "T3": BANDS}[task]),
            process_bands_fn={"T1": _stack, "T2": stack_and_interpolate, "T3": _unchanged}[task],
        )
        keys, path = self.keys, str(self.folder)
        if path not in _ENVIRONMENTS:
            reader.open_env()
            _ENVIRONMENTS[path] = reader.env
        reader.env = _ENVIRONMENTS[path]

        def read(index: int) -> Sample:
            image: Sample = reader[keys[index]][0]
            return image

        return read

    def _metadata(self) -> str:
        """A table like the publisher's, next to the store."""
        path = self.folder.parent / "metadata.parquet"
        if not path.exists():
            labels = [["Pastures"]] * len(self.keys)
            columns = {"patch_id": self.keys, "s1_name": self.keys, "labels": labels}
            pd.DataFrame(columns).to_parquet(path)
        return str(path)


def _stack(bands: dict[str, Array], order: list[str]) -> Any:  # noqa: ANN401 - an array
    return np.stack([bands[band] for band in order])


def _unchanged(bands: dict[str, Array], order: list[str]) -> dict[str, Array]:  # noqa: ARG001
    return bands
