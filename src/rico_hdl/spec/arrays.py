"""Arrays that hold patches: in files of arrays, or in Zarr stores.

Three kinds of modalities have them. If neither an axis nor the path has a field, each of the
modality's files is an array file (numpy or HDF5) with the bands of one patch. Otherwise each array
holds many patches: in files that the template of the modality names, see
`rico_hdl.spec.containers`, or, if it names none, in Zarr stores.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from rico_hdl.errors import SpecError

BAND, ROWS, COLUMNS = "band", "y", "x"
"""The names of the axes of array files."""
NPY_SUFFIX: Final = ".npy"
NPZ_SUFFIX: Final = ".npz"
HDF5_SUFFIXES: Final = (".h5", ".hdf5")
ARRAY_SUFFIXES: Final = (NPY_SUFFIX, NPZ_SUFFIX, *HDF5_SUFFIXES)
"""The extensions of array files, lower-case; those of numpy and of HDF5."""
_FIELD: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
BAND_IN_PATH: Final = "{band}"
"""Stands for a band's token in `Arrays.path`, if each band is an array of its own."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A dimension of an array."""

    name: str
    """Its name in the store; in array files ``band``, ``y`` (rows), ``x`` (columns), or that of a
    field such as ``sample`` or ``time``."""
    field: str = ""
    """The template field that varies along it, such as ``time``; empty for rows and columns, and
    for bands unless each of them has a path of its own."""
    labels: str = ""
    """The path of the array with the values of the field, or with the bands' tokens; if empty, they
    are zero-based positions, or the bands are in the order of the spec."""


@dataclass(frozen=True, slots=True)
class Arrays:
    """Where the pixels are in array files or Zarr stores."""

    path: str
    """The array's path in the store; the name of the array in an ``.npz`` file, or of the dataset
    in an HDF5 file, with ``{band}`` if each band has its own, and with other fields if each patch
    has its own. Empty for ``.npy`` files."""
    axes: tuple[Axis, ...]
    """Its dimensions, in order. In Zarr stores without a template of their own, the last two are
    rows and columns, after that of the bands if there are several."""

    @property
    def are_files(self) -> bool:
        """Whether the file of an array holds no other patches."""
        return not self.fields

    @property
    def fields(self) -> tuple[str, ...]:
        """The template fields that vary in a file or store: those of the path, then of the axes."""
        names = [name for name in _FIELD.findall(self.path) if name != BAND]
        return (*names, *(axis.field for axis in self.axes if axis.field))

    @property
    def axis_names(self) -> tuple[str, ...]:
        """The names of the axes, in order."""
        return tuple(axis.name for axis in self.axes)


def check_array_files(
    modality: str, suffix: str, arrays: Arrays | None, bands: Collection[str], *, is_split: bool
) -> None:
    """Check the arrays of a modality whose files may be array files.

    Args:
        modality: The modality's name.
        suffix: The extension of its files.
        arrays: Its arrays; None if it has none.
        bands: The names of its bands.
        is_split: Whether each band has a file of its own.

    Raises:
        SpecError: Array files have no arrays or the reverse, or the axes don't give each band once.
    """
    place = f"modality {modality!r}"
    is_known = suffix.lower() in ARRAY_SUFFIXES
    if arrays is None:
        if is_known:
            raise SpecError(f"{place}: its {suffix} files need axes", f"Such as {_example(bands)}.")
        return
    if not arrays.are_files:
        return
    if not is_known:
        raise SpecError(
            f"{place}: it has axes, and its files are {suffix or 'of any kind'}",
            f"Axes are those of array files: {', '.join(ARRAY_SUFFIXES)}.",
        )
    if bool(arrays.path) == (suffix.lower() == NPY_SUFFIX):
        raise SpecError(
            f"{place}: its array is named {arrays.path!r}",
            "Name no array: an .npy file holds one."
            if arrays.path
            else f"Name the array that the {suffix} files hold, as in numpy or h5py.",
        )
    has_band = not is_split and BAND_IN_PATH not in arrays.path
    allowed = [sorted((ROWS, COLUMNS))] * (not has_band or len(bands) == 1)
    allowed += [sorted((BAND, ROWS, COLUMNS))] * has_band
    if sorted(arrays.axis_names) not in allowed or (is_split and BAND_IN_PATH in arrays.path):
        raise SpecError(
            f"{place}: its axes are {', '.join(arrays.axis_names)}, expected "
            f"{' or '.join(', '.join(names) for names in allowed)} in any order",
            "Name each axis of the array: y for rows, x for columns, and band if it holds several "
            "bands. Other axes, such as time, are fields of the key, such as {time}.",
        )


def _example(bands: Collection[str]) -> str:
    return 'axes = ["y", "x"]' if len(bands) == 1 else 'axes = ["band", "y", "x"]'
