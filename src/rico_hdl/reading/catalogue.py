"""What a store holds: its dataset, its modalities, their bands and usual sizes.

In: the manifest, or, where there is none, as in stores of the original rico-hdl, some of the
records. Out: a `Catalogue`. It writes nothing, and never reads a pixel.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rico_hdl.datasets import registry
from rico_hdl.errors import RecordError
from rico_hdl.reading.layouts import Layouts, RecordLayout
from rico_hdl.reading.readahead import HEADER, ReadAhead
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.store import Manifest, Pages

N_SAMPLES: Final = 256
"""Records that are looked at, spread over the store, where no manifest tells what it holds."""

UNKNOWN: Final = "unknown"
"""The name of a modality that is none of a known dataset."""

Shape = tuple[int, ...]
_Shapes = frozenset[tuple[str, Shape]]


@dataclass(frozen=True)
class ModalityContents:
    """One modality's part of a store."""

    bands: tuple[str, ...]
    """The names of its bands: in the publisher's order, or in that of their numbers."""
    shapes: Mapping[str, Shape]
    """The usual (rows, columns) of each band: those of most of its records."""
    presets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Choices of bands, by name."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of bands, and what they are called here."""


@dataclass(frozen=True)
class Catalogue:
    """What a store holds."""

    dataset: str | None
    """The dataset's name; None where it is unknown."""
    modalities: Mapping[str, ModalityContents]
    """By the modality's name, in the publisher's order."""
    is_whole: bool
    """Whether it is known of all records; if not, of some of them."""

    def contents_of(self, layout: RecordLayout) -> ModalityContents | None:
        """The part of the store that a record belongs to: records are told apart by their bands."""
        names = layout.bands.keys()
        for contents in self.modalities.values():
            if names == set(contents.bands):
                return contents
        return None


def read(target: Path, pages: Pages, layouts: Layouts, ahead: ReadAhead) -> Catalogue:
    """Find out what a store holds.

    Raises:
        StoreError: The manifest is there and can't be read, or ``data.mdb`` is damaged.
    """
    manifest = Manifest.read(target)
    spec = registry().get(manifest.dataset or "") if manifest else None
    if manifest and spec and manifest.n_patches == pages.n_entries:
        told = _told(manifest, spec)
        if told.modalities:
            return told
    return _sampled(pages, layouts, ahead, spec)


def _told(manifest: Manifest, spec: DatasetSpec) -> Catalogue:
    """What the manifest says; without modalities where it does not say all."""
    found: dict[str, ModalityContents] = {}
    for modality in spec.modalities:
        state = manifest.modalities.get(modality.name)
        if state is None or not state.n_patches:
            continue
        if not state.layouts or set(state.layouts[0].bands) != set(modality.band_names):
            return Catalogue(spec.name, {}, is_whole=False)
        found[modality.name] = _contents(modality, state.layouts[0].shapes)
    complete = sum(manifest.modalities[name].n_patches for name in found) == manifest.n_patches
    return Catalogue(spec.name, found if complete else {}, is_whole=complete)


def _sampled(
    pages: Pages, layouts: Layouts, ahead: ReadAhead, spec: DatasetSpec | None
) -> Catalogue:
    """What some of the records say."""
    counts: defaultdict[frozenset[str], Counter[_Shapes]] = defaultdict(Counter)
    places = [place for _, place in pages.sample(N_SAMPLES)]
    if ahead.cold:
        ahead.announce(pages, places, HEADER)
    for start, stop in places:
        try:
            layout = layouts.of(pages.data, start, stop)
        except RecordError:
            continue
        counts[frozenset(layout.bands)][frozenset(layout.shape_of.items())] += 1
    usual = {names: dict(shapes.most_common(1)[0][0]) for names, shapes in counts.items()}
    if spec is None:
        spec = max(registry().values(), key=lambda one: _fit(one, usual), default=None)
        if spec is None or not any(_fit(spec, usual)):
            spec = None
    found: dict[str, ModalityContents] = {}
    for modality in spec.modalities if spec else ():
        shapes = usual.pop(frozenset(modality.band_names), None)
        if shapes is not None:
            found[modality.name] = _contents(modality, shapes)
    for names, shapes in usual.items():
        name = f"{UNKNOWN}-{len(found)}" if UNKNOWN in found else UNKNOWN
        found[name] = ModalityContents(tuple(sorted(names, key=in_order)), shapes)
    return Catalogue(spec.name if spec else None, found, is_whole=pages.n_entries <= N_SAMPLES)


def _fit(spec: DatasetSpec, usual: Mapping[frozenset[str], Mapping[str, Shape]]) -> tuple[int, int]:
    """How many modalities of a dataset there are, and how many bands have the published shape.

    Some datasets have the same bands, at different sizes.
    """
    there = [m for m in spec.modalities if frozenset(m.band_names) in usual]
    same = [
        band
        for modality in there
        for band in modality.bands
        if band.shape == usual[frozenset(modality.band_names)][band.name]
    ]
    return len(there), len(same)


def _contents(modality: Modality, shapes: Mapping[str, Shape]) -> ModalityContents:
    return ModalityContents(
        modality.band_names,
        shapes,
        {preset.name: preset.bands for preset in modality.presets},
        {alias: band.name for band in modality.bands for alias in band.aliases},
    )


def in_order(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts names by the numbers in them: B2 before B10."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts)
