"""docs/slurm.md, network.md, local-copy.md: their scripts run as shown, except for paths."""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import corpus
import rico_hdl
from rico_hdl.datasets import registry
from tests.support.documents import DOCS, sections
from tests.support.reading import records

BIGEARTHNET = registry()["bigearthnet"]
TOOLS = Path(sys.executable).parent
SLURM_ID = "4711"


def script_of(name, folder):
    """The script of a guide, with its network and local disks replaced by a folder."""
    blocks = [b for part in sections(DOCS / name) for b in part.blocks if b.language == "sh"]
    (block,) = blocks
    assert block.text.count("/network/") >= 1
    return block.text.replace("/network/", f"{folder}/network/")


def environment(folder, **more):
    """The environment in which scripts find `rico-hdl`, `python` and a local disk."""
    path = os.pathsep.join([str(folder / "bin"), str(TOOLS), os.environ["PATH"]])
    (folder / "local").mkdir(exist_ok=True)
    return os.environ | {"PATH": path, "TMPDIR": str(folder / "local"), **more}


def start(script, folder, **more):
    """Start a script with bash, as a cluster does, and keep its output."""
    return subprocess.Popen(
        ["bash", "-c", script], cwd=folder, env=environment(folder, **more),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def ended(process):
    """The exit code of a script, and its output."""
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def wait_until(process, condition):
    """Wait until a running process fulfils a condition."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def let_go(pipe, process):
    """Open and close a pipe for writing until the process ends, in case it waits for a writer."""
    while process.poll() is None:
        with suppress(OSError):  # it is not open for reading
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        time.sleep(0.01)


@pytest.fixture
def job(tmp_path):
    """The sources of a SLURM job under the names in the guide, and a queue to requeue to.

    The queue is a program that notes how it was called; no SLURM runs where tests do.
    """
    downloads = tmp_path / "network" / "downloads"
    sources = corpus.generate(BIGEARTHNET, tmp_path / "source", 6, modalities=["s1", "s2"])
    downloads.mkdir(parents=True)
    for name, source in sources.items():
        source.rename(downloads / f"BigEarthNet-{name.upper()}.tar.zst")
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/requeued\n', encoding="utf-8")
    scontrol.chmod(scontrol.stat().st_mode | stat.S_IXUSR)
    return downloads


def start_job(folder):
    """Start the guide's job."""
    slurm = {"SLURM_JOB_ID": SLURM_ID, "SLURM_CPUS_PER_TASK": "2"}
    return start(script_of("slurm.md", folder), folder, **slurm)


@pytest.mark.usefixtures("job")
def test_job_leaves_the_store_on_the_network(tmp_path):
    """An undisturbed job converts all sources and leaves no files on the node."""
    code, output = ended(start_job(tmp_path))
    assert code == 0, output
    kept = tmp_path / "network" / "Encoded-BigEarthNet"
    assert {path.name for path in kept.iterdir()} == {
        "data.mdb",
        "rico-hdl.json",
        "rico-hdl.georef",
        "rico-hdl.journal",
    }
    assert rico_hdl.verify(kept).findings == []
    assert rico_hdl.inspect(kept).complete
    assert len(records(kept)) == 12
    assert not any((tmp_path / "local").iterdir())
    assert not (tmp_path / "requeued").exists()


@pytest.mark.usefixtures("stalling_pipes")
def test_job_that_is_stopped_saves_requeues_and_continues(job, tmp_path):
    """SIGTERM to the script saves the store and requeues the job; its next run adds the rest."""
    source = job / "BigEarthNet-S2.tar.zst"
    blocking = sorted(source.rglob("*_B12.tif"))[3]
    good = blocking.read_bytes()
    blocking.unlink()
    os.mkfifo(blocking)
    process = start_job(tmp_path)
    # A thread of the conversion waits for the pipe to get a writer, so that it can't end before.
    wait_until(process, lambda: any((tmp_path / "local").rglob("data.mdb")))
    process.send_signal(signal.SIGTERM)
    let_go(blocking, process)
    code, output = ended(process)
    assert code == 130, output
    assert (tmp_path / "requeued").read_text() == f"requeue {SLURM_ID}\n"
    kept = tmp_path / "network" / "Encoded-BigEarthNet"
    n_saved = len(records(kept))
    assert n_saved < 12
    assert not rico_hdl.inspect(kept).complete

    blocking.unlink()
    blocking.write_bytes(good)
    code, output = ended(start_job(tmp_path))
    assert code == 0, output
    assert sum(map(int, re.findall(r"(\d+) already there", output))) == n_saved
    assert rico_hdl.inspect(kept).complete
    assert rico_hdl.verify(kept).findings == []
    assert len(records(kept)) == 12


def test_job_that_fails_keeps_the_saved_store(job, tmp_path):
    """If a source can't be used, the job ends with that exit code, and the saved store stays."""
    assert ended(start_job(tmp_path))[0] == 0
    kept = tmp_path / "network" / "Encoded-BigEarthNet"
    before = (kept / "data.mdb").read_bytes()
    shutil.rmtree(job / "BigEarthNet-S2.tar.zst")
    assert ended(start_job(tmp_path))[0] == 3
    assert (kept / "data.mdb").read_bytes() == before
    assert not any((tmp_path / "local").iterdir())


def test_a_node_copies_a_store_once(tmp_path):
    """When several processes start at once, one copies, all read the copy, and it stays."""
    spec = registry()["uc-merced"]
    store = tmp_path / "network" / "Encoded-BigEarthNet"
    rico_hdl.convert(spec, corpus.generate(spec, tmp_path / "source", 4), store)
    (tmp_path / "train.py").write_text(
        "import sys, rico_hdl\nprint(len(rico_hdl.open(sys.argv[1])))\n", encoding="utf-8"
    )
    copy = tmp_path / "local" / store.name
    half = copy.with_name(f"{copy.name}.part")
    half.mkdir(parents=True)
    (half / "data.mdb").write_bytes(b"half of it")
    script = script_of("local-copy.md", tmp_path)
    running = [start(script, tmp_path) for _ in range(4)]
    assert [ended(process) for process in running] == [(0, "4\n")] * 4
    assert {path.name for path in copy.iterdir()} == {"data.mdb", "rico-hdl.json"}
    made = (copy / "data.mdb").stat().st_mtime_ns
    assert ended(start(script, tmp_path)) == (0, "4\n")
    assert (copy / "data.mdb").stat().st_mtime_ns == made


def test_a_copy_that_fails_starts_nothing(tmp_path):
    """Without a store to copy, the script ends with an error and leaves no such folder."""
    (tmp_path / "train.py").write_text("raise SystemExit('started')\n", encoding="utf-8")
    code, output = ended(start(script_of("local-copy.md", tmp_path), tmp_path))
    assert code == 1
    assert "started" not in output
    assert not (tmp_path / "local" / "Encoded-BigEarthNet").exists()


def test_a_new_version_goes_to_a_folder_of_its_own(tmp_path):
    """The lines that replace a store write a folder that passes `verify` under its new name."""
    spec = registry()["uc-merced"]
    sources = corpus.generate(spec, tmp_path / "source", 2)
    rico_hdl.convert(spec, sources, tmp_path / "Encoded-UC-Merced")
    code, output = ended(start(script_of("network.md", tmp_path), tmp_path))
    assert code == 0, output
    assert "2 records" in output
    assert [path.name for path in (tmp_path / "network").iterdir()] == ["Encoded-UC-Merced-2"]
