"""The table that BigEarthNet v2.0 publishes with its patches: ``metadata.parquet``.

In: the publisher's files. Out: for each patch of a split, the keys of its modalities and its
labels. No store is opened.

Columns: Clasen et al., "reBEN: Refined BigEarthNet Dataset for Remote Sensing Image Analysis",
IGARSS 2025 (arXiv:2407.03653), and https://zenodo.org/records/10891137.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import ArchiveError, SourceError, UsageError
from rico_hdl.labels.land_cover import CLASSES, check_classes
from rico_hdl.sources.parquet.columns import read_columns

SPLITS: Final = ("train", "validation", "test")
"""The values of the column ``split``."""

_ALIASES: Final = {"val": "validation"}
_COLUMNS: Final = ("patch_id", "s1_name", "labels", "split")
_REFERENCE_MAP: Final = "{}_reference_map"


@dataclass(frozen=True)
class PatchTable:
    """Patches with their labels, sorted by the key of the Sentinel-2 patch."""

    s2_keys: list[str]
    """The keys of the Sentinel-2 patches: column ``patch_id``."""
    s1_keys: list[str]
    """The keys of their Sentinel-1 patches: column ``s1_name``."""
    labels: npt.NDArray[np.uint8]
    """(patch, class): 1 where a class is present, else 0."""

    def __len__(self) -> int:
        return len(self.s2_keys)

    @property
    def reference_map_keys(self) -> list[str]:
        """The keys of the reference maps."""
        return [_REFERENCE_MAP.format(key) for key in self.s2_keys]

    def take(self, positions: npt.NDArray[np.intp]) -> PatchTable:
        """The patches at these zero-based positions."""
        return PatchTable(
            [self.s2_keys[i] for i in positions],
            [self.s1_keys[i] for i in positions],
            self.labels[positions],
        )


def read_metadata(
    path: str | os.PathLike[str],
    split: str | None = None,
    *,
    snow_cloud: str | os.PathLike[str] | None = None,
    classes: Sequence[str] = CLASSES,
) -> PatchTable:
    """The patches of a split.

    Args:
        path: ``metadata.parquet``.
        split: ``"train"``, ``"validation"`` (or ``"val"``) or ``"test"``; None for all.
        snow_cloud: ``metadata_for_patches_with_snow_cloud_or_shadow.parquet``, whose patches are
            added; None to leave them out, as the publication recommends.
        classes: The 19 classes, in the order of the columns of `PatchTable.labels`.

    Raises:
        UsageError: No split has that name, or the classes are wrong (see `check_classes`).
        SourceError: A file can't be read, lacks a column, holds an unknown class, or a patch
            is listed twice.
    """
    wanted = None if split is None else _ALIASES.get(split, split)
    if wanted is not None and wanted not in SPLITS:
        raise UsageError(f"no split is called {split!r}", f"Known: {', '.join(SPLITS)}.")
    order = check_classes(classes)
    tables = [_read(path, wanted, order)]
    if snow_cloud is not None:
        tables.append(_read(snow_cloud, wanted, order))
    keys = [key for table in tables for key in table.s2_keys]
    merged = PatchTable(
        keys,
        [key for table in tables for key in table.s1_keys],
        np.concatenate([table.labels for table in tables]),
    )
    table = merged.take(np.array(sorted(range(len(keys)), key=keys.__getitem__), np.intp))
    twice = [a for a, b in zip(table.s2_keys, table.s2_keys[1:], strict=False) if a == b]
    if twice:
        raise SourceError(f"{path}: {len(twice)} patches are listed twice, such as {twice[0]}")
    return table


def _read(path: str | os.PathLike[str], split: str | None, classes: Sequence[str]) -> PatchTable:
    """The patches of one file, in its order."""
    try:
        columns = read_columns(Path(path), _COLUMNS)
    except (ArchiveError, SourceError) as error:
        raise SourceError(
            f"{path}: can't be read as a table of patches: {error.message}",
            "Expected metadata.parquet, which the publisher offers next to the archives.",
        ) from error
    rows = [i for i, value in enumerate(columns["split"]) if split is None or value == split]
    s2, s1, labels = (
        [columns[name][i] for i in rows] for name in ("patch_id", "s1_name", "labels")
    )
    nameless = sum(key is None for key in (*s2, *s1))
    if nameless:
        raise SourceError(f"{path}: {nameless} patches of split {split} have no name")
    return PatchTable(s2, s1, _multi_hot(path, labels, classes))


def _multi_hot(
    path: str | os.PathLike[str], lists: Sequence[object], classes: Sequence[str]
) -> npt.NDArray[np.uint8]:
    """The labels of (patch, class), from a list of class names for each patch."""
    index = {name: i for i, name in enumerate(classes)}
    unknown: set[str] = set()
    vectors = np.zeros((len(lists), len(classes)), np.uint8)
    for vector, names in zip(vectors, lists, strict=True):
        if not isinstance(names, list):
            raise SourceError(f"{path}: column labels holds {names!r}, expected a list")
        known = [index[name] for name in names if name in index]
        if len(known) < len(names):
            unknown.update(name for name in names if name not in index)
        vector[known] = 1
    if unknown:
        raise SourceError(
            f"{path}: {len(unknown)} unknown classes, such as {min(unknown)!r}",
            "Expected the 19 classes of rico_hdl.labels.CLASSES.",
        )
    return vectors
