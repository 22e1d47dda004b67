"""`rico-hdl verify` and `rico-hdl info` as processes."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

import corpus
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from tests.support.reading import records
from tests.support.running import driven, held_at, python, run, started

BIGEARTHNET = registry()["bigearthnet"]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> tuple[dict[str, Path], Path]:
    """Sources and target of a small BigEarthNet, not to be changed."""
    root = tmp_path_factory.mktemp("pristine")
    sources = corpus.generate(BIGEARTHNET, root / "source", 3)
    convert(BIGEARTHNET, sources, root / "target")
    return sources, root / "target"


@pytest.fixture
def target(pristine, tmp_path) -> Path:
    """A copy of the target, to be changed."""
    return shutil.copytree(pristine[1], tmp_path / "target")


def test_an_intact_store_ends_with_0(pristine):
    """All as written: counts on stdout, exit code 0; nothing at all with --quiet."""
    result = run("verify", pristine[1])
    assert (result.returncode, result.stderr) == (0, "")
    assert "9 records" in result.stdout
    assert "all as written" in result.stdout
    quiet = run("verify", pristine[1], "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_findings_end_with_1(target):
    """Each finding is a line of its own, or an entry of the JSON; the exit code is 1."""
    key = next(iter(records(target)))
    with lmdb.open(str(target), map_size=2**30) as env, env.begin(write=True) as txn:
        txn.delete(key.encode())
        txn.put(b"stranger", b"")
    text = run("verify", target)
    assert text.returncode == 1
    assert f"missing: {key}: " in text.stdout
    assert "extra: stranger: " in text.stdout
    assert "2 findings" in text.stdout
    result = run("verify", target, "--json")
    assert result.returncode == 1
    content = json.loads(result.stdout)
    assert [(f["kind"], f["key"]) for f in content["findings"]] == [
        ("missing", key),
        ("extra", "stranger"),
    ]
    assert content["target"] == str(target)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for the child in /proc")
@pytest.mark.parametrize("as_json", [False, True])
def test_a_store_that_crashes_its_reader_is_a_finding(target, as_json):
    """If the system kills the reader, the command says so and ends with 1."""
    process = started("-m", "rico_hdl", "verify", target, *["--json"] * as_json)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (child := children.read_text()):
        assert process.poll() is None
    os.kill(int(child), signal.SIGBUS)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    if as_json:
        (finding,) = json.loads(output)["findings"]
        assert (finding["kind"], "crash" in finding["reason"]) == ("damaged", True)
    else:
        assert output.startswith("damaged: ")
        assert "SIGBUS" in output


def test_a_store_that_is_being_written_says_so(target):
    """While a conversion runs, and after one that left something out, a note limits the claim."""
    journal = target / "rico-hdl.journal"
    with journal.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        result = run("verify", target)
        assert result.returncode == 0
        assert "note: " in result.stdout
        assert json.loads(run("verify", target, "--json").stdout)["is_being_written"]
    path = target / "rico-hdl.json"
    path.write_text(path.read_text().replace('"complete": true', '"complete": false'))
    result = run("verify", target)
    assert result.returncode == 0
    assert "note: " in result.stdout
    content = json.loads(run("verify", target, "--json").stdout)
    assert (content["is_complete"], content["is_being_written"]) == (False, False)


def test_interrupted_stores_are_intact_with_a_note(pristine, tmp_path):
    """Remains of a killed transaction are a note, not a finding."""
    sources, _ = pristine
    target = tmp_path / "target"
    options = ["--bigearthnet-s2-dir", sources["s2"], "--target-dir", target]
    killed = subprocess.run(driven("journal", 1, "bigearthnet", *options), check=False)
    assert killed.returncode == -signal.SIGKILL
    result = run("verify", target)
    assert result.returncode == 0, result.stdout
    assert "0 records" in result.stdout
    assert " 3 records without storing them" in result.stdout
    info = run("info", target)
    assert "0 patches" in info.stdout
    assert "not complete (interrupted)" in info.stdout


def test_sources_are_compared(pristine, target, tmp_path):
    """--sources compares with the manifest's sources, or those of the dataset's own options."""
    sources, _ = pristine
    result = run("verify", target, "--sources")
    assert result.returncode == 0, result.stdout
    assert "9 patches compared" in result.stdout
    assert "all equal" in result.stdout

    moved = shutil.copytree(sources["s1"], tmp_path / "moved")
    path = next(moved.glob("*/*/*_VV.tif"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    for decoder in ("fast", "gdal"):
        options = ["--sources", "--bigearthnet-s1-dir", moved, "--decoder", decoder, "--json"]
        result = run("verify", target, *options)
        assert result.returncode == 1
        content = json.loads(result.stdout)
        assert content["n_records"] == 3
        (finding,) = content["findings"]
        assert (finding["kind"], finding["key"]) == ("damaged", path.parent.name)
        assert "band VV" in finding["reason"]


def test_wrong_usage_suggests_a_correction(pristine, tmp_path):
    """Options that don't go together, or are unknown, end with 2; a missing store with 4."""
    sources, target = pristine
    cases = [
        ([], 2, "TARGET"),
        ([target, "--bigearthnet-s1-dir", sources["s1"]], 2, "Add --sources"),
        ([target, "--decoder", "gdal"], 2, "Add --sources"),
        ([target, "--decoder", "magic", "--sources"], 2, "magic"),
        ([target, "--sources", "--dataset-dir", tmp_path], 2, "--dataset-dir"),
        ([target, "--num-workers", "0"], 2, "x>=1"),
        ([target, "another"], 2, "another"),
        ([tmp_path / "nowhere"], 4, "no such folder"),
        ([tmp_path], 4, "there is no data.mdb"),
        ([tmp_path, "--sources"], 4, "rico-hdl.json"),
        ([tmp_path, "--sources", "--dataset-dir", tmp_path], 2, "no known dataset"),
    ]
    for arguments, code, expected in cases:
        result = run("verify", *arguments)
        assert (result.returncode, expected in result.stderr) == (code, True), (arguments, result)
        assert result.stdout == ""


def test_modules_in_the_current_folder_are_not_imported(pristine, tmp_path):
    """A json.py next to the user's data is not imported by the verifying process."""
    (tmp_path / "json.py").write_text("raise SystemExit('wrong module')")
    result = python("-P", "-m", "rico_hdl", "verify", pristine[1], cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.usefixtures("interruptible", "stalling_pipes")
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to_group", [True, False])
def test_signals_end_it_without_a_traceback(pristine, tmp_path, number, to_group):
    """Ctrl-C and SIGTERM, to the process or to its group, end the process that reads as well."""
    sources, _ = pristine
    copy = shutil.copytree(sources["s1"], tmp_path / "S1")
    pipes = [next(folder.glob("*_VV.tif")) for folder in sorted(copy.glob("*/*"))]
    pipes.sort(key=lambda path: path.parent.name)
    for pipe in pipes:
        pipe.unlink()
        os.mkfifo(pipe)
    options = ["--sources", "--bigearthnet-s1-dir", copy, "--num-workers", 1]
    process = started("-m", "rico_hdl", "verify", pristine[1], *options, start_new_session=True)
    with held_at(pipes[0], process):  # behind the first patch the next one blocks
        pass
    if to_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    # Both hold the pipes of their output: this returns when the reading process has ended, too.
    stdout, stderr = process.communicate(timeout=60)
    said = {signal.SIGINT: "interrupted; ", signal.SIGTERM: "error: stopped by SIGTERM"}[number]
    assert (process.returncode, stdout) == (128 + number, "")
    assert said in stderr
    assert "Traceback" not in stderr


def test_info_of_a_complete_store(pristine):
    """Dataset, patches, bands, sources, digest and that nothing is missing, as text and JSON."""
    sources, target = pristine
    text = run("info", target).stdout
    manifest = json.loads((target / "rico-hdl.json").read_text())
    for expected in (
        f"{target}: bigearthnet",
        "9 patches",
        "s2: 3 patches (published: ",
        f"from {sources['s2']}",
        "uint16 120x120: B02, B03, B04, B08",
        "uint16 20x20: B01, B09",
        manifest["tool"],
        manifest["content_digest"],
        "\n  complete\n",
    ):
        assert expected in text
    content = json.loads(run("info", target, "--json").stdout)
    assert content["complete"] is True
    assert content["n_records"] == 9
    assert content["modalities"]["s1"]["n_patches"] == 3
    assert run("info", target.parent).returncode == 4
