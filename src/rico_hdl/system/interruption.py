"""Stopping at a safe point.

In: Ctrl-C, SIGTERM, a closed terminal. Out: a flag that the pipeline looks at between two records,
so that what was put is committed and counted. A second signal stops at once, as usual.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class StopFlag:
    """Whether a signal asked for the end."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        """The signal that came, if any."""

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def deferred_signals() -> Iterator[StopFlag]:
    """Turn signals into a flag while the context lasts.

    Outside of the main thread Python delivers no signals, and the flag stays down.
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
            # None: a handler that was not installed from Python can't be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup and background jobs ignore some: keep it so
            signal.signal(number, note)
    try:
        yield flag
    finally:
        restore()
