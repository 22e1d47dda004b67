"""Check an artefact: it converts a sample, verifies it, and its store has the right digest.

In: the command that runs the artefact, such as ``./rico-hdl.AppImage`` or ``podman run … IMAGE``,
and a folder that the artefact sees under the same path. Out: exit code 0, or a line that says what
differs. The reference is the rico-hdl of this environment, which ``make setup`` installs.

    .venv/bin/python packaging/check.py --work DIR -- COMMAND …
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

_ROOT: Final = Path(__file__).resolve().parents[1]
_N_PATCHES: Final = 8
_DATASET: Final = "bigearthnet"


def main() -> None:
    """Check the artefact that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="a folder that the artefact sees")
    parser.add_argument("command", nargs="+", help="the command that runs the artefact, after --")
    arguments = parser.parse_args()
    work: Path = arguments.work.absolute()
    sources = sample(work)
    reference, target = work / "reference", work / "target"
    for folder in (reference, target):
        rmtree(folder, ignore_errors=True)
    ours = [sys.executable, "-m", "rico_hdl"]
    expected = converted(ours, sources, reference)
    if expected["n_written"] != dict.fromkeys(("s1", "s2", "reference-maps"), _N_PATCHES):
        sys.exit(f"the installation converted {expected['n_written']}")
    found = converted(arguments.command, sources, target)
    # Each verifies the other's store, so both must be able to read it.
    checked = [verified(arguments.command, reference), verified(ours, target)]
    digests = {result["content_digest"] for result in (expected, found, *checked)}
    if len(digests) > 1:
        sys.exit(f"the content digests differ: {', '.join(sorted(digests))}")
    written = {folder: (folder / "data.mdb").read_bytes() for folder in (reference, target)}
    if written[reference] != written[target]:
        sys.exit(f"{reference}/data.mdb and {target}/data.mdb differ")
    print(f"converted and verified, {digests.pop()}")


def sample(work: Path) -> list[str]:
    """Generate a sample of BigEarthNet, and return the options that name its folders."""
    rmtree(work / "source", ignore_errors=True)
    generate = [sys.executable, "-m", "corpus", _DATASET, str(work / "source")]
    options = run([*generate, "--n-patches", str(_N_PATCHES)], _ROOT)
    return [word for line in options.splitlines() for word in line.split(" ", 1)]


def converted(command: list[str], sources: list[str], target: Path) -> dict[str, Any]:
    """Convert the sample, and return the conversion's summary."""
    found: dict[str, Any] = json.loads(
        run([*command, _DATASET, *sources, "--target-dir", str(target), "--json", "--quiet"])
    )
    if not found["complete"] or found["failures"]:
        sys.exit(f"the conversion is not complete: {found}")
    return found


def verified(command: list[str], target: Path) -> dict[str, Any]:
    """Verify a store, and return the result."""
    found: dict[str, Any] = json.loads(run([*command, "verify", str(target), "--json"]))
    if found["findings"]:
        sys.exit(f"verify found {found['findings']}")
    return found


def run(command: list[str], folder: Path | None = None) -> str:
    """Run a program and return its stdout; pass on its messages and its failure."""
    result = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        sys.exit(f"{' '.join(command)}: exit code {result.returncode}")
    return result.stdout


if __name__ == "__main__":
    main()
