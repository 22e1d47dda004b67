"""Finds records in ``data.mdb`` without LMDB's library.

In: a target folder. Out: the place of each key's record in the file, which is mapped into memory.
This module takes no lock, writes nothing, holds nothing that a fork could spoil, and touches no
byte of a record.

LMDB's library reads a byte of each page of a value before it returns a view, and does not reveal
the value's place in the file, without which records can't be read ahead or gathered. For the first
bytes of a record of 7 MB, it takes seven times as long as this module; on a cold disk it reads
unwanted bands. For a single look-up and copy of a small record in the cache, it takes 0.8 (12 kB)
to 0.9 (144 kB) of the time (``make bench-ablation``).

The format (`rico_hdl.store.lmdb_format`): pages of equal size; two meta pages, the one with the
later transaction being valid; a tree of branch and leaf pages with sorted nodes
(`rico_hdl.store.tree`); values that are too large for a leaf in runs of overflow pages.

Another process may write to the file at any time, and no lock prevents that. `Pages.certain` tells
afterwards whether bytes copied from the map are those of its state, and explains why.
"""

from __future__ import annotations

import mmap
import os
import struct
from array import array
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from rico_hdl.errors import LimitError, StoreError
from rico_hdl.sources.files import open_regular
from rico_hdl.store.faults import is_limit
from rico_hdl.store.lmdb_format import (
    BIG,
    HEAD_BYTES,
    LEAF,
    MAX_DEPTH,
    NO_PAGE,
    VERSION,
    Meta,
    newest,
)
from rico_hdl.store.target import DATA_NAME
from rico_hdl.store.tree import KeyTree, Place

_SEARCHES_PER_INDEX: Final = 8
"""The index is built once more than 1 / 8 of the keys have been searched for: a search costs six
times as much as adding a key to the index, and a look-up there a sixth."""

_MIN_RECORD_BYTES: Final = 12
"""The fewest bytes of a record in a leaf page: its node with a key, and the node's offset."""


class Pages(KeyTree):
    """``data.mdb``, mapped for reading as of its last commit.

    Safe to use from several threads, and on both sides of a fork: this process never writes to it.
    The file is closed when the last reference to this object goes away, so no active reader loses
    it.

    Args:
        target: The folder that holds ``data.mdb``.

    Raises:
        StoreError: The file is missing, not an LMDB of data format 1, or cut short.
    """

    def __init__(self, target: Path) -> None:
        self._path = target / DATA_NAME
        try:
            self._file = open_regular(self._path)
        except FileNotFoundError:
            what = f"there is no {DATA_NAME}" if target.is_dir() else "no such folder"
            raise StoreError(f"{target}: {what}", "Name the folder of a store.") from None
        except OSError as error:
            raise StoreError(f"{self._path} can't be read: {error.strerror}") from error
        status = os.fstat(self._file)
        try:
            # Read before mapping, so that the map contains every page that this state uses.
            head = os.read(self._file, HEAD_BYTES)
            data = mmap.mmap(self._file, 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError, MemoryError) as error:  # ValueError: the file is empty
            if is_limit(error):
                raise LimitError(f"{self._path} can't be mapped") from error
            raise StoreError(f"{self._path} can't be mapped: {error}") from error
        super().__init__(self._path, self._file, data, self._newest(head))
        self.metas = (head[: self._page_bytes], head[self._page_bytes : 2 * self._page_bytes])
        """Both meta pages as they were when the file was mapped."""
        if self._tree.n_entries * _MIN_RECORD_BYTES > self._n_bytes:
            self._fail(f"it claims {self._tree.n_entries} records, more than fit into it")
        self._mark = self.state.raw
        self._mark_at = slice(self.state.start, self.state.start + len(self._mark))
        self.fingerprint = (status.st_ino, status.st_mtime_ns, self.state)
        """Equal for two maps of the same file, with nothing written in between."""
        self._n_searches = 0
        self._index: array[int] | None = None

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    @property
    def certain(self) -> bool:
        """Whether everything read through this map so far belongs to one committed state.

        Check it after copying bytes; if true, the copy is right. If false, discard every place and
        every copy: make another map, look the key up again, and copy again.

        It is true as long as the meta page of the map's transaction N is the same as when the map
        was made. LMDB overwrites it with the meta page of N + 2, and the other one with that of
        N + 1. The first transaction that may overwrite a page of state N is N + 3: transaction T
        reuses pages that were freed by T - 2 or before (mdb.c: ``mdb_find_oldest``,
        ``mdb_page_alloc``), and those of state N are freed by N + 1 at the earliest. There is one
        writer at a time, so N + 3 begins after the meta page of N + 2 is written. All bytes are
        compared, not only the number of the transaction: a meta page that was read while it was
        being written never recurs. A processor may reorder loads within nanoseconds; between that
        meta page and the first page of N + 3 there is a wait for the disk, or at least a system
        call.
        """
        return self.data[self._mark_at] == self._mark

    @property
    def current(self) -> bool:
        """Whether this is the newest state: no later commit, and the file is not replaced.

        A file that was removed without a replacement counts as not replaced.
        """
        with suppress(OSError):
            if self._path.stat().st_ino != self.fingerprint[0]:
                return False
        return self._newest(self.data).transaction == self.state.transaction and self.certain

    def find(self, key: bytes) -> Place | None:
        """The place of a key's record; None if there is none.

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
            except struct.error:  # the file ends right after a tiny value
                return self.search(key)
            if found == key and n_key == n:
                start = number * self._page_bytes + 16 if flags & BIG else node + 8 + n
                stop = start + (low | high << 16)
                if stop > self._n_bytes:
                    self._fail(f"a record of {stop - start} bytes runs past the file's end")
                return start, stop
            slot = (slot + 1) & mask
        return None

    def prepare(self) -> None:
        """Make `find` use its index from now on, which suits many keys.

        Raises:
            StoreError: The file is damaged.
        """
        if self._index is None:
            self._index = self._indexed()

    def _newest(self, head: bytes | mmap.mmap) -> Meta:
        """The newer of the two meta pages at the beginning of the file."""
        meta = newest(head)
        if meta is None:
            raise StoreError(
                f"{self._path} is not an LMDB of data format {VERSION}",
                "If LMDB 1.0 wrote it in its own format, copy it with mdb_dump and with mdb_load "
                "of LMDB 0.9. Otherwise it is damaged: restore it, or convert again.",
            )
        tree = meta.records
        if tree.depth > MAX_DEPTH or (tree.root == NO_PAGE) == bool(tree.depth):
            self._fail("its tree has no root")
        return meta

    def _indexed(self) -> array[int]:
        """A hash table with the offset of each key's node in the file; 0 is an empty slot.

        It takes 16 to 32 bytes per key, and holds no keys: they are compared in the file.
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
                self._fail(f"it holds more than the {self._tree.n_entries} records that it claims")
            for pointer in pointers:
                slot = hash(self._node(page, pointer)[3]) & mask
                while index[slot]:
                    slot = (slot + 1) & mask
                index[slot] = base + pointer
        return index


@cache
def _node_with(n_key: int) -> Callable[[mmap.mmap, int], tuple[int, int, int, int, bytes, int]]:
    """A function that reads a node with a key of that length, and a page number after it."""
    return struct.Struct(f"<HHHH{n_key}sQ").unpack_from
