"""The statistics of a store's patches: `Store.statistics`, and those of all modalities.

In: a store, and a choice of its patches. Out: a `Statistics` for each modality.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError
from rico_hdl.observer import Observer, observing
from rico_hdl.reading.catalogue import UNKNOWN, ModalityContents
from rico_hdl.reading.counting import BandCounts, count_records
from rico_hdl.reading.keys import Keys
from rico_hdl.reading.modalities import keys_of
from rico_hdl.reading.protocol import Records
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.statistics import Statistics
from rico_hdl.system.processors import checked_workers

_NOTHING: Final = ModalityContents((), {})
"""What is known of records that belong to no modality."""


class Countable(Protocol):
    """What statistics need of a `Store`."""

    records: Records
    """The records."""

    @property
    def path(self) -> Path:
        """The folder."""
        ...

    @property
    def spec(self) -> DatasetSpec | None:
        """The description of the dataset."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes of labels."""
        ...

    def keys(
        self, modality: str | None = None, *, split: str | None = None, labelled: bool = False
    ) -> Keys:
        """The keys of a modality, of a split, or with labels."""
        ...

    def labels(self, keys: Iterable[str]) -> npt.NDArray[Any]:
        """The label of each key."""
        ...


def statistics_of(  # noqa: PLR0913 - the options of one call
    store: Countable,
    modality: str | None = None,
    *,
    split: str | None = None,
    keys: Sequence[str] | None = None,
    nodata: float | None = None,
    n_workers: int | None = None,
    observer: Observer | None = None,
) -> Statistics:
    """Count the pixels and labels of a modality.

    Every valid pixel is read once. Sums, means and standard deviations are exact, and so are
    percentiles and histograms of dtypes of up to 16 bits: see `rico_hdl.statistics`.

    Args:
        store: The store.
        modality: Its name; None for the store's only one.
        split: The split to count, such as ``train``; None for all.
        keys: The patches to count, instead of a split.
        nodata: The value of pixels that hold no data, which are left out; None for that of the
            dataset's description, such as the class of a mask that is to be ignored.
        n_workers: Threads that count; None for all processors that this process may use.
        observer: Receives progress.

    Returns:
        The statistics, with a number for each band.

    Raises:
        UsageError: The store has no such modality, split or key, or several modalities and none was
            named.
        StoreError: The store is closed, damaged, or has bands whose dtype differs between patches.
    """
    known = store.records.catalogue.modalities
    if modality is None and len(known) == 1:
        (modality,) = known
    if modality is None or modality not in known:
        what = "several modalities, and none was named" if modality is None else "no such modality"
        raise UsageError(
            f"{store.path}: {what}" + (f": {modality!r}" if modality else ""),
            f"It has: {', '.join(known) or 'no records'}.",
        )
    chosen = chosen_keys(store, [modality], split=split, keys=keys)
    return counted(store, chosen, split, nodata, n_workers, observer)[modality]


def chosen_keys(
    store: Countable,
    modalities: Sequence[str] = (),
    *,
    split: str | None = None,
    keys: Sequence[str] | None = None,
) -> dict[str, Keys]:
    """The chosen patches of each modality that has some, in the publisher's order.

    Args:
        store: The store.
        modalities: The modalities; empty for all, with those records that belong to none.
        split: The name of a split; None for all patches.
        keys: The patches; None for all.

    Raises:
        UsageError: The store has no such modality, split, or key; no patch was chosen; or both
            ``split`` and ``keys`` are given.
        StoreError: The store is closed or damaged.
    """
    if split is not None and keys is not None:
        raise UsageError("both a split and keys are given", "Give one of them.")
    catalogue = store.records.catalogue
    if unknown := [name for name in modalities if name not in catalogue.modalities]:
        raise UsageError(
            f"{store.path} has no modality {unknown[0]!r}",
            f"It has: {', '.join(catalogue.modalities) or 'no records'}.",
        )
    if keys is not None:
        found = _by_modality(store.records, store.records.locate(list(keys)))
    elif split is not None:
        found = {name: store.keys(name, split=split) for name in modalities or catalogue.modalities}
    elif modalities:
        known = catalogue.modalities
        found = {name: keys_of(store.records, known[name]) for name in modalities}
    else:
        found = _all_keys(store.records)
    found = {name: some for name, some in found.items() if len(some)}
    if modalities:
        found = {name: found[name] for name in modalities if name in found}
    if not found:
        raise UsageError(f"{store.path}: there are no patches to count")
    return found


def _all_keys(records: Records) -> dict[str, Keys]:
    """All keys by modality."""
    known = records.catalogue.modalities
    found = {name: keys_of(records, contents) for name, contents in known.items()}
    if sum(map(len, found.values())) == len(records):
        return found
    # Some records have bands of no modality.
    return _by_modality(records, records.keys())


def _by_modality(records: Records, keys: Keys) -> dict[str, Keys]:
    """Keys by modality, in the publisher's order; those that belong to none are ``unknown``."""
    catalogue = records.catalogue
    rows: dict[str, list[int]] = {name: [] for name in catalogue.modalities}
    name_of = {id(contents): name for name, contents in catalogue.modalities.items()}
    layouts = zip(keys, records.layouts(keys), strict=True)
    for row, (key, layout) in enumerate(layouts):
        contents = catalogue.contents_of(layout, key)
        rows.setdefault(name_of.get(id(contents), UNKNOWN), []).append(row)
    return {name: keys[np.array(some, np.int64)] for name, some in rows.items()}


def counted(  # noqa: PLR0913, PLR0917 - the options of one call
    store: Countable,
    chosen: Mapping[str, Keys],
    split: str | None = None,
    nodata: float | None = None,
    n_workers: int | None = None,
    observer: Observer | None = None,
) -> dict[str, Statistics]:
    """Count patches.

    Args:
        store: The store.
        chosen: The keys of each modality: see `chosen_keys`.
        split: The name of the split that they are; None for another choice.
        nodata: See `Store.statistics`.
        n_workers: See `Store.statistics`.
        observer: Receives progress.

    Raises:
        UsageError: ``n_workers`` is less than 1.
        StoreError: See `Store.statistics`.
    """
    workers = checked_workers(n_workers)
    watching = observing(observer)
    watching.on_start(sum(map(len, chosen.values())))
    found = {}
    for name, keys in chosen.items():
        modality = _described(store.spec, name)
        empty = nodata if nodata is not None or modality is None else modality.ignore
        contents = store.records.catalogue.modalities.get(name, _NOTHING)
        counts = BandCounts(contents.bands, empty)
        count_records(store.records, keys, counts, workers, watching)
        labels, n_unlabelled = _label_counts(store, name, keys)
        found[name] = Statistics(
            modality=name,
            n_patches=len(keys),
            bands=counts.finish(),
            is_mask=modality is not None and modality.role == "mask",
            classes=modality.classes if modality is not None else (),
            labels=labels,
            n_unlabelled=n_unlabelled,
            dataset=store.records.catalogue.dataset,
            split=split,
        )
    return found


def _described(spec: DatasetSpec | None, name: str) -> Modality | None:
    """The description of a modality; None if there is none."""
    if spec is None:
        return None
    return next((modality for modality in spec.modalities if modality.name == name), None)


def _label_counts(store: Countable, modality: str, keys: Keys) -> tuple[dict[str, int], int]:
    """How many patches have each label, and how many have none if others have one."""
    classes = store.classes
    if not classes or modality not in store.records.catalogue.modalities:
        return {}, 0
    known = {*store.keys(modality, labelled=True)}
    labelled = keys[np.flatnonzero([key in known for key in keys])]
    if not len(labelled):
        return {}, 0
    values = np.asarray(store.labels(labelled))
    if values.ndim == 1:
        counts = np.bincount(values.astype(np.int64), minlength=len(classes))
    else:
        counts = values.sum(axis=0, dtype=np.int64)
    return dict(zip(classes, counts.tolist(), strict=True)), len(keys) - len(labelled)
