"""A set of hashes in little memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final

_N_RECENT: Final = 50_000


class HashSet:
    """A set of 64-bit hashes that takes about 8 bytes each; a Python set takes about 100.

    Recent hashes are in a Python set. When it is full, it becomes a sorted array. Arrays of similar
    length are merged, as in a log-structured merge-tree: there are few arrays, and each hash moves
    only a few times.
    """

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._sorted: list[array[int]] = []  # the longest first

    def add(self, number: int) -> bool:
        """Add a hash; returns whether it was already in the set."""
        if number in self:
            return True
        self._recent.add(number)
        if len(self._recent) >= _N_RECENT:
            self._settle()
        return False

    def __contains__(self, number: int) -> bool:
        if number in self._recent:
            return True
        for numbers in self._sorted:
            i = bisect_left(numbers, number)
            if i < len(numbers) and numbers[i] == number:
                return True
        return False

    def _settle(self) -> None:
        import numpy as np  # noqa: PLC0415 - only large archives pay for it

        made = array("q", sorted(self._recent))
        self._recent.clear()
        while self._sorted and len(self._sorted[-1]) <= len(made):
            both = np.concatenate([np.frombuffer(a, np.int64) for a in (self._sorted.pop(), made)])
            both.sort(kind="stable")  # two sorted runs are merged in linear time
            made = array("q", both.tobytes())
        self._sorted.append(made)
