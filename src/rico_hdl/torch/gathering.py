"""Copying the bands of many patches at once, with torch's kernels.

In: a reader's plans, and where records begin in ``data.mdb``. Out: the same arrays as the reader
itself fills, patch by patch. One call copies a band of a whole batch and lets go of Python's lock
all the while: threads that copy patch by patch hand the lock to and fro, and gain nothing from each
other. What torch does not do the same way, bit by bit, is left to the reader.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from rico_hdl.reading import PatchReader
from rico_hdl.reading.layouts import RecordLayout
from rico_hdl.reading.plan import ArrayPlan, Part, Run
from rico_hdl.reading.planning import Plan
from rico_hdl.store import Pages
from rico_hdl.torch.dtypes import torch_dtype

_PAGE_BYTES: Final = 4096
"""LMDB's pages: records that begin at one offset in theirs are rows of a matrix of pages."""
_FEWEST: Final = 4
"""Patches that are worth it."""
_BLOCK: Final = 16
"""Patches that are converted at a time: what lies in between stays in the processor's cache."""
_MAX_PLANS: Final = 1024
"""Layouts of records that are remembered."""
_DTYPES: Final = frozenset(
    ("uint8", "int8", "uint16", "int16", "int32", "int64", "float16", "float32", "float64")
)
"""What torch and numpy convert alike, but for `_UNLIKE`."""
_UNLIKE: Final = ("float64", "float16")
"""Source and target that they round differently, torch by way of float32."""


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

    def _planned(self, pages: Pages, start: int, stop: int, key: str) -> tuple[RecordLayout, Plan]:
        layout, plan = super()._planned(pages, start, stop, key)
        found = self._gathering.get(plan)
        if found is None:
            if len(self._gathering) >= _MAX_PLANS:
                self._gathering.clear()
            nearest = self.options.resampling == "nearest"
            arrays = {name: _GatheringPlan(a, nearest) for name, a in plan.arrays.items()}
            # Another thread may have been faster: plans are told apart by identity.
            found = self._gathering.setdefault(plan, replace(plan, arrays=arrays))
        return layout, found


class _Step(NamedTuple):
    """How the bands of a part are brought to the size of the result."""

    part: Part
    rows: int
    """How often each row is repeated."""
    columns: int
    """How often each column is repeated."""


class _GatheringPlan(ArrayPlan):
    """An `ArrayPlan` that fills many rows at once."""

    def __init__(self, plan: ArrayPlan, nearest: bool) -> None:  # noqa: FBT001
        vars(self).update(vars(plan))
        self._steps = [_step(part, plan, nearest) for part in self._parts]

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
        if len(starts) < _FEWEST or not whole or (offsets != offsets[0]).any():
            super().fill_rows(data, starts, rows, out)
            return
        pages = _Pages(data, int(offsets[0]), torch.from_numpy(starts // _PAGE_BYTES))
        images = torch.from_numpy(out)
        for part, step in zip(self._parts, self._steps, strict=True):
            stop = part.first + part.n_bands
            if step is None:
                for start, image in zip(starts.tolist(), out, strict=True):
                    part.put(data, start, image[part.first : stop])
            else:
                _fill(pages, step, images[:, part.first : stop])


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
        self.numbers = numbers
        """The zero-based number of each record's first page."""

    def moves(self, runs: Iterable[Run], out: torch.Tensor) -> list[_Move]:
        """How bands get into an array of (patch, band, row, column) and their dtype."""
        return [move for run in runs for move in self._moves(run, out.view(torch.uint8))]

    def _moves(self, run: Run, out: torch.Tensor) -> Iterator[_Move]:
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
            yield _Move(file, out[:, first : first + at_once].flatten(1))


class _Move(NamedTuple):
    """Bands that lie side by side in records and in an array."""

    file: torch.Tensor
    """(page, byte): what a record has of them that begins on that page."""
    out: torch.Tensor
    """(patch, byte): where they go."""

    def make(self, pages: torch.Tensor) -> None:
        """Copy them for some records, to the first patches of the array."""
        torch.index_select(self.file, 0, pages, out=self.out[: len(pages)])


class _Writable:
    """Read-only memory that says it can be written, which torch asks for and does not do."""

    def __init__(self, data: mmap.mmap) -> None:
        self._held = np.frombuffer(data, np.uint8)
        known = self._held.__array_interface__
        self.__array_interface__ = known | {"data": (known["data"][0], False)}


def _step(part: Part, plan: ArrayPlan, nearest: bool) -> _Step | None:  # noqa: FBT001
    """How a part is filled; None if torch can't."""
    whole = all(
        run.shape[1:] == part.size and run.strides[1] == part.size[1] * run.dtype.itemsize
        for run in part.runs
    )
    dtypes = {plan.dtype.name, *(run.dtype.name for run in part.runs)}
    if part.padded or not whole or not dtypes <= _DTYPES or dtypes.issuperset(_UNLIKE):
        return None
    if part.resample is None:
        return _Step(part, 1, 1)
    factors = [_factor(n, m) for n, m in zip(part.size, plan.shape[1:], strict=True)]
    return _Step(part, *factors) if nearest and all(factors) else None


def _factor(n: int, m: int) -> int:
    """How often each of `n` pixels is repeated to make `m`; 0 if not all are equally often."""
    if m % n:
        return 0
    # In single precision, as torch computes it: for some factors it falls beside the exact place.
    places = (np.arange(m, dtype=np.float32) * (np.float32(n) / np.float32(m))).astype(np.intp)
    return m // n if np.array_equal(places, np.arange(n).repeat(m // n)) else 0


def _fill(pages: _Pages, step: _Step, images: torch.Tensor) -> None:
    """Fill some bands of (patch, band, row, column)."""
    part = step.part
    dtype = torch_dtype(part.runs[0].dtype)
    if (step.rows, step.columns, dtype) == (1, 1, images.dtype):
        for move in pages.moves(part.runs, images):
            move.make(pages.numbers)
        return
    between = torch.empty((min(_BLOCK, len(images)), part.n_bands, *part.size), dtype=dtype)
    moves = pages.moves(part.runs, between)
    widen = _Widening(between, step.columns)
    for first in range(0, len(images), _BLOCK):
        block = images[first : first + _BLOCK]
        for move in moves:
            move.make(pages.numbers[first : first + _BLOCK])
        wide = widen(len(block))
        block.view(*wide.shape[:3], step.rows, wide.shape[3]).copy_(wide[:, :, :, None])


class _Widening:
    """Repeats each column of bands.

    Args:
        bands: Memory for some patches, which is filled anew again and again.
        factor: How often.
    """

    def __init__(self, bands: torch.Tensor, factor: int) -> None:
        self._bands, self._factor = bands, factor
        # One multiplication writes both copies of a pixel: several times faster than repeating it.
        self._by_pairs = factor == 2 and bands.dtype.itemsize == 2
        if self._by_pairs:
            self._wide = torch.empty(bands.shape, dtype=torch.int32)
        elif factor > 1:
            self._wide = torch.empty((*bands.shape, factor), dtype=bands.dtype)

    def __call__(self, n: int) -> torch.Tensor:
        """The first `n` patches, widened; valid until the next call."""
        bands = self._bands[:n]
        if self._factor == 1:
            return bands
        wide = self._wide[:n]
        if self._by_pairs:
            return wide.copy_(bands.view(torch.uint16)).mul_(0x0001_0001).view(bands.dtype)
        for i in range(self._factor):
            wide[..., i] = bands
        return wide.flatten(-2)
