"""Showing how a conversion or a verification goes: as bars, as lines, as JSON, or not at all.

In: the calls of `rico_hdl.Observer`, which only count. Out: text on stderr, by a thread that looks
at the counts from time to time: what is shown goes on where nothing is reported for a while.
"""

# ruff: noqa: D102 - `rico_hdl.Observer` describes its methods

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from rico_hdl.cli.progress.rows import Row
from rico_hdl.cli.text import bytes_text, duration_text
from rico_hdl.observer import Observer
from rico_hdl.values import ArchiveFailure, Failure

if TYPE_CHECKING:
    from rico_hdl.patches.folders import Plan

LINE_SECONDS: Final = 5.0
_N_FAILURES: Final = 10  # shown while it runs; all are in the manifest and the report


class Progress(Observer):
    """Counts, and shows nothing but warnings and the first failures.

    Args:
        names: The modalities that take part, in the order in which they are shown.
    """

    period: ClassVar = 0.0
    """Seconds between two looks at the counts; 0 for none."""
    show_seconds: ClassVar = 0.0
    """Seconds until they are shown again."""
    reading: str = "verifying"
    """The stage in which records are read: ``verifying`` or ``counting``."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.stage = "looking"
        """What is going on: ``looking`` (for patches), ``converting``, or `reading`."""
        self.rows = {name: Row() for name in names}
        self.n_failures = self.n_warnings = 0
        self.start = self._changed = self._shown = time.monotonic()
        self._n_shown = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_again, daemon=True)

    def __enter__(self) -> Self:
        self.show()
        if self.period:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self.look()
        self.show()

    def _look_again(self) -> None:
        while not self._ended.wait(self.period):
            self.look()
            if time.monotonic() - self._shown >= self.show_seconds:
                self._shown = time.monotonic()
                self.show()

    def look(self) -> None:
        """Take note of the counts, for rates."""
        now = time.monotonic()
        for row in list(self.rows.values()):
            row.sample(now)

    def show(self) -> None:
        """Show the counts: at the beginning, whenever it is due, and at the end."""

    def print(self, line: str) -> None:
        """Print a line on stderr."""
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def _row(self, name: str, unit: str = "patches") -> Row:
        """A row whose counts change now; made where it is not there."""
        row = self.rows.setdefault(name, Row(unit=unit))
        row.change(now := time.monotonic(), self._changed)
        self._changed = now
        return row

    def on_plan(self, plan: Plan) -> None:
        for name in plan.sources:
            row = self.rows.setdefault(name, Row())
            row.n_total = plan.n_patches[name]
            row.n_failed = -sum(failure.modality == name for failure in plan.failures)
        self._changed = time.monotonic()
        self.stage = "converting"

    def on_archive(self, modality: str, location: str, n_bytes_read: int, n_bytes: int) -> None:
        row = self._row(modality) if self.stage == "converting" else self._records()
        row.archive, row.n_archive_bytes, row.n_archive_bytes_read = location, n_bytes, n_bytes_read

    def on_patches(self, modality: str, n_patches: int, n_bytes: int) -> None:
        row = self._row(modality)
        if n_bytes:
            row.n_new += n_patches
            row.n_bytes += n_bytes
        else:
            row.n_present += n_patches

    def on_start(self, n_records: int) -> None:
        self.rows = {"records": Row(n_records, "records")}  # again where an attempt failed
        self._changed = time.monotonic()
        self.stage = self.reading

    def on_records(self, n_records: int, n_bytes: int) -> None:
        row = self._records()
        row.n_new += n_records
        row.n_bytes += n_bytes

    def _records(self) -> Row:
        """The one row of a verification."""
        self.stage = self.reading
        return self._row("records", "records")

    def on_failure(self, failure: Failure) -> None:
        self.n_failures += 1
        if isinstance(failure, ArchiveFailure):
            self.print(f"{failure.state}: {failure}")
            return
        if self.stage == "converting":
            row = self.rows.setdefault(failure.modality, Row())
            row.n_failed += 1
            if row.n_failed > 0:
                self._row(failure.modality)
        self._n_shown += 1
        if self._n_shown <= _N_FAILURES:
            self.print(f"left out: {failure}")
        elif self._n_shown == _N_FAILURES + 1:
            self.print("left out: more; all are listed in rico-hdl.json")

    def on_warning(self, message: str) -> None:
        self.n_warnings += 1
        self.print(f"warning: {message}")


class Lines(Progress):
    """A plain line every few seconds."""

    period = 1.0
    show_seconds = LINE_SECONDS

    def __init__(self, names: Iterable[str] = ()) -> None:
        super().__init__(names)
        self._told: set[str] = set()

    def on_plan(self, plan: Plan) -> None:
        super().on_plan(plan)
        found = ", ".join(f"{plan.n_patches[name]:,} {name}" for name in plan.sources)
        if found:
            self.print(f"found {found} patches")

    def show(self) -> None:
        """One line for all rows that are worked on; finished ones are shown once."""
        rows = list(self.rows.items())
        parts = [
            f"{name} {_line(row)}"
            for name, row in rows
            if row.began is not None and name not in self._told
        ]
        self._told = {name for name, row in rows if row.is_finished}
        if parts and not self._ended.is_set():  # a summary follows the end
            self.print("; ".join(parts))


def _line(row: Row) -> str:
    """All about a row, in one line."""
    found = texts(row)
    share = " of ".join(filter(None, [found["share"], found["archive"]]))
    count = f"{found['count']} ({share})" if share else found["count"]
    others = (found[name] for name in ("present", "rate", "bytes", "left"))
    return ", ".join(filter(None, [count, *others]))


def texts(row: Row, *, is_wide: bool = True) -> dict[str, str]:
    """All about a row; if it is not wide, mostly without words. Texts of unknowns are empty."""
    count = f"{row.n_done:,}"
    if row.n_total is not None and not row.archive:
        count += f"/{row.n_total:,}"
    elif is_wide:
        count += f" {row.unit}"
    n_bytes = row.per_second("n_bytes")
    return {
        "share": "" if row.share is None else f"{int(100 * row.share)}%",
        "count": "" if row.began is None and row.size is None else count,
        "rate": _rate_text(row, is_wide=is_wide),
        "bytes": f"{bytes_text(n_bytes)}/s" if n_bytes else "",
        "left": _left_text(row, is_wide=is_wide),
        "archive": PurePath(row.archive).name,
        "present": f"{row.n_present:,} {'already ' * is_wide}there" if row.n_present else "",
    }


def _rate_text(row: Row, *, is_wide: bool) -> str:
    """How fast a row is: ``12,345 patches/s`` or ``12k/s``."""
    rate = row.rate
    if rate is None:
        return ""
    if not is_wide and rate >= 9999.5:
        return f"{rate / 1000:,.0f}k/s"
    digits = 1 if 0.05 <= rate < 10 else 0
    return f"{rate:,.{digits}f}{f' {row.unit}' * is_wide}/s"


def _left_text(row: Row, *, is_wide: bool) -> str:
    """How long a row still takes, or took."""
    if row.is_finished:
        took = f"{row.seconds:.1f} s" if row.seconds < 10 else duration_text(row.seconds)
        return f"in {took}" if is_wide else took
    if row.began is None:
        return "waiting"
    if row.is_checking:
        return "checking"
    if row.seconds_left is None:
        return ""
    left = duration_text(row.seconds_left)
    return f"{left} left" if is_wide else f"~{left}"


class JsonLines(Progress):
    """A line of JSON every few seconds, and at the beginning and the end."""

    period = 1.0
    show_seconds = LINE_SECONDS

    def show(self) -> None:
        """One object with all counts."""
        content = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "seconds": round(time.monotonic() - self.start, 3),
            "stage": self.stage,
            "modalities": {name: _values(row) for name, row in list(self.rows.items())},
            "n_failures": self.n_failures,
            "n_warnings": self.n_warnings,
        }
        self.print(json.dumps(content, ensure_ascii=False))


def _values(row: Row) -> dict[str, Any]:
    """The counts of a row, JSON-ready."""
    left, rate = row.seconds_left, row.rate
    archive = {
        "path": row.archive,
        "n_bytes_read": row.n_archive_bytes_read,
        "n_bytes": row.n_archive_bytes,
    }
    return {
        "n_done": row.n_done,
        "n_total": row.n_total,
        "n_present": row.n_present,
        "n_bytes": row.n_bytes,
        "archive": archive if row.archive else None,
        f"{row.unit}_per_second": None if rate is None else round(rate, 1),
        "seconds_left": 0.0 if row.is_finished else left and round(left, 1),
    }


def progress_for(kind: str, names: Iterable[str] = (), *, quiet: bool) -> Progress:
    """Show progress as the value of ``--progress`` says; if quiet, ``auto`` means none."""
    if kind == "auto" and quiet:
        kind = "none"
    if kind == "auto":
        draws = sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}
        kind = "bars" if draws else "lines"
    if kind == "bars":
        from rico_hdl.cli.progress.bars import Bars  # noqa: PLC0415 - only terminals pay for rich

        return Bars(names)
    return {"lines": Lines, "json": JsonLines, "none": Progress}[kind](names)
