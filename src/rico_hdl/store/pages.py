"""Finding records in ``data.mdb`` without LMDB's library.

In: a target folder. Out: for each key, where its record lies in the file, which is mapped into
memory. It takes no lock, writes nothing, holds nothing that a fork could spoil, and touches no byte
of a record. The library reads a byte of each of a value's pages before it hands out a view: that
costs more than the lookup, and on a cold disk it reads bands that nobody asked for. Nor does it say
where in the file a value lies, without which nothing can be read ahead.

The format (`rico_hdl.store.lmdb_format`): pages of equal size; two meta pages, of which the one
with the later transaction counts; a tree of branch and leaf pages with sorted nodes; values that
are too large for a leaf in runs of overflow pages.

A writer may be at work in another process, and no lock keeps it away. Whether bytes that were
copied out of the map are those of the state it was made for is decided afterwards, by
`Pages.certain`, which says on what that rests.
"""

from __future__ import annotations

import mmap
import os
import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, NoReturn

from rico_hdl.errors import StoreError
from rico_hdl.store.lmdb_format import (
    BIG,
    BRANCH,
    HEAD_BYTES,
    LEAF,
    MAX_DEPTH,
    NO_PAGE,
    NODE,
    PAGE_HEADER,
    PAGE_NUMBER,
    VERSION,
    Meta,
    newest,
)
from rico_hdl.store.target import DATA_NAME

_SEARCHES_PER_INDEX: Final = 8
"""An index is made once more than one key in so many was searched for: a search costs six times
what it costs to put a key into the index, and finding it there a sixth."""

_MIN_RECORD_BYTES: Final = 12
"""What a record takes at least in a leaf page: its node with a key, and the node's offset."""

_pread: Final = getattr(os, "pread", None)  # Windows has none
_advise: Final = getattr(os, "posix_fadvise", None)  # nor has macOS


Place = tuple[int, int]
"""Where a record lies in ``data.mdb``: zero-based offset of its first byte, and behind its last."""


class Pages:
    """``data.mdb``, mapped for reading as it was after its last commit.

    May be used from several threads, and on both sides of a fork: this process never writes to it.
    The file is closed when the last reference to this goes away, so that no reader that is still at
    work loses it.

    Args:
        target: The folder that holds ``data.mdb``.

    Raises:
        StoreError: There is none, it is no LMDB of data format 1, or it is cut short.
    """

    def __init__(self, target: Path) -> None:
        self._path = target / DATA_NAME
        try:
            self._file = os.open(self._path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            what = f"there is no {DATA_NAME}" if target.is_dir() else "no such folder"
            raise StoreError(f"{target}: {what}", "Name the folder of a store.") from None
        except OSError as error:
            raise StoreError(f"{self._path} can't be read: {error.strerror}") from error
        status = os.fstat(self._file)
        try:
            # Before the map is made, so that it reaches to the end of all that this state uses.
            head = os.read(self._file, HEAD_BYTES)
            self.data = mmap.mmap(self._file, 0, access=mmap.ACCESS_READ)
            """All bytes of the file."""
        except (OSError, ValueError) as error:  # ValueError: the file is empty
            raise StoreError(f"{self._path} can't be mapped: {error}") from error
        self.state = self._newest(head)
        """The meta page of the commit that the map was made after."""
        self._tree = self.state.records
        self._page_bytes = self.state.page_bytes
        self._n_bytes = len(self.data)
        self.metas = (head[: self._page_bytes], head[self._page_bytes : 2 * self._page_bytes])
        """Both meta pages as they were when the file was mapped."""
        if self._tree.n_entries * _MIN_RECORD_BYTES > self._n_bytes:
            self._fail(f"it says that it holds {self._tree.n_entries} records, more than fit")
        self._mark = self.state.raw
        self._mark_at = slice(self.state.start, self.state.start + len(self._mark))
        self.fingerprint = (status.st_ino, status.st_mtime_ns, self.state)
        """Equal for two maps of the same file, with nothing written in between."""
        self._branches: dict[int, tuple[list[bytes], list[int]]] = {}
        self._n_searches = 0
        self._index: array[int] | None = None

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    @property
    def n_entries(self) -> int:
        """The number of records."""
        return self._tree.n_entries

    @property
    def certain(self) -> bool:
        """Whether all that was read through this until now is as it was after one commit.

        To be asked after the bytes were copied; then the copy is right. While it is false, nothing
        that was found or copied may be believed: make another map, look the key up again, and copy
        again.

        It is true as long as the meta page of the map's transaction N is as it was when the map was
        made. LMDB writes the meta page of N + 2 over it, and that of N + 1 over the other one. The
        first transaction that may write over a page of state N is N + 3: transaction T takes pages
        that were freed by T - 2 or before (mdb.c: ``mdb_find_oldest``, ``mdb_page_alloc``), and
        those of state N are freed by N + 1 at the earliest. There is one writer at a time, so it
        begins after the meta page of N + 2 was written. The bytes are compared, not the number of
        the transaction alone: a meta page that was read while it was being written is none that
        will ever be found again. A processor may load bytes in another order than asked, within
        nanoseconds; between that meta page and the first page of N + 3 there is a wait for the disk
        or at least a call of the system.
        """
        return self.data[self._mark_at] == self._mark

    @property
    def current(self) -> bool:
        """Whether it is the newest state: nothing was committed since, and the file not replaced.

        A file that was removed without another in its place counts as not replaced.
        """
        with suppress(OSError):
            if self._path.stat().st_ino != self.fingerprint[0]:
                return False
        return self._newest(self.data).transaction == self.state.transaction and self.certain

    def find(self, key: bytes) -> Place | None:
        """Where the record of a key lies; None if there is none.

        Raises:
            StoreError: The file is damaged.
        """
        index = self._index
        if index is None:
            self._n_searches += 1
            if self._n_searches * _SEARCHES_PER_INDEX < self._tree.n_entries:
                return self.search(key)
            index = self._index = self._indexed()
        data, mask, n = self.data, len(index) - 1, len(key)
        node_at = _node_with(n)
        slot = hash(key) & mask
        while node := index[slot]:
            try:
                low, high, flags, n_key, found, number = node_at(data, node)
            except struct.error:  # the file ends behind a tiny value
                return self.search(key)
            if found == key and n_key == n:
                start = number * self._page_bytes + 16 if flags & BIG else node + 8 + n
                stop = start + (low | high << 16)
                if stop > self._n_bytes:
                    self._fail(f"a record of {stop - start} bytes runs over the file's end")
                return start, stop
            slot = (slot + 1) & mask
        return None

    def prepare(self) -> None:
        """Have `find` use its index from now on, for many keys.

        Raises:
            StoreError: The file is damaged.
        """
        if self._index is None:
            self._index = self._indexed()

    def neighbours(self, key: bytes) -> list[bytes]:
        """Keys that sort next to a key, for a message that it is not there."""
        number = self._leaf_of(key)
        return [] if number is None else [key for key, _ in self._entries(number)]

    def walk(self) -> Iterator[tuple[bytes, Place]]:
        """All keys in their order, and where their records lie.

        Raises:
            StoreError: The file is damaged.
        """
        for entries in self.leaves():
            yield from entries

    def leaves(self, after: bytes = b"") -> Iterator[list[tuple[bytes, Place]]]:
        """As `walk`, but page by page.

        Args:
            after: Begin with the first key that sorts behind this one.

        Raises:
            StoreError: The file is damaged.
        """
        n = 0
        for number in self._leaves(after):
            entries = self._entries(number)
            n += len(entries)
            if n > self._tree.n_entries:  # also where branches lead back to where they came from
                self._fail(f"it holds more than the {self._tree.n_entries} records it says")
            if after:
                entries = [entry for entry in entries if entry[0] > after]
                after = b""
            if entries:
                yield entries

    def sample(self, n: int) -> Iterator[tuple[bytes, Place]]:
        """About ``n`` records spread over the file, all of them if it holds no more.

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
            # Another position on each page: modalities may alternate from key to key.
            first = i % max(1, len(entries) - each + 1)
            yield from entries[first : first + each]

    def will_need(self, start: int, n_bytes: int) -> None:
        """Have the system read a part of the file into its cache, without waiting for it."""
        if _advise is not None:
            _advise(self._file, start, n_bytes, os.POSIX_FADV_WILLNEED)

    def _newest(self, head: bytes | mmap.mmap) -> Meta:
        """The newer one of the two meta pages in the beginning of the file."""
        meta = newest(head)
        if meta is None:
            raise StoreError(
                f"{self._path} is no LMDB of data format {VERSION}",
                "If LMDB 1.0 wrote it in its own format, copy it with mdb_dump and with mdb_load "
                "of LMDB 0.9; else it is damaged: restore it, or convert again.",
            )
        tree = meta.records
        if tree.depth > MAX_DEPTH or (tree.root == NO_PAGE) == bool(tree.depth):
            self._fail("its tree has no root")
        return meta

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
        """Where a branch page leads: the lowest key of each child, and the children's numbers.

        What was found is kept: there is one branch page for some thousands of records.
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

    def search(self, key: bytes) -> Place | None:
        """As `find`, but always by the tree.

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

    def _indexed(self) -> array[int]:
        """A hash table with the offset of each key's node in the file; 0 is an empty slot.

        It takes 16 to 32 bytes for each key, and holds no key: those are compared in the file.
        """
        n_slots = 1 << (2 * self._tree.n_entries).bit_length()
        mask = n_slots - 1
        index = array("Q", bytes(8 * n_slots))
        n = 0
        for number in self._leaves():
            base = number * self._page_bytes
            page, pointers = self._page(number, LEAF)
            n += len(pointers)
            if n > self._tree.n_entries:
                self._fail(f"it holds more than the {self._tree.n_entries} records it says")
            for pointer in pointers:
                slot = hash(self._node(page, pointer)[3]) & mask
                while index[slot]:
                    slot = (slot + 1) & mask
                index[slot] = base + pointer
        return index

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
                for child in children:  # on a cold disk, many at once instead of one by one
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
        """The keys of a leaf page, and where their records lie."""
        page, pointers = self._page(number, LEAF)
        return [self._place(page, number, node) for node in pointers]

    def _page(self, number: int, kind: int) -> tuple[bytes, tuple[int, ...]]:
        """A page's bytes and the offsets of its nodes, after a look at whether it is sound."""
        n_bytes = self._page_bytes
        base = number * n_bytes
        if base + n_bytes > self._n_bytes:
            self._fail(f"page {number} lies behind the file's end")
        # Where the page must come from a disk, reading it lets other threads go on; a look at the
        # map would not.
        page = _pread(self._file, n_bytes, base) if _pread else self.data[base : base + n_bytes]
        if len(page) != n_bytes:
            self._fail(f"page {number} lies behind the file's end")
        written, _, flags, lower, upper = PAGE_HEADER.unpack_from(page)
        n = (lower - PAGE_HEADER.size) // 2
        sound = written == number and flags & (BRANCH | LEAF) == kind
        if not sound or n < 1 or not lower <= upper <= n_bytes:
            self._fail(f"page {number} is not what the tree says")
        return page, struct.unpack_from(f"<{n}H", page, PAGE_HEADER.size)

    def _node(self, page: bytes, node: int) -> tuple[int, int, int, bytes]:
        """Both halves of a node's size, its flags, and its key."""
        if node + 8 > len(page):
            self._fail("a node runs over the end of its page")
        low, high, flags, n_key = NODE.unpack_from(page, node)
        key = page[node + 8 : node + 8 + n_key]
        if len(key) != n_key:
            self._fail("a key runs over the end of its page")
        return low, high, flags, key

    def _place(self, page: bytes, number: int, node: int) -> tuple[bytes, Place]:
        """The key of a leaf page's node, and where its value lies in the file.

        Args:
            page: The page.
            number: Its number.
            node: The node's offset in it.
        """
        low, high, flags, key = self._node(page, node)
        end = node + 8 + len(key)
        if flags & BIG:
            if end + 8 > len(page):
                self._fail("a record has no place")
            start = PAGE_NUMBER.unpack_from(page, end)[0] * self._page_bytes + 16
            limit = self._n_bytes
        else:
            start = number * self._page_bytes + end
            limit = (number + 1) * self._page_bytes
        stop = start + (low | high << 16)
        if stop > limit:
            self._fail(f"a record of {stop - start} bytes runs over the end")
        return key, (start, stop)

    def _fail(self, what: str) -> NoReturn:
        raise StoreError(
            f"{self._path} is damaged in its structure: {what}",
            "Look at it with rico-hdl verify. Restore it from a copy, or convert again.",
        )


@cache
def _node_with(n_key: int) -> Callable[[mmap.mmap, int], tuple[int, int, int, int, bytes, int]]:
    """What reads a node with a key of that length, and the page number that may follow it."""
    return struct.Struct(f"<HHHH{n_key}sQ").unpack_from
