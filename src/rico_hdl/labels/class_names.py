"""Classes that are part of a patch's key, and their order.

In: keys. Out: class indexes. The classes are those of the publications, in alphabetical order, as
in loaders that take them from folder names. The indexes don't depend on which classes a store has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from rico_hdl.datasets import eurosat_multi_spectral, uc_merced
from rico_hdl.errors import UsageError

EUROSAT_CLASSES: Final = eurosat_multi_spectral.CLASSES
"""The classes of EuroSAT, in alphabetical order."""
UC_MERCED_CLASSES: Final = uc_merced.CLASSES
"""The classes of UC Merced, in alphabetical order."""


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
