"""Compare the package's methods of copying bands with alternatives, to justify each.

In: this package. Out: a table on standard output. A row is a kind of records, options of a read, a
number of patches per call and of threads, and an alternative. Its number is the alternative's time
divided by the package's, the median of neighbouring runs in one process: above 1, the package is
faster. Remove methods that are in no row 10 % faster than the alternative; adopt those that are
10 % faster. One thread is measured in processor time, several threads in wall time, which needs an
idle machine.

Reads by several threads are those of a user's own threads, each with `PatchReader.read_batch`. The
package's batches already use `gathered` with two threads or more, and `rico_hdl.torch` uses
`selected`.

    make bench-ablation BENCH="--only BigEarthNet"
"""

# ruff: noqa: SLF001 - copy methods are replaced inside readers

from __future__ import annotations

import argparse
import mmap
import os
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any, Final, NamedTuple

import lmdb
import numpy as np
import numpy.typing as npt
from safetensors.numpy import save
from versions import SIDES

import rico_hdl
from rico_hdl.reading import PatchReader, Store
from rico_hdl.reading.array_plan import ArrayPlan
from rico_hdl.reading.gathering import gather_rows
from rico_hdl.reading.runs import Run, copy

Array = npt.NDArray[Any]
Read = Callable[[], int]
"""Reads some patches, and returns their number."""
Way = Callable[[PatchReader], bool]
"""Makes a reader copy in another way, and returns whether this changes anything."""

TEN: Final = [name for name, side in SIDES.items() if side > 20]
"""The bands of a Sentinel-2 patch that are usually used to classify land cover."""


class Corpus(NamedTuple):
    """Records of noise."""

    n: int
    """Number of records, about 200 MB in total."""
    n_batch: int
    """Patches per batch."""
    dtype: str
    """The dtype of the bands."""
    sides: dict[str, int]
    """Rows, and columns, of each band."""
    tasks: dict[str, dict[str, Any]]
    """Options of a read, by their name in the table."""


CORPORA: Final = {
    "tiny RGB": Corpus(
        12_000,
        128,
        "uint8",
        dict.fromkeys(("Blue", "Green", "Red"), 64),
        {
            "rgb": {"bands": ["Red", "Green", "Blue"]},
            "rgb float32": {"bands": ["Red", "Green", "Blue"], "dtype": "float32"},
            "rgb doubled": {"size": 128},
            "by band": {"grouped": "band"},
        },
    ),
    "BigEarthNet": Corpus(
        1500,
        128,
        "uint16",
        SIDES,
        {
            "rgb": {"bands": ["B04", "B03", "B02"]},
            "10m float32": {"bands": ["B02", "B03", "B04", "B08"], "dtype": "float32"},
            "ten bands": {"bands": TEN, "size": 120},
            "ten float32": {"bands": TEN, "size": 120, "dtype": "float32"},
            "by resolution": {"grouped": True},
            "by band": {"grouped": "band"},
        },
    ),
    "hyperspectral": Corpus(
        30,
        8,
        "int16",
        {f"B{i:03}": 128 for i in range(1, 225)},
        {
            "all": {},
            "all float32": {"dtype": "float32"},
            "nine of ten": {"bands": [f"B{i:03}" for i in range(1, 225) if i % 10]},
            "three": {"bands": ["B040", "B020", "B010"]},
            "by band": {"grouped": "band"},
        },
    ),
}


def plans(reader: PatchReader) -> Iterator[ArrayPlan]:
    """The plans of a reader's arrays."""
    for plan in reader._plans.values():
        yield from plan.arrays.values()


def copying(reader: PatchReader) -> list[ArrayPlan]:
    """As `plans`, but empty if the bands of a batch share one memory."""
    share = any(plan.memory for plan in reader._plans.values())
    return [] if share else list(plans(reader))


def band_by_band(reader: PatchReader) -> bool:
    """Copy each band separately, instead of bands at equal distances at once."""
    changed = False
    for plan in plans(reader):
        runs = [one for run in plan._runs for one in separate(run)]
        changed |= len(runs) > len(plan._runs)
        plan._runs = runs
    return changed


def separate(run: Run) -> Iterator[Run]:
    """Split a run into runs of one band each."""
    first = run.region[0].start if isinstance(run.region[0], slice) else 0
    for i in range(run.shape[0]):
        yield run._replace(
            shape=(1, *run.shape[1:]),
            offset=run.offset + i * run.strides[0],
            region=(slice(first + i, first + i + 1), *run.region[1:]),
        )


def one_at_a_time(reader: PatchReader) -> bool:
    """Resample record by record, instead of blocks of records."""
    groups = [group for plan in plans(reader) for group in plan._resampled]
    for group in groups:
        group._n_records = 1
    return bool(groups)


def apart(reader: PatchReader) -> bool:
    """Give each band an array of its own, instead of one memory for all bands of a batch."""
    if not any(plan.memory for plan in reader._plans.values()):
        return False
    for layout, plan in reader._plans.items():
        reader._plans[layout] = replace(plan, memory=None)
    reader._last = next(iter(reader._plans.items()))
    return True


def staged(reader: PatchReader) -> bool:
    """Convert from a copy of the record, instead of from the file."""
    wanted = [
        plan
        for plan in plans(reader)
        if not plan._resampled and any(run.dtype != plan.dtype for run in plan._runs)
    ]

    def exchange(plan: ArrayPlan) -> None:
        begin = min(run.span[0] for run in plan._runs)
        stop = max(run.span[1] for run in plan._runs)
        memory = np.empty(stop - begin, np.uint8)

        def fill(data: mmap.mmap, start: int, out: Array) -> None:
            memory[:] = np.frombuffer(data, np.uint8, stop - begin, start + begin)
            copy(plan._runs, memory.data, -begin, out)  # type: ignore[arg-type] # not a file

        plan.fill = fill  # type: ignore[method-assign]

    for plan in wanted:
        exchange(plan)
    return bool(wanted)


def gathered(reader: PatchReader) -> bool:
    """Copy the pages of a block of records first, as batches do that several threads read."""
    reader._copy_rows = gather_rows
    return bool(copying(reader))


def selected(reader: PatchReader) -> bool:
    """Copy a band of all records of a batch in one call of torch, as `rico_hdl.torch` does."""
    try:
        import torch  # noqa: PLC0415 - optional

        from rico_hdl.torch.selecting import select_rows  # noqa: PLC0415
    except ModuleNotFoundError:
        return False
    torch.set_num_threads(1)  # as in a loader's threads
    reader._copy_rows = select_rows
    return any(run.dtype == plan.dtype for plan in copying(reader) for run in plan._runs)


SINGLE: Final[tuple[Way, ...]] = (band_by_band, staged)
MANY: Final[tuple[Way, ...]] = (band_by_band, one_at_a_time, apart, gathered, selected)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.04, help="of each run")
    parser.add_argument("--only", default="", help="rows that contain this text, such as 'apart'")
    arguments = parser.parse_args()
    print("| records | read | patches | threads | alternative | time | quartiles |")
    print("|---|---|--:|--:|---|--:|--:|")
    for name, corpus in CORPORA.items():
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), corpus)
            with rico_hdl.open(folder) as store:
                for row, reads in cells(name, corpus, store):
                    if arguments.only in row:
                        low, middle, high = ratios(reads, arguments)
                        print(f"{row} {middle:.2f} | {low:.2f} to {high:.2f} |", flush=True)


def make(folder: Path, corpus: Corpus) -> None:
    """Write a store of noise."""
    noise = np.random.default_rng(0)
    with lmdb.open(os.fspath(folder), map_size=2**30) as env, env.begin(write=True) as txn:
        for i in range(corpus.n):
            bands = {
                name: noise.integers(0, 200, (side, side), corpus.dtype)
                for name, side in corpus.sides.items()
            }
            txn.put(b"S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_%05d" % i, save(bands))


def cells(
    name: str, corpus: Corpus, store: Store
) -> Iterator[tuple[str, tuple[list[Read], list[Read]]]]:
    """The start of each row, and each thread's reads, by the package and the alternative."""
    names = list(store)
    for what, n_bytes in (("whole records", None), ("their first 64 bytes", 64)):
        for n_threads in (1, 2):
            sides = tuple(
                [look(store, names, n_bytes, seed) for seed in range(n_threads)]
                for look in (found, asked)
            )
            yield f"| {name} | {what} | 1 | {n_threads} | lmdb |", (sides[0], sides[1])
    for task, options in corpus.tasks.items():
        for n, ways in ((1, SINGLE), (corpus.n_batch, MANY)):
            for way in ways:
                usual, other = (
                    warmed(PatchReader(store.records, store.reader(**options).options), names[:n])
                    for _ in range(2)
                )
                if not way(other):
                    continue
                for n_threads in (1, 2):
                    reads = tuple(
                        [read_of(reader, names, n, seed) for seed in range(n_threads)]
                        for reader in (usual, other)
                    )
                    row = f"| {name} | {task} | {n} | {n_threads} | {way.__name__} |"
                    yield row, (reads[0], reads[1])


def warmed(reader: PatchReader, names: list[str]) -> PatchReader:
    """Return the reader after it has seen the layout."""
    reader.read_batch(names)
    return reader


def read_of(reader: PatchReader, names: list[str], n: int, seed: int) -> Read:
    """Read `n` patches in random order; several patches into the same memory."""
    chance = random.Random(seed)
    if n == 1:

        def one() -> int:
            for name in chance.choices(names, k=16):
                reader.read(name)
            return 16

        return one
    keys = reader.records.keys()
    out = reader.empty(names[0], n)

    def many() -> int:
        reader.read_batch(keys[chance.choices(range(len(keys)), k=n)], out)
        return n

    return many


def found(store: Store, names: list[str], n_bytes: int | None, seed: int) -> Read:
    """Look records up as the package does, and copy them."""
    chance = random.Random(seed)
    for name in names:  # until the index exists
        store.records.place(name)

    def read() -> int:
        for name in chance.choices(names, k=16):
            file, start, stop = store.records.place(name)
            np.frombuffer(file.data, np.uint8, n_bytes or stop - start, start).copy()
        return 16

    return read


def asked(store: Store, names: list[str], n_bytes: int | None, seed: int) -> Read:
    """Get records from LMDB's library, and copy them."""
    chance = random.Random(seed)
    txn = environment(store.path).begin(buffers=True)
    keys = [name.encode() for name in names]

    def read() -> int:
        for key in chance.choices(keys, k=16):
            value: Any = txn.get(key)  # a buffer
            np.frombuffer(value, np.uint8, n_bytes or -1).copy()
        return 16

    return read


@cache
def environment(path: Path) -> lmdb.Environment:
    """LMDB's environment, which a process may open only once."""
    return lmdb.open(os.fspath(path), readonly=True, lock=False, readahead=False)


def ratios(reads: tuple[list[Read], list[Read]], arguments: argparse.Namespace) -> list[float]:
    """The quartiles of the second side's times divided by the first side's."""
    n_threads = len(reads[0])
    clock = thread_time if n_threads == 1 else perf_counter
    with ThreadPoolExecutor(n_threads) as threads:

        def timed(read: Read) -> int:
            n, begin = 0, perf_counter()
            while perf_counter() - begin < arguments.seconds:
                n += read()
            return n

        def seconds(side: list[Read]) -> float:
            begin = clock()
            n = timed(side[0]) if n_threads == 1 else sum(threads.map(timed, side))
            return (clock() - begin) / n

        seconds(reads[0])
        seconds(reads[1])
        pairs = []
        for i in range(arguments.pairs):
            first = i % 2  # alternating, since the second of two runs may be slower
            times = {side: seconds(reads[side]) for side in (first, 1 - first)}
            pairs.append(times[1] / times[0])
    return statistics.quantiles(pairs, n=4)


if __name__ == "__main__":
    main()
