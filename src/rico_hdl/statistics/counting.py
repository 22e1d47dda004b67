"""Counting the values of a band, some at a time.

In: views of pixels, such as those of many records in ``data.mdb``. Out: counts that can be added,
and at the end a `BandStatistics`. Up to 16 bits, one histogram of all values is everything that is
needed. Wider values also need exact sums, and a look at their extremes.

`numpy.add.at` counts 0.7 to 1 billion values per second and processor, without Python's lock. It
wants indexes of 64 bits, so values are copied in blocks that stay in the processor's cache.
`numpy.bincount` takes as long, and returns a new histogram for each block; sorting takes twice as
long. Values of 8 bits are counted in pairs, which halves the time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError
from rico_hdl.statistics.band import BandStatistics
from rico_hdl.statistics.buckets import Numbers, buckets_of
from rico_hdl.statistics.sums import sums_of_float32, sums_of_float64, sums_of_integers

BLOCK_VALUES: Final = 2**17
"""Values that are counted at once: as indexes of 64 bits they take 1 MiB, and each thread keeps
two such blocks."""
_N_PATTERNS: Final = 2**16
_FEWEST: Final = 1024
"""The length of the shortest histogram."""

_Counts = npt.NDArray[np.int64]


class _Scratch(threading.local):
    """Memory that each thread uses again and again."""

    def __init__(self) -> None:
        self.indexes = np.empty(BLOCK_VALUES, np.intp)
        self.values = np.empty(BLOCK_VALUES, np.float64)


_scratch = _Scratch()


class BandCounter:
    """The counts of a band so far.

    Args:
        dtype: The numpy name of the pixels' dtype.
        nodata: The value of pixels that hold no data; None if there is none. NaN is counted on its
            own in any case.

    Raises:
        UsageError: Pixels don't have this dtype.
    """

    def __init__(self, dtype: str, nodata: float | None = None) -> None:
        self.dtype = dtype
        """The numpy name of the pixels' dtype."""
        self.nodata = nodata
        """The value of pixels that hold no data."""
        self._buckets = buckets_of(dtype)
        self._nodata = None if nodata is None else self._buckets.nearest(nodata)
        self._n_bytes = self._buckets.dtype.itemsize
        # Of patterns; for values of one byte, of pairs of them, and of those without a partner.
        self._counts: _Counts = np.zeros(0, np.int64)
        self._single: _Counts = np.zeros(256, np.int64)
        self._n_pixels = self._n_nodata = self._n_nan = self._n_zero = 0
        self._n_infinite = [0, 0]
        self._total = self._squares = 0
        self._extremes: list[float] = []

    def count(self, pixels: Sequence[Numbers]) -> None:
        """Count pixels: arrays of this dtype and of shape (patches, pixels), aligned or not."""
        self._n_pixels += sum(part.size for part in pixels)
        if self._n_bytes == 1:
            for block in _blocks([part.view(np.uint8) for part in pixels], 2 * BLOCK_VALUES):
                self._count_bytes(_gathered(block, _scratch.values.view(np.uint8)))
        elif self._n_bytes == 2:
            for block in _blocks([part.view("<u2") for part in pixels], BLOCK_VALUES):
                self._count_patterns(block)
        else:
            scratch = _scratch.values.view(self._buckets.dtype)
            for block in _blocks(pixels, BLOCK_VALUES):
                self._count_wide(_gathered(block, scratch))

    def _count_bytes(self, values: Numbers) -> None:
        """Count values of 8 bits in pairs."""
        n_paired = len(values) // 2 * 2
        if n_paired < len(values):
            self._single[values[-1]] += 1
        if n_paired:
            self._count_patterns([values[:n_paired].view(np.uint16)])

    def _count_patterns(self, parts: Sequence[Numbers]) -> None:
        """Count patterns: arrays of uint16, with at most `BLOCK_VALUES` in all."""
        most = max(int(part.max()) for part in parts)
        if most >= len(self._counts):
            self._grow(1 << most.bit_length())
        # As fast as bincount, which returns new counts for every block.
        np.add.at(self._counts, _gathered(parts, _scratch.indexes), 1)

    def _grow(self, n: int) -> None:
        grown = np.zeros(max(n, _FEWEST), np.int64)
        grown[: len(self._counts)] = self._counts
        self._counts = grown

    def _add_counts(self, found: _Counts) -> None:
        if len(found) > len(self._counts):
            self._grow(len(found))
        self._counts[: len(found)] += found

    def _count_wide(self, values: Numbers) -> None:
        """Count values of more than 16 bits."""
        native = self._buckets.dtype
        if self._nodata is not None:
            is_nodata = values == native.type(self._nodata)
            if n_nodata := int(np.count_nonzero(is_nodata)):
                self._n_nodata += n_nodata
                values = values[~is_nodata]
        values = self._finite(values)
        if not len(values):
            return
        self._extremes += [values.min().item(), values.max().item()]
        self._extremes = [min(self._extremes), max(self._extremes)]
        if native == np.float32:
            self._add_sums(*sums_of_float32(values))
            rounded = values
        else:
            sums = sums_of_float64(values) if native.kind == "f" else sums_of_integers(values)
            self._add_sums(*sums)
            with np.errstate(over="ignore"):
                rounded = values.astype(np.float32)
            # What is beyond float32 belongs to its outermost bucket.
            limit = np.finfo(np.float32).max
            np.clip(rounded, -limit, limit, out=rounded)
        self._count_patterns([rounded.view(np.uint16)[1::2]])
        self._n_zero += len(values) - int(np.count_nonzero(values))

    def _finite(self, values: Numbers) -> Numbers:
        """The finite values; others are counted on their own."""
        if self._buckets.dtype.kind != "f" or not len(values):
            return values
        # NaN is contagious, so two passes find that there is nothing else to look for.
        if np.isfinite(values.min()) and np.isfinite(values.max()):
            return values
        self._n_nan += int(np.count_nonzero(np.isnan(values)))
        self._n_infinite[0] += int(np.count_nonzero(values == np.inf))
        self._n_infinite[1] += int(np.count_nonzero(values == -np.inf))
        return values[np.isfinite(values)]

    def _add_sums(self, total: int, squares: int) -> None:
        self._total += total
        self._squares += squares

    def add(self, other: BandCounter) -> None:
        """Add the counts of other pixels of the same band.

        Raises:
            UsageError: They have another dtype.
        """
        if other.dtype != self.dtype:
            raise UsageError(f"{other.dtype} pixels, expected {self.dtype} like the others")
        self._add_counts(other._counts)
        self._single += other._single
        self._n_pixels += other._n_pixels
        self._n_nodata += other._n_nodata
        self._n_nan += other._n_nan
        self._n_zero += other._n_zero
        pairs = zip(self._n_infinite, other._n_infinite, strict=True)
        self._n_infinite = [one + another for one, another in pairs]
        self._add_sums(other._total, other._squares)
        extremes = self._extremes + other._extremes
        self._extremes = [min(extremes), max(extremes)] if extremes else []

    def finish(self) -> BandStatistics:
        """The statistics of all pixels that were counted."""
        counts = self._counts
        if self._n_bytes == 1:
            pairs = np.zeros(_N_PATTERNS, np.int64)
            pairs[: len(counts)] = counts
            square = pairs.reshape(256, 256)
            counts = square.sum(axis=0) + square.sum(axis=1) + self._single
        patterns = np.flatnonzero(counts)
        buckets = self._buckets.in_order(patterns)
        order = np.argsort(buckets)
        ordered, found = buckets[order].astype(np.uint16), counts[patterns[order]]
        if self._buckets.is_exact:
            return BandStatistics.of_exact(self.dtype, ordered, found, self.nodata)
        return BandStatistics(
            dtype=self.dtype,
            nodata=self.nodata,
            n_pixels=self._n_pixels,
            n_nodata=self._n_nodata,
            n_nan=self._n_nan,
            n_positive_infinite=self._n_infinite[0],
            n_negative_infinite=self._n_infinite[1],
            n_zero=self._n_zero,
            minimum=self._extremes[0] if self._extremes else None,
            maximum=self._extremes[1] if self._extremes else None,
            total=self._total,
            squares=self._squares,
            buckets=ordered,
            counts=found,
        )


def _blocks(parts: Sequence[Numbers], n: int) -> Iterator[list[Numbers]]:
    """Arrays of shape (patches, pixels) in blocks of at most ``n`` values each."""
    block: list[Numbers] = []
    room = n
    for part in parts:
        n_patches, n_pixels = part.shape
        row = 0
        while row < n_patches and n_pixels:
            n_rows = min(room // n_pixels, n_patches - row)
            if n_rows:
                block.append(part[row : row + n_rows])
                room -= n_rows * n_pixels
                row += n_rows
                continue
            if block:
                yield block
                block, room = [], n
            if n_pixels > n:  # not even one patch fits
                one = part[row]
                yield from ([one[begin : begin + n]] for begin in range(0, n_pixels, n))
                row += 1
    if block:
        yield block


def _gathered(parts: Sequence[Numbers], memory: Numbers) -> Numbers:
    """Arrays, one after the other in a part of some memory, converted to its dtype."""
    end = 0
    for part in parts:
        begin, end = end, end + part.size
        np.copyto(memory[begin:end].reshape(part.shape), part)
    return memory[:end]
