"""``.npz`` files that hold many patches: an array is unpacked as a whole, for all its patches."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from rico_hdl.decoding.arrays.npy import MAX_HEAD_BYTES, NpyHeader, array_in, parse_header
from rico_hdl.decoding.arrays.npz import NPZ_DAMAGE, npz_member
from rico_hdl.errors import ArchiveError, DecodingError
from rico_hdl.sources.arrays.cube import MAX_BLOCK_BYTES, Region
from rico_hdl.sources.arrays.paths import places_among
from rico_hdl.sources.arrays.stored import StoredFile
from rico_hdl.sources.arrays.words import as_words
from rico_hdl.sources.files import open_regular
from rico_hdl.spec.arrays import NPY_SUFFIX

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class NpzFile:
    """An ``.npz`` file; see `ArrayFile`.

    Args:
        stored: The file.
    """

    def __init__(self, stored: StoredFile) -> None:
        self._stored = stored

    def places(self, path: str) -> Iterator[dict[str, str]]:
        """See `ArrayFile.places`."""
        with self._opened() as file:
            names = [name.removesuffix(NPY_SUFFIX) for name in file.namelist()]
        yield from places_among(sorted(names), path)

    def cube(self, path: str) -> NpzCube:
        """See `ArrayFile.cube`."""
        return NpzCube(self, path)

    def words(self, path: str, start: int, stop: int) -> list[str]:
        """See `ArrayFile.words`."""
        return as_words(path, self.array(path)[start:stop])

    def n_words(self, path: str) -> int:
        """See `ArrayFile.n_words`."""
        return len(self.array(path))

    def header(self, path: str) -> NpyHeader:
        """The header of an array."""
        with self._opened() as file, file.open(npz_member(file, path)) as stream:
            return parse_header(stream.read(MAX_HEAD_BYTES))

    def array(self, path: str) -> npt.NDArray[Any]:
        """A whole array, whose checksum is verified.

        Raises:
            DecodingError: It is too large.
            ArchiveError: It is damaged.
        """
        header = self.header(path)
        if header.dtype.hasobject:
            raise DecodingError(f"array {path!r} holds Python objects, which are not loaded")
        size = header.start + math.prod(header.shape) * header.dtype.itemsize
        if size > MAX_BLOCK_BYTES:
            raise DecodingError(
                f"array {path!r} has {size:,} bytes, expected at most {MAX_BLOCK_BYTES:,}: it can "
                "only be unpacked as a whole; save it as .npy, of which parts are read"
            )
        with self._opened() as file:
            member = npz_member(file, path)
            if member.file_size != size:
                raise ArchiveError(f"array {path!r} has {member.file_size} bytes, expected {size}")
            with file.open(member) as stream:
                data = stream.read(size)  # not more, whatever the data inflates to
        if len(data) != size:
            raise ArchiveError(f"array {path!r} inflates to {len(data)} bytes, expected {size}")
        return array_in(data, header)

    @contextmanager
    def _opened(self) -> Iterator[ZipFile]:
        """The file, opened; its damage is an `ArchiveError`."""
        raw: Any
        if self._stored.data is not None:
            raw = BytesIO(self._stored.data)
        else:
            raw = os.fdopen(open_regular(self._stored.path), "rb")
        with raw:
            try:
                with ZipFile(raw) as file:
                    yield file
            except NPZ_DAMAGE as error:
                raise ArchiveError(f"the npz file is damaged or cut short: {error}") from error


class NpzCube:
    """An array of an ``.npz`` file; see `Cube`.

    Args:
        file: The file.
        path: The array's name.
    """

    def __init__(self, file: NpzFile, path: str) -> None:
        header = file.header(path)
        self._file = file
        self._path = path
        self.shape = header.shape
        self.dtype: np.dtype[Any] = header.dtype
        self.is_fortran = header.is_fortran

    @property
    def chunks(self) -> tuple[int, ...]:
        """See `Cube.chunks`: the whole array."""
        return tuple(max(1, size) for size in self.shape)

    def read(self, region: Region) -> npt.NDArray[Any]:
        """See `Cube.read`."""
        array = self._file.array(self._path)
        return array[tuple(slice(r.start, r.stop) for r in region)]
