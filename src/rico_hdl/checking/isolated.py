"""Checking a store in a child process, which a damaged file may crash.

Reading a mapped file that ends early, or following page numbers that lead out of it, ends a process
with SIGBUS or SIGSEGV. Here that process is a child, and its crash becomes a finding:

    caller ──request──▶ stdin   child   stdout ──progress, then a result or an error──▶ caller

Messages are pickles, since both ends are this package: findings and exceptions of any class arrive
unchanged. The child shares the caller's standard error. It ends whenever the caller ends, even if
the caller is killed.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from rico_hdl.checking.findings import Finding, Verification
from rico_hdl.errors import RicoError, UsageError
from rico_hdl.observer import Observer, observing
from rico_hdl.system.interruption import deferred_signals, stopped_by
from rico_hdl.system.streams import fill_closed_streams

Check = Literal["verify", "compare_with_sources"]
Send = Callable[..., None]

_N_ATTEMPTS: Final = 3
"""Attempts to check a store whose reader crashes while a conversion is writing to it."""

_PROGRESS_SECONDS: Final = 0.05
"""Minimum time between two progress messages about records."""

_END: Final = "end"
"""The last message, with a result or an exception; the others are calls of the observer."""

_STOPPING: Final = frozenset({"SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"})
"""Signals from a user, or from the system when memory runs out: they say nothing about the
store."""


def run_isolated(
    check: Check,
    target: str | os.PathLike[str],
    observer: Observer | None = None,
    **arguments: object,
) -> Verification:
    """Run a check in a child process.

    Args:
        check: The public function to run.
        target: The folder that holds ``data.mdb``.
        observer: Receives progress in the calling thread. The child reports records a few times a
            second, several batches at once.
        **arguments: Further arguments of the function; pickle must support them.

    Raises:
        RicoError: Any error that the function raises.
        UsageError: An argument can't be sent to another process.
        InterruptedRunError: A signal other than that of a crash ended the child.
    """
    target = os.fspath(target)
    try:
        request = pickle.dumps((check, target, observer is not None, arguments))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise _not_sent(error) from error
    number = 0
    for _ in range(_N_ATTEMPTS):
        before = _state(target)
        outcome = _attempt(request, observing(observer))
        if isinstance(outcome, Verification):
            return outcome
        if isinstance(outcome, Exception):
            raise outcome
        number = outcome
        if before == _state(target):
            break  # if the files differ, a conversion was writing and may have caused the crash
    name = signal.Signals(number).name
    if name in _STOPPING:
        raise stopped_by(number)
    reason = f"data.mdb can't be read: its structure made the reader crash ({name})"
    folder = os.path.abspath(Path(target).expanduser())  # noqa: PTH100 - keeps links
    return Verification(folder, findings=[Finding("damaged", "", reason)])


def _attempt(request: bytes, observer: Observer) -> Verification | Exception | int:
    """The result or error of a child, or the signal that ended it."""
    # An error that a signal's handler raises while the child starts would leave it behind.
    with deferred_signals() as stop:
        child = _started()
    with child:
        try:
            stop.deliver()
            for name, arguments in _messages(child, request):
                if name == _END:
                    end: Verification | Exception = arguments[0]
                    return end
                getattr(observer, name)(*arguments)
        except BaseException:  # Ctrl-C, or an exception of the observer
            child.kill()  # it writes nothing, and holds nothing that outlives it
            raise
        if child.wait() < 0:
            return -child.returncode
    raise RuntimeError(f"the checking process ended with {child.returncode} and without a result")


def _started() -> subprocess.Popen[bytes]:
    """A child that waits for a request, and leaves Ctrl-C to this process."""
    # -P: don't import modules from the current folder, where a user may have anything.
    command = [sys.executable, "-P", "-m", "rico_hdl.checking.isolated"]
    package = os.fspath(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    # Windows has no signal masks.
    mask: Callable[..., Any] = getattr(signal, "pthread_sigmask", lambda *_: ())
    before = mask(getattr(signal, "SIG_BLOCK", 0), {signal.SIGINT})  # the child inherits it
    try:
        return subprocess.Popen(  # noqa: S603 - no input of a user is in the command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path},
        )
    finally:
        mask(getattr(signal, "SIG_SETMASK", 0), before)


def _messages(
    child: subprocess.Popen[bytes], request: bytes
) -> Iterator[tuple[str, Sequence[Any]]]:
    """The messages of a child, until it ends."""
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child has no pipes")
    try:
        child.stdin.write(request)
        child.stdin.flush()  # and left open: it closes when this process ends
    except BrokenPipeError:
        with suppress(BrokenPipeError):
            child.stdin.close()
        return
    while True:
        try:
            message = pickle.load(child.stdout)  # noqa: S301 - our own child
        except (EOFError, pickle.UnpicklingError):  # nothing, or part of a message
            return
        yield message


def _state(target: str) -> list[tuple[int, int, int] | None]:
    """Inode, size and modification time of the files that a conversion writes."""
    found: list[tuple[int, int, int] | None] = []
    for name in ("data.mdb", "rico-hdl.journal"):
        try:
            status = Path(target, name).expanduser().stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return found


class _Reporter(Observer):
    """The child's observer, which forwards progress to the caller."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._n_records = self._n_bytes = 0
        self._sent = time.monotonic()

    def on_start(self, n_records: int) -> None:
        """See `Observer`."""
        self.flush()
        self._send("on_start", n_records)

    def on_archive(self, modality: str, location: str, n_bytes_read: int, n_bytes: int) -> None:
        """See `Observer`."""
        self._send("on_archive", modality, location, n_bytes_read, n_bytes)

    def on_records(self, n_records: int, n_bytes: int) -> None:
        """See `Observer`."""
        self._n_records += n_records
        self._n_bytes += n_bytes
        if time.monotonic() - self._sent >= _PROGRESS_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send the progress gathered so far."""
        if self._n_records:
            self._send("on_records", self._n_records, self._n_bytes)
        self._n_records = self._n_bytes = 0
        self._sent = time.monotonic()


def _main() -> None:
    """Serve one request."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    fill_closed_streams()
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # so that nothing printed gets between the messages
    try:
        request = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own parent
    except EOFError:  # the caller was interrupted before it sent one
        return
    except (AttributeError, ImportError) as error:  # for example, a class of the calling program
        _send(pipe, _END, _not_sent(error))
        return
    check, target, is_observed, arguments = request
    send = partial(_send, pipe)
    reporter = _Reporter(send) if is_observed else None
    try:
        threading.Thread(target=_end_with_caller, daemon=True).start()
        # Imported only now; the package loads its parts as needed.
        result: object = getattr(import_module("rico_hdl"), check)(
            target, observer=reporter, **arguments
        )
        if reporter:
            reporter.flush()
    except Exception as error:  # noqa: BLE001 - raised again by the caller
        if not isinstance(error, RicoError):
            error.add_note(f"In the checking process:\n{traceback.format_exc()}")
        result = error
    send(_END, result)


def _not_sent(error: Exception) -> UsageError:
    return UsageError(
        f"an argument can't be sent to another process: {error}",
        "Leave out isolated, or name sources by their paths.",
    )


def _send(pipe: BinaryIO, name: str, *arguments: object) -> None:
    try:
        pipe.write(pickle.dumps((name, arguments)))
        pipe.flush()
    except BrokenPipeError:  # the caller has ended, as in `_end_with_caller`
        os._exit(1)


def _end_with_caller() -> None:
    """End this process as soon as the caller has ended, even by SIGKILL."""
    os.read(0, 1)  # the caller sends nothing more, so this returns when it ends
    os._exit(1)


if __name__ == "__main__":
    _main()
