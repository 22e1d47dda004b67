"""The benchmarks' tables as charts, for the page on performance.

In: `benchmarks/RESULTS*.md`. Out: Markdown with SVG. Numbers are shown as they were measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from website.charts import Bar, chart
from website.documents import sections
from website.tables import read_table

_CONVERSION: Final = "benchmarks/RESULTS.md"
_READING: Final = "benchmarks/RESULTS-read.md"

_ABOUT_ARCHIVES: Final = "Archives, converted directly, or unpacked first and then converted:"


def conversion() -> list[str]:
    """The charts of conversion: against the plain way, a mere copy, and unpacking first."""
    measured = read_table(sections(_CONVERSION)["Time"])
    rows = {row["dataset"]: row for row in measured if row["corpus"] == "generated"}
    rows |= {row["dataset"]: row for row in measured if row["corpus"] == "real"}
    archives = read_table(sections(_CONVERSION)["Archives"])
    return [
        chart(
            "Plain way / rico-hdl, in time (longer is better)",
            [_times(name, row["plain / rico-hdl"]) for name, row in rows.items()],
        ),
        chart(
            "rico-hdl / mere copy, in time (shorter is better)",
            [_times(name, row["rico-hdl / floor"]) for name, row in rows.items()],
        ),
        _ABOUT_ARCHIVES,
        chart(
            "Unpacking, then converting / rico-hdl, in time (longer is better)",
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
        results: The text below each heading of the benchmark's document.
    """
    tasks = re.findall(r"^\* \*\*(\w+)\*\*: (.+)$", results["Reading benchmark"], re.MULTILINE)
    rows = read_table(results["Summary"])
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
    """A cell's number, without emphasis."""
    return float(plain(cell).replace(",", ""))


def plain(text: str) -> str:
    """A text without Markdown's emphasis and code."""
    return text.replace("*", "").replace("`", "")


CHARTS: Final[dict[str, Callable[[], str]]] = {
    "conversion_charts": lambda: "\n\n".join(conversion()),
    "reading_charts": lambda: "\n\n".join(reading(sections(_READING))),
}
"""By the word in the comment ``<!-- site: WORD -->`` that they replace."""
