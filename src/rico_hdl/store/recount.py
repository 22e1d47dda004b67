"""The state of a store whose manifest is missing or out of date.

In: an open store and a spec. Out: a manifest made from the records themselves, as after a kill, or
for a store that the original rico-hdl wrote. It reads every record once and changes nothing.
"""

from __future__ import annotations

from rico_hdl import digest
from rico_hdl.errors import RecordError
from rico_hdl.record import parse
from rico_hdl.spec import DatasetSpec
from rico_hdl.store.manifest import Manifest, ModalityState
from rico_hdl.store.writer import StoreWriter


def current_manifest(writer: StoreWriter, spec: DatasetSpec, found: Manifest | None) -> Manifest:
    """The manifest that describes the store as it is.

    Args:
        writer: The open store.
        spec: Its dataset.
        found: The manifest that lies beside it, if any; trusted only if it describes the very
            transaction that the store is at.
    """
    manifest = found or Manifest()
    trusted = (manifest.last_transaction, manifest.n_patches) == (
        writer.last_transaction,
        writer.n_entries,
    )
    if not trusted:
        _recount(manifest, writer, spec)
    manifest.tool = Manifest().tool
    manifest.dataset, manifest.spec_fingerprint = spec.name, spec.fingerprint
    return manifest


def _recount(manifest: Manifest, writer: StoreWriter, spec: DatasetSpec) -> None:
    by_bands = {frozenset(m.band_names): m.name for m in spec.modalities}
    total = 0
    manifest.n_patches = 0
    for state in manifest.modalities.values():
        state.n_patches = state.n_bytes = 0
    for key, value in writer.records():
        total = digest.add(total, digest.record_digest(bytes(key), value))
        manifest.n_patches += 1
        try:
            name = by_bands.get(frozenset(tensor.name for tensor in parse(value)))
        except RecordError:
            name = None
        if name is not None:
            state = manifest.modalities.setdefault(name, ModalityState())
            state.bands = list(spec.modality(name).band_names)
            state.n_patches += 1
            state.n_bytes += len(value)
    manifest.content_digest = digest.to_text(total)
