"""Folders that hold anything but patches: links in circles, deep nesting, leftovers, copies."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import corpus
from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from rico_hdl.errors import SourceError
from rico_hdl.patches.folders import make_plan
from rico_hdl.sources import FolderSource
from rico_hdl.values import PatchFailure
from tests.support.reading import records

BIGEARTHNET = registry()["bigearthnet"]
S2 = BIGEARTHNET.modality("s2")
EUROSAT = registry()["eurosat-multi-spectral"]

LEFTOVERS = ["__MACOSX", ".Trash-1000/files", ".snapshot/daily.0", "$RECYCLE.BIN/S-1", "lost+found"]


def plan_of(spec, sources):
    """The plan for these folders."""
    return make_plan(spec, {name: FolderSource(folder) for name, folder in sources.items()})


@pytest.fixture
def eurosat(tmp_path) -> Iterator[Path]:
    """A small EuroSAT."""
    yield corpus.generate(EUROSAT, tmp_path / "source", 4)["s2"]
    # Python can't remove folders that are nested more deeply than its calls may be.
    subprocess.run(["rm", "-rf", tmp_path / "source"], check=True)


def nest(folder: Path, depth: int, name: str) -> Path:
    """Nested folders, made step by step since their path may be too long for the system."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        for _ in range(depth):
            Path(name).mkdir()
            os.chdir(name)
        Path("Forest").mkdir()
        Path("Forest/Forest_99.tif").write_bytes(b"")
    finally:
        os.chdir(before)
    return folder


def test_deeply_nested_folders_are_walked(eurosat):
    """A patch 1,500 folders down is found, in the time that listing them takes."""
    nest(eurosat, 1500, "d")
    start = time.monotonic()
    plan = plan_of(EUROSAT, {"s2": eurosat})
    assert time.monotonic() - start < 20
    assert [patch.key for patch in plan if patch.paths[0].startswith("d/")] == ["Forest_99"]
    assert len(plan) == 5
    assert plan.warnings["s2"] == ()


def test_folders_beyond_the_longest_path_are_reported(eurosat, tmp_path):
    """Folders whose path is too long for the system are a warning; all others are converted."""
    nest(eurosat, 30, "d" * 200)
    summary = convert(EUROSAT, {"s2": eurosat}, tmp_path / "target")
    assert (summary.n_written, summary.failures) == ({"s2": 4}, [])
    (warning,) = [w for w in summary.warnings if "can't be listed" in w]
    assert warning.startswith(f"1 folder in {eurosat} can't be listed, so patches in there are not")
    assert "File name too long" in warning
    assert len(warning) < 400


def test_links_in_circles_are_passed_over(eurosat, tmp_path):
    """Links to themselves, to each other, to nothing or back into the source change nothing."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (eurosat / "self").symlink_to("self")
    (eurosat / "a.tif").symlink_to("b.tif")
    (eurosat / "b.tif").symlink_to("a.tif")
    (eurosat / "nothing").symlink_to("gone")
    (eurosat / "below-a-file").symlink_to(elsewhere / "file" / "x")
    (elsewhere / "file").write_bytes(b"")
    (eurosat / "too-long").symlink_to("x" * 300)
    (eurosat / "there").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(eurosat)
    (elsewhere / "here").symlink_to(".")
    one, two = eurosat / "one", eurosat / "two"
    one.mkdir()
    two.mkdir()
    (one / "x").symlink_to("../two")
    (two / "y").symlink_to("../one")
    plan = plan_of(EUROSAT, {"s2": eurosat})
    assert (len(plan), plan.n_copies, plan.failures) == (4, 0, [])
    (warning,) = plan.warnings["s2"]
    assert "2 .tif files" in warning  # a.tif and b.tif


def test_a_source_that_is_a_circle_is_an_error(tmp_path):
    """A source that links to itself is an error without advice about permissions."""
    (tmp_path / "self").symlink_to("self")
    with pytest.raises(SourceError, match="symbolic links") as error:
        FolderSource(tmp_path / "self")
    assert "permissions" not in error.value.hint


@pytest.mark.parametrize("linked", ["self", "gone"])
def test_a_band_that_is_a_circle_costs_its_patch(bigearthnet, tmp_path, linked):
    """A band that links to itself or to nothing is a failure of its patch."""
    file = sorted(bigearthnet["s2"].glob("*/*/*_B03.tif"))[2]
    file.unlink()
    file.symlink_to(file.name if linked == "self" else "gone")
    summary = convert(BIGEARTHNET, {"s2": bigearthnet["s2"]}, tmp_path / "target")
    assert summary.n_written == {"s2": 5}
    (failure,) = summary.failures
    assert isinstance(failure, PatchFailure)
    assert (failure.path, failure.band) == (str(file), "B03")
    assert failure.reason == (
        "Too many levels of symbolic links" if linked == "self" else "missing"
    )


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_stays_an_error(eurosat, tmp_path):
    """A folder that can't be listed may hold patches: that is an error, also behind a link."""
    closed = tmp_path / "closed"
    (closed / "below").mkdir(parents=True)
    (eurosat / "link").symlink_to(closed / "below")
    closed.chmod(0)
    try:
        with pytest.raises(SourceError, match=r"can't be listed: Permission denied"):
            plan_of(EUROSAT, {"s2": eurosat})
    finally:
        closed.chmod(0o755)


def test_leftovers_in_folders_are_ignored(folder_spec, tmp_path):
    """Copies of patches in recycle bins and snapshots, and a Mac's ._ files, are no patches."""
    sources = corpus.generate(folder_spec, tmp_path, 3)
    expected = [patch.key for patch in plan_of(folder_spec, sources)]
    for source in {*sources.values()}:  # modalities may share a folder
        copy = shutil.copytree(source, tmp_path / f"copy-{source.name}")
        for file in [path for path in source.rglob("*") if path.is_file()]:
            (file.parent / f"._{file.name}").write_bytes(b"\0\5\26\7")
            (file.parent / f"{file.name}.aux.xml").write_text("<PAMDataset/>")
            (file.parent / "Thumbs.db").write_bytes(b"")
        for left in LEFTOVERS:
            shutil.copytree(copy, source / left)
    plan = plan_of(folder_spec, sources)
    assert [patch.key for patch in plan] == expected
    assert (plan.failures, plan.n_copies) == ([], 0)
    assert not any(plan.warnings.values())


def test_a_copy_with_equal_bytes_is_accepted(eurosat, tmp_path):
    """A second extraction inside the first one is compared and stored once, also when continued."""
    whole = convert(EUROSAT, {"s2": eurosat}, tmp_path / "whole")
    shutil.copytree(eurosat, tmp_path / "copy")
    shutil.move(tmp_path / "copy", eurosat / "EuroSAT_MS")
    target = tmp_path / "target"
    for n_written in (4, 0):
        summary = convert(EUROSAT, {"s2": eurosat}, target)
        assert (summary.n_written, summary.failures) == ({"s2": n_written}, [])
        assert summary.n_present == {"s2": 4 - n_written}
        assert summary.complete
    assert summary.content_digest == whole.content_digest
    found = compare_with_sources(target, {"s2": eurosat})
    assert (found.findings, found.n_records) == ([], 8)


def test_a_copy_with_other_bytes_is_a_failure(eurosat, tmp_path):
    """Of copies that differ, the first is stored; the failure names both, whenever it is found."""
    file, other = sorted(eurosat.rglob("*.tif"))[:2]
    copy = eurosat / "zzz" / file.parent.name / file.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(file.read_bytes())
    shutil.copytree(copy.parent, eurosat / "zzzz" / file.parent.name)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    target = tmp_path / "target"
    for _ in range(2):
        summary = convert(EUROSAT, {"s2": eurosat}, target)
        (failure,) = summary.failures
        assert (failure.key, failure.path) == (file.stem, str(copy))
        assert "two patches have this key but different values" in failure.reason
        assert str(file) in failure.reason
        assert not summary.complete
        assert len(records(target)) == 4
    copy.unlink()
    assert convert(EUROSAT, {"s2": eurosat}, target).complete
    assert other.exists()


def test_a_copy_stands_in_for_a_file_that_cannot_be_read(eurosat, tmp_path):
    """If the first of two copies is damaged, the second one is stored, and the damage reported."""
    file = min(eurosat.rglob("*.tif"))
    copy = eurosat / "zzz" / file.parent.name / file.name
    copy.parent.mkdir(parents=True)
    shutil.copy(file, copy)
    file.write_bytes(b"")
    summary = convert(EUROSAT, {"s2": eurosat}, tmp_path / "target")
    assert summary.n_written == {"s2": 4}
    assert [failure.path for failure in summary.failures] == [str(file)]


def test_leftovers_among_archives_are_ignored(eurosat, tmp_path):
    """A folder of archives may hold a Mac's ._ files, pipes, links in circles and a recycle bin."""
    downloads = tmp_path / "downloads"
    (downloads / ".Trash-1000").mkdir(parents=True)
    archive = Path(shutil.make_archive(str(downloads / "EuroSAT_MS"), "zip", eurosat))
    shutil.copy(archive, downloads / ".Trash-1000" / archive.name)
    (downloads / f"._{archive.name}").write_bytes(b"\0\5\26\7")
    os.mkfifo(downloads / "x.zip")
    (downloads / "self").symlink_to("self")
    summary = convert(EUROSAT, {"s2": downloads}, tmp_path / "target")
    assert summary.n_written == {"s2": 4}
    assert summary.complete


def test_a_missing_archive_is_an_error(eurosat, tmp_path):
    """A link to an archive that is not there is an error: its patches would be missing."""
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    shutil.make_archive(str(downloads / "a"), "tar", eurosat)
    (downloads / "b.tar").symlink_to(tmp_path / "gone.tar")
    with pytest.raises(SourceError, match=r"b\.tar is neither a file nor a folder"):
        convert(EUROSAT, {"s2": downloads}, tmp_path / "target")
