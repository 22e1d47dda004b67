"""Compare rico-hdl's own reader of zipped Zarr stores with zarr-python, in alternating runs.

In: nothing; stores as SSL4EO-S12 v1.1 publishes them are generated. Out: for each reader and chunk
layout, the median of the ratios of its time to rico-hdl's in neighbouring runs, and its peak
memory (in addition to its imports). The last rows are of the import alone.

    .venv/bin/python benchmarks/ablation_zarr.py
"""

# ruff: noqa: PLC0415 - each process imports only the library that it measures
from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any, Final
from unittest.mock import patch

import rico_hdl
from rico_hdl.datasets import get
from rico_hdl.sources import blocks
from rico_hdl.sources.zarr import archive
from rico_hdl.sources.zarr.array import ZarrArray

BANDS: Final = get("ssl4eo-s12-v1.1").modality("s2a").band_names
SHAPE: Final = (64, 2, len(BANDS), 264, 264)
BLOSC: Final = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
STORES: Final[dict[str, dict[str, Any]]] = {
    "chunks of 107 MB, blosc, as published": {"chunks": (64, 1, *SHAPE[2:]), "compressor": BLOSC},
    "chunks of 107 MB, zstd": {
        "chunks": (64, 1, *SHAPE[2:]),
        "compressor": {"id": "zstd", "level": 1},
    },
    "chunks of 13 MB, blosc": {"chunks": (8, 1, *SHAPE[2:]), "compressor": BLOSC},
}
SMALL: Final = (64, 6, len(BANDS), 132, 132)
"""A store with one chunk per time; memory holds one chunk."""


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(*arguments.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        print("| store | reader | time / rico-hdl's | seconds | peak memory, MB |")
        print("|---|---|--:|--:|--:|")
        for name, storage in STORES.items():
            path = write(Path(folder) / "part.zarr.zip", storage)
            report(name, path, arguments.pairs)
        report("the import alone", Path(), arguments.pairs)
        print("\n| threads | seconds that a block waits for room | decoded / blocks | seconds |")
        print("|--:|--:|--:|--:|")
        path = write(Path(folder) / "small.zarr.zip", {"chunks": (64, 1, *SMALL[2:])}, SMALL)
        for n_workers, patience in product((2, 8), (blocks.PATIENCE_SECONDS, 0.0)):
            found = [convert(path, n_workers, patience) for _ in range(arguments.pairs)]
            n, seconds = (statistics.median(numbers) for numbers in zip(*found, strict=True))
            print(f"| {n_workers} | {patience} | {n / SMALL[1]:.1f} | {seconds:.2f} |", flush=True)


def convert(path: Path, n_workers: int, patience: float) -> tuple[int, float]:
    """Convert a store, with room for one block; count how often a block is decoded."""
    decoded = []
    decode = ZarrArray.block

    def counted(array: ZarrArray, *of: Any) -> Any:  # noqa: ANN401 - as it is
        decoded.append(of)
        return decode(array, *of)

    with (
        patch.object(ZarrArray, "block", counted),
        patch.object(archive, "KEPT_BYTES", 0),
        patch.object(blocks, "PATIENCE_SECONDS", patience),
        tempfile.TemporaryDirectory() as folder,
    ):
        start = perf_counter()
        rico_hdl.convert("ssl4eo-s12-v1.1", {"s2a": path}, f"{folder}/t", n_workers=n_workers)
        return len(decoded), perf_counter() - start


def report(name: str, path: Path, n_pairs: int) -> None:
    """Measure one store in alternating runs, and print its rows."""
    rounds = [[run(reader, path) for reader in READERS] for _ in range(n_pairs)]
    for i, reader in enumerate(READERS):
        ratio = statistics.median(found[i][0] / found[0][0] for found in rounds)
        seconds, peak = (statistics.median(f[i][j] for f in rounds) for j in (0, 1))
        print(f"| {name} | {reader} | {ratio:.2f} | {seconds:.3f} | {peak / 1e6:.0f} |", flush=True)


def write(path: Path, storage: dict[str, Any], shape: tuple[int, ...] = SHAPE) -> Path:
    """A store whose pixels are noise of 12 bits."""
    import numpy as np

    from rico_hdl.testing.zarrs import Storage, write_store

    cube = np.random.default_rng(0).integers(0, 4096, shape, np.int16)
    write_store(path, cube, [f"{i:07}" for i in range(shape[0])], BANDS, Storage(**storage))
    return path


def run(reader: str, path: Path) -> list[float]:
    """Seconds and peak bytes of one pass, in a process of its own."""
    command = [sys.executable, __file__, "--measure", reader, str(path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(number) for number in printed.split()]


def measure(reader: str, path: str) -> None:
    """Read all bands once; print seconds and peak bytes."""
    start, before = perf_counter(), memory()
    bands = READERS[reader](path)
    next(bands)  # imports
    if path != ".":
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the peak
        start, before = perf_counter(), memory()
        for _ in bands:
            pass
    print(perf_counter() - start, memory("VmHWM") - before)


def memory(what: str = "VmRSS") -> int:
    """Bytes of memory that the process has, or had at most (``VmHWM``)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{what}:")[2].split()[0]) * 1024


def _rico_hdl(path: str) -> Iterator[object]:
    import imagecodecs
    import numpy as np  # noqa: F401

    from rico_hdl.sources.opening import open_archive

    yield imagecodecs.blosc_decode
    for member in open_archive(Path(path), get("ssl4eo-s12-v1.1").modality("s2a")).members():
        yield member.read()


def _zarr(path: str) -> Iterator[object]:
    import zarr
    from zarr.storage import ZipStore

    yield zarr.open_group
    with ZipStore(path, mode="r") as store:
        pixels: Any = zarr.open_group(store, mode="r", zarr_format=2)["bands"]
        n_samples, n_times = pixels.chunks[:2]
        for sample, time in product(range(0, SHAPE[0], n_samples), range(0, SHAPE[1], n_times)):
            block = pixels[sample : sample + n_samples, time : time + n_times]
            for patch in block.reshape(-1, *block.shape[2:]):
                for band in patch:
                    yield band.copy()
            del block


READERS: Final = {"rico-hdl": _rico_hdl, "zarr-python": _zarr}


if __name__ == "__main__":
    main()
