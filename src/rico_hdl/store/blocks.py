"""Files of blocks that are only appended to, and in which damage costs its own block alone.

In: the content of a block. Out: the same content, even after a crash. A block that a crash cut
short is recognised by its checksum. The blocks after a damaged one are found and read.

Layout: consecutive blocks, each with a header ``<4sIIQ`` (magic, entries, bytes of the payload,
XXH3-64 of these three fields and the payload) and a zlib-compressed payload. The journal and the
side-car with georeferencing are such files.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Iterator
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Final, NamedTuple

import xxhash

from rico_hdl.sources.files import open_regular
from rico_hdl.store.faults import store_error

_BLOCK: Final = struct.Struct("<4sIIQ")
_CHECKED: Final = struct.Struct("<4sII")
_SEARCHED_BYTES: Final = 2**20  # at once, for the block after a damaged one


class Block(NamedTuple):
    """An intact block."""

    n_entries: int
    """The number of its entries."""
    payload: bytes
    """Its content, compressed."""
    stop: int
    """Zero-based offset just past the block in the file."""

    def content(self) -> bytes:
        """Its content."""
        return zlib.decompress(self.payload)


class Gap(NamedTuple):
    """Bytes of a file that are not an intact block: damage, or a block that was cut short."""

    start: int
    """Zero-based offset of the first of these bytes."""
    stop: int
    """Zero-based offset just past the last of them: the next intact block, or the file's end."""
    torn: bool
    """Whether a kill can leave the end of a file like this: a block without its last bytes."""


def append(file: FileIO, magic: bytes, n_entries: int, content: bytes) -> None:
    """Append a block to a file that is open for unbuffered appending.

    Raises:
        OSError: The disk is full or gone. A partly written block is cut off later.
    """
    payload = zlib.compress(content, 1)
    checksum = _checksum(_CHECKED.pack(magic, n_entries, len(payload)), payload)
    block = _BLOCK.pack(magic, n_entries, len(payload), checksum) + payload
    if file.write(block) != len(block):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def scan(path: Path, magic: bytes, name: str, n_bytes: int | None = None) -> Iterator[Block | Gap]:
    """The intact blocks of a file, and the gaps between and after them; none if there is no file.

    Args:
        path: The file.
        magic: The four bytes that each of its blocks begins with.
        name: What it is, for messages, such as ``the journal``.
        n_bytes: Length up to which the file is read; None for all of it.

    Raises:
        OSError: The disk or network mount fails.
        StoreError: It can't be opened.
    """
    try:
        file = os.fdopen(open_regular(path), "rb")
    except FileNotFoundError:
        return
    except OSError as error:
        raise store_error(path, f"{name} can't be read", error) from error
    with file:
        start, size = 0, os.fstat(file.fileno()).st_size
        if n_bytes is not None:
            size = min(size, n_bytes)
        while start < size:
            block = _block_at(file, magic, start, size)
            if block is not None:
                yield block
                start = block.stop
                continue
            following = _following(file, magic, start, size)
            yield Gap(start, following, following == size and _is_torn(file, magic, start, size))
            start = following


def _block_at(file: BufferedReader, magic: bytes, start: int, size: int) -> Block | None:
    """The block at an offset; None if there is no intact one."""
    file.seek(start)
    head = file.read(_BLOCK.size)
    if len(head) < _BLOCK.size:
        return None
    found, n, n_bytes, checksum = _BLOCK.unpack(head)
    if found != magic or n_bytes > size - start - _BLOCK.size:
        return None
    payload = file.read(n_bytes)
    if len(payload) < n_bytes or _checksum(head[: _CHECKED.size], payload) != checksum:
        return None
    return Block(n, payload, start + _BLOCK.size + n_bytes)


def _following(file: BufferedReader, magic: bytes, start: int, size: int) -> int:
    """The offset of the next intact block after a damaged one; the file's size if there is none."""
    file.seek(start)
    head = file.read(_BLOCK.size)
    if len(head) == _BLOCK.size and head.startswith(magic):
        # If only the payload is damaged, the header leads to the next block.
        stop = start + _BLOCK.size + int(_BLOCK.unpack(head)[2])
        if stop < size and _block_at(file, magic, stop, size) is not None:
            return stop
    start += 1
    while start < size:
        file.seek(start)
        searched = file.read(_SEARCHED_BYTES)
        found = searched.find(magic)
        while found >= 0:
            if _block_at(file, magic, start + found, size) is not None:
                return start + found
            found = searched.find(magic, found + 1)
        if start + len(searched) >= size:
            break
        start += len(searched) - len(magic) + 1  # a magic may cross the end
    return size


def _is_torn(file: BufferedReader, magic: bytes, start: int, size: int) -> bool:
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
        return magic.startswith(head[: len(magic)])
    found, _, n_bytes, _ = _BLOCK.unpack(head)
    return bool(found == magic and n_bytes > len(rest) - _BLOCK.size)


def _checksum(head: bytes, payload: bytes) -> int:
    state = xxhash.xxh3_64(head)
    state.update(payload)
    return int(state.intdigest())
