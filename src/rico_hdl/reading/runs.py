"""Bands of a record as strided arrays over its bytes, and functions that copy them.

Bands at equal distances in the record, also in reverse order, are one run and take one copy; no
other byte of the record is touched.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rico_hdl.reading.layouts import little
from rico_hdl.record import Tensor

Array = npt.NDArray[Any]
Size = tuple[int, int]
"""(rows, columns)."""


class Run(NamedTuple):
    """Bands at equal distances in a record, seen as one array."""

    shape: tuple[int, int, int]
    """(bands, rows, columns); rows and columns may be fewer than in the record."""
    dtype: np.dtype[Any]
    """The stored dtype, or one of the same size if only the bits matter."""
    offset: int
    """Zero-based offset of the first band's first byte in the record."""
    strides: tuple[int, int, int]
    """Bytes from band to band, which may be negative, row to row, and pixel to pixel."""
    region: tuple[Any, ...]
    """The part of an array of shape (bands, rows, columns) that the run fills, as an index."""

    @property
    def n_bytes(self) -> int:
        """Bytes of all its pixels."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def span(self) -> tuple[int, int]:
        """Offsets of its first byte in the record, and after its last one."""
        steps = [(n - 1) * step for n, step in zip(self.shape, self.strides, strict=True)]
        begin = self.offset + sum(min(0, step) for step in steps)
        return begin, self.offset + sum(max(0, step) for step in steps) + self.dtype.itemsize


def runs_of(tensors: Sequence[Tensor], size: Size, first: int) -> Iterator[Run]:
    """Bands of one shape and dtype as few runs, greedily from the first on.

    Args:
        tensors: The bands, in the order of the array.
        size: The (rows, columns) of the array; larger bands are cropped.
        first: Zero-based position of the first band in the array.
    """
    dtype = little(tensors[0].dtype)
    stored_rows, stored_columns = tensors[0].shape
    rows, columns = min(stored_rows, size[0]), min(stored_columns, size[1])
    rest = () if (rows, columns) == size else (slice(rows), slice(columns))
    i = 0
    while i < len(tensors):
        stop = i + 1
        step = tensors[stop].start - tensors[i].start if stop < len(tensors) else 0
        while stop < len(tensors) and tensors[stop].start - tensors[stop - 1].start == step:
            stop += 1
        strides = (step, stored_columns * dtype.itemsize, dtype.itemsize)
        region = (slice(first + i, first + stop), *rest)
        yield Run((stop - i, rows, columns), dtype, tensors[i].start, strides, region)
        i = stop


def copy(runs: Iterable[Run], data: mmap.mmap, start: int, out: Array) -> None:
    """Copy runs of the record that begins at ``data[start]`` into an array.

    Args:
        runs: The runs.
        data: The file.
        start: Zero-based offset of the record's first byte.
        out: The array, of shape (bands, rows, columns). Numbers that do not fit wrap around.
    """
    for shape, dtype, offset, strides, region in runs:
        out[region] = np.ndarray(shape, dtype, data, start + offset, strides)


class CopiesRows(Protocol):
    """A way to copy records into rows; safe for threads, and picklable."""

    def __call__(
        self, runs: Sequence[Run], data: mmap.mmap, starts: npt.NDArray[np.int64], out: Array
    ) -> None:
        """Copy many records as `copy` does, each into a row of an array.

        Args:
            runs: The runs.
            data: The file.
            starts: Zero-based offset of each record's first byte.
            out: The array, of shape (records, bands, rows, columns).
        """


def copy_rows(
    runs: Sequence[Run], data: mmap.mmap, starts: npt.NDArray[np.int64], out: Array
) -> None:
    """Copy record by record; see `CopiesRows`.

    It goes run by run, which makes the loop over records cheapest.
    """
    begins = starts.tolist()
    for shape, dtype, offset, strides, region in runs:
        for start, image in zip(begins, out[(slice(None), *region)], strict=True):
            image[...] = np.ndarray(shape, dtype, data, start + offset, strides)
