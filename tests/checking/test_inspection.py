"""Summaries of a store's contents."""

from __future__ import annotations

from dataclasses import replace

import lmdb
import numpy as np
import pytest
from safetensors.numpy import save

import corpus
import rico_hdl
from rico_hdl.checking.inspection import inspect
from rico_hdl.cli.info import _lines
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import built_in, registry
from tests.support.reading import arrays, records

BIGEARTHNET = registry()["bigearthnet"]


def test_every_dataset_is_described(typical_spec, tmp_path):
    """Counts, bytes, bands, sources and digest of each dataset's store agree with its records."""
    sources = corpus.generate(typical_spec, tmp_path / "source", 2)
    summary = convert(typical_spec, sources, tmp_path / "target")
    info = inspect(tmp_path / "target")
    stored = arrays(tmp_path / "target")
    sizes = {key: len(value) for key, value in records(tmp_path / "target").items()}
    assert (info.dataset, info.complete, info.n_looked_at) == (typical_spec.name, True, None)
    assert info.n_records == len(stored)
    assert info.n_file_bytes == (tmp_path / "target" / "data.mdb").stat().st_size
    assert info.content_digest == summary.content_digest
    assert info.modalities.keys() == {m.name for m in typical_spec.modalities}
    for modality in typical_spec.modalities:
        part = info.modalities[modality.name]
        keys = [patch.key for patch in corpus.patches(typical_spec, modality, 2)]
        assert part.n_patches == 2
        assert part.n_bytes == sum(sizes[key] for key in keys)
        folder = sources[modality.name]
        named = [folder] if modality.arrays is None else sorted(folder.iterdir())
        assert part.sources == [str(path) for path in named]
        assert part.complete is True
        described = [layout.bands for layout in part.layouts]
        for key in keys:
            bands = {
                name: f"{stored[key][name].dtype} {'x'.join(map(str, stored[key][name].shape))}"
                for name in modality.band_names
            }
            assert bands in described
            assert list(next(d for d in described if d == bands)) == list(modality.band_names)
        assert sum(layout.n_patches for layout in part.layouts) == 2
        assert part.n_deviating == 2 - part.layouts[0].n_patches


def test_deviating_shapes_are_counted(tmp_path):
    """Patches with an unusual layout are counted, and the text says so."""
    spec = registry()["ssl4eo-s12"]
    sources = corpus.generate(spec, tmp_path / "source", 5, modalities=["s1"])
    convert(spec, sources, tmp_path / "target")
    info = inspect(tmp_path / "target")
    shapes = [patch["VV"].shape for patch in arrays(tmp_path / "target").values()]
    n_usual = shapes.count((264, 264))
    part = info.modalities["s1"]
    assert part.layouts[0].bands == {"VV": "float32 264x264", "VH": "float32 264x264"}
    assert part.n_deviating == len(shapes) - n_usual > 0
    assert f"    {part.n_deviating} patches have other shapes" in _lines(info)


def test_a_store_of_the_original_is_recognised(bigearthnet, tmp_path):
    """Without manifest and journal, the dataset and its modalities are recognised by the bands."""
    convert(BIGEARTHNET, bigearthnet, tmp_path / "ours")
    target = tmp_path / "target"
    with lmdb.open(str(target), map_size=2**30) as env, env.begin(write=True) as txn:
        for key, value in records(tmp_path / "ours").items():
            txn.put(key.encode(), value)
    info = inspect(target)
    assert (info.dataset, info.tool, info.complete) == ("bigearthnet", None, None)
    assert info.n_records == info.n_looked_at == 18
    assert {name: part.n_patches for name, part in info.modalities.items()} == {
        "s1": 6,
        "s2": 6,
        "reference-maps": 6,
    }
    text = "\n".join(_lines(info))
    assert "written by another tool" in text
    assert "complete: unknown" in text


@pytest.mark.parametrize("name", ["bigearthnet", "bigearthnet-v1"])
def test_releases_are_told_apart_by_their_keys(tmp_path, name):
    """Without a manifest, the form of the keys decides between datasets with the same bands."""
    spec = registry()[name]
    sources = corpus.generate(spec, tmp_path / "source", 3, modalities=["s1", "s2"])
    convert(spec, sources, tmp_path / "target")
    for file in ("rico-hdl.json", "rico-hdl.journal"):
        (tmp_path / "target" / file).unlink()
    assert inspect(tmp_path / "target").dataset == name
    assert rico_hdl.open(tmp_path / "target").dataset == name


@pytest.mark.parametrize(("name", "expected"), [("hydro", "hydro"), ("bigearthnet-v1", None)])
def test_records_that_fit_several_datasets_are_the_originals_or_unnamed(
    tmp_path, monkeypatch, name, expected
):
    """Without a manifest, of datasets that fit equally only one that the original has is named."""
    twin = replace(registry()[name], name="a-twin", is_original=False)
    monkeypatch.setitem(built_in()._modules, "a-twin", "a_twin")
    monkeypatch.setitem(built_in()._loaded, "a-twin", twin)
    spec = registry()[name]
    sources = corpus.generate(spec, tmp_path / "source", 3, modalities=["s2"])
    convert(spec, sources, tmp_path / "target")
    for file in ("rico-hdl.json", "rico-hdl.journal"):
        (tmp_path / "target" / file).unlink()
    assert inspect(tmp_path / "target").dataset == expected
    assert rico_hdl.open(tmp_path / "target").dataset == expected


def test_records_of_no_dataset_are_described(tmp_path):
    """An LMDB of other safetensors, or of something else, is described as far as possible."""
    with lmdb.open(str(tmp_path / "other")) as env, env.begin(write=True) as txn:
        txn.put(b"a", save({"x": np.zeros((2, 3), "float16")}))
        txn.put(b"b", b"something else")
    info = inspect(tmp_path / "other")
    assert (info.dataset, info.n_records) == (None, 2)
    assert info.modalities["unknown"].n_patches == 2
    assert {"x": "float16 2x3"} in [layout.bands for layout in info.modalities["unknown"].layouts]
    lmdb.open(str(tmp_path / "empty")).close()
    assert inspect(tmp_path / "empty").n_records == 0
    assert _lines(inspect(tmp_path / "empty"))
