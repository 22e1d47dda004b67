"""Repairs of records from a damaged archive: killed, out of space, and after a power loss.

A repair replaces wrong records with right ones. The damaged archive holds the first patches, most
of them with a wrong pixel; the repair replaces those, confirms the others, and adds the rest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

import corpus
from corpus.archives import COMPRESSIONS, files_below, tar_of
from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.checking.inspection import inspect
from rico_hdl.checking.verification import verify
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import get
from rico_hdl.errors import StoreError
from rico_hdl.store import Manifest, NewestEntries, StoreWriter
from rico_hdl.values import Origin
from tests.support.archives import with_filler
from tests.support.reading import records
from tests.support.running import driven

SPEC = get("bigearthnet")
MODALITY = "s1"
N_PATCHES, N_GIVEN, N_WRONG = 24, 18, 12
COMMIT_BYTES = 350_000
"""Three patches per transaction, so a repair takes six transactions."""
COMMAND = ["bigearthnet", SPEC.modality(MODALITY).option]
NAMES = ("data.mdb", "rico-hdl.journal", "rico-hdl.json")
N_BETWEEN = 7
"""A second power loss is tried after one in this many first ones."""
META_BYTES = 2 * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 8192


class Repair(NamedTuple):
    """A store that needs a repair, and its sources."""

    folder: Path
    """The intact source."""
    archive: Path
    """The damaged source."""
    doubtful: Path
    """The store converted from the damaged source."""
    wrong: dict[str, bytes]
    """Its records."""
    whole: dict[str, bytes]
    """The records of the intact source."""
    digest: str
    """The content digest of an uninterrupted conversion of the intact source."""


@pytest.fixture(scope="module")
def repair(tmp_path_factory) -> Repair:
    """A store of a damaged archive, not to be changed."""
    root = tmp_path_factory.mktemp("repair")
    folder = corpus.generate(SPEC, root / "source", N_PATCHES, modalities=[MODALITY])[MODALITY]
    paths = files_below(folder)[: 2 * N_GIVEN]  # two bands each
    for i, path in enumerate(paths):
        data = bytearray((folder / path).read_bytes())
        data[15_000 + i] ^= i % 2 and i < 2 * N_WRONG
        (root / "wrong" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "wrong" / path).write_bytes(data)
    packed = bytearray(COMPRESSIONS["tar.gz"](with_filler(tar_of(root / "wrong"))))
    packed[-8] ^= 1  # its checksum: as if the pixels had changed
    archive = root / "x.tar.gz"
    archive.write_bytes(packed)
    (failure,) = convert(SPEC, {MODALITY: archive}, root / "doubtful").failures
    assert failure.path == str(archive)
    summary = convert(SPEC, {MODALITY: folder}, root / "whole")
    wrong, whole = records(root / "doubtful"), records(root / "whole")
    assert len(wrong) == N_GIVEN
    assert sum(whole[key] != value for key, value in wrong.items()) == N_WRONG
    return Repair(folder, archive, root / "doubtful", wrong, whole, summary.content_digest)


@pytest.fixture
def target(repair, tmp_path) -> Path:
    """A copy of the store, to be repaired."""
    return shutil.copytree(repair.doubtful, tmp_path / "target")


@pytest.fixture
def small_commits(monkeypatch):
    """Transactions of a few patches."""
    defaults = StoreWriter.__init__.__kwdefaults__ | {"commit_bytes": COMMIT_BYTES}
    monkeypatch.setattr(StoreWriter.__init__, "__kwdefaults__", defaults)


def check_unfinished(target: Path, repair: Repair) -> None:
    """Between a stopped repair and the next run, a store is intact but not complete."""
    stored = records(target)
    for key, value in stored.items():
        assert value in {repair.whole[key], repair.wrong.get(key)}
    result = verify(target)
    assert result.findings == []
    assert (result.n_records, result.n_unproven) == (len(stored), 0)
    info = inspect(target)
    assert (info.complete, info.n_looked_at, info.n_records) == (False, None, len(stored))
    assert info.content_digest == result.content_digest
    assert not Manifest.read(target).complete


def check_repaired(target: Path, repair: Repair) -> None:
    """A finished repair leaves the same records as an uninterrupted conversion."""
    assert records(target) == repair.whole
    result = verify(target)
    assert (result.findings, result.n_unproven, result.n_unfinished) == ([], 0, 0)
    assert result.content_digest == repair.digest
    manifest = Manifest.read(target)
    assert (manifest.complete, manifest.content_digest) == (True, repair.digest)
    assert manifest.failures == []
    assert inspect(target).complete
    noted = list(NewestEntries(target / "rico-hdl.journal"))
    assert {entry.key.decode() for entry in noted} == repair.whole.keys()
    assert {entry.origin for entry in noted} == {Origin(MODALITY, str(repair.folder))}


def finish(target: Path, repair: Repair) -> None:
    """Run the command again and check the result; another run has nothing to do."""
    assert convert(SPEC, {MODALITY: repair.folder}, target).complete
    check_repaired(target, repair)
    again = convert(SPEC, {MODALITY: repair.folder}, target)
    assert (again.n_present[MODALITY], again.n_written[MODALITY]) == (N_PATCHES, 0)
    check_repaired(target, repair)


def test_a_repair_replaces_wrong_records_and_confirms_others(target, repair):
    """Wrong records are replaced, right ones keep their bytes, and all get the new origin."""
    summary = convert(SPEC, {MODALITY: repair.folder}, target)
    assert summary.n_mended == N_WRONG
    assert summary.n_written[MODALITY] == N_PATCHES - N_GIVEN + N_WRONG
    assert summary.n_present[MODALITY] == N_GIVEN - N_WRONG
    finish(target, repair)


def test_a_repaired_store_is_equal_to_its_sources(target, repair):
    """After a repair, the intact source makes up for a damaged archive that still exists."""
    convert(SPEC, {MODALITY: repair.folder}, target)
    assert str(repair.archive) in Manifest.read(target).modalities[MODALITY].sources
    assert compare_with_sources(target).findings == []
    (finding,) = compare_with_sources(target, {MODALITY: repair.archive}).findings[:1]
    assert "can't be read to its end" in finding.reason


POINTS = [
    *(("journal", n) for n in (1, 2, 4, 6)),
    *(("torn journal", n) for n in (1, 5)),
    *(("commit", n) for n in (1, 3, 4, 6)),
    ("manifest", 1),
    ("manifest", 2),
]


@pytest.mark.parametrize("moment", POINTS, ids=lambda moment: f"{moment[0]}-{moment[1]}")
def test_a_killed_repair_is_continued(target, repair, moment, monkeypatch):
    """Killed at any step, a repair is unfinished but intact, and the same command completes it."""
    monkeypatch.setenv("COMMIT_BYTES", str(COMMIT_BYTES))
    command = [*COMMAND, repair.folder, "--target-dir", target]
    killed = subprocess.run(driven(*moment, *command), check=False, capture_output=True)
    assert killed.returncode == -9
    check_unfinished(target, repair)
    before = records(target)
    # Killed again while it notes the remains of the first kill, and again after noting them.
    for point in ("torn journal", "journal"):
        subprocess.run(driven(point, 1, *command), check=False, capture_output=True)
        assert records(target) == before
        if not Manifest.read(target).complete:
            check_unfinished(target, repair)
    finish(target, repair)


FAULTS = [
    *(f"fdatasync:error=EIO:when={n}" for n in (1, 2, 3, 4, 8, 13, 15)),
    *(f"writev:error=ENOSPC:when={n}" for n in (1, 3, 6)),  # pages
    *(f"pwrite64:error=EIO:when={n}" for n in (1, 4, 6)),  # the pointer to them
    *(f"write:error=ENOSPC:path=rico-hdl.journal:when={n}" for n in (1, 3, 6)),
    *(f"fsync:error=EIO:when={n}" for n in (1, 2, 4)),
    *(f"rename:error=EIO:when={n}" for n in (1, 2)),
]
"""Failing system calls, in the language of strace, and the occurrence that fails."""


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace, which makes system calls fail")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_repair_whose_system_call_fails_is_continued(
    tmp_path, target, repair, fault, monkeypatch
):
    """Whichever system call fails, a repair ends with an error, and the next run completes it."""
    monkeypatch.setenv("COMMIT_BYTES", str(COMMIT_BYTES))
    calls, *rest = fault.split(":")
    where = [part.removeprefix("path=") for part in rest if part.startswith("path=")]
    injection = ":".join([calls, *(part for part in rest if not part.startswith("path="))])
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-qq", "-o", trace, "-e", f"trace={calls}"]
    command += ["-e", f"inject={injection}", *(f"-P{target / name}" for name in where)]
    command += driven("none", 0, *COMMAND, repair.folder, "--target-dir", target)
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if "ptrace" in result.stderr and "Operation not permitted" in result.stderr:
        pytest.skip("strace may not trace here")
    assert trace.read_text().count("INJECTED") == 1
    assert "Traceback" not in result.stderr
    assert result.returncode == 4, result.stderr
    assert str(target) in result.stderr
    check_unfinished(target, repair)
    finish(target, repair)


def test_a_repair_that_was_killed_is_not_completed_by_another_source(target, repair, tmp_path):
    """Records that an interrupted source put in place of wrong ones prove nothing by themselves."""
    command = [*COMMAND, repair.folder, "--target-dir", target]
    killed = subprocess.run(driven("manifest", 2, *command), check=False, capture_output=True)
    assert killed.returncode == -9
    other = tmp_path / "some.tar"
    other.write_bytes(tar_of(repair.folder, paths=files_below(repair.folder)[2 * N_WRONG :]))
    summary = convert(SPEC, {MODALITY: other}, target)
    assert summary.failures == []
    assert not Manifest.read(target).complete
    everything = tmp_path / "all.tar"
    everything.write_bytes(tar_of(repair.folder))
    assert convert(SPEC, {MODALITY: everything}, target).complete
    assert Manifest.read(target).complete
    assert records(target) == repair.whole


def test_two_damaged_archives_do_not_vouch_for_each_other(target, repair, tmp_path):
    """Records that a second damaged archive confirms stay in doubt until an intact one is read."""
    second = tmp_path / "y.tar.gz"
    second.write_bytes(repair.archive.read_bytes())
    convert(SPEC, {MODALITY: second}, target)
    assert len(Manifest.read(target).failures) == 2
    assert records(target) == repair.wrong
    finish(target, repair)


def test_records_of_unknown_origin_are_compared_while_an_archive_is_in_doubt(target, repair):
    """If the journal is lost, wrong records of a damaged archive are still found."""
    (target / "rico-hdl.journal").unlink()
    convert(SPEC, {MODALITY: repair.folder}, target)
    assert records(target) == repair.whole
    # The archive's records are no longer known, so an intact copy of it must be read.
    assert not Manifest.read(target).complete
    copy = target.parent / "again" / repair.archive.name
    copy.parent.mkdir()
    copy.write_bytes(COMPRESSIONS["tar.gz"](tar_of(repair.folder)))
    convert(SPEC, {MODALITY: copy}, target)
    assert Manifest.read(target).complete
    assert verify(target).findings == []


class Step(NamedTuple):
    """The files of a target at one moment."""

    data: bytes
    journal: bytes
    manifest: bytes

    def restore(self, target: Path) -> Path:
        """Make a folder hold these files and no others."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for name, content in zip(NAMES, self, strict=True):
            (target / name).write_bytes(content)
        return target


def step_of(target: Path) -> Step:
    """The files of a target as they are now."""
    return Step(*((target / name).read_bytes() for name in NAMES))


@contextmanager
def recorded(target: Path, monkeypatch) -> Iterator[list[Step]]:
    """The files before the first commit of some puts, and after each commit."""
    steps: list[Step] = []
    whole = StoreWriter.commit

    def commit(store):
        busy = bool(store._entries)
        if busy and not steps:
            steps.append(step_of(target))
        whole(store)
        if busy:
            steps.append(step_of(target))

    with monkeypatch.context() as patched:
        patched.setattr(StoreWriter, "commit", commit)
        yield steps


def states(steps: list[Step]) -> Iterator[tuple[str, Step]]:
    """Every state of the files that a power loss can leave.

    The block of a transaction is on disk before its pages are written, these are on disk before the
    page that points to them is written, and that page is on disk once the next pages are. So either
    the new or the old state of the last page may remain, and while the next pages are written, the
    page before it may be lost, too.
    """
    for k in range(1, len(steps)):
        before, after = steps[k - 1], steps[k]
        earlier = steps[max(k - 2, 0)]
        block = after.journal[len(before.journal) :]
        tails = {
            "nothing": b"",
            "half": block[: len(block) // 2],
            "zeros": bytes(len(block)),
            "end missing": block[:-40] + bytes(40),
            "all": block,
        }
        for name, tail in tails.items():
            noted = before.journal + tail
            yield f"{k}: block {name}", before._replace(journal=noted)
            undone = earlier.data[:META_BYTES] + before.data[META_BYTES:]
            yield f"{k}: block {name}, last undone", Step(undone, noted, before.manifest)
        # Pages are written in part or completely, while their pointer is that of an earlier state.
        for name, metas in (("before", before), ("last undone", earlier)):
            data = metas.data[:META_BYTES] + after.data[META_BYTES:]
            yield f"{k}: pages, {name}", Step(data, after.journal, before.manifest)
        yield f"{k}: committed", after._replace(manifest=before.manifest)


@pytest.mark.usefixtures("small_commits")
def test_any_power_loss_during_a_repair_is_made_up_for(tmp_path, target, repair, monkeypatch):
    """Any power loss leaves an intact, unfinished store, and the same command completes it."""
    with recorded(target, monkeypatch) as steps:
        assert convert(SPEC, {MODALITY: repair.folder}, target).complete
    assert len(steps) == 7
    tried = list(states(steps))
    assert len(tried) == 78
    for n, (name, state) in enumerate(tried):
        place = state.restore(tmp_path / "lost")
        try:
            check_unfinished(place, repair)
            with recorded(place, monkeypatch) as again:
                assert convert(SPEC, {MODALITY: repair.folder}, place).complete
            check_repaired(place, repair)
            if n % N_BETWEEN == 0 and len(again) > 1:
                # A second power loss, while the second run puts its first records.
                _, second = list(states(again[:2]))[n // N_BETWEEN % 13]
                second.restore(place)
                check_unfinished(place, repair)
                assert convert(SPEC, {MODALITY: repair.folder}, place).complete
                check_repaired(place, repair)
        except (AssertionError, StoreError) as error:
            raise AssertionError(f"after a power loss at {name}") from error


@pytest.mark.usefixtures("small_commits")
def test_a_power_loss_brings_back_the_origin_of_a_record(tmp_path, target, repair, monkeypatch):
    """If a commit is undone, records are those of the damaged archive again, and in doubt."""
    with recorded(target, monkeypatch) as steps:
        convert(SPEC, {MODALITY: repair.folder}, target)
    place = steps[0]._replace(journal=steps[2].journal).restore(tmp_path / "lost")
    with StoreWriter(place) as store:
        assert store.totals.modalities[MODALITY].locations == {str(repair.archive): N_GIVEN}
        assert not store.survey.n_unproven
    origins = {entry.origin for entry in NewestEntries(place / "rico-hdl.journal")}
    assert origins == {Origin(MODALITY, str(repair.archive))}
    finish(place, repair)
