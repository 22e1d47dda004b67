"""HDF5 files that hold many patches: only the chunks of a patch are read.

h5py opens files and finds chunks; it reads what is not chunked. Nothing in a file is run, and
nothing outside of it is read, as in `rico_hdl.decoding.arrays.hdf5`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.decoding.arrays.hdf5 import dataset_at
from rico_hdl.decoding.arrays.hdf5_chunks import filters_of, unpacked_chunk
from rico_hdl.errors import ArchiveError, DecodingError
from rico_hdl.sources.arrays.cube import MAX_BLOCK_BYTES, Region, assembled
from rico_hdl.sources.arrays.handles import Hdf5Handles, OpenedHdf5
from rico_hdl.sources.arrays.paths import path_template
from rico_hdl.sources.arrays.stored import StoredFile
from rico_hdl.sources.arrays.words import as_words
from rico_hdl.spec.model import BAND_FIELD

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_ERRORS: Final = (RuntimeError, ValueError, LookupError, TypeError, MemoryError)
"""What h5py raises for damaged files, in addition to OSError."""
_NOT_ALLOCATED: Final = "not allocated"
"""In HDF5's error for a chunk that was never written."""
_UNDEFINED: Final = 0
"""HDF5's number for a fill value that is undefined."""


class Hdf5File:
    """An HDF5 file; see `ArrayFile`.

    Args:
        stored: The file.
        handles: Opens it.
    """

    def __init__(self, stored: StoredFile, handles: Hdf5Handles) -> None:
        self._stored = stored
        self._handles = handles

    @contextmanager
    def opened(self) -> Iterator[OpenedHdf5]:
        """The file, for one thread at a time; its damage is an `ArchiveError`."""
        with self._handles.use(self._stored) as file:
            try:
                yield file
            except (OSError, *_ERRORS) as error:
                raise ArchiveError(
                    f"the HDF5 file is damaged or can't be read: {' '.join(str(error).split())}"
                ) from error

    def places(self, path: str) -> Iterator[dict[str, str]]:
        """See `ArrayFile.places`."""
        template = path_template(path.strip("/"))
        if template is None:
            yield {}
            return
        found: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        with self.opened() as file:
            level: list[tuple[Any, dict[str, str]]] = [(file.file, {})]
            for depth, segment in enumerate(template.segments, 1):
                below = []
                for group, bound in level:
                    for name in sorted(group) if hasattr(group, "keys") else ():
                        values = segment.match(name, bound)
                        if values is not None:
                            is_last = depth == len(template.segments)
                            below.append((None if is_last else _child(group, name), bound | values))
                level = below
            for _, values in level:
                values.pop(BAND_FIELD, None)
                found.setdefault(tuple(values.items()), values)
        yield from found.values()

    def cube(self, path: str) -> Hdf5Cube:
        """See `ArrayFile.cube`."""
        return Hdf5Cube(self, path)

    def words(self, path: str, start: int, stop: int) -> list[str]:
        """See `ArrayFile.words`. The last name may be that of a field of a table."""
        with self.opened() as file:
            dataset, field = table_at(file.file, path)
            array = dataset[start:stop] if not field else dataset[start:stop][field]
        return as_words(path, array)

    def n_words(self, path: str) -> int:
        """See `ArrayFile.n_words`."""
        with self.opened() as file:
            dataset, _ = table_at(file.file, path)
            if len(dataset.shape or ()) != 1:
                raise DecodingError(
                    f"dataset {path!r} has shape {dataset.shape}, expected one dimension of labels"
                )
            return int(dataset.shape[0])


class Hdf5Cube:
    """A dataset of an HDF5 file; see `Cube`.

    Args:
        file: The file.
        path: The path of the dataset.

    Raises:
        DecodingError: It is absent, or stored in a form that is not supported.
    """

    is_fortran = False

    def __init__(self, file: Hdf5File, path: str) -> None:
        self._file = file
        self._path = path
        with file.opened() as opened:
            dataset = opened.dataset(path)
            self.shape: tuple[int, ...] = dataset.shape or ()
            self.chunks: tuple[int, ...] | None = dataset.chunks
            self.dtype: np.dtype[Any] = dataset.dtype
            self._filters = [] if self.chunks is None else filters_of(dataset.id)
            problem = _problem_of(dataset)
        if problem:
            raise DecodingError(f"dataset {path!r}: {problem}")

    def read(self, region: Region) -> npt.NDArray[Any]:
        """See `Cube.read`."""
        if self.chunks is not None:
            return assembled(self, region, self._chunk)
        with self._file.opened() as file:
            dataset = file.dataset(self._path)
            if dataset.shape != self.shape:
                raise ArchiveError(f"dataset {self._path!r} has changed since it was opened")
            found: npt.NDArray[Any] = dataset[tuple(slice(r.start, r.stop) for r in region)]
        return found

    def _chunk(self, index: tuple[int, ...]) -> npt.NDArray[Any]:
        """A whole chunk, with the padding beyond the array's ends."""
        import numpy as np  # noqa: PLC0415 - a tenth of a second that other sources never need

        chunks = self.chunks or ()
        offset = tuple(i * step for i, step in zip(index, chunks, strict=True))
        with self._file.opened() as file:
            dataset = file.dataset(self._path)
            try:
                mask, packed = dataset.id.read_direct_chunk(offset)
            except RuntimeError as error:
                if _NOT_ALLOCATED not in str(error) or _is_allocated(dataset, offset):
                    raise
                return np.broadcast_to(_fill_value(dataset, self._path), chunks)
        n_bytes = math.prod(chunks) * self.dtype.itemsize
        try:
            data = unpacked_chunk(packed, mask, self._filters, n_bytes, self.dtype.itemsize)
        except ArchiveError as error:
            raise ArchiveError(
                f"dataset {self._path!r}: its chunk at {offset} is damaged: {error.message}"
            ) from error
        return np.frombuffer(data, self.dtype).reshape(chunks)


def table_at(file: Any, path: str) -> tuple[Any, str]:  # noqa: ANN401 - h5py ships no types
    """The dataset at a path, and the field of it that the path names; empty if it names none.

    Raises:
        DecodingError: There is none.
    """
    above, _, field = path.rpartition("/")
    try:
        return dataset_at(file, path), ""
    except DecodingError:
        if not above:
            raise
        dataset = dataset_at(file, above)
        if field not in (dataset.dtype.names or ()):
            raise
        return dataset, field


def _child(group: Any, name: str) -> Any:  # noqa: ANN401 - h5py ships no types
    """What a group has under a name.

    Raises:
        DecodingError: It is a link, which may lead out of the file.
    """
    import h5py  # noqa: PLC0415 - takes a fifth of a second; other formats don't need it

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise DecodingError(f"{group.name.rstrip('/')}/{name} is a link to another place")
    return group[name]


def _problem_of(dataset: Any) -> str:  # noqa: ANN401 - h5py ships no types
    """Why the elements of a dataset can't be read; empty if they can."""
    import h5py  # noqa: PLC0415 - see `_child`

    if dataset.is_virtual or dataset.external:
        return "its data is in other files"
    if dataset.dtype.hasobject:
        return ""  # refused later, with the reason
    # Integers and floats with unused bits are converted by HDF5, not copied.
    if not dataset.id.get_type().equal(h5py.h5t.py_create(dataset.dtype, logical=True)):
        return f"its type is not that of {dataset.dtype} in numpy"
    chunk_bytes = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    if chunk_bytes > MAX_BLOCK_BYTES:
        return f"its chunks have {chunk_bytes:,} bytes, expected at most {MAX_BLOCK_BYTES:,}"
    return ""


def _is_allocated(dataset: Any, offset: tuple[int, ...]) -> bool:  # noqa: ANN401 - see above
    """Whether a chunk was ever written. It takes a look at all chunks."""
    return dataset.id.get_chunk_info_by_coord(offset).byte_offset is not None


def _fill_value(dataset: Any, path: str) -> npt.NDArray[Any]:  # noqa: ANN401 - see above
    """The value of chunks that were never written, as an array without dimensions.

    Raises:
        ArchiveError: It is undefined.
    """
    import numpy as np  # noqa: PLC0415 - see `Hdf5Cube._chunk`

    settings = dataset.id.get_create_plist()
    if settings.fill_value_defined() == _UNDEFINED:
        raise ArchiveError(f"dataset {path!r} lacks chunks, and its fill value is undefined")
    found: npt.NDArray[Any] = np.zeros((), dataset.dtype)
    settings.get_fill_value(found)
    return found
