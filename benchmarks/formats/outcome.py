"""The results of a reader: rates by cell and round, versions, and reasons for missing values.

In: the notes of jobs. Out: medians and ratios.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Cell = tuple[str, str]
"""(mode, task)."""


@dataclass(slots=True)
class Outcome:
    """The results of a reader."""

    name: str
    """A key of `readers.READERS`."""
    n_bytes: int | None = None
    """Bytes of its files."""
    broken: str | None = None
    """The reason why it can't be used at all, such as a missing library."""
    versions: dict[str, str] = field(default_factory=dict)
    """The versions of its libraries."""
    tuning: str = ""
    """Its tuning, as Markdown."""
    rates: dict[Cell, dict[int, float]] = field(default_factory=dict)
    """Patches per second, by round."""
    problems: dict[Cell, str] = field(default_factory=dict)
    """The reason why a cell has no rate."""

    def note(self, number: int, notes: Iterable[dict[str, Any]]) -> Iterator[str]:
        """Add a job's notes of a round, and yield lines to print."""
        for note in notes:
            if "versions" in note:
                self.versions, self.tuning = note["versions"], note["tuning"]
            elif "mode" not in note:
                self.broken = note.get("failed")
                if self.broken:
                    yield self.broken
            elif "patches_per_second" in note:
                cell = note["mode"], note["task"]
                self.rates.setdefault(cell, {})[number] = note["patches_per_second"]
                yield f"{cell[0]:8}{cell[1]}  {note['patches_per_second']:10,.0f}"
            else:
                cell = note["mode"], note["task"]
                self.problems[cell] = note.get("wrong") or note["failed"]
                yield f"{cell[0]:8}{cell[1]}  {self.problems[cell]}"

    def rate(self, cell: Cell) -> float | None:
        """The median rate; None if there is none or a round failed."""
        if cell in self.problems or cell not in self.rates:
            return None
        return median(self.rates[cell].values())

    def ratio(self, cell: Cell, to: Outcome) -> float | None:
        """The median of the ratios within the rounds in which both were measured."""
        if self.rate(cell) is None or to.rate(cell) is None:
            return None
        mine, yours = self.rates[cell], to.rates[cell]
        ratios = [mine[number] / yours[number] for number in mine.keys() & yours.keys()]
        return median(ratios) if ratios else None
