"""Compares the reading speed of two versions of the package, in alternating runs.

In: two folders with the package's sources. Out: for each task, the median and the quartiles of the
time ratios of neighbouring runs, each in its own process. Machines are noisy, so only many pairs of
runs are conclusive.

    .venv/bin/python benchmarks/versions.py BEFORE/src src
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import lmdb
import numpy as np
from safetensors.numpy import save

if TYPE_CHECKING:
    from collections.abc import Callable

N_PATCHES = 2000
N_BATCH = 128
SIDES = {
    **dict.fromkeys(("B02", "B03", "B04", "B08"), 120),
    **dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12"), 60),
    **dict.fromkeys(("B01", "B09"), 20),
}
"""Bands of a Sentinel-2 patch of BigEarthNet, and the rows and columns of each."""
TASKS: dict[str, dict[str, Any]] = {
    "T1 batches": {"bands": "rgb"},
    "T2 batches": {"bands": "10m+20m", "size": 120, "dtype": "float32"},
    "T3 batches": {"grouped": True},
    "T3 by band": {"grouped": "band"},
}
"""Options of a read: three bands; ten bands resampled to one size; all bands as stored."""


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", help="sources to compare with, such as OLD/src")
    parser.add_argument("after", help="sources to measure")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each task, in each run")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        sys.stdout.write(json.dumps(measure(arguments.measure, arguments.seconds)))
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        pairs = [
            [once(tree, folder, arguments) for tree in (arguments.before, arguments.after)]
            for _ in range(arguments.pairs)
        ]
    print("| task | before, patches/s | after / before in time, median | quartiles |")
    print("|---|--:|--:|--:|")
    for task in pairs[0][0]:
        ratios = [after[task] / before[task] for before, after in pairs]
        low, middle, high = statistics.quantiles(ratios, n=4)
        rate = 1 / statistics.median(before[task] for before, _ in pairs)
        print(f"| {task} | {rate:,.0f} | {middle:.3f} | {low:.3f} to {high:.3f} |")


def make(folder: Path) -> None:
    """Write a store whose patches are noise."""
    noise = np.random.default_rng(0)
    with lmdb.open(os.fspath(folder), map_size=2**30) as env:
        for first in range(0, N_PATCHES, 100):
            with env.begin(write=True) as txn:
                for i in range(first, first + 100):
                    bands = {
                        name: noise.integers(0, 10_000, (side, side), np.uint16)
                        for name, side in SIDES.items()
                    }
                    txn.put(b"S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_%04d" % i, save(bands))


def once(tree: str, folder: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds per patch in one version, by task."""
    command = [sys.executable, __file__, "-", "-", "--measure", folder]
    command += ["--seconds", str(arguments.seconds)]
    environment = {**os.environ, "PYTHONPATH": os.path.abspath(tree)}  # noqa: PTH100
    printed = subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    found: dict[str, float] = json.loads(printed)
    return found


def measure(folder: str, seconds: float) -> dict[str, float]:
    """Seconds per patch, by task."""
    import rico_hdl  # noqa: PLC0415 - from the measured sources

    chance = random.Random(0)
    with rico_hdl.open(folder) as store:
        keys = store.keys()
        found = {}
        for task, options in TASKS.items():
            found[task] = timed(batches(store, keys, options), seconds)
        one = store.reader(bands="rgb")

        def single() -> int:
            for i in chance.choices(range(N_PATCHES), k=N_BATCH):
                one.read(names[i])
            return N_BATCH

        names = list(keys)
        found["T1 one by one"] = timed(single, seconds)
        return found


def batches(store: Any, keys: Any, options: dict[str, Any]) -> Callable[[], int]:  # noqa: ANN401 - of any version
    """A function that reads the next batch, in random order, into the same memory."""
    chance = random.Random(0)
    reader = store.reader(**options)
    out = reader.empty(keys[0], N_BATCH)

    def read() -> int:
        reader.read_batch(keys[chance.choices(range(N_PATCHES), k=N_BATCH)], out)
        return N_BATCH

    return read


def timed(read: Callable[[], int], seconds: float) -> float:
    """Seconds per patch, after a warm-up."""
    start = perf_counter()
    while perf_counter() - start < seconds / 4:
        read()
    n, start = 0, perf_counter()
    while (now := perf_counter()) - start < seconds:
        n += read()
    return (now - start) / n


if __name__ == "__main__":
    main()
