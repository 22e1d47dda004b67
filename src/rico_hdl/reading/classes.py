"""The classes that keys name.

In: keys, and the description of their dataset. Out: class names and indexes. No record is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from rico_hdl.errors import UsageError
from rico_hdl.spec import DatasetSpec

if TYPE_CHECKING:
    import numpy.typing as npt


def classes_in(spec: DatasetSpec | None, keys: Iterable[str]) -> tuple[str, ...]:
    """The names of a dataset's classes, by index; empty if keys name no class.

    Args:
        spec: The dataset, if it is known.
        keys: All keys of a store, from which the classes follow if the dataset lists none.
    """
    if spec is None or spec.labels is None:
        return ()
    return spec.labels.classes or tuple(sorted({*_names(spec, keys)} - {""}))


def class_indexes(
    spec: DatasetSpec | None, classes: tuple[str, ...], keys: Iterable[str], place: str
) -> npt.NDArray[np.int64]:
    """The class of each key, as an index into ``classes``: an int64 array of shape (keys,).

    Args:
        spec: The dataset, if it is known.
        classes: The classes.
        keys: The keys.
        place: The store, for errors.

    Raises:
        UsageError: The dataset has no labels, or a key names no class.
    """
    if spec is None or spec.labels is None:
        raise UsageError(
            f"{place}: its keys name no classes",
            "In the description of your own dataset, [labels] says which field is the class.",
        )
    index = {name: i for i, name in enumerate(classes)}
    chosen = list(keys)
    try:
        found = [index[name] for name in _names(spec, chosen)]
    except KeyError:
        wrong = next(key for key in chosen if next(iter(_names(spec, [key]))) not in index)
        raise UsageError(
            f"{place}: the key {wrong!r} names no class, expected one of {', '.join(classes)}",
            "Pass the keys of a labelled modality only.",
        ) from None
    return np.array(found, np.int64)


def _names(spec: DatasetSpec, keys: Iterable[str]) -> list[str]:
    """The class that each key names, empty if it names none."""
    finders = [spec.labels.finder(one.keys) for one in spec.labelled] if spec.labels else []
    return [next(filter(None, (find(key) for find in finders)), "") for key in keys]
