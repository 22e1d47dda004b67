"""Copying the bands of many patches at once, with one of torch's kernels.

In: a reader's plans, and where records begin in ``data.mdb``. Out: the same arrays as the reader
itself fills. One call copies the neighbouring bands of a whole batch to where they go, and lets go
of Python's lock all the while, which NumPy can't; see `rico_hdl.reading.blocks`. Whatever is more
than a copy is left to the reader, which is the faster one there.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from rico_hdl.reading import PatchReader
from rico_hdl.reading.copies import File
from rico_hdl.reading.layouts import RecordLayout
from rico_hdl.reading.plan import ArrayPlan, Part, Run
from rico_hdl.reading.planning import Plan

_PAGE_BYTES: Final = 4096
"""LMDB's pages: records that begin at one offset in theirs are rows of a matrix of pages."""
_FEWEST: Final = 4
"""Patches that are worth it."""
_MAX_PLANS: Final = 1024
"""Layouts of records that are remembered."""


class GatheringReader(PatchReader):
    """A reader that copies batches with torch, where it can.

    Args:
        reader: Its store and options.
    """

    def __init__(self, reader: PatchReader) -> None:
        super().__init__(reader.records, reader.options)
        self._gathering: dict[Plan, Plan] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return GatheringReader, (PatchReader(self.records, self.options),)

    def _planned(self, file: File, start: int, stop: int, key: str) -> tuple[RecordLayout, Plan]:
        layout, plan = super()._planned(file, start, stop, key)
        found = self._gathering.get(plan)
        if found is None:
            if len(self._gathering) >= _MAX_PLANS:
                self._gathering.clear()
            arrays = {name: _GatheringPlan(array) for name, array in plan.arrays.items()}
            # Another thread may have been faster: plans are told apart by identity.
            found = self._gathering.setdefault(plan, replace(plan, arrays=arrays))
        return layout, found


class _GatheringPlan(ArrayPlan):
    """An `ArrayPlan` that fills many rows at once."""

    def __init__(self, plan: ArrayPlan) -> None:
        vars(self).update(vars(plan))
        self._copies = not plan.converts and all(map(_is_whole, self._parts))

    def fill_rows(
        self,
        data: mmap.mmap,
        starts: npt.NDArray[np.int64],
        rows: Sequence[int],
        out: npt.NDArray[Any],
    ) -> None:
        """Copy records into rows of an array; see `ArrayPlan.fill_rows`."""
        offsets = starts % _PAGE_BYTES
        whole = rows == range(len(out)) and out[0].flags.c_contiguous
        if not self._copies or len(starts) < _FEWEST or not whole or (offsets != offsets[0]).any():
            super().fill_rows(data, starts, rows, out)
            return
        pages = _Pages(data, int(offsets[0]), torch.from_numpy(starts // _PAGE_BYTES))
        images = torch.from_numpy(out.view(np.uint8))
        for part in self._parts:
            pages.copy(part.runs, images[:, part.first : part.first + part.n_bands])


class _Pages:
    """The file as rows that begin at every page, and the pages at which records begin.

    Args:
        data: The file.
        offset: Where records begin in their first page.
        numbers: The zero-based number of each record's first page.
    """

    def __init__(self, data: mmap.mmap, offset: int, numbers: torch.Tensor) -> None:
        self._bytes = torch.from_numpy(np.asarray(_Writable(data)))
        self._offset = offset
        self._numbers = numbers

    def copy(self, runs: Iterable[Run], out: torch.Tensor) -> None:
        """Copy bands into an array of (patch, band, row, byte)."""
        for run in runs:
            for file, place in self._moves(run, out):
                torch.index_select(file, 0, self._numbers, out=place)

    def _moves(self, run: Run, out: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Bands side by side: what a record on each page has of them, and where they go."""
        n, rows, columns = run.shape
        n_bytes = rows * columns * run.dtype.itemsize
        # Bands in the order of the file are one copy; torch knows no negative distances.
        at_once = n if run.strides[0] == n_bytes else 1
        for band in range(0, n, at_once):
            begin = self._offset + run.offset + band * run.strides[0]
            length = at_once * n_bytes
            n_rows = (len(self._bytes) - begin - length) // _PAGE_BYTES + 1
            file = self._bytes.as_strided((n_rows, length), (_PAGE_BYTES, 1), begin)
            first = run.first + band
            yield file, out[:, first : first + at_once].flatten(1)


class _Writable:
    """Read-only memory that says it can be written, which torch asks for and does not do."""

    def __init__(self, data: mmap.mmap) -> None:
        self._held = np.frombuffer(data, np.uint8)
        known = self._held.__array_interface__
        self.__array_interface__ = known | {"data": (known["data"][0], False)}


def _is_whole(part: Part) -> bool:
    """Whether each of its bands lies in one piece."""
    return not part.padded and all(
        run.shape[1:] == part.size and run.strides[1] == part.size[1] * run.dtype.itemsize
        for run in part.runs
    )
