"""HDF5 through h5py: one dataset per resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import h5py
import numpy as np

from formats.protocol import RandomReader
from formats.tasks import GROUPS, NEEDED, SIDES, Array, pick

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from formats.tasks import Corpus, Sample


class HDF5(RandomReader):
    """Chunks of one patch, read straight into arrays."""

    libraries: ClassVar[tuple[str, ...]] = ("h5py",)
    tuning = (
        "one dataset per resolution, chunks of one patch, no filter, latest file format;"
        " `read_direct` into new arrays; the file is opened in each process with `locking=False`"
    )

    @classmethod
    def write(cls, corpus: Corpus, folder: Path) -> None:
        """Write the groups."""
        with h5py.File(folder / "corpus.h5", "w", libver="latest") as file:
            for name, array in corpus.groups.items():
                file.create_dataset(name, data=array, chunks=(1, *array.shape[1:]))

    def single(self, task: str) -> Callable[[int], Sample]:
        """Read one chunk of each resolution."""
        file = h5py.File(self.folder / "corpus.h5", "r", locking=False)
        datasets = {name: file[name] for name in NEEDED[task]}
        shapes = {name: (len(GROUPS[name]), SIDES[name], SIDES[name]) for name in NEEDED[task]}

        def group(name: str, index: int) -> Array:
            array = np.empty(shapes[name], np.uint16)
            datasets[name].read_direct(array, np.s_[index])
            return array

        def read(index: int) -> Sample:
            groups = {name: group(name, index) for name in datasets}
            return groups if task == "T3" else pick(groups, task)

        return read
