"""Shared by the scripts of this folder: names, versions, running programs, reporting skips.

Scripts import it as ``project``, because the folder is not a package.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final, NoReturn

ROOT: Final = Path(__file__).resolve().parents[1]
VERSION_FILE: Final = Path("src", "rico_hdl", "_version.py")
"""The only file that states the version, relative to the project's root."""

EXIT_SKIPPED: Final = 77
"""The exit code of a script if this machine lacks something, as in automake."""


class ProcessError(Exception):
    """A program failed; the message has its command and its output."""


def version(root: Path = ROOT) -> str:
    """The version stated in the project's code."""
    text = (root / VERSION_FILE).read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if not found:
        raise ValueError(f'{root / VERSION_FILE}: no line __version__ = "…"')
    return found[1]


def names(of_version: str) -> dict[str, str]:
    """The file name of each artefact in ``dist/``, by kind."""
    return {
        "wheel": f"rico_hdl-{of_version}-py3-none-any.whl",
        "sdist": f"rico_hdl-{of_version}.tar.gz",
        "image": f"rico-hdl-{of_version}-image.tar",
        "appimage": f"rico-hdl-{of_version}-x86_64.AppImage",
        "sbom": f"rico-hdl-{of_version}.cdx.json",
    }


def run(
    *command: str | Path, folder: Path = ROOT, environment: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Run a program, and return its stdout.

    Args:
        command: The program and its arguments.
        folder: The folder to run it in.
        environment: Variables in addition to those of this process.

    Raises:
        ProcessError: Its exit code is not 0; the message has its output.
    """
    words = [str(word) for word in command]
    result = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise ProcessError(
            f"{' '.join(words)}: exit code {result.returncode}\n{result.stdout}{result.stderr}"
        )
    return result.stdout


def ask_index() -> None:
    """Skip this script if pip can't reach a package index."""
    with TemporaryDirectory() as folder:
        download = ("-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder)
        try:
            run(sys.executable, *download, "click")
        except ProcessError as error:
            skip(f"pip can't download packages: {str(error).strip().splitlines()[-1]}")


def skip(reason: str) -> NoReturn:
    """End this script because the machine lacks something; print the reason as the last line."""
    print(reason, file=sys.stderr)
    sys.exit(EXIT_SKIPPED)


def skip_part(part: str, reason: str) -> None:
    """Report a skipped part, which the table of ``make artefacts`` lists."""
    print(f"SKIPPED {part}: {reason}", file=sys.stderr)
