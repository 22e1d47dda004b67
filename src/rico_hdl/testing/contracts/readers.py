"""The contract of read methods, as tests that each one inherits.

The store is written here with plain `lmdb` and `safetensors`, so its contents are known
independently. Each pixel encodes its key, band, row and column: no patch can pass for another.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import lmdb
import numpy as np
import pytest
from safetensors.numpy import save

KEYS = (
    # Some keys are prefixes of others, and the order of the store is not that of the numbers.
    *("X", "X_reference_map", "X_reference", "XY", "Y", "x"),
    *(f"patch_{i}" for i in range(30)),
    *("ä", "a" * 511),
)
BANDS = ("B02", "B2", "B8A", "VV")


def pixels(key: str, band: str, shape: tuple[int, int], dtype: str) -> np.ndarray:
    """Pixels that encode key, band, row and column, in any bits of the dtype, including NaN."""
    rows, columns = np.indices(shape)
    seed = np.uint64(crc32(f"{key}/{band}".encode()))
    bits = (seed * 2654435761 + rows * 40503 + columns * 9973).astype(np.uint64)
    return bits.astype(f"u{np.dtype(dtype).itemsize}").view(dtype)


def write_store(
    folder: Path, *, shape: tuple[int, int] = (5, 7), dtype: str = "uint16"
) -> dict[str, dict[str, np.ndarray]]:
    """Write a store of all keys and bands, in several transactions; returns its contents."""
    patches = {key: {b: pixels(key, b, shape, dtype) for b in BANDS} for key in KEYS}
    size = 2**24 + 4 * len(KEYS) * len(BANDS) * math.prod(shape) * 8
    folder.mkdir()
    with lmdb.open(str(folder), map_size=size) as env:
        for first in range(0, len(KEYS), 10):
            with env.begin(write=True) as txn:
                for key in KEYS[first : first + 10]:
                    txn.put(key.encode(), save(patches[key]))
    return patches


class ReaderContract(ABC):
    """The contract of reading patches."""

    @abstractmethod
    def read(self, folder: Path, keys: Sequence[str], bands: Sequence[str]) -> np.ndarray:
        """Read patches whose bands all have the same size.

        Returns:
            Shape (key, band, row, column), in the requested order.

        Raises:
            Exception: A key is not in the store; the message names it.
        """

    # The last two do not fit into one page of LMDB, so they are in overflow pages.
    @pytest.mark.parametrize("shape", [(1, 1), (5, 7), (20, 20), (120, 120)])
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
    def test_every_pixel_is_that_of_its_key_and_band(
        self, tmp_path: Path, shape: tuple[int, int], dtype: str
    ) -> None:
        """Each bit is as written, for any size of record and any dtype."""
        patches = write_store(tmp_path / "store", shape=shape, dtype=dtype)
        keys = sorted(KEYS, key=lambda key: key.encode())
        assert_same(self.read(tmp_path / "store", keys, BANDS), patches, keys, BANDS)

    def test_order_and_repetition_are_the_callers(self, tmp_path: Path) -> None:
        """Patches and bands come in the requested order, with repetitions."""
        patches = write_store(tmp_path / "store")
        keys = [KEYS[i * 7 % len(KEYS)] for i in range(60)]
        for bands in (BANDS[::-1], BANDS[1:2], BANDS[::2]):
            assert_same(self.read(tmp_path / "store", keys, bands), patches, keys, bands)

    def test_one_patch_is_read_like_many(self, tmp_path: Path) -> None:
        """A single key gives the same patch as it does among others."""
        patches = write_store(tmp_path / "store")
        for key in KEYS:
            assert_same(self.read(tmp_path / "store", [key], BANDS), patches, [key], BANDS)

    @pytest.mark.parametrize("key", ["X_", "X_reference_ma", "Z", "patch_", "patch_99", "A"])
    def test_a_missing_key_is_named(self, tmp_path: Path, key: str) -> None:
        """A missing key is an error that names it, even if other keys begin with it or like it."""
        write_store(tmp_path / "store")
        with pytest.raises(Exception, match=f"'?{key}'?"):
            self.read(tmp_path / "store", ["X", key], BANDS)

    def test_a_missing_band_is_named(self, tmp_path: Path) -> None:
        """A missing band is an error that names it."""
        write_store(tmp_path / "store")
        with pytest.raises(Exception, match="B99"):
            self.read(tmp_path / "store", ["X"], ["B02", "B99"])

    def test_threads_read_at_once(self, tmp_path: Path) -> None:
        """Concurrent threads that read the same folder each get their own patches."""
        patches = write_store(tmp_path / "store")

        def read(number: int) -> tuple[list[str], np.ndarray]:
            keys = [KEYS[(number + i * 5) % len(KEYS)] for i in range(20)]
            return keys, self.read(tmp_path / "store", keys, BANDS)

        with ThreadPoolExecutor(4) as pool:
            for keys, found in pool.map(read, range(12)):
                assert_same(found, patches, keys, BANDS)


def assert_same(
    found: np.ndarray,
    patches: dict[str, dict[str, np.ndarray]],
    keys: Sequence[str],
    bands: Sequence[str],
) -> None:
    """Compare every bit, dtype and shape."""
    expected = np.stack([np.stack([patches[key][band] for band in bands]) for key in keys])
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.tobytes() == expected.tobytes()
