"""What HDF5 files say about each patch, in arrays next to the pixels.

In: a file with patches along one axis. Out: a row for each position on it, with the elements of the
file's other arrays that have the same length: numbers, texts, or a few of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.sources.arrays.hdf5 import Hdf5File
from rico_hdl.sources.arrays.patches import ContainerReader
from rico_hdl.sources.arrays.stored import StoredFile

if TYPE_CHECKING:
    import numpy.typing as npt

MAX_ELEMENTS: Final = 1024
"""Elements of a row of an array that is still a column: eco-regions are 846, as one-hot vectors."""
_WINDOW: Final = 1024
"""Rows that are read at once."""
_KINDS: Final = frozenset("biufSUO")
_OTHER: Final = re.compile("[^a-z0-9_]")


def rows_of(reader: ContainerReader, stored: StoredFile, name: str) -> Iterator[dict[str, object]]:
    """The rows of a file; none if it is not HDF5, or its arrays have no axis of patches.

    Args:
        reader: Opens the file.
        stored: The file.
        name: The path of the file, from which fields are taken, too.

    Raises:
        ArchiveError, SourceError, DecodingError, OSError: See `ArrayFile`.
    """
    file = reader.opened(stored)
    if not isinstance(file, Hdf5File):
        return
    values = reader.container.at_any_depth().match(name) or {}
    base: dict[str, object] = {**values, "file": PurePosixPath(name).stem}
    for series in reader.series(file):
        if not series.shape:
            continue
        columns = _columns(file, series.shape[0])
        for start in range(0, series.shape[0], _WINDOW):
            stop = min(start + _WINDOW, series.shape[0])
            parts = _parts(file, columns, start, stop)
            for position in range(start, stop):
                fields = reader.padded(series.fields((position, *[0] * (len(series.shape) - 1))))
                found = {column: part[position - start] for column, part in parts.items()}
                yield found | base | fields


def _columns(file: Hdf5File, n_rows: int) -> list[tuple[str, str, str]]:
    """The columns: the name of each, the path of its dataset, and its field in a table or empty."""
    import h5py  # noqa: PLC0415 - takes a fifth of a second; other formats don't need it

    found: list[tuple[str, str, str]] = []

    def visit(path: str, item: Any) -> None:  # noqa: ANN401 - h5py ships no types
        if not isinstance(item, h5py.Dataset) or item.is_virtual or item.external:
            return
        shape = item.shape or ()
        if shape[:1] != (n_rows,) or len(shape) > 2 or not 0 < (*shape, 1)[1] <= MAX_ELEMENTS:
            return
        for field in item.dtype.names or ("",):
            dtype = item.dtype[field] if field else item.dtype
            is_text = h5py.check_string_dtype(dtype) is not None
            if dtype.kind in _KINDS and (is_text or not dtype.hasobject) and not dtype.shape:
                found.append((_column_name(field or path), path, field))

    with file.opened() as opened:
        opened.file.visititems(visit)  # follows no links
    return found


def _parts(
    file: Hdf5File, columns: list[tuple[str, str, str]], start: int, stop: int
) -> dict[str, list[object]]:
    """Some rows of each column."""
    found = {}
    with file.opened() as opened:
        for column, path, field in columns:
            array: npt.NDArray[Any] = opened.dataset(path)[start:stop]
            found[column] = [_plain(item) for item in (array[field] if field else array).tolist()]
    return found


def _plain(item: object) -> object:
    """A value as text or number, or a list of them."""
    if isinstance(item, bytes):
        return item.decode(errors="replace")
    return [_plain(part) for part in item] if isinstance(item, list) else item


def _column_name(path: str) -> str:
    """The name of a column: lower-case letters, digits and underscores."""
    return _OTHER.sub("_", path.strip("/").lower())
