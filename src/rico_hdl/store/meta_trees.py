"""What a meta page says about the two trees of a file: that of free pages and that of records.

In: the meta data, byte for byte. Out: all its fields. `rico_hdl.store.meta` reads those that
finding a record takes.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from rico_hdl.store.meta import NO_PAGE

META: Final = struct.Struct("<IIQQIHHQQQQQIHHQQQQQQQ")
"""Magic, version, address, bytes of the map; both trees; last page, transaction."""

MAX_DEPTH: Final = 32
"""Levels of a tree: LMDB's CURSOR_STACK."""


class Tree(NamedTuple):
    """What a meta page says about one of its two trees."""

    padding: int
    """For the list of free pages the size of all pages, for records 0."""
    flags: int
    """How keys are compared."""
    depth: int
    """Levels, 0 if it is empty."""
    n_branches: int
    """Branch pages."""
    n_leaves: int
    """Leaf pages."""
    n_overflow: int
    """Overflow pages."""
    n_entries: int
    """Keys."""
    root: int
    """The zero-based number of the root page."""


def trees_of(raw: bytes) -> tuple[Tree, Tree]:
    """The tree of free pages and that of records."""
    values = META.unpack(raw)
    return Tree(*values[4:12]), Tree(*values[12:20])


def is_plausible(tree: Tree, last_page: int) -> bool:
    """Whether a tree may be one of a file with so many pages."""
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
