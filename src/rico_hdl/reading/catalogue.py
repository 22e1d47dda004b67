"""The contents of a store: its dataset, its modalities, their bands and usual sizes.

In: the manifest, or some of the records if there is no manifest, as in stores of the original
rico-hdl. Out: a `Catalogue`. This module writes nothing, and never reads a pixel.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from rico_hdl.datasets import recognised
from rico_hdl.errors import RecordError
from rico_hdl.reading.layouts import Layouts, RecordLayout
from rico_hdl.reading.readahead import HEADER, ReadAhead
from rico_hdl.spec import DatasetSpec, Modality, Template
from rico_hdl.store import Manifest, Pages, spec_of

N_SAMPLES: Final = 256
"""Records, spread over the store, that are examined if no manifest describes its contents."""

UNKNOWN: Final = "unknown"
"""The name of a modality that belongs to no known dataset."""

Shape = tuple[int, ...]
_Shapes = frozenset[tuple[str, Shape]]
_Bands = frozenset[str]


@dataclass(frozen=True)
class ModalityContents:
    """One modality's part of a store."""

    bands: tuple[str, ...]
    """The names of its bands, in the publisher's order or sorted by the numbers in them."""
    shapes: Mapping[str, Shape]
    """The usual (rows, columns) of each band: those of most of its records."""
    presets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Named choices of bands."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """The stored name of a band, by alias."""
    keys: Template | None = None
    """The form of its keys; None if unknown."""
    n_patches: int | None = None
    """The number of its records; None if unknown."""


@dataclass(frozen=True)
class Catalogue:
    """The contents of a store."""

    dataset: str | None
    """The dataset's name; None if it is unknown."""
    modalities: Mapping[str, ModalityContents]
    """By the modality's name, in the publisher's order."""
    is_whole: bool
    """Whether this describes all records, rather than a sample of them."""
    spec: DatasetSpec | None = None
    """What the store's manifest says about its dataset; None if unknown or only guessed."""

    @cached_property
    def has_twins(self) -> bool:
        """Whether modalities share their bands, so only keys tell their records apart."""
        bands = [frozenset(contents.bands) for contents in self.modalities.values()]
        return len(set(bands)) < len(bands)

    def contents_of(self, layout: RecordLayout, key: str) -> ModalityContents | None:
        """The modality of a record, by its bands, and by its key if several have these bands."""
        names = layout.bands.keys()
        found = [one for one in self.modalities.values() if names == set(one.bands)]
        if len(found) > 1:
            found = [one for one in found if one.keys is not None and one.keys.match(key)]
        return found[0] if found else None


def read(target: Path, pages: Pages, layouts: Layouts, ahead: ReadAhead) -> Catalogue:
    """Read the contents of a store from its manifest, or from a sample of its records.

    Raises:
        StoreError: The manifest exists and can't be read, or ``data.mdb`` is damaged.
    """
    manifest = Manifest.read(target)
    spec = spec_of(manifest)
    if manifest and spec and manifest.n_patches == pages.n_entries:
        described = _described(manifest, spec)
        if described.modalities:
            return replace(described, spec=spec)
    return replace(_sampled(pages, layouts, ahead, spec), spec=spec)


def _described(manifest: Manifest, spec: DatasetSpec) -> Catalogue:
    """The catalogue from the manifest; without modalities if the manifest is incomplete."""
    found: dict[str, ModalityContents] = {}
    for modality in spec.modalities:
        state = manifest.modalities.get(modality.name)
        if state is None or not state.n_patches:
            continue
        if not state.layouts or set(state.layouts[0].bands) != set(modality.band_names):
            return Catalogue(spec.name, {}, is_whole=False)
        found[modality.name] = _contents(modality, state.layouts[0].shapes, state.n_patches)
    complete = sum(manifest.modalities[name].n_patches for name in found) == manifest.n_patches
    return Catalogue(spec.name, found if complete else {}, is_whole=complete)


def _sampled(
    pages: Pages, layouts: Layouts, ahead: ReadAhead, spec: DatasetSpec | None
) -> Catalogue:
    """The catalogue from a sample of the records."""
    counts: defaultdict[_Bands, Counter[_Shapes]] = defaultdict(Counter)
    keys: defaultdict[_Bands, list[str]] = defaultdict(list)
    samples: list[tuple[str, _Bands, _Shapes]] = []
    sample = list(pages.sample(N_SAMPLES))
    if ahead.cold:
        ahead.announce(pages, [place for _, place in sample], HEADER)
    for key, (start, stop) in sample:
        try:
            layout = layouts.of(pages.data, start, stop)
        except RecordError:
            continue
        names, shapes = frozenset(layout.bands), frozenset(layout.shape_of.items())
        samples.append((key.decode(errors="surrogateescape"), names, shapes))
        counts[names][shapes] += 1
        keys[names].append(samples[-1][0])
    if spec is None:
        usual = {names: _usual(shapes) for names, shapes in counts.items()}
        spec = recognised(lambda one: _fit(one, usual, keys))
    groups: defaultdict[tuple[Modality | None, _Bands], Counter[_Shapes]] = defaultdict(Counter)
    for text, names, shapes in samples:
        groups[spec.modality_of(text, names) if spec else None, names][shapes] += 1
    found: dict[str, ModalityContents] = {}
    for modality in spec.modalities if spec else ():
        shapes_of_all = groups.pop((modality, frozenset(modality.band_names)), None)
        if shapes_of_all is not None:
            found[modality.name] = _contents(modality, _usual(shapes_of_all))
    for (_, names), shapes_of_all in groups.items():
        name = f"{UNKNOWN}-{len(found)}" if UNKNOWN in found else UNKNOWN
        bands = tuple(sorted(names, key=in_order))
        found[name] = ModalityContents(bands, _usual(shapes_of_all))
    return Catalogue(spec.name if spec else None, found, is_whole=pages.n_entries <= N_SAMPLES)


def _usual(shapes: Counter[_Shapes]) -> dict[str, Shape]:
    """The most frequent shapes."""
    return dict(shapes.most_common(1)[0][0])


def _fit(
    spec: DatasetSpec,
    usual: Mapping[frozenset[str], Mapping[str, Shape]],
    keys: Mapping[frozenset[str], Sequence[str]],
) -> tuple[int, int, int]:
    """How many sets of bands a dataset has, how many of the keys, and how many published shapes.

    The form of keys decides between datasets with the same bands, and the shapes between those
    whose keys have the same form.
    """
    n_alike = n_named = n_same = 0
    for names, shapes in usual.items():
        alike = [m for m in spec.modalities if set(m.band_names) == names]
        n_alike += bool(alike)
        n_named += sum(any(m.may_have(key) for m in alike) for key in keys[names])
        n_same += max((_n_same(m, shapes) for m in alike), default=0)
    return n_alike, n_named, n_same


def _n_same(modality: Modality, shapes: Mapping[str, Shape]) -> int:
    """The number of bands that have the published shape."""
    return sum(band.shape == shapes[band.name] for band in modality.bands)


def _contents(
    modality: Modality, shapes: Mapping[str, Shape], n_patches: int | None = None
) -> ModalityContents:
    return ModalityContents(
        modality.band_names,
        shapes,
        {preset.name: preset.bands for preset in modality.presets},
        {alias: band.name for band in modality.bands for alias in band.aliases},
        modality.keys,
        n_patches,
    )


def in_order(name: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key that orders names by the numbers in them: B2 before B10."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts)
