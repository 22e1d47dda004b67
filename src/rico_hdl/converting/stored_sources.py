"""The sources of a store: those that its manifest names, or others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rico_hdl.errors import SourceError, StoreError
from rico_hdl.patches.opening import Named, Opened, open_all, open_sources
from rico_hdl.sources.opening import is_source
from rico_hdl.spec import DatasetSpec
from rico_hdl.store import Manifest, spec_of


def sources_of(
    folder: Path, given: Mapping[str, Named] | None
) -> tuple[Manifest, DatasetSpec, list[Opened]]:
    """The manifest of a store, its spec, and its sources.

    Args:
        folder: The store.
        given: The source of each modality, as `rico_hdl.convert` takes it; those in the manifest
            if None or empty.

    Raises:
        StoreError: The manifest says nothing about the sources.
        SourceError: A source can't be used.
    """
    manifest = Manifest.read(folder) if folder.is_dir() else None
    if manifest is None or manifest.dataset is None:
        raise StoreError(
            f"{folder}: there is no rico-hdl.json that names the sources of this store",
            "Run the conversion's command again: it finds all patches stored and writes the file.",
        )
    spec = spec_of(manifest)
    if spec is None:
        raise StoreError(
            f"{folder}: nothing describes the dataset {manifest.dataset!r} of this store",
            "Run the conversion's command again: it finds all patches stored and notes its spec.",
        )
    if given:
        return manifest, spec, open_all(spec, given)
    wanted: list[Opened] = []
    for name, state in manifest.modalities.items():
        there = [location for location in state.sources if is_source(location)]
        if state.sources and not there:
            raise SourceError(
                f"the source of {name} no longer exists: {', '.join(state.sources)}",
                f"Give its new location: {spec.modality(name).option} SOURCE",
            )
        # One by one: folders and archives may have been added at different times.
        wanted += [open_sources(spec, spec.modality(name), [location]) for location in there]
    if not wanted:
        options = " or ".join(modality.option for modality in spec.modalities)
        raise StoreError(f"{folder}: the manifest names no source", f"Give {options}.")
    return manifest, spec, wanted
