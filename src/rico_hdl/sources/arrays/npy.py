"""``.npy`` files that hold many patches: only the elements of a patch are read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rico_hdl.decoding.arrays.npy import MAX_HEAD_BYTES, NpyHeader, parse_header
from rico_hdl.errors import ArchiveError, DecodingError
from rico_hdl.sources.arrays.cube import Region, contiguous
from rico_hdl.sources.arrays.stored import StoredFile

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class NpyFile:
    """An ``.npy`` file; see `ArrayFile`.

    Args:
        stored: The file.
    """

    def __init__(self, stored: StoredFile) -> None:
        self._stored = stored

    def places(self, path: str) -> Iterator[dict[str, str]]:
        """See `ArrayFile.places`: one, since the file holds one array."""
        del path
        yield {}

    def cube(self, path: str) -> NpyCube:
        """See `ArrayFile.cube`."""
        del path
        return NpyCube(self._stored, parse_header(self._stored.pread(0, MAX_HEAD_BYTES)))

    def words(self, path: str, start: int, stop: int) -> list[str]:
        """See `ArrayFile.words`: it has none."""
        raise DecodingError(f"an npy file has no labels, such as {path!r} from {start} to {stop}")

    def n_words(self, path: str) -> int:
        """See `ArrayFile.n_words`: it has none."""
        raise DecodingError(f"an npy file has no labels, such as {path!r}")


class NpyCube:
    """The array of an ``.npy`` file; see `Cube`.

    Args:
        stored: The file.
        header: Its header.

    Raises:
        ArchiveError: The file's size differs from the array's.
    """

    chunks = None

    def __init__(self, stored: StoredFile, header: NpyHeader) -> None:
        self._stored = stored
        self._start = header.start
        self.shape = header.shape
        self.dtype: np.dtype[Any] = header.dtype
        self.is_fortran = header.is_fortran
        n_bytes = stored.n_bytes
        expected = header.start + math.prod(self.shape) * self.dtype.itemsize
        if n_bytes != expected:
            raise ArchiveError(
                f"the npy file has {n_bytes} bytes, expected {expected}: it is "
                f"{'cut short' if n_bytes < expected else 'damaged'}"
            )

    def read(self, region: Region) -> npt.NDArray[Any]:
        """See `Cube.read`."""
        pread = self._stored.pread
        if not self.is_fortran:
            return contiguous(self.shape, self.dtype, region, self._start, pread)
        # With its axes reversed, it is an array in C order.
        return contiguous(self.shape[::-1], self.dtype, region[::-1], self._start, pread).T
