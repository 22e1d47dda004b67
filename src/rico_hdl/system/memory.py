"""Memory: what a patch may take, and settings of the C library's allocator."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Final

from rico_hdl.errors import MemoryLimitError

# mallopt(3), glibc's malloc.h
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

_REUSED_BYTES: Final = 8 * 2**20
"""Buffers up to this size are reused: those of HySpecNet, and the 6 MB tile that libtiff decodes a
Hydro patch into. Larger ones go back to the system at once, so that threads don't hoard them: a
whole Major-TOM product is 13 MB, and its decoding takes far longer than its page faults."""
_KEPT_BYTES: Final = 64 * 2**20
"""Free memory to keep: everything that one transaction holds."""
_N_ARENAS: Final = 16
"""Heaps that threads share, each of which keeps free memory: glibc's own number for two processors.
It would be 512 for 64 processors."""


class Allowance:
    """The memory that converting one patch may take, and the most that it took so far.

    Args:
        n_bytes: The limit in bytes.
    """

    __slots__ = ("_n_bytes", "held", "peak")

    def __init__(self, n_bytes: int) -> None:
        self._n_bytes = n_bytes
        self.held = 0
        """Bytes held until the patch is converted."""
        self.peak = 0
        """The most bytes that were needed at a time."""

    @property
    def n_left(self) -> int:
        """Bytes that are not held."""
        return self._n_bytes - self.held

    def need(self, n_bytes: int) -> None:
        """Note that some bytes are needed for a moment.

        Raises:
            MemoryLimitError: They are beyond the limit.
        """
        needed = self.held + n_bytes
        if needed > self._n_bytes:
            raise MemoryLimitError(needed)
        self.peak = max(self.peak, needed)


@cache
def keep_freed_memory() -> None:
    """Make glibc reuse buffers instead of returning them to the system.

    By default, every buffer above 128 KiB (a record, LMDB's copy of it) gets a new mapping that is
    faulted in page by page, which took a third of a conversion's time. Other C libraries have no
    such function and keep their settings.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, TypeError, OSError):
        return
    mallopt(_M_MMAP_THRESHOLD, _REUSED_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    mallopt(_M_ARENA_MAX, _N_ARENAS)
