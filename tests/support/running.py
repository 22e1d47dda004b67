"""Running the command line as a process, to its end or killed at a chosen point."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.reading import records

DRIVER = Path(__file__).with_name("driver.py")


def run(*arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command line; a traceback is a failure of any test."""
    result = python("-m", "rico_hdl", *arguments, timeout=timeout)
    assert "Traceback" not in result.stderr
    assert "mistake in rico-hdl" not in result.stderr
    return result


def python(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run Python to its end, and capture its output."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def started(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start Python, and capture its output."""
    command = [sys.executable, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, **options)


_PEAK = """
import re, sys
from pathlib import Path

def peak():  # not getrusage: its maximum includes the process that started this one
    return int(re.search("VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def measured(code: str, *arguments: object) -> str:
    """The output of a program that may call `peak`, its most kilobytes of memory until then."""
    result = python("-c", _PEAK + code, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def driven(point: str, number: int, *arguments: object) -> list[str]:
    """The command that runs the command line with small transactions; see `driver.py`."""
    return [sys.executable, str(DRIVER), point, str(number), *map(str, arguments)]


def summary_of(result: subprocess.CompletedProcess[str]) -> dict:
    """The summary that a conversion with --json printed."""
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def n_stored(target: Path) -> int:
    """The number of records in a folder; 0 without a database."""
    return len(records(target)) if (target / "data.mdb").exists() else 0


@contextmanager
def held_at(pipe: Path, process: subprocess.Popen) -> Iterator[None]:
    """Hold a process that reads a named pipe from its opening of the pipe until the context ends.

    If the process ends before it opens the pipe, that is an error and not an endless wait.
    """
    while True:
        try:
            file = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:  # no process has opened it for reading
                raise
            assert process.poll() is None, f"ended with {process.returncode} before the pipe"
            time.sleep(0.005)
    try:
        yield
    finally:
        os.close(file)
