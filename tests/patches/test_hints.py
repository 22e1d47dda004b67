"""Hints for files of another dataset with the same layout: a sibling is refused and named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import corpus
from corpus.archives import tar_of
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import get
from rico_hdl.errors import SourceError
from rico_hdl.patches import opening

V1, V2 = get("bigearthnet-v1"), get("bigearthnet")
SIBLINGS = [(V1, V2, "s1"), (V1, V2, "s2"), (V2, V1, "s1"), (V2, V1, "s2")]


def message_of(spec, modality, source, target):
    """The error for a source that is refused before anything is written."""
    with pytest.raises(SourceError) as caught:
        convert(spec, {modality: source}, target)
    assert not target.exists()
    return str(caught.value)


@pytest.fixture(params=SIBLINGS, ids=lambda case: f"{case[0].name} {case[2]}")
def siblings(request, tmp_path):
    """What is given, the dataset it is given as, the modality, and the folder of its patches."""
    given, taken_for, modality = request.param
    return given, taken_for, modality, corpus.generate(given, tmp_path / "x", 3)[modality]


def command_for(spec, modality, source):
    """The command that converts a source."""
    return f"rico-hdl {spec.name} {spec.modality(modality).option} {source}"


@pytest.mark.parametrize("n_up", [0, 1])
def test_a_folder_of_a_sibling_is_named(siblings, tmp_path, n_up):
    """A folder of the other release of BigEarthNet, or its parent, is refused with the command."""
    given, taken_for, modality, source = siblings
    for other in source.parent.iterdir():
        if other != source:
            shutil.rmtree(other)
    shown = message_of(taken_for, modality, [source, *source.parents][n_up], tmp_path / "out")
    assert command_for(given, modality, source) in shown


@pytest.mark.parametrize("top", ["", "BigEarthNet"])
def test_an_archive_of_a_sibling_is_named(siblings, tmp_path, top):
    """An archive of the other release is refused, whatever its top folder is called."""
    given, taken_for, modality, source = siblings
    path = tmp_path / "patches.tar"
    path.write_bytes(tar_of(source, top))
    shown = message_of(taken_for, modality, path, tmp_path / "out")
    assert command_for(given, modality, path) in shown


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_beginning_of_an_archive_decides(tmp_path, monkeypatch, overwrite):
    """A sibling is named after the beginning, even if archives are searched to their end."""
    first = corpus.generate(V1, tmp_path / "x", 4)["s2"]
    last = corpus.generate(V2, tmp_path / "y", 2)["s2"]
    path = tmp_path / "patches.tar"
    path.write_bytes(tar_of(first) + tar_of(last))
    monkeypatch.setattr(opening, "_N_MEMBERS", 30)
    with pytest.raises(SourceError) as caught:
        convert(V2, {"s2": path}, tmp_path / "out", overwrite=overwrite)
    assert command_for(V1, "s2", path) in str(caught.value)


def test_a_scene_of_v2_is_not_v1(tmp_path):
    """A single scene of v2.0's Sentinel-1 patches, laid out as all of v1.0's are, is v2.0's."""
    source = corpus.generate(V2, tmp_path / "x", 3)["s1"]
    shown = message_of(V1, "s1", min(source.iterdir()), tmp_path / "out")
    assert command_for(V2, "s1", source) in shown


def test_folders_above_and_below_are_still_suggested(tmp_path):
    """The hint about a folder of the same release comes before any sibling's."""
    source = corpus.generate(V1, tmp_path / "x", 3)["s2"]
    option = V1.modality("s2").option
    above = message_of(V1, "s2", source.parent, tmp_path / "out")
    assert f"Try: {option} {source}" in above
    below = message_of(V1, "s2", min(source.iterdir()), tmp_path / "out")
    assert f"Try a folder further up: {option} {source}" in below


def renamed(source: Path, old: str, new: str) -> Path:
    """A folder with a part of all names replaced."""
    for path in sorted(source.rglob("*"), reverse=True):
        path.rename(path.with_name(path.name.replace(old, new)))
    return source


@pytest.mark.parametrize(
    ("name", "modality", "change", "pattern"),
    [
        ("hyspecnet-11k", "enmap", ("-Y01460273_X0311043", ""), "ENMAP*-Y*_X*"),
        ("major-tom-core", "s2", ("_MSIL2A_", "_MSIL1C_"), "S2?_MSIL2A_*"),
    ],
)
def test_patches_of_unsupported_siblings_are_refused(tmp_path, name, modality, change, pattern):
    """Whole EnMAP products aren't patches of HySpecNet, and L1C products aren't L2A products."""
    spec = get(name)
    source = corpus.generate(spec, tmp_path / "x", 1)[modality]
    assert convert(spec, {modality: source}, tmp_path / "right").n_written == {modality: 1}
    shown = message_of(spec, modality, renamed(source, *change), tmp_path / "out")
    assert f"is like {pattern}" in shown
