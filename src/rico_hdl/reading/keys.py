"""The keys of a store in little memory, and the locations of their records.

In: keys and places from a walk through the store. Out: a sequence of names that is also a set. All
names are one block of bytes: a list of a million strings takes three times the memory, and forked
worker processes copy it page by page as they count references to each string.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, KeysView, Sequence
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import StoreError

Offsets = npt.NDArray[np.int64]


class Keys(KeysView[str], Sequence[str]):
    """Names of patches, in the order of the store unless chosen otherwise.

    ``keys[3]`` is a name; ``keys[10:20]`` and ``keys[indices]`` are keys; ``&``, ``|`` and ``-``
    give sets, as with the keys of a dictionary. It can be pickled.

    Args:
        names: The names in UTF-8, in one block.
        begins: Zero-based offset of the first byte of each in the block.
        ends: Zero-based offset after the last byte of each.
        places: Start and stop of each record in the file, as in `rico_hdl.store.Place`: an array
            of shape (n, 2).
        fingerprint: The state of the file for which the places are valid; see
            `rico_hdl.store.Pages`. None if they are valid for no state.
        is_sorted: Whether the names in the block are sorted.
    """

    def __init__(  # noqa: PLR0913 - made in this module only
        self,
        names: bytes,
        begins: Offsets,
        ends: Offsets,
        places: Offsets,
        fingerprint: object,
        *,
        is_sorted: bool,
    ) -> None:
        self._names = names
        self._begins = begins
        self._ends = ends
        self.places = places
        """Start and stop of each record in the file, of shape (n, 2)."""
        self.fingerprint = fingerprint
        """The state of the file for which the places are valid; None for no state."""
        self._is_sorted = is_sorted

    @classmethod
    def of(
        cls,
        names: Sequence[bytes],
        places: Offsets | Sequence[tuple[int, int]],
        fingerprint: object,
        *,
        is_sorted: bool = True,
    ) -> Self:
        """Keys with their places."""
        lengths = np.fromiter(map(len, names), np.int64, len(names))
        ends = np.cumsum(lengths)
        offsets = np.array(places, np.int64).reshape(-1, 2)
        return cls(b"".join(names), ends - lengths, ends, offsets, fingerprint, is_sorted=is_sorted)

    def block(self) -> tuple[npt.NDArray[np.uint8], Offsets, Offsets]:
        """The bytes of all names, the offset after each, and that of its first byte."""
        return np.frombuffer(self._names, np.uint8), self._ends, self._begins

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[str]:
        names = self._names
        for begin, end in zip(self._begins.tolist(), self._ends.tolist(), strict=True):
            yield names[begin:end].decode()

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice | npt.NDArray[Any] | Sequence[int]) -> Keys: ...

    def __getitem__(self, index: int | slice | npt.NDArray[Any] | Sequence[int]) -> str | Keys:
        if isinstance(index, int | np.integer):
            return self._names[self._begins[index] : self._ends[index]].decode()
        if not isinstance(index, slice):
            index = np.asarray(index)
            index = index if index.size else index.astype(np.int64)  # an empty list becomes float
        begins, ends = self._begins[index], self._ends[index]
        return Keys(
            self._names,
            begins,
            ends,
            self.places[index],
            self.fingerprint,
            is_sorted=self._is_sorted and bool((begins[1:] >= ends[:-1]).all()),
        )

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        if self._is_sorted:
            i = bisect_left(self, key)
            return i < len(self) and self[i] == key
        return any(key == other for other in self)

    def __reversed__(self) -> Iterator[str]:
        return iter(self[::-1])

    def __getstate__(self) -> dict[str, Any]:
        # Only the chosen names are pickled.
        lengths = self._ends - self._begins
        ends = np.cumsum(lengths)
        names = b"".join([name.encode() for name in self])
        return {**self.__dict__, "_names": names, "_begins": ends - lengths, "_ends": ends}

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"<{len(self)} keys: {shown}{', …' if len(self) > 3 else ''}>"


def check_texts(names: Sequence[bytes], path: Path) -> None:
    """Make sure that all keys of a store are UTF-8.

    Args:
        names: The keys.
        path: The store.

    Raises:
        StoreError: One of them is not UTF-8.
    """
    if all(map(bytes.isascii, names)):
        return
    for name in names:
        try:
            name.decode()
        except UnicodeDecodeError:
            raise StoreError(
                f"{path} is damaged: its key {name!r} is not UTF-8",
                "Run rico-hdl verify. Restore it from a copy, or convert again.",
            ) from None
