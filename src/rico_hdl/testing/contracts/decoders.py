"""The contract of every decoder, as tests that each implementation inherits."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Protocol

import numpy as np
import pytest

from rico_hdl.decoding.raster import Raster
from rico_hdl.errors import ArchiveError, DecodingError

SHAPES = ((1, 1, 1), (1, 3, 5), (1, 64, 64), (3, 20, 33), (2, 1, 40), (4, 40, 1))


class PlainDecoder(Protocol):
    """The decoder under test; threads may share it."""

    def decode(self, data: bytes) -> tuple[Raster, ...]:
        """The bands of a file."""


def stack_of(shape: tuple[int, int, int], dtype: str, seed: int = 0) -> np.ndarray:
    """Bands of shape (band, row, column) with random bits, including infinities and NaN."""
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer(random.Random(seed).randbytes(n_bytes), dtype).reshape(shape)


class DecoderContract(ABC):
    """The contract of decoders, which turn the bytes of a file into bands."""

    dtypes: ClassVar[tuple[str, ...]] = ("uint8", "uint16", "int16", "uint32", "float32", "float64")
    shapes: ClassVar[tuple[tuple[int, int, int], ...]] = SHAPES
    notices_every_cut: ClassVar[bool] = True
    """Whether every truncated file is refused."""

    @abstractmethod
    def encode(self, stack: np.ndarray) -> bytes:
        """A file with these bands, from a writer that is independent of the decoder."""

    def judged(self, data: bytes, stack: np.ndarray) -> np.ndarray:
        """The bands that the decoder has to find in a file with these bands: lossless ones."""
        del data
        return stack

    @abstractmethod
    def decoder(self) -> PlainDecoder:
        """A new decoder."""

    def _file(self, shape: tuple[int, int, int], dtype: str, seed: int = 0) -> tuple[bytes, Any]:
        """A file, and the bands that it holds."""
        stack = stack_of(shape, dtype, seed)
        data = self.encode(stack)
        return data, self.judged(data, stack)

    def test_every_bit_is_as_written(self) -> None:
        """Each band has its dtype, shape and every bit, for any kind of file."""
        for shape in self.shapes:
            for dtype in self.dtypes:
                data, stack = self._file(shape, dtype)
                assert_same(self.decoder().decode(data), stack)

    def test_a_decoder_with_a_history_decodes_alike(self) -> None:
        """A decoder that has decoded other files gives the same result as a new one."""
        rng = random.Random(0)
        files = [self._file(shape, dtype, 1) for shape in self.shapes for dtype in self.dtypes]
        decoder = self.decoder()
        for data, stack in rng.choices(files, k=150):
            assert_same(decoder.decode(data), stack)

    def test_the_same_layout_with_other_pixels(self) -> None:
        """Files that differ only in their pixels each give their own pixels."""
        decoder = self.decoder()
        for seed in range(20):
            data, stack = self._file(self.shapes[2], self.dtypes[-1], seed)
            assert_same(decoder.decode(data), stack)

    def test_decoded_bands_stay_unchanged(self) -> None:
        """Bands keep their pixels when the same decoder decodes another file."""
        decoder = self.decoder()
        files = [self._file(self.shapes[2], self.dtypes[-1], seed) for seed in range(5)]
        found = [decoder.decode(data) for data, _ in files]
        for rasters, (_, stack) in zip(found, files, strict=True):
            assert_same(rasters, stack)

    def test_threads_share_a_decoder(self) -> None:
        """Concurrent threads that share a decoder each get the bands of their own file."""
        decoder = self.decoder()
        files = [self._file(shape, dtype, 2) for shape in self.shapes for dtype in self.dtypes] * 5
        random.Random(0).shuffle(files)
        with ThreadPoolExecutor(8) as pool:
            for rasters, (_, stack) in zip(
                pool.map(lambda file: decoder.decode(file[0]), files), files, strict=True
            ):
                assert_same(rasters, stack)

    def test_a_file_cut_anywhere_gives_no_wrong_pixel(self) -> None:
        """A truncated file is an error of ours, or has everything that its pixels need."""
        data, stack = self._file(self.shapes[2], self.dtypes[-1])
        decoder = self.decoder()
        decoder.decode(data)
        rng = random.Random(0)
        for n_bytes in {0, 1, 8, len(data) - 1, *rng.sample(range(len(data)), 60)}:
            for one in (decoder, self.decoder()):
                try:
                    found = one.decode(data[:n_bytes])
                except (DecodingError, ArchiveError):
                    continue
                assert not self.notices_every_cut, n_bytes
                assert_same(found, stack)

    @pytest.mark.parametrize("data", [b"", b"\0", b"II*\0", b"no file of pixels" * 100])
    def test_something_else_is_refused(self, data: bytes) -> None:
        """Another kind of file is an error of ours, in one line."""
        with pytest.raises((DecodingError, ArchiveError)) as caught:
            self.decoder().decode(data)
        assert "\n" not in caught.value.message


def assert_same(rasters: tuple[Raster, ...], stack: np.ndarray) -> None:
    """Compare each band's dtype, shape and bytes with an array of (band, row, column)."""
    found = [(raster.dtype, tuple(raster.shape), bytes(raster.data)) for raster in rasters]
    assert found == [(stack.dtype.name, stack.shape[1:], band.tobytes()) for band in stack]
