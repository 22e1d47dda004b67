"""Converting files that hold many patches: continued, verified, damaged, in bounded memory."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections import Counter
from dataclasses import replace

import h5py
import numpy as np
import pytest

import rico_hdl
from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.checking.verification import verify
from rico_hdl.converting.conversion import convert
from rico_hdl.decoding.gdal import GdalDecoder
from rico_hdl.errors import SourceError, UsageError
from rico_hdl.sources.arrays import hdf5 as hdf5_module
from rico_hdl.spec import Download
from rico_hdl.store import Manifest
from rico_hdl.testing.contracts.archives import flip
from tests.converting.test_memory import MEASURED, needs_proc
from tests.support.container_files import cube_of, modality_of, spec_of, write_hdf5
from tests.support.reading import arrays, records
from tests.support.running import driven, measured, run, summary_of

AXES = "sample band y x"
TOML = """
name = "many"
[[modality]]
name = "image"
files = "{split}.h5"
key = "{split}_{sample:3d}"
array = "image"
axes = ["sample", "band", "y", "x"]
bands = ["b1", "b2", "b3"]
"""


def spec(suffix=".h5", path="image", **options):
    """A dataset of files with samples."""
    key = "{split}_{sample:3d}"
    modality = modality_of(f"{{split}}{suffix}/{{sample:3d}}", AXES, path, key=key)
    return spec_of(replace(modality, **options))


def write(folder, n=12, splits=("test", "train"), **options):
    """A folder of such files, and the pixels by key."""
    expected = {}
    for number, split in enumerate(splits):
        cube = cube_of(AXES, sizes={"sample": n}) + number
        write_hdf5(folder / f"{split}.h5", {"image": cube}, **options)
        expected |= {f"{split}_{i:03}": cube[i] for i in range(n)}
    return expected


def assert_stored(target, expected):
    """The store has exactly these pixels."""
    stored = arrays(target)
    assert stored.keys() == expected.keys()
    for key, cube in expected.items():
        assert np.array_equal(np.stack([stored[key][f"b{i}"] for i in (1, 2, 3)]), cube), key


def test_folders_files_tars_and_zips_give_one_store(tmp_path):
    """The same records come from a folder, its files given one by one, and archives of them."""
    expected = write(tmp_path / "source", chunks=(4, 1, 6, 7), compression="gzip")
    files = sorted((tmp_path / "source").iterdir())
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "source", "top/source")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for file in files:
            archive.write(file, f"top/{file.name}")
    sources = {
        "folder": tmp_path / "source",
        "files": files,
        "tar": tmp_path / "x.tar.gz",
        "zip": tmp_path / "x.zip",
        "below": tmp_path / "x.tar.gz" / "top",
    }
    for name, source in sources.items():
        summary = convert(spec(), {"image": source}, tmp_path / name)
        assert summary.complete, summary.failures
        assert_stored(tmp_path / name, expected)
        assert verify(tmp_path / name).findings == []
        assert compare_with_sources(tmp_path / name).findings == []
        assert records(tmp_path / name) == records(tmp_path / "folder")
        with rico_hdl.open(tmp_path / name) as store:
            assert list(store.keys("image")) == sorted(expected)
    with pytest.raises(UsageError, match=r"\.h5 files are arrays"):
        compare_with_sources(tmp_path / "folder", make_decoder=GdalDecoder)


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_a_killed_conversion_continues(tmp_path, kind):
    """After kill -9, the same command adds the missing patches, and reads no chunk of others."""
    expected = write(tmp_path / "source", n=300, chunks=(1, 3, 6, 7))
    source = tmp_path / "source"
    if kind == "tar":
        source = tmp_path / "x.tar"
        with tarfile.open(source, "w") as archive:
            archive.add(tmp_path / "source", "top")
    (tmp_path / "many.toml").write_text(TOML)
    arguments = ["convert", tmp_path / "many.toml", "--dataset-dir", source, "--json"]
    arguments += ["--target-dir", tmp_path / "target"]
    environment = {**os.environ, "COMMIT_BYTES": "40000"}
    for number in (1, 2):
        done = subprocess.run(
            driven("commit", number, *arguments), env=environment, capture_output=True, check=False
        )
        assert done.returncode == -9
    n_before = len(records(tmp_path / "target"))
    assert 0 < n_before < len(expected)
    summary = summary_of(run(*arguments))
    assert summary["complete"]
    assert summary["n_written"]["image"] == len(expected) - n_before
    assert_stored(tmp_path / "target", expected)


def test_stored_patches_are_not_read_again(tmp_path, monkeypatch):
    """Continuing reads the chunks of missing patches only."""
    write(tmp_path / "source", splits=["test"], chunks=(1, 3, 6, 7))
    convert(spec(), {"image": tmp_path / "source"}, tmp_path / "target")
    write(tmp_path / "source", splits=["train"], chunks=(1, 3, 6, 7))
    read = Counter()
    original = hdf5_module.Hdf5Cube._chunk

    def counted(self, index):
        read[index[0]] += 1
        return original(self, index)

    monkeypatch.setattr(hdf5_module.Hdf5Cube, "_chunk", counted)
    summary = convert(spec(), {"image": tmp_path / "source"}, tmp_path / "target")
    assert summary.complete
    assert (summary.n_present["image"], summary.n_written["image"]) == (12, 12)
    assert read == dict.fromkeys(range(12), 1)


def test_a_damaged_chunk_costs_its_patches(tmp_path):
    """Patches of a damaged chunk are failures that name it, and the others are stored."""
    expected = write(tmp_path / "source", splits=["train"], chunks=(4, 3, 6, 7), fletcher32=True)
    path = tmp_path / "source" / "train.h5"
    with h5py.File(path) as file:
        chunks = []
        file["image"].id.chunk_iter(chunks.append)
    flip(path, chunks[1].byte_offset + 9, 1)
    for source in (tmp_path / "source", path):
        shutil.rmtree(tmp_path / "target", ignore_errors=True)
        summary = convert(spec(), {"image": source}, tmp_path / "target")
        assert not summary.complete
        assert [failure.key for failure in summary.failures] == [
            f"train_{i:03}" for i in range(4, 8)
        ]
        first = summary.failures[0]
        assert first.path == f"{path}/004"
        assert "dataset 'image': its chunk at (4, 0, 0, 0) is damaged: its checksum" in first.reason
        lost = {failure.key for failure in summary.failures}
        intact = {key: cube for key, cube in expected.items() if key not in lost}
        assert_stored(tmp_path / "target", intact)


def test_a_damaged_chunk_in_an_archive_costs_its_patches(tmp_path):
    """In a tar, too, the patches of a damaged chunk are left out, and all others are stored."""
    expected = write(tmp_path / "source", chunks=(4, 3, 6, 7), fletcher32=True)
    path = tmp_path / "source" / "test.h5"
    with h5py.File(path) as file:
        chunks = []
        file["image"].id.chunk_iter(chunks.append)
    flip(path, chunks[1].byte_offset + 9, 1)
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "source", "top")
    summary = convert(spec(), {"image": tmp_path / "x.tar"}, tmp_path / "target")
    lost = {failure.key for failure in summary.failures}
    assert lost == {f"test_{i:03}" for i in range(4, 8)}
    assert summary.failures[0].path == f"{tmp_path / 'x.tar'}/top/test.h5/004"
    intact = {key: cube for key, cube in expected.items() if key not in lost}
    assert_stored(tmp_path / "target", intact)


def test_a_damaged_file_is_left_out(tmp_path):
    """A file that can't be opened is a failure, also when verifying; the others are converted."""
    expected = write(tmp_path / "source")
    whole = (tmp_path / "source" / "test.h5").read_bytes()
    (tmp_path / "source" / "test.h5").write_bytes(whole[:-100])
    summary = convert(spec(), {"image": tmp_path / "source"}, tmp_path / "target")
    assert not summary.complete
    (failure,) = summary.failures
    assert failure.kind == "incomplete"
    assert "1 of 2 files can't be read" in failure.reason
    assert str(tmp_path / "source" / "test.h5") in failure.reason
    train = {key: cube for key, cube in expected.items() if key.startswith("train")}
    assert_stored(tmp_path / "target", train)
    assert compare_with_sources(tmp_path / "target").findings != []
    (tmp_path / "source" / "test.h5").write_bytes(whole)
    assert convert(spec(), {"image": tmp_path / "source"}, tmp_path / "target").complete
    assert_stored(tmp_path / "target", expected)
    assert compare_with_sources(tmp_path / "target").findings == []


def test_a_changed_pixel_is_found(tmp_path):
    """Comparing with the sources finds a value that differs, and names it."""
    write(tmp_path / "source")
    convert(spec(), {"image": tmp_path / "source"}, tmp_path / "target")
    with h5py.File(tmp_path / "source" / "train.h5", "a") as file:
        file["image"][7, 1, 2, 3] ^= 1
    (finding,) = compare_with_sources(tmp_path / "target").findings
    assert finding.key == "train_007"
    assert "band b2 differs from its file in 1 pixels, first at row 2, column 3" in finding.reason


def test_a_dry_run_counts_patches(tmp_path):
    """Patches on disk are counted without reading them; in a tar their number stays unknown."""
    write(tmp_path / "source")
    found = rico_hdl.dry_run(spec(), {"image": tmp_path / "source"}, tmp_path / "target")
    assert found.modalities["image"].n_patches == 24
    assert found.modalities["image"].first_keys == ["test_000", "test_001", "test_002"]
    assert found.failures == []
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "source", "top")
    found = rico_hdl.dry_run(spec(), {"image": tmp_path / "x.tar"}, tmp_path / "target")
    assert found.modalities["image"].n_patches is None


def test_files_with_published_sums_are_checked(tmp_path):
    """Files that the publisher offers one by one are archives of their own, with their own sums."""
    write(tmp_path / "source")
    files = sorted((tmp_path / "source").iterdir())
    sums = [hashlib.md5(file.read_bytes()).hexdigest() for file in files]
    for wrong in (False, True):
        listed = tuple(
            Download(file.name, md5[::-1] if wrong and file.stem == "train" else md5)
            for file, md5 in zip(files, sums, strict=True)
        )
        target = tmp_path / f"target {wrong}"
        summary = convert(
            spec(downloads=listed), {"image": tmp_path / "source"}, target, check_archives=True
        )
        assert summary.complete is not wrong
        assert [failure.kind for failure in summary.failures] == ["checksum"] * wrong


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('array = "image"', "no dataset 'img'; / has 'image'"),
        ('axes = ["sample", "band", "y", "x"]', "expected 5 axes: sample, time, band, y, x"),
        ('bands = ["b1", "b2", "b3"]', "the file has 3 bands, expected 2"),
    ],
)
def test_a_wrong_description_is_an_error(tmp_path, text, reason):
    """A description that does not fit the files is an error that says what is in them."""
    write(tmp_path / "source", splits=["train"])
    wrong = {"array": 'array = "img"', "axes": 'axes = ["sample", "time", "band", "y", "x"]'}
    wrong["bands"] = 'bands = ["b1", "b2"]'
    (tmp_path / "many.toml").write_text(TOML.replace(text, wrong[text.split()[0]]))
    done = run(
        *("convert", tmp_path / "many.toml", "--dataset-dir", tmp_path / "source"),
        *("--target-dir", tmp_path / "target"),
    )
    assert done.returncode in {1, 3}
    assert reason in done.stderr
    assert str(tmp_path / "source" / "train.h5") in done.stderr


def test_a_folder_without_such_files_is_an_error(tmp_path):
    """A folder that holds other files says which ones were expected."""
    write_hdf5(tmp_path / "source" / "deep" / "train.h5", {"image": cube_of(AXES)})
    with pytest.raises(SourceError, match=r"split}\.h5/{sample:3d}"):
        convert(spec(), {"image": tmp_path / "source"}, tmp_path / "target")


@needs_proc
@pytest.mark.parametrize("together", [1, 64])
def test_memory_is_bounded(tmp_path, together):
    """A conversion of hundreds of megabytes of compressed samples takes less than 400 MB."""
    shape = (200, 3, 512, 512) if together == 1 else (640, 3, 256, 256)

    def place(file, name):
        dataset = file.create_dataset(
            name, shape, "u2", chunks=(together, *shape[1:]), compression="gzip", compression_opts=1
        )
        for start in range(0, shape[0], together):
            dataset[start : start + together] = start

    write_hdf5(tmp_path / "train.h5", {"image": place})
    (tmp_path / "many.toml").write_text(TOML.replace(":3d", ":4d"))
    arguments = (tmp_path / "many.toml", "image", tmp_path / "train.h5", tmp_path / "target", 2)
    assert int(measured(MEASURED, *arguments)) < 400_000
    assert Manifest.read(tmp_path / "target").complete
