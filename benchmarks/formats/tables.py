"""The results as Markdown: tables of rates and ratios, of formats, and a summary."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from formats.protocol import MODES
from formats.readers import BASELINE, READERS
from formats.tasks import BATCH_SIZE, TASKS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from formats.outcome import Outcome

_INTRODUCTION: Final = """\
# Reading benchmark

`make bench-read` wrote this file. One corpus of {n_patches:,} generated Sentinel-2 patches, with
BigEarthNet's layout and noise as pixels, was written in each format. Each reader then read patches
in random order, from the page cache, in its own process; the readers took turns in {n_rounds}
rounds. Before each measurement, the first {n_checked} patches were compared with the files, pixel
by pixel, and each patch was read once, or as many as one second allows.

{tasks}

Figures are patches per second: medians of the rounds, each timed for {seconds} s; larger is better.
Next to each is its ratio to the documented recipe in the same table: the median of the ratios
within rounds. Rows in *italics* are limits to compare with, not formats."""

_ABOUT: Final = {
    "sample": """\
One patch after another, as `__getitem__` of a dataset reads them.""",
    "batch": """\
{batch_size} patches at once, as one array (for T3 one per resolution or band), for formats that can
do this; for the recipe, a loop and `numpy.stack`.""",
    "workers": """\
Batches of {batch_size} as tensors, through PyTorch's `DataLoader` with two worker processes, or
through the library's own loader. The loader of **rico-hdl**, and the limits that use memory made
once, have two threads. The consumer does nothing with a batch.""",
}
_SHORT_READERS: Final = (
    "rico-hdl",
    "rico-hdl-loader",
    "recipe",
    "configilm",
    "geotiff",
    "hdf5",
    "litdata",
    "mosaic",
    "hf-bytes",
    "lance",
    "webdataset",
    "zarr",
    "npy",
    "npy-buffers",
)
_NONE: Final = "-"


def report(outcomes: Sequence[Outcome], arguments: argparse.Namespace) -> str:
    """The whole file."""
    lines = [_introduction(arguments)]
    for mode, title in MODES.items():
        rows = _rows(outcomes, mode, arguments.tasks)
        if len(rows) > 1:
            about = _ABOUT[mode].format(batch_size=BATCH_SIZE)
            lines += ["", f"## {title[0].upper()}{title[1:]}", "", about, "", *table(rows, 1)]
    lines += ["", "## Sizes and versions", "", *table(_formats(outcomes), 1)]
    lines += ["", "## How each reads", "", *_tuning(outcomes)]
    if problems := [*_problems(outcomes)]:
        lines += ["", "## Not measured", "", *problems]
    lines += ["", "## Machine", "", *_machine()]
    lines += ["", "## Summary", "", *table(_short(outcomes, arguments.tasks), 1), ""]
    return "\n".join(lines)


def _introduction(arguments: argparse.Namespace) -> str:
    return _INTRODUCTION.format(
        n_patches=arguments.patches,
        n_rounds=arguments.rounds,
        n_checked=arguments.n_checked,
        seconds=arguments.seconds,
        tasks="\n".join(f"* **{task}**: {TASKS[task]}" for task in arguments.tasks),
    )


def _rows(outcomes: Sequence[Outcome], mode: str, tasks: Iterable[str]) -> list[list[str]]:
    """A heading, and a row for each reader that has a rate in this mode."""
    tasks = list(tasks)
    baseline = next((it for it in outcomes if it.name == BASELINE), None)
    rows = [["reader"]]
    for task in tasks:
        rows[0] += [task, "ratio"]
    for outcome in outcomes:
        rates = [outcome.rate((mode, task)) for task in tasks]
        if not any(rates):
            continue
        row = [_title(outcome)]
        for task, rate in zip(tasks, rates, strict=True):
            ratio = outcome.ratio((mode, task), baseline) if baseline else None
            row += [_NONE if rate is None else f"{rate:,.0f}", _ratio(ratio)]
        rows.append(row)
    return rows


def _ratio(ratio: float | None) -> str:
    """A ratio with two significant digits."""
    if ratio is None:
        return _NONE
    return f"{ratio:.1f}" if ratio >= 0.95 else f"{ratio:.2g}"


def _title(outcome: Outcome) -> str:
    listing = READERS[outcome.name]
    return f"*{listing.title}*" if listing.is_limit else listing.title


def _formats(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Sizes and versions of the readers that work."""
    rows = [["reader", "MB on disk", "with"]]
    for outcome in outcomes:
        if outcome.broken is None:
            versions = ", ".join(f"{name} {version}" for name, version in outcome.versions.items())
            size = _NONE if outcome.n_bytes is None else f"{outcome.n_bytes / 1e6:,.0f}"
            rows.append([_title(outcome), size, versions])
    return rows


def _tuning(outcomes: Sequence[Outcome]) -> Iterable[str]:
    """The tuning of each reader: as its documentation recommends, and as measured to be faster."""
    for outcome in outcomes:
        if outcome.tuning:
            yield f"* {_title(outcome)}: {outcome.tuning}."


def _problems(outcomes: Sequence[Outcome]) -> Iterable[str]:
    for outcome in outcomes:
        if outcome.broken is not None:
            yield f"* {_title(outcome)}: {outcome.broken}"
        for problem in dict.fromkeys(outcome.problems.values()):
            cells = [cell for cell, found in outcome.problems.items() if found == problem]
            places = ", ".join(f"{MODES[mode]} {task}" for mode, task in cells)
            yield f"* {_title(outcome)}, {places}: {problem}"


def _short(outcomes: Sequence[Outcome], tasks: Iterable[str]) -> list[list[str]]:
    """Patches per second in one process, by the faster of two methods, and with two workers."""
    tasks = list(tasks)
    by_name = {outcome.name: outcome for outcome in outcomes}
    rows = [["patches per second", *(f"{task}, one process" for task in tasks)]]
    rows[0] += [f"{task}, two workers" for task in tasks]
    for name in _SHORT_READERS:
        if (outcome := by_name.get(name)) is None:
            continue
        row = []
        for modes in (("sample", "batch"), ("workers",)):
            for task in tasks:
                rates = [outcome.rate((mode, task)) or 0 for mode in modes]
                row.append(f"{max(rates):,.0f}" if any(rates) else _NONE)
        if set(row) != {_NONE}:
            rows.append([_title(outcome), *row])
    return rows


def table(rows: Sequence[Sequence[str]], n_text_columns: int) -> list[str]:
    """The lines of a Markdown table, padded to be readable as text too.

    Args:
        rows: Cells, the heading first.
        n_text_columns: The number of columns that are aligned left; the others are aligned right.
    """
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if column < n_text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = [
        "-" * width if column < n_text_columns else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    return [line(rows[0]), line(rule), *map(line, rows[1:])]


def _machine() -> list[str]:
    """The machine, as a Markdown list."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    n_processors = len(os.sched_getaffinity(0))
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    return [
        f"* {datetime.now(UTC):%Y-%m-%d}",
        f"* {n_processors} processors ({processor}), {memory_bytes / 1e9:.0f} GB of memory",
        f"* {platform.system()} {platform.release()}, Python {sys.version.split()[0]}",
    ]
