"""Whether the structure of ``data.mdb`` is intact: every page, node, key and page number.

In: a map of the file. Out: everything that is wrong. It reads the meta, branch and leaf pages of
the records and of the list of free pages, but no record. It uses neither LMDB's library, which
trusts a file and can crash or hang on a damaged one, nor the page reader: both find the same
records in a file that passes this check.

The following is checked, and holds in every file that LMDB 0.9 writes (mdb.c:
``mdb_env_write_meta``, ``mdb_page_flush``, ``mdb_node_add``, ``mdb_node_del``, ``mdb_page_split``,
``mdb_freelist_save``, ``mdb_audit``):

- Page N modulo 2 is the meta page of transaction N, and the other one is that of N - 1.
- A page holds its own number and kind. Its nodes fill its end without gaps or overlaps.
- Keys are in order on each page, and within the bounds that the branches above it set.
- All leaves have the same depth. The numbers of entries and pages are those in the meta page.
- Every page up to the last one is in use exactly once or free exactly once. Free pages are listed
  in descending order, under the number of the transaction that freed them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from operator import ge
from typing import Final, NamedTuple

from rico_hdl.store.lmdb_format import (
    BIG,
    BRANCH,
    LEAF,
    MAX_DEPTH,
    META,
    NO_PAGE,
    NODE,
    OVERFLOW,
    PAGE_HEADER,
    PAGE_NUMBER,
    Tree,
    meta_at,
)
from rico_hdl.store.page_set import PageSet
from rico_hdl.store.pages import Pages
from rico_hdl.store.tree import Place
from rico_hdl.values import MAX_KEY_BYTES

_RUN: Final = struct.Struct("<QHHI")  # the header of overflow pages: number, padding, flags, pages

_INTEGER_KEYS: Final = 0x08  # flag of the tree of free pages
_NO_SUBFOLDER: Final = 0x4000  # how the environment was opened; it is stored with that flag
_MAX_MAP_BYTES: Final = 2**47  # what a process can address
_MAX_PROBLEMS: Final = 20
_KINDS: Final = {BRANCH: "branch", LEAF: "leaf"}

_Bound = bytes | None


@dataclass
class _Counts:
    """Pages and entries that a walk through a tree found."""

    n_branches: int = 0
    n_leaves: int = 0
    n_overflow: int = 0
    n_entries: int = 0


class Structure:
    """The structure of a file after one commit.

    Args:
        pages: A map of the file.
    """

    def __init__(self, pages: Pages) -> None:
        self.problems: list[str] = []
        """Everything that is wrong, at most a few dozen entries."""
        self._pages = pages
        self._data = pages.data
        self._size = pages.state.page_bytes
        self._taken = PageSet(len(self._data) // self._size)
        self._free, self._records = pages.state.free, pages.state.records
        self._last_page = pages.state.last_page
        self._end = min(self._last_page + 1, len(self._data) // self._size) * self._size
        self._n_overflow = 0
        self._freed_root: int | None = None

    @property
    def is_sound(self) -> bool:
        """Whether no problem has been found so far."""
        return not self.problems

    @property
    def follows_the_older_state(self) -> bool:
        """Whether the newest commit freed the root of the state in the other meta page.

        If not, the last write of a commit failed, or the other page is newer than its number says.
        """
        return self._freed_root is None

    def check(self) -> None:
        """Check everything but the overflow pages of records; see `run_of` and `take`."""
        self._check_metas()
        free = self._walk(self._free, "the list of free pages", is_free=True)
        self._check_counts(self._free, free, "the list of free pages")
        if free.n_overflow != self._free.n_overflow:
            self._report("the list of free pages has a wrong number of overflow pages")
        records = self._walk(self._records, "the tree of records", is_free=False)
        self._check_counts(self._records, records, "the tree of records")

    def run_of(self, place: Place, head: bytes) -> tuple[int, int] | str | None:
        """The overflow pages of a record.

        May be called from several threads.

        Args:
            place: The record's place in the file.
            head: The 16 bytes before it.

        Returns:
            (zero-based number of the first page, number of pages); None for a record in a leaf;
            a text if something is wrong with the pages.
        """
        start, stop = place
        if start % self._size != PAGE_HEADER.size:
            return None
        return self._run(start // self._size, stop - start, head)

    def take(self, number: int, n: int) -> bool:
        """Note that overflow pages belong to a record; returns whether they were unused before."""
        self._n_overflow += n
        return self._taken.add(number, n)

    def finish(self) -> None:
        """Compare the pages in use with the meta page, after `take` for all records."""
        if self._n_overflow != self._records.n_overflow:
            self._report(
                f"its records have {self._n_overflow} overflow pages, but the meta page says "
                f"{self._records.n_overflow}"
            )
        n = self._last_page + 1 - 2 - len(self._taken)
        if n:
            self._report(f"{n} pages are neither in use nor free")

    def _report(self, what: str) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(what)

    def _check_metas(self) -> None:
        """Check both meta pages: that of the newest transaction and that of the one before."""
        newest = self._pages.state.transaction
        for number, page in enumerate(self._pages.metas):
            expected = newest if number == newest % 2 else max(newest - 1, 0)
            if expected != newest and not self._pages.current:
                continue  # a conversion may have been writing it
            written, _, flags, _, _ = PAGE_HEADER.unpack_from(page)
            if (written, flags) != (number, META):
                self._report(f"page {number} is not a meta page")
            meta = meta_at(page, 0)
            assert meta is not None  # noqa: S101 - `Pages` has read one of this size
            if meta.transaction != expected:
                self._report(
                    f"meta page {number} has transaction {meta.transaction}, expected {expected}"
                )
            fits = (
                meta.is_readable
                and meta.page_bytes == self._size
                and meta.address == 0
                and 0 < meta.map_bytes <= _MAX_MAP_BYTES
                and meta.free.flags & ~_NO_SUBFOLDER == _INTEGER_KEYS
                and meta.records.padding == 0
            )
            # The older one may hold the trees of a failed commit: LMDB then writes it back with its
            # old number and the new trees.
            if meta.transaction == newest:
                fits = fits and meta.last_page >= 1
                fits = fits and all(
                    _fits(tree, meta.last_page) for tree in (meta.free, meta.records)
                )
            elif meta.records.root not in (NO_PAGE, self._records.root):
                self._freed_root = meta.records.root
            if not fits:
                self._report(f"meta page {number} holds impossible values")

    def _check_counts(self, tree: Tree, found: _Counts, what: str) -> None:
        """Compare the results of a walk with the meta page."""
        for name, says, is_there in (
            ("entries", tree.n_entries, found.n_entries),
            ("branch pages", tree.n_branches, found.n_branches),
            ("leaf pages", tree.n_leaves, found.n_leaves),
        ):
            if says != is_there:
                self._report(f"{what} has {is_there} {name}, but the meta page says {says}")

    def _walk(self, tree: Tree, what: str, *, is_free: bool) -> _Counts:
        """Check all branch and leaf pages of a tree."""
        counts = _Counts()
        if tree.root == NO_PAGE:
            return counts
        if not 1 <= tree.depth <= MAX_DEPTH:
            self._report(f"{what} has {tree.depth} levels")
            return counts
        pages: list[tuple[int, int, _Bound, _Bound]] = [(tree.root, 1, None, None)]
        while pages and len(self.problems) < _MAX_PROBLEMS:
            number, level, low, high = pages.pop()
            kind = LEAF if level == tree.depth else BRANCH
            page = self._page(number, kind, what)
            nodes = page and self._nodes(page, number, kind)
            if not page or not nodes:
                continue
            keys = nodes.keys
            if kind == BRANCH:
                keys = keys[1:]  # the first one counts as less than all others
            if is_free:  # numbers, little-endian
                keys = [key[::-1] for key in keys]
            self._check_keys(keys, low, high, number, is_free=is_free)
            if kind == LEAF:
                counts.n_leaves += 1
                counts.n_entries += len(keys)
                if is_free:
                    counts.n_overflow += self._check_free(page, nodes)
                else:
                    self._check_places(page, nodes)
                continue
            counts.n_branches += 1
            children = [low_ | high_ << 16 | top << 32 for low_, high_, top, _ in nodes.heads]
            for child in children:  # a cold disk then reads many at once instead of one by one
                self._pages.will_need(child * self._size, self._size)
            bounds = [low, *keys, high]
            pages += [
                (child, level + 1, bounds[i], bounds[i + 1]) for i, child in enumerate(children)
            ][::-1]
        return counts

    def _page(self, number: int, kind: int, what: str) -> bytes:
        """A page of a tree, marked as in use; empty if it is not the expected one."""
        start = number * self._size
        if not 2 <= number <= self._last_page or start + self._size > len(self._data):
            self._report(f"{what} leads to page {number}, which does not exist")
            return b""
        page = self._data[start : start + self._size]
        written, _, flags, _, _ = PAGE_HEADER.unpack_from(page)
        if (written, flags) != (number, kind):
            self._report(f"page {number} is not the {_KINDS[kind]} page that {what} leads to")
            return b""
        if not self._taken.add(number, 1):
            self._report(f"page {number} is used twice")
            return b""
        return page

    def _nodes(self, page: bytes, number: int, kind: int) -> _Nodes | None:
        """The nodes of a page; None if they do not fill its end exactly."""
        _, _, _, lower, upper = PAGE_HEADER.unpack_from(page)
        n = (lower - PAGE_HEADER.size) // 2
        if lower % 2 or n < 1 or not lower <= upper <= len(page):
            self._report(f"the list of nodes of page {number} is damaged")
            return None
        at = struct.unpack_from(f"<{n}H", page, PAGE_HEADER.size)
        if max(at) + NODE.size > len(page):
            self._report(f"a node extends past the end of page {number}")
            return None
        unpack = NODE.unpack_from
        heads = [unpack(page, node) for node in at]
        lengths = [8 + head[3] for head in heads]
        if kind == LEAF:
            lengths = [
                n_bytes + (8 if flags & BIG else low | high << 16)
                for n_bytes, (low, high, flags, _) in zip(lengths, heads, strict=True)
            ]
            if max(head[2] for head in heads) > BIG:
                self._report(f"a node of page {number} has flags that no record has")
                return None
        expected = upper
        for node, n_bytes in sorted(zip(at, lengths, strict=True)):
            if node != expected:
                break
            expected = node + n_bytes + n_bytes % 2
        else:
            if expected == len(page):
                keys = [
                    page[node + 8 : node + 8 + head[3]]
                    for node, head in zip(at, heads, strict=True)
                ]
                return _Nodes(at, heads, keys)
        self._report(f"the nodes of page {number} overlap or leave a gap")
        return None

    def _check_keys(
        self, keys: Sequence[bytes], low: _Bound, high: _Bound, number: int, *, is_free: bool
    ) -> None:
        """Check the order and the lengths of the keys of a page."""
        if not keys:
            return
        if any(map(ge, keys, keys[1:])):
            self._report(f"keys of page {number} are out of order")
        if (low is not None and keys[0] < low) or (high is not None and keys[-1] >= high):
            self._report(f"page {number} holds keys that belong elsewhere")
        lengths = {*map(len, keys)}
        if is_free:
            fits = lengths == {PAGE_NUMBER.size}
        else:
            fits = min(lengths) >= 1 and max(lengths) <= MAX_KEY_BYTES
        if not fits:
            self._report(f"page {number} has keys of impossible length")

    def _check_places(self, page: bytes, nodes: _Nodes) -> None:
        """Check that the overflow pages of the records of a leaf page exist."""
        for node, key, (low, high, flags, n_key) in zip(
            nodes.at, nodes.keys, nodes.heads, strict=True
        ):
            if flags & BIG:
                (first,) = PAGE_NUMBER.unpack_from(page, node + 8 + n_key)
                stop = first * self._size + PAGE_HEADER.size + (low | high << 16)
                if first < 2 or stop > self._end:
                    name = key.decode(errors="replace")
                    self._report(f"the record {name} extends past the file's end")

    def _run(self, number: int, n_bytes: int, head: bytes) -> tuple[int, int] | str:
        """The overflow pages that hold a value, as `run_of` returns them."""
        start = number * self._size
        if number < 2 or start + PAGE_HEADER.size + n_bytes > self._end:
            return f"overflow page {number} is past the file's end"
        written, _, flags, n = _RUN.unpack(head)
        if (written, flags) != (number, OVERFLOW):
            return f"page {number} is not the overflow page that it should be"
        if not PAGE_HEADER.size + n_bytes <= n * self._size <= self._end - start:
            return f"overflow page {number} says that it is the first of {n}, which is impossible"
        return number, n

    def _check_free(self, page: bytes, nodes: _Nodes) -> int:
        """Check the lists of free pages in a leaf page; returns their number of overflow pages."""
        n_overflow = 0
        for node, (low, high, flags, n_key), key in zip(
            nodes.at, nodes.heads, nodes.keys, strict=True
        ):
            start, n_bytes = node + 8 + n_key, low | high << 16
            value = page[start : start + n_bytes]
            if flags & BIG:
                (number,) = PAGE_NUMBER.unpack_from(page, start)
                first = number * self._size
                head = self._data[first : first + _RUN.size] if first < self._end else b""
                run = self._run(number, n_bytes, head)
                if isinstance(run, str):
                    self._report(f"the list of free pages: {run}")
                    continue
                number, n = run
                n_overflow += n
                if not self._taken.add(number, n):
                    self._report(f"page {number} is used twice")
                start = number * self._size + PAGE_HEADER.size
                value = self._data[start : start + n_bytes]
            self._take_free(int.from_bytes(key, "little"), value)
        return n_overflow

    def _take_free(self, transaction: int, value: bytes) -> None:
        """Note that pages are free."""
        what = f"the list of pages that transaction {transaction} freed"
        n = len(value) // 8
        numbers = struct.unpack_from(f"<{n}Q", value)
        if len(value) % 8 or not n or numbers[0] != n - 1:
            self._report(f"{what} does not have the length that it says")
            return
        free = numbers[1:]
        if not 1 <= transaction <= self._pages.state.transaction:
            self._report(f"{what} belongs to no transaction of the file")
        if any(map(ge, free[1:], free)):
            self._report(f"{what} is out of order")
        if transaction == self._pages.state.transaction and self._freed_root in free:
            self._freed_root = None
        for number in free:
            if not 2 <= number <= self._last_page:
                self._report(f"{what} holds page {number}, which does not exist")
            elif not self._taken.add(number, 1):
                self._report(f"page {number} is free, but also in use or free elsewhere")


def _fits(tree: Tree, last_page: int) -> bool:
    """Whether a tree's numbers are possible in a file with this last page."""
    if tree.root == NO_PAGE:
        return tree[2:7] == (0, 0, 0, 0, 0)
    n_pages = tree.n_branches + tree.n_leaves + tree.n_overflow
    return (
        2 <= tree.root <= last_page
        and 1 <= tree.depth <= MAX_DEPTH
        and tree.depth <= tree.n_branches + 1
        and tree.n_leaves >= 1
        and tree.n_entries >= tree.n_leaves
        and n_pages < last_page
    )


class _Nodes(NamedTuple):
    """The nodes of a page, in the order of its list."""

    at: tuple[int, ...]
    """The zero-based offset of each node in the page."""
    heads: list[tuple[int, ...]]
    """The header of each node: two halves of a size, flags, bytes of the key."""
    keys: list[bytes]
    """The key of each node."""
