"""From a record's layout to an array: worked out once for a layout, carried out for each record.

In: a layout, the bands that are wanted of it, and how the result shall look. Out: an `ArrayPlan`,
which copies bands out of ``data.mdb`` into an array. Bands at equal distances are one copy, also in
reverse order; no other byte of the record is touched.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rico_hdl.reading.layouts import little
from rico_hdl.reading.resampling import (
    Resampler,
    Resampling,
    put_rounded,
    resampler,
    working_dtype,
)
from rico_hdl.record import Tensor

Array = npt.NDArray[Any]
Size = tuple[int, int]


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

    def of(self, data: mmap.mmap, start: int) -> Array:
        """The bands of the record that begins there: a view, to be copied at once."""
        return np.ndarray(self.shape, self.dtype, data, start + self.offset, self.strides)


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
    """In which they are resampled."""
    resample: Resampler | None
    """What brings them to the size of the result; None where they have it."""

    def put(self, data: mmap.mmap, start: int, out: Array) -> None:
        """Fill an array of shape (bands, rows, columns) of the result."""
        if self.resample is None:
            self._copy(data, start, out)
            return
        bands = np.empty((self.n_bands, *self.size), self.dtype)
        self._copy(data, start, bands)
        if out.dtype == self.dtype:
            self.resample(bands, out)
            return
        values = np.empty(out.shape, self.dtype)
        self.resample(bands, values)
        if out.dtype.kind in "iu":
            put_rounded(values, out)
        else:
            np.copyto(out, values, casting="same_kind")

    def _copy(self, data: mmap.mmap, start: int, out: Array) -> None:
        if self.padded:
            out[...] = 0
        for run in self.runs:
            n, rows, columns = run.shape
            bands = run.of(data, start)
            if run.dtype != out.dtype:
                # Converting what was just copied takes half the time of converting out of the map.
                bands = bands.copy()
            np.copyto(out[run.first : run.first + n, :rows, :columns], bands, "unsafe")


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
        for part in self._parts:
            part.put(data, start, out[part.first : part.first + part.n_bands])

    def fill_rows(
        self, data: mmap.mmap, starts: Iterable[int], rows: Iterable[int], out: Array
    ) -> None:
        """Copy records into rows of an array of shape (N, C, H, W).

        Args:
            data: The file.
            starts: Zero-based offset of each record's first byte.
            rows: Zero-based position of each record in the array.
            out: The array; each row has the plan's shape and dtype.
        """
        if self.whole is None:
            for row, start in zip(rows, starts, strict=True):
                self.fill(data, start, out[row])
            return
        shape, dtype, offset, strides, _ = self.whole
        view = np.ndarray
        for row, start in zip(rows, starts, strict=True):
            out[row] = view(shape, dtype, data, start + offset, strides)


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
            dtype=between,
            resample=None if wanted == size else resampler(resampling, wanted, size, between),
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
