"""Messages of the command line for many failures, and for unexpected errors."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import lmdb
import pytest

import corpus
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from tests.support.reading import records
from tests.support.running import python, run

BIGEARTHNET = registry()["bigearthnet"]
EUROSAT = registry()["eurosat-multi-spectral"]


def test_a_mistake_of_ours_is_called_one():
    """An unexpected error exits with 70 and says where to report it; a traceback is optional."""
    code = (
        "import sys, rico_hdl.cli as cli, rico_hdl.checking.inspection as inspection\n"
        "def fail(*_, **__): raise ZeroDivisionError('by zero')\n"
        "inspection.inspect = fail\n"
        "sys.argv = ['rico-hdl', 'info', '.']\ncli.main()"
    )
    done = python("-c", code)
    assert (done.returncode, "Traceback" in done.stderr) == (70, False)
    debugged = python("-c", code, env=os.environ | {"RICO_HDL_DEBUG": "1"})
    assert "Traceback" in debugged.stderr
    assert all("ZeroDivisionError: by zero" in one.stderr for one in (done, debugged))


def test_many_failures_are_counted_and_listed_elsewhere(tmp_path):
    """If many patches are left out, some are shown; manifest and report list all."""
    sources = corpus.generate(BIGEARTHNET, tmp_path / "source", 25, modalities=["s1"])
    for path in sorted(sources["s1"].glob("*/*/*_VV.tif"))[:24]:
        path.write_bytes(b"no TIFF")
    target = tmp_path / "target"
    command = ["bigearthnet", "--bigearthnet-s1-dir", sources["s1"], "--target-dir", target]
    dry = run(*command, "--dry-run")
    done = run(*command, "--report", tmp_path / "report.json")
    assert done.returncode == 1
    shown = [line for line in done.stderr.splitlines() if "band VV: " in line]
    assert len(shown) == 10
    assert "rico-hdl.json" in done.stderr
    assert len(json.loads((target / "rico-hdl.json").read_text())["failures"]) == 24
    assert len(json.loads((tmp_path / "report.json").read_text())["failures"]) == 24
    assert dry.returncode == 1
    assert "band VV: " in dry.stdout
    assert len(records(target)) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
def test_a_report_that_cannot_be_written_is_an_error(bigearthnet, tmp_path):
    """The path of the report and the reason are named, and the store is kept."""
    target = tmp_path / "target"
    command = ["bigearthnet", "--bigearthnet-s1-dir", bigearthnet["s1"], "--target-dir", target]
    done = run(*command, "--report", "/dev/full")
    assert done.returncode == 1
    assert "--report: /dev/full" in done.stderr
    assert len(records(target)) == 6


def test_a_dry_run_reports_a_damaged_archive(bigearthnet, tmp_path):
    """An unreadable part of an archive is a failure of the dry run, which writes nothing."""
    folder = bigearthnet["s1"]
    archive = Path(shutil.make_archive(str(tmp_path / "S1"), "tar", folder.parent, folder.name))
    os.truncate(archive, archive.stat().st_size // 4)
    target = tmp_path / "target"
    done = run("bigearthnet", "--bigearthnet-s1-dir", archive, "--target-dir", target, "--dry-run")
    assert done.returncode == 1
    assert "cut short" in done.stdout + done.stderr
    assert not target.exists()


def test_a_file_with_other_bands_is_left_out(tmp_path):
    """A file with too few bands fails its patch, and both numbers are given."""
    sources = corpus.generate(EUROSAT, tmp_path / "source", 3)
    (folder,) = sources.values()
    wrong = min(folder.rglob("*.tif"))
    other = corpus.generate(registry()["uc-merced"], tmp_path / "other", 1)
    shutil.copy(next(next(iter(other.values())).rglob("*.tif")), wrong)
    summary = convert(EUROSAT, sources, tmp_path / "target")
    (failure,) = summary.failures
    assert "3 bands, expected 13" in failure.reason
    assert failure.path == str(wrong)


@pytest.fixture
def store(bigearthnet, tmp_path):
    """A small store."""
    convert(BIGEARTHNET, bigearthnet, tmp_path / "target")
    return tmp_path / "target"


def test_many_findings_are_counted(store):
    """A hundred findings are shown and the rest is counted; JSON has all."""
    with lmdb.open(str(store), map_size=2**30) as env, env.begin(write=True) as txn:
        for i in range(150):
            txn.put(b"stranger-%03d" % i, b"")
    done = run("verify", store)
    assert done.returncode == 1
    assert done.stdout.count("extra: stranger-") == 100
    assert "more: use --json" in done.stdout
    findings = json.loads(run("verify", store, "--json").stdout)["findings"]
    assert sum(finding["key"].startswith("stranger-") for finding in findings) == 150


def test_the_judge_is_optional():
    """Without rasterio, the error says how to install it."""
    code = (
        "import sys; sys.modules['rasterio'] = sys.modules['rasterio.errors'] = None\n"
        "import rico_hdl.cli as cli; from rico_hdl.decoding.gdal import GdalDecoder\n"
        "from rico_hdl.errors import UsageError\n"
        "try: GdalDecoder()\nexcept UsageError as error: print(error)"
    )
    done = python("-c", code)
    assert "pip install rasterio" in done.stdout


def test_an_archive_that_is_a_pipe_is_an_error(tmp_path):
    """A pipe is refused as such, since archives are read more than once."""
    path = tmp_path / "x.tar"
    os.mkfifo(path)
    done = run("uc-merced", "--dataset-dir", path, "--target-dir", tmp_path / "target")
    assert done.returncode == 3
    assert str(path) in done.stderr
