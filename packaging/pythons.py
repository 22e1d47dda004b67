"""The Pythons of this machine that rico-hdl supports and that can make virtual environments.

In: PATH, the versions that pyenv keeps, and what runs this. Out: one interpreter for each 3.x.
Never: a download.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_OLDEST: Final = (3, 11)
_ASK: Final = "import ensurepip, sys, venv; print(*sys.version_info[:3], sys.version_info[3])"


def find() -> dict[str, Path]:
    """The interpreters by version, such as ``3.11.7``, oldest first; of each 3.x the newest."""
    newest: dict[tuple[int, ...], tuple[tuple[int, ...], Path]] = {}
    for path in _candidates():
        version = _version(path)
        if version and version[:2] >= _OLDEST:
            known = newest.get(version[:2])
            if not known or version > known[0]:
                newest[version[:2]] = version, path
    return {".".join(map(str, version)): path for version, path in sorted(newest.values())}


def _candidates() -> Iterator[Path]:
    folders = [Path(folder) for folder in os.get_exec_path()]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders += [*sorted(pyenv.glob("versions/*/bin")), Path(sys.base_prefix, "bin")]
    for folder in folders:
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if re.fullmatch(r"python3\.\d+", path.name):
                    yield path


def _version(path: Path) -> tuple[int, ...] | None:
    """A final release's version; None if it can't make environments, or is none (a dead shim)."""
    try:
        result = subprocess.run(
            [path, "-c", _ASK], capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if result.returncode:
        return None
    *numbers, level = result.stdout.split()
    return tuple(map(int, numbers)) if level == "final" else None
