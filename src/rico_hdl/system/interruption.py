"""Stopping at a safe point.

Ctrl-C, SIGTERM or a closed terminal sets a flag that the pipeline checks between two records, so
that every record put so far is committed and counted. A second signal acts at once, as usual. Work
that has nothing to commit is interrupted by an error instead.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rico_hdl.errors import InterruptedRunError

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class StopFlag:
    """Whether a signal has arrived."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        """The signal, if any."""

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def deferred_signals() -> Iterator[StopFlag]:
    """Turn signals into a flag while the context lasts.

    Outside the main thread Python delivers no signals, so the flag is never set.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def note(number: int, _: FrameType | None) -> None:
        flag.signal = signal.Signals(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            # None: a handler that was not installed from Python can't be restored.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup and background jobs rely on ignored signals
            signal.signal(number, note)
    try:
        yield flag
    finally:
        restore()


def stopped_by(number: int) -> InterruptedRunError:
    """The error for a process that a signal ended, with the exit code that shells use."""
    error = InterruptedRunError(f"stopped by {signal.Signals(number).name}")
    error.exit_code = 128 + number
    return error


@contextmanager
def raised_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP, which otherwise end the process at once, into errors.

    Signals that are ignored or handled stay so. Outside the main thread nothing changes.
    """

    def stop(number: int, _: FrameType | None) -> None:
        raise stopped_by(number)

    found: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        found = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in found:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in found:
            signal.signal(number, signal.SIG_DFL)
