"""The size of a database's memory map.

In: bytes to put. Out: bytes of address space, which cost nothing until they are used. The size
depends only on the puts, so equal puts give equal files.
"""

from __future__ import annotations

from typing import Final

FIRST_MAP_BYTES: Final = 256 * 2**20
_PAGE_BYTES: Final = 16384  # at least that of the platforms with wheels; most have 4096


def needed(n_bytes: int, n_puts: int) -> int:
    """Address space that is certain to hold ``n_puts`` puts with ``n_bytes`` bytes in total.

    A value larger than half a page gets whole pages, at worst twice its size. An insert out of
    order copies or splits a leaf. The rest is for branches and the list of free pages.
    """
    return 2 * n_bytes + 2 * n_puts * _PAGE_BYTES + 128 * _PAGE_BYTES


def grown(n_bytes: int) -> int:
    """The map size for ``n_bytes`` bytes; it grows by quarters, so remapping is rare."""
    size = FIRST_MAP_BYTES
    while size < n_bytes:
        size += max(FIRST_MAP_BYTES, size // 4 // FIRST_MAP_BYTES * FIRST_MAP_BYTES)
    return size
