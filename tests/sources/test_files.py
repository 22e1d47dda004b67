"""Only regular files are read, and nothing else is waited for."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import time
from pathlib import Path

import pytest

import corpus
from rico_hdl.datasets import registry
from rico_hdl.errors import MemoryLimitError, SourceError
from rico_hdl.labels import read_split
from rico_hdl.sources import FolderSource
from rico_hdl.sources.opening import open_archive
from tests.support.running import measured, python, run, started

EUROSAT = registry()["eurosat-multi-spectral"]
(S2,) = EUROSAT.modalities

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs named pipes and sockets")


def make_pipe(path: Path) -> None:
    """A named pipe without a writer."""
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    """A socket that no process listens to; its own path is too long for the system."""
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


STRANGE = {
    "a named pipe": make_pipe,
    "a socket": make_socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a directory": Path.mkdir,
}


@pytest.mark.parametrize("kind", STRANGE)
def test_anything_but_a_file_costs_its_patch(tmp_path, kind):
    """A pipe, a socket, a device or a folder in a file's place is a failure of its patch alone."""
    (source,) = corpus.generate(EUROSAT, tmp_path / "source", 4).values()
    path = sorted(source.rglob("*.tif"))[1]
    path.unlink()
    STRANGE[kind](path)
    target = tmp_path / "target"
    done = run(
        "eurosat-multi-spectral", "--dataset-dir", source, "--target-dir", target, timeout=60
    )
    if kind == "a directory":  # folders are no patches
        assert (done.returncode, "3 written" in done.stdout) == (0, True)
    else:
        assert (done.returncode, "3 written" in done.stdout) == (1, True), done
        assert f"{path.stem}: not a regular file ({kind}) ({path})" in done.stderr
    if kind in {"a named pipe", "a socket"}:
        with pytest.raises(SourceError):
            open_archive(path, S2)


@pytest.mark.parametrize("kind", ["a named pipe", "a device", "a directory"])
def test_parts_and_side_files_are_not_waited_for(tmp_path, kind):
    """A pipe as the second part of an archive, or as a list of patches, is an error at once."""
    whole = tmp_path / "x.tar"
    (source,) = corpus.generate(EUROSAT, tmp_path / "source", 1).values()
    shutil.make_archive(str(tmp_path / "x"), "tar", source)
    strange = {name: tmp_path / name for name in ("y.tar.gzab", "y.zip", "y.parquet", "list.txt")}
    for path in strange.values():
        STRANGE[kind](path)
    whole.rename(tmp_path / "y.tar.gzaa")
    code = """
import sys
from pathlib import Path
from rico_hdl.errors import RicoError
from rico_hdl.labels import read_split
from rico_hdl.sources.parquet.table import ParquetTable
from rico_hdl.sources.tar.archive import TarArchive
from rico_hdl.sources.volumes import Volumes

part, volume, table, rows = map(Path, sys.argv[1:])
for read in (
    lambda: list(TarArchive([part.with_name("y.tar.gzaa"), part]).members()),
    lambda: Volumes([volume]),
    lambda: ParquetTable(table),
    lambda: read_split(rows),
):
    try:
        read()
    except RicoError as error:
        print(error.message)
"""
    result = python("-c", code, *strange.values(), timeout=30)
    lines = result.stdout.splitlines()
    assert len(lines) == 4, result.stderr
    for path, line in zip(strange.values(), lines, strict=True):
        assert re.search(rf"{re.escape(str(path))}.*not a regular file \({kind}\)", line)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    """A file of 100 GB costs its patch, and no memory."""
    source = corpus.generate(EUROSAT, tmp_path / "source", 4)["s2"]
    path, trailing = sorted(source.rglob("*.tif"))[1:3]
    for grown, n_bytes in ((path, 100 * 10**9), (trailing, 3 * 10**9)):
        os.truncate(grown, n_bytes)
    code = """
import sys, rico_hdl
summary = rico_hdl.convert("eurosat-multi-spectral", {"s2": sys.argv[1]}, sys.argv[2])
print(summary.n_written["s2"], peak())
print(*summary.failures, sep="\\n")
"""
    counts, *failures = measured(code, source, tmp_path / "target").splitlines()
    n_written, peak = map(int, counts.split())
    assert n_written == 2
    assert peak < 200_000
    assert "it needs about 95,367 MiB of memory" in failures[0]
    assert "it needs about 2,861 MiB of memory" in failures[1]


def test_a_file_at_the_limit_is_read(tmp_path):
    """A file of the largest size is read whole, and one more byte is too many."""
    (tmp_path / "a").write_bytes(bytes(1000))
    (tmp_path / "b").write_bytes(bytes(1001))
    source = FolderSource(tmp_path)
    assert source.read("a", 1000) == bytes(1000)
    with pytest.raises(MemoryLimitError, match="1,001 bytes"):
        source.read("b", 1000)


_HOLDING = """
import fcntl, signal, sys, time
broken = []
signal.signal(signal.SIGIO, lambda *_: broken.append(time.monotonic()))
file = open(sys.argv[1], "r+b")
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
while not broken:
    time.sleep(0.01)
time.sleep(0.3)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
"""


@pytest.mark.skipif(not hasattr(fcntl, "F_SETLEASE"), reason="needs leases")
def test_a_file_that_is_leased_is_waited_for(tmp_path):
    """A file on which another process has a lease, as file servers do, is read once it is free."""
    path = tmp_path / "a.tif"
    path.write_bytes(b"content")
    with started("-c", _HOLDING, path) as holder:
        if not holder.stdout.readline():
            pytest.skip(f"no leases here: {holder.communicate()[1]}")
        start = time.monotonic()
        assert FolderSource(tmp_path).read("a.tif") == b"content"
        assert time.monotonic() - start > 0.25
        assert holder.wait(30) == 0


def test_a_file_on_tape_is_waited_for(tmp_path, monkeypatch):
    """Some file systems refuse a read that must not block until the file is fetched from tape."""
    (tmp_path / "a.tif").write_bytes(b"content")
    whole = os.read

    def read(file: int, n: int) -> bytes:
        if not os.get_blocking(file):
            raise BlockingIOError
        return whole(file, n)

    monkeypatch.setattr(os, "read", read)
    assert FolderSource(tmp_path).read("a.tif") == b"content"


def test_split_files_may_have_a_byte_order_mark(tmp_path):
    """Rows may end in any way, and a byte order mark is no part of the first one."""
    path = tmp_path / "train.txt"
    path.write_bytes("\ufeffa/b_1.jpg\r\na/b_2.jpg\n".encode())
    assert read_split(path) == ["b_1", "b_2"]
