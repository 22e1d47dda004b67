"""Compare how fast two versions of the package convert, in alternating runs: see `versions`.

In: two folders with the package's sources. Out: for each corpus, in folders and as published, the
median of the ratios of processor time, wall time and peak memory between neighbouring runs.

    .venv/bin/python benchmarks/versions_convert.py BEFORE/src src
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

N_PATCHES = {
    "bigearthnet": 600,
    "bigearthnet-v1": 600,
    "eurosat-multi-spectral": 500,
    "hydro": 60,
    "hyspecnet-11k": 16,
    "major-tom-core": 3,
    "spectral-earth-enmap": 12,
    "ssl4eo-s12": 60,
    "ssl4eo-s12-v1.1": 24,
    "uc-merced": 300,
}
"""Patches of each modality of some datasets, for conversions of a few tenths of a second."""


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", help="folder of the sources to compare with, such as OLD/src")
    parser.add_argument("after", help="folder of the sources that are measured")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--only", nargs="*", help="rows to measure, such as hydro/folder")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        sys.stdout.write(json.dumps(measure(json.loads(arguments.measure))))
        return
    print("| corpus | before, s | processor time | wall time | peak memory |")
    print("|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for name, task in tasks(Path(folder), arguments.only):
            pairs = [
                [once(tree, task) for tree in (arguments.before, arguments.after)]
                for _ in range(arguments.pairs)
            ]
            cells = [
                f"{statistics.median(after[what] / before[what] for before, after in pairs):.3f}"
                for what in ("cpu", "wall", "peak")
            ]
            seconds = statistics.median(before["wall"] for before, _ in pairs)
            print(f"| {name} | {seconds:.2f} | {' | '.join(cells)} |", flush=True)


def tasks(folder: Path, only: list[str] | None) -> Any:  # noqa: ANN401 - names and tasks
    """The conversions: datasets in folders, as published, and again into a full store."""
    # Not for the measured processes: older versions may lack what the corpus needs.
    import corpus  # noqa: PLC0415
    from corpus.archives import publish  # noqa: PLC0415
    from rico_hdl.datasets import built_in  # noqa: PLC0415

    for name, n_patches in N_PATCHES.items():
        spec = built_in()[name]
        place = folder / spec.name
        forms = ["published"]
        if all(modality.arrays is None for modality in spec.modalities):
            forms = ["folder", "published", "again"]
        wanted = [form for form in forms if not only or f"{spec.name}/{form}" in only]
        if not wanted:
            continue
        folders = corpus.generate(spec, place / "folders", n_patches, noise=True)
        for form in wanted:
            given = folders
            if form == "published":
                given = publish(spec, folders, place / "archives")
                if not given:  # its archives are unknown
                    continue
            named = {
                name: [os.fspath(p) for p in (one if isinstance(one, list) else [one])]
                for name, one in given.items()
            }
            task = {
                "dataset": spec.name,
                "sources": named,
                "target": os.fspath(place / "target"),
                "keep": form == "again",
            }
            if form == "again":
                once("src", task)
            yield f"{spec.name}/{form}", task
        shutil.rmtree(place)


def once(tree: str, task: dict[str, Any]) -> dict[str, float]:
    """Measure one conversion by one version, in its own process."""
    command = [sys.executable, __file__, "-", "-", "--measure", json.dumps(task)]
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    path = os.pathsep.join([os.path.abspath(tree), root])  # noqa: PTH100
    printed = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, check=True, stdout=subprocess.PIPE
    ).stdout
    if not task["keep"]:
        shutil.rmtree(task["target"])
    found: dict[str, float] = json.loads(printed)
    return found


def measure(task: dict[str, Any]) -> dict[str, float]:
    """Seconds of processor and wall time, and peak memory in kB."""
    import rico_hdl  # noqa: PLC0415 - from the measured sources

    wall, cpu = perf_counter(), process_time()
    sources = {name: one if len(one) > 1 else one[0] for name, one in task["sources"].items()}
    rico_hdl.convert(task["dataset"], sources, task["target"], n_workers=2)
    return {
        "wall": perf_counter() - wall,
        "cpu": process_time() - cpu,
        "peak": peak_kilobytes(),
    }


def peak_kilobytes() -> float:
    """The process's peak memory in kB; rusage would include that of its parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


if __name__ == "__main__":
    main()
