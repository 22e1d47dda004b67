"""What the scripts of this folder share: names, versions, and how they say that they skip.

In: nothing but the files of the project. Out: paths and exits. Scripts import it as ``project``,
since the folder is no package.
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
"""The one place that states the version, from the project's root."""

EXIT_SKIPPED: Final = 77
"""What a script's exit code is where this machine lacks what it needs; automake's number."""


class ProcessError(Exception):
    """A program failed; what it was, and what it said."""


def version(root: Path = ROOT) -> str:
    """The version that the project's code states."""
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
    """Run a program; what it prints.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        environment: Variables that it gets besides those of this process.

    Raises:
        ProcessError: Its exit code is not 0; with all that it said.
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
    """Skip this script where pip reaches no package index."""
    with TemporaryDirectory() as folder:
        download = ("-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder)
        try:
            run(sys.executable, *download, "click")
        except ProcessError as error:
            skip(f"pip gets no packages: {str(error).strip().splitlines()[-1]}")


def skip(reason: str) -> NoReturn:
    """End this script: the machine lacks what it needs. The reason is its last line on stderr."""
    print(reason, file=sys.stderr)
    sys.exit(EXIT_SKIPPED)


def skip_part(part: str, reason: str) -> None:
    """Say that one of several things was not done; the table of ``make artefacts`` lists it."""
    print(f"SKIPPED {part}: {reason}", file=sys.stderr)
