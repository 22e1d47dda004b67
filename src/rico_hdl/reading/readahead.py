"""Having the system read what will be copied next, where it must come from a disk.

In: parts of ``data.mdb`` that are about to be read. Out: a word to the system, which then reads
them all at once while the first are waited for. Left alone, each page that is missing is waited for
one after the other, together with whatever lies around it: on a cold disk that was ten times
slower. Where the file is in the system's cache the word is wasted time, so that it is given only
while reading is slow.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Final

from rico_hdl.store import Pages

PIECE_BYTES: Final = 256 * 2**10
"""The system ignores what is beyond its own limit for one request, which is seldom lower."""
GAP_BYTES: Final = 64 * 2**10
"""Bytes that are read besides rather than asking twice."""

_WARM_SECONDS: Final = 8e-6
"""A word that takes no longer is about bytes that are there already: it took 2 to 3 microseconds,
against 20 and more where reading began."""
_SECONDS_PER_PATCH: Final = 100e-6
_SECONDS_PER_BYTE: Final = 2e-9
"""What takes longer than these two together waits for a disk, or is not hurt by a useless word."""

Span = tuple[int, int]
"""Offset and length of bytes that are read."""


class ReadAhead:
    """Whether reading waits for a disk. Threads may share it: they learn from each other."""

    def __init__(self) -> None:
        self.cold = True
        """Whether to announce what is read next."""

    def announce(self, pages: Pages, places: Iterable[tuple[int, int]], spans: list[Span]) -> None:
        """Say which parts of some records will be read, and learn from how long that takes.

        Args:
            pages: The file.
            places: Start and stop of each record.
            spans: The parts of each, counted from its start.
        """
        n, begin = 0, perf_counter()
        for start, stop in places:
            for offset, length in spans:
                if start + offset < stop:
                    pages.will_need(start + offset, min(length, stop - start - offset))
                    n += 1
        self.cold = perf_counter() - begin > n * _WARM_SECONDS


def patience(n_patches: int, n_bytes: int) -> float:
    """Seconds after which reading so much is taken to have waited for a disk."""
    return n_patches * _SECONDS_PER_PATCH + n_bytes * _SECONDS_PER_BYTE


def spans_of(parts: Iterable[Span]) -> list[Span]:
    """Parts of a record as few requests of a size that the system takes."""
    joined: list[list[int]] = []
    for start, stop in sorted((offset, offset + length) for offset, length in parts):
        if joined and start - joined[-1][1] <= GAP_BYTES:
            joined[-1][1] = max(joined[-1][1], stop)
        else:
            joined.append([start, stop])
    return [
        (offset, min(PIECE_BYTES, stop - offset))
        for start, stop in joined
        for offset in range(start, stop, PIECE_BYTES)
    ]
