"""The page on speed: the README's words, and the benchmarks' tables as charts.

In: `benchmarks/RESULTS*.md`. Out: Markdown. It measures nothing, and rounds nothing.
"""

from __future__ import annotations

import re
from typing import Final

from website.charts import Bar, chart
from website.documents import relinked, sections
from website.tables import read_table

_PAGE: Final = "performance.md"
_CONVERSION: Final = "benchmarks/RESULTS.md"
_READING: Final = "benchmarks/RESULTS-read.md"

_ABOUT_CONVERSION: Final = """\
Each dataset's files, real ones where some were at hand; [all numbers](results.md) tell how it was
measured, and on which machine."""

_ABOUT_ARCHIVES: Final = "Archives, converted as they are, or unpacked first and then converted:"

_ABOUT_READING: Final = """\
Patches per second out of the page cache, in random order. Pale bars are no formats, but limits.
[All numbers](results-read.md) tell how each was read, and on which machine."""


def page() -> str:
    """The whole page."""
    parts = ["# Performance", relinked(sections("README.md")["Speed"], "README.md", _PAGE)]
    parts += ["## Conversion", _ABOUT_CONVERSION, *_conversion()]
    parts += ["## Reading", _ABOUT_READING, *reading(sections(_READING))]
    return "\n\n".join(parts) + "\n"


def _conversion() -> list[str]:
    measured = read_table(sections(_CONVERSION)["Time"])
    rows = {row["dataset"]: row for row in measured if row["corpus"] == "generated"}
    rows |= {row["dataset"]: row for row in measured if row["corpus"] == "real"}
    archives = read_table(sections(_CONVERSION)["Archives"])
    return [
        chart(
            "How many times as long the plain way takes (longer is better)",
            [_times(name, row["plain / rico-hdl"]) for name, row in rows.items()],
        ),
        chart(
            "How many times as long as a mere copy a conversion takes (shorter is better)",
            [_times(name, row["rico-hdl / floor"]) for name, row in rows.items()],
        ),
        _ABOUT_ARCHIVES,
        chart(
            "How many times as long it takes to unpack first (longer is better)",
            [
                _times(f"{row['dataset']}, {row['archive']}", row["unpack, convert / rico-hdl"])
                for row in archives
            ],
        ),
    ]


def _times(label: str, ratio: str) -> Bar:
    return Bar(label, number(ratio), f"{plain(ratio)} x", "ours")


def reading(results: dict[str, str]) -> list[str]:
    """A chart for each task and way to read.

    Args:
        results: What stands below each heading of the benchmark's document.
    """
    tasks = re.findall(r"^\* \*\*(\w+)\*\*: (.+)$", results["Reading benchmark"], re.MULTILINE)
    rows = read_table(results["For the README"])
    parts = []
    for way in ("two workers", "one process"):
        parts.append(f"### {way[0].upper()}{way[1:]}")
        for task, what in tasks:
            cells = [(row["patches per second"], row[f"{task}, {way}"]) for row in rows]
            bars = [_rate(reader, rate) for reader, rate in cells if rate != "-"]
            bars.sort(key=lambda bar: -bar.value)
            parts.append(chart(f"{task}: {plain(what)}", bars))
    return parts


def _rate(reader: str, rate: str) -> Bar:
    name = plain(reader)
    if reader.startswith("**"):
        return Bar(name, number(rate), rate, "ours")
    return Bar(name, number(rate), rate, "limit" if reader.startswith("*") else "other")


def number(cell: str) -> float:
    """A cell's number, whatever marks it."""
    return float(plain(cell).replace(",", ""))


def plain(text: str) -> str:
    """A text without Markdown's marks."""
    return text.replace("*", "").replace("`", "")
