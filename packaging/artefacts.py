"""Build and check everything that users install, and print a table of the results.

It runs the scripts of this folder. A script ends with exit code 0 if it succeeded, and with 77 if
this machine lacks something, with the reason as the last line on stderr; anything else is a
failure. A line ``SKIPPED what: reason`` on stderr reports a skipped part. The exit code is 1 if
something failed. Anything skipped is always reported as such.

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
    """Something that users install, or a way to install it."""

    name: str
    """Its name in the table and on the command line."""
    files: tuple[str, ...]
    """Its files, relative to the project's root; they are built again."""
    scripts: tuple[tuple[str, ...], ...]
    """The scripts that build and then check it, relative to the root, with their arguments."""


@dataclass
class Outcome:
    """The result of building and checking an artefact."""

    name: str
    """The artefact's name."""
    status: str = "checked"
    """``checked``, ``SKIPPED`` or ``FAILED``."""
    remark: str = ""
    """The reason, unless it was checked."""
    n_bytes: int = 0
    """The size of its files; 0 if there are none."""
    seconds: float = 0
    """The duration of building and checking, in seconds."""
    skipped_parts: list[str] = field(default_factory=list)
    """The skipped parts of a check, and the reasons."""


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
    """Build and check the artefacts that the command line names, or all of them."""
    known = artefacts(project.version())
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--strict", action="store_true", help="fail if something is skipped")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(a.name for a in known))
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - {artefact.name for artefact in known}:
        parser.error(f"no such artefact: {', '.join(sorted(unknown))}")
    wanted = [a for a in known if a.name in arguments.names or not arguments.names]
    outcomes = [made(artefact, project.ROOT) for artefact in wanted]
    print("\n".join(table(outcomes)))
    sys.exit(exit_code(outcomes, strict=arguments.strict))


def exit_code(outcomes: Sequence[Outcome], *, strict: bool) -> int:
    """1 if something failed or, with `strict`, if something was skipped, in whole or in part."""
    failed = any(outcome.status == "FAILED" for outcome in outcomes)
    skipped = any(outcome.status == "SKIPPED" or outcome.skipped_parts for outcome in outcomes)
    return int(failed or (strict and skipped))


def made(artefact: Artefact, root: Path) -> Outcome:
    """Run an artefact's scripts until one fails, and return the result."""
    outcome = Outcome(artefact.name)
    began = time.monotonic()
    for path in artefact.files:
        # Files of an earlier run must not be mistaken for new ones.
        (root / path).unlink(missing_ok=True)
    for script in artefact.scripts:
        print(f"\n=== {artefact.name}: {' '.join(script)}", flush=True)
        code, said = _run(script, root)
        outcome.skipped_parts += [line for line in said if line.startswith("SKIPPED ")]
        if code:
            outcome.status = "SKIPPED" if code == project.EXIT_SKIPPED else "FAILED"
            last = said[-1] if said else "it gave no reason"
            outcome.remark = f"{script[0]}: {last}"
            break
    outcome.seconds = time.monotonic() - began
    outcome.n_bytes = sum(
        (root / path).stat().st_size for path in artefact.files if (root / path).exists()
    )
    return outcome


def _run(script: Sequence[str], root: Path) -> tuple[int, list[str]]:
    """Run a script and show its stderr; return its exit code and the lines on stderr."""
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
    """The lines of the table of results."""
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
