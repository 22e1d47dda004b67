"""Classes that are part of a patch's key, and their order.

In: keys. Out: class indexes. The classes are those of the publications, in alphabetical order, as
in loaders that take them from folder names. The indexes don't depend on which classes a store has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError

EUROSAT_CLASSES: Final = (
    "AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture",
    "PermanentCrop", "Residential", "River", "SeaLake",
)  # fmt: skip
"""Helber et al., "EuroSAT", JSTARS 2019 (arXiv:1709.00029), figure 2; the names of the folders."""

UC_MERCED_CLASSES: Final = (
    "agricultural", "airplane", "baseballdiamond", "beach", "buildings", "chaparral",
    "denseresidential", "forest", "freeway", "golfcourse", "harbor", "intersection",
    "mediumresidential", "mobilehomepark", "overpass", "parkinglot", "river", "runway",
    "sparseresidential", "storagetanks", "tenniscourt",
)  # fmt: skip
"""Yang and Newsam, "Bag-of-visual-words and spatial extensions for land-use classification", ACM
GIS 2010, table 1; the names of the folders."""


def class_of_key(key: str) -> str:
    """The class that a key begins with: ``River`` for ``River_12``, ``river`` for ``river12``."""
    return key.rstrip("0123456789").removesuffix("_")


def class_indexes_of_keys(keys: Iterable[str], classes: Sequence[str]) -> npt.NDArray[np.int64]:
    """The class index of each key.

    Raises:
        UsageError: A key doesn't begin with one of the classes.
    """
    index = {name: i for i, name in enumerate(classes)}
    try:
        return np.fromiter((index[class_of_key(key)] for key in keys), np.int64)
    except KeyError as error:
        raise UsageError(
            f"found a key of class {error.args[0]!r}, expected one of: {', '.join(classes)}",
            "Check that the store holds the dataset that these classes belong to.",
        ) from None
