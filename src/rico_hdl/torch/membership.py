"""Finds the patches of a split in a store.

In: a store, and keys from another source. Out: the same keys with the places of their records, and
the number of missing ones. It reads keys, never records.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import StoreError, UnknownKeyError, UsageError
from rico_hdl.reading import Keys, Store

OnMissing = Literal["error", "skip"]
"""How to treat samples that a split names and the store lacks."""


class MissingPatchesWarning(UserWarning):
    """A split names patches that the store lacks; their samples are left out."""


def known(store: Store, names: Sequence[str]) -> Keys:
    """The keys with these names, in the same order.

    Raises:
        UnknownKeyError: The store lacks some.
    """
    if isinstance(names, Keys):
        return names
    every = store.keys()
    places = _find(every, names)
    absent = np.flatnonzero(places < 0)
    if len(absent):
        raise UnknownKeyError(
            f"{store.path} lacks {len(absent)} of {len(names)} keys, such as {names[absent[0]]!r}",
            "Leave them out, or convert the rest of the dataset.",
        )
    return every[places]


def present(
    store: Store, names: Mapping[str, Sequence[str]], what: str, missing: OnMissing
) -> tuple[npt.NDArray[np.intp], dict[str, Keys]]:
    """The samples whose patches are all in the store.

    Args:
        store: The store.
        names: The key of each sample, by modality; all of equal length.
        what: The source of the names, for messages.
        missing: ``"error"``, or ``"skip"`` to leave samples out with a warning.

    Returns:
        The zero-based positions of those samples, and their keys by modality.

    Raises:
        StoreError: Patches are missing and `missing` is ``"error"``, or no sample is complete.
        UsageError: `missing` is something else.
    """
    if missing not in ("error", "skip"):
        raise UsageError(f"missing={missing!r}, expected 'error' or 'skip'")
    every = store.keys()
    places = {modality: _find(every, column) for modality, column in names.items()}
    there = np.flatnonzero(np.logical_and.reduce([found >= 0 for found in places.values()]))
    (n,) = {len(column) for column in names.values()}
    if len(there) < n:
        _report(store, names, places, (what, missing, len(there)))
    return there, {modality: every[found[there]] for modality, found in places.items()}


def _find(every: Keys, names: Sequence[str]) -> npt.NDArray[np.intp]:
    """The zero-based position of each name among sorted keys, -1 if it is missing."""
    if not len(every) or not len(names):
        return np.full(len(names), -1, np.intp)
    # As fixed-width bytes: a million keys are compared in a second, without an object for each.
    haystack = np.array([key.encode() for key in every])
    needles = np.array([name.encode() for name in names])
    places = np.searchsorted(haystack, needles).clip(max=len(every) - 1)
    return np.where(haystack[places] == needles, places, -1)


def _report(
    store: Store,
    names: Mapping[str, Sequence[str]],
    places: Mapping[str, npt.NDArray[np.intp]],
    outcome: tuple[str, OnMissing, int],
) -> None:
    what, missing, n_left = outcome
    absent = {modality: np.flatnonzero(found < 0) for modality, found in places.items()}
    absent = {modality: gaps for modality, gaps in absent.items() if len(gaps)}
    counts = [f"{len(gaps)} of {len(names[m])} {m}" for m, gaps in absent.items()]
    first = next(names[modality][gaps[0]] for modality, gaps in absent.items())
    message = f"{store.path} lacks patches of {what}: {', '.join(counts)}, such as {first}"
    if missing == "error" or not n_left:
        rest = ", or give missing='skip' to leave their samples out" if n_left else ""
        raise StoreError(message, f"Convert the rest of the dataset{rest}.")
    warnings.warn(f"{message}; {n_left} samples are left", MissingPatchesWarning, stacklevel=4)
