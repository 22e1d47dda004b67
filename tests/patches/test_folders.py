"""Finding patches in folders, and explaining why there are none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import corpus
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from rico_hdl.errors import SourceError, UsageError
from rico_hdl.patches.folders import make_plan
from rico_hdl.patches.hints import _tells
from rico_hdl.patches.walking import find
from rico_hdl.sources import FolderSource
from rico_hdl.spec import Band, DatasetSpec, Modality, Template

BIGEARTHNET = registry()["bigearthnet"]
S2 = BIGEARTHNET.modality("s2")


def plan_of(spec: DatasetSpec, sources: dict[str, Path]):
    """The plan for these folders."""
    return make_plan(spec, {name: FolderSource(folder) for name, folder in sources.items()})


def test_plan_holds_every_patch_sorted_by_key(folder_spec, tmp_path):
    """A plan yields each patch once, in the order of LMDB's keys, with all of its files."""
    n, spec = 7, folder_spec
    sources = corpus.generate(spec, tmp_path, n)
    plan = plan_of(spec, sources)
    found = {patch.key: patch for patch in plan}
    assert [key.encode() for key in found] == sorted(key.encode() for key in found)
    assert len(plan) == len(found) == n * len(spec.modalities)
    assert plan.failures == []
    for modality in spec.modalities:
        for expected in corpus.patches(spec, modality, n):
            patch = found[expected.key]
            assert patch.modality is modality
            assert patch.paths == expected.files
            for path in patch.paths:
                assert (sources[modality.name] / path).is_file()


def test_a_plan_can_be_followed_again(bigearthnet):
    """Iterating over a plan twice yields the same patches."""
    plan = plan_of(BIGEARTHNET, bigearthnet)
    assert list(plan) == list(plan)


@pytest.mark.parametrize("n_threads", [1, 8])
def test_order_of_finding_does_not_depend_on_threads(bigearthnet, n_threads):
    """Patches are found in path order, with any number of listing threads."""
    found = list(find(FolderSource(bigearthnet["s2"]), S2, n_threads=n_threads))
    assert [f.values for f in found] == sorted(f.values for f in found)
    assert len(found) == 6


def test_eurosat_is_found_in_both_published_layouts(tmp_path):
    """EuroSAT_MS/<class>/ and the older, deeper folders give the same patches."""
    spec = registry()["eurosat-multi-spectral"]
    (new,) = corpus.generate(spec, tmp_path / "new", 5).values()
    old = tmp_path / "old" / "EuroSATallBands"
    deep = old / "ds/images/remote_sensing/otherDatasets/sentinel_2/tif"
    shutil.copytree(new, deep)
    keys = [[p.key for p in plan_of(spec, {"s2": root})] for root in (new, old, deep)]
    assert keys[0] == keys[1] == keys[2]
    assert len(keys[0]) == 5


def test_hyspecnet_is_found_at_any_depth(tmp_path):
    """Patches with and without a tile folder above them have the same keys."""
    spec = registry()["hyspecnet-11k"]
    (source,) = corpus.generate(spec, tmp_path / "release", 4).values()
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in source.rglob("*-SPECTRAL_IMAGE.TIF"):
        shutil.copytree(file.parent, flat / file.parent.name)
    for root in (source, source / "patches", source.parent, flat):
        assert len(plan_of(spec, {"enmap": root})) == 4


def test_unrelated_files_are_left_out(bigearthnet):
    """Thumbnails, notes, hidden files and unrelated folders are ignored."""
    scene = next(path for path in bigearthnet["s2"].iterdir())
    patch = next(path for path in scene.iterdir())
    for folder in (bigearthnet["s2"], scene, patch):
        (folder / "README.md").write_text("hello")
        (folder / ".DS_Store").write_bytes(b"\0")
        (folder / "thumbnails").mkdir()
        (folder / "thumbnails" / "a_B02.tif").write_bytes(b"")
    (patch / f"{patch.name}_B99.tif").write_bytes(b"")
    (patch / f"{patch.name}_labels_metadata.json").write_text("{}")
    plan = plan_of(BIGEARTHNET, {"s2": bigearthnet["s2"]})
    assert (len(plan), plan.failures) == (6, [])


def test_missing_bands_are_failures_of_their_patch(bigearthnet):
    """A patch with missing bands is a failure that names them and the place; others are planned."""
    patches = corpus.patches(BIGEARTHNET, S2, 6)
    (bigearthnet["s2"] / patches[0].files[3]).unlink()
    for position in (0, 11):
        (bigearthnet["s2"] / patches[1].files[position]).unlink()
    plan = plan_of(BIGEARTHNET, bigearthnet)
    assert plan.n_patches["s2"] == 4
    by_key = {failure.key: failure for failure in plan.failures}
    one, two = by_key[patches[0].key], by_key[patches[1].key]
    assert (one.band, one.reason) == ("B04", "missing band B04")
    assert (two.band, two.reason) == (None, "missing bands B01, B12")
    assert one.path == str(bigearthnet["s2"] / patches[0].folder)
    assert {p.key for p in plan}.isdisjoint(by_key)


def test_copies_follow_the_first_patch(bigearthnet):
    """Patches with a key that occurs before are copies, which name both places."""
    scenes = sorted(bigearthnet["s2"].iterdir())
    patch = min(scenes[0].iterdir())
    copies = [bigearthnet["s2"] / scene / patch.name for scene in ("another_scene", "zzz_scene")]
    folders = [patch, *(shutil.copytree(patch, copy) for copy in copies)]
    plan = plan_of(BIGEARTHNET, {"s2": bigearthnet["s2"]})
    assert plan.n_patches["s2"] == len(list(plan)) == 6
    assert plan.n_copies == 2
    assert plan.failures == []
    found = [(copy, repeated) for copy, repeated in plan.with_copies() if copy.key == patch.name]
    first, *others = sorted(str(folder) for folder in folders)
    assert [str(Path(copy.source.location, copy.paths[0]).parent) for copy, _ in found] == [
        first,
        *others,
    ]
    assert found[0][1] is None
    for (_, repeated), folder in zip(found[1:], others, strict=True):
        places = [Path(place).parent for place in (repeated.path, repeated.first)]
        assert list(map(str, places)) == [folder, first]


def test_names_that_cannot_be_keys_are_failures(tmp_path):
    """Patches whose keys exceed LMDB's 511 bytes or are not UTF-8 are failures."""
    spec = DatasetSpec(
        name="own", title="Own", summary="", url="", citation="",
        modalities=(
            Modality(
                name="m", title="patches", option="--dir", folder="own", example="a/b/a.tif",
                files=Template.parse("{a}/{b}/{c}.tif"),
                key=Template.parse("{a}_{b}_{c}"),
                bands=(Band("B1"),),
            ),
        ),
    )  # fmt: skip
    long = "x" * 200
    (tmp_path / long / long).mkdir(parents=True)
    (tmp_path / long / long / f"{long}.tif").write_bytes(b"")
    strange = os.fsencode(tmp_path) + b"/a/b\xff"
    Path(os.fsdecode(strange)).mkdir(parents=True)
    Path(os.fsdecode(strange), "c.tif").write_bytes(b"")
    (tmp_path / "a" / "ü").mkdir()
    (tmp_path / "a" / "ü" / "ß.tif").write_bytes(b"")
    plan = plan_of(spec, {"m": tmp_path})
    assert [patch.key for patch in plan] == ["a_ü_ß"]
    reasons = sorted(failure.reason for failure in plan.failures)
    assert reasons[0].startswith("its key has 602 bytes")
    assert "511" in reasons[0]
    assert "not UTF-8" in reasons[1]
    for failure in plan.failures:
        str(failure).encode()  # it can be printed


def message_of(spec: DatasetSpec, sources: dict[str, Path]) -> str:
    """The error for these folders."""
    with pytest.raises(SourceError) as caught:
        plan_of(spec, sources)
    return str(caught.value)


def test_one_level_too_high_suggests_the_right_folder(bigearthnet):
    """If the parent of the source folder is given, the error suggests the folder itself."""
    message = message_of(BIGEARTHNET, {"s2": bigearthnet["s2"].parent})
    assert "no BigEarthNet v2.0 Sentinel-2 L2A patches" in message
    assert "{scene}/{patch}/{patch}_{band}.tif" in message
    assert "BigEarthNet-S1/, BigEarthNet-S2/, Reference_Maps/" in message
    assert f"Try: --bigearthnet-s2-dir {bigearthnet['s2']}" in message


@pytest.mark.parametrize("depth", [1, 2])
def test_one_level_too_low_suggests_the_right_folder(bigearthnet, depth):
    """If a scene or a patch is given, the error suggests the source folder above it."""
    folder = bigearthnet["s2"]
    for _ in range(depth):
        folder = min(folder.iterdir())
    message = message_of(BIGEARTHNET, {"s2": folder})
    assert f"further up: --bigearthnet-s2-dir {bigearthnet['s2']}" in message


def test_folder_of_another_modality_names_its_option(bigearthnet):
    """If S1 is given as S2, the error says so."""
    message = message_of(BIGEARTHNET, {"s2": bigearthnet["s1"]})
    assert f"give it as --bigearthnet-s1-dir {bigearthnet['s1']}" in message


@pytest.mark.parametrize(("given", "meant"), [("s2a", "s2c"), ("s2c", "s2a")])
def test_modalities_are_distinguished_by_their_bands(tmp_path, given, meant):
    """L1C given as L2A is refused although it has all bands of L2A, and vice versa."""
    spec = registry()["ssl4eo-s12"]
    sources = corpus.generate(spec, tmp_path, 2)
    message = message_of(spec, {given: sources[meant]})
    assert f"Give this folder as {spec.modality(meant).option}" in message


def test_folder_of_another_dataset_names_its_command(spec, tmp_path):
    """If a folder of another dataset is given, the error names that dataset's command."""
    if not _tells(spec.modalities[0]) or spec.modalities[0].arrays is not None:
        pytest.skip("its names could be any dataset's, or it has no folders")
    other = registry()["uc-merced" if spec.name != "uc-merced" else "hydro"]
    sources = corpus.generate(spec, tmp_path, 2, modalities=[spec.modalities[0].name])
    (source,) = sources.values()
    (modality,) = other.modalities
    message = message_of(other, {modality.name: source})
    assert f"{spec.title}: rico-hdl {spec.name} {spec.modalities[0].option}" in message


def test_empty_and_missing_folders_are_errors(tmp_path):
    """An empty folder, a missing path and a file are each an error that says so."""
    (tmp_path / "empty").mkdir()
    assert "it is empty" in message_of(BIGEARTHNET, {"s2": tmp_path / "empty"})
    with pytest.raises(SourceError, match=r"no such folder or archive\n.* contains: empty"):
        FolderSource(tmp_path / "missing")
    (tmp_path / "file.tar").write_bytes(b"")
    with pytest.raises(SourceError, match="is a file, expected a folder"):
        FolderSource(tmp_path / "file.tar")


def test_files_of_other_formats_are_shown(tmp_path):
    """If a folder holds only other files, the error shows one of them."""
    (tmp_path / "AnnualCrop").mkdir()
    (tmp_path / "AnnualCrop" / "AnnualCrop_1.bmp").write_bytes(b"")
    message = message_of(registry()["eurosat-multi-spectral"], {"s2": tmp_path})
    assert "such as AnnualCrop/AnnualCrop_1.bmp" in message
    assert "rico-hdl datasets eurosat-multi-spectral" in message


def test_no_source_at_all_is_a_usage_error():
    """Without any source, the error names the options."""
    with pytest.raises(UsageError, match="--bigearthnet-s1-dir, --bigearthnet-s2-dir"):
        make_plan(BIGEARTHNET, {})


def test_read_only_sources_are_enough(bigearthnet, tmp_path):
    """Nothing is written to a source: its files and their times don't change."""

    def state():
        return {p: p.stat().st_mtime_ns for p in bigearthnet["s2"].parent.rglob("*")}

    for path in bigearthnet["s2"].rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = state()
    convert(BIGEARTHNET, bigearthnet, tmp_path / "target")
    assert state() == before
    for path in bigearthnet["s2"].rglob("*"):
        path.chmod(0o755)


def test_patches_of_which_half_is_missing_are_failures(bigearthnet):
    """If every patch lacks half of its bands, each one is a failure."""
    for path in bigearthnet["s1"].glob("*/*/*_VH.tif"):
        path.unlink()
    plan = plan_of(BIGEARTHNET, {"s1": bigearthnet["s1"]})
    assert plan.n_patches["s1"] == 0
    assert {f.reason for f in plan.failures} == {"missing band VH"}
    assert len(plan.failures) == 6


def test_incomplete_patches_in_front_of_complete_ones(bigearthnet):
    """If no patch is complete but a folder further down holds some, the error names that folder."""
    root = bigearthnet["s1"]
    whole = shutil.copytree(root, root.parent / "whole")
    for path in root.glob("*/*/*_VH.tif"):
        path.unlink()
    whole.rename(root / "whole")
    with pytest.raises(SourceError, match="no complete patch") as error:
        plan_of(BIGEARTHNET, {"s1": root})
    assert error.value.hint == f"Try: --bigearthnet-s1-dir {root / 'whole'}"
