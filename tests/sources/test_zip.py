"""Reading intact zip archives, and refusing others."""

import io
import os
import random
import re
import stat
import struct
import subprocess
import tracemalloc
import zipfile
import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rico_hdl.errors import ArchiveError, IncompleteArchiveError, SourceError
from rico_hdl.sources import MAX_MEMBER_BYTES
from rico_hdl.sources.zip.archive import ZipArchive, volumes_of
from rico_hdl.sources.zip.directory import MAX_DIRECTORY_BYTES
from rico_hdl.testing.contracts.archives import assert_inside, outcome_of
from tests.support.zip_files import ZIP, Piece, cut, pieces_of, some_contents, write, zip_of

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
GIB = 2**30

needs_zip = pytest.mark.skipif(ZIP is None, reason="needs the zip command")


def read(files):
    """The content of all members by path, in order, or their problem."""
    members = list(ZipArchive(files).members())
    found = {member.path: member.problem or member.read() for member in members}
    assert len(found) == len(members)
    return found


def members_of(file, reason=""):
    """The members of an archive whose last error says that it contradicts itself."""
    members = []
    with pytest.raises(IncompleteArchiveError, match=reason):
        members.extend(ZipArchive([file]).members())
    return members


def some_members(file):
    """The members of an archive, whether or not it contradicts itself."""
    members = []
    with suppress(IncompleteArchiveError):
        members.extend(ZipArchive([file]).members())
    return members


def filler(n_bytes):
    """A member that can't be read and takes no disk space."""
    return Piece(b"filler-%d" % n_bytes, method=98, hole=n_bytes)


def outcome(files):
    """The readable members as (path, content), the unreadable ones, and the error at the end."""
    return outcome_of(ZipArchive(files))


def saved(folder, data, name="x.zip"):
    """A file with these bytes."""
    path = folder / name
    path.write_bytes(data)
    return path


NAMES = st.text(
    st.characters(exclude_characters="\0\\/:", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda name: name not in {".", ".."})
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
CONTENTS = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda n, seed: random.Random(seed).randbytes(n), st.integers(0, 70_000), st.integers()
    ),
    st.integers(0, 300_000).map(bytes),
)


@given(st.dictionaries(PATHS, st.tuples(CONTENTS, st.sampled_from(METHODS)), max_size=6))
@settings(max_examples=60)
def test_round_trip(tmp_path_factory, contents):
    """Any names, sizes and methods that zipfile writes come back."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path, (content, method) in contents.items():
            archive.writestr(path, content, method)
    path = saved(tmp_path_factory.mktemp("zip"), file.getvalue())
    assert read([path]) == {path: content for path, (content, _) in contents.items()}


@given(
    st.lists(st.tuples(CONTENTS, st.sampled_from([0, 8, 12]), st.integers(0, 99)), max_size=6),
    st.integers(120, 3000) | st.none(),
    st.booleans(),
)
@settings(max_examples=80)
def test_round_trip_of_volumes(tmp_path_factory, members, volume_bytes, zip64):
    """Members come back from volumes of any size, with either size of numbers."""
    contents = {f"d/{i}.tif": content[:20_000] for i, (content, *_) in enumerate(members)}
    pieces = [
        Piece(
            path.encode(),
            content,
            method=method,
            local_extra=b"\x99\x99" + struct.pack("<H", n) + bytes(n),
        )
        for (path, content), (_, method, n) in zip(contents.items(), members, strict=True)
    ]
    path = tmp_path_factory.mktemp("zip") / "x.zip"
    files = write(path, pieces, volume_bytes=volume_bytes, zip64=zip64)
    assert volumes_of(path) == tuple(files)
    assert read(files) == contents


# Large archives


def test_beyond_4_gib(tmp_path):
    """Members after 4 GiB of one file are found by zip64 offsets."""
    contents = {f"{i}.tif": random.Random(i).randbytes(1000) for i in range(4)}
    pieces = pieces_of(contents)
    pieces[1:1], pieces[4:4] = [filler(4 * GIB)], [filler(3 * GIB)]
    (path,) = write(tmp_path / "x.zip", pieces, zip64=True)
    assert path.stat().st_size > 7 * GIB
    assert {p: c for p, c in read([path]).items() if not p.startswith("filler")} == contents


def test_volumes_beyond_4_gib(tmp_path):
    """Volumes of 5 GB are read like small ones, even if a member spans two of them."""
    contents = {f"{i}.tif": random.Random(i).randbytes(3000) for i in range(5)}
    pieces = []
    for gap, (path, content) in zip(
        [0, 4 * GIB, 5 * 10**9 - 4 * GIB - 9000, 5 * 10**9, 4 * 10**9],
        contents.items(),
        strict=True,
    ):
        pieces += [filler(gap)] if gap else []
        pieces += [Piece(path.encode(), content, method=0)]
    files = write(tmp_path / "x.zip", pieces, volume_bytes=5 * 10**9, zip64=True)
    assert [path.name for path in files] == ["x.z01", "x.z02", "x.zip"]
    assert files[0].stat().st_size == 5 * 10**9
    assert volumes_of(files[1]) == tuple(files)
    found = read(files)
    assert {path: found[path] for path in contents} == contents


@pytest.mark.parametrize("zip64", [False, True])
def test_more_than_65535_members(tmp_path, zip64):
    """More members than the record at the end can count are found, with and without zip64."""
    path, n = tmp_path / "x.zip", 65_538
    one = Piece(b"a", b"1", method=0)
    header = one.header(zip64=zip64) + one.data
    entries = b"".join(one.entry(0, i * len(header), zip64=zip64) for i in range(n))
    start = n * len(header)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, *[n % 2**16] * 2, len(entries), start, 0)
    if zip64:
        end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
        large = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, n, n, len(entries), start)
        end = large + struct.pack("<4sIQI", b"PK\6\7", 0, start + len(entries), 1) + end
    path.write_bytes(header * n + entries + end)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == n
    members = list(ZipArchive([path]).members())
    assert len(members) == n
    assert members[-1].read() == b"1"


# Order, duplicates, places


def test_order_of_offsets(tmp_path):
    """Members come in the order of their offsets, whatever the order of the directory."""
    contents = some_contents()
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
        archive.filelist.sort(key=lambda info: info.filename)
        for info in archive.filelist:
            info.comment = b"PK\1\2" + info.filename.encode()
        assert archive.namelist() != list(contents)
    assert list(read([path]).items()) == list(contents.items())


def test_duplicates(tmp_path):
    """Members with the same name are all yielded, with their own content."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.tif", b"first")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.tif", b"second")
    members = ZipArchive([saved(tmp_path, file.getvalue())]).members()
    assert [(m.path, m.read()) for m in members] == [("a.tif", b"first"), ("a.tif", b"second")]


@pytest.mark.parametrize("zip64", [False, True])
def test_something_in_front(tmp_path, zip64):
    """A program before the archive, which the offsets don't count, is skipped."""
    contents = some_contents()
    (path,) = write(tmp_path / "x.zip", pieces_of(contents), zip64=zip64, prefix=b"\x7fELF" * 999)
    assert read([path]) == contents


def test_an_end_with_more_to_say(tmp_path):
    """The zip64 record may be longer than known here, so its position is looked up."""
    contents = some_contents()
    (path,) = write(tmp_path / "x.zip", pieces_of(contents), zip64=True)
    data = path.read_bytes()
    at = data.rindex(b"PK\6\7")
    path.write_bytes(data[:at] + bytes(40) + data[at:])
    assert read([path]) == contents


def test_an_end_that_counts_no_volumes(tmp_path):
    """An archive whose record says that it has no volumes has one."""
    (path,) = write(tmp_path / "x.zip", [Piece(b"a.tif", b"content")], zip64=True)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\6\7") + 16
    assert data[at : at + 4] == b"\1\0\0\0"
    data[at] = 0
    path.write_bytes(data)
    assert read([path]) == {"a.tif": b"content"}


def test_a_count_of_more_than_65535_members_is_a_count(tmp_path):
    """The zip64 record counts exactly: 65,536 members too many means missing members."""
    (path,) = write(tmp_path / "x.zip", [Piece(b"a.tif", b"content")], zip64=True)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\6\6") + 24
    data[at : at + 16] = struct.pack("<2Q", 2**16 + 1, 2**16 + 1)
    path.write_bytes(data)
    found, failures, error = outcome([path])
    assert (found, failures) == ([("a.tif", b"content")], [])
    assert "its directory lists 1 members, expected 65537" in error


@pytest.mark.parametrize("comment", [b"hello", b"PK\5\6" + bytes(50), b"PK\5\6", bytes(65_535)])
def test_comments(tmp_path, comment):
    """A comment at the end is not part of the directory, even if it looks like one."""
    pieces = [Piece(b"a.tif", b"content")]
    (path,) = write(tmp_path / "x.zip", pieces, comment=comment)
    assert read([path]) == {"a.tif": b"content"}


def test_bytes_behind_the_end(tmp_path):
    """Bytes that were appended don't hide the directory."""
    # If several records look like the end, the last one counts.
    contents = some_contents() | {"empty.zip": zip_of({})}
    assert read([saved(tmp_path, zip_of(contents, zipfile.ZIP_STORED) + bytes(999))]) == contents


# Names


@pytest.mark.parametrize(
    ("name", "flags", "system", "path", "problem"),
    [
        ("ä.tif".encode(), 1 << 11, 3, "ä.tif", ""),
        ("ä.tif".encode(), 0, 3, "ä.tif", ""),
        ("ä.tif".encode("cp437"), 0, 0, "ä.tif", ""),
        (b"\xe4.tif", 0, 3, "\udce4.tif", ""),
        (rb"d\e\f.tif", 0, 0, "d/e/f.tif", ""),
        (rb"d/e\f.tif", 0, 3, r"d/e\f.tif", ""),
        (b"./d//e/./f.tif", 0, 3, "d/e/f.tif", ""),
        (b"/etc/f.tif", 0, 3, "etc/f.tif", "absolute"),
        (rb"C:\etc\f.tif", 0, 0, "etc/f.tif", "absolute"),
        (b"../f.tif", 0, 3, "f.tif", "leads out"),
        (b"d/../../f.tif", 0, 3, "d/f.tif", "leads out"),
        (b"d/..", 0, 3, "d", "leads out"),
        (b"f.tif\0.txt", 0, 3, "f.tif.txt", "damaged"),
        (b"", 0, 3, "", "damaged"),
        (b"..", 0, 3, "", "leads out"),
        (b"d/..f.tif", 0, 3, "d/..f.tif", ""),
    ],
)
def test_names(tmp_path, name, flags, system, path, problem):  # noqa: PLR0917 - a table
    """Names become paths in the archive; names that lead elsewhere have a problem."""
    (file,) = write(tmp_path / "x.zip", [Piece(name, b"content", flags=flags, system=system)])
    (member,) = ZipArchive([file]).members()
    assert member.path == path
    assert_inside(member)
    if problem:
        assert problem in member.problem
    else:
        assert member.problem == ""
        assert member.read() == b"content"


@pytest.mark.parametrize("name", [b"d/", b"d/e/", rb"d\e" + b"\\", b"/", b"../"])
def test_folders_are_not_members(tmp_path, name):
    """Folders are not members, but a folder's name does not hide content."""
    (file,) = write(tmp_path / "x.zip", [Piece(name, mode=0o40755), Piece(b"f", b"1")])
    assert read([file]) == {"f": b"1"}
    (file,) = write(tmp_path / "x.zip", [Piece(name, b"hidden", mode=0)])
    assert len(list(ZipArchive([file]).members())) == 1


# What can't be read


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"flags": 1}, "it is encrypted"),
        ({"method": 99, "flags": 1}, "it is encrypted"),
        ({"method": 9}, "it is compressed with deflate64"),
        ({"method": 93}, "it is compressed with zstd"),
        ({"flags": 1 << 5}, "which is not supported"),
        ({"mode": stat.S_IFLNK | 0o777}, "it is a link"),
        ({"mode": stat.S_IFCHR | 0o666}, "it is not a regular file"),
        ({"mode": stat.S_IFDIR | 0o755}, "it is not a regular file"),
        ({"n_bytes": MAX_MEMBER_BYTES + 1}, "1,073,741,825 bytes"),
        ({"n_compressed": MAX_MEMBER_BYTES + 1}, "stored in 1,073,741,825"),
        ({"n_bytes": 2**32 - 1}, "its entry in the directory lacks numbers"),
        ({"n_compressed": 10_000}, "overlap"),
        ({"at": 10**6}, "it should start at byte 1000000"),
    ],
)
def test_members_with_problems(tmp_path, changed, problem):
    """Members that are known to be unreadable have a problem, and hide no other member."""
    pieces = [Piece(b"a.tif", b"1"), Piece(b"b.tif", b"2", **changed), Piece(b"c.tif", b"3")]
    (file,) = write(tmp_path / "x.zip", pieces)
    # The others say the same wrong thing in both places.
    says_two_things = {"n_compressed", "at"} & set(changed) or "lacks numbers" in problem
    members = some_members(file) if says_two_things else list(ZipArchive([file]).members())
    found = {member.path: member.problem or member.read() for member in members}
    assert problem in found.pop("b.tif")
    assert found == {"a.tif": b"1", "c.tif": b"3"}


def test_a_missing_volume(tmp_path):
    """A member on a volume beyond the last one has a problem."""
    files = write(tmp_path / "x.zip", [Piece(b"a", b"1"), Piece(b"b", b"2")])
    data = bytearray(files[0].read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 34] = 1
    files[0].write_bytes(data)
    members = members_of(files[0], "'a': it should start on volume 2 of 1")
    assert [(m.path, m.problem) for m in members[::-1]] == [
        ("a", "it should start on volume 2 of 1"),
        ("b", ""),
    ]
    assert members[0].read() == b"2"


def bomb(n_bytes):
    """A number of zeros, compressed."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    chunks = [stream.compress(bytes(2**20)) for _ in range(n_bytes // 2**20)]
    return b"".join(chunks) + stream.flush()


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"crc": 1}, "its CRC-32 is fec530a9, expected 00000001"),
        ({"n_bytes": 6}, "holds more than 6 bytes, expected 6"),
        ({"n_bytes": 8}, "holds 7 bytes, expected 8"),
        ({"local_name": b"c.tif"}, "belongs to another member: 'c.tif'"),
        ({"at": 40}, "expected its header at byte 40"),
        ({"data": b"\xff" * 20}, "can't be decompressed"),
        ({"data": b"\x09\x14\5\0\x5d\0\0\0\xff" + bytes(20), "method": 14}, "LZMA settings"),
        ({"data": b"\x09\x14\5\0\xff\0\0\1\0" + bytes(20), "method": 14}, "can't be decompressed"),
        ({"data": b"\x09\x14\5\0\x5d\0\0\1\0\xff" + bytes(20), "method": 14}, "is damaged"),
        ({"data": b""}, "holds 0 bytes, expected 7"),
        ({"data": Piece(b"", b"content").data[:-1]}, "is damaged"),
        ({"data": bomb(2**28)}, "holds more than 7 bytes, expected 7"),
        ({"data": Piece(b"", bytes(2**24), method=12).data, "method": 12}, "holds more than 7"),
    ],
)  # fmt: skip
def test_damaged_members(tmp_path, changed, what):
    """A damaged member is an ArchiveError in one line that names it.

    It takes hardly any memory, and other members can be read.
    """
    pieces = [Piece(b"a.tif", b"1"), Piece(b"b.tif", b"content", **changed), Piece(b"d.tif", b"3")]
    (file,) = write(tmp_path / "x.zip", pieces)
    first, second, third = sorted(some_members(file))
    assert (first.read(), third.read()) == (b"1", b"3")
    tracemalloc.start()
    with pytest.raises(ArchiveError) as caught:
        second.read()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10**6
    assert f"{file}/b.tif: " in caught.value.message
    assert what in caught.value.message
    assert "\n" not in caught.value.message


def test_a_bomb_of_overlapping_members(tmp_path):
    """If members share the same data, only the last one is read."""
    data = bomb(2**24)
    whole = Piece(b"a", bytes(2**24), data=data)
    same = [Piece(b"a", bytes(2**24), data=data, at=0, is_written=False) for _ in range(99)]
    (file,) = write(tmp_path / "x.zip", [whole, *same])
    problems = [member.problem for member in members_of(file, "'a' is damaged.*and 98 more")]
    assert len(problems) == 100
    assert all("overlap" in problem for problem in problems[:-1])


def test_extra_fields_that_reach_into_the_next_member(tmp_path):
    """A member whose extra field pushes its data into the next member is damaged."""
    pieces = [Piece(b"a", b"11", method=0), Piece(b"b", b"22", method=0)]
    (file,) = write(tmp_path / "x.zip", pieces)
    data = bytearray(file.read_bytes())
    data[28] = 20
    file.write_bytes(data)
    first, second = members_of(file, "'a' is damaged: its data ends at byte 53")
    with pytest.raises(ArchiveError, match="its data ends at byte 53"):
        first.read()
    assert second.read() == b"22"


def test_a_huge_directory_is_not_read(tmp_path):
    """A directory that claims to take gigabytes is an ArchiveError, and takes no memory."""
    path = tmp_path / "x.zip"
    pieces = [Piece(b"a", b"1"), Piece(b"b", b"2", gap=4 * GIB)]
    write(path, pieces, zip64=True)
    data = path.open("r+b")
    with data:
        data.seek(-22 - 20 - 56, os.SEEK_END)
        start = data.tell()
        record = bytearray(data.read(56))
        struct.pack_into(
            "<2Q", record, 40, MAX_DIRECTORY_BYTES + 1, start - MAX_DIRECTORY_BYTES - 1
        )
        data.seek(start)
        data.write(record)
    tracemalloc.start()
    contents, failures, error = outcome([path])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10**6
    assert "its directory claims to take 536,870,913 bytes" in error
    assert (contents, failures) == ([("a", b"1")], [])


# Damage of the archive


@pytest.mark.parametrize("zip64", [False, True])
def test_every_truncation(tmp_path, zip64):
    """In a truncated archive, complete members are read before the loss is reported."""
    contents = some_contents(6)
    (path,) = write(tmp_path / "x.zip", pieces_of(contents), zip64=zip64)
    data = path.read_bytes()
    stops = [m.start() for m in re.finditer(b"PK\3\4|PK\1\2", data)][1 : len(contents) + 1]
    for n in [*range(4, len(data), 17), *range(stops[-1], len(data))]:
        path.write_bytes(data[:n])
        found, failures, error = outcome([path])
        assert found == list(contents.items())[: sum(stop <= n for stop in stops)]
        assert failures == []
        assert "is cut short" in error
        assert "Download it again" in error


def test_a_lost_directory(tmp_path):
    """Members of an archive whose directory is overwritten are found by their own headers."""
    contents = some_contents()
    data = bytearray(zip_of(contents))
    at = data.index(b"PK\1\2")
    data[at : at + 4] = bytes(4)
    found, failures, error = outcome([saved(tmp_path, data)])
    assert dict(found) == contents
    assert failures == []
    assert f"its directory is not at byte {at}" in error


def test_a_directory_that_is_damaged_in_the_middle(tmp_path):
    """Members before the damage in the directory are yielded, then the damage is raised."""
    contents = some_contents()
    data = bytearray(zip_of(contents))
    at = [m.start() for m in re.finditer(b"PK\1\2", data)][8]
    data[at] = 0
    found, failures, error = outcome([saved(tmp_path, data)])
    assert found == list(contents.items())[:8]
    assert failures == []
    assert f"its directory is damaged at byte {at}" in error


@needs_zip
def test_a_truncated_stream(tmp_path):
    """Without its directory, an archive whose sizes follow the data can't be walked."""
    command = [ZIP, "-q", "-", "-"]
    done = subprocess.run(command, input=b"content", capture_output=True, check=True)
    found, _, error = outcome([saved(tmp_path, done.stdout[:-30])])
    assert found == []
    assert "is cut short" in error


def test_a_file_that_ends_early_while_it_is_read(tmp_path):
    """A member that disappears after the directory was read is an ArchiveError."""
    path = saved(tmp_path, zip_of({"a": b"1", "b": bytes(10_000)}, zipfile.ZIP_STORED))
    first, second = ZipArchive([path]).members()
    os.truncate(path, 5000)
    assert first.read() == b"1"
    with pytest.raises(ArchiveError, match=r"b: is cut short: only 49\d\d of its 10000 bytes"):
        second.read()
    path.unlink()
    with pytest.raises(ArchiveError, match="a: can't be read: No such file"):
        first.read()


# Volumes and parts


@pytest.fixture
def volume_set(tmp_path):
    """Files of a set, in order, and their contents."""
    contents = {f"{i}.tif": random.Random(i).randbytes(999) for i in range(9)}
    return write(tmp_path / "hydro.zip", pieces_of(contents), volume_bytes=2000), contents


def test_each_missing_volume_is_named(volume_set):
    """Whichever volume is missing, and whichever is given, the error names the missing one."""
    files, _ = volume_set
    assert len(files) > 4
    for missing in files:
        content = missing.read_bytes()
        missing.unlink()
        for file in set(files) - {missing}:
            with pytest.raises(SourceError, match=missing.name):
                volumes_of(file)
        missing.write_bytes(content)
    assert volumes_of(files[2]) == tuple(files)


def test_names_in_capitals(volume_set):
    """Names may end in capitals, and other sets may be in the same folder."""
    files, contents = volume_set
    folder = files[0].parent
    renamed = [file.rename(folder / f"hydro{file.suffix.upper()}") for file in files]
    (folder / "hydro2.z01").write_bytes(b"")
    (folder / "hydro.z01.md5").write_bytes(b"")
    for file in renamed:
        assert volumes_of(file) == tuple(renamed)
    assert read(renamed) == contents


def test_too_few_volumes(volume_set):
    """An archive with only some of its volumes is a SourceError with the number of volumes."""
    files, _ = volume_set
    for some in (files[1:], files[-1:]):
        with pytest.raises(SourceError, match=f"is one of {len(files)} volumes, found {len(some)}"):
            list(ZipArchive(some).members())


def test_truncated_volumes(volume_set):
    """If the last volume lost its directory, complete members are read."""
    files, contents = volume_set
    size = files[-1].stat().st_size
    os.truncate(files[-1], size - 1)
    assert volumes_of(files[1]) == tuple(files)
    found, failures, error = outcome(files)
    assert dict(found) == contents
    assert failures == []
    assert f"{files[-1]}: is cut short" in error


def test_a_volume_next_to_a_whole_archive(tmp_path):
    """A volume that does not belong to the archive of its name is a SourceError."""
    path = saved(tmp_path, zip_of({"a": b"1"}))
    with pytest.raises(SourceError, match=r"does not belong to x\.zip"):
        volumes_of(saved(tmp_path, b"", "x.z01"))
    assert volumes_of(path) == (path,)


@pytest.mark.parametrize("n_bytes", [1, 7, 100, 4096, 10**6])
def test_parts(tmp_path, n_bytes):
    """An archive that was cut anywhere, into any number of parts, is read as before."""
    contents = {"d/a.tif": b"abc" * 99, "d/b.tif": random.Random(0).randbytes(99)}
    files = cut(zip_of(contents), tmp_path / "x.zip", n_bytes)
    assert volumes_of(files[0]) == volumes_of(files[-1]) == tuple(files)
    assert read(files) == contents


def test_a_missing_part(tmp_path):
    """A part missing between others is named; without the last part, the others are read."""
    contents = {f"{i}": random.Random(i).randbytes(50) for i in range(9)}
    files = cut(zip_of(contents), tmp_path / "x.zip", 100)
    files[3].unlink()
    with pytest.raises(SourceError, match=r"are missing: x.zip.004"):
        volumes_of(files[0])
    found, failures, error = outcome(files[:3])
    assert found == list(contents.items())[: len(found)]
    assert len(found) >= 2
    assert failures == []
    assert "last part" in error


def test_other_files_are_left_alone(tmp_path):
    """A file with another name is an archive of one file."""
    assert volumes_of(tmp_path / "x.tar") == (tmp_path / "x.tar",)
    with pytest.raises(SourceError, match=r"x\.zip: no such file"):
        volumes_of(tmp_path / "x.zip")
    with pytest.raises(SourceError, match=r"x\.zip: no such file"):
        volumes_of(tmp_path / "x.z01")
