"""Paths, members and keys that are not UTF-8, wherever they occur."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import corpus
from rico_hdl.checking.inspection import inspect
from rico_hdl.checking.verification import verify
from rico_hdl.converting.conversion import convert
from rico_hdl.converting.dry_run import dry_run
from rico_hdl.datasets import registry
from rico_hdl.errors import SourceError
from tests.support.reading import records

pytestmark = pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="file names are always Unicode there"
)

BIGEARTHNET = registry()["bigearthnet"]
UC_MERCED = registry()["uc-merced"]
BAD = b"bad-\xff\xc3"
"""A name that is not UTF-8: an impossible byte, and the first byte of two."""


def odd(path: Path, replaced: str = "") -> Path:
    """A path whose name, or a part of it, is replaced by one that is not UTF-8."""
    name = os.fsencode(path.name)
    new = name.replace(replaced.encode(), BAD) if replaced else BAD
    assert new != name
    return path.with_name(os.fsdecode(new))


def rico(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run the command line, whose output must be UTF-8 and no traceback."""
    command = [sys.executable, "-m", "rico_hdl", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    errors = done.stderr.decode()
    assert "Traceback" not in errors
    assert "mistake in rico-hdl" not in errors, errors
    done.stdout.decode()
    return done


def source_folder(made: Path) -> Path:
    """The source folder itself has the name."""
    return made.rename(odd(made))


def folder_above(made: Path) -> Path:
    """A folder above the source has the name."""
    odd(made).mkdir()
    return made.rename(odd(made) / made.name)


def scene(made: Path) -> Path:
    """The folder of a scene has the name."""
    first = min(made.iterdir())
    first.rename(odd(first))
    return made


def patch(made: Path) -> Path:
    """The folder of a patch has the name, so its files don't fit it."""
    first = min(made.glob("*/*"))
    first.rename(odd(first, "_"))
    return made


def key(made: Path) -> Path:
    """The folder of a patch and its files have the name: they agree, and so has its key."""
    first = min(made.glob("*/*"))
    new = os.fsdecode(os.fsencode(first.name) + b"\xff")
    for path in first.iterdir():
        path.rename(path.with_name(path.name.replace(first.name, new)))
    first.rename(first.with_name(new))
    return made


def band(made: Path) -> Path:
    """The file of a band has the name."""
    first = min(made.glob("*/*/*.tif"))
    first.rename(odd(first))
    return made


def further_file(made: Path) -> Path:
    """A file that belongs to no patch has the name."""
    odd(min(made.glob("*/*/*.tif"))).write_bytes(b"")
    return made


def broken_link(made: Path) -> Path:
    """A band is a link to a missing file of that name."""
    first = min(made.glob("*/*/*.tif"))
    first.unlink()
    first.symlink_to(odd(first))
    return made


NAMED = [source_folder, folder_above, scene, patch, key, band, further_file, broken_link]


def in_folder(made: Path) -> Path:
    """The folder as it is."""
    return made


def in_tar(made: Path) -> Path:
    """An archive of the folder."""
    path = made.parent / "S1.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(made, made.name)
    shutil.rmtree(made)
    return path


def in_pax_tar(made: Path) -> Path:
    """The same, in the other format."""
    path = made.parent / "S1.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.add(made, made.name)
    shutil.rmtree(made)
    return path


def in_odd_tar(made: Path) -> Path:
    """An archive whose own name is not UTF-8."""
    path = in_tar(made)
    return path.rename(path.with_name(odd(path).name + ".tar"))


def in_cut_tar(made: Path) -> Path:
    """An archive that ends in the middle of a member, whose name is not UTF-8 like all others."""
    path = made.parent / "S1.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for file in sorted(path for path in made.rglob("*") if path.is_file()):
            name = f"{file.relative_to(made.parent).parent}/{os.fsdecode(BAD)}/{file.name}"
            archive.add(file, name)
    os.truncate(path, path.stat().st_size * 2 // 3)
    shutil.rmtree(made)
    return path


def in_zip(made: Path) -> Path:
    """A zip with names in bytes that are not UTF-8, though it claims so."""
    path = made.parent / "S1.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(made.rglob("*.tif")):
            name = str(file.relative_to(made.parent))
            plain = name.encode("utf-8", "surrogateescape").decode("latin-1")
            archive.writestr(zipfile.ZipInfo(plain), file.read_bytes() if file.exists() else b"")
    shutil.rmtree(made)
    return path


def checked_report(text: bytes) -> dict:
    """A report as JSON of valid UTF-8 without surrogates."""
    content = json.loads(text.decode())
    json.dumps(content, ensure_ascii=False).encode()
    return content


CASES = [
    *((named, in_folder) for named in NAMED),
    *((named, in_tar) for named in NAMED),
    (key, in_pax_tar),
    (patch, in_pax_tar),
    (band, in_odd_tar),
    (further_file, in_cut_tar),
    (key, in_zip),
    (band, in_zip),
]


@pytest.mark.parametrize(("named", "packed"), CASES)
def test_any_name_that_is_not_utf_8(tmp_path, named, packed):
    """Every other patch is stored, and all reports are valid; or the source is refused by name."""
    made = corpus.generate(BIGEARTHNET, tmp_path / "source", 4, modalities=["s1"])["s1"]
    source, target, report = packed(named(made)), tmp_path / "target", tmp_path / "report.json"
    command = ["bigearthnet", "--bigearthnet-s1-dir", source, "--target-dir", target, "--json"]
    forecast = rico(*command, "--dry-run")
    done = rico(*command, "--report", report)
    assert done.returncode in (0, 1, 3), done.stderr
    if done.returncode == 3:
        assert b"is not UTF-8" in done.stderr
        assert not target.exists()
        return
    summary = checked_report(done.stdout)
    assert checked_report(report.read_bytes())["failures"] == summary["failures"]
    checked_report(forecast.stdout)
    manifest = checked_report((target / "rico-hdl.json").read_bytes())
    assert manifest["failures"] == summary["failures"]
    assert (done.returncode == 1) == bool(summary["failures"])
    n_stored = len(records(target))
    assert n_stored >= (0 if packed is in_cut_tar else 3)
    assert rico("info", target, "--json").returncode == 0
    assert rico("verify", target, "--sources", "--json").returncode in (0, 1)
    again = rico(*command)  # the manifest is read and continued
    assert again.returncode == done.returncode
    assert checked_report(again.stdout)["failures"] == summary["failures"]
    assert len(records(target)) == n_stored


def test_any_target_that_is_not_utf_8(tmp_path):
    """A store may be in a folder of any name; every command works there."""
    made = corpus.generate(BIGEARTHNET, tmp_path / "source", 3, modalities=["s1"])["s1"]
    target, report = odd(tmp_path / "target"), odd(tmp_path / "report.json", "report")
    command = ["bigearthnet", "--bigearthnet-s1-dir", made, "--target-dir", target]
    assert rico(*command, "--dry-run").returncode == 0
    for options in ([], ["--json"], ["--overwrite", "--progress", "json"]):
        done = rico(*command, "--report", report, *options)
        assert done.returncode == 0, done.stderr
        checked_report(report.read_bytes())
    for arguments in (["info", target], ["verify", target], ["verify", target, "--sources"]):
        assert rico(*arguments).returncode == 0
        checked_report(rico(*arguments, "--json").stdout)
    assert len(records(target)) == 3
    (target / "data.mdb").write_bytes(b"no LMDB" * 1000)
    for arguments in (["info", target], ["verify", target], command):
        assert rico(*arguments).returncode == 4
    nowhere = odd(tmp_path / "nowhere", "no")
    for arguments in (["info", nowhere], ["verify", nowhere]):
        done = rico(*arguments)
        assert (done.returncode, b"nowhere" not in done.stderr) == (4, True)


@pytest.mark.parametrize(("named", "packed"), CASES)
def test_reports_in_python_have_no_surrogates(tmp_path, named, packed):
    """Failures and warnings of a conversion and a forecast are valid text."""
    made = corpus.generate(BIGEARTHNET, tmp_path / "source", 4, modalities=["s1"])["s1"]
    source, target = {"s1": packed(named(made))}, odd(tmp_path / "target")
    json.dumps(dry_run(BIGEARTHNET, source, target).to_dict(), ensure_ascii=False).encode()
    try:
        summary = convert(BIGEARTHNET, source, target)
    except SourceError as error:
        str(error).encode()
        return
    for result in (summary, inspect(target), verify(target)):
        json.dumps(result.to_dict(), ensure_ascii=False).encode()
