"""A part of a store, as a store of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Sequence

import numpy as np

from rico_hdl.labels.samples import SampleTable
from rico_hdl.observer import Observer, observing
from rico_hdl.reading import Keys, Store
from rico_hdl.reading import open as open_store
from rico_hdl.reading.labels import StoreLabels, names_of
from rico_hdl.store import Manifest
from rico_hdl.subsets.copying import READ_BYTES, Origins, records_of, write_store
from rico_hdl.subsets.selection import Selection
from rico_hdl.subsets.summary import CopySummary
from rico_hdl.values import Record


def select(  # noqa: PLR0913 - each is the user's choice
    store: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    modality: str | Iterable[str] | None = None,
    keys: Iterable[str] | None = None,
    fraction: float | None = None,
    seed: int = 0,
    limit: int | None = None,
    split: str | None = None,
    label: str | Iterable[str] | None = None,
    bbox: Sequence[float | str] | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> CopySummary:
    """Copy the patches of a store that meet all criteria into a store of its own.

    Records are copied byte for byte and compared with their notes in the journal. The same call
    continues if it was interrupted; another selection into the same folder is refused.

    Args:
        store: The folder of the store.
        target: The folder of the new store; created with its parents.
        modality: The wanted modality, or several.
        keys: The wanted keys.
        fraction: The share of samples, such as 0.1; see `Selection.fraction`.
        seed: Chooses other samples for ``fraction``.
        limit: The largest number of samples.
        split: The name of a split, or a publisher's split file.
        label: The name of a class, or several of which a sample has any.
        bbox: West, south, east, north in degrees; see `Selection.bbox`.
        overwrite: Start from scratch: remove the contents of the target, if rico-hdl wrote them.
        observer: Receives progress, as in a verification.

    Raises:
        UsageError: A criterion is invalid, or nothing meets them.
        UnknownKeyError: The store lacks a key.
        StoreError: The store is damaged, or the target can't be used.
        InterruptedRunError: A signal ended it; all stored records are kept.
    """
    wanted = Selection.of(
        modality=modality,
        keys=keys,
        fraction=fraction,
        seed=seed,
        limit=limit,
        split=split,
        label=label,
        bbox=bbox,
    )
    with open_store(store) as opened:
        manifest = Manifest.read(opened.path) or Manifest()
        chosen = wanted.chosen(opened)
        labels = _labels_of(opened, chosen)
        origins = Origins((opened,), (manifest,), opened.spec, wanted.to_dict(), labels)

        def records(is_wanted: Callable[[bytes], bool]) -> Generator[Record, None, None]:
            return records_of(opened, chosen, READ_BYTES, is_wanted)

        return write_store(
            origins,
            target,
            records,
            len(chosen),
            overwrite=overwrite,
            observer=observing(observer),
        )


def _labels_of(store: Store, keys: Keys) -> SampleTable | None:
    """The labels of samples that have any of some patches; None if there are none."""
    labels = StoreLabels(store.path, store.spec)
    samples = labels.samples
    if samples is None:
        return None
    wanted = names_of(keys)
    is_kept = np.any([wanted.find(names) >= 0 for names in samples.names.values()], axis=0)
    # Samples name the masks of series, say, and those may not be among the patches.
    for name, companions in labels.companions(wanted, np.ones(len(keys), bool)):
        rows = samples.names[name].find(companions)
        is_kept[rows[rows >= 0]] = True
    rows = np.flatnonzero(is_kept)
    return samples.take(rows) if len(rows) else None
