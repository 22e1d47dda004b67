"""The contract of every `rico_hdl.sources.Archive`, as tests that each implementation inherits.

A subclass defines how to write an archive without the code under test, and how to open it. The
peculiarities of a format are tested elsewhere.
"""

from __future__ import annotations

import gc
import os
import random
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import ClassVar, NamedTuple

import pytest

from rico_hdl.decoding.raster import Raster
from rico_hdl.errors import ArchiveError, RicoError, SourceError
from rico_hdl.sources import Archive, Content, Member
from rico_hdl.testing.contracts.files import flip, open_files

SECRET = b"a file outside of the archive"

Written = tuple[list[Path], dict[str, object]]
"""The files of an archive, and the contents of its members, by path."""


class Outcome(NamedTuple):
    """Everything read from an archive."""

    contents: list[tuple[str, object]]
    """Path and content of each readable member, in order."""
    failed: list[str]
    """The problems of members that could not be read."""
    error: str
    """The reason why reading stopped; empty if it reached the end."""


def outcome_of(archive: Archive, meaning: Callable[[Content], object] = lambda c: c) -> Outcome:
    """Everything that can be read from an archive, damaged or not."""
    contents, failed = [], []
    try:
        for member in archive.members():
            assert_inside(member)
            if member.problem:
                failed.append(member.problem)
                continue
            try:
                contents.append((member.path, meaning(member.read())))
            except ArchiveError as error:
                failed.append(error.message)
    except (ArchiveError, SourceError) as error:
        return Outcome(contents, failed, str(error))
    return Outcome(contents, failed, "")


class ArchiveContract(ABC):
    """The contract of `Archive` and `Member`.

    The archive from `write` must have at least six members with a few hundred bytes each.
    """

    sequential: ClassVar[bool]
    """The expected value of `Archive.sequential`."""

    @abstractmethod
    def write(self, folder: Path) -> tuple[list[Path], dict[str, object]]:
        """Write an archive without the code under test.

        Returns:
            Its files in order, and `meaning` of each member's content, by path, in the order of the
            members.
        """

    @abstractmethod
    def open(self, files: Sequence[Path]) -> Archive:
        """The archive that consists of some files."""

    @abstractmethod
    def write_hostile(self, folder: Path, outside: Path) -> tuple[list[Path], int]:
        """Write an archive with members that lead outside in every way the format allows.

        Absolute paths, ``..`` and links are examples; other members may be among them.

        Returns:
            Its files, and the number of members that lead outside.
        """

    @abstractmethod
    def checked_bytes(self, files: Sequence[Path]) -> list[tuple[Path, int]]:
        """File and offset of bytes whose damage the format's checksums or structure reveal."""

    def damage_member(self, files: Sequence[Path]) -> set[str] | None:
        """Damage one member's content, and return the paths of the members that this loses.

        None if the format can't detect it, or gives nothing after the damage.
        """
        del files
        return None

    def meaning(self, content: Content) -> object:
        """The part of a content that is compared; by default every byte."""
        return content

    def outcome(self, files: Sequence[Path]) -> Outcome:
        """Everything that can be read from an archive of these files."""
        return outcome_of(self.open(files), self.meaning)

    @pytest.fixture
    def written(self, tmp_path: Path) -> Written:
        """Files and contents of an intact archive."""
        return self.write(tmp_path)

    def test_members_come_once_in_order_with_their_content(self, written: Written) -> None:
        """Every member comes once, in the order of the archive, with its content."""
        files, expected = written
        assert len(expected) >= 6
        found = self.outcome(files)
        assert found == Outcome(list(expected.items()), [], "")

    def test_it_says_where_it_is_and_how_it_is_read(self, written: Written) -> None:
        """Location, files and kind are known before anything is read."""
        files, _ = written
        archive = self.open(files)
        assert archive.location in map(str, files)
        assert archive.files == tuple(files)
        assert archive.sequential is self.sequential
        assert archive.n_bytes_read == 0

    def test_progress_grows_to_the_size_of_the_files(self, written: Written) -> None:
        """The number of bytes never decreases, and ends at the size of all files."""
        files, expected = written
        archive = self.open(files)
        n_bytes = sum(file.stat().st_size for file in files)
        progress = []
        for member in archive.members():
            member.read()
            progress.append(archive.n_bytes_read)
        assert len(progress) == len(expected)
        assert progress == sorted(progress)
        assert 0 < progress[0] <= n_bytes
        assert archive.n_bytes_read == n_bytes

    def test_members_can_be_asked_for_again(self, written: Written) -> None:
        """After a complete or interrupted pass, another one gives the same from the beginning."""
        files, expected = written
        archive = self.open(files)
        with closing(archive.members()) as members:
            paths = [member.path for member in islice(members, 3)]
        assert paths == list(expected)[:3]
        for _ in range(2):
            found = {member.path: self.meaning(member.read()) for member in archive.members()}
            assert list(found.items()) == list(expected.items())

    @pytest.mark.parametrize("wanted", [slice(0, 0), slice(1, None, 3), slice(-1, None)])
    def test_members_need_not_be_read(self, written: Written, wanted: slice) -> None:
        """Skipping a member changes nothing for the others."""
        files, expected = written
        paths = list(expected)[wanted]
        archive = self.open(files)
        found = {m.path: self.meaning(m.read()) for m in archive.members() if m.path in paths}
        assert found == {path: expected[path] for path in paths}

    def test_reading_late_gives_the_members_content_or_is_refused(self, written: Written) -> None:
        """A member that is read later, twice, or after the end gives its own content.

        A sequential archive raises instead; it never gives another member's content.
        """
        files, expected = written
        members = list(self.open(files).members())
        random.Random(0).shuffle(members)
        for member in members * 2:
            if self.sequential:
                with pytest.raises(RuntimeError, match=re.escape(repr(member.path))):
                    member.read()
            else:
                assert self.meaning(member.read()) == expected[member.path]

    def test_threads_read_at_once(self, written: Written) -> None:
        """Concurrent threads that read members of a random-access archive get the right ones."""
        if self.sequential:
            pytest.skip("members of a sequential archive are read in turn")
        files, expected = written
        with ThreadPoolExecutor(8) as pool:
            members = self.open(files).members()
            early = [(m.path, pool.submit(m.read)) for m in islice(members, len(expected) // 2)]
            rest = list(members) * 5
            random.Random(0).shuffle(rest)
            for path, future in early + [(m.path, pool.submit(m.read)) for m in rest]:
                assert self.meaning(future.result()) == expected[path]

    @pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="asks /proc for open files")
    @pytest.mark.parametrize("how", ["ended", "closed", "error", "forgotten", "damaged"])
    def test_nothing_stays_open(self, tmp_path: Path, written: Written, how: str) -> None:
        """However the iteration ends, the files are closed and the threads have ended."""
        files, _ = written
        list(self.open(files).members())  # libraries may open files or start threads themselves
        before = open_files(tmp_path), threading.active_count()
        if how == "damaged":
            os.truncate(files[-1], files[-1].stat().st_size // 2)
        members = self.open(files).members()
        assert open_files(tmp_path) == before[0]
        try:
            next(members).read()
            if how == "ended":
                list(members)
            elif how == "closed":
                members.close()
            elif how == "error":
                with pytest.raises(KeyError), closing(members):
                    raise KeyError
            elif how == "damaged":
                for member in members:
                    member.read()
        except RicoError:
            assert how == "damaged"
        del members
        gc.collect()
        assert (open_files(tmp_path), threading.active_count()) == before

    def test_nothing_leads_outside(self, tmp_path: Path) -> None:
        """Paths stay below the archive, and no link, absolute path or ``..`` is followed."""
        outside = tmp_path / "outside.tif"
        outside.write_bytes(SECRET)
        folder = tmp_path / "archive"
        folder.mkdir()
        files, n_hostile = self.write_hostile(folder, outside)
        n_problems = 0
        for member in self.open(files).members():
            assert_inside(member)
            n_problems += bool(member.problem)
            if not member.problem:
                assert SECRET not in raw(member.read())
        assert n_problems == n_hostile

    def test_an_archive_cut_anywhere_loses_nothing_silently(self, written: Written) -> None:
        """Everything read from a truncated archive is right, and the loss is an error."""
        files, expected = written
        data = files[-1].read_bytes()
        rng = random.Random(0)
        for n_bytes in {0, len(data) - 1, *rng.sample(range(len(data)), 40)}:
            files[-1].write_bytes(data[:n_bytes])
            found = self.outcome(files)
            assert is_part_of(found.contents, expected), n_bytes
            assert len(found.contents) == len(expected) or found.error or found.failed, n_bytes

    def test_a_damaged_byte_gives_no_wrong_content(self, written: Written) -> None:
        """A changed byte that the format checks loses content with a reason, or changes nothing."""
        files, expected = written
        places = self.checked_bytes(files)
        rng = random.Random(0)
        n_noticed = 0
        for path, offset in rng.sample(places, min(len(places), 120)):
            change = rng.choice([0x01, 0x20, 0x80, 0xFF])
            flip(path, offset, change)
            found = self.outcome(files)
            flip(path, offset, change)
            n_noticed += bool(found.error or found.failed)
            if not (found.error or found.failed):
                assert found.contents == list(expected.items()), (path, offset, change)
            self.judge_damaged(found, expected, (path, offset, change))
        assert n_noticed

    def judge_damaged(self, found: Outcome, expected: dict[str, object], where: object) -> None:
        """The conditions for an archive with one damaged byte that reports the damage."""
        assert is_part_of(found.contents, expected), where

    def test_a_damaged_member_fails_alone(self, written: Written) -> None:
        """A damaged member is named by an error, and all others are unchanged."""
        files, expected = written
        lost = self.damage_member(files)
        if lost is None:
            pytest.skip("the format can't tell, or gives nothing behind damage")
        found = self.outcome(files)
        assert dict(found.contents) == {p: c for p, c in expected.items() if p not in lost}
        assert len(found.failed) == len(lost)
        assert found.error == ""

    @pytest.mark.parametrize("content", [None, b"", b"\x01", b"no archive at all" * 500])
    def test_a_file_that_is_not_an_archive_is_named(
        self, tmp_path: Path, written: Written, content: bytes | None
    ) -> None:
        """A file that is missing, empty or not an archive is an error that names it."""
        files, _ = written
        path = files[0].rename(tmp_path / f"moved-{files[0].name}")
        for file in files[1:]:
            file.unlink()
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises((SourceError, ArchiveError), match=re.escape(str(path))):
            list(self.open([path]).members())

    def test_a_file_that_vanishes_is_an_error(self, written: Written) -> None:
        """If files vanish before members are read, the error is one of ours, not the system's."""
        files, _ = written
        archive = self.open(files)
        members = archive.members()
        member = next(members)
        for file in files:
            file.unlink()
        with suppress(RicoError):  # members that were read ahead or are still open may come
            member.read()
            for other in members:
                other.read()
        with pytest.raises(SourceError, match=re.escape(files[0].stem)):
            next(archive.members())


def raw(content: Content) -> bytes:
    """The bytes of a content, decoded or not."""
    if isinstance(content, bytes):
        return content
    rasters = (content,) if isinstance(content, Raster) else content
    return b"".join(bytes(raster.data) for raster in rasters)


def assert_inside(member: Member) -> None:
    """Check that a path stays below the archive; it is empty only if a problem explains that."""
    path = member.path
    assert not path.startswith("/")
    assert not {".", ".."} & set(path.split("/")), path
    assert "\0" not in path
    assert (path and "" not in path.split("/")) or member.problem


def is_part_of(contents: list[tuple[str, object]], expected: dict[str, object]) -> bool:
    """Whether all contents are as expected, each at most once."""
    found = dict(contents)
    return len(found) == len(contents) and all(
        path in expected and content == expected[path] for path, content in found.items()
    )


def all_bytes(
    files: Sequence[Path], wanted: Callable[[int], bool] = lambda _: True
) -> list[tuple[Path, int]]:
    """File and offset of all bytes, or of the wanted ones."""
    return [(path, i) for path in files for i in range(path.stat().st_size) if wanted(i)]
