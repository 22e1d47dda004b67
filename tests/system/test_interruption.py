"""Signals to a program that ignores them, and to one that doesn't."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from rico_hdl.system.interruption import deferred_signals
from tests.support.reading import records
from tests.support.running import held_at, run


@pytest.fixture(autouse=True)
def handlers():
    """All signals that are deferred, with their own handlers, which are restored afterwards."""
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    yield numbers
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_an_ignored_signal_stays_ignored():
    """A signal that was ignored before sets no flag and stays ignored, unlike the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with deferred_signals() as flag:
        signal.raise_signal(signal.SIGINT)
        assert not flag
        signal.raise_signal(signal.SIGTERM)
        assert flag.signal is signal.SIGTERM
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_raises_a_flag_and_the_second_is_as_before(handlers, number):
    """The first signal only sets the flag; the second one reaches the previous handler."""
    got = []
    for each in handlers:
        signal.signal(each, lambda number, _: got.append(number))
    with deferred_signals() as flag:
        assert not flag
        signal.raise_signal(number)
        assert (flag.signal, got) == (number, [])
        signal.raise_signal(number)
        assert got == [number]
    signal.raise_signal(number)
    assert got == [number] * 2


def test_handlers_are_put_back(handlers):
    """After the context all handlers are the previous ones, even if no signal came."""
    before = [signal.getsignal(number) for number in handlers]
    with deferred_signals():
        assert all(signal.getsignal(number) not in before for number in handlers)
    assert [signal.getsignal(number) for number in handlers] == before


def test_other_threads_leave_the_handlers_alone(handlers):
    """In a thread, where Python sets no handlers, the flag is never set and nothing changes."""
    before = [signal.getsignal(number) for number in handlers]
    found = []

    def defer():
        with deferred_signals() as flag:
            found.append((bool(flag), [signal.getsignal(number) for number in handlers]))

    thread = threading.Thread(target=defer)
    thread.start()
    thread.join()
    assert found == [(False, before)]


def started_ignoring_sigint(*arguments: object) -> subprocess.Popen[str]:
    """The command line as a shell script starts it with ``&``, in its own process group."""
    command = [sys.executable, "-m", "rico_hdl", *map(str, arguments)]
    return subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def blocked(bigearthnet):
    """A named pipe in place of a band of BigEarthNet's first Sentinel-1 patch."""
    path = min(bigearthnet["s1"].glob("*/*/*_VV.tif"), key=lambda path: path.parent.name)
    path.unlink()
    os.mkfifo(path)
    return path


@pytest.mark.usefixtures("stalling_pipes")
def test_a_conversion_that_ignores_sigint_goes_on(bigearthnet, tmp_path):
    """A conversion that ignores SIGINT, as with nohup or &, is not stopped by it."""
    pipe, target = blocked(bigearthnet), tmp_path / "target"
    process = started_ignoring_sigint(
        "bigearthnet", "--bigearthnet-s1-dir", bigearthnet["s1"], "--target-dir", target
    )
    with held_at(pipe, process):
        os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert "stopped" not in stderr
    assert process.returncode == 1, stderr  # an empty pipe is not a TIFF: that patch is left out
    assert len(records(target)) == 5


@pytest.mark.usefixtures("stalling_pipes")
def test_a_verification_that_ignores_sigint_goes_on(bigearthnet, tmp_path):
    """A verification that ignores SIGINT continues, and so does the process that reads."""
    target = tmp_path / "target"
    command = ["bigearthnet", "--bigearthnet-s1-dir", bigearthnet["s1"], "--target-dir", target]
    assert run(*command).returncode == 0
    pipe = blocked(bigearthnet)
    process = started_ignoring_sigint(
        "verify", target, "--sources", "--bigearthnet-s1-dir", bigearthnet["s1"]
    )
    with held_at(pipe, process):
        os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert "stopped" not in stderr
    assert process.returncode == 1, stderr  # the patch with the empty pipe can't be decoded
    assert "5 patches compared" in stdout or "6 patches compared" in stdout
