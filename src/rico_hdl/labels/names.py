"""Many keys in little memory, and where each of some keys is among others.

In: keys as text or as one block of bytes. Out: positions, as numpy arrays. Keys are compared by
hashes first, and then byte by byte. Hashing with Python's own function takes a quarter of the time
of a polynomial in numpy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]


class Names:
    """Keys in UTF-8, one after another; an empty one stands for none.

    Args:
        data: The bytes of all keys.
        ends: The zero-based offset after each.
        begins: The offset of each; if None, each begins where the one before ends.
    """

    def __init__(
        self,
        data: npt.NDArray[np.uint8] | Sequence[npt.NDArray[np.uint8]],
        ends: Positions,
        begins: Positions | None = None,
    ) -> None:
        self.blocks = [data] if isinstance(data, np.ndarray) else list(data)
        """Blocks with the bytes of all keys, and perhaps of others. Offsets count from the
        beginning of the first block on; no key is in two blocks."""
        self.ends = ends
        """The zero-based offset after each."""
        self.begins = np.concatenate([ends[:0] * 0, [0], ends[:-1]]) if begins is None else begins
        """The zero-based offset of each."""
        if not len(ends):
            self.begins = ends

    @classmethod
    def of(cls, keys: Iterable[str | bytes]) -> Names:
        """Names of keys, given as text or in UTF-8."""
        encoded = [
            key.encode(errors="surrogateescape") if isinstance(key, str) else key for key in keys
        ]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        return cls(np.frombuffer(b"".join(encoded), np.uint8), np.cumsum(lengths))

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, i: int) -> bytes:
        return next(iter(self.take(np.array([i]))))

    def __iter__(self) -> Iterator[bytes]:
        views = [block.data for block in self.blocks]
        starts = np.cumsum([0, *map(len, views)])[:-1]
        for first in range(0, len(self), 4096):
            part = slice(first, first + 4096)
            begins, ends = self.begins[part], self.ends[part]
            if len(views) == 1:
                for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
                    yield bytes(views[0][begin:end])
                continue
            at = np.searchsorted(starts, begins, "right") - 1
            begins, ends = begins - starts[at], ends - starts[at]
            for block, begin, end in zip(at.tolist(), begins.tolist(), ends.tolist(), strict=True):
                yield bytes(views[block][begin:end])

    @property
    def n_bytes(self) -> int:
        """The bytes of all blocks."""
        return sum(map(len, self.blocks))

    def take(self, rows: npt.NDArray[Any]) -> Names:
        """The names at some zero-based positions, or where a mask is true, without a copy."""
        return Names(self.blocks, self.ends[rows], self.begins[rows])

    @cached_property
    def hashes(self) -> Positions:
        """A hash of each, valid in this process only."""
        return np.fromiter(map(hash, self), np.int64, len(self))

    @cached_property
    def _order(self) -> Positions:
        return np.argsort(self.hashes, kind="stable").astype(np.int64)

    @cached_property
    def _sorted(self) -> Positions:
        return self.hashes[self._order]

    def find(self, wanted: Names) -> Positions:
        """The position of each wanted name in these, the first if there are several; -1 if none.

        Empty names are not found.
        """
        if not len(self):
            return np.full(len(wanted), -1, np.int64)
        at = np.searchsorted(self._sorted, wanted.hashes)
        at[at == len(self)] = 0
        found = self._order[at]
        found[(self.hashes[found] != wanted.hashes) | (wanted.ends == wanted.begins)] = -1
        met = np.flatnonzero(found >= 0)
        pairs = zip(self.take(found[met]), wanted.take(met), strict=True)
        for i in compress(met.tolist(), (mine != theirs for mine, theirs in pairs)):
            found[i] = self._search(wanted, i)  # equal hashes of different names: practically never
        return found

    def _search(self, wanted: Names, i: int) -> int:
        """The position of a wanted name among all with the same hash; -1 if it is none of them."""
        first = int(np.searchsorted(self._sorted, wanted.hashes[i]))
        stop = int(np.searchsorted(self._sorted, wanted.hashes[i], "right"))
        alike = self._order[first:stop].tolist()
        return next((row for row in alike if self[row] == wanted[i]), -1)

    def in_order(self) -> Positions:
        """The positions in the order of the names' bytes; equal ones in their own order."""
        names = list(self)
        return np.array(sorted(range(len(self)), key=names.__getitem__), np.int64)
