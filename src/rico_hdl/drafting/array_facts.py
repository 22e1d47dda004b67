"""What an array file holds: its largest array, and a guess of what its axes are.

In: an npy, npz or HDF5 file, on disk or in memory. Out: `ArrayFacts`. Pixels are not read.
"""

from __future__ import annotations

import math
from collections import Counter
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple
from zipfile import ZipFile

from rico_hdl.decoding.arrays.hdf5 import datasets_in
from rico_hdl.decoding.arrays.layout import check_dtype
from rico_hdl.decoding.arrays.npy import MAX_HEAD_BYTES, parse_header
from rico_hdl.decoding.arrays.npz import NPZ_DAMAGE
from rico_hdl.errors import DecodingError
from rico_hdl.spec.arrays import BAND, COLUMNS, NPY_SUFFIX, NPZ_SUFFIX, ROWS

_MAX_BANDS: Final = 512
"""The most bands that a guess gives: hyperspectral images have two hundred."""
_LEADING: Final = (("sample",), ("sample", "time"))
"""Guesses for axes beyond those of a patch."""
_GROUP: Final = "{group}"
"""Stands for the groups of an HDF5 file that hold a patch each."""

Found = tuple[str, tuple[int, ...], str]
"""The path, the shape and the numpy name of the dtype of an array."""


class ArrayFacts(NamedTuple):
    """The array of a file that is drafted as a modality."""

    array: str
    """Its path in the file; empty for ``.npy`` files."""
    axes: tuple[str, ...]
    """A guess of what its axes are."""
    shape: tuple[int, ...]
    dtype: str
    """The numpy name."""
    others: tuple[str, ...]
    """The paths of the file's other arrays."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that tell the patches in a file apart; none if it holds one."""
        group = ("group",) if _GROUP in self.array else ()
        return (*group, *(axis for axis in self.axes if axis not in {BAND, ROWS, COLUMNS}))

    def size(self, axis: str) -> int:
        """The length of an axis; one if there is none of that name."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1


def array_facts(path: str, file: bytes | Path) -> ArrayFacts:
    """The largest array of a file that may hold pixels.

    Args:
        path: The file's name, whose extension decides how it is read.
        file: Its bytes, or its place on disk.

    Raises:
        DecodingError: There is none, or the file is damaged.
        OSError: The file can't be read.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == NPY_SUFFIX:
        header = parse_header(_head(file))
        arrays = [("", header.shape, header.dtype.name)]
        check_dtype(header.dtype)
    else:
        arrays = _in_npz(file) if suffix == NPZ_SUFFIX else datasets_in(file)
    known = [one for one in arrays if 2 <= len(one[1]) <= 5 and math.prod(one[1]) > 0]
    if not known:
        raise DecodingError("it holds no array of numbers with 2 to 5 axes")
    name, shape, dtype = max(known, key=lambda one: (len(one[1]) > 2, math.prod(one[1])))
    others = tuple(other for other, _, _ in arrays if other != name)
    last = name.rpartition("/")[2]
    ends = Counter((other.count("/"), other.rpartition("/")[2]) for other, _, _ in known)
    if name.count("/") == 1 and ends[1, last] > 1:
        # The same name in several groups: a patch in each.
        others = tuple(sorted({other.rpartition("/")[2] for other in others} - {last}))
        name = f"{_GROUP}/{last}"
    return ArrayFacts(name, _axes(shape), shape, dtype, others)


def _axes(shape: tuple[int, ...]) -> tuple[str, ...]:
    """A guess of what the axes of an array are: the shortest of a patch's axes is that of bands."""
    if len(shape) == 2:
        return (ROWS, COLUMNS)
    n_leading = len(shape) - 3
    bands_last = shape[-1] < shape[-3]
    if n_leading == 0 and min(shape[0], shape[-1]) > _MAX_BANDS:
        return ("sample", ROWS, COLUMNS)
    inner = (ROWS, COLUMNS, BAND) if bands_last else (BAND, ROWS, COLUMNS)
    return (*(_LEADING[n_leading - 1] if n_leading else ()), *inner)


def _head(file: bytes | Path) -> bytes:
    if isinstance(file, bytes):
        return file[:MAX_HEAD_BYTES]
    with file.open("rb") as opened:
        return opened.read(MAX_HEAD_BYTES)


def _in_npz(file: bytes | Path) -> list[Found]:
    """The arrays of an ``.npz`` file."""
    found: list[Found] = []
    try:
        with ZipFile(BytesIO(file) if isinstance(file, bytes) else file) as opened:
            for name in opened.namelist():
                with opened.open(name) as stream:
                    header = parse_header(stream.read(MAX_HEAD_BYTES))
                if not header.dtype.hasobject:
                    found.append((name.removesuffix(NPY_SUFFIX), header.shape, header.dtype.name))
    except NPZ_DAMAGE as error:
        raise DecodingError(f"the npz file is damaged or cut short: {error}") from error
    return found
