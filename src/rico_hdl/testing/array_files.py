"""Files of arrays: npy, npz, HDF5 and zipped Zarr, with one patch or many in each.

In: patches and their pixels. Out: files whose arrays have the names and axes that the spec states,
written by numpy and h5py. Modalities may share a file, whose arrays are then added one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rico_hdl.spec.arrays import BAND, BAND_IN_PATH, COLUMNS, NPY_SUFFIX, NPZ_SUFFIX, ROWS
from rico_hdl.spec.containers import ZARR_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from rico_hdl.spec import Arrays, Band, DatasetSpec, Modality
    from rico_hdl.testing.patches import SamplePatch

_Arrays = dict[str, "npt.NDArray[Any]"]


@dataclass(frozen=True, slots=True)
class ArrayStorage:
    """How HDF5 stores the arrays of a modality."""

    compression: str | None = "gzip"
    """The compression of chunks; None for arrays that are not chunked."""
    together: int = 1
    """Patches in a chunk, along each of their axes."""


ARRAY_STORAGES: dict[tuple[str, str], ArrayStorage] = {}
"""The storage of datasets' arrays, by dataset and modality; others have the default."""
_DEFAULT: Final = ArrayStorage()


def write_patch(
    spec: DatasetSpec,
    modality: Modality,
    paths: Sequence[Path],
    bands: Sequence[npt.NDArray[Any]],
) -> set[Path]:
    """Write the array files of one patch.

    Args:
        spec: The dataset.
        modality: The patch's modality.
        paths: Its files: one for each band, or one.
        bands: Its bands: (rows, columns).

    Returns:
        The files, each with the path of an array.
    """
    arrays = _arrays_of(modality)
    storage = ARRAY_STORAGES.get((spec.name, modality.name), _DEFAULT)
    stacks = [np.stack(bands)] if len(paths) == 1 else [band[np.newaxis] for band in bands]
    written = set()
    for path, stack in zip(paths, stacks, strict=True):
        found = _split(modality, arrays.path, stack, [])
        add_arrays(path, found, [], storage)
        written |= {path / name for name in found}
    return written


def write_containers(
    spec: DatasetSpec,
    modality: Modality,
    folder: Path,
    patches: Sequence[SamplePatch],
    pixels: Callable[[SamplePatch, Band], npt.NDArray[Any]],
) -> None:
    """Write patches into files that hold many.

    Args:
        spec: The dataset.
        modality: The patches' modality.
        folder: The folder to write to.
        patches: The patches.
        pixels: Returns the pixels of one band of a patch.
    """
    n_inner = len(modality.files.segments) - len((modality.container or modality.files).segments)

    def file_of(patch: SamplePatch) -> str:
        return patch.files[0].rsplit("/", n_inner)[0]

    storage = ARRAY_STORAGES.get((spec.name, modality.name), _DEFAULT)
    for name, group in groupby(sorted(patches, key=file_of), file_of):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays, leading = _gathered(modality, list(group), pixels)
        if path.name.lower().endswith(ZARR_SUFFIX):
            _write_store(path, modality, arrays)
        else:
            add_arrays(path, arrays | _hot_labels(spec, modality, arrays), leading, storage)


def _hot_labels(spec: DatasetSpec, modality: Modality, arrays: _Arrays) -> _Arrays:
    """The labels that files have next to the pixels: a number for each class.

    The patch at position n has the class n; they begin again after the last one.
    """
    labels = spec.labels
    tables = [one for one in labels.tables if one.is_hot and not one.file] if labels else []
    n_rows = arrays[_arrays_of(modality).path].shape[0] if tables else 0
    n_classes = len(labels.classes) if labels else 0
    return {
        one.label[0]: np.eye(n_classes)[np.arange(n_rows) % n_classes]
        for one in tables
        if len(one.label) == 1
    }


def add_arrays(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], leading: list[int], storage: ArrayStorage
) -> None:
    """Write arrays to a file, next to those that it has.

    Args:
        path: The file.
        arrays: The arrays by name; the name is empty in ``.npy`` files.
        leading: The dimensions along which arrays of pixels hold patches.
        storage: The storage of HDF5.
    """
    if path.suffix.lower() == NPY_SUFFIX:
        (array,) = arrays.values()
        np.save(path, array)
        return
    if path.suffix.lower() == NPZ_SUFFIX:
        found: dict[str, Any] = dict(np.load(path)) if path.exists() else {}
        np.savez_compressed(path, **(found | dict(arrays)))
        return
    import h5py  # noqa: PLC0415 - takes a fifth of a second; other formats don't need it

    with h5py.File(path, "a") as file:
        for name, array in arrays.items():
            if name in file:
                continue  # labels that modalities share
            options: dict[str, Any] = {}
            if array.ndim > 1 and storage.compression is not None:
                chunks = [
                    min(n, storage.together) if i in leading else n
                    for i, n in enumerate(array.shape)
                ]
                options = {"chunks": tuple(chunks), "compression": storage.compression}
            file.create_dataset(name, data=array, **options)


def _gathered(
    modality: Modality,
    patches: Sequence[SamplePatch],
    pixels: Callable[[SamplePatch, Band], npt.NDArray[Any]],
) -> tuple[_Arrays, list[int]]:
    """The arrays of one file by name, and their dimensions along which there are patches."""
    arrays = _arrays_of(modality)
    axes = [axis for axis in arrays.axes if axis.field]
    in_path = [name for name in arrays.fields if name not in {axis.field for axis in axes}]
    found: _Arrays = {}

    def group_of(patch: SamplePatch) -> list[str]:
        return [patch.fields[name] for name in in_path]

    for values, group in groupby(sorted(patches, key=group_of), group_of):
        members = list(group)
        path = arrays.path
        for name, value in zip(in_path, values, strict=True):
            path = path.replace(f"{{{name}}}", value)
        places = [_positions(axis.field, bool(axis.labels), members) for axis in axes]
        sizes = [max(positions) + 1 for positions in places]
        stacks = [np.stack([pixels(p, band) for band in modality.bands]) for p in members]
        cube = np.zeros((*sizes, *stacks[0].shape), stacks[0].dtype)
        for number, stack in enumerate(stacks):
            cube[tuple(positions[number] for positions in places)] = stack
        found |= _split(modality, path, cube, [axis.name for axis in axes])
        found |= dict(_labels(modality, members))
    return found, [arrays.axes.index(axis) for axis in axes]


def _positions(field: str, has_labels: bool, patches: Sequence[SamplePatch]) -> list[int]:  # noqa: FBT001
    """The zero-based position of each patch along an axis."""
    values = [patch.fields[field] for patch in patches]
    order = list(dict.fromkeys(values))
    return [order.index(value) if has_labels else int(value) for value in values]


def _labels(
    modality: Modality, patches: Sequence[SamplePatch]
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """The labels of the axes, by the name of their array."""
    for axis in _arrays_of(modality).axes:
        if axis.labels:
            words = (
                dict.fromkeys(patch.fields[axis.field] for patch in patches)
                if axis.field
                else [band.token for band in modality.bands]
            )
            yield axis.labels, np.array(list(words)).astype("S")


def _split(
    modality: Modality, path: str, cube: npt.NDArray[Any], leading: Sequence[str]
) -> _Arrays:
    """An array for each band by name, if the path says so; else one.

    Args:
        modality: The modality.
        path: The name, with ``{band}`` if each band has an array.
        cube: The pixels: (…, band, row, column).
        leading: The names of its first dimensions.
    """
    names = _arrays_of(modality).axis_names
    if BAND_IN_PATH not in path:
        return {path: _with_axes(cube, names, leading)}
    return {
        path.replace(BAND_IN_PATH, band.token): _with_axes(
            np.take(cube, [i], len(leading)), names, leading
        )
        for i, band in enumerate(modality.bands)
    }


def _with_axes(
    cube: npt.NDArray[Any], names: Sequence[str], fields: Sequence[str]
) -> npt.NDArray[Any]:
    """Pixels of shape (…, band, row, column) with the axes of the spec."""
    whole = [*fields, BAND, ROWS, COLUMNS]
    if BAND not in names:
        cube = cube[..., 0, :, :]
        whole.remove(BAND)
    return np.ascontiguousarray(cube.transpose([whole.index(name) for name in names]))


def _write_store(path: Path, modality: Modality, arrays: _Arrays) -> None:
    from rico_hdl.testing.zarrs import write_arrays  # noqa: PLC0415 - for numcodecs

    described = _arrays_of(modality)
    labels = {axis.labels: axis.name for axis in described.axes if axis.labels}
    write_arrays(
        path,
        {
            name: (array.astype("U"), [labels[name]])
            if name in labels
            else (array, described.axis_names)
            for name, array in arrays.items()
        },
    )


def _arrays_of(modality: Modality) -> Arrays:
    if modality.arrays is None:
        raise TypeError(f"modality {modality.name!r} has no arrays")
    return modality.arrays
