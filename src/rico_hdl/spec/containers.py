"""Files that hold many patches each: arrays of numpy and HDF5, and zipped Zarr stores.

The template of such a modality names a file, and then, like the files in a folder, the patches in
it: ``DATA_S2/S2_{patch:d}.npy/{time:d}``. The fields after the file's name are those of the arrays:
each varies along an axis, or in the path of the array.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from typing import Final

from rico_hdl.errors import SpecError
from rico_hdl.spec.arrays import (
    ARRAY_SUFFIXES,
    BAND,
    BAND_IN_PATH,
    COLUMNS,
    NPY_SUFFIX,
    ROWS,
    Arrays,
)
from rico_hdl.spec.template import Template

ZARR_SUFFIX: Final = ".zarr.zip"
"""The extension of zipped Zarr stores, lower-case."""
CONTAINER_SUFFIXES: Final = (*ARRAY_SUFFIXES, ZARR_SUFFIX)
"""The extensions of files that may hold many patches, lower-case."""


@lru_cache(maxsize=1024)
def container_of(files: Template) -> Template | None:
    """The beginning of a template that names files with many patches; None if it names none."""
    for n, segment in enumerate(files.segments[:-1], 1):
        last = segment.parts[-1]
        if isinstance(last, str) and last.lower().endswith(CONTAINER_SUFFIXES):
            text = "/".join(files.text.split("/")[: n + files.any_depth])
            return replace(files, text=text, segments=files.segments[:n])
    return None


def suffix_of(container: Template) -> str:
    """The extension of files with many patches, lower-case; that of Zarr stores has two parts."""
    name = str(container).lower()
    return next(suffix for suffix in CONTAINER_SUFFIXES if name.endswith(suffix))


def check_containers(
    modality: str, files: Template, arrays: Arrays | None, bands: Collection[str]
) -> None:
    """Check the arrays of a modality whose files hold many patches.

    Args:
        modality: The modality's name.
        files: The template of its files.
        arrays: Its arrays; None if it has none.
        bands: The names of its bands.

    Raises:
        SpecError: The axes don't give each band of each patch once, or not the template's fields.
    """
    container = container_of(files)
    if container is None:
        return
    place = f"modality {modality!r}"
    suffix = suffix_of(container)
    if arrays is None:
        raise SpecError(
            f"{place}: its {suffix} files hold many patches, and have no axes",
            'Such as axes = ["sample", "band", "y", "x"].',
        )
    _check_fields(place, files, container, arrays)
    _check_axes(place, arrays, bands)
    if bool(arrays.path) == (suffix == NPY_SUFFIX):
        raise SpecError(
            f"{place}: its array is named {arrays.path!r}",
            "Name no array: an .npy file holds one."
            if arrays.path
            else f"Name the array that the {suffix} files hold.",
        )
    if suffix == ZARR_SUFFIX and "{" in arrays.path:
        raise SpecError(f"{place}: the array {arrays.path!r} of a Zarr store can't have fields")
    labelled = [axis.name for axis in arrays.axes if axis.labels]
    if labelled and suffix == NPY_SUFFIX:
        raise SpecError(
            f"{place}: its axes {', '.join(labelled)} have labels, but {suffix} files hold none"
        )


def _check_fields(place: str, files: Template, container: Template, arrays: Arrays) -> None:
    """Check that the template has each field of the arrays once, after the name of the file."""
    after = Counter(
        name for segment in files.segments[len(container.segments) :] for name in segment.fields
    )
    if BAND in files.fields:
        raise SpecError(
            f"{place}: {{band}} is in {files}, but files that hold many patches hold all bands",
            "Describe a modality for each band, with the band's name in the template.",
        )
    both = sorted(set(container.fields) & set(arrays.fields))
    if after != Counter(arrays.fields) or both:
        raise SpecError(
            f"{place}: its arrays have the fields {', '.join(arrays.fields) or 'none'}, and the "
            f"template {files} has {', '.join(after) or 'none'} after the name of the file",
            "Each axis other than band, y and x is a field, once, and so is each field in the name "
            "of the array. Fields of the file's path have other names.",
        )


def _check_axes(place: str, arrays: Arrays, bands: Collection[str]) -> None:
    """Check that an array has rows, columns, and bands if there are several."""
    names = [axis.name for axis in arrays.axes if not axis.field]
    has_band = BAND in names
    needs_band = len(bands) > 1 and BAND_IN_PATH not in arrays.path
    is_twice = has_band and BAND_IN_PATH in arrays.path
    expected = sorted([*([BAND] if has_band else []), ROWS, COLUMNS])
    if sorted(names) != expected or (needs_band and not has_band) or is_twice:
        raise SpecError(
            f"{place}: its axes are {', '.join(arrays.axis_names)}",
            "Name y (rows) and x (columns) once each, and band if the array holds several bands; "
            "every other axis is a field.",
        )
