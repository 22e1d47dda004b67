"""Lance: columns of bytes, taken by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import lance
import pyarrow as pa

from formats.protocol import MODES, RandomReader
from formats.readers.arrow import array
from formats.tasks import GROUPS, NEEDED, pick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from formats.protocol import Indices
    from formats.tasks import Array, Corpus, Sample

_ROWS_PER_BATCH = 128


class Lance(RandomReader):
    """One table."""

    libraries: ClassVar[tuple[str, ...]] = ("pylance", "pyarrow")
    tuning = (
        "`large_binary` columns, one per resolution, compression off: of three layouts and"
        " four versions of the format the fastest; `take`; workers are spawned, since its threads"
        " do not survive a fork"
    )
    start_method = "spawn"
    batches_in_workers = True
    modes: ClassVar[tuple[str, ...]] = tuple(MODES)

    @classmethod
    def write(cls, corpus: Corpus, folder: Path) -> None:
        """Write the table."""
        uncompressed = {"lance-encoding:compression": "none"}
        schema = pa.schema(
            [pa.field(name, pa.large_binary(), metadata=uncompressed) for name in GROUPS]
        )

        def batches() -> Iterator[Any]:
            for start in range(0, len(corpus), _ROWS_PER_BATCH):
                rows = slice(start, start + _ROWS_PER_BATCH)
                columns = [
                    pa.array([patch.tobytes() for patch in corpus.groups[name][rows]], field.type)
                    for name, field in zip(GROUPS, schema, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

        lance.write_dataset(batches(), str(folder / "table"), schema=schema)

    def single(self, task: str) -> Callable[[int], Sample]:
        """Take one row."""
        read = self.batched(task)

        def read_one(index: int) -> Sample:
            batch = read([index])
            if isinstance(batch, dict):
                return {name: rows[0] for name, rows in batch.items()}
            first: Array = batch[0]
            return first

        return read_one

    def batched(self, task: str) -> Callable[[Indices], Sample]:
        """Take several rows."""
        table, names = lance.dataset(str(self.folder / "table")), list(NEEDED[task])

        def read(indices: Indices) -> Sample:
            rows = table.take(indices, columns=names).combine_chunks()
            groups = {name: array(rows[name].chunk(0), name) for name in names}
            return groups if task == "T3" else pick(groups, task)

        return read
