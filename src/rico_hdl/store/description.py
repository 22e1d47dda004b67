"""The dataset of a store, as the store itself describes it.

In: a manifest. Out: the spec that its records were made with.
"""

from __future__ import annotations

from collections.abc import Callable

from rico_hdl.datasets import built_in
from rico_hdl.errors import SpecError
from rico_hdl.spec import DatasetSpec
from rico_hdl.spec.portable import from_rows
from rico_hdl.store.manifest import Manifest
from rico_hdl.values import Layout


def spec_of(manifest: Manifest | None) -> DatasetSpec | None:
    """The spec of a store; None if nothing describes it.

    A built-in spec is preferred as long as keys and bands agree with the store's, since it may have
    gained presets and notes. Otherwise the manifest's own spec counts, whatever its name.
    """
    if manifest is None or manifest.dataset is None:
        return None
    known = built_in().get(manifest.dataset)
    if known is not None and _agrees(manifest, known):
        return known
    try:
        return None if manifest.spec is None else from_rows(manifest.spec)
    except SpecError:  # of a later version, or edited
        return None


def _agrees(manifest: Manifest, spec: DatasetSpec) -> bool:
    """Whether the store's records have the keys and bands of this spec."""
    known = {modality.name: modality.fingerprint for modality in spec.modalities}
    return all(
        state.spec_fingerprint in (None, known.get(name))
        for name, state in manifest.modalities.items()
        if state.n_patches
    )


def modality_namer(spec: DatasetSpec | None) -> Callable[[bytes, Layout], str]:
    """Return a function that names the modality of a record that the journal lacks, if it can."""

    def name(key: bytes, layout: Layout) -> str:
        if spec is None:
            return ""
        bands = [band for band, _, _ in layout]
        modality = spec.modality_of(key.decode(errors="surrogateescape"), bands)
        return modality.name if modality else ""

    return name
