"""From a record's layout to an array: planned once per layout, carried out for each record.

In: a layout, the wanted bands, and how the result should look. Out: an `ArrayPlan`, which fills
arrays from ``data.mdb``. Bands that keep their size are copied straight into the array, which also
converts them. Bands of another size are copied into their resampler's memory, a block of records
at a time.

The time that alternatives take, relative to this (``make bench-ablation``; medians, two cores):

| instead | RGB 64x64 | BigEarthNet | 224 bands |
|---|--:|--:|--:|
| one copy per band, even for bands at equal distances | 1.1 to 1.6 | 0.9 to 1.25 | 1.05 to 2.3 |
| a copy of the record first, single patches as float32 | 1.1 to 1.2 | 1.1 | 1.4 |
| a copy of the pages of many records first, by one call | 0.95 to 1.4 | 1.4 to 2.1 | 1.5 to 6.5 |
| one call of torch for a band of many records | 0.7 to 1.0 | 0.9 to 1.15 | 1.6 to 2.1 |
| records resampled one by one, not in blocks | 1.4 | 1.0 | |

The 0.7 is for three bands of 4 KiB as three arrays; for several arrays of usual size, one call of
`rico_hdl.reading.band_memory` is faster.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rico_hdl.reading.layouts import little
from rico_hdl.reading.resampling import Resampling, resampler, working_dtype
from rico_hdl.reading.runs import Array, CopiesRows, Run, Size, copy, runs_of
from rico_hdl.record import Tensor

_BLOCK_BYTES: Final = 2 * 2**20
"""Memory for a block of records, including all intermediate copies."""
_MADE: Final = 3
"""Approximate number of copies of a band's pixels that exist while it is resampled."""


class ArrayPlan:
    """How one array is filled from a record.

    Args:
        names: The bands, in the order of the array.
        tensors: Their locations in the record.
        sizes: The (rows, columns) of each band before resampling: larger bands are cropped,
            smaller ones are padded with zeros.
        size: The (rows, columns) of the array.
        dtype: The dtype of the array.
        resampling: How bands of another size are resampled.
    """

    def __init__(  # noqa: PLR0913 - everything that decides how the array looks
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
        """The dtype of the array."""
        self.n_bytes = math.prod(self.shape) * dtype.itemsize
        """Bytes of the array."""
        self._runs: list[Run] = []
        self._padded: list[slice] = []
        self._resampled: list[_ResampledBands] = []
        first = 0
        for some, wanted in _alike(tensors, sizes):
            bands = slice(first, first + len(some))
            first = bands.stop
            if wanted != size:
                self._resampled.append(
                    _ResampledBands(some, bands, wanted, size, dtype, resampling)
                )
                continue
            self._runs += runs_of(some, size, bands.start)
            if _is_padded(some, size):
                self._padded.append(bands)
        if self.copied is not None:  # the fastest index for the whole array
            self._runs = [self.copied._replace(region=(...,))]

    @property
    def copied(self) -> Run | None:
        """The one run whose pixels make the array; None if there are several, or pixels change."""
        if self._resampled or self._padded or len(self._runs) > 1:
            return None
        (run,) = self._runs
        return run if run.dtype == self.dtype else None

    def fill(self, data: mmap.mmap, start: int, out: Array) -> None:
        """Copy one record into an array.

        Args:
            data: The file.
            start: Zero-based offset of the record's first byte.
            out: The array, of the plan's shape and dtype.
        """
        for bands in self._padded:
            out[bands] = 0
        for shape, dtype, offset, strides, region in self._runs:  # `copy`, without the call
            out[region] = np.ndarray(shape, dtype, data, start + offset, strides)
        for group in self._resampled:
            group.fill(data, start, out)

    def fill_rows(
        self,
        data: mmap.mmap,
        starts: npt.NDArray[np.int64],
        rows: Sequence[int],
        out: Array,
        copy_rows: CopiesRows,
    ) -> None:
        """Copy several records into rows of an array of shape (N, C, H, W).

        Args:
            data: The file.
            starts: Zero-based offset of each record's first byte.
            rows: Zero-based position of each record in the array.
            out: The array; each row has the plan's shape and dtype.
            copy_rows: Copies the pixels of many records.
        """
        for first, last in _stretches(rows):
            some = starts[first:last]
            images = out[rows[first] : rows[first] + last - first]
            for bands in self._padded:
                images[:, bands] = 0
            if self._runs:
                copy_rows(self._runs, data, some, images)
            for group in self._resampled:
                group.fill_rows(data, some, images, copy_rows)


class _ResampledBands:
    """Neighbouring bands of an array that are all resampled from the same size.

    Args:
        tensors: Their locations in the record.
        bands: Their positions in the array.
        source: Their (rows, columns) before resampling.
        target: The (rows, columns) of the array.
        dtype: The dtype of the array.
        resampling: The resampling method.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - see `ArrayPlan`
        self,
        tensors: Sequence[Tensor],
        bands: slice,
        source: Size,
        target: Size,
        dtype: np.dtype[Any],
        resampling: Resampling,
    ) -> None:
        stored = little(tensors[0].dtype)
        between = working_dtype(resampling, np.dtype(tensors[0].dtype), dtype)
        self._bands = bands
        self._resample = resampler(resampling, source, target, between)
        self._shape = (len(tensors), *source)
        self._is_padded = _is_padded(tensors, source)
        self._runs = list(runs_of(tensors, source, 0))
        self._bits = None
        # Pixels are converted before or after resampling, never twice.
        bits = self._resample.bits
        if bits is not None and stored == between:
            self._runs = [run._replace(dtype=bits) for run in self._runs]
        elif bits is not None:
            self._bits = bits
        self._dtype = between
        n_bytes = _MADE * math.prod(self._shape) * between.itemsize
        self._n_records = max(1, _BLOCK_BYTES // n_bytes)

    def fill(self, data: mmap.mmap, start: int, out: Array) -> None:
        """Fill the bands of an array of shape (bands, rows, columns)."""
        memory = self._memory()
        copy(self._runs, data, start, memory)
        self._finish(memory, out[self._bands])

    def fill_rows(
        self, data: mmap.mmap, starts: npt.NDArray[np.int64], out: Array, copy_rows: CopiesRows
    ) -> None:
        """Fill the bands of an array of shape (N, bands, rows, columns)."""
        for i in range(0, len(starts), self._n_records):
            some = starts[i : i + self._n_records]
            memory = self._memory(len(some))
            copy_rows(self._runs, data, some, memory)
            self._finish(memory, out[i : i + len(some), self._bands])

    def _memory(self, *rows: int) -> Array:
        """Memory for the pixels of that many records before resampling."""
        shape = (*rows, *self._shape)
        if self._bits is None:
            memory = self._resample.memory(shape)
        else:
            memory = np.empty(shape, self._dtype)
        if self._is_padded:
            memory[...] = 0
        return memory

    def _finish(self, memory: Array, out: Array) -> None:
        """Resample the pixels into the array."""
        if self._bits is not None:
            pixels = memory.view(self._bits)
            memory = self._resample.memory(memory.shape)
            memory[...] = pixels
        self._resample(memory, out)


def _stretches(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The start and stop positions of each stretch of consecutive numbers."""
    if isinstance(rows, range):
        yield 0, len(rows)
        return
    first = 0
    for i in range(1, len(rows) + 1):
        if i == len(rows) or rows[i] != rows[i - 1] + 1:
            yield first, i
            first = i


def _alike(tensors: Sequence[Tensor], sizes: Sequence[Size]) -> Iterator[tuple[list[Tensor], Size]]:
    """Groups of neighbouring bands with equal shape, dtype and wanted size, and that size."""
    pairs = zip(tensors, sizes, strict=True)
    for (_, _, size), some in groupby(pairs, lambda pair: (pair[0].shape, pair[0].dtype, pair[1])):
        yield [tensor for tensor, _ in some], size


def _is_padded(tensors: Sequence[Tensor], size: Size) -> bool:
    """Whether bands of one shape have fewer rows or columns than the given size."""
    return any(n < m for n, m in zip(tensors[0].shape, size, strict=True))
