"""The delta encodings of values in a page, which writers of parquet's version 2 use.

In: the values of a page. Out: the same as in the plain encoding, one by one.

Format: https://parquet.apache.org/docs/file-format/data-pages/encodings/
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

_DELTA_BINARY_PACKED, _DELTA_LENGTH_BYTE_ARRAY, _DELTA_BYTE_ARRAY = 5, 6, 7
"""The numbers of the encodings."""
MAX_VALUES: Final = 2**20
"""Maximum number of values of a page. Writers put some thousands into one."""
_MAX_WIDTH: Final = 64
"""Largest width of a packed difference, in bits."""
_MAX_DIGITS: Final = 10
"""Bytes of a number of 64 bits, seven bits each."""


def delta_values(
    encoding: int, data: memoryview, n_bytes: int | None, max_values: int
) -> Iterator[memoryview] | None:
    """The values of a page in one of these encodings; None if it is in another one.

    Args:
        encoding: The number of the encoding.
        data: The encoded values.
        n_bytes: Bytes of a value; None if they vary.
        max_values: The number of cells of the page. More values are damage, and so are more than
            `MAX_VALUES`, which could come from a few bytes.

    Returns:
        The bytes of each value. Integers are little-endian, and wrap around at their size.

    Raises:
        ValueError: The values are damaged.
    """
    if encoding == _DELTA_BINARY_PACKED and n_bytes is not None:
        values, _ = _numbers(data, max_values)
        mask, size = (1 << 8 * n_bytes) - 1, n_bytes
        return (memoryview((value & mask).to_bytes(size, "little")) for value in values)
    if encoding == _DELTA_LENGTH_BYTE_ARRAY:
        return _lengths(data, max_values)
    return _prefixed(data, max_values) if encoding == _DELTA_BYTE_ARRAY else None


def _lengths(data: memoryview, max_values: int) -> Iterator[memoryview]:
    """Values of which all lengths come first, then all bytes."""
    lengths, start = _numbers(data, max_values)
    stops = list(accumulate(lengths, initial=start))
    if min(lengths, default=0) < 0 or stops[-1] > len(data):
        raise ValueError(f"values that end at byte {stops[-1]:,} of {len(data):,}")
    return (data[stop - n : stop] for stop, n in zip(stops[1:], lengths, strict=True))


def _prefixed(data: memoryview, max_values: int) -> Iterator[memoryview]:
    """Values that begin with a part of the previous one."""
    shared, start = _numbers(data, max_values)
    found = b""
    for n, rest in zip(shared, _lengths(data[start:], max_values), strict=True):
        if not 0 <= n <= len(found):
            raise ValueError(f"a value that shares {n:,} bytes with one of {len(found):,}")
        found = found[:n] + rest
        yield memoryview(found)


def _numbers(data: memoryview, max_values: int) -> tuple[list[int], int]:
    """The integers of DELTA_BINARY_PACKED, and the number of bytes that they take."""
    import numpy as np  # noqa: PLC0415 - a tenth of a second that other sources never need

    block, at = _varint(data, 0)
    n_parts, at = _varint(data, at)
    n_values, at = _varint(data, at)
    value, at = _signed(data, at)
    if (
        n_values > min(max_values, MAX_VALUES)
        or not n_parts
        or block % n_parts
        or (block // n_parts) % 8
    ):
        raise ValueError(f"{n_values:,} values in blocks of {block:,} with {n_parts:,} parts")
    n_each = block // n_parts
    found = [value] if n_values else []
    while len(found) < n_values:
        least, at = _signed(data, at)
        widths, at = data[at : at + n_parts], at + n_parts
        for width in widths:
            n_left = n_values - len(found)
            if not n_left:
                break
            stop = at + n_each * width // 8
            if width > _MAX_WIDTH or stop > len(data):
                raise ValueError(f"differences of {width} bits, up to byte {stop:,}")
            n = min(n_each, n_left)
            packed = np.zeros(n, np.uint64)
            if width:
                bits = np.unpackbits(np.frombuffer(data[at:stop], np.uint8), bitorder="little")
                weights = np.uint64(1) << np.arange(width, dtype=np.uint64)
                packed = bits.reshape(-1, width)[:n].astype(np.uint64) @ weights
            for difference in packed.tolist():
                value += least + difference
                found.append(value)
            at = stop
    return found, at


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """An unsigned number, and the offset behind it."""
    found = 0
    for i in range(_MAX_DIGITS):
        byte = data[at + i]
        found |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return found, at + i + 1
    raise ValueError("a number of more than 64 bits")


def _signed(data: memoryview, at: int) -> tuple[int, int]:
    found, at = _varint(data, at)
    return (found >> 1) ^ -(found & 1), at
