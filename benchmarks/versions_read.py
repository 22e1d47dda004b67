"""Compare how fast two versions of the package read, in all cells of `make bench-read`.

In: two folders with the package's sources. Out: for each reader, mode and task, the median and the
quartiles of the time ratios of neighbouring runs, each in its own process: see `versions`, which
measures a few cells in a tenth of the time. Needs PyTorch, such as that of `make test-torch`.

    .venv-torch/bin/python benchmarks/versions_read.py BEFORE/src src
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent
READERS = ("rico-hdl", "rico-hdl-buffers", "rico-hdl-loader", "rico-hdl-native")
"""The rows of the benchmark that this package fills."""
N_PATCHES = 2000

Cell = tuple[str, str, str]
"""Reader, mode and task."""


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path, help="sources to compare with, such as OLD/src")
    parser.add_argument("after", type=Path, help="sources to measure")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each cell, in each run")
    parser.add_argument("--readers", nargs="*", default=READERS, choices=READERS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        run(arguments.after, "corpus", work, N_PATCHES)
        run(arguments.after, "write", work, "rico-hdl")
        pairs = [
            [measure(tree, work, number, arguments) for tree in (arguments.before, arguments.after)]
            for number in range(arguments.pairs)
        ]
    print("| reader | mode | task | before, patches/s | after / before in time | quartiles |")
    print("|---|---|---|--:|--:|--:|")
    for cell in pairs[0][0]:
        ratios = [before[cell] / after[cell] for before, after in pairs]
        low, middle, high = statistics.quantiles(ratios, n=4)
        rate = statistics.median(before[cell] for before, _ in pairs)
        print(f"| {' | '.join(cell)} | {rate:,.0f} | {middle:.3f} | {low:.3f} to {high:.3f} |")


def measure(
    tree: Path, work: Path, number: int, arguments: argparse.Namespace
) -> dict[Cell, float]:
    """Patches per second in one version, by cell.

    Raises:
        SystemExit: A cell failed, or its pixels are wrong.
    """
    rates = {}
    for reader in arguments.readers:
        output = work / "cells.jsonl"
        options = ["--modes", "sample", "batch", "workers", "--tasks", "T1", "T2", "T3"]
        options += ["--seed", str(number), "--seconds", str(arguments.seconds)]
        run(tree, "measure", work, reader, output, *options, "--n-checked", "128")
        for line in output.read_text(encoding="utf-8").splitlines():
            note = json.loads(line)
            if "failed" in note or "wrong" in note:
                sys.exit(f"{tree}: {reader}: {note}")
            if "patches_per_second" in note:
                rates[reader, note["mode"], note["task"]] = note["patches_per_second"]
    return rates


def run(tree: Path, *arguments: object) -> None:
    """Run a job of the benchmark with the package of one version."""
    paths = [tree.resolve(), BENCHMARKS, BENCHMARKS.parent]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    command = [sys.executable, "-m", "formats.job", *map(str, arguments)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
