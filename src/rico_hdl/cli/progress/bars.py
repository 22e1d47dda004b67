"""A bar for each modality, for terminals: the only module that imports rich."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar, Final, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from rico_hdl.cli.progress import Progress, texts
from rico_hdl.cli.progress.rows import Row
from rico_hdl.cli.text import duration_text

_COLUMNS: Final = ("name", "bar", "share", "count", "rate", "bytes", "left", "note")
_EXPENDABLE: Final = ("bytes", "words", "note", "rate", "count", "left")
"""What is left out where there is no room, one after the other: columns, and numbers' words."""
# Columns keep these widths, or numbers that grow would move the others.
_WIDE: Final = {"share": 4, "rate": 16, "bytes": 8, "left": 12}
_NARROW: Final = {"share": 4, "rate": 7, "left": 8}
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
        if self.stage != "looking":
            return draw(list(self.rows.items()), self._console.width)
        table = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=None, width=20)
        table.add_row("looking", bar, duration_text(time.monotonic() - self.start))
        return table


def draw(rows: list[tuple[str, Row]], width: int) -> Table:
    """One line for each row, of at most ``width`` columns."""
    cells, widths = _fitting(rows, width)
    table = Table.grid(padding=(0, 1))
    for column, n in widths.items():
        is_text = column in {"name", "note"}
        table.add_column(
            width=n, no_wrap=True, overflow="ellipsis", justify="left" if is_text else "right"
        )
    for (_, row), line in zip(rows, cells, strict=True):
        is_unknown = row.share is None and row.began is not None
        bar = ProgressBar(None if is_unknown else 1.0, row.share or 0.0, width=widths["bar"])
        table.add_row(*(bar if column == "bar" else line[column] for column in widths))
    return table


def _fitting(
    rows: list[tuple[str, Row]], width: int
) -> tuple[list[dict[str, str]], dict[str, int]]:
    """The texts of all rows, and the widths of the columns that there is room for."""
    for n_left_out in range(len(_EXPENDABLE) + 1):
        left_out = _EXPENDABLE[:n_left_out]
        is_wide = "words" not in left_out
        least, most = (_WIDE, _WIDE_NOTE) if is_wide else (_NARROW, _NARROW_NOTE)
        cells = [{"name": name, "bar": "", **texts(row, is_wide=is_wide)} for name, row in rows]
        for line in cells:
            line["note"] = ", ".join(filter(None, [line["archive"], line["present"]]))
        widths = {
            column: max([least.get(column, 0)] + [len(line[column]) for line in cells])
            for column in _COLUMNS
            if column not in left_out
        }
        longest_note = widths.get("note", 0)
        if "note" in widths:
            widths["note"] = min(longest_note, most)
        # The last column stays free: "^C" of a terminal would wrap there.
        free = width - 1 - sum(widths.values()) - len(widths) + 1
        if free >= _MIN_BAR:
            break
    else:
        widths["name"] = max(1, widths["name"] + free - _MIN_BAR)
        free = _MIN_BAR
    if "note" in widths:
        more = min(longest_note, _MAX_NOTE) - widths["note"]
        more = max(0, min(more, free - _GOOD_BAR))
        widths["note"] += more
        free -= more
    widths["bar"] = min(_MAX_BAR, free)
    return cells, widths
