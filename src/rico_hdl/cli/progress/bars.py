"""A bar for each modality, for terminals: the only module that imports rich."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar, Final, Literal, NamedTuple, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from rico_hdl.cli.progress import Progress, bytes_rate_text, left_text, rate_text
from rico_hdl.cli.progress.rows import Row
from rico_hdl.cli.text import duration_text

_Column = Literal["name", "bar", "share", "count", "rate", "bytes", "left", "note"]


class _Layout(NamedTuple):
    """What is shown where there is room for it."""

    columns: tuple[_Column, ...]
    is_wide: bool = True
    """Whether numbers have their words."""


_LAYOUTS: Final = (  # the first that fits: what comes later lacks what matters least
    _Layout(("name", "bar", "share", "count", "rate", "bytes", "left", "note")),
    _Layout(("name", "bar", "share", "count", "rate", "left", "note")),
    _Layout(("name", "bar", "share", "count", "rate", "left", "note"), is_wide=False),
    _Layout(("name", "bar", "share", "count", "rate", "left"), is_wide=False),
    _Layout(("name", "bar", "share", "count", "left"), is_wide=False),
    _Layout(("name", "bar", "share", "left"), is_wide=False),
    _Layout(("name", "bar", "share"), is_wide=False),
)
# Columns keep these widths, or numbers that grow would move the others.
_WIDE: Final[dict[_Column, int]] = {"share": 4, "rate": 16, "bytes": 8, "left": 12}
_NARROW: Final[dict[_Column, int]] = {"share": 4, "rate": 7, "left": 8}
_MIN_BAR, _GOOD_BAR, _MAX_BAR = 6, 16, 40
_NARROW_NOTE, _WIDE_NOTE, _MAX_NOTE = 13, 45, 60


class Bars(Progress):
    """Draws the bars again five times a second."""

    period: ClassVar = 0.2

    def __init__(self, names: Iterable[str] = ()) -> None:
        super().__init__(names)
        self._console = Console(stderr=True)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            get_renderable=self._draw,
        )

    def __enter__(self) -> Self:
        self._live.start()
        # rich hides the cursor; a process that is killed couldn't show it again.
        self._console.show_cursor(show=True)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        try:
            super().__exit__(*error)
        finally:
            self._live.transient = self.stage == "looking"
            self._live.stop()

    def show(self) -> None:
        """Draw all bars."""
        self._live.refresh()

    def print(self, line: str) -> None:
        """Print a line above the bars."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _draw(self) -> RenderableType:
        if self.stage == "looking":
            table = Table.grid(padding=(0, 1))
            bar = ProgressBar(total=None, width=20)
            table.add_row("looking", bar, duration_text(time.monotonic() - self.start))
            return table
        return draw(list(self.rows.items()), self._console.width)


def draw(rows: list[tuple[str, Row]], width: int) -> Table:
    """One line for each row, of at most ``width`` columns."""
    cells, widths = _fitting(rows, width)
    table = Table.grid(padding=(0, 1))
    for column, n in widths.items():
        justify: Literal["left", "right"] = "left" if column in {"name", "note"} else "right"
        table.add_column(width=n, no_wrap=True, overflow="ellipsis", justify=justify)
    for (_, row), line in zip(rows, cells, strict=True):
        bar = ProgressBar(
            total=None if row.share is None and row.began is not None else 1.0,
            completed=row.share or 0.0,
            width=widths["bar"],
        )
        table.add_row(*(bar if column == "bar" else line[column] for column in widths))
    return table


def _fitting(
    rows: list[tuple[str, Row]], width: int
) -> tuple[list[dict[_Column, str]], dict[_Column, int]]:
    """The texts of all rows, and the widths of the columns that there is room for."""
    for layout in _LAYOUTS:
        cells = [_cells(name, row, layout) for name, row in rows]
        least = _WIDE if layout.is_wide else _NARROW
        widths = {
            column: max([least.get(column, 0)] + [len(line[column]) for line in cells])
            for column in layout.columns
        }
        longest_note = widths.get("note", 0)
        if "note" in widths:
            widths["note"] = min(longest_note, _WIDE_NOTE if layout.is_wide else _NARROW_NOTE)
        # The last column stays free: "^C" of a terminal would wrap there.
        free = width - 1 - sum(widths.values()) - len(widths) + 1
        if free >= _MIN_BAR:
            break
    else:
        widths["name"] = max(1, widths["name"] + free - _MIN_BAR)
        free = _MIN_BAR
    if "note" in widths:
        more = max(0, min(longest_note, _MAX_NOTE) - widths["note"])
        more = max(0, min(more, free - _GOOD_BAR))
        widths["note"] += more
        free -= more
    widths["bar"] = min(_MAX_BAR, free)
    return cells, widths


def _cells(name: str, row: Row, layout: _Layout) -> dict[_Column, str]:
    """The texts of a row."""
    wide = layout.is_wide
    if row.n_total is not None and not row.archive:
        count = f"{row.n_done:,}/{row.n_total:,}"
    else:
        count = f"{row.n_done:,} {row.unit}" if wide else f"{row.n_done:,}"
    notes = [row.archive_name] if row.archive else []
    if row.n_present:
        notes.append(f"{row.n_present:,} {'already ' * wide}there")
    return {
        "name": name,
        "bar": "",
        "share": "" if row.share is None else f"{int(100 * row.share)}%",
        "count": "" if row.began is None and row.size is None else count,
        "rate": rate_text(row, short=not wide),
        "bytes": bytes_rate_text(row),
        "left": left_text(row) if wide else left_text(row, "~{}", "{}"),
        "note": ", ".join(notes),
    }
