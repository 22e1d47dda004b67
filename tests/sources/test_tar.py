"""Reading intact tar archives, and their names, kinds and headers."""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import struct
import subprocess
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.archives import COMPRESSIONS
from rico_hdl.sources.tar.archive import TarArchive
from rico_hdl.sources.tar.header import TarHeader, parse
from tests.support.tar_files import (
    BLOCK,
    END,
    FORMATS,
    LONG,
    extended,
    file,
    header,
    padded,
    read,
    saved,
    some_contents,
    tar_of,
    with_checksum,
)

TAR = shutil.which("tar")
TAR_VERSION = subprocess.run([TAR or "true", "--version"], check=False, capture_output=True).stdout

needs_tar = pytest.mark.skipif(b"GNU tar" not in TAR_VERSION, reason="needs GNU tar")


@st.composite
def names(draw: st.DrawFn) -> str:
    """Paths, short and long, ASCII and not, as a tar may hold them."""
    letters = st.characters(exclude_characters="/\0", exclude_categories=("Cs",))
    part = st.text(letters, min_size=1, max_size=draw(st.sampled_from([3, 20, 120])))
    parts = draw(st.lists(part.filter(lambda p: p not in {".", ".."}), min_size=1, max_size=4))
    return "/".join(parts)


@settings(max_examples=150)
@given(
    contents=st.dictionaries(names(), st.sampled_from([0, 1, 511, 512, 513, 2000]), max_size=6),
    form=st.sampled_from(sorted(FORMATS)),
    fields=st.fixed_dictionaries(
        {},
        optional={
            "mtime": st.sampled_from([0, 1.5, 1_700_000_000, 2**40, -5]),
            "uid": st.sampled_from([0, 8**7 - 1, 8**7, 2**31]),
            "uname": st.sampled_from(["", "user", "ü", "u" * 40]),
            "mode": st.sampled_from([0, 0o777]),
        },
    ),
    suffix=st.sampled_from(["tar", "tar.zst"]),
    skipped=st.sets(st.integers(0, 5)),
    data=st.data(),
)
def test_archives_of_tarfile_are_read_back(  # noqa: PLR0917
    tmp_path, contents, form, fields, suffix, skipped, data
):
    """Any names, sizes and owners, in any format, come back as with tarfile."""
    rng = random.Random(0)
    contents = {name: rng.randbytes(n_bytes) for name, n_bytes in contents.items()}
    try:
        written = tar_of(contents, form, **fields)
    except ValueError:  # ustar can't hold it
        return
    packed = COMPRESSIONS[suffix](written)
    stops = data.draw(st.lists(st.integers(0, len(packed)), max_size=3))
    found = []
    for i, member in enumerate(TarArchive(saved(tmp_path, packed, *sorted(stops))).members()):
        assert not member.problem
        found.append((member.path, None if i in skipped else member.read()))
    with tarfile.open(fileobj=io.BytesIO(written)) as tar:
        infos = tar.getmembers()
        expected = [
            (info.name, None if i in skipped else tar.extractfile(info).read())
            for i, info in enumerate(infos)
        ]
    assert found == expected
    if form != "ustar":
        assert [name for name, _ in found] == list(contents)


@settings(max_examples=400)
@given(data=st.data(), form=st.sampled_from(sorted(FORMATS)))
def test_headers_are_read_as_by_tarfile(data, form):
    """The fast path and tarfile agree on any header, whatever its fields hold."""
    whole = tar_of({"name/of a file.tif": b""}, form)[:BLOCK]
    block = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(
            st.sampled_from([0, 5, 99, 124, 125, 134, 135, 156, 257, 262, 345, 350, 499])
        )
        new = data.draw(st.one_of(st.sampled_from([b"\0", b" ", b"7", b"8", b"_", b"-", b"\x80",
                                                   b"\xff", b"L", b"x", b"5", b"S", b"/"]),
                                  st.binary(min_size=1, max_size=3)))  # fmt: skip
        block[at : at + len(new)] = new
    for start, stop in ((100, 124), (136, 156), (329, 345)):  # tarfile requires numbers here
        block[start:stop] = whole[start:stop]
    is_summed = data.draw(st.booleans())
    header_block = with_checksum(block[:BLOCK]) if is_summed else bytes(block[:BLOCK])
    try:
        info = tarfile.TarInfo.frombuf(header_block, "utf-8", "surrogateescape")
        expected = (info.name, info.type, 0 if info.type in b"123456" else info.size)
    except tarfile.HeaderError:
        expected = None
    try:
        found = parse(header_block)
    except tarfile.HeaderError:
        found = None
    if expected is not None and (expected[2] < 0 or found is None):
        assert (found, expected[2] < 0) == (None, True)
    elif expected is None:
        assert found is None
    else:
        assert found[1:] == expected[1:]
        # GNU tar has times where POSIX has the prefix of a long name; tarfile confuses them.
        # It also strips the slash after a folder's name.
        mixed_up = header_block[345] and (header_block[257:263] == b"ustar " or found.kind == b"L")
        if not mixed_up:
            assert found[0].rstrip("/") == expected[0].rstrip("/")


def test_the_ordinary_header_takes_the_quick_path(monkeypatch):
    """Headers as in BigEarthNet's tars are parsed without tarfile."""
    monkeypatch.setattr(tarfile.TarInfo, "frombuf", None)
    for form in FORMATS:
        for kind, size in ((b"0", 20_000), (b"5", 0), (b"x", 100), (b"L", 200)):
            info = tarfile.TarInfo("BigEarthNet-S2/patch/file.tif")
            info.type, info.size, info.uid, info.uname = kind, size, 2**25, "publisher"
            if form == "ustar":
                info.uid = 1000
            block = info.tobuf(FORMATS[form])[-BLOCK:]
            slash = "/" if kind == b"5" else ""
            assert parse(block) == TarHeader(f"BigEarthNet-S2/patch/file.tif{slash}", kind, size)


@needs_tar
@pytest.mark.parametrize("form", ["gnu", "oldgnu", "pax", "ustar", "v7"])
@pytest.mark.parametrize("options", [[], ["-z"], ["--zstd"], ["-J"], ["-j"], ["-b1"], ["-b2048"]])
def test_archives_of_gnu_tar(tmp_path, form, options):
    """GNU tar's archives of a folder give its files, in GNU tar's order."""
    for option, tool in {"--zstd": "zstd", "-J": "xz", "-j": "bzip2"}.items():
        if option in options and shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    rng = random.Random(1)
    stems = ["a.tif", "b c.tif", "ü.tif", "d/e.tif", "d/f/.hidden", "x" * 90 + ".tif"]
    if form not in {"v7", "ustar"}:
        stems += [LONG, os.fsdecode(b"not utf-8 \xff\xfe.tif"), "l" * 150]
    elif form == "ustar":
        stems += ["/".join(["a folder with a long name"] * 6) + "/file.tif"]
    contents = {stem: rng.randbytes(rng.choice([0, 5, 512, 5000])) for stem in stems}
    for stem, content in contents.items():
        path = tmp_path / "source" / stem
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    archive = tmp_path / "x.tar"
    command = [TAR, f"--format={form}", *options, "-C", tmp_path / "source", "-cf", archive, "."]
    subprocess.run(command, check=True)
    listing = subprocess.run(
        [TAR, "--quoting-style=literal", "-tf", archive], check=True, capture_output=True
    )
    listed = [os.fsdecode(line) for line in listing.stdout.split(b"\n") if line]
    found = read([archive])
    assert found == contents
    assert list(found) == [path.removeprefix("./") for path in listed if not path.endswith("/")]


@needs_tar
@pytest.mark.parametrize("options", [["--format=gnu"], ["--format=pax", "--sparse-version=0.0"],
                                     ["--format=pax", "--sparse-version=0.1"],
                                     ["--format=pax", "--sparse-version=1.0"]])  # fmt: skip
def test_only_sparse_members_are_a_problem(tmp_path, options):
    """A sparse file has a problem that says so, and the next member is read."""
    (tmp_path / "source").mkdir()
    for name, n_parts in (("few", 2), ("many", 200)):
        with (tmp_path / "source" / name).open("wb") as file:
            for i in range(n_parts):
                file.seek(i * 2**16)
                file.write(b"data" * 1024)
            file.truncate(n_parts * 2**16)
    (tmp_path / "source" / "plain").write_bytes(b"plain")
    archive = tmp_path / "x.tar"
    names = ["few", "many", "plain"]
    subprocess.run(
        [TAR, "--sparse", *options, "-C", tmp_path / "source", "-cf", archive, *names], check=True
    )
    if archive.stat().st_size > 2**20:
        pytest.skip("the file system fills holes")
    found = read([archive])
    assert list(found) == names
    assert found["plain"] == b"plain"
    assert "--sparse" in found["few"]
    assert found["few"] == found["many"]


@needs_tar
def test_times_that_gnu_tar_keeps_are_no_part_of_a_name(tmp_path):
    """Times that an incremental GNU archive has in place of a name's prefix are skipped."""
    (tmp_path / "source" / "d").mkdir(parents=True)
    (tmp_path / "source" / "d" / "file.tif").write_bytes(b"content")
    command = [TAR, "--format=gnu", "--incremental", "-C", tmp_path / "source", "-cf"]
    subprocess.run([*command, tmp_path / "x.tar", "d"], check=True)
    assert read([tmp_path / "x.tar"]) == {"d/file.tif": b"content"}


def test_kinds_of_members(tmp_path):
    """Links, devices and pipes have a problem; folders and labels are omitted."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind in (
            ("folder", tarfile.DIRTYPE), ("hard", tarfile.LNKTYPE), ("symbolic", tarfile.SYMTYPE),
            ("character", tarfile.CHRTYPE), ("block", tarfile.BLKTYPE), ("pipe", tarfile.FIFOTYPE),
            ("unknown", b"Q"), ("contiguous", tarfile.CONTTYPE), ("old", tarfile.AREGTYPE),
            ("old folder/", tarfile.AREGTYPE), ("folder as a file/", tarfile.REGTYPE),
            ("label", b"V"),
        ):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd" if "hard" not in name else "old"
            info.size = 7 if name in {"unknown", "contiguous", "old"} else 0
            tar.addfile(info, io.BytesIO(b"content") if info.size else None)
    found = read(saved(tmp_path, buffer.getvalue()))
    assert found == {
        "hard": "it is a hard link: its content is that of another member",
        "symbolic": "it is a symbolic link",
        "character": "it is a device",
        "block": "it is a device",
        "pipe": "it is a named pipe",
        "unknown": "its kind is unknown: b'Q'",
        "contiguous": b"content",
        "old": b"content",
    }


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"5", b"6"])
@pytest.mark.parametrize("before", [b"", extended(size=1000)], ids=["header", "record"])
def test_no_content_follows_links_and_folders(tmp_path, kind, before):
    """The size in the header or record of a link or folder is ignored."""
    data = before + header(b"first", kind, 3000) + file(b"second", b"content") + END
    assert read(saved(tmp_path, data))["second"] == b"content"


@pytest.mark.parametrize(
    ("name", "path", "problem"),
    [
        ("./a/b", "a/b", ""),
        ("a//b/./c", "a/b/c", ""),
        (".hidden/..b/c..", ".hidden/..b/c..", ""),
        ("/etc/passwd", "etc/passwd", "absolute"),
        ("../a", "a", "leads out"),
        ("a/../../b", "a/b", "leads out"),
        ("..", "", "leads out"),
        ("./", "", "damaged"),
    ],
)
@pytest.mark.parametrize("form", ["short", "pax"])
def test_paths_never_lead_out(tmp_path, name, path, problem, form):
    """Leading dots are removed; absolute paths and .. are problems, and removed from the path."""
    raw = name.encode()
    is_pax = form == "pax"
    data = extended(path=raw) + file(b"x", b"content") if is_pax else file(raw, b"content")
    (member,) = TarArchive(saved(tmp_path, data + END)).members()
    assert member.path == path
    assert problem in member.problem
    assert bool(member.problem) == bool(problem)


def test_a_checksum_beyond_the_quick_ones_range_is_compared_whole():
    """A header of high bytes, whose sum is wrong by the modulus of Adler-32, is refused."""
    block = bytearray(header(b"\xff" * 99, b"0", 0))
    block[157:257] = b"\xff" * 100
    block[345:512] = b"\xff" * 167
    right = bytearray(with_checksum(block))
    assert parse(bytes(right)).kind == b"0"
    wrong = bytearray(right)
    wrong[148:156] = b"%06o\0 " % (int(right[148:154], 8) - 65_521)
    with pytest.raises(tarfile.HeaderError):
        parse(bytes(wrong))


def test_a_name_with_a_zero_is_a_problem(tmp_path):
    """A zero byte in a path, which only a record can hold, is a problem, and removed."""
    data = extended(path=b"a\0b/c") + file(b"x", b"content") + END
    assert read(saved(tmp_path, data)) == {"ab/c": "its name is damaged: 'a\\x00b/c'"}


def test_names_that_are_not_utf_8(tmp_path):
    """Bytes that are not UTF-8 become surrogates, in headers, long names and records alike."""
    raw = b"caf\xe9/\xff.tif"
    long = raw.replace(b"caf", b"c" * 120)
    data = file(raw, b"1")
    data += header(b"././@LongLink", b"L", len(long) + 1) + padded(long + b"\0") + file(b"x", b"2")
    data += extended(path=b"p" + raw) + file(b"x", b"3")
    data += extended(hdrcharset="BINARY", path=b"q" + raw) + file(b"x", b"4")
    found = read(saved(tmp_path, data + END))
    expected = [raw, long, b"p" + raw, b"q" + raw]
    assert [path.encode("utf-8", "surrogateescape") for path in found] == expected
    assert list(found.values()) == [b"1", b"2", b"3", b"4"]


def test_extended_headers(tmp_path):
    """Records replace fields of the header, for one member or for all later ones."""
    content = b"content of 22 bytes..."
    assert len(content) == 22
    data = extended(size=22, path="ä/by record") + header(b"x", b"0", 0) + padded(content)
    data += extended(b"g", comment="commit", path="for all") + file(b"x", b"1")
    data += extended(path="for one") + file(b"x", b"2")
    data += extended(b"g", path="") + file(b"by itself", b"3")
    data += extended(b"X", path="by solaris") + file(b"x", b"4")
    data += header(b"././@LongLink", b"K", 300) + padded(b"l" * 300)
    data += header(b"././@LongLink", b"L", 8) + padded(b"by gnu\0 ") + file(b"x", b"5")
    data += header(b"size in base 256", b"0", 1 << 80)[:124] + (1 << 95 | 3).to_bytes(12, "big")
    last = with_checksum(padded(data)[-BLOCK:])
    data = data[: len(data) // BLOCK * BLOCK] + last + padded(b"666")
    assert read(saved(tmp_path, data + END)) == {
        "ä/by record": content,
        "for all": b"1",
        "for one": b"2",
        "by itself": b"3",
        "by solaris": b"4",
        "by gnu": b"5",
        "size in base 256": b"666",
    }


def test_the_sum_of_signed_bytes_is_accepted(tmp_path):
    """Checksums of signed bytes, as old Sun systems computed them, are accepted, too."""
    block = bytearray(header("ü.tif".encode(), b"0", 0))
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(struct.unpack("512b", block))
    assert read(saved(tmp_path, bytes(block) + END)) == {"ü.tif": b""}


@pytest.mark.parametrize("suffix", sorted(COMPRESSIONS))
def test_checksum_and_progress_cover_the_files_to_their_end(tmp_path, suffix):
    """The callback receives all raw bytes each time, including those after the archive's end."""
    packed = COMPRESSIONS[suffix](tar_of(some_contents()) + bytes(10_000)) + bytes(50_000)
    files = saved(tmp_path, packed, 100, 5000)
    digests = [hashlib.md5(usedforsecurity=False) for _ in range(2)]
    for digest in digests:
        archive = TarArchive(files, on_raw=digest.update)
        assert archive.n_bytes_read == 0
        progress = [archive.n_bytes_read for _ in archive.members()]
        assert progress == sorted(progress)
        assert archive.n_bytes_read == len(packed)
        assert digest.digest() == hashlib.md5(packed).digest()
