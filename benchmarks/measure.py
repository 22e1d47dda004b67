"""Run a command and measure it as a whole process.

In: a command line. Out: wall seconds, processor seconds, peak memory, and the command's standard
output.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class CommandError(Exception):
    """A measured command failed."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The cost of one run of a command."""

    seconds: float
    """Wall time, from start to exit."""
    cpu_seconds: float
    """User and system time, including child processes."""
    peak_bytes: int
    """Largest resident set of any single process; the total of several processes is higher."""
    output: str
    """Its standard output."""


def run(command: Sequence[str], environment: Mapping[str, str]) -> Measurement:
    """Run a command to its end.

    The caller must be small: a child counts the memory of the process that started it until it has
    loaded its own program.

    Raises:
        CommandError: Its exit status is not 0.
    """
    os.sync()  # Otherwise, writing back the output of earlier commands would be measured too.
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as messages:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=output, stderr=messages, env=dict(environment), stdin=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        messages.seek(0)
        if process.returncode:
            raise CommandError(
                f"{' '.join(command)}\nexited with {process.returncode}:\n{messages.read()[-2000:]}"
            )
        return Measurement(
            seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output.read()
        )
