"""Comparing a store with archives that can't be trusted: half of one never gives an all-clear."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

import corpus
import rico_hdl
from corpus.archives import COMPRESSIONS, files_below, tar_of, zip_of
from rico_hdl import errors
from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.checking.doubts import Doubts
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import built_in, get
from rico_hdl.store import JournalEntry, journal
from rico_hdl.values import ArchiveFailure, Origin
from tests.support.archives import published
from tests.support.reading import records
from tests.support.running import run

SPEC = get("bigearthnet")
N_PATCHES = 8


@pytest.fixture(scope="module")
def s2(tmp_path_factory) -> Path:
    """The folder of some BigEarthNet S2 patches."""
    root = tmp_path_factory.mktemp("source")
    return corpus.generate(SPEC, root, N_PATCHES, modalities=["s2"], noise=True)["s2"]


def cut_tar(s2: Path) -> bytes:
    """The first half of a tar."""
    data = tar_of(s2)
    return data[: len(data) // 2]


def corrupt_gz(s2: Path) -> bytes:
    """A tar in two gzip streams, with a flipped bit in the middle of the second."""
    data = tar_of(s2)
    half = len(data) // 2
    second = bytearray(COMPRESSIONS["tar.gz"](data[half:]))
    second[len(second) // 2] ^= 0x10
    return COMPRESSIONS["tar.gz"](data[:half]) + bytes(second)


def cut_zip(s2: Path) -> bytes:
    """The first half of a zip, without the directory at its end."""
    data = zip_of(s2)
    return data[: len(data) // 2]


DAMAGED = pytest.mark.parametrize(
    ("name", "damaged"),
    [("x.tar", cut_tar), ("x.tar.gz", corrupt_gz), ("x.zip", cut_zip)],
    ids=lambda value: getattr(value, "__name__", value),
)
INTACT = {
    "x.tar": tar_of,
    "x.tar.gz": lambda s2: COMPRESSIONS["tar.gz"](tar_of(s2)),
    "x.zip": zip_of,
}


@DAMAGED
def test_half_an_archive_is_never_all_equal(tmp_path, s2, name, damaged):
    """A source that can't be read to its end is a finding that names it, with exit code 1."""
    path, target = tmp_path / name, tmp_path / "target"
    path.write_bytes(damaged(s2))
    convert(SPEC, {"s2": path}, target)
    assert 0 < len(records(target)) < N_PATCHES
    result = run("verify", target, "--sources")
    assert result.returncode == 1
    assert "all equal" not in result.stdout
    assert f"unexpected: a source can't be read to its end: {path}" in result.stdout
    assert {f.key for f in compare_with_sources(target).findings if f.key} == set()
    quiet = run("verify", target, "--sources", "--quiet")
    assert (quiet.returncode, str(path) in quiet.stdout) == (1, True)


@DAMAGED
def test_a_damaged_source_of_a_whole_store_is_a_finding(tmp_path, s2, name, damaged):
    """For a complete store, a source that was damaged later proves nothing about the rest."""
    path, target = tmp_path / name, tmp_path / "target"
    path.write_bytes(INTACT[name](s2))
    assert convert(SPEC, {"s2": path}, target).complete
    path.write_bytes(damaged(s2))
    findings = compare_with_sources(target).findings
    assert [f.reason for f in findings if str(path) in f.reason]


@DAMAGED
def test_an_intact_copy_replaces_a_damaged_archive(tmp_path, s2, name, damaged):
    """A damaged archive is no finding if a copy of it was read to its end and agrees."""
    path, copy, target = tmp_path / name, tmp_path / "copy" / name, tmp_path / "target"
    path.write_bytes(damaged(s2))
    copy.parent.mkdir()
    copy.write_bytes(INTACT[name](s2))
    convert(SPEC, {"s2": path}, target)
    convert(SPEC, {"s2": copy}, target)
    assert compare_with_sources(target, {"s2": [path, copy]}).findings == []
    assert compare_with_sources(target, {"s2": [copy, path]}).findings == []
    renamed = copy.rename(copy.with_name(f"y{name}"))
    assert compare_with_sources(target, {"s2": [path, renamed]}).findings == []  # it has everything
    assert len(compare_with_sources(target, {"s2": path}).findings) > 0


def test_every_record_of_a_damaged_archive_is_equal_elsewhere(tmp_path, s2):
    """A damaged archive is no finding if everything the store has from it is equal elsewhere."""
    path, target, part = tmp_path / "x.tar", tmp_path / "target", tmp_path / "part"
    path.write_bytes(cut_tar(s2))
    convert(SPEC, {"s2": path}, target)
    keys = sorted(records(target))
    folders = sorted({Path(file).parent for file in files_below(s2)})
    shutil.copytree(s2, part)
    assert compare_with_sources(target, {"s2": [path]}).findings != []
    convert(SPEC, {"s2": part}, target)
    assert compare_with_sources(target).findings == []
    # One of its patches is missing from the folder, so only the archive has it.
    gone = next(folder for folder in folders if folder.name == keys[0])
    shutil.rmtree(part / gone)
    (finding,) = compare_with_sources(target).findings
    assert str(path) in finding.reason


def test_a_difference_is_not_dispelled_by_a_damaged_archive(tmp_path, s2):
    """A record that differs from an intact source is found, even if it equals a damaged one's."""
    data = bytearray(tar_of(s2))
    data[data.index(b"_B02.tif", 400_000) + 15_000] ^= 1
    path, target = tmp_path / "x.tar", tmp_path / "target"
    path.write_bytes(data[:-30_000])
    convert(SPEC, {"s2": path}, target)
    intact = tmp_path / "other.tar"
    intact.write_bytes(tar_of(s2))
    found = compare_with_sources(target, {"s2": [path, intact]}).findings
    assert [f.kind for f in found if f.key and f.kind == "damaged"] == ["damaged"]
    assert any(str(path) in f.reason for f in found if not f.key)


def test_a_wrong_sum_that_was_noted_is_a_finding_until_it_is_right(tmp_path, s2):
    """An archive with a wrong MD5 sum proves nothing, even if it can be read to its end."""
    right = tar_of(s2)
    wrong = bytearray(right)
    wrong[wrong.index(b"_B02.tif", 400_000) + 15_000] ^= 1
    spec = published(right)
    path, target = tmp_path / "x.tar", tmp_path / "target"
    path.write_bytes(wrong)
    convert(spec, {"s2": path}, target, check_archives=True)
    (finding,) = compare_with_sources(target).findings
    assert "a source is not the published one" in finding.reason
    assert str(path) in finding.reason
    copy = tmp_path / "copy" / "x.tar"
    copy.parent.mkdir()
    copy.write_bytes(wrong)
    assert len(compare_with_sources(target, {"s2": copy}).findings) == 1


def test_an_archive_whose_sum_is_right_again_proves_its_records(tmp_path, s2, monkeypatch):
    """After a wrong MD5 sum, an intact copy in another folder is checked and accepted."""
    right = tar_of(s2)
    spec = published(right)
    monkeypatch.setitem(built_in()._loaded, SPEC.name, spec)
    path, copy, target = tmp_path / "x.tar", tmp_path / "copy" / "x.tar", tmp_path / "target"
    path.write_bytes(right + bytes(512))
    assert not convert(spec, {"s2": path}, target, check_archives=True).complete
    (finding,) = compare_with_sources(target).findings
    assert hashlib.md5(right + bytes(512)).hexdigest() in finding.reason
    copy.parent.mkdir()
    copy.write_bytes(right)
    assert compare_with_sources(target, {"s2": copy}).findings == []
    assert compare_with_sources(target, {"s2": [path, copy]}).findings == []


def test_an_archive_without_records_is_cleared_by_its_copy_alone(tmp_path, s2):
    """If the store has nothing from a damaged archive, only an intact copy of it clears it."""
    path, copy, target = tmp_path / "x.tar", tmp_path / "copy" / "x.tar", tmp_path / "target"
    path.write_bytes(cut_tar(s2))
    copy.parent.mkdir()
    copy.write_bytes(tar_of(s2))
    convert(SPEC, {"s2": copy}, target)
    assert compare_with_sources(target, {"s2": [path, copy]}).findings == []
    other = copy.rename(copy.with_name("y.tar"))
    (finding,) = compare_with_sources(target, {"s2": [path, other]}).findings
    assert str(path) in finding.reason


def test_no_threads_are_a_mistake(tmp_path, s2):
    """A number of threads below 1 is refused, as in conversions."""
    convert(SPEC, {"s2": s2}, tmp_path / "target")
    for call in (rico_hdl.verify, rico_hdl.compare_with_sources):
        with pytest.raises(errors.UsageError, match="n_workers is 0"):
            call(tmp_path / "target", n_workers=0)


@pytest.mark.parametrize("location", ["", "/data/x.tar", "/data/other.tar"])
@pytest.mark.parametrize("is_removed", [False, True])
def test_records_of_unknown_origin_may_be_the_damaged_archives(tmp_path, location, is_removed):
    """An archive is cleared only if every record that came or may have come from it is proven."""
    archive, intact = Origin("s2", "/data/x.tar"), Origin("s2", "/data/S2")
    entries = [JournalEntry(b"a", 1, 1, archive, (), constant=False)]
    entries += [JournalEntry(b"ab", 2, 1, Origin("s2", location), (), constant=False)]
    if is_removed:
        entries += [
            JournalEntry(b"ab", 2, 1, Origin("s2", location), (), constant=False, removed=True)
        ]
    with (tmp_path / "journal").open("wb", buffering=0) as file:
        for entry in entries:
            journal.append(file, [entry])
    doubts = Doubts()
    failure = ArchiveFailure("damaged", *archive, "is cut short")
    doubts.fail(failure)
    doubts.intact(intact)
    doubts.equal(b"a", intact)
    stored = {b"a"} if is_removed else {b"a", b"ab"}
    is_cleared = is_removed or location == "/data/other.tar"
    left = doubts.left(tmp_path / "journal", stored.__contains__)
    assert left == ([] if is_cleared else [failure])
    doubts.equal(b"ab", intact)
    assert doubts.left(tmp_path / "journal", stored.__contains__) == []
