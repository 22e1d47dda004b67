"""Killing conversions, and continuing them with the same command."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import lmdb
import pytest
from safetensors.numpy import load, save

import corpus
from rico_hdl.checking.inspection import inspect
from rico_hdl.checking.verification import verify
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from rico_hdl.errors import StoreError
from rico_hdl.observer import Observer
from rico_hdl.store import Manifest, StoreWriter
from rico_hdl.store.locking import try_lock
from tests.support.driver import COMMIT_BYTES
from tests.support.georef_files import entries
from tests.support.reading import records
from tests.support.running import driven, held_at, n_stored, run, started, summary_of

BIGEARTHNET = registry()["bigearthnet"]
N_PATCHES = 70
"""Of each modality: about 21 MB, or some thirty-five of the driver's transactions."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, Path]:
    """The source folders of a BigEarthNet with about a hundred patches, by modality."""
    root = tmp_path_factory.mktemp("source")
    return corpus.generate(BIGEARTHNET, root, N_PATCHES, noise=True)


@pytest.fixture(scope="module")
def arguments(sources) -> list[object]:
    """The arguments to convert these sources, without the target."""
    options = [part for m in BIGEARTHNET.modalities for part in (m.option, sources[m.name])]
    return ["bigearthnet", *options, "--json", "--num-workers", 2, "--target-dir"]


@pytest.fixture(scope="module")
def whole_folder(tmp_path_factory, arguments) -> Path:
    """The target of an uninterrupted conversion."""
    target = tmp_path_factory.mktemp("whole") / "target"
    summary_of(run(*arguments, target))
    return target


@pytest.fixture(scope="module")
def whole(whole_folder) -> tuple[dict[str, bytes], str, dict]:
    """Records, digest and georeferencing of an uninterrupted conversion."""
    manifest = json.loads((whole_folder / "rico-hdl.json").read_text())
    found = entries(whole_folder)
    assert found.keys() == records(whole_folder).keys()
    return records(whole_folder), manifest["content_digest"], found


def check_nothing_wrong(target: Path) -> None:
    """Assert that a store can be verified and inspected after a kill."""
    if not (target / "data.mdb").exists():
        return
    result = verify(target)
    assert result.findings == []
    assert result.n_unproven == 0
    assert result.n_records == n_stored(target)
    info = inspect(target)
    assert sum(part.n_patches for part in info.modalities.values()) == result.n_records
    assert info.n_looked_at is None
    assert not info.complete


def check_whole(target: Path, summary: dict, whole: tuple[dict[str, bytes], str, dict]) -> None:
    """Assert that a continued store equals the result of a single run."""
    assert records(target) == whole[0]
    assert entries(target) == whole[2]
    assert summary["content_digest"] == whole[1]
    assert summary["complete"]
    result = verify(target)
    assert (result.findings, result.n_unproven, result.n_unfinished) == ([], 0, 0)
    assert result.content_digest == whole[1]
    manifest = json.loads((target / "rico-hdl.json").read_text())
    assert (manifest["complete"], manifest["content_digest"]) == (True, whole[1])
    counts = {name: part["n_patches"] for name, part in manifest["modalities"].items()}
    assert counts == dict.fromkeys((m.name for m in BIGEARTHNET.modalities), N_PATCHES)
    assert inspect(target).complete


def size_of(target: Path, name: str) -> int:
    """Bytes of a file in a folder; 0 if it doesn't exist."""
    try:
        return (target / name).stat().st_size
    except FileNotFoundError:
        return 0


def kill_when(process: subprocess.Popen, target: Path, name: str, n_bytes: int) -> bool:
    """Kill a conversion when a file of its target has a given size; False if it ended before."""
    while process.poll() is None:
        if size_of(target, name) >= n_bytes:
            process.kill()
            process.communicate()
            return process.returncode == -9
        time.sleep(0.0005)
    return False


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments_and_continued(tmp_path, arguments, whole, seed):
    """However often a conversion is killed, its result is that of one run, with intact states."""
    chance = random.Random(seed)
    target = tmp_path / "target"
    n_kills = 0
    goals = {"data.mdb": sum(map(len, whole[0].values())), "rico-hdl.journal": 9_000}
    for _ in range(100):
        before = n_stored(target)
        command = driven("none", 0, *arguments, target)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        name = chance.choice(list(goals))
        # Somewhere between the current size and another third of the whole.
        step = chance.randrange(goals[name] // 3)
        if n_kills < 6 and kill_when(process, target, name, size_of(target, name) + step):
            n_kills += 1
            assert n_stored(target) >= before
            check_nothing_wrong(target)
            continue
        stdout, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        break
    summary = json.loads(stdout)
    # Stored patches are not converted again.
    assert sum(summary["n_present"].values()) == before
    assert sum(summary["n_written"].values()) == len(whole[0]) - before
    assert n_kills >= 3
    check_whole(target, summary, whole)


@pytest.mark.parametrize(
    "moment",
    [
        ("journal", 1),
        ("journal", 2),
        ("journal", 15),
        ("torn journal", 9),
        ("georef", 1),
        ("georef", 12),
        ("torn georef", 1),
        ("torn georef", 7),
        ("commit", 1),
        ("commit", 25),
        ("manifest", 1),
        ("manifest", 2),
    ],
)
def test_killed_between_two_steps(tmp_path, sources, arguments, whole, moment):
    """Killed between note, commit and manifest, and again during recovery, nothing is lost."""
    target = tmp_path / "target"
    point, number = moment
    killed = subprocess.run(driven(point, number, *arguments, target), check=False)
    assert killed.returncode == -9
    check_nothing_wrong(target)
    first = n_stored(target)
    # All batches except the last one, which was noted but not committed.
    n_commits = {"commit": number, "manifest": None}.get(point, number - 1)
    if n_commits is not None:
        mean = sum(map(len, whole[0].values())) / len(whole[0])
        assert abs(first - n_commits * COMMIT_BYTES / mean) <= 2 + 0.7 * first
        assert (first > 0) == (n_commits > 0)

    again = subprocess.run(driven("journal", 1, *arguments, target), check=False)
    # A run without anything to note can't be killed there.
    assert again.returncode == (0 if first == len(whole[0]) else -9)
    assert n_stored(target) == first
    if again.returncode:
        check_nothing_wrong(target)

    summary = convert(BIGEARTHNET, sources, target).to_dict()
    assert sum(summary["n_present"].values()) == first
    check_whole(target, summary, whole)


@pytest.mark.parametrize("number", [1, 3, 4, 5])
@pytest.mark.parametrize("overwrite", [True, False])
def test_killed_while_the_old_store_is_removed(  # noqa: PLR0917 - fixtures
    tmp_path, sources, arguments, whole, whole_folder, number, overwrite
):
    """If --overwrite is killed half-way, its folder can still be continued."""
    target = tmp_path / "target"
    shutil.copytree(whole_folder, target)
    command = driven("removal", number, *arguments, target, "--overwrite")
    assert subprocess.run(command, check=False).returncode == -9
    # The labels, their draft, the manifest, and then the records.
    is_left = number < 4
    assert (target / "data.mdb").exists() == is_left
    assert (target / "rico-hdl.journal").stat().st_size
    summary = convert(BIGEARTHNET, sources, target, overwrite=overwrite).to_dict()
    n_left = len(whole[0]) if is_left and not overwrite else 0
    assert sum(summary["n_present"].values()) == n_left
    check_whole(target, summary, whole)


@pytest.fixture
def blocked(bigearthnet, stalling_pipes):
    """A small BigEarthNet whose fifth S1 patch, in key order, is a pipe without a writer."""
    del stalling_pipes
    patches = sorted(p.key for p in corpus.patches(BIGEARTHNET, BIGEARTHNET.modality("s1"), 6))
    (path,) = bigearthnet["s1"].glob(f"*/{patches[4]}/*_VV.tif")
    good = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    return bigearthnet["s1"], path, good


def wait_for_writer(target: Path) -> None:
    """Wait until a process has the folder to itself for writing."""
    deadline = time.monotonic() + 60
    path = target / "rico-hdl.journal"
    while time.monotonic() < deadline:
        if (target / "rico-hdl.json").exists():
            with path.open("rb", buffering=0) as file:
                if not try_lock(file):
                    return
        time.sleep(0.01)
    pytest.fail("no process writes")


@pytest.mark.parametrize("overwrite", [False, True])
def test_second_conversion_into_one_target_is_refused(blocked, tmp_path, overwrite):
    """During a conversion, a second one exits with 4 at once, and the first is not affected."""
    source, pipe, good = blocked
    target = tmp_path / "target"
    command = ["bigearthnet", "--bigearthnet-s1-dir", source, "--target-dir", target]
    first = started("-m", "rico_hdl", *command)
    wait_for_writer(target)
    second = run(*command, *(["--overwrite"] if overwrite else []), timeout=20)
    assert second.returncode == 4
    assert f"{target}: another conversion is writing there" in second.stderr
    assert "Wait until it is done" in second.stderr
    assert second.stdout == ""
    with held_at(pipe, first):  # the first one now reads this file as empty
        pass
    stdout, stderr = first.communicate(timeout=60)
    assert first.returncode == 1, stderr
    assert "5 written, 0 already there, 1 failed" in stdout
    pipe.unlink()
    pipe.write_bytes(good)
    assert "1 written, 5 already there, 0 failed" in run(*command).stdout
    assert verify(target).findings == []


def test_lock_of_a_killed_process_blocks_no_other(blocked, tmp_path):
    """After kill -9 in the middle of a patch, the same command continues at once."""
    source, pipe, good = blocked
    target = tmp_path / "target"
    command = ["bigearthnet", "--bigearthnet-s1-dir", source, "--target-dir", target]
    first = subprocess.Popen([sys.executable, "-m", "rico_hdl", *map(str, command)])
    with held_at(pipe, first):
        first.kill()
        first.wait()
    assert (target / "lock.mdb").exists()
    pipe.unlink()
    pipe.write_bytes(good)
    result = run(*command)
    assert result.returncode == 0, result.stderr
    assert len(records(target)) == 6


def test_same_files_elsewhere_are_accepted(bigearthnet, tmp_path):
    """Keys that are stored from another folder with the same bytes count as present."""
    target = tmp_path / "target"
    convert(BIGEARTHNET, {"s1": bigearthnet["s1"]}, target)
    before = (target / "data.mdb").read_bytes()
    shutil.copytree(bigearthnet["s1"], tmp_path / "moved")
    summary = convert(BIGEARTHNET, {"s1": tmp_path / "moved"}, target)
    assert (summary.n_present, summary.n_written) == ({"s1": 6}, {"s1": 0})
    assert summary.complete
    assert (target / "data.mdb").read_bytes() == before
    manifest = json.loads((target / "rico-hdl.json").read_text())
    assert manifest["modalities"]["s1"]["sources"] == sorted(
        [str(bigearthnet["s1"]), str(tmp_path / "moved")]
    )


def test_other_values_under_a_key_are_a_failure(bigearthnet, tmp_path):
    """A key stored from another folder with other bytes is a failure that names both folders."""
    target = tmp_path / "target"
    convert(BIGEARTHNET, {"s1": bigearthnet["s1"]}, target)
    before = records(target)
    other = tmp_path / "other"
    shutil.copytree(bigearthnet["s1"], other)
    changed = [next(other.glob("*/*/*_VH.tif")), next(other.glob("*/*/*_VV.tif"))]
    for path in changed:
        data = bytearray(path.read_bytes())
        data[2000] ^= 1
        path.write_bytes(data)
    keys = {path.parent.name for path in changed}
    options = ["--bigearthnet-s1-dir", other, "--target-dir", target, "--json"]
    result = run("bigearthnet", *options)
    assert result.returncode == 1
    summary = json.loads(result.stdout)
    assert {failure["key"] for failure in summary["failures"]} == keys
    for failure in summary["failures"]:
        assert str(bigearthnet["s1"]) in failure["reason"]
        assert failure["path"] == str(other)
        assert failure["key"] in result.stderr
    assert summary["n_present"] == {"s1": 6 - len(keys)}
    assert records(target) == before
    assert verify(target).findings == []

    again = run("bigearthnet", *options, "--overwrite")
    assert again.returncode == 0
    after = records(target)
    assert {key for key in after if after[key] != before[key]} == keys
    manifest = json.loads((target / "rico-hdl.json").read_text())
    assert manifest["modalities"]["s1"]["sources"] == [str(other)]
    assert verify(target).findings == []


def test_overwrite_forgets_the_earlier_store(bigearthnet, tmp_path):
    """--overwrite leaves no earlier record, source or failure, whatever their state."""
    target = tmp_path / "target"
    convert(BIGEARTHNET, bigearthnet, target)
    (target / "rico-hdl.json").write_text("{ damaged")
    convert(BIGEARTHNET, {"s1": bigearthnet["s1"]}, target, overwrite=True)
    convert(BIGEARTHNET, {"s1": bigearthnet["s1"]}, tmp_path / "fresh")
    assert records(target) == records(tmp_path / "fresh")
    for name in ("rico-hdl.json", "data.mdb"):
        assert (target / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()


def test_overwrite_into_a_new_folder_is_no_error(bigearthnet, tmp_path):
    """--overwrite without an earlier store converts as usual, and keeps other files."""
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "notes.txt").write_text("mine")
    convert(BIGEARTHNET, bigearthnet, tmp_path / "target", overwrite=True)
    assert len(records(tmp_path / "target")) == 18
    assert (tmp_path / "target" / "notes.txt").read_text() == "mine"


def listing(folder: Path) -> dict[str, bytes]:
    """All files of a folder with their bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_database_that_is_not_ours_is_not_overwritten(bigearthnet, tmp_path):
    """--overwrite in a folder with another tool's LMDB exits with 4, and changes no byte."""
    target = tmp_path / "target"
    with lmdb.open(str(target)) as env, env.begin(write=True) as txn:
        txn.put(b"precious", b"value")
    before = listing(target)
    options = ["--bigearthnet-s1-dir", bigearthnet["s1"], "--target-dir", target, "--overwrite"]
    for _ in range(2):
        result = run("bigearthnet", *options)
        assert result.returncode == 4
        assert f"{target} is not a store of rico-hdl" in result.stderr
        assert listing(target) == before


def test_overwrite_with_a_wrong_source_removes_nothing(bigearthnet, tmp_path):
    """--overwrite keeps the store if the new sources can't be used."""
    target = tmp_path / "target"
    convert(BIGEARTHNET, bigearthnet, target)
    before = listing(target)
    (tmp_path / "empty").mkdir()
    options = ["--bigearthnet-s1-dir", tmp_path / "empty", "--target-dir", target, "--overwrite"]
    assert run("bigearthnet", *options).returncode == 3
    assert listing(target) == before


@pytest.mark.parametrize("leave_lock", [True, False])
def test_a_store_of_the_original_is_continued(bigearthnet, tmp_path, leave_lock):
    """A data.mdb without manifest and journal keeps its records, and missing ones are added."""
    convert(BIGEARTHNET, bigearthnet, tmp_path / "whole")
    expected = records(tmp_path / "whole")
    target = tmp_path / "target"
    with lmdb.open(str(target), map_size=2**30) as env, env.begin(write=True) as txn:
        for key, value in list(expected.items())[::2]:
            txn.put(key.encode(), save(load(value)))
    if not leave_lock:
        (target / "lock.mdb").unlink()
    assert verify(target).n_unproven == 9
    summary = convert(BIGEARTHNET, bigearthnet, target)
    assert sum(summary.n_present.values()) == sum(summary.n_written.values()) == 9
    assert summary.complete
    assert [w for w in summary.warnings if w.startswith("9 records are in the store")]
    assert records(target) == expected
    result = verify(target)
    assert (result.findings, result.n_unproven) == ([], 0)
    manifest = json.loads((target / "rico-hdl.json").read_text())
    assert {n: m["n_patches"] for n, m in manifest["modalities"].items()} == dict.fromkeys(
        bigearthnet, 6
    )
    assert convert(BIGEARTHNET, bigearthnet, target).n_bytes == 0


def test_a_conversion_that_waited_for_its_plan_sees_the_latest_manifest(bigearthnet, tmp_path):
    """A manifest that another conversion wrote during planning is kept."""
    target = tmp_path / "target"
    next(bigearthnet["s2"].glob("*/*/*_B02.tif")).write_bytes(b"")

    class Overtaken(Observer):
        def on_plan(self, _):
            convert(BIGEARTHNET, {"s2": bigearthnet["s2"]}, target)

    convert(BIGEARTHNET, {"s1": bigearthnet["s1"]}, target, observer=Overtaken())
    manifest = json.loads((target / "rico-hdl.json").read_text())
    assert {n: m["complete"] for n, m in manifest["modalities"].items()} == {
        "s1": True,
        "s2": False,
    }
    assert [failure["modality"] for failure in manifest["failures"]] == ["s2"]


def test_truncated_database_is_not_continued(bigearthnet, tmp_path):
    """A truncated data.mdb is an error, not a crash, and does not change."""
    target = tmp_path / "target"
    convert(BIGEARTHNET, bigearthnet, target)
    path = target / "data.mdb"
    os.truncate(path, path.stat().st_size // 2)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="cut short"):
        convert(BIGEARTHNET, bigearthnet, target)
    assert path.read_bytes() == before


def test_the_manifest_is_written_after_the_flush(bigearthnet, tmp_path, monkeypatch):
    """Journal and database are flushed to disk before each manifest is written."""
    steps = []
    for home, name in ((StoreWriter, "commit"), (StoreWriter, "sync"), (Manifest, "write")):
        whole = getattr(home, name)

        def noted(*arguments, _name=name, _whole=whole):
            steps.append(_name)
            return _whole(*arguments)

        monkeypatch.setattr(home, name, noted)
    convert(BIGEARTHNET, bigearthnet, tmp_path / "target")
    writes = [i for i, step in enumerate(steps) if step == "write"]
    assert len(writes) == 2
    assert all(steps[i - 2 : i] == ["commit", "sync"] for i in writes)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other locks")
def test_a_file_system_that_locks_only_writable_files(bigearthnet, tmp_path, monkeypatch):
    """On NFS, which refuses an exclusive lock on a file open for reading, conversions continue."""
    import fcntl

    lock = fcntl.flock

    def as_on_nfs(file, operation):
        if fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", as_on_nfs)
    for n_present in (0, 6):
        summary = convert(BIGEARTHNET, {"s1": bigearthnet["s1"]}, tmp_path / "target")
        assert summary.n_present == {"s1": n_present}


@pytest.mark.soak
def test_killed_again_and_again(tmp_path, arguments, whole, rounds, seed):
    """Many conversions, each killed several times, all end with the same content."""
    for number in rounds(50):
        folder = tmp_path / str(number)
        folder.mkdir()
        test_killed_at_random_moments_and_continued(folder, arguments, whole, seed + number)
        shutil.rmtree(folder)
