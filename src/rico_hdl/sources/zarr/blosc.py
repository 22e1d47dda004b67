"""Parts of a chunk that blosc compressed.

In: the whole compressed chunk, and which of its bytes are wanted. Out: these, without decompressing
the others. A chunk consists of blocks that know nothing of each other; those that hold what is
wanted are put together to a smaller chunk, which the library decompresses as it does any.

Format: https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple, cast

from rico_hdl.errors import ArchiveError

_HEADER: Final = struct.Struct("<4B3I")
"""Format's version, codec's version, flags, bytes of an element; bytes of all, of a block, and
compressed."""
_COPIED: Final = 0x02
"""The flag of a chunk that is stored as it was."""
_MAX_BLOCKS: Final = 2**16
"""Chunks of more blocks are not taken apart: the list of them would cost more than it spares. A
block has 32 KiB or more, unless somebody asked for smaller ones."""


class _Header(NamedTuple):
    version: int
    codec_version: int
    flags: int
    element_bytes: int
    n_bytes: int
    block_bytes: int
    n_compressed: int

    @property
    def n_blocks(self) -> int:
        """Blocks; the last one may be smaller."""
        return -(-self.n_bytes // self.block_bytes)


def can_be_cut(data: bytes, n_bytes: int) -> bool:
    """Whether parts of a chunk can be had.

    Args:
        data: The compressed chunk.
        n_bytes: The bytes that it must become.
    """
    if len(data) < _HEADER.size:
        return False
    header = _Header(*_HEADER.unpack_from(data))
    if header.n_compressed != len(data) or header.n_bytes != n_bytes:
        return False
    if header.flags & _COPIED:
        return len(data) == _HEADER.size + n_bytes
    return (
        0 < header.block_bytes <= n_bytes
        and header.n_blocks <= _MAX_BLOCKS
        and _HEADER.size + 4 * header.n_blocks <= len(data)
    )


def cut(data: bytes, start: int, stop: int) -> memoryview:
    """Some of the bytes that a chunk was made of.

    Args:
        data: The compressed chunk; `can_be_cut` must be true for it.
        start: Zero-based offset of the first one.
        stop: The offset behind the last one; larger than ``start``.

    Raises:
        ArchiveError: They are damaged.
    """
    header = _Header(*_HEADER.unpack_from(data))
    view = memoryview(data)
    if header.flags & _COPIED:
        return view[_HEADER.size + start : _HEADER.size + stop]
    first, last = start // header.block_bytes, -(-stop // header.block_bytes)
    if last == header.n_blocks:
        # The last block may be a small one, and alone it would be taken for one of usual size.
        first = max(0, min(first, last - 2))
    begin = first * header.block_bytes
    n_bytes = min(last * header.block_bytes, header.n_bytes) - begin
    found = _decompressed(_chunk_of(view, header, range(first, last), n_bytes), n_bytes)
    return memoryview(found)[start - begin : stop - begin]


def _chunk_of(data: memoryview, header: _Header, blocks: range, n_bytes: int) -> bytes:
    """A chunk of blocks that follow each other.

    Raises:
        ArchiveError: The list of blocks is damaged.
    """
    first_byte = _HEADER.size + 4 * header.n_blocks
    starts = struct.unpack_from(f"<{header.n_blocks}I", data, _HEADER.size)
    # Threads write blocks in the order in which they are done. So a block ends where any begins.
    ends = dict(zip(ordered := sorted(starts), [*ordered[1:], len(data)], strict=True))
    at = _HEADER.size + 4 * len(blocks)
    places, contents = [], []
    for i in blocks:
        start, stop = starts[i], ends[starts[i]]
        if not first_byte <= start < stop <= len(data):
            raise ArchiveError(f"can't be decompressed by blosc: block {i} begins at byte {start}")
        places.append(at)
        contents.append(data[start:stop])
        at += stop - start
    numbers = header._replace(n_bytes=n_bytes, n_compressed=at)
    listed = struct.pack(f"<{len(places)}I", *places)
    return b"".join([_HEADER.pack(*numbers), listed, *contents])


def _decompressed(chunk: bytes, n_bytes: int) -> bytes:
    from imagecodecs import blosc_decode  # noqa: PLC0415 - slow to import, for few sources

    try:
        found = cast("bytes", blosc_decode(chunk, numthreads=1, out=n_bytes))
    except (RuntimeError, ValueError) as error:
        raise ArchiveError(f"can't be decompressed by blosc: {error}") from error
    if len(found) != n_bytes:
        raise ArchiveError(f"becomes {len(found)} bytes, expected {n_bytes}")
    return found
