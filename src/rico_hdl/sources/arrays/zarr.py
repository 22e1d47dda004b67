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
from rico_hdl.spec.arrays import COLUMNS, ROWS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rico_hdl.sources.zarr.array import ZarrArray


class ZarrFile:
    """A zipped store; see `ArrayFile`.

    Args:
        stored: The file.
        axes: The names of the axes of its pixels.

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
        """See `ArrayFile.cube`. The store says what its dimensions are, in whatever order.

        An axis that the store lacks has a length of one.
        """
        try:
            dimensions = self._files.dimensions(path)
            if dimensions is None or not _are_known(dimensions, self._axes):
                raise DecodingError(
                    f"array {path} has the dimensions {dimensions!a}, expected "
                    f"{', '.join(self._axes)}, in any order"
                )
            array = self._files.array(path, len(dimensions), is_text=False)
            self._files.check_chunks(array)
        except SourceError as error:
            raise DecodingError(error.message, error.hint) from error
        places = [dimensions.index(name) if name in dimensions else None for name in self._axes]
        return ZarrCube(self._files, array, places)

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


def _are_known(dimensions: list[str], axes: list[str]) -> bool:
    """Whether dimensions are axes of a spec, each once, with rows and columns among them."""
    is_once = len({*dimensions}) == len(dimensions)
    return is_once and {ROWS, COLUMNS} <= {*dimensions} <= {*axes}


class ZarrCube:
    """An array of a store; see `Cube`.

    Args:
        files: The files of the store.
        array: The metadata of the array.
        places: For each axis, its dimension in the array; None if the array lacks it.
    """

    is_fortran = False

    def __init__(self, files: StoreFiles, array: ZarrArray, places: list[int | None]) -> None:
        import numpy as np  # noqa: PLC0415 - a tenth of a second that other sources never need

        self._files = files
        self._array = array
        self._order = [place for place in places if place is not None]
        self._absent = [i for i, place in enumerate(places) if place is None]
        self.shape = tuple(1 if place is None else array.shape[place] for place in places)
        self.chunks = tuple(1 if place is None else array.chunks[place] for place in places)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)

    def read(self, region: Region) -> npt.NDArray[Any]:
        """See `Cube.read`."""
        return assembled(self, region, self._chunk)

    def _chunk(self, index: tuple[int, ...]) -> npt.NDArray[Any]:
        """A whole chunk with the axes of the spec, given its position in their grid."""
        import numpy as np  # noqa: PLC0415 - see `__init__`

        there = [i for axis, i in enumerate(index) if axis not in self._absent]
        inside = [there[self._order.index(dimension)] for dimension in range(len(there))]
        chunk = self._array.chunk(self._files.fetch, inside).transpose(self._order)
        return np.expand_dims(chunk, tuple(self._absent))
