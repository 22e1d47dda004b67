"""All bands of many records in one memory: each band an array, all of them copied at once.

In: how each band is read, and records. Out: memory that holds the records' pages as the file does,
and arrays of shape (records, rows, columns) by band that are views of it. Otherwise each band whose
place in the records or size differs from its neighbour's would be a copy of its own.

One call of NumPy gathers a whole batch. A copy for each band takes 1.4 to 2.4 times as long for
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
"""What is gathered, at multiples of it in the file: the size of a page in almost all files, so
records begin at the same place of a piece."""
RECORD_PLACE: Final = 16
"""Where in a piece records begin that have pages of their own: behind a page's header."""
_MOST: Final = 4 / 3
"""Memory for a record, as a multiple of its wanted bytes: keeping a batch keeps all of it. Three
bands of 4 KiB take four pages, and copying band by band would take more than twice as long."""


class BandPlace(NamedTuple):
    """Where a band is in each row of the memory."""

    offset: int
    """Zero-based position of its first byte."""
    shape: tuple[int, int]
    """(rows, columns)."""
    dtype: np.dtype[Any]
    """Of its pixels."""


class BandArrays(dict[str, Array]):
    """Arrays by band that are views of one memory; a copy of it is a plain dictionary.

    Args:
        memory: The memory, of shape (records, bytes).
        places: Where each band is in a row of it.
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
        """The memory, if it has rows of that length with the bands at those places.

        None also where an array was replaced, or the memory can't be written any more.
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
        """Where each band is in a row."""
        for name, run in runs.items():
            piece, byte = divmod(RECORD_PLACE + run.offset, GATHERED_BYTES)
            self.places[name] = BandPlace(row_of[piece] + byte, run.shape[1:], run.dtype)

    @classmethod
    def of(cls, arrays: Mapping[str, ArrayPlan]) -> BandMemory | None:
        """The memory of some arrays of one band each; None where it is of no use.

        That is where bands are more than copied, and where much unwanted would be kept.
        """
        runs: dict[str, Run] = {}
        for name, array in arrays.items():
            run = array.copied
            # Some columns are left out?
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
        """Copy records into rows of arrays at once; false, and nothing, where that can't be.

        It can't be where the arrays are not such as `views` makes, or where records do not begin at
        the usual place of a page, as small ones do not.

        Args:
            data: The file.
            starts: Zero-based offset of each record's first byte.
            rows: Where the records go in the arrays.
            arrays: By band.
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
        # With "clip", NumPy writes into the array itself, without Python's lock and any check.
        file.reshape(-1, GATHERED_BYTES).take(
            first[:, None] + self._pieces,
            axis=0,
            out=memory[rows.start : rows.stop].reshape(len(rows), -1, GATHERED_BYTES),
            mode="clip",
        )
        return True
