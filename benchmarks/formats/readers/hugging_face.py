"""Hugging Face datasets: an Arrow table, memory-mapped."""

from __future__ import annotations

from shutil import rmtree
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from datasets import Array3D, Dataset, Features, Value, disable_progress_bars, load_from_disk

from formats.protocol import MODES, RandomReader
from formats.readers.arrow import SHAPES, array
from formats.tasks import NEEDED, pick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from formats.protocol import Indices
    from formats.tasks import Array, Corpus, Sample


class Arrays(RandomReader):
    """Columns of arrays."""

    libraries: ClassVar[tuple[str, ...]] = ("datasets", "pyarrow")
    tuning = (
        "`Array3D` columns, one per resolution; `save_to_disk`, `load_from_disk`,"
        " `select_columns`, `with_format('numpy', dtype=numpy.uint16)`"
    )
    features: ClassVar[dict[str, Any]] = {
        name: Array3D(shape, "uint16") for name, shape in SHAPES.items()
    }
    batches_in_workers = True
    modes: ClassVar[tuple[str, ...]] = tuple(MODES)

    @classmethod
    def write(cls, corpus: Corpus, folder: Path) -> None:
        """Write the table."""
        disable_progress_bars()

        def rows() -> Iterator[dict[str, Any]]:
            for index in range(len(corpus)):
                yield {name: cls.cell(group[index]) for name, group in corpus.groups.items()}

        # A separate cache, because the default one would return another corpus.
        cache = folder / "cache"
        features = Features(cls.features)
        table = Dataset.from_generator(rows, features=features, cache_dir=str(cache))
        table.save_to_disk(str(folder / "table"))
        rmtree(cache)

    @staticmethod
    def cell(group: Array) -> object:
        """A patch's value in a column."""
        return np.asarray(group)

    def table(self, task: str) -> Any:  # noqa: ANN401 - a dataset
        """The columns that a task needs."""
        return load_from_disk(str(self.folder / "table")).select_columns(list(NEEDED[task]))

    def single(self, task: str) -> Callable[[int], Sample]:
        """Index the table."""
        table = self.table(task).with_format("numpy", dtype=np.uint16)

        def read(index: int) -> Sample:
            groups: dict[str, Array] = table[index]
            return groups if task == "T3" else pick(groups, task)

        return read

    def batched(self, task: str) -> Callable[[Indices], Sample]:
        """Index the table with a list."""
        table = self.table(task).with_format("numpy", dtype=np.uint16)

        def read(indices: Indices) -> Sample:
            groups: dict[str, Array] = table[indices]
            return groups if task == "T3" else pick(groups, task)

        return read


class Bytes(Arrays):
    """Columns of bytes, which no document recommends but which are several times faster."""

    tuning = (
        "`large_binary` columns, one per resolution; `with_format('arrow')` and"
        " `numpy.frombuffer`, by batch after `combine_chunks`"
    )
    features: ClassVar[dict[str, Any]] = {name: Value("large_binary") for name in SHAPES}

    @staticmethod
    def cell(group: Array) -> object:
        """The bytes."""
        return group.tobytes()

    def single(self, task: str) -> Callable[[int], Sample]:
        """Read the buffers of one row."""
        table = self.table(task).with_format("arrow")

        def read(index: int) -> Sample:
            row = table[index]
            groups = {
                name: np.frombuffer(row[name][0].as_buffer(), np.uint16).reshape(SHAPES[name])
                for name in NEEDED[task]
            }
            return pick(groups, task)

        return read

    def batched(self, task: str) -> Callable[[Indices], Sample]:
        """Read the buffers of several rows, after Arrow has made each column contiguous."""
        table = self.table(task).with_format("arrow")

        def read(indices: Indices) -> Sample:
            rows = table[indices].combine_chunks()
            groups = {name: array(rows[name].chunk(0), name) for name in NEEDED[task]}
            return groups if task == "T3" else pick(groups, task)

        return read
