"""One signal ends every command within two seconds, whatever it is waiting for."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import corpus
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from tests.support.reading import records
from tests.support.running import run, started

pytestmark = [
    pytest.mark.usefixtures("interruptible"),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals"),
]

BIGEARTHNET = registry()["bigearthnet"]
HANGING = Path(__file__).parents[1] / "support" / "hanging.py"
SECONDS = 2.0
"""The promised time."""
SLACK_SECONDS = 1.5
"""For the interpreter to end on a busy machine."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder, archives and store of some patches, by name."""
    folder = tmp_path_factory.mktemp("made")
    source = corpus.generate(BIGEARTHNET, folder / "source", 8, modalities=["s1"])["s1"]
    tar = shutil.make_archive(str(folder / "S1"), "tar", source.parent, source.name)
    packed = shutil.make_archive(str(folder / "S1"), "gztar", source.parent, source.name)
    convert(BIGEARTHNET, {"s1": source}, folder / "target")
    return {"folder": source, "tar": tar, "gz": packed, "store": folder / "target"}


def until(condition, process):
    """Wait until something is true while a process runs."""
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def ended(process, number, seconds=SECONDS) -> tuple[int, str]:
    """Exit code and errors of a process that ends in time after a signal."""
    start = time.monotonic()
    process.send_signal(number)
    try:
        _, errors = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert time.monotonic() - start < seconds + SLACK_SECONDS
    assert "Traceback" not in errors
    return process.returncode, errors


CASES = {
    "planning a folder": ("list", 2, "folder", []),
    "planning an archive": ("archive", 1, "tar", []),
    "planning a compressed archive": ("archive", 1, "gz", []),
    "reading a folder": ("read", 5, "folder", []),
    "reading an archive": ("archive", 3, "tar", []),
    "forecasting from a folder": ("read", 2, "folder", ["--dry-run"]),
    "forecasting from an archive": ("archive", 3, "gz", ["--dry-run"]),
    "noting records": ("journal", 1, "folder", []),
    "committing": ("commit", 1, "folder", []),
}
"""The point, the number of the call, the source, and further options."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_one_signal_ends_a_command_that_hangs(made, tmp_path, case, number):
    """A conversion or dry run that hangs anywhere ends with 130 at the first signal."""
    point, call, source, options = case
    mark, target = tmp_path / "hanging", tmp_path / "target"
    command = ["bigearthnet", "--bigearthnet-s1-dir", made[source], "--target-dir", target]
    process = started(HANGING, point, call, mark, *command, *options)
    until(mark.exists, process)
    code, errors = ended(process, number)
    assert code == 130, errors
    assert "stopped by" in errors or "interrupted" in errors
    if not options and number == signal.SIGTERM:
        assert run(*command).returncode == 0
        assert len(records(target)) == 8


def test_a_worker_that_hangs_does_not_keep_records_from_being_committed(made, tmp_path):
    """Records put before a worker hangs are committed at the first signal, and reported."""
    mark, target, report = (tmp_path / name for name in ("hanging", "target", "report.json"))
    command = ["bigearthnet", "--bigearthnet-s1-dir", made["folder"], "--target-dir", target]
    # The first patch is converted alone, so it is put before the others are read.
    process = started(HANGING, "read", 4, mark, *command, "--report", report)
    until(mark.exists, process)
    code, errors = ended(process, signal.SIGTERM)
    assert code == 130
    assert "1 patches are stored" in errors
    assert report.exists()
    assert len(records(target)) == 1
    assert run("verify", target).returncode == 0
    assert run(*command).returncode == 0
    assert len(records(target)) == 8


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_info_that_hangs_ends(made, tmp_path, number):
    """`info` on a store that can't be opened ends at the first signal, with its number."""
    process = started(HANGING, "map", 1, tmp_path / "hanging", "info", made["store"])
    until((tmp_path / "hanging").exists, process)
    assert ended(process, number)[0] == 128 + number


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_checking_process_that_hangs_ends_with_its_parent(made, number):
    """A verification whose reading process is stopped ends at the first signal, and so does it."""
    process = started("-m", "rico_hdl", "verify", made["store"])
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until(lambda: children.read_text().strip(), process)
    child = Path(f"/proc/{int(children.read_text())}")
    # Not before it is a program of its own: until then, its parent can't do anything.
    own = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    until(lambda: (child / "cmdline").read_bytes() not in {own, b""}, process)
    subprocess.run(["kill", "-STOP", child.name], check=True)
    code, _ = ended(process, number)
    assert code == 128 + number
    # A process that nobody has waited for yet is a zombie.
    assert not child.exists() or "State:\tZ" in (child / "status").read_text()


STARTING = """
import os, signal, sys
from rico_hdl.checking import isolated
from rico_hdl.cli import main
number, start = int(sys.argv.pop(1)), isolated._started
def started():
    child = start()
    os.kill(child.pid, signal.SIGSTOP)
    print(child.pid, flush=True)
    os.kill(os.getpid(), number)
    return child
isolated._started = started
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_while_the_checking_process_starts_is_one(made, number):
    """A signal that waits until the reading process is known ends both, and is not a second one."""
    done = started("-c", STARTING, int(number), "verify", made["store"])
    output, errors = done.communicate(timeout=20)
    assert done.returncode == 128 + number
    assert "in the middle of an operation" not in errors
    assert "Traceback" not in errors
    with pytest.raises(ProcessLookupError):
        os.kill(int(output), 0)


def test_a_second_signal_ends_it_at_once(made, tmp_path):
    """A second signal does not wait for the deadline of the first."""
    mark = tmp_path / "hanging"
    command = ["bigearthnet", "--bigearthnet-s1-dir", made["folder"], "--target-dir"]
    process = started(HANGING, "list", 2, mark, *command, tmp_path / "target")
    until(mark.exists, process)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    assert ended(process, signal.SIGTERM, seconds=0)[0] == 130


def test_full_standard_error_does_not_keep_it_from_ending(made, tmp_path):
    """A process ends in time although nobody reads its standard error, which is full."""
    mark = tmp_path / "hanging"
    command = ["bigearthnet", "--bigearthnet-s1-dir", made["folder"], "--target-dir"]
    script = 'head -c 65536 /dev/zero >&2; exec "$@"'
    arguments = [sys.executable, HANGING, "list", 2, mark, *command, tmp_path / "target"]
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", *map(str, arguments), "--progress", "none"],
        stderr=subprocess.PIPE,
    )
    until(mark.exists, process)
    start = time.monotonic()
    process.terminate()
    assert process.wait(timeout=20) == 130
    assert time.monotonic() - start < SECONDS + SLACK_SECONDS
    process.stderr.close()
