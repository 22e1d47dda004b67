"""Compare rico-hdl with the plain script, with the copy floor, and with unpacking archives.

In: this repository and, if ``../shared/samples`` exists, real files. Out: a table on standard
output and ``benchmarks/RESULTS.md``. Everything else is written to a folder that is deleted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from archives import CASES, ArchiveBench, ArchiveRow
from archives import lines as archive_lines
from copy_floor import walk
from layouts import LAYOUTS
from measure import Measurement, run
from report import TIMES, Round, Row, report, table

if TYPE_CHECKING:
    from collections.abc import Callable

    Ways = dict[str, Callable[[], Measurement]]

_HERE: Final = Path(__file__).resolve().parent
_ROOT: Final = _HERE.parent
_SAMPLES: Final = _ROOT.parent / "shared" / "samples"
_SAMPLES_TEXT: Final = "../shared/samples"

_N_PATCHES: Final = {
    # Patches of each modality: (small, full). Full takes the plain script some seconds.
    "bigearthnet": (200, 3000),
    "eurosat-multi-spectral": (200, 2700),
    "hydro": (16, 240),
    "hyspecnet-11k": (3, 40),
    "major-tom-core": (2, 20),
    "spectral-earth-enmap": (8, 60),
    "ssl4eo-s12": (20, 400),
    "uc-merced": (200, 2100),
}
_LEFT_OUT: Final = {"--bigearthnet-reference-maps-dir"}
"""Sources that are not measured, because compressed maps would distort the row of the
uncompressed patches."""
_COMPRESSED: Final = {"hydro", "hyspecnet-11k", "major-tom-core"}
"""Datasets that spend most of their time in the codec."""


_N_HELP_RUNS: Final = 9


@dataclass(frozen=True, slots=True)
class Corpus:
    """A dataset to convert."""

    dataset: str
    """The command's name."""
    kind: str
    """``generated`` or ``real``."""
    sources: tuple[tuple[str, str], ...]
    """(option, folder) of each source."""

    @property
    def folders(self) -> list[str]:
        """The source folders."""
        return [folder for _, folder in self.sources]


class Bench:
    """Runs the programs and keeps their outputs separate."""

    def __init__(self, work: Path, n_workers: int, n_rounds: int) -> None:
        self._work = work
        self._n_workers = n_workers
        self._n_rounds = n_rounds
        # The packages come from the working tree, installed or not.
        paths = [str(_ROOT), str(_ROOT / "src"), os.environ.get("PYTHONPATH", "")]
        self._environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}

    def generated(self, dataset: str, n_patches: int) -> Corpus:
        """Write a corpus with the dataset's encoding."""
        command = ["-m", "corpus", dataset, self._out("corpus"), "--noise"]
        return self._corpus("generated", dataset, [*command, "--n-patches", str(n_patches)])

    def real(self, dataset: str, n_patches: int) -> Corpus:
        """Write a corpus of real files under new names; without real files, it has no sources."""
        command = [str(_HERE / "real.py"), dataset, str(_SAMPLES), self._out("corpus")]
        return self._corpus("real", dataset, [*command, "--n-patches", str(n_patches)])

    def row(self, corpus: Corpus) -> Row:
        """Check a corpus, measure it, delete it.

        Raises:
            CommandError: A program failed, or the records differ.
        """
        # The first run of each program fills the page cache, and its result is checked.
        self._plain(corpus)
        self._ours(corpus)
        checked = json.loads(self._python("judge.py", self._out("plain"), self._out("ours")).output)
        # A store that is mapped writable is larger than its content.
        data = (self._work / "ours" / "data.mdb").stat()
        store_bytes = min(data.st_size, data.st_blocks * 512)
        self._clear("plain", "ours")
        ways: Ways = {
            "plain": lambda: self._plain(corpus),
            "ours": lambda: self._ours(corpus),
            "floor": lambda: self._floor(corpus, store_bytes),
        }
        rounds = [self._round(ways, number) for number in range(self._n_rounds)]
        paths = [Path(path) for folder in corpus.folders for path in walk(folder)]
        row = Row(
            name=corpus.dataset,
            kind=corpus.kind,
            n_patches=checked["n_records"],
            n_files=len(paths),
            source_bytes=sum(path.stat().st_size for path in paths),
            record_bytes=checked["n_bytes"],
            codec_seconds=self._codec(corpus) if corpus.dataset in _COMPRESSED else None,
            rounds=tuple(rounds),
        )
        self._clear("corpus")
        return row

    def help_cpu_seconds(self) -> float:
        """Processor time of `rico-hdl --help`: the median of several runs."""
        command = [sys.executable, "-m", "rico_hdl", "--help"]
        return median(run(command, self._environment).cpu_seconds for _ in range(_N_HELP_RUNS))

    def _round(self, ways: Ways, number: int) -> Round:
        """Run each program once, starting with a different one each time."""
        measured: Round = {}
        first = number % len(ways)
        for name in [*ways][first:] + [*ways][:first]:
            measured[name] = ways[name]()
            self._clear(name)
        return measured

    def _plain(self, corpus: Corpus) -> Measurement:
        sources = [f"--source={option}={folder}" for option, folder in corpus.sources]
        return self._python("plain.py", corpus.dataset, *sources, *self._target("plain"))

    def _ours(self, corpus: Corpus) -> Measurement:
        sources = [word for source in corpus.sources for word in source]
        command = ["-m", "rico_hdl", corpus.dataset, *sources, *self._target("ours"), "--quiet"]
        return run([sys.executable, *command], self._environment)

    def _floor(self, corpus: Corpus, n_bytes: int) -> Measurement:
        return self._python("copy_floor.py", self._out("floor"), str(n_bytes), *corpus.folders)

    def _codec(self, corpus: Corpus) -> float:
        """The fastest of the rounds, because it is a lower bound too."""
        arguments = ("codec.py", str(self._n_workers), *corpus.folders)
        return min(float(self._python(*arguments).output) for _ in range(self._n_rounds))

    def _corpus(self, kind: str, dataset: str, command: list[str]) -> Corpus:
        output = run([sys.executable, *command], self._environment).output
        found = [line.partition(" ")[::2] for line in output.splitlines()]
        sources = [source for source in found if source[0] not in _LEFT_OUT]
        return Corpus(dataset, kind, tuple(sources))

    def _python(self, script: str, *arguments: str) -> Measurement:
        return run([sys.executable, str(_HERE / script), *arguments], self._environment)

    def _target(self, way: str) -> tuple[str, ...]:
        return ("--target-dir", self._out(way), "--num-workers", str(self._n_workers))

    def _out(self, name: str) -> str:
        return str(self._work / name)

    def _clear(self, *names: str) -> None:
        for name in names:
            path = self._work / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def main() -> None:
    """Read the command line, measure, report."""
    arguments = _arguments()
    kinds = ["generated", "real"] if _SAMPLES.is_dir() else ["generated"]
    notes = [] if "real" in kinds else [f"Real files were skipped: no {_SAMPLES_TEXT} here."]
    for note in notes:
        print(note)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="rico-hdl-bench-", dir=arguments.work_dir) as work:
        bench = Bench(Path(work), arguments.num_workers, arguments.rounds)
        for dataset in arguments.datasets:
            small, full = _N_PATCHES[dataset]
            n_patches = arguments.n_patches or (small if arguments.scale == "small" else full)
            for kind in kinds:
                make = bench.real if kind == "real" else bench.generated
                corpus = make(dataset, n_patches)
                if corpus.sources:
                    rows.append(bench.row(corpus))
                    print("\n".join(table(rows[-1:], TIMES)), flush=True)
        archives = _archives(arguments, Path(work))
        help_seconds = bench.help_cpu_seconds()
    text = report(rows, archives, arguments.num_workers, help_seconds, notes)
    print(text)
    arguments.output.write_text(text, encoding="utf-8")


def _archives(arguments: argparse.Namespace, work: Path) -> list[ArchiveRow]:
    """Measure the archives of the selected datasets."""
    bench = ArchiveBench(work, arguments.num_workers, arguments.rounds)
    rows = []
    for dataset, modality, form, (small, full) in CASES:
        if dataset in arguments.datasets:
            n_patches = arguments.n_patches or (small if arguments.scale == "small" else full)
            rows.append(bench.row(dataset, modality, form, n_patches))
            print("\n".join(archive_lines(rows[-1:])), flush=True)
    return rows


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--datasets", nargs="+", choices=sorted(LAYOUTS), default=sorted(LAYOUTS), metavar="DATASET"
    )
    parser.add_argument("--scale", choices=("small", "full"), default="full")
    parser.add_argument("--n-patches", type=int, help="patches of each modality")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--num-workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--work-dir", type=Path, help="where to create the temporary folder")
    parser.add_argument("--output", type=Path, default=_HERE / "RESULTS.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
