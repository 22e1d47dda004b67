"""The journal ``rico-hdl.journal``: what was put into a store, noted before it was committed.

In: entries, a block of them for each transaction. Out: the same entries, later, after whatever
happened to the process. It is what makes a store provable: each record's digest as it was when it
was written, where it came from, and how it is laid out. Nothing is ever changed in it: the newest
entry of a key counts. A block cut short by a crash is recognised by its checksum and cut off.

Layout: blocks, one behind the other, each a header ``<4sIIQ`` (magic, entries, bytes of the
payload, XXH3-64 of these three fields and the payload) and a zlib-compressed payload: a JSON table
(``<I`` length in front) of origins and layouts, then for each entry ``<HHHBQ`` (bytes of the key,
position of its origin, position of its layout, flags, bytes of the record), 16 bytes of digest,
most significant first, and the key.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple

import xxhash

from rico_hdl.patch import Layout, Origin
from rico_hdl.sorting import CompactSorted

JOURNAL_NAME: Final = "rico-hdl.journal"

_MAGIC: Final = b"RJ1\n"
_BLOCK: Final = struct.Struct("<4sIIQ")
_CHECKED: Final = struct.Struct("<4sII")
_ENTRY: Final = struct.Struct("<HHHBQ")
_LENGTH: Final = struct.Struct("<I")
_DIGEST_BYTES: Final = 16
_CONSTANT: Final = 1
_REMOVED: Final = 2

N_UNSETTLED: Final = 3
"""Blocks at the end whose transactions may be lost: a crash of the machine can undo the last
commit, and the next one may have been noted already; one more to be safe."""


class Entry(NamedTuple):
    """What is known of a record from the moment it was written."""

    key: bytes
    """The key in UTF-8."""
    digest: int
    """See `rico_hdl.store.digest.record_digest`."""
    n_bytes: int
    """Length of the record."""
    origin: Origin
    """Its modality and where it came from."""
    layout: Layout
    """Its bands."""
    constant: bool = False
    """Whether each of its bands has one value in all pixels."""
    removed: bool = False
    """Whether this notes that the record is not in the store (any more)."""


class Block(NamedTuple):
    """The entries of one transaction."""

    entries: list[Entry]
    """In the order in which they were put."""
    stop: int
    """Zero-based offset behind the block in the file."""


def append(file: FileIO, entries: Sequence[Entry]) -> None:
    """Add a block to a file that is open for appending, without a buffer in between.

    Raises:
        OSError: The disk is full or gone; what was written of the block will be cut off.
    """
    origins = {entry.origin: None for entry in entries}
    layouts = {entry.layout: None for entry in entries}
    origin_at = {origin: i for i, origin in enumerate(origins)}
    layout_at = {layout: i for i, layout in enumerate(layouts)}
    table = json.dumps([list(origins), list(layouts)], ensure_ascii=False).encode()
    parts = [_LENGTH.pack(len(table)), table]
    for key, digest, n_bytes, origin, layout, constant, removed in entries:
        flags = _CONSTANT * constant | _REMOVED * removed
        parts += (
            _ENTRY.pack(len(key), origin_at[origin], layout_at[layout], flags, n_bytes),
            digest.to_bytes(_DIGEST_BYTES, "big"),
            key,
        )
    payload = zlib.compress(b"".join(parts), 1)
    checksum = _checksum(_CHECKED.pack(_MAGIC, len(entries), len(payload)), payload)
    block = _BLOCK.pack(_MAGIC, len(entries), len(payload), checksum) + payload
    if file.write(block) != len(block):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def blocks(path: Path) -> Iterator[Block]:
    """The blocks of a journal, up to the first that is cut short or damaged.

    Compare the last block's ``stop`` with the file's size to learn whether there was one. A journal
    that is not there has no blocks.

    Raises:
        OSError: It can't be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        stop = 0
        while len(head := file.read(_BLOCK.size)) == _BLOCK.size:
            magic, n, n_bytes, checksum = _BLOCK.unpack(head)
            if magic != _MAGIC or n_bytes > os.fstat(file.fileno()).st_size - stop:
                return
            payload = file.read(n_bytes)
            if len(payload) < n_bytes or _checksum(head[: _CHECKED.size], payload) != checksum:
                return
            stop += _BLOCK.size + n_bytes
            yield Block(list(_entries(zlib.decompress(payload), n)), stop)


def _checksum(head: bytes, payload: bytes) -> int:
    state = xxhash.xxh3_64(head)
    state.update(payload)
    return int(state.intdigest())


def _entries(content: bytes, n: int) -> Iterator[Entry]:
    (n_table,) = _LENGTH.unpack_from(content)
    position = _LENGTH.size + n_table
    raw_origins, raw_layouts = json.loads(content[_LENGTH.size : position])
    origins = [Origin(*origin) for origin in raw_origins]
    layouts: list[Layout] = [
        tuple((name, dtype, tuple(shape)) for name, dtype, shape in layout)
        for layout in raw_layouts
    ]
    for _ in range(n):
        n_key, origin, layout, flags, n_bytes = _ENTRY.unpack_from(content, position)
        position += _ENTRY.size
        digest = int.from_bytes(content[position : position + _DIGEST_BYTES], "big")
        position += _DIGEST_BYTES
        key = content[position : position + n_key]
        position += n_key
        constant, removed = bool(flags & _CONSTANT), bool(flags & _REMOVED)
        yield Entry(key, digest, n_bytes, origins[origin], layouts[layout], constant, removed)


class NewestEntries:
    """The newest entry of each key in a journal, sorted by key, in little memory.

    Args:
        path: The journal.

    Raises:
        OSError: It can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._sorted: CompactSorted[_Packed] = CompactSorted()
        origins: dict[Origin, int] = {}
        layouts: dict[Layout, int] = {}
        self.stop = 0
        """Zero-based offset behind the last whole block."""
        last: deque[Block] = deque(maxlen=N_UNSETTLED)
        n = 0
        for block in blocks(path):
            for key, digest, n_bytes, origin, layout, constant, removed in block.entries:
                n += 1
                places = (
                    origins.setdefault(origin, len(origins)),
                    layouts.setdefault(layout, len(layouts)),
                )
                self._sorted.add((key, n, digest, n_bytes, *places, constant, removed))
            self.stop = block.stop
            last.append(block)
        self.last = list(last)
        """The last blocks, whose transactions may be lost."""
        self._origins, self._layouts = list(origins), list(layouts)

    def __iter__(self) -> Iterator[Entry]:
        newest: _Packed | None = None
        for packed in self._sorted:
            if newest is not None and newest[0] != packed[0]:
                yield from self._unpacked(newest)
            newest = packed
        if newest is not None:
            yield from self._unpacked(newest)

    def _unpacked(self, packed: _Packed) -> Iterator[Entry]:
        key, _, digest, n_bytes, origin, layout, constant, removed = packed
        if not removed:
            yield Entry(
                key, digest, n_bytes, self._origins[origin], self._layouts[layout], constant
            )


_Packed = tuple[bytes, int, int, int, int, int, bool, bool]
# key, order of writing, digest, bytes, places of origin and layout, constant, removed
