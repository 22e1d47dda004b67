"""Decide whether the artefacts have to be built: whether packaging or dependencies changed.

In: git, and the variables FULL and BASE. Out: a line with the reason; exit code 0 if they have to
be built, 1 if not. A change of the sources alone is not a reason: the tests cover it.

    .venv/bin/python packaging/changed.py
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import project

_MATTERS: Final = re.compile(r"(packaging|requirements|\.ci)/.*|pyproject\.toml|Makefile|LICENSE")


def main() -> None:
    """Print whether they have to be built, and why."""
    build, why = decision(project.ROOT, os.environ)
    print(f"artefacts: {'built and checked' if build else 'not built'}: {why}", flush=True)
    sys.exit(not build)


def decision(root: Path, variables: Mapping[str, str]) -> tuple[bool, str]:
    """Whether to build, and the reason.

    Args:
        root: The project's root.
        variables: The environment. FULL=1 always builds. BASE is the commit to compare with: by
            default the one at which this branch left ``origin/main`` or, on ``main``, the last
            release.
    """
    if variables.get("FULL") == "1":
        return True, "FULL=1"
    try:
        base = variables.get("BASE") or _base(root)
        if not base:
            return True, "there is no earlier release to compare with"
        listed = _git(root, "diff", "--name-only", "-z", base, "--")
        listed += _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    except (project.ProcessError, FileNotFoundError):
        return True, "git can't compare with an earlier state"
    changed = sorted(name for name in listed.split("\0") if _MATTERS.fullmatch(name))
    if not changed:
        return (
            False,
            f"packaging and dependencies are unchanged since {base[:12]} (FULL=1 builds)",
        )
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return True, f"{changed[0]}{more} changed since {base[:12]}"


def _base(root: Path) -> str | None:
    """The commit at which this branch left main, or the last release; None without either."""
    head = _git(root, "rev-parse", "HEAD").strip()
    try:
        fork = _git(root, "merge-base", "HEAD", "origin/main").strip()
    except project.ProcessError:
        fork = head  # no such branch
    if fork != head:
        return fork
    try:
        return _git(root, "describe", "--tags", "--abbrev=0", "--match", "v*").strip()
    except project.ProcessError:
        return None


def _git(root: Path, *arguments: str) -> str:
    return project.run("git", *arguments, folder=root)


if __name__ == "__main__":
    main()
