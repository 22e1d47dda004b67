"""Pixels that encode their own position, and noise for benchmarks.

In: a key, a band, a shape, a dtype. Out: an array that depends on nothing else. Neither function
reads or writes files.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Shape = tuple[int, int]
"""(rows, columns)."""

# Odd constants of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
# OOPSLA 2014) and their like: products of distinct small integers do not collide.
_ROW: Final = np.uint64(0x9E3779B97F4A7C15)
_COLUMN: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_MIX: Final = np.uint64(0xBF58476D1CE4E5B9)
_BAND: Final = 0x94D049BB133111EB
_MASK: Final = (1 << 64) - 1

# numpy name -> (sign and mantissa bits kept, exponents allowed as bits, quiet NaN with a payload).
# The allowed exponents span sixteen around one.
_FLOATS: Final = {
    "float16": (0x83FF, 0x3000, 10, 0x7EAB),
    "float32": (0x807F_FFFF, 0x3C00_0000, 23, 0x7FC0_BEEF),
    "float64": (0x800F_FFFF_FFFF_FFFF, 0x3F80_0000_0000_0000, 52, 0x7FF8_DEAD_0000_BEEF),
}

_POOL_SIZE: Final = 1 << 22
"""Number of random samples that noise is cut from; more than the pixels of any band."""


def pixels(key: str, band_position: int, shape: Shape, dtype: str) -> npt.NDArray[Any]:
    """The pixels of one band, each a hash of (key, band, row, column).

    A swapped band, a transposed axis, a shifted row or another patch's pixels therefore differ
    almost everywhere. Floats have both signs, no infinity, a NaN with a payload as the first pixel
    and -0.0 as the last one; compare them as bytes.

    Args:
        key: The patch's key.
        band_position: Zero-based position in the modality's bands.
        shape: (rows, columns).
        dtype: The numpy name of an integer or a float of at most 64 bits.
    """
    seed = (zlib.crc32(key.encode()) << 32 | band_position + 1) * _BAND & _MASK
    rows = np.arange(1, shape[0] + 1, dtype=np.uint64) * _ROW
    columns = np.arange(1, shape[1] + 1, dtype=np.uint64) * _COLUMN
    hashed = (rows ^ np.uint64(seed))[:, np.newaxis] + columns
    hashed ^= hashed >> np.uint64(31)
    hashed *= _MIX
    hashed ^= hashed >> np.uint64(27)
    bits = _top_bits(hashed, np.dtype(dtype))
    if dtype in _FLOATS:
        bits.flat[0] = _FLOATS[dtype][3]
        bits.flat[-1] = 1 << (8 * bits.itemsize - 1)
    return bits.view(dtype)


def noise(key: str, band_position: int, shape: Shape, dtype: str, n_bits: int) -> npt.NDArray[Any]:
    """Pixels for benchmarks: fast to generate, and as hard to compress as `n_bits` random bits.

    Args:
        key: The patch's key.
        band_position: Zero-based position in the modality's bands.
        shape: (rows, columns).
        dtype: The numpy name; floats are random in all mantissa bits.
        n_bits: Random bits of an integer sample, on top of a constant offset.
    """
    size = shape[0] * shape[1]
    start = zlib.crc32(f"{key} {band_position}".encode()) % (_POOL_SIZE - size)
    return _pool(dtype, n_bits)[start : start + size].reshape(shape)


@lru_cache(maxsize=4)
def _pool(dtype: str, n_bits: int) -> npt.NDArray[Any]:
    random = np.random.default_rng(0)
    if dtype in _FLOATS:
        hashed = random.integers(0, _MASK, _POOL_SIZE, dtype=np.uint64, endpoint=True)
        return _top_bits(hashed, np.dtype(dtype)).view(dtype)
    n_values = 1 << min(n_bits, 8 * np.dtype(dtype).itemsize - 1)
    return random.integers(0, n_values, _POOL_SIZE, dtype=dtype)


def _top_bits(hashed: npt.NDArray[np.uint64], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The bit patterns of samples of `dtype`, as unsigned integers of the same width."""
    n_bits = 8 * dtype.itemsize
    bits = hashed >> np.uint64(64 - n_bits)
    if dtype.name in _FLOATS:
        keep, exponent, mantissa, _ = _FLOATS[dtype.name]
        small = (hashed & np.uint64(15)) << np.uint64(mantissa)
        bits = (bits & np.uint64(keep)) | (np.uint64(exponent) + small)
    return bits.astype(f"u{dtype.itemsize}")
