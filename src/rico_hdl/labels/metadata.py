"""The table that BigEarthNet v2.0 publishes with its patches: ``metadata.parquet``.

In: the publisher's files. Out: for each patch of a split, the keys of its modalities and its
labels. Reading it needs pyarrow. It looks into no store.

Columns: Clasen et al., "reBEN: Refined BigEarthNet Dataset for Remote Sensing Image Analysis",
IGARSS 2025 (arXiv:2407.03653), and https://zenodo.org/records/10891137.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import SourceError, UsageError
from rico_hdl.labels.land_cover import CLASSES, check_classes

if TYPE_CHECKING:
    import pyarrow as pa

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
        classes: The 19 classes in the order that the labels count.

    Raises:
        UsageError: No split is called that, pyarrow is not installed, or see `check_classes`.
        SourceError: A file can't be read, lacks a column, holds an unknown class, or a patch
            stands there twice.
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
    twins = [a for a, b in zip(table.s2_keys, table.s2_keys[1:], strict=False) if a == b]
    if twins:
        raise SourceError(f"{path}: {len(twins)} patches stand there twice, such as {twins[0]}")
    return table


def _read(path: str | os.PathLike[str], split: str | None, classes: Sequence[str]) -> PatchTable:
    """The patches of one file, in its order."""
    columns = _columns(path)
    rows = np.arange(len(columns["split"]))
    if split is not None:
        rows = np.flatnonzero(np.array(columns["split"].to_pylist(), object) == split)
    s2, s1 = (columns[name].take(rows).to_pylist() for name in ("patch_id", "s1_name"))
    nameless = sum(key is None for key in (*s2, *s1))
    if nameless:
        raise SourceError(f"{path}: {nameless} patches of split {split} have no name")
    return PatchTable(s2, s1, _multi_hot(path, columns["labels"].take(rows), classes))


def _columns(path: str | os.PathLike[str]) -> dict[str, pa.ChunkedArray]:
    """The columns that are used."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - only those with labels in Parquet need it
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            f"{path}: reading Parquet needs pyarrow, which is not installed",
            "Install the extra: pip install 'rico-hdl[parquet]'.",
        ) from error
    try:
        names = set(pq.read_schema(path).names)
        missing = [name for name in _COLUMNS if name not in names]
        table = None if missing else pq.read_table(path, columns=list(_COLUMNS))
    except (OSError, pa.ArrowException) as error:
        raise SourceError(
            f"{path}: can't be read as Parquet: {error}",
            "Expected metadata.parquet, which the publisher offers beside the archives.",
        ) from error
    if table is None:
        raise SourceError(f"{path}: lacks the columns {', '.join(missing)}")
    return {name: table[name] for name in _COLUMNS}


def _multi_hot(
    path: str | os.PathLike[str], column: pa.ChunkedArray, classes: Sequence[str]
) -> npt.NDArray[np.uint8]:
    """The labels of (patch, class), from a column of lists of class names."""
    lists: Any = column.combine_chunks()
    if not hasattr(lists, "offsets") or lists.null_count:
        raise SourceError(f"{path}: column labels is {column.type}, expected a list for each patch")
    counts = np.diff(lists.offsets.to_numpy())
    names = lists.flatten().dictionary_encode()
    spellings = names.dictionary.to_pylist()
    unknown = sorted({str(name) for name in spellings} - set(classes))
    if unknown:
        raise SourceError(
            f"{path}: {len(unknown)} unknown classes, such as {unknown[0]!r}",
            "Expected the 19 classes of rico_hdl.labels.CLASSES.",
        )
    index = np.array([classes.index(name) for name in spellings], np.intp)
    vectors = np.zeros((len(counts), len(classes)), np.uint8)
    rows = np.repeat(np.arange(len(counts)), counts)
    vectors[rows, index[names.indices.to_numpy()]] = 1
    return vectors
