"""The sources that a store names, and warnings about disk space."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import corpus
from corpus.archives import publish
from rico_hdl.converting.conversion import convert
from rico_hdl.converting.sizes import nominal_bytes, published_in
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


def space_warnings(spec, sources, target):
    """The warnings of a conversion that the disk is too small; its summary no longer has them."""
    found = []
    observer = SimpleNamespace(on_warning=found.append)
    summary = convert(spec, sources, target, observer=observer)
    assert not [line for line in summary.warnings if "still needed" in line]
    return [line for line in found if "still needed" in line]


def test_a_disk_that_is_too_small_is_warned_of(tmp_path, monkeypatch):
    """The space that is needed is that of the remaining patches or archives."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=50_000))
    sources = corpus.generate(UC_MERCED, tmp_path / "source", 3)
    archives = publish(UC_MERCED, sources, tmp_path / "archives")
    # The publisher's archive should hold 2,100 patches; of any other, only the size is known.
    own = {"rgb": archives["rgb"].rename(tmp_path / "own.zip")}
    published = {"rgb": shutil.copy(own["rgb"], tmp_path / "UCMerced_LandUse.zip")}
    for given, words in (
        (sources, "about 1 MB are still needed"),
        (published, "about 421 MB are still needed"),
        (own, "at least 1 MB are still needed"),
    ):
        target = tmp_path / words.split()[1]
        (warning,) = space_warnings(UC_MERCED, given, target)
        assert words in warning
        assert "0 MB are free" in warning
        assert str(target) in warning
        # All is stored, so no more space is needed.
        assert space_warnings(UC_MERCED, given, target) == []


def test_a_continued_archive_needs_space_for_what_is_missing(tmp_path, monkeypatch):
    """Stored patches are subtracted from the published number."""
    spec = replace(UC_MERCED, modalities=(replace(UC_MERCED.modalities[0], n_published=13),))
    sources = corpus.generate(spec, tmp_path / "source", 3)
    path = sources["rgb"]
    first = shutil.make_archive(str(tmp_path / "some" / "UCMerced_LandUse"), "zip", path)
    (tmp_path / "torn").mkdir()
    torn = tmp_path / "torn" / "UCMerced_LandUse.zip"
    with zipfile.ZipFile(first) as whole, zipfile.ZipFile(torn, "w") as part:
        for name in [name for name in whole.namelist() if name.endswith(".tif")][:2]:
            part.writestr(name, whole.read(name))
    torn.write_bytes(torn.read_bytes() + b"junk")  # so that the store is not complete
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=50_000))
    for given, n_missing in ((torn, 13), (first, 11)):
        (warning,) = space_warnings(spec, {"rgb": given}, tmp_path / "target")
        assert f"about {n_missing * 200_704 / 1e6:,.0f} MB" in warning


@pytest.mark.parametrize(
    ("dataset", "modality", "name", "is_known"),
    [
        ("bigearthnet", "s1", "BigEarthNet-S1.tar.zst", True),
        ("bigearthnet", "s1", "BigEarthNet-S1.tar.gzaa", True),
        ("bigearthnet", "s1", "my-selection.tar", False),
        ("hydro", "s2", "hydro.z01", True),
        ("ssl4eo-s12", "s1", "s1_grd.tar.gz.partaa", True),
        ("hyspecnet-11k", "enmap", "hyspecnet-11k-01.tar.gz", False),
        ("ssl4eo-s12-v1.1", "s1", "ssl4eos12_train_seasonal_data_000001.zarr.zip", False),
        ("major-tom-core", "s2", "part_00001.parquet", False),
    ],
)
def test_the_published_number_counts_for_the_publishers_only_archive(
    dataset, modality, name, is_known
):
    """It is used for one archive, maybe split, that holds all; not for one of many, or others."""
    found = registry()[dataset].modality(modality)

    class Named:
        files = (Path("/data", name),)

    assert published_in(found, [Named()]) == (found.n_published if is_known else None)
    assert published_in(found, [Named(), Named()]) is None


def test_sizes_known_only_from_records_are_warned_of_once(tmp_path, monkeypatch):
    """If the spec doesn't give a record's size, the first record does, and one warning follows."""
    spec = registry()["spectral-earth-enmap"]
    assert nominal_bytes(spec.modalities[0]) is None
    sources = corpus.generate(spec, tmp_path / "source", 4)
    (name,) = list(sources)[:1]
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    assert len(space_warnings(spec, {name: sources[name]}, tmp_path / "target")) == 1


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
