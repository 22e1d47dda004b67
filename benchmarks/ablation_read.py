"""Reading with other ways to copy than those that the package has, to show what each is worth.

In: this package. Out: a table on standard output. Each row is a cell: a kind of records, options,
patches at a time, threads, and what was done instead. Its number is the time of that divided by the
time of the package, the median of neighbouring runs in one process: above 1, the package is faster.
A way of the package that is not 10 % faster in any cell should go; one of the others that is should
come. With one thread the processor's time is measured, with several the wall's.

    make bench-ablation BENCH="--only BigEarthNet"
"""

# ruff: noqa: SLF001 - ways to copy are exchanged inside of readers

from __future__ import annotations

import argparse
import mmap
import os
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
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
from rico_hdl.reading.band_memory import GATHERED_BYTES, RECORD_PLACE
from rico_hdl.reading.runs import Run, copy

Array = npt.NDArray[Any]
Read = Callable[[], int]
"""Reads some patches; returns how many."""
Way = Callable[[PatchReader], bool]
"""Has a reader copy in another way; false where that is no other way."""

TEN: Final = [name for name, side in SIDES.items() if side > 20]
"""The bands of a Sentinel-2 patch that land cover is usually told from."""


class Corpus(NamedTuple):
    """Records of noise."""

    n: int
    """How many, about 200 MB in all."""
    n_batch: int
    """Patches in a batch."""
    dtype: str
    """Of the bands."""
    sides: dict[str, int]
    """Rows and columns of each band."""
    tasks: dict[str, dict[str, Any]]
    """Options of a read, by what a row of the table calls them."""


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
    """As `plans`, but none where the bands of a batch share one memory."""
    share = any(plan.memory for plan in reader._plans.values())
    return [] if share else list(plans(reader))


def band_by_band(reader: PatchReader) -> bool:
    """Instead of one copy for bands at equal distances: one for each."""
    changed = False
    for plan in plans(reader):
        runs = [one for run in plan._runs for one in separate(run)]
        changed |= len(runs) > len(plan._runs)
        plan._runs = runs
    return changed


def separate(run: Run) -> Iterator[Run]:
    """The bands of a run, each as a run."""
    first = run.region[0].start if isinstance(run.region[0], slice) else 0
    for i in range(run.shape[0]):
        yield run._replace(
            shape=(1, *run.shape[1:]),
            offset=run.offset + i * run.strides[0],
            region=(slice(first + i, first + i + 1), *run.region[1:]),
        )


def one_at_a_time(reader: PatchReader) -> bool:
    """Instead of resampling blocks of records: each by itself."""
    groups = [group for plan in plans(reader) for group in plan._resampled]
    for group in groups:
        group._n_records = 1
    return bool(groups)


def apart(reader: PatchReader) -> bool:
    """Instead of one memory for all bands of a batch: an array for each."""
    if not any(plan.memory for plan in reader._plans.values()):
        return False
    for layout, plan in reader._plans.items():
        reader._plans[layout] = replace(plan, memory=None)
    reader._last = next(iter(reader._plans.items()))
    return True


def staged(reader: PatchReader) -> bool:
    """Instead of converting out of the file: out of a copy of the record."""
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
            copy(plan._runs, memory.data, -begin, out)  # type: ignore[arg-type] # is no file

        plan.fill = fill  # type: ignore[method-assign]

    for plan in wanted:
        exchange(plan)
    return bool(wanted)


def gathered(reader: PatchReader) -> bool:
    """Instead of copying record by record: the pages of a block of records first, by one call."""
    wanted = [plan for plan in copying(reader) if not plan._resampled]

    def exchange(plan: ArrayPlan) -> None:
        end = RECORD_PLACE + max(run.span[1] for run in plan._runs)
        begin = RECORD_PLACE + min(run.span[0] for run in plan._runs)
        pieces = np.arange(begin // GATHERED_BYTES, -(-end // GATHERED_BYTES))
        n_bytes = len(pieces) * GATHERED_BYTES
        skipped = RECORD_PLACE - int(pieces[0]) * GATHERED_BYTES
        n_block = max(1, 3 * 2**20 // n_bytes)

        def fill_rows(
            data: mmap.mmap, starts: npt.NDArray[np.int64], rows: Sequence[int], out: Array
        ) -> None:
            whole = len(data) // GATHERED_BYTES * GATHERED_BYTES
            file = np.frombuffer(data, np.uint8, whole).reshape(-1, GATHERED_BYTES)
            for i in range(0, len(rows), n_block):
                first = starts[i : i + n_block] // GATHERED_BYTES
                block = file.take(first[:, None] + pieces, axis=0, mode="clip")
                for shape, dtype, offset, strides, region in plan._runs:
                    bands = np.ndarray(
                        (len(first), *shape), dtype, block, skipped + offset, (n_bytes, *strides)
                    )
                    out[(slice(i, i + n_block), *region)] = bands

        plan.fill_rows = fill_rows  # type: ignore[method-assign]

    for plan in wanted:
        exchange(plan)
    return bool(wanted)


def selected(reader: PatchReader) -> bool:
    """Instead of NumPy: one call of torch for a band of all records of a batch."""
    try:
        import torch  # noqa: PLC0415 - not always there
    except ModuleNotFoundError:
        return False
    torch.set_num_threads(1)  # as in a loader's threads
    wanted = [
        plan
        for plan in copying(reader)
        if not plan._resampled and all(run.dtype == plan.dtype for run in plan._runs)
    ]

    def exchange(plan: ArrayPlan) -> None:
        runs = [one for run in plan._runs for one in separate(run)]

        def fill_rows(
            data: mmap.mmap, starts: npt.NDArray[np.int64], rows: Sequence[int], out: Array
        ) -> None:
            file = torch.from_numpy(np.asarray(Writable(data)))
            numbers = torch.from_numpy(starts // GATHERED_BYTES)
            images = torch.from_numpy(out.view(np.uint8))
            for run in runs:
                begin, end = run.span
                begin, n_bytes = begin + RECORD_PLACE, end - begin
                n = (len(file) - begin - n_bytes) // GATHERED_BYTES + 1
                pages = file.as_strided((n, n_bytes), (GATHERED_BYTES, 1), begin)
                into = images[: len(rows), run.region[0]].flatten(1)
                torch.index_select(pages, 0, numbers, out=into)

        plan.fill_rows = fill_rows  # type: ignore[method-assign]

    for plan in wanted:
        exchange(plan)
    return bool(wanted)


class Writable:
    """Read-only memory that says it can be written, which torch asks for and does not do."""

    def __init__(self, data: mmap.mmap) -> None:
        self._held = np.frombuffer(data, np.uint8)
        known = self._held.__array_interface__
        self.__array_interface__ = known | {"data": (known["data"][0], False)}


SINGLE: Final[tuple[Way, ...]] = (band_by_band, staged)
MANY: Final[tuple[Way, ...]] = (band_by_band, one_at_a_time, apart, gathered, selected)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.04, help="of each run")
    parser.add_argument("--only", default="", help="rows that hold this text, such as 'apart'")
    arguments = parser.parse_args()
    print("| records | read | at a time | threads | instead | time | quarter to quarter |")
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
    """A store of patches of noise."""
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
    """The beginning of each row, and what the threads do, in the package and instead."""
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
    """A reader that has seen the layout."""
    reader.read_batch(names)
    return reader


def read_of(reader: PatchReader, names: list[str], n: int, seed: int) -> Read:
    """What reads so many patches in random order; several into the same memory."""
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
    """What looks records up as the package does, and copies them."""
    chance = random.Random(seed)
    for name in names:  # until there is an index
        store.records.place(name)

    def read() -> int:
        for name in chance.choices(names, k=16):
            file, start, stop = store.records.place(name)
            np.frombuffer(file.data, np.uint8, n_bytes or stop - start, start).copy()
        return 16

    return read


def asked(store: Store, names: list[str], n_bytes: int | None, seed: int) -> Read:
    """What asks LMDB's library for records, and copies them."""
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
    """LMDB's environment, which a process may open once."""
    return lmdb.open(os.fspath(path), readonly=True, lock=False, readahead=False)


def ratios(reads: tuple[list[Read], list[Read]], arguments: argparse.Namespace) -> list[float]:
    """The quartiles of the times of the second by those of the first."""
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
            first = i % 2  # by turns, since the second of two runs may be slower
            times = {side: seconds(reads[side]) for side in (first, 1 - first)}
            pairs.append(times[1] / times[0])
    return statistics.quantiles(pairs, n=4)


if __name__ == "__main__":
    main()
