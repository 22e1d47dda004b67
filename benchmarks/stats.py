"""Compare counting the pixels of a store with verifying it, in alternating runs on all threads.

In: nothing; sources of several datasets with noise are generated, or copied from real files with
``--samples FOLDER``, and converted. Out: for each dataset the gigabytes per second of both, from
memory and with a cold cache, the median of the ratios of neighbouring runs, and the ratio of the
processor time, which other programs on the machine disturb less; then the nanoseconds that ways to
count values take.

    PYTHONPATH=.:src python benchmarks/stats.py
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, thread_time
from typing import Final, NamedTuple

import numpy as np

import corpus
import rico_hdl
from rico_hdl.datasets import registry
from rico_hdl.reading.statistics import chosen_keys, counted

DATASETS: Final = {
    "bigearthnet": (3000, ["s2"]),
    "bigearthnet s1": (3000, ["s1"]),
    "eurosat-multi-spectral": (4000, None),
    "uc-merced": (2000, None),
    "hyspecnet-11k": (60, None),
}
"""By title, which begins with the name: the number of patches, and the modalities."""


class Run(NamedTuple):
    """The cost of one pass."""

    seconds: float
    cpu_seconds: float


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of patches")
    parser.add_argument("--samples", type=Path, help="a folder with real files: see real.py")
    arguments = parser.parse_args()
    print("| dataset | cache | MB | verify, GB/s | stats, GB/s | ratio | ratio of CPU time |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for title, (n_patches, modalities) in DATASETS.items():
        with tempfile.TemporaryDirectory() as folder:
            n = max(2, int(n_patches * arguments.scale))
            store = Path(folder) / "store"
            name = title.partition(" ")[0]
            if convert(name, n, modalities, Path(folder), arguments.samples):
                for is_cold in (False, True):
                    compare(title, store, arguments.pairs, is_cold=is_cold)
    print()
    ways()


def convert(
    name: str, n: int, modalities: list[str] | None, folder: Path, samples: Path | None
) -> bool:
    """Make a store; returns whether there are files for it."""
    spec = registry()[name]
    sources: dict[str, Path] = {}
    if samples is None:
        sources = corpus.generate(spec, folder, n, modalities=modalities, noise=True)
    else:
        script = Path(__file__).with_name("real.py")
        command = [sys.executable, str(script), name, str(samples), str(folder)]
        command += ["--n-patches", str(n)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        options = dict(line.split(" ", 1) for line in output.splitlines())
        for modality in spec.modalities:
            if modality.option in options and modality.name in (modalities or [modality.name]):
                sources[modality.name] = Path(options[modality.option])
    if sources:
        rico_hdl.convert(name, sources, folder / "store")
        for source in sources.values():
            shutil.rmtree(source)
    return bool(sources)


def compare(title: str, store: Path, n_pairs: int, *, is_cold: bool) -> None:
    """Print a row for a store."""
    n_bytes = rico_hdl.verify(store).n_bytes
    count(store)
    pairs = []
    for _ in range(n_pairs):
        if is_cold:
            forget(store)
        verified = measured(lambda: rico_hdl.verify(store))
        if is_cold:
            forget(store)
        pairs.append((verified, measured(lambda: count(store))))
    speeds = [n_bytes / 1e9 / median(pair[i].seconds for pair in pairs) for i in (0, 1)]
    ratio = median(one.seconds / other.seconds for one, other in pairs)
    cpu = median(one.cpu_seconds / other.cpu_seconds for one, other in pairs)
    print(
        f"| {title} | {'cold' if is_cold else 'warm'} | {n_bytes / 1e6:.0f} | {speeds[0]:.2f} "
        f"| {speeds[1]:.2f} | {ratio:.2f} | {cpu:.2f} |",
        flush=True,
    )


def count(store: Path) -> None:
    """Count all pixels."""
    with rico_hdl.open(store) as opened:
        counted(opened, chosen_keys(opened))


def measured(function: Callable[[], object]) -> Run:
    """Call a function."""
    start, cpu = perf_counter(), process_time()
    function()
    return Run(perf_counter() - start, process_time() - cpu)


def forget(store: Path) -> None:
    """Drop a store from the system's cache."""
    with (store / "data.mdb").open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def ways() -> None:
    """Print the time of ways to count 2**17 values of 12 bits."""
    values = np.random.default_rng(0).integers(0, 4096, 2**17).astype(np.uint16)
    indexes, histogram = np.empty(len(values), np.intp), np.zeros(2**16, np.int64)

    def by_adding() -> None:
        np.copyto(indexes, values)
        np.add.at(histogram, indexes, 1)

    found: dict[str, Callable[[], object]] = {
        "numpy.add.at, with indexes of 64 bits": by_adding,
        "numpy.add.at, with the values": lambda: np.add.at(histogram, values, 1),
        "numpy.bincount": lambda: np.bincount(values),
        "numpy.sort, without counting": lambda: np.sort(values),
        "numpy.unique": lambda: np.unique(values, return_counts=True),
    }
    print("| way to count | ns per value of 16 bits |")
    print("|---|--:|")
    for name, way in found.items():
        times = []
        for _ in range(30):
            start = thread_time()
            way()
            times.append(thread_time() - start)
        print(f"| {name} | {min(times) / len(values) * 1e9:.2f} |")


if __name__ == "__main__":
    main()
