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

import errno
import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Final, NamedTuple

import xxhash

from rico_hdl.sources.files import open_regular
from rico_hdl.store.faults import store_error
from rico_hdl.values import Layout, Origin

JOURNAL_NAME: Final = "rico-hdl.journal"

_MAGIC: Final = b"RJ1\n"
_BLOCK: Final = struct.Struct("<4sIIQ")
_CHECKED: Final = struct.Struct("<4sII")
_ENTRY: Final = struct.Struct("<HHHBQ")
_LENGTH: Final = struct.Struct("<I")
_DIGEST_BYTES: Final = 16
_CONSTANT: Final = 1
_REMOVED: Final = 2
_SEARCHED_BYTES: Final = 2**20  # at once, for the block after a damaged one

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


class Gap(NamedTuple):
    """Bytes of a journal that are not an intact block: damage, or a block that was cut short."""

    start: int
    """Zero-based offset of the first of these bytes."""
    stop: int
    """Zero-based offset just past the last of them: the next intact block, or the file's end."""
    torn: bool
    """Whether a kill can leave the end of a journal like this: a block without its last bytes."""


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
    payload = zlib.compress(b"".join(parts), 1)
    checksum = _checksum(_CHECKED.pack(_MAGIC, len(entries), len(payload)), payload)
    block = _BLOCK.pack(_MAGIC, len(entries), len(payload), checksum) + payload
    if file.write(block) != len(block):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


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
    try:
        file = os.fdopen(open_regular(path), "rb")
    except FileNotFoundError:
        return
    except OSError as error:
        raise store_error(path, "the journal can't be read", error) from error
    with file:
        start, size = 0, os.fstat(file.fileno()).st_size
        if n_bytes is not None:
            size = min(size, n_bytes)
        while start < size:
            block = _block_at(file, start, size)
            if block is not None:
                yield block
                start = block.stop
                continue
            following = _following(file, start, size)
            yield Gap(start, following, following == size and _is_torn(file, start, size))
            start = following


def _block_at(file: BufferedReader, start: int, size: int) -> JournalBlock | None:
    """The block at an offset; None if there is no intact one."""
    file.seek(start)
    head = file.read(_BLOCK.size)
    if len(head) < _BLOCK.size:
        return None
    magic, n, n_bytes, checksum = _BLOCK.unpack(head)
    if magic != _MAGIC or n_bytes > size - start - _BLOCK.size:
        return None
    payload = file.read(n_bytes)
    if len(payload) < n_bytes or _checksum(head[: _CHECKED.size], payload) != checksum:
        return None
    entries = list(_entries(zlib.decompress(payload), n))
    return JournalBlock(entries, start + _BLOCK.size + n_bytes)


def _following(file: BufferedReader, start: int, size: int) -> int:
    """The offset of the next intact block after a damaged one; the file's size if there is none."""
    file.seek(start)
    head = file.read(_BLOCK.size)
    if len(head) == _BLOCK.size and head.startswith(_MAGIC):
        # If only the payload is damaged, the header leads to the next block.
        stop = start + _BLOCK.size + int(_BLOCK.unpack(head)[2])
        if stop < size and _block_at(file, stop, size) is not None:
            return stop
    start += 1
    while start < size:
        file.seek(start)
        searched = file.read(_SEARCHED_BYTES)
        found = searched.find(_MAGIC)
        while found >= 0:
            if _block_at(file, start + found, size) is not None:
                return start + found
            found = searched.find(_MAGIC, found + 1)
        if start + len(searched) >= size:
            break
        start += len(searched) - len(_MAGIC) + 1  # a magic may cross the end
    return size


def _is_torn(file: BufferedReader, start: int, size: int) -> bool:
    """Whether the bytes at the end may belong to a block that was never written completely.

    A write that is cut short leaves the first bytes of a block. A crash of the machine may leave
    zeros instead of all or of the last bytes.
    """
    file.seek(start)
    rest = file.read(size - start)
    if rest.endswith(bytes(8)):
        return True
    head = rest[: _BLOCK.size]
    if len(head) < _BLOCK.size:
        return _MAGIC.startswith(head[: len(_MAGIC)])
    magic, _, n_bytes, _ = _BLOCK.unpack(head)
    return bool(magic == _MAGIC and n_bytes > len(rest) - _BLOCK.size)


def _checksum(head: bytes, payload: bytes) -> int:
    state = xxhash.xxh3_64(head)
    state.update(payload)
    return int(state.intdigest())


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
