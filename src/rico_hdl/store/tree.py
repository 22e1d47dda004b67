"""The tree of keys in ``data.mdb``: its branch and leaf pages and their nodes.

In: the file's bytes and the root of the tree. Out: keys in their order, and the places of their
records. Every page is checked before it is used, since the file may be damaged.
"""

from __future__ import annotations

import mmap
import os
import struct
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

from rico_hdl.errors import StoreError
from rico_hdl.store.lmdb_format import (
    BIG,
    BRANCH,
    LEAF,
    NO_PAGE,
    NODE,
    PAGE_HEADER,
    PAGE_NUMBER,
    Meta,
)

_pread: Final = getattr(os, "pread", None)  # Windows has none
_advise: Final = getattr(os, "posix_fadvise", None)  # nor has macOS


Place = tuple[int, int]
"""Zero-based offsets in ``data.mdb`` of a record's first byte, and after its last."""


class KeyTree:
    """The keys of one committed state, and the places of their records.

    Args:
        path: The file, for errors.
        file: Its descriptor.
        data: All its bytes.
        state: The meta page of the state.
    """

    def __init__(self, path: Path, file: int, data: mmap.mmap, state: Meta) -> None:
        self.data = data
        """All bytes of the file."""
        self.state = state
        """The meta page of the state."""
        self._path, self._file, self._tree = path, file, state.records
        self._page_bytes, self._n_bytes = state.page_bytes, len(data)
        self._branches: dict[int, tuple[list[bytes], list[int]]] = {}

    @property
    def n_entries(self) -> int:
        """The number of records."""
        return self._tree.n_entries

    def search(self, key: bytes) -> Place | None:
        """The place of a key's record, looked up in the tree; None if there is none.

        Raises:
            StoreError: The file is damaged.
        """
        number = self._leaf_of(key)
        if number is None:
            return None
        page, pointers = self._page(number, LEAF)
        first, last = 0, len(pointers)
        while first < last:
            middle = (first + last) // 2
            found = self._node(page, pointers[middle])[3]
            if found == key:
                return self._place(page, number, pointers[middle])[1]
            if found < key:
                first = middle + 1
            else:
                last = middle
        return None

    def neighbours(self, key: bytes) -> list[bytes]:
        """Keys that sort next to a key, for a message that it is missing."""
        number = self._leaf_of(key)
        return [] if number is None else [key for key, _ in self._entries(number)]

    def walk(self) -> Iterator[tuple[bytes, Place]]:
        """All keys in their order, and the places of their records.

        Raises:
            StoreError: The file is damaged.
        """
        for entries in self.leaves():
            yield from entries

    def leaves(self, after: bytes = b"") -> Iterator[list[tuple[bytes, Place]]]:
        """All keys and places as in `walk`, page by page.

        Args:
            after: Begin with the first key that sorts after this one.

        Raises:
            StoreError: The file is damaged.
        """
        n = 0
        for number in self._leaves(after):
            entries = self._entries(number)
            n += len(entries)
            if n > self._tree.n_entries:  # also if branches form a cycle
                self._fail(f"it holds more than the {self._tree.n_entries} records that it claims")
            if after:
                entries = [entry for entry in entries if entry[0] > after]
                after = b""
            if entries:
                yield entries

    def sample(self, n: int) -> Iterator[tuple[bytes, Place]]:
        """About ``n`` records spread over the file, or all of them if it holds no more.

        Raises:
            StoreError: The file is damaged.
        """
        if self.n_entries <= n:
            yield from self.walk()
            return
        numbers = self._spread(n)
        each = -(-n // len(numbers))
        for i, number in enumerate(numbers):
            entries = self._entries(number)
            # A different position on each page: modalities may alternate from key to key.
            first = i % max(1, len(entries) - each + 1)
            yield from entries[first : first + each]

    def will_need(self, start: int, n_bytes: int) -> None:
        """Ask the system to read a part of the file into its cache, without waiting for it."""
        if _advise is not None:
            _advise(self._file, start, n_bytes, os.POSIX_FADV_WILLNEED)

    def _leaf_of(self, key: bytes) -> int | None:
        """The number of the leaf page where a key belongs; None in an empty tree."""
        number = self._tree.root
        if number == NO_PAGE:
            return None
        for _ in range(self._tree.depth - 1):
            keys, children = self._branch(number)
            number = children[bisect_right(keys, key) - 1]
        return number

    def _branch(self, number: int) -> tuple[list[bytes], list[int]]:
        """The lowest key of each child of a branch page, and the children's page numbers.

        Results are kept: there is one branch page for some thousands of records.
        """
        found = self._branches.get(number)
        if found is None:
            page, pointers = self._page(number, BRANCH)
            keys, children = [b""], []  # the first node's key counts as below all others
            for node in pointers:
                low, high, top, key = self._node(page, node)
                keys.append(key)
                children.append(low | high << 16 | top << 32)
            del keys[1]
            found = self._branches[number] = (keys, children)
        return found

    def _leaves(self, after: bytes = b"") -> Iterator[int]:
        """The numbers of all leaf pages, in the order of keys.

        Args:
            after: Begin with the page where this key belongs.
        """
        if self._tree.root == NO_PAGE:
            return
        stack = [iter([self._tree.root])]
        while stack:
            number = next(stack[-1], None)
            if number is None:
                stack.pop()
            elif len(stack) == self._tree.depth:
                yield number
            else:
                keys, children = self._branch(number)
                if after:
                    children = children[bisect_right(keys, after) - 1 :]
                    if len(stack) == self._tree.depth - 1:
                        after = b""
                for child in children:  # a cold disk reads many at once, not one by one
                    self.will_need(child * self._page_bytes, self._page_bytes)
                stack.append(iter(children))

    def _spread(self, n: int) -> list[int]:
        """Up to ``n`` leaf pages at about equal distances, found without reading all branches."""
        numbers = [self._tree.root]
        for _ in range(self._tree.depth - 1):
            numbers = [child for number in numbers for child in self._branch(number)[1]]
            if len(numbers) > n:
                numbers = [numbers[i * len(numbers) // n] for i in range(n)]
        return numbers

    def _entries(self, number: int) -> list[tuple[bytes, Place]]:
        """The keys of a leaf page, and the places of their records."""
        page, pointers = self._page(number, LEAF)
        return [self._place(page, number, node) for node in pointers]

    def _page(self, number: int, kind: int) -> tuple[bytes, tuple[int, ...]]:
        """A page's bytes and the offsets of its nodes, after a check."""
        n_bytes = self._page_bytes
        base = number * n_bytes
        if base + n_bytes > self._n_bytes:
            self._fail(f"page {number} is past the file's end")
        # Reading lets other threads run while the page comes from a disk; access through the map
        # would not.
        page = _pread(self._file, n_bytes, base) if _pread else self.data[base : base + n_bytes]
        if len(page) != n_bytes:
            self._fail(f"page {number} is past the file's end")
        written, _, flags, lower, upper = PAGE_HEADER.unpack_from(page)
        n = (lower - PAGE_HEADER.size) // 2
        is_expected = written == number and flags & (BRANCH | LEAF) == kind
        if not is_expected or n < 1 or not lower <= upper <= n_bytes:
            self._fail(f"page {number} is not the {'leaf' if kind == LEAF else 'branch'} expected")
        return page, struct.unpack_from(f"<{n}H", page, PAGE_HEADER.size)

    def _node(self, page: bytes, node: int) -> tuple[int, int, int, bytes]:
        """Both halves of a node's size, its flags, and its key."""
        if node + 8 > len(page):
            self._fail("a node runs past the end of its page")
        low, high, flags, n_key = NODE.unpack_from(page, node)
        key = page[node + 8 : node + 8 + n_key]
        if len(key) != n_key:
            self._fail("a key runs past the end of its page")
        return low, high, flags, key

    def _place(self, page: bytes, number: int, node: int) -> tuple[bytes, Place]:
        """The key of a leaf page's node, and the place of its value in the file.

        Args:
            page: The page.
            number: Its number.
            node: The node's offset in it.
        """
        low, high, flags, key = self._node(page, node)
        end = node + 8 + len(key)
        if flags & BIG:
            if end + 8 > len(page):
                self._fail("the page number of a record runs past the end of its page")
            start = PAGE_NUMBER.unpack_from(page, end)[0] * self._page_bytes + 16
            limit = self._n_bytes
        else:
            start = number * self._page_bytes + end
            limit = (number + 1) * self._page_bytes
        stop = start + (low | high << 16)
        if stop > limit:
            self._fail(f"a record of {stop - start} bytes runs past the end")
        return key, (start, stop)

    def _fail(self, what: str) -> NoReturn:
        raise StoreError(
            f"{self._path} is damaged in its structure: {what}",
            "Check it with rico-hdl verify. Restore it from a copy, or convert again.",
        )
