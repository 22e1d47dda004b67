"""The results of the benchmark as Markdown."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from archives import section as archive_section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from archives import ArchiveRow
    from measure import Measurement

_LIBRARIES: Final = ("imagecodecs", "lmdb", "numpy", "rasterio", "safetensors", "tifffile")

_INTRODUCTION: Final = """\
# Benchmark

`make bench` wrote this file. Every figure measures whole processes, from start to exit, with the
source files in the page cache. The programs take turns, in a different order each round, and their
output is deleted in between.

* **rico-hdl**: this tool, `rico-hdl DATASET … --num-workers {n_workers} --quiet`.
* **plain**: a typical script (`benchmarks/plain.py`): rasterio, one open per band, a pool of
  {n_workers} processes, safetensors, LMDB in transactions of 512 patches. Its records were compared
  with rico-hdl's, key by key: all are identical.
* **floor**: the copy floor (`benchmarks/copy_floor.py`): one process reads every patch's file and
  writes as many bytes as the store has into one file, then syncs. It decodes nothing.
* **codec**: only reading and decoding all files, with imagecodecs on {n_workers} threads; for
  compressed files only.

Seconds are medians of {n_rounds} rounds; ratios are medians of the ratios within each round.
"Generated" files have the publisher's encoding, and random pixels that compress about as well as
real ones; "real" files are copies of a few real patches under new names.
"""


Round = dict[str, "Measurement"]
"""The measurements of one round by program: ``plain``, ``ours`` and ``floor``."""

_MEMORY: Final = """\
Memory is the largest resident set of any single process. The plain script runs one more process
than its pool of {n_workers}, so its total is higher. The memory of rico-hdl includes the mapped
pages of the store."""


@dataclass(frozen=True, slots=True)
class Row:
    """The measurements of one corpus."""

    name: str
    """The dataset."""
    kind: str
    """``generated`` or ``real``."""
    n_patches: int
    """Records in the store."""
    n_files: int
    """Files with patches in the sources."""
    source_bytes: int
    """Bytes of these files."""
    record_bytes: int
    """Bytes of the records: the pixels and the records' headers, less than 1 % of them."""
    codec_seconds: float | None
    """Seconds of decoding alone; None if the files are not compressed."""
    rounds: tuple[Round, ...]
    """The measurements of each round."""

    def seconds(self, way: str) -> float:
        """The median wall time of a program."""
        return median(round_[way].seconds for round_ in self.rounds)

    def ratio(self, numerator: str, denominator: str) -> float:
        """The median of the ratios of wall times within rounds."""
        return median(
            round_[numerator].seconds / round_[denominator].seconds for round_ in self.rounds
        )

    def cpu_seconds(self, way: str) -> float:
        """The median processor time of a program."""
        return median(round_[way].cpu_seconds for round_ in self.rounds)

    def peak_bytes(self, way: str) -> int:
        """The largest memory of any process of a program."""
        return max(round_[way].peak_bytes for round_ in self.rounds)


Column = tuple[str, "Callable[[Row], str]"]
"""A heading, and the function that gives its cells."""

TIMES: Final[tuple[Column, ...]] = (
    ("dataset", lambda row: row.name),
    ("corpus", lambda row: row.kind),
    ("rico-hdl, s", lambda row: f"{row.seconds('ours'):.2f}"),
    ("plain, s", lambda row: f"{row.seconds('plain'):.2f}"),
    ("floor, s", lambda row: f"{row.seconds('floor'):.2f}"),
    (
        "codec, s",
        lambda row: "-" if row.codec_seconds is None else f"{row.codec_seconds:.2f}",
    ),
    ("plain / rico-hdl", lambda row: f"**{row.ratio('plain', 'ours'):.1f}**"),
    ("rico-hdl / floor", lambda row: f"{row.ratio('ours', 'floor'):.2f}"),
    ("patches/s", lambda row: f"{row.n_patches / row.seconds('ours'):,.0f}"),
    ("MB/s", lambda row: f"{row.record_bytes / row.seconds('ours') / 1e6:,.0f}"),
)
RESOURCES: Final[tuple[Column, ...]] = (
    ("dataset", lambda row: row.name),
    ("corpus", lambda row: row.kind),
    ("patches", lambda row: f"{row.n_patches:,}"),
    ("files", lambda row: f"{row.n_files:,}"),
    ("source, MB", lambda row: f"{row.source_bytes / 1e6:,.0f}"),
    ("records, MB", lambda row: f"{row.record_bytes / 1e6:,.0f}"),
    ("CPU rico-hdl, s", lambda row: f"{row.cpu_seconds('ours'):.2f}"),
    ("CPU plain, s", lambda row: f"{row.cpu_seconds('plain'):.2f}"),
    ("memory rico-hdl, MB", lambda row: f"{row.peak_bytes('ours') / 1e6:,.0f}"),
    ("memory plain, MB", lambda row: f"{row.peak_bytes('plain') / 1e6:,.0f}"),
)
_N_TEXT_COLUMNS: Final = 2


def report(
    rows: Sequence[Row],
    archives: Sequence[ArchiveRow],
    n_workers: int,
    help_seconds: float,
    notes: Iterable[str],
) -> str:
    """The whole file."""
    introduction = _INTRODUCTION.format(
        n_workers=n_workers, n_rounds=max((len(row.rounds) for row in rows), default=0)
    )
    return "\n".join(
        [
            introduction,
            "## Time",
            "",
            *table(rows, TIMES),
            "",
            "patches/s and MB/s (of records) are those of rico-hdl. Each run includes the start:",
            f"`rico-hdl --help` takes {help_seconds:.2f} s of processor time. Importing numpy,",
            "which all but uncompressed single-band files need, takes as much again.",
            "",
            *archive_section(archives, n_workers),
            "",
            "## Sizes, processor time, memory",
            "",
            *table(rows, RESOURCES),
            "",
            _MEMORY.format(n_workers=n_workers),
            "",
            "## Machine",
            "",
            *machine(),
            *(f"\n{note}" for note in notes),
            "",
        ]
    )


def table(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """The lines of a Markdown table, padded to be readable as text too."""
    cells = [[heading for heading, _ in columns]]
    cells += [[show(row) for _, show in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = [
        "-" * width if i < _N_TEXT_COLUMNS else "-" * (width - 1) + ":"
        for i, width in enumerate(widths)
    ]
    return [
        "| " + " | ".join(_padded(cell, i, widths[i]) for i, cell in enumerate(line)) + " |"
        for line in [cells[0], rule, *cells[1:]]
    ]


def _padded(cell: str, column: int, width: int) -> str:
    return cell.ljust(width) if column < _N_TEXT_COLUMNS else cell.rjust(width)


def machine() -> list[str]:
    """The machine and the versions, as a Markdown list."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    n_processors = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.release()}"
    return [
        f"* {datetime.now(UTC):%Y-%m-%d}",
        f"* {n_processors} processors ({_processor()}), {memory_bytes / 1e9:.0f} GB of memory",
        f"* {system}",
        f"* Python {sys.version.split()[0]}, {libraries}",
    ]


def _processor() -> str:
    """The processor's name according to Linux."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
