"""Whether ``data.mdb`` has every page that its newest state consists of.

In: a path. Out: nothing, or an error if the file was cut short. LMDB maps the file: if it read past
the end, the system would end the process (SIGBUS). This module takes no lock and writes nothing.

Pages at the end of a file that a transaction took and freed again may never have been written. So a
file may be shorter than its last page number says without being damaged; only the pages of its
trees count, including those of the list of free pages. `rico_hdl.store.lmdb_format` describes the
format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Final

from rico_hdl.errors import StoreError
from rico_hdl.sources.files import open_regular
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
    Meta,
    newest,
)

_N_TRIES: Final = 5  # while another process commits


def check_length(path: Path) -> None:
    """Check that an LMDB was not cut short. Files that are not an LMDB are left to the library.

    Raises:
        OSError: The file can't be read.
        StoreError: A page in use extends past the file's end.
    """
    with FileIO(open_regular(path)) as file:
        for _ in range(_N_TRIES):
            state = _newest(file)
            if state is None:
                return
            n_bytes = path.stat().st_size  # after the state: a writer may extend the file
            if (state.last_page + 1) * state.page_bytes <= n_bytes:
                return
            stop = max(_stops(file, state, n_bytes), default=0)
            if stop <= n_bytes:
                return
            if _newest(file) == state:
                break
    raise StoreError(
        f"{path} is cut short: it has {n_bytes} bytes, but a page in use ends at byte {stop}",
        "Restore it from a copy, or convert again with --overwrite.",
    )


def _read(file: FileIO, start: int, n_bytes: int) -> bytes:
    file.seek(start)
    return file.read(n_bytes) or b""


def _newest(file: FileIO) -> Meta | None:
    return newest(_read(file, 0, HEAD_BYTES))


def _stops(file: FileIO, state: Meta, n_bytes: int) -> Iterator[int]:
    """The offset in the file just past each page of both trees and each value.

    Pages that can't be read or that don't fit the tree are skipped: this function does not decide
    whether the structure is intact.
    """
    size = state.page_bytes
    seen: set[int] = set()
    pages = [(root, 0) for root in (state.records.root, state.free.root) if root != NO_PAGE]
    while pages:
        number, depth = pages.pop()
        if number in seen or number > state.last_page or depth > MAX_DEPTH:
            continue
        seen.add(number)
        stop = (number + 1) * size
        yield stop
        if stop > n_bytes:
            return
        page = _read(file, number * size, size)
        written, _, flags, lower, _ = PAGE_HEADER.unpack_from(page)
        if len(page) < size or written != number or not PAGE_HEADER.size <= lower <= size:
            continue
        nodes = struct.unpack_from(f"<{(lower - PAGE_HEADER.size) // 2}H", page, PAGE_HEADER.size)
        for node in nodes:
            if node + NODE.size > size:
                continue
            low, high, top, n_key = NODE.unpack_from(page, node)
            if flags & BRANCH:
                pages.append((low | high << 16 | top << 32, depth + 1))
            elif flags & LEAF and top & BIG and node + NODE.size + n_key + 8 <= size:
                (first,) = PAGE_NUMBER.unpack_from(page, node + NODE.size + n_key)
                if first <= state.last_page:
                    yield first * size + PAGE_HEADER.size + (low | high << 16)
