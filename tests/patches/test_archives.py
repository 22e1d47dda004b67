"""Assembling patches from members in any order."""

import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rico_hdl.errors import ArchiveError
from rico_hdl.patches.archives import WAITING_COST_BYTES, Assembly
from rico_hdl.patches.unmatched import UnmatchedFiles
from rico_hdl.sources import Member
from rico_hdl.spec import Band, Modality, Template
from rico_hdl.values import Patch, Position, Repeated

MODALITY = Modality(
    name="x",
    title="samples",
    option="--x-dir",
    files=Template.parse("{scene}/{patch}/{patch}_{band}.tif"),
    key=Template.parse("{scene}-{patch}"),
    bands=(Band("A"), Band("B"), Band("C")),
    example="s/p/p_A.tif",
    folder="x",
)


class Listed:
    """An archive with members from a list."""

    location = "/archives/x.tar"
    files = (Path(location),)
    n_bytes_read = 0

    def __init__(self, members, *, sequential=True, damaged=False):
        self.members_of_it = members
        self.sequential = sequential
        self.damaged = damaged
        self.current = None
        self.n_read = 0

    def members(self):
        for path, content, problem in self.members_of_it:
            self.current = path
            yield Member(path, lambda p=path, c=content: self.read(p, c), problem)
        self.current = None
        if self.damaged:
            raise ArchiveError("damaged at byte 7")

    def read(self, path, content):
        assert not self.sequential or self.current == path
        self.n_read += 1
        return content


def files_of(scene, patch, bands="ABC", prefix=""):
    """The members of a patch; each content says where it belongs."""
    return [
        (
            f"{prefix}{scene}/{patch}/{patch}_{b}.tif",
            f"{scene}{patch}{b}".encode(errors="replace"),
            "",
        )
        for b in bands
    ]


def assembled(archive, **options):
    """The results of an assembly: contents by key, the number of passed patches, the rest."""
    n_passed, failures, found = 0, [], {}
    assembly = Assembly(MODALITY, archive, **options)
    for item in assembly:
        if isinstance(item, Patch):
            found[item.key] = [item.source.read(path) for path in item.paths]
        elif isinstance(item, Position):
            n_passed += item.n_passed
        else:
            failures.append(item)
    return found, n_passed, failures, assembly


PATCHES = [("s1", "p1"), ("s1", "p2"), ("s2", "p1"), ("s10", "p_3")]


@given(st.permutations([file for patch in PATCHES for file in files_of(*patch)]), st.booleans())
def test_any_order_gives_the_same_patches(members, sequential):
    """In any order of members, each patch gets its own files in the order of its bands."""
    found, _, failures, _ = assembled(Listed(members, sequential=sequential))
    assert failures == []
    assert found == {f"{s}-{p}": [f"{s}{p}{b}".encode() for b in "ABC"] for s, p in PATCHES}


@pytest.mark.parametrize("prefix", ["", "top/", "a/b/c/"])
def test_folders_in_front_do_not_count(prefix):
    """Patches are found at any depth, and other files are ignored."""
    members = [
        ("readme.txt", b"", ""),
        *files_of("s", "p", prefix=prefix),
        ("s/p/p_D.tif", b"", ""),
    ]
    found, _, failures, _ = assembled(Listed(members))
    assert (list(found), failures) == (["s-p"], [])


def test_patches_come_as_soon_as_they_are_complete():
    """Patches are yielded as soon as they are complete, and nothing is read ahead."""
    members = files_of("s", "1", "AB") + files_of("s", "2") + files_of("s", "1", "C")
    archive = Listed(members)
    with closing(iter(Assembly(MODALITY, archive))) as items:
        patches = (item for item in items if isinstance(item, Patch))
        assert next(patches).key == "s-2"
        assert archive.n_read == 5
        assert next(patches).key == "s-1"


def test_unwanted_patches_are_not_read():
    """Files of an unwanted patch are not read; `is_wanted` is called once, and it counts once."""
    asked = []

    def is_wanted(key, modality):
        assert modality is MODALITY
        asked.append(key)
        return key != "s-1"

    adjacent = files_of("s", "1") + files_of("s", "2")
    for members in (adjacent, adjacent[::3] + adjacent[1::3] + adjacent[2::3]):
        asked.clear()
        archive = Listed(members)
        found, n_passed, failures, assembly = assembled(archive, is_wanted=is_wanted)
        assert (list(found), n_passed, failures, archive.n_read) == (["s-2"], 1, [], 3)
        assert asked == ["s-1", "s-2"]
        assert assembly.n_found == 2


def test_missing_bands_are_named():
    """A patch with missing files is a failure that names the bands."""
    members = files_of("s", "1", "AC") + files_of("s", "2", "B")
    _, _, failures, _ = assembled(Listed(members))
    assert [(f.key, f.band, f.reason, f.path) for f in failures] == [
        ("s-1", "B", "missing band B", "/archives/x.tar/s/1"),
        ("s-2", None, "missing bands A, C", "/archives/x.tar/s/2"),
    ]


def test_damage_keeps_earlier_patches():
    """If an archive becomes unreadable, complete patches are yielded and the rest is reported."""
    archive = Listed(files_of("s", "1") + files_of("s", "2", "A"), damaged=True)
    found, _, failures, assembly = assembled(archive)
    assert list(found) == ["s-1"]
    assert assembly.damage.message == "damaged at byte 7"
    assert [f.reason for f in failures] == ["missing bands B, C: the archive is damaged"]


def test_a_member_that_cannot_be_read_costs_its_patch():
    """An unreadable file fails its patch; an unreadable file of no patch is counted."""
    (a, b, c) = files_of("s", "1")
    members = [a, (b[0], b"", "it is a symbolic link"), c, ("x", b"", "it is a device")]
    found, _, failures, assembly = assembled(Listed(members))
    assert found == {}
    assert [(f.band, f.reason) for f in failures] == [("B", "it is a symbolic link")]
    assert assembly.n_unread == 1


def test_a_member_that_cannot_be_read_explains_an_incomplete_patch():
    """If files are also missing, the failure names the file that can't be read."""
    a, b, _ = files_of("s", "1")
    found, _, failures, _ = assembled(Listed([a, (b[0], b"", "it is a symbolic link")]))
    assert found == {}
    assert [(f.key, f.band, f.reason) for f in failures] == [("s-1", "B", "it is a symbolic link")]


def test_the_later_of_two_equal_paths_counts():
    """If a file appears twice before its patch is complete, the later one is used."""
    (a, b, c) = files_of("s", "1")
    found, _, failures, _ = assembled(Listed([a, (a[0], b"later", ""), b, c]))
    assert (found["s-1"][0], failures) == (b"later", [])


@pytest.mark.parametrize("key", ["p" * 600, "\udcff"])
def test_keys_that_cannot_be_stored(key):
    """A key that LMDB can't hold is a failure, and its files are not kept."""
    archive = Listed(files_of("s", key))
    found, _, failures, _ = assembled(archive)
    assert (found, len(failures)) == ({}, 1)
    assert "key" in failures[0].reason
    assert failures[0].key.isprintable()


@given(st.integers(0, 5 * (WAITING_COST_BYTES + 10)))
def test_waiting_files_are_bounded(bound):
    """Beyond the bound, the oldest patches are given up, once each; the others are right.

    As many patches are kept as the bound allows.
    """
    members = [file for b in "ABC" for i in range(5) for file in files_of("s", str(i), b)]
    found, _, failures, assembly = assembled(Listed(members), max_waiting_bytes=bound)
    assert len(found) + len(failures) == 5
    assert len({f.key for f in failures} | found.keys()) == 5
    assert all(contents == [f"{k.replace('-', '')}{b}".encode() for b in "ABC"]
               for k, contents in found.items())  # fmt: skip
    assert all("too far" in f.reason or "held in memory" in f.reason for f in failures)
    complete, last_missing = WAITING_COST_BYTES + 9, WAITING_COST_BYTES + 6
    assert min(5, bound // complete) <= len(found) <= bound // last_missing
    assert assembly.n_found == 5


def test_members_too_large_to_wait_are_not_read():
    """A member beyond the bound costs its patch, is not read, and makes room for no other."""

    class Sized(Listed):
        def members(self):
            for member in super().members():
                yield member._replace(n_bytes=10**9 if "large" in member.path else 5)

    archive = Sized(files_of("s", "small") + files_of("s", "large") + files_of("s", "next"))
    found, _, (failure,), _ = assembled(archive, max_waiting_bytes=10**6)
    assert (list(found), archive.n_read) == (["s-small", "s-next"], 6)
    assert failure.key == "s-large"
    assert "--memory" in failure.reason


@pytest.mark.parametrize("n_times", [1, 50])
def test_only_waiting_files_count(n_times):
    """Complete patches, and replaced files, free memory for others."""
    first = files_of("s", "first")
    others = [
        (path, b"x" * 1000, "")
        for i in range(50)
        for path, *_ in files_of("s", str(i))
        for _ in range(1 if "C." in path else n_times)  # its last file completes a patch
    ]
    bound = 2 * WAITING_COST_BYTES + 4500  # the first patch, and one more with each file once
    members = [*first[:2], *others, first[2]]
    found, _, failures, _ = assembled(Listed(members), max_waiting_bytes=bound)
    assert (len(found), failures) == (51, [])
    assert found["s-first"] == [b"sfirstA", b"sfirstB", b"sfirstC"]


def test_a_key_that_comes_again_is_announced():
    """A second patch with the same key follows a `Repeated`, whether wanted or not."""
    archive = Listed(files_of("s", "1") + files_of("s", "1", prefix="again/"))
    assembly = Assembly(MODALITY, archive, is_wanted=lambda *_: False)
    *_, repeated, patch = [item for item in assembly if not isinstance(item, Position)]
    assert repeated == Repeated("s-1", "/archives/x.tar/again/s/1/1_A.tif", is_whole=True)
    assert patch.key == "s-1"


def test_duplicates_of_some_files_are_no_failure():
    """Later copies of some files of a patch are ignored, and are not an incomplete patch."""
    archive = Listed(files_of("s", "1") + files_of("s", "1", "B"))
    found, _, (repeated,), _ = assembled(archive)
    assert list(found) == ["s-1"]
    assert repeated == Repeated("s-1", "/archives/x.tar/s/1/1_A.tif", is_whole=False)


def test_the_position_is_given_while_nothing_else_is():
    """An archive without wanted patches reports its position from time to time."""
    archive = Listed([member for i in range(50) for member in files_of("s", str(i))])
    slow = archive.members

    def members():
        for member in slow():
            time.sleep(0.01)
            yield member

    archive.members = members
    items = list(Assembly(MODALITY, archive, is_wanted=lambda *_: False))
    assert all(isinstance(item, Position) for item in items)
    assert len(items) >= 5
    assert sum(item.n_passed for item in items) == 50


@pytest.mark.parametrize("folder", ["__MACOSX/", ".Trash-1/files/", "a/.zfs/x/", "$RECYCLE.BIN/"])
def test_leftovers_are_ignored(folder):
    """Copies in recycle bins and a Mac's ._ files are no patches, no copies, and not counted."""
    members = files_of("s", "1") + files_of("s", "1", prefix=folder)
    members += [(f"s/1/._{path.rpartition('/')[2]}", b"", "") for path, _, _ in members]
    members += [(f"{folder}x.tif", b"", ""), (f"{folder}link.tif", b"", "it is a symbolic link")]
    unmatched = UnmatchedFiles(MODALITY)
    found, _, failures, assembly = assembled(Listed(members[::-1]), unmatched=unmatched)
    assert list(found) == ["s-1"]
    assert failures == []
    assert (assembly.n_found, assembly.n_unread, unmatched.n_files) == (1, 0, 0)


def test_members_of_no_patch_are_counted():
    """Unknown bands and misspelt names are counted, other files are not."""
    others = [("s/1/2_A.tif", b"", ""), ("s/1/1_A.txt", b"", "")]
    members = [*files_of("s", "1", "ABCD"), *others]
    unmatched = UnmatchedFiles(MODALITY)
    found, _, failures, _ = assembled(Listed(members), unmatched=unmatched)
    assert (list(found), failures, unmatched.n_files) == (["s-1"], [], 2)
    (warning,) = unmatched.warnings("here")
    assert "such as s/1/1_D.tif: expected {scene}" in warning
