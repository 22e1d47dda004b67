"""Tar archives that are damaged, truncated, hostile, or not tars at all."""

from __future__ import annotations

import io
import random
import re
import sys
import tarfile
from pathlib import Path

import pytest

from corpus.archives import COMPRESSIONS
from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.sources import MAX_MEMBER_BYTES
from rico_hdl.sources.tar.archive import TarArchive
from rico_hdl.sources.tar.headers import MAX_HEADER_BYTES
from rico_hdl.testing.contracts.archives import outcome_of
from tests.support.running import measured
from tests.support.tar_files import (
    BLOCK,
    END,
    FORMATS,
    LONG,
    extended,
    file,
    header,
    padded,
    records,
    saved,
    some_contents,
    tar_of,
    with_checksum,
)

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")


def outcome(files: list[Path]) -> tuple[list[tuple[str, object]], str]:
    """The readable members as (path, content), and the error at the end, if any."""
    found = outcome_of(TarArchive(files))
    return found.contents, found.error


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04 not a tar", b"<html>" * 500, b"x" * 511, COMPRESSIONS["tar.gz"](b"")],
)
@pytest.mark.parametrize("suffix", ["tar", "tar.zst"])
def test_files_that_are_not_tar_archives(tmp_path, data, suffix):
    """A file of another kind is a source that can't be used; the error shows its first bytes."""
    (path,) = saved(tmp_path, COMPRESSIONS[suffix](data))
    with pytest.raises(
        SourceError, match=f"{re.escape(str(path))}: is not a tar archive: it "
    ) as caught:
        list(TarArchive([path]).members())
    assert "empty" in str(caught.value) or data[:2].hex(" ") in str(caught.value)


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_flipped_bit_of_a_header_is_noticed(tmp_path, form, every):
    """A damaged header loses only its own member, and is an error that gives its place.

    Outside of the long rounds, one byte in four is damaged.
    """
    names = ["first.tif", "second.tif" if form == "ustar" else f"ä/{LONG}", "d/third.tif"]
    contents = {name: name.encode() * 20 for name in names}
    data = tar_of(contents, form)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        bodies = {i for info in tar for i in range(info.offset_data, info.offset_data + info.size)}
    extensions = extension_bodies(data)
    for i in range(data.rindex(b"third") // BLOCK * BLOCK + 3 * BLOCK):
        if i in bodies or i in extensions or i * 7 // 3 % every:
            continue
        # All bits of the first header; one bit per byte of the others.
        for bit in range(8) if i < BLOCK and form == "ustar" else [i % 8]:
            changed = bytearray(data)
            changed[i] ^= 1 << bit
            found, error = outcome(saved(tmp_path, bytes(changed)))
            if error:
                assert_noticed(found, error, contents, i // BLOCK * BLOCK)
                assert f"{tmp_path}/x.tar.0: " in error
            else:  # padding after content, or a zero before a checksum that became a space
                assert found == list(contents.items())
                assert data[i] == 0 or 148 <= i % BLOCK < 156


def assert_noticed(found: list[tuple[str, bytes]], error: str, contents: dict, at: int) -> None:
    """Only the member of the damaged header is lost, and the error gives its place."""
    assert set(found) <= set(contents.items())
    if "not a tar archive" not in error:
        # A possible extended header also costs the member after it.
        assert len(found) >= len(contents) - 2
        # If an extended header is intact, the member's own header may be the damaged one.
        (start,) = re.findall(r"(?:the header|its end,) at byte (\d+)", error)
        assert int(start) <= at


@pytest.mark.parametrize("kind", [b"x", b"L", b"g"])
def test_a_name_that_may_be_lost_is_not_guessed(tmp_path, kind):
    """A member whose extended header is damaged has a problem instead of a wrong name."""
    extension = (
        header(b"x", b"L", 5) + padded(b"long\0") if kind == b"L" else extended(kind, path="long")
    )
    for damage in (148, 156, 257):  # its checksum, its kind, its magic
        block = bytearray(extension)
        block[damage] ^= 1
        data = file(b"before", b"1") + bytes(block) + file(b"short", b"2") + file(b"after", b"3")
        members, found = TarArchive(saved(tmp_path, data + END)).members(), []
        with pytest.raises(ArchiveError, match="the header at byte 1024 is damaged"):
            found.extend((m.path, bool(m.problem)) for m in members)
        assert found == [("before", False), ("short", True), ("after", False)]


def extension_bodies(data: bytes) -> set[int]:
    """Offsets of the bytes of long names and records, which no checksum covers."""
    offsets: set[int] = set()
    start = 0
    while any(data[start : start + BLOCK]):
        info = tarfile.TarInfo.frombuf(data[start : start + BLOCK], "utf-8", "surrogateescape")
        if info.type in (b"L", b"K", b"x", b"g"):
            offsets |= set(range(start + BLOCK, start + BLOCK + -(-info.size // BLOCK) * BLOCK))
        start += BLOCK + -(-info.size // BLOCK) * BLOCK
    return offsets


@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_flipped_bytes_of_long_names_lose_nothing(tmp_path, form):
    """Damage in a name, which no checksum covers, at most changes the name, or is an error."""
    contents = {"first": b"1" * 600, LONG: b"2", "third": b"3" * 600}
    data = tar_of(contents, form)
    for i in sorted(extension_bodies(data)):
        changed = bytearray(data)
        changed[i] ^= 0xFF if i % 2 else 1 << i % 8
        found, error = outcome(saved(tmp_path, bytes(changed)))
        if error:
            whole = [("first", contents["first"]), ("third", contents["third"])]
            assert found == whole
            assert "damaged" in error
        else:
            assert [content for _, content in found] == list(contents.values())
            # Not the name as truncated in the header, unless a record's key was hit.
            keyword = data.find(b"path=")
            assert len(found[1][0]) > 150 or changed[i] == 0 or keyword <= i < keyword + 4


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.zst"])
def test_an_archive_that_was_cut_short_anywhere(tmp_path, suffix):
    """At every length, the members before the cut are intact, and the cut is an error."""
    contents = some_contents(5)
    data = tar_of(contents)
    data = data[: len(data.rstrip(b"\0")) + 511 & -512] + END
    packed = COMPRESSIONS[suffix](data)
    step = 1 if suffix != "tar" else 7
    for n_bytes in [*range(0, len(packed) - 2 * BLOCK * (suffix == "tar") + 1, step)]:
        found, error = outcome(saved(tmp_path, packed[:n_bytes], n_bytes // 3))
        if n_bytes == len(packed):
            assert not error
            assert found == list(contents.items())
            continue
        assert found == list(contents.items())[: len(found)]
        assert str(tmp_path) in error
        assert "cut short" in error or (n_bytes < BLOCK and "not a tar archive" in error)
        if suffix == "tar" and found:
            assert f"the last member before that is {found[-1][0]!r}" in error


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_a_member_that_is_cut_short(tmp_path, is_read, suffix):
    """A read of a truncated member and the next step fail, naming it and the last complete one."""
    contents = {"whole.tif": b"1" * 900, "cut.tif": random.Random(0).randbytes(900), "c.tif": b"3"}
    data = tar_of(contents)
    cut = data[: 4 * BLOCK + 300]
    packed = cut if suffix == "tar" else COMPRESSIONS[suffix](data)[:500]
    members = TarArchive(files := saved(tmp_path, packed)).members()
    assert next(members).path == "whole.tif"
    member = next(members)
    assert member.path == "cut.tif"
    if is_read:
        with pytest.raises(
            ArchiveError, match=r"cut short.*300 of its 900|cut short.*middle.*'cut"
        ):
            member.read()
    with pytest.raises(ArchiveError) as caught:
        next(members)
    assert "cut short" in str(caught.value)
    assert "the last member before that is 'whole.tif'" in str(caught.value)
    assert str(files[0]) in str(caught.value)
    assert str(caught.value).count(str(files[0])) == 1


@pytest.mark.parametrize("damage", ["checksum", "length"])
def test_damage_behind_the_end_of_the_archive_is_noticed(tmp_path, damage):
    """The checksum at the end of a gzip file is compared after the last member."""
    contents = some_contents()
    packed = bytearray(COMPRESSIONS["tar.gz"](tar_of(contents)))
    packed[-8 if damage == "checksum" else -1] ^= 1
    assert "gzip stream is damaged" in outcome(saved(tmp_path, bytes(packed)))[1]
    # In a separate stream, the damage comes after all that was read before.
    packed = COMPRESSIONS["tar.gz"](tar_of(contents)) + packed[-20:]
    found, error = outcome(saved(tmp_path, bytes(packed)))
    assert found == list(contents.items())
    assert "the data after its gzip stream" in error
    assert f"the last member before that is {list(contents)[-1]!r}" in error


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (header(b"x", b"0", -5), "its size is -5 bytes"),
        (header(b"x", b"x", -600), "its size is -600 bytes"),
        (extended(size="a lot") + file(b"x", b"1"), "b'a lot' is not a number"),
        (extended(size="9" * 5000) + file(b"x", b"1"), "is not a number"),
        (header(b"x", b"x", 9) + padded(b"12 path=a"), "malformed from byte 0"),
        (header(b"x", b"x", 8) + padded(b"8 path:\n"), "malformed from byte 0"),
        (header(b"x", b"x", 18) + padded(b"9 path=a\n9 path=bc"), "malformed from byte 9"),
        (extended(path="x") + END, "the archive ends"),
        (header(b"x", b"L", 5) + padded(b"name") + END, "the archive ends"),
        (header(b"x", b"L", 2**40), f"longer than {MAX_HEADER_BYTES} bytes"),
        (header(b"x", b"x", 2**33) + bytes(9999), f"longer than {MAX_HEADER_BYTES} bytes"),
        (header(b"x", b"L", 0) * 3000, f"longer than {MAX_HEADER_BYTES} bytes"),
    ],
)  # fmt: skip
def test_headers_that_make_no_sense(tmp_path, data, reason):
    """A malformed header is an error with its place and reason; the member before it is intact."""
    before = file(b"before", b"content")
    found, error = outcome(saved(tmp_path, before + data + END))
    assert found == [("before", b"content")]
    assert re.search(f"the header at byte 1024 is damaged: .*{reason}", error)
    assert "the last member before that is 'before'" in error


def test_members_beyond_the_limit(tmp_path):
    """A member that claims to be larger than any image has a problem, and is never read."""
    for n_bytes in (MAX_MEMBER_BYTES + 1, 2**60):
        members = TarArchive(saved(tmp_path, header(b"x", b"0", n_bytes) + bytes(5000))).members()
        member = next(members)
        assert member.path == "x"
        assert f"it has {n_bytes} bytes, expected at most {MAX_MEMBER_BYTES}" in member.problem
        with pytest.raises(ArchiveError, match=f"5000 of its {n_bytes} bytes"):
            next(members)
    within = header(b"x", b"0", MAX_MEMBER_BYTES) + bytes(5000)
    members = TarArchive(saved(tmp_path, within)).members()
    member = next(members)
    assert not member.problem
    with pytest.raises(ArchiveError, match=f"5000 of its {MAX_MEMBER_BYTES} bytes"):
        member.read()


def gibibyte_of(block: bytes) -> bytes:
    """A small zstd file of a gibibyte, one frame repeated."""
    return COMPRESSIONS["tar.zst"](block * (2**23 // len(block))) * 2**7


def sparse_map() -> bytes:
    """An old GNU header with an endless list of parts, and the blocks of that list."""
    block = bytearray(header(b"x", b"S", 0, b"ustar  \0"))
    block[482] = 1
    block[483:495] = b"00000000000\0"
    goes_on = bytearray(BLOCK)
    goes_on[504] = 1
    return COMPRESSIONS["tar.zst"](with_checksum(block)) + gibibyte_of(bytes(goes_on))


def claims(kind: bytes, content: bytes) -> bytes:
    """A header that claims two gibibytes of content, and one of them."""
    return COMPRESSIONS["tar.zst"](header(b"x", kind, 2**31)) + gibibyte_of(content)


BOMBS = {
    "long name": lambda: claims(b"L", b"n" * BLOCK),
    "records": lambda: claims(b"x", records(path="p" * 502)),
    "chain of names": lambda: gibibyte_of(header(b"x", b"L", 0)),
    "chain of globals": lambda: gibibyte_of(header(b"x", b"g", 0)),
    "list of holes": sparse_map,
    "member": lambda: claims(b"0", bytes(BLOCK)),
}

_BOMB = """
from rico_hdl.errors import ArchiveError
from rico_hdl.sources.tar.archive import TarArchive
intact, path = map(Path, sys.argv[1:])
assert [m.read() for m in TarArchive([intact]).members()] == [bytes(2**25)]
before = peak()
try:
    problems = [member.problem for member in TarArchive([path]).members()]
except ArchiveError as error:
    print(peak() - before, error.message)
"""


@needs_proc
@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_bomb_takes_little_memory(tmp_path, name):
    """Endless headers, and huge claims, are refused without using more memory."""
    (tmp_path / "intact.tar.zst").write_bytes(COMPRESSIONS["tar.zst"](tar_of({"x": bytes(2**25)})))
    packed = BOMBS[name]()
    assert len(packed) < 2**20
    (tmp_path / "bomb.tar.zst").write_bytes(packed)
    found = measured(_BOMB, tmp_path / "intact.tar.zst", tmp_path / "bomb.tar.zst")
    kilobytes, message = found.split(" ", 1)
    assert int(kilobytes) < 20_000
    expected = "is cut short" if name == "member" else f"longer than {MAX_HEADER_BYTES} bytes"
    assert expected in message


def test_many_global_headers_keep_no_more_than_is_used(tmp_path):
    """Unused records are discarded, however many there are."""
    data = b"".join(
        extended(b"g", **{f"key{i}": "v" * 400}) + file(b"%d" % i, b"") for i in range(300)
    )
    archive = TarArchive(saved(tmp_path, data + END))
    assert [member.path for member in archive.members()] == [str(i) for i in range(300)]
