"""Sorting millions of small tuples in little memory.

In: tuples of strings, numbers and nested tuples, in any order. Out: the same, sorted. Large
collections are kept as sorted, compressed blocks: since paths repeat themselves, three million of
them take tens of megabytes instead of a gigabyte. Nothing is written to disk.
"""

from __future__ import annotations

import heapq
import marshal
import zlib
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=tuple[object, ...])


class CompactSorted(Generic[T]):
    """A growing collection that iterates in sorted order, any number of times.

    Args:
        run_length: Tuples that are sorted together; fewer than this are kept uncompressed.
        block_length: Tuples that are compressed together. Iteration unpacks one block of each run
            at a time.
    """

    def __init__(self, run_length: int = 50_000, block_length: int = 500) -> None:
        self._run_length = run_length
        self._block_length = block_length
        self._open: list[T] = []
        self._runs: list[list[bytes]] = []
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, item: T) -> None:
        """Add a tuple; `marshal` must be able to store all its items."""
        self._open.append(item)
        self._n += 1
        if len(self._open) == self._run_length:
            self._open.sort()
            self._runs.append(
                [
                    zlib.compress(marshal.dumps(self._open[i : i + self._block_length]), 1)
                    for i in range(0, self._run_length, self._block_length)
                ]
            )
            self._open = []

    def __iter__(self) -> Iterator[T]:
        self._open.sort()
        if not self._runs:
            return iter(self._open)
        return heapq.merge(*(self._unpack(run) for run in self._runs), iter(self._open))

    @staticmethod
    def _unpack(run: list[bytes]) -> Iterator[T]:
        for block in run:
            # This object has packed all of these blocks itself, so marshal is safe.
            yield from marshal.loads(zlib.decompress(block))  # noqa: S302
