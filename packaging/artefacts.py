"""Build and check all that users install; a table says what became of each.

In: the scripts of this folder. A script's exit code is 0 where it did what it is for, 77 where this
machine lacks what it needs, with the reason as the last line on stderr; anything else is a failure.
A line ``SKIPPED what: reason`` on stderr names a part that was left out. Out: the table, and exit
code 1 if something failed. Never: a word for what was skipped that could be read as checked.

    .venv/bin/python packaging/artefacts.py [--strict] [NAME …]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import project


@dataclass(frozen=True)
class Artefact:
    """Something that users install, or a way in which they do."""

    name: str
    """What it is called in the table, and on the command line."""
    files: tuple[str, ...]
    """What it consists of, below the project's root; made anew."""
    scripts: tuple[tuple[str, ...], ...]
    """What builds and then checks it: scripts below the root, with their arguments."""


@dataclass
class Outcome:
    """What became of an artefact."""

    name: str
    """That of the artefact."""
    status: str = "checked"
    """``checked``, ``SKIPPED`` or ``FAILED``."""
    remark: str = ""
    """The reason, unless it was checked."""
    n_bytes: int = 0
    """The size of its files; 0 where there are none."""
    seconds: float = 0
    """How long building and checking took."""
    skipped_parts: list[str] = field(default_factory=list)
    """What was left out of a check, and why."""


def artefacts(version: str) -> list[Artefact]:
    """All artefacts of a version, in the order in which they are built."""
    dist = {kind: f"dist/{name}" for kind, name in project.names(version).items()}
    appimage = dist["appimage"]
    return [
        Artefact("dist", (dist["wheel"], dist["sdist"]), (("packaging/dist.py",),)),
        Artefact("install", (), (("packaging/check_install.py",),)),
        Artefact(
            "image",
            (dist["image"],),
            (("packaging/image.py",), ("packaging/check_image.py", dist["image"])),
        ),
        Artefact(
            "appimage",
            (appimage,),
            (
                ("packaging/appimage/build.py", "--output", appimage),
                ("packaging/appimage/check.py", appimage),
            ),
        ),
    ]


def main() -> None:
    """Build and check what the command line names, or everything."""
    known = artefacts(project.version())
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--strict", action="store_true", help="fail where something is skipped")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(a.name for a in known))
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - {artefact.name for artefact in known}:
        parser.error(f"no such artefact: {', '.join(sorted(unknown))}")
    wanted = [a for a in known if a.name in arguments.names or not arguments.names]
    outcomes = [made(artefact, project.ROOT) for artefact in wanted]
    print("\n".join(table(outcomes)))
    sys.exit(exit_code(outcomes, strict=arguments.strict))


def exit_code(outcomes: Sequence[Outcome], *, strict: bool) -> int:
    """1 if something failed or, where that counts as well, was skipped, in whole or in part."""
    failed = any(outcome.status == "FAILED" for outcome in outcomes)
    skipped = any(outcome.status == "SKIPPED" or outcome.skipped_parts for outcome in outcomes)
    return int(failed or (strict and skipped))


def made(artefact: Artefact, root: Path) -> Outcome:
    """Run an artefact's scripts, until one does not succeed; what became of it."""
    outcome = Outcome(artefact.name)
    began = time.monotonic()
    for path in artefact.files:
        # What an earlier run left must not be taken for what this one made.
        (root / path).unlink(missing_ok=True)
    for script in artefact.scripts:
        print(f"\n=== {artefact.name}: {' '.join(script)}", flush=True)
        code, said = _run(script, root)
        outcome.skipped_parts += [line for line in said if line.startswith("SKIPPED ")]
        if code:
            outcome.status = "SKIPPED" if code == project.EXIT_SKIPPED else "FAILED"
            last = said[-1] if said else "it did not say why"
            outcome.remark = f"{script[0]}: {last}"
            break
    outcome.seconds = time.monotonic() - began
    outcome.n_bytes = sum(
        (root / path).stat().st_size for path in artefact.files if (root / path).exists()
    )
    return outcome


def _run(script: Sequence[str], root: Path) -> tuple[int, list[str]]:
    """Run a script; its exit code, and the lines that it wrote on stderr, which are shown."""
    process = subprocess.Popen(
        [sys.executable, *script],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    said = []
    assert process.stderr is not None  # noqa: S101 - for mypy: it is a pipe
    with process.stderr as lines:
        for line in lines:
            print(line, end="", file=sys.stderr, flush=True)
            if line.strip():
                said.append(line.strip())
    return process.wait(), said


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """The lines that say what became of each artefact."""
    rows = [("artefact", "result", "size", "time", "")]
    for outcome in outcomes:
        size = f"{outcome.n_bytes / 1e6:.1f} MB" if outcome.n_bytes else "-"
        rows.append(
            (outcome.name, outcome.status, size, f"{outcome.seconds:.0f} s", outcome.remark)
        )
        for part in outcome.skipped_parts:
            name, _, reason = part.removeprefix("SKIPPED ").partition(": ")
            rows.append((f"  {name}", "SKIPPED", "", "", reason))
    width = max(len(row[0]) for row in rows)
    lines = (f"{n:<{width}}  {r:<7}  {s:>8}  {t:>5}  {remark}" for n, r, s, t, remark in rows)
    return ["", *(line.rstrip() for line in lines)]


if __name__ == "__main__":
    main()
