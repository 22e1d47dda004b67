"""Compare conversions of archives with decompressing alone, and with unpacking first.

``bench.py`` uses it. Run on its own, it only prints its table.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from measure import Measurement, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HERE: Final = Path(__file__).resolve().parent
_ROOT: Final = _HERE.parent

CASES: Final = (
    # dataset, modality, form, patches: (small, full)
    ("bigearthnet", "s2", "tar", (100, 4000)),
    ("bigearthnet", "s2", "tar.zst", (100, 4000)),
    ("bigearthnet", "s2", "tar.gz", (100, 4000)),
    ("bigearthnet", "s2", "zip", (100, 4000)),
    ("eurosat-multi-spectral", "s2", "published", (100, 4000)),
    ("hyspecnet-11k", "enmap", "published", (4, 80)),
    ("ssl4eo-s12", "s2a", "published", (10, 400)),
    ("major-tom-core", "s2", "published", (2, 24)),
)
"""The archives to measure. `corpus.archives` describes the published forms."""

INTRODUCTION: Final = """\
## Archives

Converting an archive as it was downloaded, compared with

* **decompress**: decompressing it without writing anything (`benchmarks/decompress.py`), with the
  libraries that rico-hdl uses; zips with {n_workers} threads, tars and parquet with one, as
  rico-hdl reads them.
* **unpack, convert**: unpacking it with `tar` or `unzip` (parquet: pyarrow), then converting the
  folder with rico-hdl."""

_HEADINGS: Final = (
    "dataset",
    "archive",
    "archive, MB",
    "records, MB",
    "rico-hdl, s",
    "decompress, s",
    "unpack, convert, s",
    "rico-hdl / decompress",
    "unpack, convert / rico-hdl",
    "memory, MB",
)


@dataclass(frozen=True, slots=True)
class ArchiveRow:
    """The measurements of one archive."""

    name: str
    """The dataset."""
    form: str
    """The archive's form."""
    archive_bytes: int
    """Bytes of its files."""
    record_bytes: int
    """Bytes of ``data.mdb``."""
    rounds: tuple[dict[str, Measurement], ...]
    """The measurements of each round by program: ``ours``, ``decompress``, ``unpack`` and
    ``convert``; the last two are added up."""

    def seconds(self, *ways: str) -> float:
        """The median of the summed wall times of some programs."""
        return median(sum(round_[way].seconds for way in ways) for round_ in self.rounds)

    def ratio(self, numerators: tuple[str, ...], denominator: str) -> float:
        """The median of the ratios of wall times within rounds."""
        return median(
            sum(round_[way].seconds for way in numerators) / round_[denominator].seconds
            for round_ in self.rounds
        )

    def cells(self) -> list[str]:
        """The cells of the table."""
        return [
            self.name,
            self.form,
            f"{self.archive_bytes / 1e6:,.0f}",
            f"{self.record_bytes / 1e6:,.0f}",
            f"{self.seconds('ours'):.2f}",
            f"{self.seconds('decompress'):.2f}",
            f"{self.seconds('unpack', 'convert'):.2f}",
            f"**{self.ratio(('ours',), 'decompress'):.2f}**",
            f"**{self.ratio(('unpack', 'convert'), 'ours'):.1f}**",
            f"{max(round_['ours'].peak_bytes for round_ in self.rounds) / 1e6:,.0f}",
        ]


class ArchiveBench:
    """Creates archives, runs the programs, and keeps their outputs separate."""

    def __init__(self, work: Path, n_workers: int, n_rounds: int) -> None:
        self._work = work
        self._n_workers = n_workers
        self._n_rounds = n_rounds
        paths = [str(_ROOT), str(_ROOT / "src"), os.environ.get("PYTHONPATH", "")]
        self._environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}

    def row(self, dataset: str, modality: str, form: str, n_patches: int) -> ArchiveRow:
        """Make an archive, measure it, delete it.

        Raises:
            CommandError: A program failed.
        """
        packed = self._work / "packed"
        packed.mkdir()
        made = self._python("pack.py", dataset, modality, form, str(n_patches), str(packed))
        option, _, place = made.output.strip().partition(" ")
        files = [path for path in packed.rglob("*") if path.is_file()]
        n_bytes = sum(path.stat().st_size for path in files)
        self._ours(dataset, option, place)  # fills the page cache
        data = (self._work / "ours" / "data.mdb").stat()
        record_bytes = min(data.st_size, data.st_blocks * 512)
        self._clear("ours")
        ways = {
            "ours": lambda: self._ours(dataset, option, place),
            "decompress": lambda: self._python(
                "decompress.py", str(self._n_workers), dataset, modality, place
            ),
            "unpack": lambda: self._python("unpack.py", place, str(self._work / "unpacked")),
        }
        rounds = [self._round(ways, i, dataset, option) for i in range(self._n_rounds)]
        self._clear("packed")
        name = f"{'split ' if '.part' in place else ''}{''.join(_suffixes(files))}"
        return ArchiveRow(dataset, name, n_bytes, record_bytes, tuple(rounds))

    def _round(
        self, ways: dict[str, Callable[[], Measurement]], number: int, dataset: str, option: str
    ) -> dict[str, Measurement]:
        measured = {}
        first = number % len(ways)
        for way in [*ways][first:] + [*ways][:first]:
            measured[way] = ways[way]()
            if way == "unpack":
                measured["convert"] = self._ours(dataset, option, str(self._work / "unpacked"))
            self._clear("ours", "unpacked")
        return measured

    def _ours(self, dataset: str, option: str, place: str) -> Measurement:
        place = _source_in(Path(place), dataset)
        command = [dataset, option, place, "--target-dir", str(self._work / "ours")]
        workers = ["--num-workers", str(self._n_workers), "--quiet"]
        return run([sys.executable, "-m", "rico_hdl", *command, *workers], self._environment)

    def _python(self, script: str, *arguments: str) -> Measurement:
        return run([sys.executable, str(_HERE / script), *arguments], self._environment)

    def _clear(self, *names: str) -> None:
        for name in names:
            shutil.rmtree(self._work / name, ignore_errors=True)


def _source_in(place: Path, dataset: str) -> str:
    """The folder to convert: an unpacked tree has the publisher's folder at its top."""
    tops = list(place.iterdir()) if place.name == "unpacked" else []
    return str(tops[0] if len(tops) == 1 and dataset != "major-tom-core" else place)


def _suffixes(files: list[Path]) -> list[str]:
    found = [suffix for suffix in min(files).suffixes if not suffix.startswith(".part")]
    return [found[-1]] if found[-1] in {".zip", ".parquet", ".tar"} else found[-2:]


def section(rows: Sequence[ArchiveRow], n_workers: int) -> list[str]:
    """The section of the report, as lines of Markdown."""
    return [INTRODUCTION.format(n_workers=n_workers), "", *lines(rows)]


def lines(rows: Sequence[ArchiveRow]) -> list[str]:
    """The table in Markdown."""
    cells = [list(_HEADINGS), *(row.cells() for row in rows)]
    rule = ["---", "---", *["--:"] * (len(_HEADINGS) - 2)]
    return ["| " + " | ".join(line) + " |" for line in [cells[0], rule, *cells[1:]]]


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=("small", "full"), default="full")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--num-workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", default="", help="only archives whose name contains this text")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rico-hdl-bench-") as work:
        bench = ArchiveBench(Path(work), arguments.num_workers, arguments.rounds)
        rows = []
        for dataset, modality, form, (small, full) in CASES:
            if arguments.only in f"{dataset} {form}":
                n = small if arguments.scale == "small" else full
                rows.append(bench.row(dataset, modality, form, n))
                print("\n".join(lines(rows[-1:])[2:]), flush=True)
    print("\n".join(lines(rows)))


if __name__ == "__main__":
    main()
