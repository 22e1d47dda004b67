"""The sources that a store names, and warnings about disk space."""

from __future__ import annotations

import json
import shutil

import pytest

import corpus
from corpus.archives import publish
from rico_hdl.converting.conversion import convert
from rico_hdl.converting.sizes import nominal_bytes
from rico_hdl.datasets import registry

BIGEARTHNET = registry()["bigearthnet"]
UC_MERCED = registry()["uc-merced"]


@pytest.fixture
def first(tmp_path):
    """A converted folder of Sentinel-1 patches."""
    folder = corpus.generate(BIGEARTHNET, tmp_path / "first", 4, modalities=["s1"])["s1"]
    assert convert(BIGEARTHNET, {"s1": folder}, tmp_path / "target").complete
    return folder


def sources_of(target):
    """The sources of Sentinel-1 in the manifest."""
    return json.loads((target / "rico-hdl.json").read_text())["modalities"]["s1"]["sources"]


def copy_of(folder, tmp_path):
    """A copy of the files at another place."""
    return shutil.copytree(folder, tmp_path / "second")


def test_a_source_of_other_values_is_not_named(first, tmp_path):
    """A folder with one patch that differs from the stored values is not named as a source."""
    second = copy_of(first, tmp_path)
    one, other, *_ = sorted(second.glob("*/*/*_VV.tif"))
    shutil.copy(other, one)
    summary = convert(BIGEARTHNET, {"s1": second}, tmp_path / "target")
    assert summary.n_present == {"s1": 3}
    (failure,) = summary.failures
    assert str(first) in failure.reason
    assert sources_of(tmp_path / "target") == [str(first)]


def test_a_source_without_records_is_not_named(first, tmp_path):
    """A folder without a readable patch is not named as a source of stored patches."""
    second = copy_of(first, tmp_path)
    for path in second.glob("*/*/*_VV.tif"):
        path.write_bytes(b"no TIFF")
    summary = convert(BIGEARTHNET, {"s1": second}, tmp_path / "target")
    assert len(summary.failures) == 4
    assert sources_of(tmp_path / "target") == [str(first)]


def test_the_only_source_is_named_even_without_records(tmp_path):
    """The first source of a store is named even if none of its patches could be stored."""
    folder = corpus.generate(BIGEARTHNET, tmp_path / "first", 2, modalities=["s1"])["s1"]
    for path in folder.glob("*/*/*_VV.tif"):
        path.write_bytes(b"no TIFF")
    assert not convert(BIGEARTHNET, {"s1": folder}, tmp_path / "target").complete
    assert sources_of(tmp_path / "target") == [str(folder)]


def test_a_patch_that_fails_twice_is_reported_once(first, tmp_path):
    """A patch that fails in two sources is one failure, and none once it is stored."""
    target = tmp_path / "fresh"
    second = copy_of(first, tmp_path)
    for folder in (first, second):
        path = min(folder.glob("*/*/*_VV.tif"))
        good = path.read_bytes()
        path.write_bytes(b"no TIFF")
        convert(BIGEARTHNET, {"s1": folder}, target)
    failures = json.loads((target / "rico-hdl.json").read_text())["failures"]
    assert [failure["path"] for failure in failures] == [str(path)]
    path.write_bytes(good)
    assert convert(BIGEARTHNET, {"s1": second}, target).complete
    assert json.loads((target / "rico-hdl.json").read_text())["failures"] == []


def test_a_disk_that_is_too_small_is_warned_of(tmp_path, monkeypatch):
    """The space that is needed is that of the remaining patches or archives."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=50_000))
    sources = corpus.generate(UC_MERCED, tmp_path / "source", 3)
    archives = publish(UC_MERCED, sources, tmp_path / "archives")
    for given, words in ((sources, "about 1 MB are still needed"), (archives, "at least ")):
        target = tmp_path / words.split()[0]
        warnings = convert(UC_MERCED, given, target).warnings
        (warning,) = [line for line in warnings if "still needed" in line]
        assert words in warning
        assert "0 MB are free" in warning
        assert str(target) in warning
        # All is stored, so no more space is needed.
        assert not [line for line in convert(UC_MERCED, given, target).warnings if "needed" in line]


def test_sizes_known_only_from_records_are_warned_of_once(tmp_path, monkeypatch):
    """If the spec doesn't give a record's size, the first record does, and one warning follows."""
    spec = registry()["spectral-earth-enmap"]
    assert nominal_bytes(spec.modalities[0]) is None
    sources = corpus.generate(spec, tmp_path / "source", 4)
    (name,) = list(sources)[:1]
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    warnings = convert(spec, {name: sources[name]}, tmp_path / "target").warnings
    assert len([line for line in warnings if "still needed" in line]) == 1


def test_records_of_other_modalities_hide_no_difference(tmp_path):
    """Patches from elsewhere are compared, however the keys of modalities alternate."""
    wanted = ["s2", "reference-maps"]
    first = corpus.generate(BIGEARTHNET, tmp_path / "first", 6, modalities=wanted)
    convert(BIGEARTHNET, first, tmp_path / "target")
    second = copy_of(first["reference-maps"], tmp_path)
    *_, other, last = sorted(second.glob("*/*/*.tif"), key=lambda path: path.name)
    shutil.copy(other, last)
    summary = convert(BIGEARTHNET, {"reference-maps": second}, tmp_path / "target")
    assert [failure.key for failure in summary.failures] == [last.stem]
    assert summary.n_present == {"reference-maps": 5}
