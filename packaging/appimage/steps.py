"""Shared by building and checking: running programs, and two ways to end early."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

NOT_HERE_CODE: Final = 77
"""The exit code if this machine can't do something, as in automake."""


class NotHereError(Exception):
    """This machine lacks something, named in the message."""


class StepError(Exception):
    """A step failed; the message is for the user."""


def run(
    *command: str | Path, env: Mapping[str, str] | None = None, folder: Path | None = None
) -> str:
    """Run a program, and return its stdout.

    Raises:
        StepError: It failed. The message has its output.
    """
    words = [str(word) for word in command]
    result = subprocess.run(
        words, env=env, cwd=folder, capture_output=True, text=True, errors="replace", check=False
    )
    if result.returncode:
        said = f"{result.stdout}{result.stderr}".strip()
        raise StepError(f"{' '.join(words)}: exit code {result.returncode}\n{said}")
    return result.stdout


def need(*programs: str) -> None:
    """Check that this is a machine of the right kind and has some programs.

    Raises:
        NotHereError: It is another kind, or lacks a program.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NotHereError(f"needs Linux on x86_64, this is {sys.platform} on {platform.machine()}")
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        raise NotHereError(f"needs {', '.join(missing)}: install the packages in packages.txt")


def end(main: Callable[[], None]) -> None:
    """Call a script's function, and turn its exceptions into a message and an exit code."""
    try:
        main()
    except NotHereError as error:
        print(error, file=sys.stderr)
        sys.exit(NOT_HERE_CODE)
    except StepError as error:
        sys.exit(str(error))
