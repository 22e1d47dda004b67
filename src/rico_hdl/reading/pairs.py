"""The patches of several modalities that belong together.

In: a store, and its labels. Out: keys by modality, in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rico_hdl.errors import UsageError
from rico_hdl.reading.joins import joined_by_fields
from rico_hdl.reading.keys import Keys
from rico_hdl.reading.labels import StoreLabels, names_of
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.spec.labels import TABLE_SUFFIXES, split_name

if TYPE_CHECKING:
    from rico_hdl.labels.names import Positions


class Described(Protocol):
    """A store whose modalities are described."""

    @property
    def path(self) -> Path:
        """The folder, for messages."""

    @property
    def spec(self) -> DatasetSpec | None:
        """The description of its dataset."""

    def keys(
        self, modality: str | None = None, *, split: str | None = None, labelled: bool = False
    ) -> Keys:
        """The keys of a modality."""


def described(store: Described, name: str) -> Modality:
    """The description of a modality.

    Raises:
        UsageError: The store has none.
    """
    for modality in store.spec.modalities if store.spec is not None else ():
        if modality.name == name:
            return modality
    raise UsageError(
        f"{store.path}: nothing describes the modality {name!r}",
        "Run the conversion's command again: it writes a manifest with the dataset's description.",
    )


def pairs_of(
    store: Described, labels: StoreLabels, modalities: Sequence[str], split: str | None
) -> dict[str, Keys]:
    """See `Store.pairs`."""
    if len({*modalities}) != len(modalities) or len(modalities) < 2:
        raise UsageError(
            f"pairs of {', '.join(modalities) or 'nothing'}",
            'Name two or more modalities, each once: store.pairs("s2", "mask").',
        )
    keys = {name: store.keys(name) for name in modalities}
    found = _by_tables(labels, keys, split)
    if found is None:
        chosen = [described(store, name) for name in modalities]
        pairs_by = store.spec.pairs_by if store.spec else ()
        found = joined_by_fields(keys, chosen, pairs_by)
        if split is not None:
            first = modalities[0]
            is_in = labels.in_split(keys[first], split)[found[first]]
            found = {name: rows[is_in] for name, rows in found.items()}
            return {name: keys[name][rows] for name, rows in found.items()}
    pairs = {name: keys[name][rows] for name, rows in found.items()}
    if split is None and not len(pairs[modalities[0]]) and all(map(len, keys.values())):
        raise UsageError(
            f"{store.path}: no patches of {' and '.join(modalities)} belong together, as far as "
            "keys and labels say",
            "If the publisher's table of labels names them, add it: rico-hdl DATASET --labels FILE "
            "--target-dir STORE.",
        )
    return pairs


def _by_tables(
    labels: StoreLabels, keys: dict[str, Keys], split: str | None
) -> dict[str, Positions] | None:
    """The positions of pairs that label tables name; None if no row has all modalities."""
    samples = labels.samples
    if samples is None or not keys.keys() <= samples.names.keys():
        return None
    names = {name: samples.names[name] for name in keys}
    rows = np.flatnonzero(np.all([n.ends > n.begins for n in names.values()], axis=0))
    if not len(rows):
        return None
    if split is not None and Path(split).suffix.lower() in TABLE_SUFFIXES:
        first = next(iter(keys))
        at = names_of(keys[first]).find(names[first].take(rows))
        is_in = labels.in_split(keys[first], split)
        rows = rows[(at >= 0) & is_in[at]]
    elif split is not None:
        number = {name: i for i, name in enumerate(samples.splits)}.get(split_name(split))
        if number is None:
            raise UsageError(
                f"there is no split {split!r}", f"Known: {', '.join(samples.splits) or 'none'}."
            )
        rows = rows[samples.split[rows] == number]
    found = {name: names_of(keys[name]).find(names[name].take(rows)) for name in keys}
    stored = np.all([at >= 0 for at in found.values()], axis=0)
    return {name: at[stored] for name, at in found.items()}
