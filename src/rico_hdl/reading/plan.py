"""From a record's layout to an array: worked out once for a layout, carried out for each record.

In: a layout, the bands that are wanted of it, and how the result shall look. Out: an `ArrayPlan`,
which copies bands out of ``data.mdb`` into an array. Bands at equal distances are one copy, also in
reverse order; no other byte of the record is touched.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rico_hdl.reading.blocks import Blocks, place_in_piece
from rico_hdl.reading.layouts import little
from rico_hdl.reading.resampling import (
    Resampler,
    Resampling,
    resampler,
    working_dtype,
)
from rico_hdl.reading.staging import Stage
from rico_hdl.record import Tensor

Array = npt.NDArray[Any]
Size = tuple[int, int]

_FEWEST: Final = 2
"""Records that are worth being gathered."""
_LONG: Final = 2**16
"""Bytes of a copy that is not worth being gathered: it lets other threads go on for long enough."""


class Run(NamedTuple):
    """Bands at equal distances in a record, seen as one array."""

    shape: tuple[int, int, int]
    """(bands, rows, columns); rows and columns may be fewer than the record has."""
    dtype: np.dtype[Any]
    """As stored."""
    offset: int
    """Of the first band's first byte, from the record's."""
    strides: tuple[int, int, int]
    """Bytes from band to band, which may be negative, row to row, and pixel to pixel."""
    first: int
    """Zero-based position of the first band in the array that is filled."""

    def of(self, data: mmap.mmap | Array, start: int) -> Array:
        """The bands of the record that begins there: a view, to be copied at once."""
        return np.ndarray(self.shape, self.dtype, data, start + self.offset, self.strides)

    @property
    def n_bytes(self) -> int:
        """Bytes of all its pixels."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def span(self) -> tuple[int, int]:
        """Offset of its first byte in the record, and behind its last one."""
        steps = [(n - 1) * step for n, step in zip(self.shape, self.strides, strict=True)]
        begin = self.offset + sum(min(0, step) for step in steps)
        return begin, self.offset + sum(max(0, step) for step in steps) + self.dtype.itemsize


class Part(NamedTuple):
    """Neighbouring bands of a result that come from bands of one size."""

    runs: tuple[Run, ...]
    """The bands; positions count from the part's first band."""
    first: int
    """Zero-based position of the first band in the result."""
    n_bands: int
    """How many there are."""
    size: Size
    """(rows, columns) before resampling."""
    padded: bool
    """Whether the record has less than that: the rest is zero, at the bottom and on the right."""
    dtype: np.dtype[Any]
    """In which they are resampled; that of the result where they are not. Converted before or after
    that, never twice."""
    resample: Resampler | None
    """What brings them to the size of the result; None where they have it."""
    n_more_bytes: int
    """What is made of them on the way to the result, about."""

    def put(self, data: mmap.mmap, start: int, out: Array) -> None:
        """Fill an array of shape (bands, rows, columns) of the result from a record."""
        self.fill([run.of(data, start) for run in self.runs], out)

    @property
    def converts(self) -> bool:
        """Whether pixels are more than copied."""
        return self.resample is not None or any(run.dtype != self.dtype for run in self.runs)

    @property
    def takes_bits(self) -> bool:
        """Whether one copy of the bands is what is resampled: nothing is padded or converted."""
        if self.padded:
            return False
        return (
            self.resample is None
            or self.resample.bits is None
            or all(run.dtype == self.dtype for run in self.runs)
        )

    def fill(self, bands: Sequence[Array], out: Array) -> None:
        """Fill an array of shape (…, bands, rows, columns) of the result.

        Args:
            bands: Those of each run, of shape (…, bands, rows, columns).
            out: The array.
        """
        if self.resample is None:
            self._copy(bands, out)
            return
        memory = self.resample.memory((*out.shape[:-3], self.n_bands, *self.size))
        if self.resample.bits is not None:
            converted = [band.astype(self.dtype, copy=False) for band in bands]
            bands = [band.view(self.resample.bits) for band in converted]
        self._copy(bands, memory)
        self.resample(memory, out)

    def _copy(self, bands: Sequence[Array], out: Array) -> None:
        if self.padded:
            out[...] = 0
        for run, some in zip(self.runs, bands, strict=True):
            n, rows, columns = run.shape
            np.copyto(out[..., run.first : run.first + n, :rows, :columns], some, "unsafe")


class ArrayPlan:
    """How one array is filled from a record.

    Args:
        names: The bands, in the order of the array.
        tensors: Where they lie.
        sizes: The (rows, columns) that each shall have before resampling: what a record has more is
            cut off, what it has less is zero.
        size: The (rows, columns) of the array.
        dtype: Of the array.
        resampling: How bands of another size are brought to that of the array.
    """

    def __init__(  # noqa: PLR0913 - all that decides what the array looks like
        self,
        *,
        names: tuple[str, ...],
        tensors: Sequence[Tensor],
        sizes: Sequence[Size],
        size: Size,
        dtype: np.dtype[Any],
        resampling: Resampling,
    ) -> None:
        self.names = names
        """The bands, in the order of the array."""
        self.shape = (len(names), *size)
        """(bands, rows, columns)."""
        self.dtype = dtype
        """Of the array."""
        self._parts = tuple(_parts(tensors, sizes, size, dtype, resampling))
        only = self._parts[0]
        whole = len(self._parts) == 1 and only.resample is None and len(only.runs) == 1
        self.whole: Final = only.runs[0] if whole and not only.padded else None
        """The run that is the whole array, which most often needs no more than one copy."""
        self.n_bytes = math.prod(self.shape) * dtype.itemsize
        """Of the array."""
        self.converts = any(part.converts for part in self._parts)
        """Whether pixels are more than copied."""
        self._blocks: dict[int, Blocks] = {}
        self._stage = Stage.of(self._parts) if self.whole is None else None

    def fill(self, data: mmap.mmap, start: int, out: Array) -> None:
        """Copy one record into an array.

        Args:
            data: The file.
            start: Zero-based offset of the record's first byte.
            out: The array, of the plan's shape and dtype.
        """
        if self.whole is not None:
            # As `Run.of`, without the call: a copy is measured by it.
            shape, dtype, offset, strides, _ = self.whole
            out[...] = np.ndarray(shape, dtype, data, start + offset, strides)
            return
        if self._stage is not None:
            self._stage.fill(data, start, out)
            return
        for part in self._parts:
            part.put(data, start, out[part.first : part.first + part.n_bands])

    def fill_rows(
        self,
        data: mmap.mmap,
        starts: npt.NDArray[np.int64],
        rows: Sequence[int],
        out: Array,
    ) -> None:
        """Copy records into rows of an array of shape (N, C, H, W).

        Args:
            data: The file.
            starts: Zero-based offset of each record's first byte.
            rows: Zero-based position of each record in the array.
            out: The array; each row has the plan's shape and dtype.
        """
        begins = np.asarray(starts, np.int64)
        blocks = self._blocks_of(data, begins)
        for first, last in _stretches(rows):
            if blocks is None or last - first < _FEWEST:
                images = out[rows[first] : rows[first] + last - first]
                self._fill_each(data, begins[first:last].tolist(), images)
                continue
            with blocks.memory() as memory:
                for i in range(first, last, blocks.n_records):
                    some = begins[i : min(i + blocks.n_records, last)]
                    bands = blocks.gather(data, some, memory)
                    self._fill_block(bands, out[rows[i] :][: len(some)])

    def _fill_each(self, data: mmap.mmap, starts: Sequence[int], images: Array) -> None:
        """Fill arrays one by one."""
        if self.whole is None:
            for start, image in zip(starts, images, strict=True):
                self.fill(data, start, image)
            return
        shape, dtype, offset, strides, _ = self.whole
        for start, image in zip(starts, images, strict=True):
            image[...] = np.ndarray(shape, dtype, data, start + offset, strides)

    def _fill_block(self, bands: list[Array], out: Array) -> None:
        """Fill some rows from the bands of all runs of their records."""
        for part in self._parts:
            own, bands = bands[: len(part.runs)], bands[len(part.runs) :]
            part.fill(own, out[:, part.first : part.first + part.n_bands])

    def _blocks_of(self, data: mmap.mmap, begins: npt.NDArray[np.int64]) -> Blocks | None:
        """How these records are gathered; None if they can't be, or should not."""
        remainder = place_in_piece(begins)
        if remainder is None or (self.whole and self.n_bytes >= _LONG and not self.converts):
            return None
        blocks = self._blocks.get(remainder)
        if blocks is None:
            runs = [run for part in self._parts for run in part.runs]
            n_more = sum(part.n_more_bytes for part in self._parts)
            blocks = self._blocks[remainder] = Blocks(runs, remainder, n_more)
        return blocks if blocks.is_worth_it and blocks.suit(data, begins) else None


def _stretches(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where numbers follow each other: the first and behind the last position."""
    if isinstance(places, range):
        yield 0, len(places)
        return
    first = 0
    for i in range(1, len(places) + 1):
        if i == len(places) or places[i] != places[i - 1] + 1:
            yield first, i
            first = i


def _parts(
    tensors: Sequence[Tensor],
    sizes: Sequence[Size],
    size: Size,
    dtype: np.dtype[Any],
    resampling: Resampling,
) -> Iterator[Part]:
    """The parts of an array: neighbouring bands that are treated alike."""
    first = 0
    alike = groupby(
        zip(tensors, sizes, strict=True), lambda pair: (pair[0].shape, pair[0].dtype, pair[1])
    )
    for (stored, stored_dtype, wanted), pairs in alike:
        found = [tensor for tensor, _ in pairs]
        rows, columns = (min(n, m) for n, m in zip(stored, wanted, strict=True))
        between = working_dtype(resampling, np.dtype(stored_dtype), dtype)
        yield Part(
            runs=tuple(_runs(found, (rows, columns))),
            first=first,
            n_bands=len(found),
            size=wanted,
            padded=(rows, columns) != wanted,
            dtype=dtype if wanted == size else between,
            resample=None if wanted == size else resampler(resampling, wanted, size, between),
            n_more_bytes=0
            if wanted == size
            else 3 * len(found) * math.prod(wanted) * between.itemsize,
        )
        first += len(found)


def _runs(tensors: Sequence[Tensor], region: Size) -> Iterator[Run]:
    """Bands of one shape and dtype as few strided arrays, greedily from the first on."""
    dtype = little(tensors[0].dtype)
    _, stored_columns = tensors[0].shape
    first = 0
    while first < len(tensors):
        last = first + 1
        step = tensors[last].start - tensors[first].start if last < len(tensors) else 0
        while last < len(tensors) and tensors[last].start - tensors[last - 1].start == step:
            last += 1
        strides = (step, stored_columns * dtype.itemsize, dtype.itemsize)
        yield Run((last - first, *region), dtype, tensors[first].start, strides, first)
        first = last
