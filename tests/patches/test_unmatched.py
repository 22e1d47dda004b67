"""Files that look like patches but belong to none are counted, in folders and archives."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import corpus
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from rico_hdl.patches.unmatched import UnmatchedFiles
from rico_hdl.spec import Template
from tests.support.running import run

BIGEARTHNET = registry()["bigearthnet"]
EUROSAT = registry()["eurosat-multi-spectral"]
(S2_OF_EUROSAT,) = EUROSAT.modalities


def packed(folder: Path, kind: str) -> Path:
    """The folder, or an archive of it."""
    if kind == "folder":
        return folder
    return Path(
        shutil.make_archive(str(folder.parent / "packed"), kind, folder.parent, folder.name)
    )


def warnings_of(spec, source: Path, target: Path, **options) -> list[str]:
    """The warnings about files without a patch."""
    (modality,) = options.get("modalities", [spec.modalities[0].name])
    summary = convert(spec, {modality: source}, target, overwrite=target.exists())
    return [warning for warning in summary.warnings if "no patch" in warning]


@pytest.mark.parametrize("kind", ["folder", "tar", "gztar", "zip"])
def test_misspelt_names_are_counted(tmp_path, kind):
    """A .TIF among .tif, a wrong prefix and an extra level are counted, with an example."""
    source = corpus.generate(EUROSAT, tmp_path / "source", 6)["s2"]
    assert warnings_of(EUROSAT, packed(source, kind), tmp_path / "whole") == []
    files = sorted(source.rglob("*.tif"))
    files[0].rename(files[0].with_suffix(".TIF"))
    files[1].rename(files[1].parent / f"x{files[1].name}")
    (files[2].parent / "extra").mkdir()
    files[2].rename(files[2].parent / "extra" / files[2].name)
    (source / "README.md").write_text("A note.")
    given = packed(source, kind)
    (warning,) = warnings_of(EUROSAT, given, tmp_path / "target")
    assert warning.startswith(f"3 .tif files in {given} belong to no patch, such as ")
    assert warning.endswith(f"{files[0].with_suffix('.TIF').name}: expected {S2_OF_EUROSAT.files}")


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_bands_that_are_not_known_are_counted(bigearthnet, tmp_path, kind):
    """A file of a band that the spec lacks is counted."""
    source = bigearthnet["s2"]
    file = min(source.rglob("*_B02.tif"))
    shutil.copy(file, file.with_name(file.name.replace("B02", "B99")))
    sources = {"modalities": ["s2"]}
    (warning,) = warnings_of(BIGEARTHNET, packed(source, kind), tmp_path / "target", **sources)
    assert warning.startswith("1 .tif file in ")
    assert "B99.tif: expected {scene}/{patch}/{patch}_{band}.tif" in warning


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_an_extra_level_is_noticed_at_any_depth(bigearthnet, tmp_path, depth):
    """Patches one level too deep are counted, though folders without patches are not walked."""
    source = bigearthnet["s2"]
    patch = min(source.glob("*/*"))
    parts = list(patch.relative_to(source).parts)
    parts.insert(depth, "extra")
    if depth < 2:
        target = source.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        patch.rename(target)
    else:
        (patch / "extra").mkdir()
        for file in patch.glob("*.tif"):
            file.rename(patch / "extra" / file.name)
    (warning,) = warnings_of(BIGEARTHNET, source, tmp_path / "target", modalities=["s2"])
    assert warning.startswith(f"12 .tif files in {source} belong to no patch, such as ")
    assert "/extra/" in f"/{warning.partition('such as ')[2]}"


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_files_of_other_modalities_are_expected(bigearthnet, tmp_path, kind):
    """In one folder for all modalities, files of the others are no surprise."""
    merged = tmp_path / "merged"
    for folder in bigearthnet.values():
        shutil.copytree(folder, merged, dirs_exist_ok=True)
    given = packed(merged, kind)
    # An archive is recognised by its first patches, which are those of Sentinel-1.
    for name in ("s1", "s2", "reference-maps") if kind == "folder" else ("s1",):
        assert warnings_of(BIGEARTHNET, given, tmp_path / name, modalities=[name]) == []


def test_what_publishers_ship_is_expected(samples, tmp_path):
    """Real samples give no such warning: their companions are in the specs."""
    cases = [
        ("hyspecnet-11k", "enmap", "HySpecNet-11k"),
        ("major-tom-core", "s2", "Major-TOM-Core/S2L2A"),
        ("ssl4eo-s12", "s2a", "SSL4EO-S12/s2a"),
        ("bigearthnet", "s2", "BigEarthNet/BigEarthNet-S2"),
        ("uc-merced", "rgb", "UCMerced_LandUse"),
    ]
    for name, modality, folder in cases:
        for given in (
            samples / folder,
            packed(shutil.copytree(samples / folder, tmp_path / name), "tar"),
        ):
            summary = convert(name, {modality: given}, tmp_path / f"{name}-{given.suffix}")
            assert not [w for w in summary.warnings if "no patch" in w], name


def test_companions_are_patterns_of_names():
    """Companions are matched whatever their case is; other files are counted."""
    modality = replace(S2_OF_EUROSAT, companions=("*_mask.tif", "quality.*"))
    unmatched = UnmatchedFiles(modality)
    for path in ("a/b_mask.tif", "a/B_MASK.TIF", "quality.tif", "a/x.png", "a/._x.tif"):
        unmatched.meet(path)
    assert unmatched.warnings("here") == ()
    unmatched.meet("a/mask.tiff")
    (warning,) = unmatched.warnings("here")
    assert warning.startswith("1 .tif file in here belongs to no patch, such as a/mask.tiff:")


def test_a_template_without_an_extension_counts_nothing():
    """If file names end in a field, no file is counted: each would look like a patch."""
    modality = replace(
        S2_OF_EUROSAT, files=Template.parse("{class}/{name}"), key=Template.parse("{name}")
    )
    assert modality.suffix == ""
    unmatched = UnmatchedFiles(modality)
    unmatched.meet("a/b/c")
    assert unmatched.n_files == 0


def test_the_dry_run_and_the_report_tell(tmp_path):
    """Unmatched files and copies are in the dry run, and in the report of a conversion."""
    source = corpus.generate(EUROSAT, tmp_path / "source", 4)["s2"]
    file = min(source.rglob("*.tif"))
    shutil.copy(file, file.with_name("x.tif"))
    copy = source / "again" / file.parent.name
    shutil.copytree(file.parent, copy)
    report = tmp_path / "report.json"
    options = ["--dataset-dir", source, "--target-dir", tmp_path / "target", "--report", report]
    dry = run(EUROSAT.name, *options, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert f"note: 2 .tif files in {source} belong to no patch, such as" in dry.stdout
    assert "further cop" in dry.stdout
    planned = json.loads(report.read_text())["warnings"]
    done = run(EUROSAT.name, *options)
    assert done.returncode == 0, done.stderr
    assert f"note: 2 .tif files in {source} belong to no patch" in done.stdout
    written = json.loads(report.read_text())["warnings"]
    assert {warning for warning in planned if "no patch" in warning} <= set(written)
