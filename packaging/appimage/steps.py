"""What building and checking have in common: programs that are run, and two ways to end early.

In: commands. Out: what they print. Nothing here knows what an AppImage is.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

NOT_HERE_CODE: Final = 77
"""The exit code for what this machine can't do, as automake has it."""


class NotHereError(Exception):
    """This machine lacks something, which the message names."""


class StepError(Exception):
    """A step failed; the message is for people."""


def run(
    *command: str | Path, env: Mapping[str, str] | None = None, folder: Path | None = None
) -> str:
    """Run a program; what it prints.

    Raises:
        StepError: It failed. The message has all that it said.
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
    """Make sure that this is a machine of the right kind, and has programs.

    Raises:
        NotHereError: It is not, or has not.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NotHereError(f"needs Linux on x86_64, this is {sys.platform} on {platform.machine()}")
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        raise NotHereError(f"needs {', '.join(missing)}: install what packages.txt lists")


def end(main: Callable[[], None]) -> None:
    """Call a script's function, and turn what it raises into a message and an exit code."""
    try:
        main()
    except NotHereError as error:
        print(error, file=sys.stderr)
        sys.exit(NOT_HERE_CODE)
    except StepError as error:
        sys.exit(str(error))
