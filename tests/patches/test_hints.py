"""Hints for files of another dataset with the same layout: a sibling is refused and named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import corpus
from corpus.archives import tar_of
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import built_in, get
from rico_hdl.errors import SourceError
from rico_hdl.patches import hints, opening
from rico_hdl.spec import Band, DatasetSpec, Modality, Template

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
        ("major-tom-core", "s2", ("_MSIL2A_", "_MSIL1C_"), "S2?_MSIL2A_????"),
    ],
)
def test_patches_of_unsupported_siblings_are_refused(tmp_path, name, modality, change, pattern):
    """Whole EnMAP products aren't patches of HySpecNet, and L1C products aren't L2A products."""
    spec = get(name)
    source = corpus.generate(spec, tmp_path / "x", 1)[modality]
    assert convert(spec, {modality: source}, tmp_path / "right").n_written == {modality: 1}
    shown = message_of(spec, modality, renamed(source, *change), tmp_path / "out")
    assert f"is like {pattern}" in shown


def spec_of(*modalities):
    """A dataset that is not built in, of modalities with one file for all bands each."""
    return DatasetSpec("mine", "Mine", "Some.", "https://example.org", "Doe", modalities)


def modality_of(name, files, n_bands, key="{id}"):
    """A modality with bands b1, b2, … in one file."""
    bands = tuple(Band(f"{name}{i}", index=i) for i in range(1, n_bands + 1))
    template = Template.parse(files)
    example = template.format(dict.fromkeys(template.fields, "1"))
    key = Template.parse(f"{key}_{name}")
    return Modality(name, f"{name} patches", f"--{name}-dir", template, key, bands, example, name)


def test_single_file_modalities_may_share_a_form(tmp_path):
    """An image and its mask in folders of their own, with equal names, are both converted."""
    spec = spec_of(modality_of("image", "{id}.tif", 4), modality_of("mask", "{id}.tif", 1))
    sources = corpus.generate(spec, tmp_path / "x", 3)
    done = convert(spec, sources, tmp_path / "out")
    assert (done.n_written, done.failures) == ({"image": 3, "mask": 3}, [])


def test_names_that_fit_any_dataset_recognise_none(tmp_path):
    """Files that only a template without a word of its own matches are not taken for a dataset."""
    spec = get("spectral-earth-enmap")
    source = corpus.generate(spec, tmp_path / "x", 1)["enmap"]
    assert "looks like" not in message_of(get("uc-merced"), "rgb", source, tmp_path / "out")


def test_no_dataset_is_named_if_several_fit(tmp_path, monkeypatch):
    """If names fit several datasets, the hint shows the command of each and prefers none."""
    hydro = get("hydro")
    twin = replace(hydro, name="twin", title="Twin")
    monkeypatch.setitem(built_in()._modules, "twin", "twin")
    monkeypatch.setitem(built_in()._loaded, "twin", twin)
    source = corpus.generate(hydro, tmp_path / "x", 2)["s2"]
    shown = message_of(get("uc-merced"), "rgb", source, tmp_path / "out")
    assert "looks like" not in shown
    for spec in (hydro, twin):
        assert f"{spec.title}: {command_for(spec, 's2', source)}" in shown


def test_a_folder_is_not_listed_for_each_dataset(tmp_path, monkeypatch):
    """The search for a dataset that fits lists a folder a few times, not once for each modality."""
    for i in range(30):
        (tmp_path / "x" / f"f{i}").mkdir(parents=True)
        (tmp_path / "x" / f"f{i}" / "a.tif").write_bytes(b"")
    listed = Counter()
    scandir = os.scandir

    def counting(path):
        listed[str(path)] += 1
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counting)
    message_of(get("uc-merced"), "rgb", tmp_path / "x", tmp_path / "out")
    assert max(n for path, n in listed.items() if path.startswith(f"{tmp_path}/x/")) <= 10


def test_a_conversion_imports_its_siblings_alone(tmp_path):
    """A conversion without an error imports the specs of its dataset and of its siblings."""
    source = corpus.generate(get("bigearthnet"), tmp_path / "x", 1)["s2"]
    code = (
        "import sys, rico_hdl; "
        f"rico_hdl.convert('bigearthnet', {{'s2': {str(source)!r}}}, {str(tmp_path / 'out')!r}); "
        "print(sorted(m[18:] for m in sys.modules if 'hdl.datasets.' in m and '._' not in m))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['bigearthnet', 'bigearthnet_v1']\n"


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_region_of_another_dataset_is_recognised(tmp_path, form):
    """A folder or archive that is called like a folder that it lacks is recognised as it is."""
    spec = get("ftw")
    source = corpus.generate(spec, tmp_path / "x", 2, modalities=["s2-a"])["s2-a"] / "austria"
    if form == "zip":
        source = Path(shutil.make_archive(str(tmp_path / "austria"), "zip", source))
    shown = message_of(get("uc-merced"), "rgb", source, tmp_path / "out")
    assert command_for(spec, "s2-a", source) in shown
    sibling = message_of(spec, "2class", source, tmp_path / "out")
    assert f"give it as --s2-a-dir {source}" in sibling


def test_a_source_too_low_for_bands_in_folders_leads_up(tmp_path):
    """From the folder of a band or of a patch, the hint leads to the source above."""
    spec = get("mados")
    source = corpus.generate(spec, tmp_path / "x", 2, modalities=["s2"])["s2"]
    for low in (source / "Scene_0", source / "Scene_0" / "10"):
        shown = message_of(spec, "s2", low, tmp_path / "out")
        assert f"further up: --s2-dir {source}" in shown


def test_templates_of_fields_alone_recognise_nothing(tmp_path):
    """Any tree of images may fit a template of fields; it is never taken for that dataset."""
    for files in ("{id}.jpg", "{a}/{b}/{c:d}.tif", "{class:*}/{id}.png"):
        assert not hints._tells(
            modality_of("m", files, 3, key="{id}" if "{id}" in files else "{c}")
        )
    assert not any(map(hints._tells, get("spectral-earth-enmap").modalities))
    image = tmp_path / "x" / "train" / "land" / "grass" / "P0115918x.jpg"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"")
    shown = message_of(get("uc-merced"), "rgb", tmp_path / "x", tmp_path / "out")
    assert "Million-AID" not in shown
