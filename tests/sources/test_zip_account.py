"""Zip archives whose directory and members contradict each other, or only seem to."""

import io
import itertools
import os
import random
import shutil
import struct
import subprocess
import zipfile

import pytest

from rico_hdl.errors import ArchiveError, IncompleteArchiveError, SourceError
from rico_hdl.sources import volumes
from rico_hdl.sources.zip.archive import ZipArchive, volumes_of
from tests.support.zip_files import ZIP, Piece, pieces_of, write, zip_of

TOOLS = {name: shutil.which(name) for name in ("7z", "bsdtar", "jar")}
needs_zip = pytest.mark.skipif(ZIP is None, reason="needs the zip command")

CONTENTS = {
    "d/a.tif": b"abc" * 99,
    "d/b.tif": random.Random(0).randbytes(300),
    "README.txt": b"about",
    "d/empty": b"",
}


def accounted(files, wanted=lambda path: path.endswith(".tif"), failed=None):
    """The wanted members of an archive, read in order, and the error after the last one.

    Unreadable members are appended to the list of failed ones.
    """
    found, failed = {}, [] if failed is None else failed
    try:
        for member in ZipArchive(files).members():
            if wanted(member.path):
                try:
                    if not member.problem:
                        found[member.path] = member.read()
                        continue
                except ArchiveError:
                    pass
                failed.append(member.path)
    except (ArchiveError, SourceError) as error:
        return found, error
    return found, None


def assert_no_complaint(files, contents=CONTENTS):
    """Assert that an archive is read without an error, whichever members are read."""
    for wanted in (lambda _: True, lambda _: False, lambda path: path.endswith(".tif")):
        found, error = accounted(files, wanted)
        assert error is None
        assert found == {path: data for path, data in contents.items() if wanted(path)}


def assert_incomplete(files, *reasons, contents=None):
    """Assert that all wanted members are read, and that an error then gives these reasons."""
    for ending in (".tif", "nothing"):
        found, error = accounted(files, lambda path, ending=ending: path.endswith(ending))
        assert type(error) is IncompleteArchiveError
        assert all(reason in error.message for reason in reasons), error.message
        assert str(files[-1]) in error.message
        if contents is not None and ending == ".tif":
            assert found == contents


def saved(folder, data):
    """A zip with these bytes."""
    path = folder / "x.zip"
    path.write_bytes(data)
    return [path]


# Complete archives


class Pipe(io.RawIOBase):
    """A stream that can't seek."""

    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data)
        return len(data)


@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_streams_of_zipfile(tmp_path, zip64, method):
    """Archives that zipfile streams, with sizes after the data, are accounted for."""
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", method) as archive:
        for path, content in CONTENTS.items():
            with archive.open(path, "w", force_zip64=zip64) as file:
                file.write(content)
    assert pipe.data[6] & 8
    assert_no_complaint(saved(tmp_path, pipe.data))


def test_an_archive_that_zipfile_extended(tmp_path):
    """Members that were added later, twice, or as folders are accounted for."""
    (path,) = saved(tmp_path, zip_of(CONTENTS))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("later/", b"")
        archive.writestr("later/c.tif", b"content")
        archive.comment = b"PK\3\4 a comment"
    assert_no_complaint([path], CONTENTS | {"later/c.tif": b"content"})


def tree(folder, contents=CONTENTS):
    """Files in a folder."""
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@needs_zip
@pytest.mark.parametrize(
    "options", [[], ["-0"], ["-fz"], ["-fd"], ["-X"], ["-D"], ["-Z", "bzip2"], ["-l"]], ids=str
)
def test_archives_of_the_zip_command(tmp_path, options):
    """Archives by Info-ZIP with any of its options, to a file or a pipe, are accounted for."""
    contents = CONTENTS | {"d/ü.tif": b"not ASCII"}
    folder, path = tree(tmp_path / "in", contents), tmp_path / "x.zip"
    subprocess.run([ZIP, "-qr", *options, path, "."], cwd=folder, check=True)
    assert_no_complaint([path], contents)
    command = [ZIP, "-qr", *options, "-", "."]
    piped = subprocess.run(f"{' '.join(command)} | cat", shell=True, cwd=folder, check=True,
                           capture_output=True)  # fmt: skip
    assert_no_complaint(saved(tmp_path, piped.stdout), contents)


@needs_zip
def test_archives_that_the_zip_command_changed(tmp_path):
    """Archives that Info-ZIP extended, shortened or made self-extracting are accounted for."""
    folder, path = tree(tmp_path / "in"), tmp_path / "x.zip"
    subprocess.run([ZIP, "-qr", path, "."], cwd=folder, check=True)
    subprocess.run([ZIP, "-qd", path, "README.txt"], cwd=folder, check=True)
    (folder / "d" / "c.tif").write_bytes(b"later")
    subprocess.run([ZIP, "-qg", path, "d/c.tif"], cwd=folder, check=True)
    contents = {p: c for p, c in CONTENTS.items() if p != "README.txt"} | {"d/c.tif": b"later"}
    assert_no_complaint([path], contents)
    path.write_bytes(b"#!/bin/sh\nexit\n" + path.read_bytes())
    assert_no_complaint([path], contents)
    subprocess.run([ZIP, "-qA", path], check=True)  # offsets count the program now
    assert_no_complaint([path], contents)


@needs_zip
@pytest.mark.parametrize("options", [[], ["-fz"], ["-0"]], ids=str)
def test_volumes_of_the_zip_command(tmp_path, options):
    """A set of volumes by Info-ZIP is accounted for."""
    contents = {f"d/{i}.tif": random.Random(i).randbytes(20_000) for i in range(20)}
    folder, path = tree(tmp_path / "in", contents), tmp_path / "x.zip"
    subprocess.run([ZIP, "-qrs", "64k", *options, path, "d"], cwd=folder, check=True)
    files = volumes_of(path)
    assert len(files) > 5
    assert all(volumes_of(file) == files for file in files)
    assert_no_complaint(files, contents)


@pytest.mark.skipif(TOOLS["7z"] is None, reason="needs 7z")
@pytest.mark.parametrize("options", [[], ["-mx=0"], ["-mm=BZip2"], ["-v10k"]], ids=str)
def test_archives_of_7_zip(tmp_path, options):
    """Archives by 7-Zip, including those in parts, are accounted for."""
    contents = CONTENTS | {"d/ü.tif": random.Random(1).randbytes(30_000)}
    command = [TOOLS["7z"], "a", "-tzip", *options, tmp_path / "x.zip", "."]
    subprocess.run(command, cwd=tree(tmp_path / "in", contents), check=True, capture_output=True)
    first = min(tmp_path.glob("x.zip*"))
    assert_no_complaint(volumes_of(first), contents)
    if not options:
        with zipfile.ZipFile(first) as archive:
            assert archive.testzip() is None
        command[1:-1] = ["d", first]
        command[-1] = "README.txt"
        subprocess.run(command, check=True, capture_output=True)
        assert_no_complaint([first], {p: c for p, c in contents.items() if p != "README.txt"})


@pytest.mark.skipif(TOOLS["bsdtar"] is None, reason="needs bsdtar")
@pytest.mark.parametrize("options", [[], ["--options=zip:compression=store"]], ids=str)
def test_archives_of_bsdtar(tmp_path, options):
    """Archives by bsdtar, to a file or a pipe, are accounted for."""
    folder, contents = tmp_path / "in", CONTENTS | {"d/ü.tif": b"not ASCII"}
    tree(folder, contents)
    command = [TOOLS["bsdtar"], "--format=zip", *options, "-cf"]
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    subprocess.run([*command, tmp_path / "y.zip", "."], cwd=folder, check=True, env=environment)
    assert_no_complaint([tmp_path / "y.zip"], contents)
    done = subprocess.run(
        [*command, "-", "."], cwd=folder, check=True, capture_output=True, env=environment
    )
    assert_no_complaint(saved(tmp_path, done.stdout), contents)


@pytest.mark.skipif(TOOLS["jar"] is None, reason="needs jar")
@pytest.mark.parametrize("options", ["cfM", "cf", "c0fM"])
def test_archives_of_java(tmp_path, options):
    """Archives by Java are accounted for."""
    path = tmp_path / "x.zip"
    subprocess.run([TOOLS["jar"], options, path, "."], cwd=tree(tmp_path / "in"), check=True)
    found, error = accounted([path])
    assert error is None
    assert found == {p: c for p, c in CONTENTS.items() if p.endswith(".tif")}


def descriptor(piece, form="<4s3I"):
    """The descriptor after the data of a streamed member."""
    signature = (b"PK\7\x08",) if "s" in form else ()
    return struct.pack(form, *signature, piece.crc, piece.n_compressed, piece.n_bytes)


@pytest.mark.parametrize("form", ["<4s3I", "<3I", "<4sI2Q", "<I2Q"])
@pytest.mark.parametrize("padding", [0, 3, 4096])
def test_descriptors_and_padding(tmp_path, form, padding):
    """A descriptor of any form after the data, and zeros up to the next member, are accepted."""
    pieces = pieces_of(CONTENTS)
    for piece in pieces:
        piece.flags |= 8
        piece.tail = descriptor(piece, form) + bytes(padding)
    assert_no_complaint(write(tmp_path / "x.zip", pieces))


@pytest.mark.parametrize(
    ("changed", "local"),
    [
        ({"name": "d/ü.tif".encode()}, {"local_flags": 1 << 11}),
        ({"name": b"d/u.tif"}, {"local_name": b"d\\u.tif"}),
        ({"name": b"d/u.tif"}, {"local_flags": 6}),
        ({"name": b"d/u.tif"}, {"local_numbers": (0, 0, 0)}),
        ({"name": b"d/u.tif"}, {"local_numbers": (0, 0, 0), "local_flags": 8}),
    ],
)  # fmt: skip
def test_differences_that_mean_nothing(tmp_path, changed, local):
    """The same name in other bytes, hints, and open numbers are no contradiction."""
    one = Piece(content=b"content" * 9, **changed)
    for field, value in local.items():
        setattr(one, field, value)
    path = changed["name"].decode()
    assert_no_complaint(
        write(tmp_path / "x.zip", [one, Piece(b"b", b"2")]), {path: b"content" * 9, "b": b"2"}
    )


def test_a_signing_block(tmp_path):
    """Android's block between members and directory is accepted, with the zeros before it."""
    body = random.Random(0).randbytes(500)
    size = struct.pack("<Q", len(body) + 24)
    block = size + body + size + b"APK Sig Block 42"
    pieces = pieces_of(CONTENTS)
    pieces[-1].tail = bytes(100) + block
    assert_no_complaint(write(tmp_path / "x.zip", pieces))
    pieces[-1].tail = bytes(100) + block[:-1] + b"3"
    assert_incomplete(write(tmp_path / "y.zip", pieces), "532 bytes from byte")


# Contradictory archives


@pytest.mark.parametrize(
    ("local", "reason"),
    [
        ({"local_method": 0}, "its method is 8 in the directory, 0 in its own header"),
        ({"local_flags": 1}, "its flags are 0x0 in the directory, 0x1 in its own header"),
        ({"local_numbers": (1, None, None)}, "in the directory, 00000001 in its own header"),
        ({"local_numbers": (None, 5, None)}, "its size in the archive is"),
        ({"local_numbers": (None, None, 70)}, "its size is 63 in the directory, 70 in its own"),
        ({"local_numbers": (0, None, None)}, "in the directory, 00000000 in its own header"),
    ],
)
def test_contradictions(tmp_path, local, reason):
    """Any contradiction between a header and the directory is named, whether read or not."""
    one = Piece(b"d/u.tif", b"content" * 9)
    for field, value in local.items():
        setattr(one, field, value)
    assert_incomplete(
        write(tmp_path / "x.zip", [one, Piece(b"b", b"2")]), "'d/u.tif' is damaged", reason
    )


def test_a_member_that_the_directory_lacks(tmp_path):
    """A member without an entry in the directory is an error that names it, wherever it is."""
    for i in range(len(CONTENTS)):
        pieces = pieces_of(CONTENTS)
        pieces[i].is_listed = False
        name = pieces[i].name.decode()
        assert_incomplete(
            write(tmp_path / "x.zip", pieces), "does not list the member at byte", f"{name!r}"
        )
        (tmp_path / "x.zip").unlink()


def test_appended_archives(tmp_path):
    """In concatenated zips the last one counts, and the others are reported."""
    one, two = zip_of(CONTENTS), zip_of({"d/c.tif": b"content"})
    wanted = {"d/c.tif": b"content"}
    for front in (one, one + one):
        assert_incomplete(
            saved(tmp_path, front + two), "does not list the member at byte 0", contents=wanted
        )
    front = b"junk" + one
    assert_incomplete(
        saved(tmp_path, front + two),
        f"another zip archive comes before this one and ends at byte {len(front)}",
        contents=wanted,
    )


@pytest.mark.parametrize("junk", [b"x", bytes(9) + b"x", b"x" * 5000])
def test_bytes_behind_the_end(tmp_path, junk):
    """Bytes after the end are an error, zeros are not."""
    data = zip_of(CONTENTS)
    n = len(junk.lstrip(b"\0"))
    assert_incomplete(saved(tmp_path, data + junk), f"{n:,} bytes from byte", "belong to no member")
    assert_no_complaint(saved(tmp_path, data + bytes(len(junk))))


@pytest.mark.parametrize("n", [1, 16, 4000])
def test_bytes_between_members(tmp_path, n):
    """Unknown bytes between members, or before the directory, are an error."""
    for i in range(len(CONTENTS)):
        pieces = pieces_of(CONTENTS)
        pieces[i].tail = b"x" * n
        files = write(tmp_path / "x.zip", pieces)
        assert_incomplete(files, f"{n:,} bytes from byte", contents={
            path: content for path, content in CONTENTS.items() if path.endswith(".tif")
        })  # fmt: skip
        files[0].unlink()


def test_members_that_are_read_are_not_looked_at_twice(tmp_path, monkeypatch):
    """Comparing headers takes no extra read for members that are read, and one for others."""
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for i in range(100):
            archive.writestr(f"{i}.tif", b"content")
    reads = []
    pread = os.pread

    def counted(file, n, at):
        reads.append(n)
        return pread(file, n, at)

    monkeypatch.setattr(volumes, "_pread", counted)
    for data, n_unread in ((zip_of({f"{i}.tif": b"1" for i in range(100)}), 1), (pipe.data, 2)):
        files = saved(tmp_path, data)
        n_reads = []
        for every in (1, 2):
            reads.clear()
            accounted(files, lambda path, every=every: int(path[:-4]) % every == 0)
            n_reads.append(len(reads))
        assert n_reads[0] < 110
        assert n_reads[1] - n_reads[0] == 50 * (n_unread - 1)


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("style", ["plain", "zip64", "streamed"])
def test_every_flipped_bit(tmp_path, style, every):
    """A wrong bit outside of data loses nothing silently, and changes nothing.

    Outside of the long rounds, one bit in three is flipped.
    """
    wanted = {f"d/{i}.tif": random.Random(i).randbytes(40) for i in range(3)}
    pieces = [Piece(path.encode(), content, method=0) for path, content in wanted.items()]
    pieces.insert(1, Piece(b"README", b"about"))
    if style == "streamed":
        for piece in pieces:
            piece.flags, piece.tail = 8, descriptor(piece)
            piece.local_numbers = (0, 0, 0)
    (path,) = write(tmp_path / "x.zip", pieces, zip64=style == "zip64", comment=b"comment")
    data = bytearray(path.read_bytes())
    assert accounted([path]) == (wanted, None)
    n_noticed = 0
    for at, bit in itertools.islice(itertools.product(range(len(data)), range(8)), 0, None, every):
        data[at] ^= 1 << bit
        path.write_bytes(data)
        data[at] ^= 1 << bit
        failed = []
        found, error = accounted([path], failed=failed)
        assert found.items() <= wanted.items(), (at, bit)
        assert error is not None or found.keys() | set(failed) == wanted.keys(), (at, bit)
        n_noticed += error is not None or bool(failed)
    assert n_noticed > len(data) * 4 // every
