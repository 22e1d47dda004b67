"""Pages that are not compressed, and too large to be held: each cell is read on its own.

In: the place of a page in the file. Out: its values. Hugging Face's `datasets` stores images
without compression, and pyarrow looks at the size of a page only after each thousand cells, so a
page may hold a whole row group.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Final

_CHUNK_BYTES: Final = 2**20
"""Bytes that are read at a time for a checksum."""
_LENGTH_BYTES: Final = 4
"""Bytes of the length before a value."""


class StoredPage:
    """The content of a page, read from the file as needed.

    Args:
        read: Returns the bytes of the file from a start to a stop.
        start: Offset of the content in the file.
        stop: Offset after it.
        max_bytes: The largest part that is read at once.
    """

    def __init__(
        self, read: Callable[[int, int], bytes], start: int, stop: int, max_bytes: int
    ) -> None:
        self._read = read
        self._start = start
        self._n_bytes = stop - start
        self._max_bytes = max_bytes

    def part(self, at: int, n: int) -> bytes:
        """Some bytes.

        Raises:
            ValueError: The page has fewer bytes, or they are too many.
        """
        if not 0 <= n <= self._n_bytes - at:
            raise ValueError(f"a value of {n:,} bytes at byte {at:,} of {self._n_bytes:,}")
        if n > self._max_bytes:
            raise ValueError(f"a value of {n:,} bytes, expected at most {self._max_bytes:,}")
        return self._read(self._start + at, self._start + at + n)

    def values(self, at: int) -> Iterator[bytes]:
        """The values from an offset on, each preceded by its length.

        Raises:
            ValueError: See `part`.
        """
        while at < self._n_bytes:
            n = int.from_bytes(self.part(at, _LENGTH_BYTES), "little")
            yield self.part(at + _LENGTH_BYTES, n)
            at += _LENGTH_BYTES + n

    def crc(self) -> int:
        """The CRC-32 of all bytes."""
        found = 0
        for at in range(0, self._n_bytes, _CHUNK_BYTES):
            stop = min(at + _CHUNK_BYTES, self._n_bytes)
            found = zlib.crc32(self._read(self._start + at, self._start + stop), found)
        return found
