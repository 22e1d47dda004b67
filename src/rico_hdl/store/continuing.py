"""Whether patches may be added to an existing store.

In: a store's manifest, and the spec of what is to be added. Out: nothing, or an error.
"""

from __future__ import annotations

from pathlib import Path

from rico_hdl.errors import StoreError
from rico_hdl.spec import DatasetSpec
from rico_hdl.store.manifest import MANIFEST_NAME, Manifest, needs, newer_error


def check_same_dataset(manifest: Manifest, spec: DatasetSpec, target: Path) -> None:
    """Check that patches of this dataset may be added to a store.

    Raises:
        StoreError: The store holds another dataset, has a modality that was made with another
            version of the spec, or needs a later rico-hdl.
    """
    if manifest.requires_to_write:
        error = newer_error({"tool": manifest.tool}, needs("writes to", manifest.requires_to_write))
        raise StoreError(f"{target / MANIFEST_NAME}: the manifest {error.message}", error.hint)
    if manifest.made_of is not None:
        raise StoreError(
            f"{target} was made of other stores, so nothing is converted into it",
            "Choose another --target-dir. To update it, convert into the stores that it was made "
            "of, and make it again.",
        )
    if manifest.dataset not in (None, spec.name):
        raise StoreError(
            f"{target} holds {manifest.dataset}, expected {spec.name} or an empty folder",
            "Choose another --target-dir: one store holds one dataset.",
        )
    changed = [] if manifest.whole_fingerprint in (None, spec.fingerprint) else [spec.name]
    changed += [
        f"{spec.name}'s {modality.name}"
        for modality in spec.modalities
        if (state := manifest.modalities.get(modality.name)) is not None
        and state.spec_fingerprint not in (None, modality.fingerprint)
    ]
    if changed:
        raise StoreError(
            f"{target} was made by {manifest.tool} with different keys or bands for "
            f"{' and '.join(changed)}",
            "Choose another --target-dir, or continue with the version that began the store.",
        )
