"""Asks the kernel to prefetch what is copied next, where it comes from a disk.

The kernel then reads all announced parts of ``data.mdb`` at once, while the first are copied.
Without that, each missing page is waited for one after the other, together with its neighbours,
which was ten times slower on a cold disk. Where the file is in the kernel's cache, announcing is
wasted time, so it is done only while reading is slow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Final

import numpy as np

from rico_hdl.reading.file import File
from rico_hdl.reading.keys import Offsets

PIECE_BYTES: Final = 256 * 2**10
"""The system ignores what is beyond its own limit for one request, which is seldom lower."""
GAP_BYTES: Final = 64 * 2**10
"""Unwanted bytes that are read along rather than asking twice."""

# The three numbers below were measured when this module was written (8d0fad3), on a virtual machine
# with two cores and a virtual disk. A slower processor takes a warm file for a cold one now and
# then, which costs a few microseconds for each record. A disk as fast as memory is taken for a warm
# file, and needs no announcements.
_WARM_SECONDS: Final = 8e-6
"""How long it takes at most to announce a record and look at it, if it is in the cache: 3 to 4 µs
were measured there, and 25 to 40 µs where the record came from the disk."""
_SECONDS_PER_PATCH: Final = 30e-6
_SECONDS_PER_BYTE: Final = 0.5e-9
"""What takes longer than these two together waits for a disk, or is slow enough for a useless
announcement not to matter: three times what a patch took in the cache, and copying at 2 GB/s."""

Span = tuple[int, int]
"""Offset and length of bytes that are read."""

HEADER: Final[list[Span]] = [(0, 4096)]
"""Where only headers are looked at: one page has most of them."""


class ReadAhead:
    """Whether reading waits for a disk. Threads may share it: they learn from each other."""

    def __init__(self) -> None:
        self.cold = True
        """Whether to announce what is read next."""

    def announce(
        self, file: File, places: Sequence[tuple[int, int]] | Offsets, spans: Sequence[Span]
    ) -> None:
        """Say which parts of some records will be read, and learn from how long that takes.

        Args:
            file: The file.
            places: Start and stop of each record.
            spans: The parts of each, counted from its start.
        """
        begin = perf_counter()
        records = np.asarray(places, np.int64).reshape(-1, 2)
        for start, stop in records.tolist():
            for offset, length in spans:
                if start + offset < stop:
                    file.will_need(start + offset, min(length, stop - start - offset))
        # Headers are waited for here, where NumPy lets other threads go on.
        np.frombuffer(file.data, np.uint8).take(records[:, 0], mode="clip")
        self.cold = perf_counter() - begin > len(records) * _WARM_SECONDS


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
