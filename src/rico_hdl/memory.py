"""Keeping freed memory for the next patch.

In: nothing. Out: a changed setting of the C library. Nothing is allocated for good.
"""

from __future__ import annotations

from functools import cache
from typing import Final

_LARGEST_MMAP_THRESHOLD: Final = 32 * 2**20  # glibc's DEFAULT_MMAP_THRESHOLD_MAX on 64 bits


@cache
def keep_freed_memory() -> None:
    """Make glibc reuse buffers of up to 32 MiB instead of returning them to the system.

    By default every buffer above 128 KiB - a record, LMDB's copy of it - is mapped anew and faulted
    in page by page, which took a third of a conversion. glibc raises that threshold by itself to
    the size of the largest mapped buffer that was freed (mallopt(3), M_MMAP_THRESHOLD), so that
    freeing one, whose pages were never touched, is enough. Other C libraries take no notice.
    """
    bytearray(_LARGEST_MMAP_THRESHOLD - 2**16)
