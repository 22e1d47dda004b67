"""Journals that have lost notes: which records are still proven, and which are not trusted."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import lmdb
import pytest

import corpus
from rico_hdl.checking.inspection import inspect
from rico_hdl.checking.verification import verify
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import get
from rico_hdl.errors import StoreError
from rico_hdl.store import Manifest, StoreWriter, journal
from rico_hdl.testing.contracts.files import flip
from tests.support.reading import records
from tests.support.running import driven, run

SPEC = get("bigearthnet")
N_PATCHES = 18
COMMIT_BYTES = 350_000
"""Three patches per transaction, so a store takes six transactions."""
OPTION = SPEC.modality("s1").option


@pytest.fixture(scope="module", autouse=True)
def small_commits():
    """Transactions of a few patches."""
    patch = pytest.MonkeyPatch()
    defaults = StoreWriter.__init__.__kwdefaults__ | {"commit_bytes": COMMIT_BYTES}
    patch.setattr(StoreWriter.__init__, "__kwdefaults__", defaults)
    patch.setenv("COMMIT_BYTES", str(COMMIT_BYTES))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A folder of patches."""
    root = tmp_path_factory.mktemp("source")
    return corpus.generate(SPEC, root, N_PATCHES, modalities=["s1"])["s1"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, source) -> Path:
    """The complete store of these patches, not to be changed."""
    target = tmp_path_factory.mktemp("whole") / "target"
    assert convert(SPEC, {"s1": source}, target).complete
    return target


@pytest.fixture
def target(whole, tmp_path) -> Path:
    """A copy of the complete store, to be changed."""
    return shutil.copytree(whole, tmp_path / "target")


def flip_pixel(target: Path, number: int = 0) -> str:
    """Flip a bit in a pixel of a stored record; returns its key."""
    key, value = list(records(target).items())[number]
    path = target / "data.mdb"
    flip(path, path.read_bytes().index(value) + len(value) - 1001)
    return key


def stops_of(target: Path) -> list[int]:
    """The offsets of the ends of a journal's blocks, preceded by 0."""
    return [0, *(block.stop for block in journal.blocks(target / "rico-hdl.journal"))]


def contents(target: Path) -> dict[str, bytes]:
    """The files of a store, except LMDB's lock file and empty files."""
    files = {path.name: path.read_bytes() for path in target.iterdir() if path.name != "lock.mdb"}
    return {name: content for name, content in files.items() if content}


def damage(target: Path, how: str) -> None:
    """Damage a journal in one of several ways."""
    path, stops = target / "rico-hdl.journal", stops_of(target)
    data = path.read_bytes()
    flips = {
        "first": [50],
        "middle": [stops[3] + 50],
        "header": [stops[2] + 1],
        "length": [stops[2] + 9],
        "two": [stops[1] + 60, stops[-3] + 60],
        "last": [len(data) - 5],
    }
    for offset in flips.get(how, []):
        flip(path, offset)
    if how == "cut in a block":
        path.write_bytes(data[: stops[-1] - 100])
    elif how == "cut between blocks":
        path.write_bytes(data[: stops[-2]])
    elif how == "zeros":
        path.write_bytes(data[: stops[3]] + bytes(stops[4] - stops[3]) + data[stops[4] :])
    elif how == "gone":
        path.unlink()


WAYS = [
    "first", "middle", "header", "length", "two", "last", "cut in a block", "cut between blocks",
    "zeros", "gone",
]  # fmt: skip


@pytest.mark.parametrize("how", WAYS)
def test_the_manifest_proves_a_store_whose_journal_is_damaged(target, source, whole, how):
    """If the content digest still matches, lost notes are written again without reading records."""
    damage(target, how)
    found = verify(target)
    assert bool(found.findings) == (how != "gone")
    assert inspect(target).n_records == N_PATCHES
    summary = convert(SPEC, {"s1": source}, target)
    assert (summary.n_present["s1"], summary.n_written["s1"]) == (N_PATCHES, 0)
    assert summary.complete
    (warning,) = [warning for warning in summary.warnings if "had lost the notes" in warning]
    assert "proves them" in warning
    result = verify(target)
    assert (result.findings, result.n_unproven) == ([], 0)
    assert records(target) == records(whole)
    assert Manifest.read(target).content_digest == Manifest.read(whole).content_digest
    info = inspect(target)
    assert (info.complete, info.n_looked_at) == (True, None)
    assert not convert(SPEC, {"s1": source}, target).n_bytes


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("number", [0, 7, N_PATCHES - 1])
def test_damage_is_not_noted_as_if_it_were_right(target, source, how, number):
    """If both the journal and a pixel are damaged, a conversion refuses and changes nothing."""
    lost = number // 3 in {
        "first": {0}, "middle": {3}, "header": {2}, "length": {2}, "two": {1, 4}, "last": {5},
        "cut in a block": {5}, "cut between blocks": {5}, "zeros": {3}, "gone": set(range(6)),
    }[how]  # fmt: skip
    key = flip_pixel(target, number)
    damage(target, how)
    before = contents(target)
    found = {(finding.kind, finding.key) for finding in verify(target).findings}
    assert inspect(target).n_records == N_PATCHES
    if lost:
        with pytest.raises(StoreError, match=f"{target} is damaged: its journal") as caught:
            convert(SPEC, {"s1": source}, target)
        assert "content digest" in caught.value.message
        assert "--overwrite" in caught.value.hint
        assert contents(target) == before
        assert found
    else:
        # The damaged record still has its note, despite the damage to the journal.
        assert ("damaged", key) in found
        with suppress(StoreError):
            convert(SPEC, {"s1": source}, target)
        assert ("damaged", key) in {(f.kind, f.key) for f in verify(target).findings}


def test_a_damaged_store_ends_with_4(target, source):
    """Converting and verifying report the damage and what to do; --overwrite repairs the store."""
    flip_pixel(target)
    damage(target, "first")
    command = ["bigearthnet", OPTION, source, "--target-dir", target]
    result = run(*command)
    assert result.returncode == 4
    assert f"{target} is damaged: its journal is damaged at byte 0" in result.stderr
    assert "no valid note of 3 records" in result.stderr
    assert "rico-hdl verify" in result.stderr
    found = run("verify", target)
    assert found.returncode == 1
    assert "rico-hdl.journal is damaged or cut short at byte 0: 3 records" in found.stdout
    assert "content digest" in found.stdout
    assert run("info", target).returncode == 0
    assert run(*command, "--overwrite").returncode == 0
    assert verify(target).findings == []


def killed(target: Path, source: Path, n_commits: int = 4) -> None:
    """Kill a conversion after some commits."""
    command = driven("commit", n_commits, "bigearthnet", OPTION, source, "--target-dir", target)
    assert subprocess.run(command, check=False, capture_output=True).returncode == -9
    assert len(records(target)) == 3 * n_commits


@pytest.mark.parametrize("how", ["first", "middle", "two", "last", "cut between blocks", "gone"])
@pytest.mark.parametrize("pixel", [None, 1, 10])
def test_an_unfinished_store_is_compared_with_its_sources_again(
    tmp_path, source, whole, how, pixel
):
    """Records without a note are compared with the sources, and replaced if they differ."""
    target = tmp_path / "target"
    killed(target, source)
    wrong = set() if pixel is None else {flip_pixel(target, pixel)}
    damage(target, how)
    summary = convert(SPEC, {"s1": source}, target)
    again = {finding.key for finding in verify(target).findings}
    n_lost = {"two": 6, "gone": 12}.get(how, 3)
    if how == "gone" or summary.n_mended or not wrong:
        assert again == set()
        assert records(target) == records(whole)
        assert summary.n_mended == len(wrong)
    else:
        assert again == wrong  # it still has its note, so verify finds it, as before
    (warning,) = [warning for warning in summary.warnings if "compared with the sources" in warning]
    # If newer notes may be lost, records that differ from their notes are compared, too.
    n_doubted = int(re.search(r"notes of (\d+) records", warning)[1])
    assert n_doubted in {n_lost, n_lost + summary.n_mended}
    assert summary.n_present["s1"] == 12 - summary.n_mended


def test_a_store_is_not_complete_while_a_record_is_unproven(tmp_path, source, whole):
    """Records that lost their note and are in no source leave the store incomplete."""
    target = tmp_path / "target"
    killed(target, source)
    damage(target, "first")
    other = tmp_path / "other" / source.name
    shutil.copytree(source, other)
    unproven = list(records(target))[:3]
    for key in unproven:
        (folder,) = other.glob(f"*/{key}")
        shutil.rmtree(folder)
    command = ["bigearthnet", OPTION, other, "--target-dir", target]
    for _ in range(2):
        result = run(*command)
        assert result.returncode == 1, result.stdout + result.stderr
        assert "3 records have lost their note" in result.stdout
        assert not Manifest.read(target).complete
        assert not inspect(target).complete
        assert run("verify", target).returncode == 1
        assert records(target) == records(whole)
    summary = convert(SPEC, {"s1": source}, target)
    assert summary.complete
    assert Manifest.read(target).complete
    assert verify(target).findings == []


@pytest.mark.parametrize("point", [("journal", 1), ("torn journal", 1), ("manifest", 1)])
def test_killed_while_lost_notes_are_made_again(tmp_path, source, whole, point):
    """A kill while a damaged journal is brought up to date does not change the result."""
    for state in ("complete", "killed"):
        target = tmp_path / state
        if state == "complete":
            shutil.copytree(whole, target)
        else:
            killed(target, source)
            flip_pixel(target, 0)
        damage(target, "first")
        command = driven(*point, "bigearthnet", OPTION, source, "--target-dir", target)
        for _ in range(3):
            subprocess.run(command, check=False, capture_output=True)
        assert convert(SPEC, {"s1": source}, target).complete
        assert records(target) == records(whole)
        assert verify(target).findings == []


def test_a_foreign_record_in_a_complete_store_is_refused(target, source):
    """A record that another tool added to a complete store is not accepted."""
    with lmdb.open(str(target), map_size=2**30) as env, env.begin(write=True) as txn:
        txn.put(b"stranger", b"value")
    with pytest.raises(StoreError, match="no valid note of 1 records"):
        convert(SPEC, {"s1": source}, target)


def test_no_damage_of_both_files_ends_in_a_false_all_clear(tmp_path, source, whole, rounds, seed):
    """No damage to journal and records leaves a wrong record that verification does not find."""
    for number in rounds(16):
        damage_at_random(tmp_path / str(number), source, whole, seed + number)


@pytest.mark.soak
def test_no_damage_of_both_files_ends_in_a_false_all_clear_in_many_rounds(
    tmp_path, source, whole, rounds, seed
):
    """The same, in many rounds."""
    for number in rounds(400):
        damage_at_random(tmp_path / str(number), source, whole, seed + number)
        shutil.rmtree(tmp_path / str(number))


def damage_at_random(target: Path, source: Path, whole: Path, seed: int) -> None:
    """Damage a complete or an unfinished store, then continue it."""
    chance = random.Random(seed)
    if seed % 2:
        shutil.copytree(whole, target)
    else:
        killed(target, source, chance.randrange(1, 6))
    for _ in range(chance.randrange(3)):
        flip_pixel(target, chance.randrange(len(records(target))))
    path = target / "rico-hdl.journal"
    for _ in range(chance.randrange(1, 4)):
        data = path.read_bytes()
        place = chance.randrange(len(data))
        n = chance.randrange(200)
        match chance.randrange(4):
            case 0:
                flip(path, place)
            case 1:
                path.write_bytes(data[:place] + data[place + n :] or b"R")
            case 2:
                path.write_bytes(data[:place] + chance.randbytes(n) + data[place:])
            case 3:
                path.write_bytes(data[:place] + bytes(n) + data[place + n :])
    try:
        for _ in range(2):
            convert(SPEC, {"s1": source}, target)
    except StoreError:
        assert seed % 2, seed
        assert verify(target).findings
        return
    same = records(target) == records(whole)
    assert Manifest.read(target).complete, seed
    assert bool(verify(target).findings) != same, seed
