"""Presets and aliases of the specs: names that select bands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rico_hdl.datasets import registry
from rico_hdl.errors import SpecError
from rico_hdl.spec import Band, Preset

MODALITIES = [(spec, modality) for spec in registry().values() for modality in spec.modalities]


@pytest.mark.parametrize(
    ("spec", "modality"), MODALITIES, ids=[f"{s.name} {m.name}" for s, m in MODALITIES]
)
def test_sentinel_2_presets_name_each_band_once(spec, modality):
    """Presets by resolution contain each band once, with its published size."""
    presets = {preset.name: preset.bands for preset in modality.presets}
    if "10m" not in presets:
        return
    by_resolution = [*presets["10m"], *presets["20m"], *presets["60m"]]
    assert sorted(by_resolution) == sorted(modality.band_names)
    shape_of = {band.name: band.shape for band in modality.bands}
    for name in ("10m", "20m", "60m"):
        assert len({shape_of[band] for band in presets[name]}) == 1, spec.name
    plain = {band.replace("0", "") for band in presets["rgb"]}
    assert plain == {"B4", "B3", "B2"}


def test_presets_decide_nothing_about_records():
    """Other presets and aliases don't change the fingerprint, so stores keep their dataset."""
    spec = registry()["eurosat-multi-spectral"]
    (modality,) = spec.modalities
    bands = tuple(replace(band, aliases=(f"{band.name}x",)) for band in modality.bands)
    other = replace(spec, modalities=(replace(modality, presets=(), bands=bands),))
    assert other.fingerprint == spec.fingerprint


@pytest.mark.parametrize(
    ("presets", "aliases", "what"),
    [
        ((Preset("B02", ("B01",)),), (), "B02"),
        ((Preset("all", ("B01",)),), (), "all"),
        ((Preset("a+b", ("B01",)),), (), r"a\+b"),
        ((Preset("x", ("B01",)), Preset("x", ("B02",))), (), "x"),
        ((Preset("x", ("B99",)),), (), "B99"),
        ((), ("B03",), "B03"),
        ((Preset("x", ("B01",)),), ("x",), "x"),
    ],
)
def test_ambiguous_names_are_refused(presets, aliases, what):
    """An ambiguous name, or a preset with missing bands, is an error."""
    modality = registry()["hydro"].modalities[0]
    first, *others = modality.bands
    bands = (Band(first.name, index=1, aliases=aliases), *others)
    with pytest.raises(SpecError, match=what):
        replace(modality, presets=presets, bands=bands)
