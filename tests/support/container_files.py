"""Files that hold many patches, written and judged without the code under test.

numpy writes ``.npy`` and ``.npz``, h5py HDF5, and `rico_hdl.testing.zarrs` Zarr stores, which the
zarr library reads in other tests.
"""

from itertools import product
from pathlib import Path

import h5py
import numpy as np

import corpus
from rico_hdl.spec import Arrays, Axis, Band, DatasetSpec, Modality, Template
from rico_hdl.spec.arrays import BAND, COLUMNS, ROWS

PATCH_AXES = (BAND, ROWS, COLUMNS)
SIZES = {"sample": 3, "time": 2, "band": 3, "y": 6, "x": 7}


def modality_of(files, axes, path="", n_bands=SIZES["band"], *, labels=None, key=None):
    """A modality whose files hold patches along the axes other than band, y and x."""
    labels = labels or {}
    template = Template.parse(files)
    return Modality(
        name="image",
        title="images",
        option="--dataset-dir",
        files=template,
        key=Template.parse(key or "_".join(f"{{{name}}}" for name in template.fields)),
        bands=tuple(Band(f"b{i}", index=i) for i in range(1, n_bands + 1)),
        arrays=Arrays(
            path,
            tuple(
                Axis(name, "" if name in PATCH_AXES else name, labels.get(name, ""))
                for name in axes.split()
            ),
        ),
        folder="images",
        example=template.format(dict.fromkeys(template.fields, "1")),
    )


def spec_of(modality):
    """A dataset with one modality."""
    return DatasetSpec("arrays", "Arrays", "Arrays.", "https://example.org", "None.", (modality,))


def cube_of(axes="sample time band y x", dtype="<i2", sizes=None):
    """Pixels that encode their sample, time, band, row and column, with axes in this order."""
    names = axes.split()
    sizes = {**SIZES, **(sizes or {})}
    lead = [name for name in ("sample", "time") if name in names]
    shape = [*(sizes[name] for name in lead), *(sizes[name] for name in PATCH_AXES)]
    kind = np.dtype(dtype)
    cube = np.empty(shape, kind)
    for place in product(*map(range, shape[:-2])):
        of = "uint8" if kind.name == "bool" else kind.name
        *outer, band = place
        pixels = corpus.pixels(" ".join(map(str, outer)), band, tuple(shape[-2:]), of)
        cube[place] = pixels > 100 if kind.name == "bool" else pixels
    whole = [*lead, *PATCH_AXES]
    if BAND not in names:
        cube, whole = cube[..., 0, :, :], [*lead, ROWS, COLUMNS]
    return np.ascontiguousarray(cube.transpose([whole.index(name) for name in names]))


def bands_at(cube, axes, **place):
    """The bands of a patch in an array, as (dtype, shape, bytes) of each."""
    names = axes.split()
    part = cube[tuple(place.get(name, slice(None)) for name in names)]
    left = [name for name in names if name not in place]
    part = part.transpose([left.index(name) for name in PATCH_AXES if name in left])
    part = part if BAND in left else part[None]
    return tuple(map(little, part))


def little(band):
    """A band as it has to be stored: dtype, shape, and bytes in C order, little-endian."""
    band = np.ascontiguousarray(band, band.dtype.newbyteorder("<"))
    return band.dtype.name, band.shape, band.tobytes()


def meaning(content):
    """A content of a member in the form of `bands_at`."""
    return tuple((band.dtype, band.shape, bytes(band.data)) for band in content)


def expected_of(cube, axes, name, digits=0):
    """The content of each patch of an array by path, in the order of its axes."""
    names = axes.split()
    lead = [(n, size) for n, size in zip(names, cube.shape, strict=True) if n not in PATCH_AXES]
    found = {}
    for place in product(*(range(size) for _, size in lead)):
        fields = dict(zip((n for n, _ in lead), place, strict=True))
        path = "/".join([name, *(str(i).zfill(digits) for i in place)])
        found[path] = bands_at(cube, axes, **fields)
    return found


def write_hdf5(path, arrays, **options):
    """An HDF5 file; an array may be a function that is given the file and the array's path."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            if callable(array):
                array(file, name)
            else:
                file.create_dataset(name, data=array, **options)
    return path
