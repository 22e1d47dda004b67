"""The buckets of histograms: which values share one, for each dtype.

A bucket depends on nothing but the value and its dtype, so histograms of the same dtype can be
added. Values of up to 16 bits have a bucket each. Wider ones are rounded to float32 and share a
bucket if the upper 16 bits are the same: sign, exponent, and seven bits of the fraction. Such a
bucket is at most 1/128 of its values wide. Integers up to 256 still have one each.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError

Numbers = npt.NDArray[Any]
"""An array of numbers of any dtype and shape."""

_N_BUCKETS: Final = 2**16
_SIGN: Final = 2**15
"""The sign bit of a pattern of 16 bits."""
_UNITS: Final = {"float16": -24, "float32": -149, "float64": -1074}
"""The exponent of the smallest positive value, of which all others are multiples (IEEE 754)."""

RELATIVE_WIDTH: Final = 2.0**-7
"""The width of a bucket of a wide dtype, as a share of the values in it; below 2**-126, where
float32 has fewer bits, it is at most 2**-133."""


class ValueBuckets:
    """The buckets of a dtype.

    A value's *pattern* is the number that is counted: its own bits, or the upper bits of its
    float32. A *bucket* is a place in the order of values.

    Args:
        dtype: The numpy name of the dtype.

    Raises:
        UsageError: Pixels don't have this dtype.
    """

    def __init__(self, dtype: str) -> None:
        found = np.dtype(dtype)
        if found.kind not in "biuf" or found.itemsize > 8:
            raise UsageError(f"statistics of {dtype} pixels are unknown")
        self.dtype = found
        """The dtype of the values."""
        self.is_exact = found.itemsize <= 2
        """Whether each value has a bucket of its own."""
        self.unit = _UNITS.get(found.name, 0)
        """All finite values are integer multiples of two to the power of this."""
        self._n_patterns = 2 if found.kind == "b" else min(_N_BUCKETS, 256**found.itemsize)

    def in_order(self, patterns: Numbers) -> npt.NDArray[np.int64]:
        """The bucket of each pattern."""
        found = np.asarray(patterns, np.int64)
        if self.is_exact and self.dtype.kind in "bu":
            return found
        half = self._n_patterns // 2
        if self.is_exact and self.dtype.kind == "i":
            return (found + half) % self._n_patterns
        return np.where(found < _SIGN, found + _SIGN, _N_BUCKETS - 1 - found)

    def bounds(self, buckets: Numbers) -> tuple[Numbers, Numbers]:
        """The least and the greatest value of each bucket, both included.

        They are int64 for exact buckets of integers, and else float64. A value that was rounded to
        float32 may lie outside by 2**-24 of itself.
        """
        chosen = np.asarray(buckets, np.int64)
        if self.is_exact and self.dtype.kind != "f":
            least = self._n_patterns // 2 if self.dtype.kind == "i" else 0
            return chosen - least, chosen - least
        is_positive = chosen >= _SIGN
        patterns = np.where(is_positive, chosen - _SIGN, _N_BUCKETS - 1 - chosen)
        if self.is_exact:
            values = patterns.astype(np.uint16).view(np.float16).astype(np.float64)
            return values, values
        bits = patterns.astype(np.uint32) << 16
        near = _float32(bits)
        far = np.where(patterns == 0, 0, _float32(bits | 0xFFFF))  # zeros, hardly anything else
        low, high = np.where(is_positive, near, far), np.where(is_positive, far, near)
        if self.dtype.kind == "f":
            return low, high
        return np.ceil(low), np.floor(high)

    def nearest(self, value: float) -> float | None:
        """The value of this dtype that is meant by a number; None if it has no such value."""
        if self.dtype.kind == "f":
            with np.errstate(over="ignore"):
                found = float(self.dtype.type(value))
            return None if math.isinf(found) != math.isinf(value) or math.isnan(found) else found
        if not math.isfinite(value) or value != int(value):
            return None
        limits = (0, 1) if self.dtype.kind == "b" else _limits(self.dtype)
        return int(value) if limits[0] <= value <= limits[1] else None


@lru_cache(maxsize=16)
def buckets_of(dtype: str) -> ValueBuckets:
    """The `ValueBuckets` of a dtype, by its numpy name.

    Raises:
        UsageError: Pixels don't have this dtype.
    """
    return ValueBuckets(dtype)


def _float32(bits: Numbers) -> Numbers:
    return bits.astype(np.uint32).view(np.float32).astype(np.float64)


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)
