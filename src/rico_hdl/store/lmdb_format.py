"""LMDB's file format: the headers of pages and nodes, and the two meta pages.

In: the first bytes of ``data.mdb``. Out: the contents of its newer meta page. The format is LMDB's
data format 1 (mdb.c of LMDB 0.9: MDB_page, MDB_node, MDB_meta, MDB_db), as 64-bit little-endian
machines write it.
"""

from __future__ import annotations

import mmap
import struct
from typing import Final, NamedTuple

PAGE_HEADER: Final = struct.Struct("<QHHHH")
"""The header of a page: number, padding, flags, lower and upper end of its free space."""
NODE: Final = struct.Struct("<HHHH")
"""The header of a node: low and high half of a size, flags, bytes of the key. In a branch page the
first three are the parts of a page number, lowest first."""
PAGE_NUMBER: Final = struct.Struct("<Q")
"""The number of a page, such as the first overflow page of a value."""

BRANCH: Final = 0x01
"""Flag of a branch page."""
LEAF: Final = 0x02
"""Flag of a leaf page."""
OVERFLOW: Final = 0x04
"""Flag of the first page in a run of overflow pages."""
META: Final = 0x08
"""Flag of a meta page."""
BIG: Final = 0x01
"""Flag of a node whose value is in overflow pages."""

NO_PAGE: Final = 2**64 - 1
"""The root of an empty tree."""
MAX_DEPTH: Final = 32
"""Maximum number of levels of a tree: LMDB's CURSOR_STACK."""
VERSION: Final = 1
"""The data format; LMDB 1.0 writes a different one."""

_MAGIC: Final = 0xBEEFC0DE
_META: Final = struct.Struct("<IIQQ IHHQQQQQ IHHQQQQQ QQ")
# magic, version, address, bytes of the map; the trees of free pages and of records; last page,
# transaction
_PAGE_SIZES: Final = [2**i for i in range(9, 16)]  # mdb.c: MAX_PAGESIZE is 0x8000

HEAD_BYTES: Final = _PAGE_SIZES[-1] + PAGE_HEADER.size + _META.size
"""Bytes at the beginning of a file that include both meta pages, for any page size."""


class Tree(NamedTuple):
    """One of the two trees, as a meta page describes it."""

    padding: int
    """The size of all pages for the list of free pages, 0 for records."""
    flags: int
    """The order of keys."""
    depth: int
    """Levels; 0 if the tree is empty."""
    n_branches: int
    """Branch pages."""
    n_leaves: int
    """Leaf pages."""
    n_overflow: int
    """Overflow pages."""
    n_entries: int
    """Keys."""
    root: int
    """The zero-based number of the root page; `NO_PAGE` if the tree is empty."""


class Meta(NamedTuple):
    """The contents of a meta page."""

    magic: int
    """The same number in every LMDB."""
    version: int
    """The version of the data format."""
    address: int
    """The address at which the file must be mapped; 0 for any."""
    map_bytes: int
    """The size of the map in the process that made the file."""
    free: Tree
    """The tree of free pages, by the transaction that freed them."""
    records: Tree
    """The tree of records."""
    last_page: int
    """The zero-based number of the last page ever taken."""
    transaction: int
    """The number of the transaction that wrote the meta page."""
    start: int
    """Zero-based offset of the contents in the file."""
    raw: bytes
    """The contents, byte for byte."""

    @property
    def page_bytes(self) -> int:
        """The size of all pages."""
        return self.free.padding

    @property
    def is_readable(self) -> bool:
        """Whether it has this format and belongs to an LMDB that can hold records."""
        return (
            (self.magic, self.version) == (_MAGIC, VERSION)
            and self.page_bytes in _PAGE_SIZES
            # Flags for keys in reverse order or several values per key; no store has them.
            and not self.records.flags
        )


def newest(head: bytes | mmap.mmap) -> Meta | None:
    """The newer of the two meta pages; None if neither has this format.

    Args:
        head: The first `HEAD_BYTES` or more bytes of the file.
    """
    first = meta_at(head, 0)
    # If the first one is torn, the page size and thus the place of the second one are unknown.
    places = [first.page_bytes] if first and first.is_readable else _PAGE_SIZES
    found = [first, *(meta_at(head, place) for place in places)]
    return max(
        (meta for meta in found if meta and meta.is_readable),
        key=lambda meta: meta.transaction,
        default=None,
    )


def meta_at(head: bytes | mmap.mmap, page_start: int) -> Meta | None:
    """The page at an offset, read as a meta page; None past the end."""
    start = page_start + PAGE_HEADER.size
    raw = head[start : start + _META.size]  # a copy: another process may be writing it
    if len(raw) < _META.size:
        return None
    magic, version, address, map_bytes, *trees, last_page, transaction = _META.unpack(raw)
    free, records = Tree(*trees[:8]), Tree(*trees[8:])
    return Meta(
        magic, version, address, map_bytes, free, records, last_page, transaction, start, raw
    )
