"""LMDB's meta pages: the two at the beginning of ``data.mdb`` that say where the rest is.

In: the first bytes of a file. Out: the newer meta page, parsed. The format is LMDB's data format 1
(mdb.c of LMDB 0.9: MDB_meta, MDB_db), as 64-bit little-endian machines write it.
"""

from __future__ import annotations

import mmap
import struct
from typing import Final, NamedTuple

PAGE_HEADER: Final = struct.Struct("<QHHHH")
"""How every page begins: number, padding, flags, lower and upper end of its free space."""

VERSION: Final = 1
"""The data format; LMDB 1.0 writes another one."""

NO_PAGE: Final = 2**64 - 1
"""The root of an empty tree."""

_META: Final = struct.Struct("<IIQQ")  # magic, version, address, map size; two trees follow
_TREE: Final = struct.Struct("<IHHQQQQQ")  # page size, flags, depth, three counts, entries, root
_END: Final = struct.Struct("<QQ")  # last page, transaction
_MAGIC: Final = 0xBEEFC0DE
_PAGE_SIZES: Final = [2**i for i in range(9, 16)]  # mdb.c: MAX_PAGESIZE is 0x8000
_META_BYTES: Final = _META.size + 2 * _TREE.size + _END.size

HEAD_BYTES: Final = _PAGE_SIZES[-1] + PAGE_HEADER.size + _META_BYTES
"""The beginning of a file that holds both meta pages, whatever the size of pages is."""


class Meta(NamedTuple):
    """What a meta page says about the file."""

    page_bytes: int
    """The size of all pages."""
    depth: int
    """Levels of the tree of records, 0 if it is empty."""
    n_entries: int
    """The number of records."""
    root: int
    """The zero-based number of the tree's root page; `NO_PAGE` if it is empty."""
    free_root: int
    """The zero-based number of the root page of the list of free pages; `NO_PAGE` if none is."""
    last_page: int
    """The zero-based number of the last page that was ever taken."""
    transaction: int
    """The number of the transaction that wrote the meta page."""
    start: int
    """Zero-based offset of the meta data in the file."""
    raw: bytes
    """The meta data, byte for byte."""


def newest(head: bytes | mmap.mmap) -> Meta | None:
    """The newer of the two meta pages; None if neither is one of this format.

    Args:
        head: The beginning of the file, `HEAD_BYTES` or more of it.
    """
    first = _meta_at(head, 0)
    # A first one that is torn does not say where the second one is.
    places = [first.page_bytes] if first else _PAGE_SIZES
    metas = [meta for meta in (first, *(_meta_at(head, place) for place in places)) if meta]
    return max(metas, key=lambda meta: meta.transaction, default=None)


def _meta_at(head: bytes | mmap.mmap, page_start: int) -> Meta | None:
    """The meta page that begins at an offset; None if it is none of this format."""
    start = page_start + PAGE_HEADER.size
    raw = head[start : start + _META_BYTES]  # a copy: another process may be writing it
    if len(raw) < _META_BYTES:
        return None
    magic, version, _, _ = _META.unpack_from(raw)
    page_bytes, *_, free_root = _TREE.unpack_from(raw, _META.size)
    _, flags, depth, _, _, _, n, root = _TREE.unpack_from(raw, _META.size + _TREE.size)
    last_page, transaction = _END.unpack_from(raw, _META.size + 2 * _TREE.size)
    fits = magic == _MAGIC and version == VERSION and page_bytes in _PAGE_SIZES
    # Flags: keys in reverse order, several values for a key; no store has them.
    if not fits or flags:
        return None
    return Meta(page_bytes, depth, n, root, free_root, last_page, transaction, start, raw)
