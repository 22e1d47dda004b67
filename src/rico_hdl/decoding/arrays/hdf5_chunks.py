"""Checking that each chunk of an HDF5 dataset decompresses to its size.

HDF5 does not: it inflates any amount of data, and a chunk that decompresses to less leaves the rest
of its pixels uninitialised. So each chunk is first decompressed here, to bounded memory.

Format: "HDF5 File Format Specification", version 3.0, "Data Storage - Filter Pipeline".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rico_hdl.errors import ArchiveError, DecodingError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF = 1, 2, 3, 32000
"""HDF5's numbers of filters."""
_COMPRESSORS: Final = frozenset({_DEFLATE, _LZF})
_KNOWN: Final = _COMPRESSORS | {_SHUFFLE, _FLETCHER32}
_CHECKSUM_BYTES: Final = 4
"""What Fletcher's checksum adds to a chunk."""


def check_chunks(dataset: Any, chunk_bytes: int) -> None:  # noqa: ANN401 - h5py ships no types
    """Check that all chunks of a dataset have the size that they should have.

    Args:
        dataset: The low-level identifier of h5py.
        chunk_bytes: The size of a chunk in bytes.

    Raises:
        DecodingError: A chunk has another size, or a filter is not supported.
    """
    filters = filters_of(dataset)
    chunks: list[tuple[tuple[int, ...], int]] = []
    dataset.chunk_iter(lambda chunk: chunks.append((chunk.chunk_offset, chunk.size)))
    for offset, n_bytes in chunks:
        mask, packed = dataset.read_direct_chunk(offset)
        applied = [one for i, one in enumerate(filters) if not mask >> i & 1]
        at = next((i for i, one in enumerate(applied) if one in _COMPRESSORS), len(applied))
        end = len(packed) - _CHECKSUM_BYTES * applied[at:].count(_FLETCHER32)
        expected = chunk_bytes + _CHECKSUM_BYTES * applied[:at].count(_FLETCHER32)
        compressor = applied[at] if at < len(applied) else None
        n_unpacked = _unpacked_bytes(compressor, packed[: max(0, end)], expected)
        if n_unpacked != expected or n_bytes != len(packed):
            raise DecodingError(
                f"its chunk at {offset} is damaged: it does not decompress to {expected} bytes"
            )


def filters_of(dataset: Any) -> list[int]:  # noqa: ANN401 - h5py ships no types
    """The numbers of a dataset's filters, in the order in which they were applied.

    Args:
        dataset: The low-level identifier of h5py.

    Raises:
        DecodingError: A filter is not supported.
    """
    settings = dataset.get_create_plist()
    filters = [settings.get_filter(i)[0] for i in range(settings.get_nfilters())]
    if not {*filters} <= _KNOWN or len([f for f in filters if f in _COMPRESSORS]) > 1:
        raise DecodingError(
            f"its filters are {filters}, expected gzip ({_DEFLATE}) or LZF ({_LZF}), with shuffle "
            f"({_SHUFFLE}) or Fletcher's checksum ({_FLETCHER32}) or without"
        )
    return filters


def unpacked_chunk(
    packed: bytes, mask: int, filters: list[int], chunk_bytes: int, item_bytes: int
) -> bytes | npt.NDArray[np.uint8]:
    """The elements of a chunk, without its filters.

    h5py would do the same, but it decompresses one chunk at a time in the whole process, and does
    not check the size. One thread reads 1,839 chunks of 106 kB with gzip a second, and h5py 1,088.

    Args:
        packed: The chunk as it is stored.
        mask: The filters that were not applied to it, as bits.
        filters: See `filters_of`.
        chunk_bytes: The size of its elements in bytes.
        item_bytes: The size of an element in bytes.

    Raises:
        ArchiveError: It is damaged.
    """
    applied = [one for i, one in enumerate(filters) if not mask >> i & 1]
    data: Any = packed
    for position in reversed(range(len(applied))):
        n_before = _CHECKSUM_BYTES * applied[:position].count(_FLETCHER32)
        data = _without(applied[position], data, chunk_bytes + n_before, item_bytes)
    if len(data) != chunk_bytes:
        raise ArchiveError(f"it holds {len(data)} bytes, expected {chunk_bytes}")
    return data  # type: ignore[no-any-return]


def _without(one: int, data: Any, expected: int, item_bytes: int) -> Any:  # noqa: ANN401 - buffers
    """Some data without one filter.

    Args:
        one: The number of the filter.
        data: The data.
        expected: The size of the result in bytes.
        item_bytes: The size of an element in bytes.
    """
    import imagecodecs  # noqa: PLC0415 - takes a tenth of a second
    import numpy as np  # noqa: PLC0415 - only needed here

    if one == _SHUFFLE:
        n = len(data) // item_bytes
        if item_bytes == 1 or n < 2:
            return data
        flat = np.frombuffer(data, np.uint8)
        whole = flat[: n * item_bytes].reshape(item_bytes, n).T
        return np.concatenate([whole.reshape(-1), flat[n * item_bytes :]])
    if one == _FLETCHER32:
        stored = int.from_bytes(bytes(data[-_CHECKSUM_BYTES:]), "little")
        content = data[:-_CHECKSUM_BYTES]
        computed = int(imagecodecs.h5checksum_fletcher32(content)) if len(content) else 0
        # HDF5 before 1.6.3 swapped the bytes on some machines, and HDF5 reads such files.
        swapped = (computed & 0xFF00FF) << 8 | computed >> 8 & 0xFF00FF
        if len(data) < _CHECKSUM_BYTES or stored not in {computed, swapped}:
            raise ArchiveError(f"its checksum is {computed:08x}, expected {stored:08x}")
        return content
    decode = imagecodecs.lzf_decode if one == _LZF else imagecodecs.deflate_decode
    try:
        found = decode(bytes(data), out=expected)
    except (imagecodecs.DeflateError, imagecodecs.LzfError, ValueError, MemoryError) as error:
        raise ArchiveError(f"it can't be decompressed: {error}") from error
    if len(found) != expected:
        raise ArchiveError(f"it decompresses to {len(found)} bytes, expected {expected}")
    return found


def _unpacked_bytes(compressor: int | None, packed: bytes, expected: int) -> int:
    """The size of some data without its compression; -1 if it is damaged or too long."""
    if compressor is None:
        return len(packed)
    import imagecodecs  # noqa: PLC0415 - takes a tenth of a second

    try:
        if compressor == _LZF:
            return len(imagecodecs.lzf_decode(packed, out=expected))
        return len(imagecodecs.deflate_decode(packed, out=expected))
    except (imagecodecs.DeflateError, imagecodecs.LzfError, ValueError, MemoryError):
        return -1
