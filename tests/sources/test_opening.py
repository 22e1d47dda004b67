"""Archives in a form that is not supported: each is named, with the command that helps."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

import corpus
import rico_hdl
from corpus.archives import COMPRESSIONS, tar_of, zip_of
from corpus.volumes import volumes
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import get
from rico_hdl.errors import SourceError
from rico_hdl.patches import opening
from rico_hdl.values import ArchiveFailure
from tests.support.archives import long_xz, long_zstd, with_filler
from tests.support.reading import records
from tests.support.running import run

SPEC = get("eurosat-multi-spectral")
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123456789\n"
HTML = b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><body>Quota exceeded</body></html>\n"
XML = b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>'
JSON = b'{"message": "Rate limit exceeded"}\n'


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """The folder of a small EuroSAT."""
    return corpus.generate(SPEC, tmp_path_factory.mktemp("source"), 3)["s2"]


def lzma_alone(data: bytes) -> bytes:
    """Data in the format of the old lzma tool."""
    return lzma.compress(data, lzma.FORMAT_ALONE)


def named_zip(inner: str, data: bytes) -> bytes:
    """A zip with one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(inner, data)
    return buffer.getvalue()


def named_tar(inner: str, data: bytes) -> bytes:
    """A tar with one member."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(inner)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


FORMS = {
    # The name of the file, a function that makes it of a tar, and the expected form and command.
    "zstd, long window": (
        "x.tar.zst",
        long_zstd,
        "with zstd, and its window",
        "zstd -d --long=31 x",
    ),
    "xz, long window": ("x.tar.xz", long_xz, "with xz, and its window", "xz -d x.tar.xz"),
    "lz4": ("x.tar.lz4", lambda _: b"\x04\x22\x4d\x18\x64\x40\xa7", "with lz4", "lz4 -d x.tar.lz4"),
    "lz4, as a tar": ("x.tar", lambda _: b"\x04\x22\x4d\x18\x64", "with lz4", "lz4 -d x.tar"),
    "lzma": ("x.tar.lzma", lzma_alone, "with lzma", "unlzma x.tar.lzma"),
    "lzip": ("x.tar.lz", lambda _: b"LZIP\1\x0c", "with lzip", "lzip -d x.tar.lz"),
    "lzop": ("x.tar.lzo", lambda _: b"\x89LZO\0\r\n\x1a\n", "with lzop", "lzop -d x.tar.lzo"),
    "compress": ("x.tar.Z", lambda _: b"\x1f\x9d\x90", "with compress", "uncompress x.tar.Z"),
    "7z": ("x.7z", lambda _: b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive", "7z x x.7z"),
    "rar": ("x.rar", lambda _: b"Rar!\x1a\7\1\0", "a rar archive", "unrar x x.rar"),
    "cab": ("x.cab", lambda _: b"MSCF\0\0\0\0", "a cabinet archive", "cabextract x.cab"),
    "SquashFS": ("x.sqfs", lambda _: b"hsqs\1\0\0\0", "SquashFS", "unsquashfs x.sqfs"),
    "gzip twice": ("x.tar.gz", lambda t: gzip.compress(gzip.compress(t)), "twice", "gzip -d x"),
    "zstd in bzip2": (
        "x.tar.bz2",
        lambda tar: bz2.compress(COMPRESSIONS["tar.zst"](tar)),
        "compressed twice: with zstd, then with bzip2",
        "bzip2 -d x.tar.bz2",
    ),
    "zip in gzip": (
        "x.zip.gz",
        lambda tar: gzip.compress(named_zip("a.tif", tar)),
        "is a zip file compressed with gzip",
        "gzip -d x.zip.gz",
    ),
    "lzma in gzip": ("x.tar.gz", lambda t: gzip.compress(lzma_alone(t)), "lzma", "gzip -d x"),
    **{
        f"Git LFS {name}": (name, lambda _: LFS, "a Git LFS pointer", "git lfs pull")
        for name in ("x.tar.gz", "x.tar", "x.zip", "x.parquet", "x.zarr.zip", "x.tar.gzaa")
    },
    "HTML": ("x.tar.gz", lambda _: HTML, "an HTML page", "head -c 1000 x.tar.gz"),
    "XML": ("x.zip", lambda _: XML, "an XML document", "download the file again"),
    "JSON": ("x.parquet", lambda _: JSON, "a JSON document", "download the file again"),
    "TIFF": ("x.tif", lambda _: b"II*\0\x08\0\0\0", "a TIFF image", "Name the folder"),
    "zips in tar": (
        "a.tar.gz",
        lambda t: gzip.compress(named_tar("b.zip", t)),
        "b.zip",
        "tar -xf a",
    ),
    "parquet in zip": ("a.zip", lambda t: named_zip("b.parquet", t), "b.parquet", "unzip a.zip"),
    "zip in zip": ("all.zip", lambda t: named_zip("x.tar.zst", t), "x.tar.zst", "unzip all.zip"),
}


@pytest.mark.parametrize("case", FORMS.values(), ids=FORMS)
def test_a_form_that_is_not_supported_is_named(source, tmp_path, case):
    """The error has the form and the command that helps; nothing is written or called damaged."""
    name, make, form, command = case
    path = tmp_path / name
    path.write_bytes(make(tar_of(source)))
    with pytest.raises(SourceError) as caught:
        convert(SPEC, {"s2": path}, tmp_path / "out")
    error = caught.value
    assert not (tmp_path / "out").exists()
    assert str(path) in error.message
    assert form in error.message
    assert command in error.hint
    assert "damaged" not in str(error)
    assert str(error).lower().count(" again") <= 1


@pytest.mark.parametrize("name", ["lz4", "7z", "HTML", "Git LFS x.zip"])
def test_a_folder_of_such_files_gets_the_same_advice(tmp_path, name):
    """If a folder holds nothing else, the error says what to do with the file in it."""
    file, make, form, command = FORMS[name]
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / file).write_bytes(make(b""))
    with pytest.raises(SourceError) as caught:
        convert(SPEC, {"s2": folder}, tmp_path / "out")
    assert form in str(caught.value)
    assert command in caught.value.hint


@pytest.mark.parametrize("style", ["-{:05}-of-{:05}", ".part-{:05}-of-{:05}", "_{:04}_of_{:04}"])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("suffix", ["tar.gz", "zip"])
def test_numbered_parts_with_their_total_are_joined(source, tmp_path, style, first, suffix):
    """Any of the parts NAME-00000-of-00003 names the whole; a missing one is an error."""
    data = zip_of(source) if suffix == "zip" else COMPRESSIONS[suffix](tar_of(source))
    step = len(data) // 3 + 1
    parts = [tmp_path / f"x.{suffix}{style.format(i + first, 3)}" for i in range(3)]
    for i, part in enumerate(parts):
        part.write_bytes(data[i * step : (i + 1) * step])
    (tmp_path / f"x.{suffix}{style.format(first, 2)}").write_bytes(b"of another split")
    convert(SPEC, {"s2": source}, tmp_path / "theirs")
    convert(SPEC, {"s2": parts[1]}, tmp_path / "ours")
    assert records(tmp_path / "ours") == records(tmp_path / "theirs")
    for gone in (parts[2], parts[0]):
        gone.unlink()
        with pytest.raises(SourceError, match=r"parts are missing, .* of 3; found x\."):
            convert(SPEC, {"s2": parts[1]}, tmp_path / "more")
    assert not (tmp_path / "more").exists()


def test_volumes_of_a_zip_that_were_joined_are_named(source, tmp_path):
    """Volumes written one after another into a file can't be read, and the error says so."""
    made = volumes(zip_of(source), tmp_path / "x.zip", 3)
    whole = tmp_path / "whole.zip"
    whole.write_bytes(b"".join(path.read_bytes() for path in made))
    with pytest.raises(SourceError, match="3 volumes that were joined") as caught:
        convert(SPEC, {"s2": whole}, tmp_path / "out")
    assert "zip -s 0" in caught.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("order", ["first", "last"])
def test_every_archive_is_examined_before_anything_is_written(source, tmp_path, order):
    """One archive in a form that is not supported refuses all, wherever it is among them."""
    paths = [tmp_path / f"{i}.tar.zst" for i in range(6)]
    for path in paths:
        path.write_bytes(COMPRESSIONS["tar.zst"](tar_of(source)))
    paths[0 if order == "first" else -1].write_bytes(long_zstd(tar_of(source)))
    with pytest.raises(SourceError, match="its window of more than 128 MiB"):
        convert(SPEC, {"s2": paths}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_frame_in_the_middle_that_is_not_supported_is_not_damage(source, tmp_path):
    """The patches before it are stored and not in doubt; the decompressed archive adds the rest."""
    tar = with_filler(tar_of(source))
    cut = len(tar_of(source)) // 2
    path, plain = tmp_path / "x.tar.zst", tmp_path / "x.tar"
    path.write_bytes(COMPRESSIONS["tar.zst"](tar[:cut]) + long_zstd(tar[cut:]))
    plain.write_bytes(tar)
    done = run("eurosat-multi-spectral", "--dataset-dir", path, "--target-dir", tmp_path / "out")
    assert done.returncode == 1
    assert "zstd -d --long=31 x.tar.zst" in done.stderr
    assert "1 archive read in part" in done.stderr
    assert "intact copy" not in done.stderr
    assert "damaged" not in done.stdout + done.stderr
    info = rico_hdl.inspect(tmp_path / "out")
    assert (info.n_records > 0, info.complete, info.damaged) == (True, False, [])
    assert "its window of more than 128 MiB" in info.incomplete[0]
    again = convert(SPEC, {"s2": path}, tmp_path / "out")
    assert [f.kind for f in again.failures if isinstance(f, ArchiveFailure)] == ["unsupported"]
    assert convert(SPEC, {"s2": plain}, tmp_path / "out").complete
    assert rico_hdl.inspect(tmp_path / "out").complete


def test_large_archives_in_an_archive_are_not_read_to_find_that_out(source, tmp_path, monkeypatch):
    """An archive that begins with archives is refused without reading it to its end."""
    inner = zip_of(source)
    outer = b"".join(named_tar(f"part{i}.zip", inner).rstrip(b"\0") + bytes(512) for i in range(3))
    path = tmp_path / "all.tar"
    path.write_bytes(outer)
    monkeypatch.setattr(opening, "_N_BYTES", len(inner) // 2)
    with pytest.raises(SourceError) as caught:
        convert(SPEC, {"s2": path}, tmp_path / "out")
    assert "It holds archives. Unpack it (tar -xf all.tar)" in caught.value.hint
    assert "EuroSAT" not in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_the_published_archive_in_a_download_of_all_is_the_one_to_give(tmp_path):
    """In Zenodo's download of all files, the error names the modality's own archive."""
    path = tmp_path / "10891137.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("BigEarthNet-S1.tar.zst", "BigEarthNet-S2.tar.zst", "Reference_Maps.tar.zst"):
            archive.writestr(name, COMPRESSIONS["tar.zst"](bytes(1024)))
    with pytest.raises(SourceError) as caught:
        convert(get("bigearthnet"), {"s2": path}, tmp_path / "out")
    assert "unzip 10891137.zip" in caught.value.hint
    assert caught.value.hint.endswith("such as BigEarthNet-S2.tar.zst")


@pytest.mark.parametrize("in_archive", [False, True])
def test_a_pointer_in_the_place_of_a_band_is_named(source, tmp_path, in_archive):
    """A patch whose file is a Git LFS pointer is skipped, and its failure has the command."""
    folder = shutil.copytree(source, tmp_path / "folder")
    min(folder.rglob("*.tif")).write_bytes(LFS)
    path = folder
    if in_archive:
        path = tmp_path / "x.tar"
        path.write_bytes(tar_of(folder))
    (failure,) = convert(SPEC, {"s2": path}, tmp_path / "out").failures
    assert "not a TIFF file: is a Git LFS pointer" in failure.reason
    assert "git lfs pull" in failure.reason
