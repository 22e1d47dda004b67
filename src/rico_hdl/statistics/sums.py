"""Exact sums of values and of their squares, which don't depend on the order of the values.

In: an array of finite numbers. Out: two Python integers, in units of the dtype's smallest value
and of its square (`ValueBuckets.unit`). Nothing is rounded: sums of parts can be added, and the
mean and the standard deviation that follow from them are those of real numbers, rounded once.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from rico_hdl.statistics.buckets import Numbers

MAX_VALUES: Final = 2**20
"""The most values of one call: with more, the sums below would no longer be exact."""

_LOW: Final = 2**32 - 1
_N_SPLIT: Final = 2**15
"""Values of float32 that are added at once: few enough to stay in the processor's cache."""
_N_DOT: Final = 2**13
"""Products that are added at once: each is below 2**40 times the smallest, so that their sum has at
most 53 bits. OpenBLAS uses threads for vectors longer than 10,000, which wait for each other: with
others at work on the same processors, that took a hundred times as long."""
_ONES: Final = np.ones(_N_SPLIT)
"""For sums as products, which take half the time."""

Sums = tuple[int, int]
"""The sum of some values, and that of their squares."""


def sums_of_integers(values: Numbers) -> Sums:
    """The sums of at most `MAX_VALUES` integers of any dtype, in an array of one dimension."""
    if values.dtype.itemsize < 8:
        wide = values.astype(np.int64)
        low, high = wide & 0xFFFF, wide >> 16  # high is negative for negative values
        squares = (int((high * high).sum()) << 32) + (int((high * low).sum()) << 17)
        return int(wide.sum()), squares + int((low * low).sum())
    # A product of two halves fits into 64 bits, but a sum of products doesn't.
    signed = np.dtype(np.int64 if values.dtype.kind == "i" else np.uint64)
    high, low = values >> 32, values & signed.type(_LOW)
    total = (int(high.sum(dtype=signed)) << 32) + int(low.sum(dtype=signed))
    squares = (_sum(high * high) << 64) + (_sum(high * low) << 33)
    return total, squares + _sum(low.astype(np.uint64) * low.astype(np.uint64))


def _sum(products: Numbers) -> int:
    """The sum of 64-bit integers, in halves of 32 bits that can't overflow."""
    high, low = products >> 32, products & products.dtype.type(_LOW)
    return (int(high.sum(dtype=products.dtype)) << 32) + int(low.sum(dtype=products.dtype))


def sums_of_float64(values: npt.NDArray[np.float64]) -> Sums:
    """The sums of at most `MAX_VALUES` finite values, in units of 2**-1074 and 2**-2148.

    Values with the same exponent are added as integers of 53 bits.
    """
    fractions, exponents = np.frexp(values)
    integers = np.ldexp(fractions, 53).astype(np.int64)
    total = squares = 0
    for exponent in np.unique(exponents).tolist():
        one, other = sums_of_integers(integers[exponents == exponent])
        shift = exponent - 53 + 1074
        # Denormals have fewer bits: the shift to the right drops zeros only.
        total += one << shift if shift >= 0 else one >> -shift
        squares += other << 2 * shift if shift >= 0 else other >> -2 * shift
    return total, squares


def sums_of_float32(values: npt.NDArray[np.float32]) -> Sums:
    """The sums of finite values, in units of 2**-149 and 2**-298.

    Each value is split into a high and a low part, which are multiples of two powers of two, small
    enough for float64 to hold all their sums and sums of products exactly, in any order. A value
    that is so small beside the greatest one that it has further bits is added in another round.
    """
    total = squares = 0
    for first in range(0, len(values), _N_SPLIT):
        some = values[first : first + _N_SPLIT]
        sizes = np.abs(some)
        least, rest = float(sizes.min()), some.astype(np.float64)
        while len(rest):
            one, other, rest = _split_sums(rest, least)
            total += one
            squares += other
    return total, squares


def _split_sums(
    values: npt.NDArray[np.float64], least: float
) -> tuple[int, int, npt.NDArray[np.float64]]:
    """The sums of those of at most `_N_SPLIT` values that have no further bits, and the others.

    Args:
        values: The values.
        least: None of them is closer to zero.
    """
    most = max(-float(values.min()), float(values.max()))
    exponent = math.frexp(most)[1]  # most < 2**exponent
    # Adding and subtracting this rounds to a multiple of 2**(exponent - 20), and the next one of
    # 2**(exponent - 40): the last bits of a float64 of that size (Dekker, 1971).
    grid = math.ldexp(1.5, exponent - 20 + 52)
    high = values + grid
    high -= grid
    low = values - high
    others = values[:0]
    if not least or math.frexp(least)[1] - 24 < exponent - 40:
        grid = math.ldexp(1.5, exponent - 40 + 52)
        further = low + grid
        further -= grid
        has_further = further != low
        others = values[has_further]
        high[has_further] = low[has_further] = 0
    ones = _ONES[: len(values)]
    total = _dot(high, ones, 149) + _dot(low, ones, 149)
    squares = _dot(high, high, 298) + 2 * _dot(high, low, 298) + _dot(low, low, 298)
    return total, squares, others


def _dot(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64], exponent: int) -> int:
    """The sum of products that are multiples of 2**-exponent, in units of that."""
    pieces = range(0, len(one), _N_DOT)
    sums = (float(one[i : i + _N_DOT] @ other[i : i + _N_DOT]) for i in pieces)
    return sum(int(math.ldexp(number, exponent)) for number in sums)
