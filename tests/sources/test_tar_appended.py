"""Concatenated tar archives, and foreign data between members or after the end."""

from __future__ import annotations

import io
import random
import re
import shutil
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.archives import COMPRESSIONS
from rico_hdl.errors import ArchiveError, IncompleteArchiveError
from rico_hdl.sources.tar.archive import TarArchive
from rico_hdl.sources.tar.headers import MAX_PADDING_BYTES
from tests.support.tar_files import (
    BLOCK,
    END,
    extended,
    file,
    header,
    padded,
    read,
    saved,
    some_contents,
    tar_of,
)

TAR = shutil.which("tar")
needs_gnu_tar = pytest.mark.skipif(
    TAR is None or b"GNU tar" not in subprocess.check_output([TAR, "--version"]),
    reason="needs GNU tar",
)


def contents_of(name: str, n: int = 3) -> dict[str, bytes]:
    """Some files."""
    return {f"{name}/{i}.tif": f"{name} {i}".encode() * (50 * i + 1) for i in range(n)}


def found_in(files: list[Path]) -> tuple[list[tuple[str, bytes]], ArchiveError | None]:
    """The members, and the error after the last one."""
    found: list[tuple[str, bytes]] = []
    try:
        found.extend((m.path, m.problem.encode() or m.read()) for m in TarArchive(files).members())
    except ArchiveError as error:
        return found, error
    return found, None


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.zst", "tar.xz", "tar.bz2"])
@pytest.mark.parametrize("junk", [b"x", b"x" * 700, bytes(600) + b"x", b"\0" * 511 + b"x"])
def test_bytes_behind_the_end_are_an_error(tmp_path, suffix, junk):
    """Data after the end that is neither padding nor a tar makes an archive incomplete."""
    packed = COMPRESSIONS[suffix](tar_of(contents_of("a")) + junk)
    found, error = found_in(saved(tmp_path, packed))
    assert found == list(contents_of("a").items())
    assert isinstance(error, IncompleteArchiveError)
    n_lost = -(-len(junk) // BLOCK) * BLOCK if junk[-1:] else 0
    assert re.search(r"after its end, at byte \d+, is neither padding nor a member", str(error))
    (n,) = re.findall(r"([\d,]+) bytes can't be accounted for", str(error))
    assert 0 < int(n) <= n_lost
    assert "remove the data appended" in str(error)
    assert "the last member before that is 'a/2.tif'" in str(error)


@pytest.mark.parametrize("n_junk", [1, 511, 512, 5000])
def test_bytes_between_members_are_an_error(tmp_path, n_junk):
    """Foreign data followed by members puts the whole archive in doubt."""
    junk = random.Random(0).randbytes(n_junk)
    for end in (b"", END):
        data = file(b"a", b"1") + end + padded(junk) + file(b"b", b"2") + END
        found, error = found_in(saved(tmp_path, data))
        assert found == [("a", b"1"), ("b", b"2")]
        assert type(error) is ArchiveError
        assert f"{len(padded(junk)):,} bytes can't be accounted for" in str(error)
        assert f"at byte {2 * BLOCK + len(end)}" in str(error)
        assert "the last member before that is 'a'" in str(error)


def test_a_shifted_archive_is_an_error(tmp_path):
    """If part of a block is missing, the rest is no archive any more, which is an error."""
    data = tar_of(some_contents(6))
    for n_missing in (1, 100, 511):
        found, error = found_in(saved(tmp_path, data[: 4 * BLOCK] + data[4 * BLOCK + n_missing :]))
        assert len(found) < 6
        assert type(error) is ArchiveError


@pytest.mark.parametrize("suffix", ["tar", "tar.zst"])
def test_more_zeros_than_padding_are_an_error(tmp_path, suffix):
    """Zeros up to a bound are padding; more may be left by an interrupted download."""
    for behind in (b"", tar_of(contents_of("b"))):
        for n_zeros, is_padding in ((MAX_PADDING_BYTES, True), (MAX_PADDING_BYTES + BLOCK, False)):
            packed = COMPRESSIONS[suffix](file(b"a", b"1") + END + bytes(n_zeros) + behind)
            found, error = found_in(saved(tmp_path, packed))
            assert found == [("a", b"1"), *(contents_of("b").items() if behind else ())]
            if is_padding:
                assert error is None
            else:
                assert type(error) is ArchiveError
                assert f"{n_zeros + 2 * BLOCK:,} zeros start at byte 1024" in str(error)


def test_padding_that_is_cut(tmp_path):
    """A single block of zeros ends an archive, and the second one may be cut anywhere."""
    for n_zeros in (512, 513, 700, 1023, 1024, 1025, 10_000):
        assert read(saved(tmp_path, file(b"a", b"1") + bytes(n_zeros))) == {"a": b"1"}
    for n_zeros in (0, 1, 511):
        found, error = found_in(saved(tmp_path, file(b"a", b"1") + bytes(n_zeros)))
        assert found == [("a", b"1")]
        assert "is cut short" in str(error)


@pytest.mark.parametrize("end", [END, bytes(5 * BLOCK)])
def test_extensions_end_with_their_archive(tmp_path, end):
    """Extended headers and global records don't apply to the next archive."""
    first = extended(b"g", path="for all of the first") + file(b"x", b"1")
    assert read(saved(tmp_path, first + end + file(b"y", b"2") + END)) == {
        "for all of the first": b"1",
        "y": b"2",
    }
    for dangling in (extended(path="of nothing"), header(b"x", b"L", 5) + padded(b"none\0")):
        found, error = found_in(saved(tmp_path, dangling + end + file(b"y", b"2") + END))
        assert found == [("y", b"2")]
        assert "the archive ends" in str(error)


def test_many_blocks_of_zeros_take_little_time(tmp_path):
    """A block of zeros between all members is as fast to skip as any header."""
    members = b"".join(file(b"%d" % i, b"") + bytes(BLOCK) for i in range(20_000))
    assert len(read(saved(tmp_path, members))) == 20_000


PIECES = st.one_of(
    st.tuples(st.just("tar"), st.integers(0, 3), st.sampled_from(["gnu", "pax", "ustar"])),
    st.tuples(st.just("zeros"), st.integers(1, 30)),
    st.tuples(st.just("junk"), st.integers(1, 5)),
    st.tuples(st.just("cut"), st.integers(1, 3), st.floats(0, 1)),
)


def bytes_of(piece: tuple, position: int) -> bytes:
    """A piece of a file; names and contents encode its position."""
    if piece[0] == "zeros":
        return bytes(BLOCK * piece[1])
    if piece[0] == "junk":
        return random.Random(position).randbytes(BLOCK * piece[1])
    data = tar_of(contents_of(f"p{position}", piece[1]), piece[2] if piece[0] == "tar" else "gnu")
    if piece[0] == "tar":
        return data
    end = len(data.rstrip(b"\0")) // BLOCK  # anywhere in the members
    return data[: round(end * piece[2]) * BLOCK]


def extracted(path: Path, folder: Path) -> dict[str, bytes]:
    """The files that GNU tar unpacks."""
    folder.mkdir()
    subprocess.run([TAR, "-xif", path, "-C", folder], check=False, capture_output=True)
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def whole_members(data: bytes) -> list[str]:
    """The names of the files that tarfile finds, up to one that is cut short."""
    names: list[str] = []
    with (
        tarfile.open(fileobj=io.BytesIO(data), ignore_zeros=True) as tar,
        suppress(tarfile.ReadError),
    ):
        names.extend(m.name for m in tar if m.offset_data + m.size <= len(data))
    return names


@needs_gnu_tar
@given(pieces=st.lists(PIECES, min_size=1, max_size=6), data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_sequence_is_read_as_by_gnu_tar(tmp_path_factory, pieces, data):
    """Tars, zeros, junk and cut tars in any order give the files that tar and tarfile find.

    There is no error if, and only if, everything is tars and padding.
    """
    folder = tmp_path_factory.mktemp("any")
    pieces = [("tar", 1, "gnu"), *pieces]
    whole = b"".join(bytes_of(piece, i) for i, piece in enumerate(pieces))
    path = folder / "x.tar"
    path.write_bytes(whole)
    expected = extracted(path, folder / "out")
    suffix = data.draw(st.sampled_from(sorted(COMPRESSIONS)))
    packed = COMPRESSIONS[suffix](whole)
    found, error = found_in(saved(folder, packed, data.draw(st.integers(1, len(packed)))))
    if "of its" in str(error):
        # GNU tar unpacks the existing part of a file that is cut short.
        expected = {name: data for name, data in expected.items() if name in dict(found)}
    assert dict(found) == expected
    assert [name for name, _ in found] == whole_members(whole)
    # A cut tar may swallow the data after it, up to the start of a member.
    kinds = {piece[0] for piece in pieces}
    if kinds <= {"tar", "zeros"}:
        assert error is None
    elif "cut" not in kinds:
        assert error is not None
