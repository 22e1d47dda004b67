"""Reading several files as one."""

import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rico_hdl.errors import SourceError
from rico_hdl.sources import volumes as module
from rico_hdl.sources.volumes import MAX_OPEN, Volumes

DATA = random.Random(0).randbytes(5000)


def parts(folder, sizes):
    """Files that hold consecutive parts of the data; the last one takes the rest."""
    paths, start = [], 0
    for i, size in enumerate([*sizes, len(DATA) - sum(sizes)]):
        paths.append(folder / f"part{i:03}")
        paths[-1].write_bytes(DATA[start : start + size])
        start += size
    return paths


def n_open():
    """Number of files that the process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("sizes", [[], [1], [0, 1, 0, 0, 4000], [1000] * 4, [5000], [10] * 300])
@pytest.mark.parametrize("is_closed", [False, True])
def test_any_range(tmp_path, sizes, is_closed):
    """Any range of the files is that range of the data, even after closing."""
    volumes = Volumes(parts(tmp_path, sizes))
    if is_closed:
        volumes.close()
    with volumes:
        assert volumes.size == len(DATA)
        assert volumes.starts == tuple(sum(sizes[:i]) for i in range(len(sizes) + 1))
        for start in (0, 1, 9, 10, 999, 1000, 1001, 3999, 4001, 4999, 5000, 6000):
            for n in (0, 1, 2, 10, 11, 1000, 3001, 5000, 9999):
                assert volumes.pread(start, n) == DATA[start : start + n]


def test_short_reads_are_continued(tmp_path, monkeypatch):
    """If the system returns fewer bytes than requested, the rest is read."""
    monkeypatch.setattr(module, "_pread", lambda file, n, at: os.pread(file, min(n, 7), at))
    with Volumes(parts(tmp_path, [100, 2000])) as volumes:
        assert volumes.pread(90, 4000) == DATA[90:4090]


def test_systems_without_pread(tmp_path, monkeypatch):
    """On systems without pread, threads don't read each other's bytes."""
    monkeypatch.setattr(module, "_pread", module._seek_and_read)
    starts = random.Random(1).sample(range(4900), 2000)
    with Volumes(parts(tmp_path, [2500])) as volumes, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda start: volumes.pread(start, 100), starts))
    assert found == [DATA[start : start + 100] for start in starts]


def test_a_file_that_became_shorter(tmp_path):
    """Bytes that were cut off after opening are missing, and no others take their place."""
    paths = parts(tmp_path, [2000, 1000])
    with Volumes(paths) as volumes:
        os.truncate(paths[0], 500)
        assert volumes.pread(400, 2000) == DATA[400:500]
        assert volumes.pread(2000, 10) == DATA[2000:2010]


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
@pytest.mark.parametrize("n", [1, 3, MAX_OPEN, MAX_OPEN + 1])
def test_files_are_closed(tmp_path, n):
    """Closing closes all files, and later reads leave no file open."""
    before = n_open()
    volumes = Volumes(parts(tmp_path, [10] * (n - 1)))
    assert n_open() == before + (n if n <= MAX_OPEN else 0)
    volumes.pread(0, 100)
    volumes.close()
    assert n_open() == before
    volumes.pread(0, 100)
    volumes.close()
    assert n_open() == before


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
@pytest.mark.parametrize("n_good", [0, 1, MAX_OPEN])
def test_a_missing_file(tmp_path, n_good):
    """A missing file is a SourceError that names it, and no file stays open."""
    before = n_open()
    good = parts(tmp_path, [10] * n_good)[:n_good]
    with pytest.raises(SourceError, match="gone: no such file"):
        Volumes([*good, tmp_path / "gone"])
    with pytest.raises(SourceError, match=r"not a regular file \(a directory\)"):
        Volumes([*good, tmp_path])
    assert n_open() == before


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_closing_waits_for_readers(tmp_path, monkeypatch):
    """A file stays open until reads in progress are done."""
    before = n_open()
    volumes = Volumes(parts(tmp_path, []))
    during = []

    def pread(file, n, at):
        volumes.close()
        during.append(n_open())
        return os.pread(file, n, at)

    monkeypatch.setattr(module, "_pread", pread)
    assert volumes.pread(5, 100) == DATA[5:105]
    assert during == [before + 1]
    assert n_open() == before
