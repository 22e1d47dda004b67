"""Array files of numpy and HDF5, and modalities that describe them."""

from io import BytesIO

import h5py
import numpy as np

from rico_hdl.spec import Arrays, Axis, Band, DatasetSpec, Modality, Template

DTYPES = (
    "bool",
    *(f"{kind}{bits}" for kind in ("uint", "int") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64"),
)
"""Every dtype that safetensors stores and numpy has."""


def modality_of(suffix, axes="band y x", path="", bands=("a", "b"), **options):
    """A modality whose files are arrays with these axes."""
    one_file = "{band}" not in suffix
    return Modality(
        name="image",
        title="images",
        option="--dataset-dir",
        files=Template.parse("{name}" + suffix),
        key=Template.parse("{name}"),
        bands=tuple(
            Band(*(band if isinstance(band, tuple) else (band,)), index=i if one_file else 1)
            for i, band in enumerate(bands, 1)
        ),
        arrays=Arrays(path, tuple(map(Axis, axes.split()))),
        folder="images",
        example="a" + suffix,
        **options,
    )


def spec_of(*args, **options):
    """A dataset with one such modality."""
    modality = modality_of(*args, **options)
    return DatasetSpec("arrays", "Arrays", "Arrays.", "https://example.org", "None.", (modality,))


def with_axes(stack, axes):
    """An array of shape (band, row, column), with its axes in another order."""
    return stack.transpose([("band", "y", "x").index(name) for name in axes.split()])


def npy(array, version=None):
    """An npy file, by numpy."""
    buffer = BytesIO()
    np.lib.format.write_array(buffer, array, version=version)
    return buffer.getvalue()


def npz(*, is_packed=False, **arrays):
    """An npz file, by numpy."""
    buffer = BytesIO()
    (np.savez_compressed if is_packed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def hdf5(datasets=None, /, **options):
    """An HDF5 file with these datasets, by h5py; a dataset may be a function of the file."""
    buffer = BytesIO()
    with h5py.File(buffer, "w") as file:
        for path, array in (datasets or {}).items():
            if callable(array):
                array(file)
            else:
                file.create_dataset(path, data=array, **options)
    return buffer.getvalue()
