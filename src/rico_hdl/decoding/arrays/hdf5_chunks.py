"""Checking that each chunk of an HDF5 dataset decompresses to its size.

HDF5 does not: it inflates any amount of data, and a chunk that decompresses to less leaves the rest
of its pixels uninitialised. So each chunk is first decompressed here, to bounded memory.

Format: "HDF5 File Format Specification", version 3.0, "Data Storage - Filter Pipeline".
"""

from __future__ import annotations

from typing import Any, Final

from rico_hdl.errors import DecodingError

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
    settings = dataset.get_create_plist()
    filters = [settings.get_filter(i)[0] for i in range(settings.get_nfilters())]
    if not {*filters} <= _KNOWN or len([f for f in filters if f in _COMPRESSORS]) > 1:
        raise DecodingError(
            f"its filters are {filters}, expected gzip ({_DEFLATE}) or LZF ({_LZF}), with shuffle "
            f"({_SHUFFLE}) or Fletcher's checksum ({_FLETCHER32}) or without"
        )
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
