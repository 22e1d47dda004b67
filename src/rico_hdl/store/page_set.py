"""A set of page numbers, with one bit for each page of a file: 32 MiB for a terabyte."""

from __future__ import annotations


class PageSet:
    """A set of page numbers.

    Args:
        n_pages: The number of pages in the file. Greater page numbers are allowed: free pages at
            the end of a file may never have been written.
    """

    def __init__(self, n_pages: int) -> None:
        self._bits = bytearray(n_pages // 8 + 1)
        self._beyond: set[int] = set()
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, first: int, n: int) -> bool:
        """Add a run of pages unless one of them is in the set; returns whether it was added.

        Args:
            first: The number of the first page.
            n: The number of pages; 1 if the first one is past the end of the file.
        """
        begin, end = first // 8, (first + n - 1) // 8 + 1
        if end > len(self._bits):
            is_new = first not in self._beyond
            self._beyond.add(first)
            self._n += is_new
            return is_new
        pages = (1 << n) - 1 << first % 8
        before = int.from_bytes(self._bits[begin:end], "little")
        if before & pages:
            return False
        self._bits[begin:end] = (before | pages).to_bytes(end - begin, "little")
        self._n += n
        return True
