"""One job of the benchmark, in its own process: ``python -m formats.job …``.

In: a working folder. Out: files in it, and one line of JSON per measured cell, which are useful
even after a crash or a time limit. Each reader has its own process, so libraries do not affect each
other, and a failure ends only that reader.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
import warnings
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from formats import timing
from formats.protocol import Order, versions
from formats.readers import READERS, reader
from formats.tasks import BATCH_SIZE, Corpus, WrongPixelsError

if TYPE_CHECKING:
    from formats.protocol import Indices, Reader

N_WORKERS = 2


def main() -> None:
    """Read the command line and do the job."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    jobs = parser.add_subparsers(required=True)
    corpus = jobs.add_parser("corpus")
    corpus.add_argument("work", type=Path)
    corpus.add_argument("n_patches", type=int)
    corpus.set_defaults(do=make_corpus)
    write = jobs.add_parser("write")
    write.add_argument("work", type=Path)
    write.add_argument("reader")
    write.set_defaults(do=write_store)
    measure = jobs.add_parser("measure")
    measure.add_argument("work", type=Path)
    measure.add_argument("reader")
    measure.add_argument("output", type=Path)
    measure.add_argument("--tasks", nargs="+", required=True)
    measure.add_argument("--modes", nargs="+", required=True)
    measure.add_argument("--seed", type=int, required=True)
    measure.add_argument("--seconds", type=float, required=True)
    measure.add_argument("--n-checked", type=int, required=True)
    measure.set_defaults(do=measure_reader)
    arguments = parser.parse_args()
    arguments.do(arguments)
    # Some libraries leave threads that wait for each other at the end, when all work is done.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def make_corpus(arguments: argparse.Namespace) -> None:
    """Generate the corpus."""
    from formats.corpora import make  # noqa: PLC0415 - only this job needs it

    folder = arguments.work / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    make(folder, arguments.n_patches)


def write_store(arguments: argparse.Namespace) -> None:
    """Write the corpus in a reader's format, and print its size."""
    kind = reader(arguments.reader)
    folder = arguments.work / "stores" / READERS[arguments.reader].store
    folder.mkdir(parents=True, exist_ok=True)
    corpus = Corpus.load(arguments.work / "corpus")
    start = time.perf_counter()
    kind.write(corpus, folder)
    took = time.perf_counter() - start
    files = corpus.geotiffs if arguments.reader == "geotiff" else folder
    n_bytes = sum(path.stat().st_size for path in files.rglob("*") if path.is_file())
    print(json.dumps({"n_bytes": n_bytes, "seconds": took}))


def measure_reader(arguments: argparse.Namespace) -> None:
    """Check and time a reader, cell by cell."""
    kind = reader(arguments.reader)
    corpus = Corpus.load(arguments.work / "corpus")
    folder = arguments.work / "stores" / READERS[arguments.reader].store
    warm(corpus.geotiffs if arguments.reader == "geotiff" else folder)
    with arguments.output.open("w", encoding="utf-8") as out:

        def note(**cell: Any) -> None:  # noqa: ANN401 - JSON
            out.write(json.dumps(cell) + "\n")
            out.flush()

        note(versions=versions(kind), tuning=kind.tuning)
        # Workers first, before this process opens anything that they could inherit.
        for mode in sorted(set(arguments.modes) & set(kind.modes), key="workers".__ne__):
            for task in sorted(set(arguments.tasks) & set(kind.tasks)):
                cell = {"mode": mode, "task": task}
                try:
                    order = Order(len(corpus), BATCH_SIZE, arguments.seed)
                    cells = Cells(kind(folder, corpus), corpus, order)
                    rate = cells.rate(mode, task, arguments.n_checked, arguments.seconds)
                    note(**cell, patches_per_second=rate)
                except WrongPixelsError as error:
                    note(**cell, wrong=str(error))
                except Exception as error:  # noqa: BLE001 - libraries raise anything
                    traceback.print_exc()
                    note(**cell, failed=_reason(error))
        note(done=True)


class Cells:
    """A reader, its corpus, and the order in which it is read."""

    def __init__(self, it: Reader, corpus: Corpus, order: Order) -> None:
        self._it = it
        self._corpus = corpus
        self._order = order

    def rate(self, mode: str, task: str, n_checked: int, seconds: float) -> float:
        """Patches per second of a stream, after comparing its first patches with the truth.

        Raises:
            WrongPixelsError: They differ.
        """
        if mode == "sample":
            return self._samples(task, n_checked, seconds)
        n_each = N_WORKERS if mode == "workers" else 1
        stream = (
            self._it.workers(task, self._order, N_WORKERS)
            if mode == "workers"
            else self._it.batches(task, self._order)
        )
        with closing(stream):  # Workers that are still reading would slow down the next cell.
            if self._it.is_checked:
                for indices, batch in islice(stream, -(-n_checked // BATCH_SIZE)):
                    self._check_batch(task, indices, batch)
            n_warm = max(-(-len(self._corpus) // BATCH_SIZE), 4 * n_each)
            rate = timing.batches_per_second(stream, n_warm, seconds, n_each)
        return rate * BATCH_SIZE

    def _samples(self, task: str, n_checked: int, seconds: float) -> float:
        stream = self._it.samples(task, self._order)
        with closing(stream):
            for index, sample in islice(stream, n_checked):
                self._corpus.check(self._it.checked_as.get(task, task), index, sample)
            return timing.samples_per_second(stream, len(self._corpus), seconds)

    def _check_batch(self, task: str, indices: Indices, batch: object) -> None:
        if len(indices) != BATCH_SIZE:
            raise WrongPixelsError(f"{task}: a batch of {len(indices)}")
        self._corpus.check_batch(self._it.checked_as.get(task, task), indices, batch)


def _reason(error: Exception) -> str:
    """An error in one line; the last line of one whose message contains a traceback."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1] if lines else ''}"[:300]


def warm(folder: Path) -> None:
    """Read all files once to get them into the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(1 << 22):
                    pass


if __name__ == "__main__":
    main()
