"""All bands of many records in one block of memory: an array per band, all copied at once.

In: how each band is read, and records. Out: memory that holds the records' pages exactly as in the
file, and one array per band, of shape (records, rows, columns), that is a view of it. Without it,
bands that differ from their neighbours in size or spacing would each need their own copy.

One call of NumPy gathers a whole batch. One copy per band takes 1.4 to 2.4 times as long for
BigEarthNet, and 1.2 to 1.5 times for 224 bands (``make bench-ablation``).
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from operator import is_
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rico_hdl.reading.array_plan import ArrayPlan
from rico_hdl.reading.runs import Array, Run

GATHERED_BYTES: Final = 4096
"""Bytes of one gathered piece, which begins at a multiple of that in the file. It is the page size
of almost all files, so records begin at the same offset in a piece."""
RECORD_PLACE: Final = 16
"""Offset in a piece at which records with pages of their own begin: after the page header."""
_MOST: Final = 4 / 3
"""Largest memory for a record, as a multiple of its wanted bytes: keeping a batch keeps all of it.
Three bands of 4 KiB take four pages; copying band by band would take more than twice as long."""


class BandPlace(NamedTuple):
    """The place of a band in each row of the memory."""

    offset: int
    """Zero-based position of its first byte."""
    shape: tuple[int, int]
    """(rows, columns)."""
    dtype: np.dtype[Any]
    """The dtype of its pixels."""


class BandArrays(dict[str, Array]):
    """Arrays by band that are views of one memory; a copy of it is a plain dictionary.

    Args:
        memory: The memory, of shape (records, bytes).
        places: The place of each band in a row of it.
    """

    def __init__(self, memory: Array, places: Mapping[str, BandPlace]) -> None:
        n, n_bytes = memory.shape
        super().__init__(
            {
                name: np.ndarray(
                    (n, *shape),
                    dtype,
                    memory,
                    offset,
                    (n_bytes, shape[1] * dtype.itemsize, dtype.itemsize),
                )
                for name, (offset, shape, dtype) in places.items()
            }
        )
        self._memory, self._places, self._views = memory, places, tuple(self.values())

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)

    def first(self, n: int) -> BandArrays:
        """The first rows of all arrays."""
        return BandArrays(self._memory[:n], self._places)

    def memory(self, places: Mapping[str, BandPlace], n_bytes: int) -> Array | None:
        """The memory, if its rows have that length and hold the bands at those places.

        None also if an array was replaced, or the memory is no longer writeable.
        """
        fits = (
            self._memory.shape[1] == n_bytes
            and (self._places is places or self._places == places)
            and all(map(is_, self.values(), self._views))
        )
        return self._memory if fits and self._memory.flags.writeable else None


class BandMemory:
    """How bands of records of one layout are placed in one memory; see `BandMemory.of`.

    Args:
        runs: Each band, by name, in the order of the result.
    """

    def __init__(self, runs: Mapping[str, Run]) -> None:
        spans = [run.span for run in runs.values()]
        pieces = sorted(
            {
                piece
                for begin, end in spans
                for piece in range(
                    (RECORD_PLACE + begin) // GATHERED_BYTES,
                    (RECORD_PLACE + end - 1) // GATHERED_BYTES + 1,
                )
            }
        )
        self._pieces = np.array(pieces, np.int64)
        self.n_bytes = len(pieces) * GATHERED_BYTES
        """Bytes of a row."""
        row_of = {piece: i * GATHERED_BYTES for i, piece in enumerate(pieces)}
        self.places: dict[str, BandPlace] = {}
        """The place of each band in a row."""
        for name, run in runs.items():
            piece, byte = divmod(RECORD_PLACE + run.offset, GATHERED_BYTES)
            self.places[name] = BandPlace(row_of[piece] + byte, run.shape[1:], run.dtype)

    @classmethod
    def of(cls, arrays: Mapping[str, ArrayPlan]) -> BandMemory | None:
        """The memory for arrays of one band each; None if it is of no use.

        That is if bands are converted or resampled, or if it would keep many unwanted bytes.
        """
        runs: dict[str, Run] = {}
        for name, array in arrays.items():
            run = array.copied
            # The second condition: some columns are left out.
            if run is None or run.strides[1] != run.shape[2] * run.dtype.itemsize:
                return None
            runs[name] = run
        memory = cls(runs)
        if memory.n_bytes > _MOST * sum(run.n_bytes for run in runs.values()) or not all(
            # Other libraries refuse arrays that are not aligned.
            place.offset % place.dtype.itemsize == 0
            for place in memory.places.values()
        ):
            return None
        return memory

    def new(self, n: int) -> BandArrays:
        """Arrays for ``n`` records; not initialised."""
        return self.views(np.empty((n, self.n_bytes), np.uint8))

    def views(self, memory: Array) -> BandArrays:
        """The bands in a memory of shape (records, bytes), each (records, rows, columns)."""
        return BandArrays(memory, self.places)

    def fill(
        self,
        data: mmap.mmap,
        starts: npt.NDArray[np.int64],
        rows: range,
        arrays: Mapping[str, Array],
    ) -> bool:
        """Copy records into rows of arrays at once; return false, and copy nothing, if impossible.

        It is impossible if the arrays were not made by `views`, or if records do not begin at the
        usual place in a page; small ones do not.

        Args:
            data: The file.
            starts: Zero-based offset of each record's first byte.
            rows: Zero-based positions of the records in the arrays.
            arrays: The arrays, by band.
        """
        memory = (
            arrays.memory(self.places, self.n_bytes) if isinstance(arrays, BandArrays) else None
        )
        first = starts // GATHERED_BYTES
        if (
            memory is None
            or (starts % GATHERED_BYTES != RECORD_PLACE).any()
            or int(first.max() + self._pieces[-1]) >= len(data) // GATHERED_BYTES
        ):
            return False
        file = np.frombuffer(data, np.uint8, len(data) // GATHERED_BYTES * GATHERED_BYTES)
        # With "clip", NumPy writes straight into the array, without Python's lock or any check.
        file.reshape(-1, GATHERED_BYTES).take(
            first[:, None] + self._pieces,
            axis=0,
            out=memory[rows.start : rows.stop].reshape(len(rows), -1, GATHERED_BYTES),
            mode="clip",
        )
        return True
