"""EuroSAT and UC Merced, whose keys name the class, and HySpecNet-11k, which has no classes.

In: a store, and the publisher's split file for a part of it. Out: datasets for PyTorch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rico_hdl.labels import (
    EUROSAT_CLASSES,
    UC_MERCED_CLASSES,
    class_indexes_of_keys,
    file_stem,
    folder_name,
    read_split,
)
from rico_hdl.reading import Keys, Store
from rico_hdl.torch.membership import OnMissing, present
from rico_hdl.torch.patches import PatchDataset, opened_store

Target = Store | str | os.PathLike[str]
"""A store, or the folder of one."""

Split = str | os.PathLike[str] | None
"""A text file with the name of a patch in each row; None for all patches of the store."""

_PUBLISHED_SIZE: Final = (256, 256)  # all but 44 of 2,100 patches


class _ClassesInKeys(PatchDataset):
    """Patches whose keys name their class; see `EuroSAT`."""

    classes: tuple[str, ...]
    """The class behind each index."""
    _usual: Mapping[str, Any] = {}
    """Default options."""

    def __init__(
        self,
        target: Target,
        split: Split = None,
        bands: str | Sequence[str] | None = None,
        *,
        missing: OnMissing = "error",
        **options: Any,  # noqa: ANN401 - passed on
    ) -> None:
        store, keys = _patches(target, split, file_stem, missing)
        labels = class_indexes_of_keys(keys, self.classes)
        super().__init__(store, keys, bands, labels=labels, **{**self._usual, **options})


class EuroSAT(_ClassesInKeys):
    """EuroSAT's multi-spectral patches, each with the index of its class as ``label``.

    Args:
        target: The store, or its folder.
        split: A file with a file name in each row, such as ``River_12.jpg``; None for all patches.
        bands: Names, a preset, or None for all 13.
        missing: How to treat patches that the split names and the store lacks: ``"error"`` raises,
            ``"skip"`` leaves them out with a warning that counts them.
        **options: Options of `PatchDataset`, such as ``transform`` and ``dtype``.

    Raises:
        SourceError: The split file can't be used.
        StoreError: The store can't be read, or lacks patches.
        UsageError: An option is invalid, or a key has none of the classes.
    """

    classes = EUROSAT_CLASSES
    """The class behind each index."""


class UCMerced(_ClassesInKeys):
    """UC Merced's patches, each with the index of its class as ``label``.

    The 44 patches that are a few pixels smaller or larger are resampled to 256 x 256. Arguments and
    errors are those of `EuroSAT`; each row of the split is a file name such as ``airplane00.tif``.
    """

    classes = UC_MERCED_CLASSES
    """The class behind each index."""
    _usual: Mapping[str, Any] = {"size": _PUBLISHED_SIZE, "on_size": "keep"}


class HySpecNet(PatchDataset):
    """HySpecNet-11k's patches, without labels.

    Args:
        target: The store, or its folder.
        split: One of the publisher's split files, such as ``splits/easy/train.csv``; None for all
            patches.
        bands: Names, or a preset: ``"usable"``, the default, is the 202 bands that remain without
            those of water vapour; None is all 224.
        missing: See `EuroSAT`.
        **options: Options of `PatchDataset`, such as ``transform`` and ``dtype``.

    Raises:
        SourceError: The split file can't be used.
        StoreError: The store can't be read, or lacks patches.
        UsageError: An option is invalid.
    """

    def __init__(
        self,
        target: Target,
        split: Split = None,
        bands: str | Sequence[str] | None = "usable",
        *,
        missing: OnMissing = "error",
        **options: Any,  # noqa: ANN401 - passed on
    ) -> None:
        store, keys = _patches(target, split, folder_name, missing)
        super().__init__(store, keys, bands, **options)


def _patches(
    target: Target, split: Split, key_of: Callable[[str], str], missing: OnMissing
) -> tuple[Store, Keys]:
    """The store, and the keys that a split file names."""
    store = opened_store(target)
    if split is None:
        return store, store.keys()
    names = read_split(split, key_of)
    _, keys = present(store, {"patches": names}, os.fspath(split), missing)
    return store, keys["patches"]
