"""Full and read-only disks, failing reads, and anything unusual that is not a failure."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tifffile

import corpus
from rico_hdl import errors
from rico_hdl.checking.inspection import inspect
from rico_hdl.checking.verification import verify
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from rico_hdl.sources import FolderSource
from tests.support.reading import records
from tests.support.running import driven, measured, n_stored, run, summary_of

BIGEARTHNET = registry()["bigearthnet"]


@contextmanager
def small_disk(folder: Path, n_bytes: int):
    """A file system of a given size in bytes, if one can be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "none", str(folder)]
    mount = shutil.which("mount")
    if not mount or os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk can't be mounted: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, option: str) -> None:
    """Change an option of a small disk."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, Path]:
    """The source folders of a BigEarthNet with a few dozen patches."""
    return corpus.generate(BIGEARTHNET, tmp_path_factory.mktemp("source"), 40, noise=True)


@pytest.fixture(scope="module")
def digest(tmp_path_factory, sources) -> str:
    """The content digest of a conversion with enough space."""
    return convert(BIGEARTHNET, sources, tmp_path_factory.mktemp("whole")).content_digest


def arguments_of(sources: dict[str, Path], target: Path) -> list[object]:
    """The arguments to convert some sources."""
    options = [part for m in BIGEARTHNET.modalities for part in (m.option, sources[m.name])]
    return ["bigearthnet", *options, "--target-dir", target, "--json"]


def test_a_disk_that_fills_again_and_again(tmp_path, sources, digest):
    """On a full disk the exit code is 4 and records are intact; with more space it continues."""
    disk = tmp_path / "disk"
    with small_disk(disk, 2**20):
        target = disk / "target"
        command = driven("none", 0, *arguments_of(sources, target))
        before = -1
        for megabytes in (1, 3, 7, 11):
            remount(disk, f"size={megabytes}m")
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            assert result.returncode == 4, result.stderr
            assert "Traceback" not in result.stderr
            assert str(target) in result.stderr
            assert "Free some space and run the same command again" in result.stderr
            assert "are still needed" in result.stderr
            assert verify(target).findings == []
            assert n_stored(target) > before
            before = n_stored(target)
        remount(disk, "size=64m")
        summary = summary_of(run(*arguments_of(sources, target)))
        assert sum(summary["n_present"].values()) == before
        assert summary["content_digest"] == digest
        assert summary["complete"]
        assert not [warning for warning in summary["warnings"] if "needed" in warning]
        assert verify(target).findings == []


@pytest.mark.parametrize("n_free_pages", range(8))
def test_a_disk_that_is_full_from_the_start(tmp_path, bigearthnet, n_free_pages):
    """Whichever file there is no space for, the conversion ends with an error, not a crash."""
    disk = tmp_path / "disk"
    with small_disk(disk, 2**20):
        free = shutil.disk_usage(disk).free
        (disk / "ballast").write_bytes(bytes(free - 4096 * n_free_pages))
        result = run(*arguments_of(bigearthnet, disk / "target"))
        assert result.returncode == 4, (result.returncode, result.stderr)
        assert str(disk / "target") in result.stderr
        assert "Free some space" in result.stderr
        (disk / "ballast").unlink()
        remount(disk, "size=8m")
        assert run(*arguments_of(bigearthnet, disk / "target")).returncode == 0
        assert verify(disk / "target").findings == []


def test_a_read_only_disk_is_an_error_before_anything(tmp_path, bigearthnet):
    """A target on a read-only disk exits with 4 and its path; its store can still be verified."""
    disk = tmp_path / "disk"
    with small_disk(disk, 2**25):
        target = disk / "target"
        convert(BIGEARTHNET, bigearthnet, target)
        remount(disk, "ro")
        for folder in (target, disk / "new"):
            result = run(*arguments_of(bigearthnet, folder))
            assert result.returncode == 4
            assert f"{folder} can't be written" in result.stderr
            assert "read-only" in result.stderr
        assert not (disk / "new").exists()
        assert verify(target).findings == []
        assert inspect(target).complete


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_error(tmp_path, bigearthnet):
    """A target without write permission is exit code 4 with its path."""
    (tmp_path / "locked").mkdir(mode=0o500)
    result = run(*arguments_of(bigearthnet, tmp_path / "locked" / "target"))
    assert result.returncode == 4
    assert "no permission" in result.stderr


class Faulty(FolderSource):
    """A folder with faulty reads of some paths."""

    def __init__(self, path, fault, wrong):
        super().__init__(path)
        self._fault, self._wrong = fault, wrong

    def read(self, path, max_bytes):
        data = super().read(path, max_bytes)
        return self._fault(data) if path in self._wrong else data


def failing(number):
    """A read that fails with an error number."""

    def fail(data):
        del data
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (failing(errno.EIO), "Input/output error"),
        (failing(errno.ESTALE), "Stale file handle"),
        (failing(errno.EACCES), "Permission denied"),
        (failing(errno.ENOENT), "missing"),
        (lambda data: data[: len(data) // 2], "truncated|Read error|expected"),
        (lambda data: data[:0], "is empty"),
        (lambda data: bytes(byte ^ 0xFF for byte in data), "not a TIFF"),
    ],
    ids=["EIO", "ESTALE", "EACCES", "ENOENT", "half", "nothing", "inverted"],
)
def test_a_read_that_fails_leaves_out_its_patch_alone(bigearthnet, tmp_path, fault, reason):
    """Each faulty file is one failure with path and band; the next run adds its patch."""
    whole = convert(BIGEARTHNET, bigearthnet, tmp_path / "whole")
    patches = corpus.patches(BIGEARTHNET, BIGEARTHNET.modality("s2"), 6)
    wrong = {patches[1].files[3]: "B04", patches[4].files[11]: "B12"}
    target = tmp_path / "target"
    faulty = bigearthnet | {"s2": Faulty(bigearthnet["s2"], fault, wrong)}
    summary = convert(BIGEARTHNET, faulty, target)
    assert {(f.key, f.modality, f.band) for f in summary.failures} == {
        (patches[1].key, "s2", "B04"),
        (patches[4].key, "s2", "B12"),
    }
    for failure in summary.failures:
        assert re.search(reason, failure.reason), failure.reason
        assert failure.path.removeprefix(f"{bigearthnet['s2']}/") in wrong
    assert summary.n_written == {"s1": 6, "s2": 4, "reference-maps": 6}
    assert verify(target).findings == []
    assert inspect(target).n_failures == 2
    # Read again without the fault, as after a network outage.
    repaired = convert(BIGEARTHNET, bigearthnet, target)
    assert repaired.n_written == {"s1": 0, "s2": 2, "reference-maps": 0}
    assert repaired.content_digest == whole.content_digest
    assert repaired.complete


def test_patches_of_one_value_are_a_warning(bigearthnet, tmp_path):
    """Constant patches are stored, counted, and reported in a warning."""
    patch = corpus.patches(BIGEARTHNET, BIGEARTHNET.modality("s1"), 6)[3]
    for i, name in enumerate(patch.files):
        tifffile.imwrite(bigearthnet["s1"] / name, np.full((120, 120), i + 0.5, "float32"))
    # A single constant band is nothing unusual.
    other = corpus.patches(BIGEARTHNET, BIGEARTHNET.modality("s1"), 6)[4]
    tifffile.imwrite(bigearthnet["s1"] / other.files[0], np.zeros((120, 120), "float32"))
    target = tmp_path / "target"
    result = run(*arguments_of(bigearthnet, target), "--report", tmp_path / "report.json")
    summary = summary_of(result)
    (expected,) = [w for w in summary["warnings"] if "1 of 6 s1 patches are constant" in w]
    assert expected in json.loads((tmp_path / "report.json").read_text())["warnings"]
    assert patch.key in records(target)
    assert inspect(target).modalities["s1"].n_constant == 1
    assert verify(target).n_constant == 1
    text = run(*arguments_of(bigearthnet, target)[:-1])
    assert f"  note: {expected}" in text.stdout
    assert "1 patches are constant" in run("info", target).stdout
    # The journal is rebuilt from the records, and the count is kept.
    (target / "rico-hdl.journal").unlink()
    assert expected in convert(BIGEARTHNET, bigearthnet, target).warnings


def test_another_number_than_published_is_a_note(bigearthnet, tmp_path):
    """A subset is converted without failure, with a warning that names the published number."""
    result = run(*arguments_of(bigearthnet, tmp_path / "target")[:-1])
    assert result.returncode == 0
    for modality in BIGEARTHNET.modalities:
        expected = f"6 {modality.name} patches are stored, {modality.n_published} were published"
        assert f"note: {expected}" in result.stdout


_BOMB = """
import json, resource
from rico_hdl.converting.conversion import convert
before = peak()
limit = 2 * 2**30
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
summary = convert("hydro", {"s2": sys.argv[1]}, sys.argv[2], n_workers=2)
print(json.dumps([summary.n_written, [f.reason for f in summary.failures], peak() - before]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_a_small_file_that_claims_a_huge_image_is_a_failure(tmp_path, compression):
    """A decompression bomb fails only its own patch, and takes hardly any memory."""
    (path,) = corpus.generate(registry()["hydro"], tmp_path / "source", 2).values()
    bomb, _ = sorted(path.rglob("patch_*.tif"))
    tifffile.imwrite(
        bomb, np.zeros((12, 64, 64), "uint16"), compression=compression, planarconfig="contig",
        photometric="minisblack", metadata=None,
    )  # fmt: skip
    data = bytearray(bomb.read_bytes())
    directory = int.from_bytes(data[4:8], "little")
    n_entries = int.from_bytes(data[directory : directory + 2], "little")
    for entry in range(directory + 2, directory + 2 + 12 * n_entries, 12):
        if int.from_bytes(data[entry : entry + 2], "little") in {256, 257, 278}:
            data[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, 60_000)
    bomb.write_bytes(data)
    n_written, reasons, kilobytes = json.loads(measured(_BOMB, path, tmp_path / "target"))
    assert n_written == {"s2": 1}
    assert len(reasons) == 1
    assert kilobytes < 200_000


def test_a_source_whose_name_is_not_utf_8_is_refused(tmp_path, bigearthnet):
    """A path that the manifest can't hold is an error before anything is written."""
    strange = tmp_path / os.fsdecode(b"S2-\xff")
    bigearthnet["s2"].rename(strange)
    with pytest.raises(errors.SourceError, match=r"S2-\\udcff' is not UTF-8"):
        convert(BIGEARTHNET, {"s2": strange}, tmp_path / "target")
    assert not (tmp_path / "target").exists()
    (tmp_path / "link").symlink_to(strange)
    assert convert(BIGEARTHNET, {"s2": tmp_path / "link"}, tmp_path / "target").complete
