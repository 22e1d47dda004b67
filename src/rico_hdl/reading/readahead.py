"""Asks the kernel to prefetch the bytes that are copied next, while they come from a disk.

The kernel then reads all announced parts of ``data.mdb`` at once, while the first are copied.
Otherwise the reader waits for one missing page and its neighbours after the other, which was ten
times slower on a cold disk. For a file in the kernel's cache, announcing is wasted time, so it is
done only while reading is slow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Final

import numpy as np

from rico_hdl.reading.file import File
from rico_hdl.reading.keys import Offsets

PIECE_BYTES: Final = 256 * 2**10
"""Bytes of one request: the system ignores the rest beyond its own limit, which is seldom lower."""
GAP_BYTES: Final = 64 * 2**10
"""The most unwanted bytes that are read to merge two requests into one."""

# The three numbers below were measured when this module was written (8d0fad3), on a virtual machine
# with two cores and a virtual disk. A slower processor occasionally mistakes a warm file for a cold
# one, which costs a few microseconds per record. A disk as fast as memory is taken for a warm file,
# and needs no announcements.
_WARM_SECONDS: Final = 8e-6
"""The most time to announce and touch a record that is in the cache: measured were 3 to 4 µs there,
and 25 to 40 µs for a record from the disk."""
_SECONDS_PER_PATCH: Final = 30e-6
_SECONDS_PER_BYTE: Final = 0.5e-9
"""A read that takes longer than these two together waits for a disk, or is so slow that a useless
announcement does not matter: three times the time of a patch in the cache, and a copy at 2 GB/s."""

Span = tuple[int, int]
"""Offset and length of a range of bytes to read."""

HEADER: Final[list[Span]] = [(0, 4096)]
"""The span for reading only a header: most fit into one page."""


class ReadAhead:
    """Whether reading waits for a disk. Threads may share it: they learn from each other."""

    def __init__(self) -> None:
        self.cold = True
        """Whether to announce the next reads."""

    def announce(
        self, file: File, places: Sequence[tuple[int, int]] | Offsets, spans: Sequence[Span]
    ) -> None:
        """Announce which parts of records will be read, and learn from the time that this takes.

        Args:
            file: The file.
            places: Start and stop of each record.
            spans: The parts of each record, with offsets from its start.
        """
        begin = perf_counter()
        records = np.asarray(places, np.int64).reshape(-1, 2)
        for start, stop in records.tolist():
            for offset, length in spans:
                if start + offset < stop:
                    file.will_need(start + offset, min(length, stop - start - offset))
        # Wait for headers here, where NumPy lets other threads run.
        np.frombuffer(file.data, np.uint8).take(records[:, 0], mode="clip")
        self.cold = perf_counter() - begin > len(records) * _WARM_SECONDS


def patience(n_patches: int, n_bytes: int) -> float:
    """Seconds after which a read of that size is assumed to have waited for a disk."""
    return n_patches * _SECONDS_PER_PATCH + n_bytes * _SECONDS_PER_BYTE


def spans_of(parts: Iterable[Span]) -> list[Span]:
    """Parts of a record merged into few requests, of at most `PIECE_BYTES` each."""
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
