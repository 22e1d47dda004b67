from collections import Counter

import pytest

import corpus
from corpus.archives import publish
from rico_hdl.datasets import registry
from rico_hdl.patches.opening import open_all
from rico_hdl.patches.supply import Supply
from rico_hdl.values import ArchiveFailure, Origin, Patch, PatchFailure, Position, SourceRead
from tests.support.archives import published

BIGEARTHNET = registry()["bigearthnet"]
N = 4


@pytest.fixture
def folders(tmp_path):
    """The folders of two modalities."""
    return corpus.generate(BIGEARTHNET, tmp_path / "source", N, modalities=["s1", "s2"])


@pytest.fixture
def archives(folders, tmp_path):
    """The same patches, in published archives."""
    return publish(BIGEARTHNET, folders, tmp_path / "archives")


def supply_of(sources, spec=BIGEARTHNET):
    """The supply of some sources."""
    return Supply(spec, open_all(spec, sources))


def items_of(supply, **options):
    """Everything in a supply except positions."""
    return [item for item in supply.items(**options) if not isinstance(item, Position)]


def test_folders_and_archives_supply_the_same_patches(folders, archives):
    """Folders and archives give every patch once, with the same bytes in its files."""

    def contents(sources):
        return {
            item.key: [item.source.read(path) for path in item.paths]
            for item in items_of(supply_of(sources))
            if isinstance(item, Patch)
        }

    expected = contents(folders)
    assert len(expected) == 2 * N
    assert contents(archives) == expected
    assert contents({"s1": folders["s1"], "s2": archives["s2"]}) == expected


def test_folders_come_first_and_every_source_has_an_end(folders, archives):
    """Patches of folders come before those of archives, and each source ends with its count."""
    supply = supply_of({"s1": archives["s1"], "s2": folders["s2"]})
    items = items_of(supply)
    patches, ends = items[:N], items[N]
    assert [item.modality.name for item in patches] == ["s2"] * N
    assert [item.key for item in patches] == sorted(item.key for item in patches)
    assert ends == SourceRead(Origin("s2", str(folders["s2"])), N)
    assert items[-1] == SourceRead(Origin("s1", str(archives["s1"])), N)
    assert {SourceRead(origin, N) for origin in supply.origins} == {ends, items[-1]}


@pytest.mark.parametrize("form", ["folders", "archives"])
def test_unwanted_patches_are_counted(request, form):
    """For an unwanted patch, `is_wanted` is called once, and a position counts the patch."""
    supply = supply_of(request.getfixturevalue(form))
    asked = Counter()

    def is_wanted(key, modality):
        asked[key] += 1
        return modality.name == "s1"

    items = list(supply.items(is_wanted))
    assert {item.modality.name for item in items if isinstance(item, Patch)} == {"s1"}
    n_passed = Counter()
    for item in items:
        if isinstance(item, Position):
            n_passed[item.modality] += item.n_passed
    assert n_passed["s2"] == N
    assert set(asked.values()) == {1}


def test_sums_are_checked_on_demand(archives):
    """An archive that differs from its published sum is a failure; an unknown sum is reported."""
    items = items_of(supply_of({"s1": archives["s1"]}), check_sums=True)
    (failure,) = [item for item in items if isinstance(item, ArchiveFailure)]
    assert (failure.kind, failure.path) == ("checksum", str(archives["s1"]))
    assert not [item for item in items if isinstance(item, SourceRead)]
    spec = published(b"", "another.tar", "s1")
    for options in ({"check_sums": True}, {"sums_in_doubt": {("s1", archives["s1"].name)}}):
        end = items_of(supply_of({"s1": archives["s1"]}, spec), **options)[-1]
        assert end.has_unknown_sum
    assert not items_of(supply_of({"s1": archives["s1"]}, spec))[-1].has_unknown_sum


def test_a_failure_takes_the_place_of_a_patch(folders, archives):
    """A patch that lacks a band is a failure, in folders and archives alike."""
    next(folders["s2"].glob("*/*/*_B02.tif")).unlink()
    sources = {"s2": folders["s2"]}
    (from_folder,) = [i for i in items_of(supply_of(sources)) if isinstance(i, PatchFailure)]
    packed = publish(BIGEARTHNET, sources, archives["s1"].parent / "again")
    (from_archive,) = [i for i in items_of(supply_of(packed)) if isinstance(i, PatchFailure)]
    assert from_folder.key == from_archive.key
    assert from_folder.band == from_archive.band == "B02"
