"""Showing how a verification goes: a bar on a terminal, plain lines elsewhere, nothing if quiet.

In: the calls of `rico_hdl.Observer`. Out: text on stderr.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from rico_hdl.cli.progress import BAR_SECONDS, LINE_SECONDS
from rico_hdl.cli.text import bytes_text, duration_text
from rico_hdl.observer import Observer

if TYPE_CHECKING:
    from rich.progress import Progress


class VerificationLines(Observer):
    """A plain line every few seconds."""

    def __init__(self) -> None:
        self._n = self._n_done = self._n_bytes = 0
        self._start = self._shown = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""

    def on_start(self, n_records: int) -> None:
        """See `rico_hdl.Observer`."""
        self._n, self._n_done, self._n_bytes = n_records, 0, 0
        self._start = self._shown = time.monotonic()

    def on_records(self, n_records: int, n_bytes: int) -> None:
        """See `rico_hdl.Observer`."""
        self._n_done += n_records
        self._n_bytes += n_bytes
        now = time.monotonic()
        if now - self._shown >= self._interval():
            self._shown = now
            self._show(now - self._start)

    def _interval(self) -> float:
        return LINE_SECONDS

    def _show(self, seconds: float) -> None:
        line = f"{self._n_done}/{self._n} {self._rates(seconds)}"
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is the command line

    def _rates(self, seconds: float) -> str:
        left = (self._n - self._n_done) * seconds / max(1, self._n_done)
        return f"{bytes_text(self._n_bytes / seconds)}/s, {duration_text(left)} left"


class VerificationSilence(VerificationLines):
    """Shows nothing."""

    def _show(self, seconds: float) -> None:
        """Nothing to show."""


class VerificationBar(VerificationLines):
    """One bar, for terminals."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console  # noqa: PLC0415 - only terminals pay for it
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
        )

        self._progress: Progress = Progress(
            TextColumn("verify"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task("verify", total=None, rate="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._show(max(1e-9, time.monotonic() - self._start))
        self._progress.stop()

    def _interval(self) -> float:
        return BAR_SECONDS

    def _show(self, seconds: float) -> None:
        self._progress.update(
            self._task, completed=self._n_done, total=self._n, rate=self._rates(seconds)
        )


def verification_progress(*, quiet: bool) -> VerificationLines:
    """What suits the place where stderr goes."""
    if quiet:
        return VerificationSilence()
    return VerificationBar() if sys.stderr.isatty() else VerificationLines()
