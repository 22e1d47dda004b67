"""The journal ``rico-hdl.journal``: a note of every record, made before the record is committed.

In: entries, one block of them for each transaction. Out: the same entries, even after a crash. The
journal makes a store provable: it holds each record's digest from the time of writing, its origin
and its layout. It is only appended to, and the newest entry of a key counts. A block that a crash
cut short is recognised by its checksum and cut off. A damaged block loses only its own entries: the
blocks after it are found and read.

Layout: consecutive blocks, each with a header ``<4sIIQ`` (magic, entries, bytes of the payload,
XXH3-64 of these three fields and the payload) and a zlib-compressed payload: a JSON table of
origins and layouts, preceded by its length ``<I``, then for each entry ``<HHHBQ`` (bytes of the
key, position of its origin, position of its layout, flags, bytes of the record), 16 bytes of
digest, most significant first, and the key.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple

from rico_hdl.store import blocks as framing
from rico_hdl.store.blocks import Gap
from rico_hdl.values import Layout, Origin

JOURNAL_NAME: Final = "rico-hdl.journal"

_MAGIC: Final = b"RJ1\n"
_ENTRY: Final = struct.Struct("<HHHBQ")
_LENGTH: Final = struct.Struct("<I")
_DIGEST_BYTES: Final = 16
_CONSTANT: Final = 1
_REMOVED: Final = 2

N_UNSETTLED: Final = 3
"""Blocks at the end whose transactions may have been lost: a crash of the machine can undo the last
commit, and the next one may have been noted already; one more to be safe."""


class JournalEntry(NamedTuple):
    """The note of one record, made when it was written."""

    key: bytes
    """The key in UTF-8."""
    digest: int
    """See `rico_hdl.store.digest.record_digest`."""
    n_bytes: int
    """Length of the record."""
    origin: Origin
    """Its modality and the source it came from."""
    layout: Layout
    """Its bands."""
    constant: bool = False
    """Whether each of its bands has one value in all pixels."""
    removed: bool = False
    """Whether this is a removal: the record is not, or no longer, in the store."""


class JournalBlock(NamedTuple):
    """The entries of one transaction."""

    entries: list[JournalEntry]
    """In the order in which their records were put."""
    stop: int
    """Zero-based offset just past the block in the file."""


def append(file: FileIO, entries: Sequence[JournalEntry]) -> None:
    """Append a block to a file that is open for unbuffered appending.

    Raises:
        OSError: The disk is full or gone. A partly written block is cut off later.
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
    framing.append(file, _MAGIC, len(entries), b"".join(parts))


def blocks(path: Path, n_bytes: int | None = None) -> Iterator[JournalBlock]:
    """The intact blocks of a journal; none if it doesn't exist.

    Args:
        path: The journal.
        n_bytes: Length up to which the journal is read; None for all of it.

    Raises:
        OSError: The disk or network mount fails.
        StoreError: It can't be opened.
    """
    return (part for part in scan(path, n_bytes) if isinstance(part, JournalBlock))


def scan(path: Path, n_bytes: int | None = None) -> Iterator[JournalBlock | Gap]:
    """The intact blocks of a journal, and the gaps between and after them.

    Args:
        path: The journal.
        n_bytes: Length up to which the journal is read; None for all of it.

    Raises:
        OSError: The disk or network mount fails.
        StoreError: It can't be opened.
    """
    for part in framing.scan(path, _MAGIC, "the journal", n_bytes):
        if isinstance(part, Gap):
            yield part
        else:
            yield JournalBlock(list(_entries(part.content(), part.n_entries)), part.stop)


def _entries(content: bytes, n: int) -> Iterator[JournalEntry]:
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
        yield JournalEntry(
            key, digest, n_bytes, origins[origin], layouts[layout], constant, removed
        )
