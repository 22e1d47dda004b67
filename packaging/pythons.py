"""The Pythons of this machine that rico-hdl supports and that can create virtual environments.

In: PATH, pyenv's versions, and this interpreter. Out: one interpreter per 3.x. It never downloads
one.
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
    """The interpreters by version, such as ``3.11.7``, oldest first; the newest of each 3.x."""
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
    """An interpreter's version; None if it is not final, can't create environments, or fails."""
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
