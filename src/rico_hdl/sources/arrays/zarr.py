"""Zipped Zarr v2 stores that hold many patches, or one with more axes than bands, rows, columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rico_hdl.errors import DecodingError, SourceError
from rico_hdl.sources.arrays.cube import Region, assembled
from rico_hdl.sources.arrays.stored import StoredFile
from rico_hdl.sources.zarr.files import StoreFiles
from rico_hdl.sources.zip.archive import ZipArchive
from rico_hdl.sources.zip.in_memory import ZipInMemory

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rico_hdl.sources.zarr.array import ZarrArray


class ZarrFile:
    """A zipped store; see `ArrayFile`.

    Args:
        stored: The file.
        axes: The names of the axes of its pixels, which the store has to state, too.

    Raises:
        SourceError, ArchiveError: It can't be opened, or is damaged.
    """

    def __init__(self, stored: StoredFile, axes: list[str]) -> None:
        archive = (
            ZipArchive([stored.path])
            if stored.data is None
            else ZipInMemory(stored.path, stored.data)
        )
        self._files = StoreFiles(archive)
        if self._files.damage is not None:
            raise self._files.damage
        self._axes = axes

    def places(self, path: str) -> Iterator[dict[str, str]]:
        """See `ArrayFile.places`: one, since the path of the array has no fields."""
        del path
        yield {}

    def cube(self, path: str) -> ZarrCube:
        """See `ArrayFile.cube`."""
        try:
            array = self._files.array(path, len(self._axes), is_text=False)
            self._files.check_dimensions(path, self._axes)
            self._files.check_chunks(array)
        except SourceError as error:
            raise DecodingError(error.message, error.hint) from error
        return ZarrCube(self._files, array)

    def words(self, path: str, start: int, stop: int) -> list[str]:
        """See `ArrayFile.words`."""
        return self._words(path)[start:stop]

    def n_words(self, path: str) -> int:
        """See `ArrayFile.n_words`."""
        return len(self._words(path))

    def _words(self, path: str) -> list[str]:
        try:
            array = self._files.array(path, 1, is_text=True)
        except SourceError as error:
            raise DecodingError(error.message, error.hint) from error
        return array.words(self._files.fetch)


class ZarrCube:
    """An array of a store; see `Cube`.

    Args:
        files: The files of the store.
        array: The metadata of the array.
    """

    is_fortran = False

    def __init__(self, files: StoreFiles, array: ZarrArray) -> None:
        import numpy as np  # noqa: PLC0415 - a tenth of a second that other sources never need

        self._files = files
        self._array = array
        self.shape = array.shape
        self.chunks = array.chunks
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)

    def read(self, region: Region) -> npt.NDArray[Any]:
        """See `Cube.read`."""
        return assembled(self, region, lambda index: self._array.chunk(self._files.fetch, index))
