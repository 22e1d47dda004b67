"""Reading parts of a chunk that blosc compressed.

In: the whole compressed chunk, and the range of bytes to read. Out: these bytes, without
decompressing the rest. A chunk consists of independent blocks; those that hold the range are
assembled into a smaller chunk, which the library decompresses like any other.

Format: https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple, cast

from rico_hdl.errors import ArchiveError

_HEADER: Final = struct.Struct("<4B3I")
"""Version of the format, version of the codec, flags, bytes of an element; bytes in total, of a
block, and compressed."""
_COPIED: Final = 0x02
"""The flag of a chunk that is stored uncompressed."""
_MAX_BLOCKS: Final = 2**16
"""Chunks of more blocks are not read in parts: the list of blocks would cost more than it saves. A
block has 32 KiB or more, unless the writer was configured otherwise."""


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
        """Number of blocks; the last one may be smaller."""
        return -(-self.n_bytes // self.block_bytes)


def can_be_cut(data: bytes, n_bytes: int) -> bool:
    """Whether parts of a chunk can be read without decompressing the rest.

    Args:
        data: The compressed chunk.
        n_bytes: The expected number of bytes of the decompressed chunk.
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
    """Read a range of a chunk's decompressed bytes.

    Args:
        data: The compressed chunk; `can_be_cut` must be true for it.
        start: Zero-based offset of the first byte.
        stop: The offset after the last byte; larger than ``start``.

    Raises:
        ArchiveError: The bytes are damaged.
    """
    header = _Header(*_HEADER.unpack_from(data))
    view = memoryview(data)
    if header.flags & _COPIED:
        return view[_HEADER.size + start : _HEADER.size + stop]
    first, last = start // header.block_bytes, -(-stop // header.block_bytes)
    if last == header.n_blocks:
        # The last block may be smaller; alone, it would be taken for one of full size.
        first = max(0, min(first, last - 2))
    begin = first * header.block_bytes
    n_bytes = min(last * header.block_bytes, header.n_bytes) - begin
    found = _decompressed(_chunk_of(view, header, range(first, last), n_bytes), n_bytes)
    return memoryview(found)[start - begin : stop - begin]


def _chunk_of(data: memoryview, header: _Header, blocks: range, n_bytes: int) -> bytes:
    """Assemble a chunk from consecutive blocks.

    Raises:
        ArchiveError: The list of blocks is damaged.
    """
    first_byte = _HEADER.size + 4 * header.n_blocks
    starts = struct.unpack_from(f"<{header.n_blocks}I", data, _HEADER.size)
    # Threads write blocks in the order in which they finish, so a block ends at the next start.
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
        raise ArchiveError(f"decompresses to {len(found)} bytes, expected {n_bytes}")
    return found
