"""The samples of a store: which of its patches belong together, whatever else the store holds.

In: a store. Out: the name of each patch's sample. It is the same in every store of the dataset, so
parts that are chosen by names agree with each other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rico_hdl.reading import Keys, Store
from rico_hdl.reading.labels import StoreLabels, names_of
from rico_hdl.spec import DatasetSpec

_NONE = "\0"
"""Separates values of fields; no key contains it."""


def sample_names(store: Store, keys: Keys) -> npt.NDArray[np.bytes_]:
    """The name of the sample that each patch belongs to, in UTF-8.

    If a row of the store's label tables names the patch, or the patch that its series belongs to,
    the sample is called like the row's first patch. Otherwise it is called like the values of the
    fields that join modalities, or like the patch itself.

    Raises:
        StoreError: The labels are damaged.
    """
    names = [key.encode() for key in keys]
    is_named = np.zeros(len(names), bool)
    labels = StoreLabels(store.path, store.spec)
    if (samples := labels.samples) is not None:
        spec = store.spec
        order = [one.name for one in spec.modalities] if spec is not None else list(samples.names)
        looked_up = [(name, names_of(keys)) for name in samples.names]
        looked_up += labels.companions(names_of(keys), ~is_named)
        for name, wanted in looked_up:
            rows = samples.names[name].find(wanted)
            for i in np.flatnonzero((rows >= 0) & ~is_named).tolist():
                anchor = samples.names[order[samples.anchors[rows[i]]]]
                names[i] = anchor[int(rows[i])]
                is_named[i] = True
    if store.spec is not None and not is_named.all():
        _name_by_fields(store.spec, keys, names, is_named)
    return np.array(names)


def _name_by_fields(
    spec: DatasetSpec, keys: Keys, names: list[bytes], is_named: npt.NDArray[np.bool_]
) -> None:
    """Replace the names of patches by the values of the fields that all modalities share."""
    first, *others = spec.modalities
    fields = spec.pairs_by or tuple(
        name for name in first.key.fields if all(name in one.key.fields for one in others)
    )
    templates = [one.keys for one in spec.modalities if {*fields} <= {*one.key.fields}]
    if not fields or (not others and not spec.pairs_by):
        return
    for i in np.flatnonzero(~is_named).tolist():
        key = keys[i]
        values = next((found for t in templates if (found := t.match(key)) is not None), None)
        if values is not None:
            names[i] = _NONE.join([values[name] for name in fields]).encode()
