"""The keys of a modality.

In: the records of a store. Out: those keys that belong to a modality. Headers of records are read
only if the form of the keys does not tell modalities apart.
"""

from __future__ import annotations

from rico_hdl.reading.catalogue import ModalityContents
from rico_hdl.reading.keys import Keys
from rico_hdl.reading.protocol import Records


def keys_of(records: Records, contents: ModalityContents) -> Keys:
    """The keys of a modality, sorted.

    Args:
        records: The records.
        contents: One of the modalities in their catalogue.

    Raises:
        StoreError: The store is closed or damaged.
    """
    found, catalogue = records.keys(), records.catalogue
    if catalogue.is_whole and len(catalogue.modalities) == 1:
        return found
    if contents.keys is not None and contents.n_patches is not None:
        matches = contents.keys.match
        chosen = [i for i, key in enumerate(found) if matches(key) is not None]
        if len(chosen) == contents.n_patches:
            return found[chosen]
    layouts = zip(found, records.layouts(found), strict=True)
    modality_of = catalogue.contents_of
    chosen = [i for i, (key, layout) in enumerate(layouts) if modality_of(layout, key) is contents]
    return found[chosen]
