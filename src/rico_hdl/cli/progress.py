"""Showing how a conversion goes: bars on a terminal, plain lines elsewhere, nothing if quiet.

In: the calls of `rico_hdl.Observer`. Out: text on stderr.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from rico_hdl.cli.text import archive_word, bytes_text, duration_text
from rico_hdl.observer import Observer
from rico_hdl.patches.folders import Plan
from rico_hdl.spec import DatasetSpec
from rico_hdl.values import ArchiveFailure, Failure

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_SECONDS: Final = 5.0
BAR_SECONDS: Final = 0.1
_N_FAILURES: Final = 10  # shown while it runs; all are in the manifest and the report


class Silent(Observer):
    """Shows nothing but warnings and the first failures: what went wrong, not progress."""

    def __init__(self) -> None:
        self._n_failures = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""

    def on_failure(self, failure: Failure) -> None:
        """See `rico_hdl.Observer`."""
        if isinstance(failure, ArchiveFailure):
            self._print(f"{archive_word(failure)}: {failure}")
            return
        self._n_failures += 1
        if self._n_failures <= _N_FAILURES:
            self._print(f"left out: {failure}")
        elif self._n_failures == _N_FAILURES + 1:
            self._print("left out: more; all are listed in rico-hdl.json")

    def on_warning(self, message: str) -> None:
        """See `rico_hdl.Observer`."""
        self._print(f"warning: {message}")

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is the command line


class Lines(Silent):
    """A plain line every few seconds, for logs."""

    def __init__(self) -> None:
        super().__init__()
        self._n_planned: Counter[str] = Counter()
        self._n_done: Counter[str] = Counter()
        self._n_new = self._n_bytes = 0
        self._archives: dict[str, str] = {}
        self._start = self._shown = time.monotonic()

    def on_plan(self, plan: Plan) -> None:
        """See `rico_hdl.Observer`."""
        self._n_planned = plan.n_patches
        found = ", ".join(f"{plan.n_patches[name]} {name}" for name in plan.sources)
        if found:
            self._print(f"found {found} patches")
        self._start = self._shown = time.monotonic()

    def on_archive(self, modality: str, location: str, n_bytes_read: int, n_bytes: int) -> None:
        """See `rico_hdl.Observer`."""
        share = n_bytes_read / n_bytes if n_bytes else 1.0
        self._archives[modality] = f"{share:.0%} of {PurePath(location).name}"
        self._show_if_due()

    def on_patches(self, modality: str, n_patches: int, n_bytes: int) -> None:
        """See `rico_hdl.Observer`."""
        self._n_done[modality] += n_patches
        self._n_bytes += n_bytes
        if n_bytes:
            self._n_new += n_patches
        self._show_if_due()

    def _show_if_due(self) -> None:
        now = time.monotonic()
        if now - self._shown >= LINE_SECONDS:
            self._shown = now
            self._show(now - self._start)

    def _show(self, seconds: float) -> None:
        done = [f"{name} {self._n_done[name]}/{n}" for name, n in self._n_planned.items()]
        done += [f"{name} {self._n_done[name]} ({at})" for name, at in self._archives.items()]
        rate = self._n_new / seconds
        n_left = sum(n - self._n_done[name] for name, n in self._n_planned.items())
        known = rate and not self._archives  # how many patches archives hold is not
        left = f", {duration_text(n_left / rate)} left" if known else ""
        self._print(
            f"{', '.join(done)}; {rate:.0f} patches/s, "
            f"{bytes_text(self._n_bytes / seconds)}/s{left}"
        )


class _Place(NamedTuple):
    """How far an archive was read."""

    location: str
    began: float
    n_bytes_read: int
    n_bytes: int


class Bars(Silent):
    """A bar for each source, for terminals."""

    def __init__(self, spec: DatasetSpec) -> None:
        super().__init__()
        from rich.console import Console  # noqa: PLC0415 - only terminals pay for it
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

        self._spec = spec
        self._progress: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]}"),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}
        self._n_planned: Counter[str] = Counter()
        self._archives: dict[str, _Place] = {}
        self._looking = self._progress.add_task(
            "looking for patches", total=None, done="", rate="", left=""
        )
        self._n_done: Counter[str] = Counter()
        self._n_new: Counter[str] = Counter()
        self._n_bytes: Counter[str] = Counter()
        self._began: dict[str, float] = {}
        self._shown = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._show_all()
        self._progress.stop()

    def on_plan(self, plan: Plan) -> None:
        """See `rico_hdl.Observer`."""
        self._progress.remove_task(self._looking)
        self._n_planned = plan.n_patches
        for name in plan.sources:
            self._add(name, plan.n_patches[name])

    def _add(self, name: str, total: int) -> None:
        title = f"{name}: {self._spec.modality(name).title}"
        self._tasks[name] = self._progress.add_task(title, total=total, done="", rate="", left="")

    def on_archive(self, modality: str, location: str, n_bytes_read: int, n_bytes: int) -> None:
        """See `rico_hdl.Observer`."""
        now = time.monotonic()
        if modality not in self._tasks:
            self._add(modality, n_bytes)
        known = self._archives.get(modality)
        began = known.began if known and known.location == location else now
        self._archives[modality] = _Place(location, began, n_bytes_read, n_bytes)
        self._show_if_due(now)

    def on_patches(self, modality: str, n_patches: int, n_bytes: int) -> None:
        """See `rico_hdl.Observer`."""
        now = time.monotonic()
        self._n_done[modality] += n_patches
        if n_bytes:
            self._began.setdefault(modality, now)
            self._n_new[modality] += n_patches
            self._n_bytes[modality] += n_bytes
        self._show_if_due(now)

    def _show_if_due(self, now: float) -> None:
        if now - self._shown >= BAR_SECONDS:
            self._shown = now
            self._show_all()

    def _show_all(self) -> None:
        now = time.monotonic()
        for name, task in self._tasks.items():
            seconds = now - self._began.get(name, now)
            rate = self._n_new[name] / seconds if seconds > 0 else 0.0
            values: dict[str, Any] = (
                self._archive_values(self._archives[name], name, now)
                if name in self._archives
                else self._folder_values(name, rate)
            )
            if rate:
                per_second = bytes_text(self._n_bytes[name] / seconds)
                values["rate"] = f"{rate:.0f} patches/s {per_second}/s"
            self._progress.update(task, **values)

    def _folder_values(self, name: str, rate: float) -> dict[str, Any]:
        n, n_done = self._n_planned[name], self._n_done[name]
        left = f"{duration_text((n - n_done) / rate)} left" if rate and n > n_done else ""
        return {"completed": n_done, "done": f"{n_done}/{n}", "left": left}

    def _archive_values(self, place: _Place, name: str, now: float) -> dict[str, Any]:
        """The bar of an archive goes by its bytes: nobody knows how many patches it holds."""
        title = PurePath(place.location).name
        seconds_left = (
            (now - place.began) * (place.n_bytes - place.n_bytes_read) / place.n_bytes_read
            if place.n_bytes_read
            else 0.0
        )
        return {
            "total": place.n_bytes,
            "completed": place.n_bytes_read,
            "done": f"{self._n_done[name]} patches, {title}",
            "left": f"{duration_text(seconds_left)} left" if seconds_left else "",
        }

    def _print(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)


def progress_for(spec: DatasetSpec, *, quiet: bool) -> Silent:
    """What suits the place where stderr goes."""
    if quiet:
        return Silent()
    return Bars(spec) if sys.stderr.isatty() else Lines()
