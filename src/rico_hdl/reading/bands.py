"""All bands of many records in one memory: each band an array, all of them copied at once.

In: how each band is read, and records. Out: memory in which the records' pages lie as in the file,
and arrays of shape (records, rows, columns) by band that are views of it. Bands that are stored in
another order than they are used, or differ in size, would be a copy each otherwise.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rico_hdl.reading.blocks import RECORD_PLACE, Array, Blocks
from rico_hdl.reading.plan import ArrayPlan

_MOST: Final = 1.25
"""Memory for a record, in parts of what is wanted of it: who keeps a batch keeps all of it."""


class BandPlace(NamedTuple):
    """Where a band lies in each row of the memory."""

    offset: int
    """Zero-based position of its first byte."""
    shape: tuple[int, int]
    """(rows, columns)."""
    dtype: np.dtype[Any]
    """Of its pixels."""


class BandMemory:
    """How bands of records of one layout lie in one memory; see `BandMemory.of`.

    Args:
        blocks: How the records are gathered.
        places: Each band's place, in the order of the result.
    """

    def __init__(self, blocks: Blocks, places: Mapping[str, BandPlace]) -> None:
        self._blocks = blocks
        self.places = places
        """Where each band lies in a row."""
        self.n_bytes = blocks.n_record_bytes
        """Bytes of a row."""

    @classmethod
    def of(cls, arrays: Mapping[str, ArrayPlan]) -> BandMemory | None:
        """The memory of some arrays of one band each; None where it is of no use.

        That is where bands are more than copied, and where much would be kept that is not wanted.
        """
        runs = [array.whole for array in arrays.values() if not array.converts]
        wanted = [run for run in runs if run is not None]
        if len(wanted) < len(arrays):
            return None
        blocks = Blocks(wanted, RECORD_PLACE, 0)
        places = {
            name: BandPlace(offset, run.shape[1:], run.dtype)
            for name, (run, offset) in zip(arrays, blocks.places, strict=True)
        }
        if blocks.n_record_bytes > _MOST * sum(run.n_bytes for run in wanted) or not all(
            # Some columns are left out; or other libraries would refuse where the band begins.
            run.strides[1] == run.shape[2] * run.dtype.itemsize and offset % run.dtype.itemsize == 0
            for run, offset in blocks.places
        ):
            return None
        return cls(blocks, places)

    def new(self, n: int) -> Array:
        """Memory for ``n`` records, of shape (records, bytes); not initialised."""
        return np.empty((n, self.n_bytes), np.uint8)

    def views(self, memory: Array) -> dict[str, Array]:
        """The bands in some memory, each of shape (records, rows, columns)."""
        n = len(memory)
        return {
            name: np.ndarray(
                (n, *shape),
                dtype,
                memory,
                offset,
                (self.n_bytes, shape[1] * dtype.itemsize, dtype.itemsize),
            )
            for name, (offset, shape, dtype) in self.places.items()
        }

    def behind(self, arrays: Mapping[str, Array]) -> Array | None:
        """The memory that arrays by band are views of; None if they are not."""
        some = next(iter(arrays.values()))
        base = some.base
        if (
            not isinstance(base, np.ndarray)
            or base.dtype != np.uint8
            or base.ndim != 2
            or base.shape[1] != self.n_bytes
            or not base.flags.c_contiguous
            or not base.flags.writeable
        ):
            return None
        name = next(iter(arrays))
        skipped = _address(some) - self.places[name].offset - _address(base)
        first, rest = divmod(skipped, self.n_bytes)
        if rest or not 0 <= first <= len(base) - len(some):
            return None
        memory = base[first : first + len(some)]
        for name, view in self.views(memory).items():
            given = arrays[name]
            if _address(given) != _address(view) or given.strides != view.strides:
                return None
        return memory

    def fill(self, data: mmap.mmap, starts: npt.NDArray[np.int64], memory: Array) -> bool:
        """Copy records into the rows of a memory; false, and nothing, if they lie elsewhere.

        Args:
            data: The file.
            starts: Zero-based offset of each record's first byte.
            memory: As `new` makes it, with as many rows.
        """
        if not self._blocks.suit(data, starts):
            return False
        self._blocks.gather(data, starts, memory)
        return True


def _address(array: Array) -> int:
    """Where an array's first element lies in memory."""
    address: int = array.__array_interface__["data"][0]
    return address
