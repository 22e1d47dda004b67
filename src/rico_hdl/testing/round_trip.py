"""The test that any spec should pass: its samples are converted, verified and compared.

In: a spec. Out: nothing, or an `AssertionError` that says what differs. Records are read with lmdb
and safetensors, and files with tifffile and Pillow, not with the code under test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import lmdb
import numpy as np
import numpy.typing as npt
import tifffile
from safetensors.numpy import load

from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.checking.verification import verify
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import resolve
from rico_hdl.reading import open as open_store
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.testing.encodings import encoding_of
from rico_hdl.testing.extra import extra_needed
from rico_hdl.testing.generate import generate
from rico_hdl.testing.images import kind_of
from rico_hdl.testing.patches import SamplePatch, patches, shape_of
from rico_hdl.testing.pixels import pixels

_N_SHOWN: Final = 10
"""Problems that a message lists."""


def check_spec(
    spec: DatasetSpec | str | os.PathLike[str], folder: str | os.PathLike[str], n_patches: int = 4
) -> None:
    """Check that samples of a dataset are converted to exactly their pixels.

    It generates files, converts and verifies them, compares the store with them, and compares every
    record with what independent readers read.

    Args:
        spec: A spec, the path of a TOML file, or the name of a dataset.
        folder: An empty folder to write the samples and their store to.
        n_patches: The number of patches of each modality.

    Raises:
        AssertionError: Something differs.
        ValueError: The example of a modality does not fit its templates, its files are those of
            another modality, or its keys are not unique.
        RicoError: The spec or the samples can't be used.
    """
    found = resolve(spec)
    sources = generate(found, Path(folder) / "sources", n_patches)
    target = Path(folder) / "store"
    convert(found, sources, target)
    problems = list(problems_of(found, sources, target, n_patches))
    if problems:
        more = len(problems) - _N_SHOWN
        shown = [*problems[:_N_SHOWN], *([f"… and {more} more"] if more > 0 else [])]
        raise AssertionError(f"the samples of {found.name} differ:\n  " + "\n  ".join(shown))


def problems_of(
    spec: DatasetSpec, sources: Mapping[str, Path], target: Path, n_patches: int
) -> Iterator[str]:
    """What is wrong with the store of a dataset's samples, a sentence each.

    Args:
        spec: The dataset.
        sources: The folder of each modality, by name, as `generate` returns them.
        target: The store.
        n_patches: The number of patches of each modality.
    """
    for result in (verify(target), compare_with_sources(target)):
        yield from (str(finding) for finding in result.findings)
    records = _records(target)
    store = open_store(target)
    expected = set()
    for modality in spec.modalities:
        samples = patches(spec, modality, n_patches)
        keys = {patch.key for patch in samples}
        expected |= keys
        if keys != set(store.keys(modality.name)):
            yield f"{modality.name}: the keys of the store differ from those of the samples"
        for patch in samples:
            if (record := records.get(patch.key)) is None:
                yield f"{modality.name}: {patch.key} is missing"
                continue
            wanted = _bands(spec, modality, patch, sources[modality.name])
            if record.keys() != wanted.keys():
                yield f"{patch.key} has the bands {sorted(record)}, expected {sorted(wanted)}"
                continue
            for name, band in wanted.items():
                found = record[name]
                # As bytes, since floats that are no numbers differ from themselves.
                if (found.dtype, found.shape, found.tobytes()) != (
                    band.dtype, band.shape, band.tobytes(),
                ):  # fmt: skip
                    yield f"{patch.key}: band {name} differs from the pixels of its file"
    if extra := records.keys() - expected:
        yield f"the store has keys of no sample: {', '.join(sorted(extra)[:_N_SHOWN])}"


def _records(target: Path) -> dict[str, dict[str, npt.NDArray[Any]]]:
    """All records of a store, by key."""
    with (
        lmdb.open(str(target), readonly=True, lock=False) as environment,
        environment.begin() as transaction,
    ):
        return {key.decode(): load(value) for key, value in transaction.cursor()}


def _bands(
    spec: DatasetSpec, modality: Modality, patch: SamplePatch, source: Path
) -> dict[str, npt.NDArray[Any]]:
    """The bands of a sample, by name: as generated, or else as an independent reader reads them."""
    if modality.arrays is not None or kind_of(modality) == "png":  # without loss
        dtype = encoding_of(spec, modality).dtype
        return {
            band.name: pixels(patch.key, i, shape_of(spec, modality, band, patch.number), dtype)
            for i, band in enumerate(modality.bands)
        }
    read = _read_jpeg if kind_of(modality) == "jpeg" else _read_tiff
    rasters = [band for file in patch.files for band in read(source / file)]
    return dict(zip(modality.names_in_files, rasters, strict=True))


def _read_jpeg(path: Path) -> npt.NDArray[Any]:
    with extra_needed():
        import PIL.Image  # noqa: PLC0415 - only this form needs it

    with PIL.Image.open(path) as image:
        array = np.asarray(image)
    return array[np.newaxis] if array.ndim == 2 else np.moveaxis(array, -1, 0)


def _read_tiff(path: Path) -> npt.NDArray[Any]:
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        array = page.asarray()
        by_pixel = page.axes.endswith("S")
    if array.ndim == 2:
        return array[np.newaxis]
    return np.moveaxis(array, -1, 0) if by_pixel else array
