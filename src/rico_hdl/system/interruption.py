"""Stopping at a safe point, and in any case within two seconds.

Ctrl-C, SIGTERM or a closed terminal sets a flag that the pipeline checks between two records, so
that every record put so far is committed and counted. A second signal acts at once, as usual. Work
that has nothing to commit is interrupted by an error instead.

A disk or network mount that hangs may keep the program from ever reaching its next record. The
command line therefore also has a deadline, see `end_in_time`.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, NoReturn

from rico_hdl.errors import InterruptedRunError

GRACE_SECONDS: Final = 1.5
"""From the first signal until the process is ended, if it has not ended by itself. A commit of
32 MiB takes less on any disk that writes 25 MB/s; one that is cut loses only its own records, as
after ``kill -9``."""

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

    def deliver(self) -> None:
        """Act on the signal, if any, as if it arrived now.

        Its handler is called, and the signal not raised again: that would look like a second one.
        """
        if self.signal is None:
            return
        handler = signal.getsignal(self.signal)
        if callable(handler):
            handler(self.signal, None)
        else:
            signal.raise_signal(self.signal)


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


def end_in_time(end: Callable[[signal.Signals], NoReturn]) -> None:
    """From now on, a signal ends this process, whatever its threads are waiting for.

    SIGTERM and SIGHUP, which otherwise end it at once, raise an error like Ctrl-C, so that a
    program with something to finish can do so. If it takes longer than `GRACE_SECONDS`, or if a
    second signal arrives, a thread ends the process. Signals that are ignored or handled stay so.
    To be called from the main thread, by programs that own their process.

    Args:
        end: Ends the process at once; called in a thread while others may be stuck.
    """

    def stop(number: int, _: FrameType | None) -> None:
        # A thread that this keeps from being started properly would print a traceback.
        sys.unraisablehook = lambda _: None
        raise stopped_by(number)

    for number in _SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)
    if os.name == "nt":
        return  # select doesn't support pipes there
    # Handlers in Python run only once the main thread returns from a call into C. The system's
    # handler writes the signal's number to this pipe right away.
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    thread = threading.Thread(target=_watch, args=(read, end), name="rico-hdl-signals", daemon=True)
    with suppress(RuntimeError):  # the system refuses a thread: signals work, without a deadline
        thread.start()


def _watch(pipe: int, end: Callable[[signal.Signals], NoReturn]) -> None:
    """Wait for a signal, then for a second one or the deadline, and end the process."""
    known = {int(number) for number in _SIGNALS}
    first: int | None = None
    while True:
        is_due = not select.select([pipe], [], [], None if first is None else GRACE_SECONDS)[0]
        arrived = [] if is_due else [n for n in os.read(pipe, 1) if n in known]
        if first is None:
            first = arrived[0] if arrived else None
        elif is_due or arrived:
            end(signal.Signals(first))
