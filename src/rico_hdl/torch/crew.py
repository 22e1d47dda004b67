"""Threads that run submitted calls, and end cleanly whatever happens.

In: calls. Out: their results, as futures. It works like `concurrent.futures.ThreadPoolExecutor`,
except on Ctrl-C, which may come at any time here: that executor forgets a thread that it is just
starting, and the process then never ends.
"""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread, current_thread
from typing import Any, Final, NamedTuple

_NAME: Final = "rico-hdl loader"


class _Call(NamedTuple):
    """A submitted call."""

    function: Callable[..., Any]
    arguments: tuple[object, ...]
    future: Future[Any]


_Calls = SimpleQueue[_Call | None]
"""Pending calls, in order; each None ends one thread."""


class Crew:
    """Threads that wait for calls. They end with `end`, or with this object, or with the process.

    Args:
        n_threads: The number of threads.
        prepare: A function that each thread calls first.
    """

    def __init__(self, n_threads: int, prepare: Callable[[], object]) -> None:
        self._calls: _Calls = SimpleQueue()
        self._pid = os.getpid()
        # Daemons: a process at its end waits for other threads before it runs `_end_all`.
        self._threads = [
            Thread(target=_work, args=(self._calls, prepare), name=f"{_NAME} {i}", daemon=True)
            for i in range(n_threads)
        ]
        _crews.add(self)
        for thread in self._threads:
            _threads.add(thread)
            thread.start()

    def submit(self, function: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Let a thread call a function as soon as one is free."""
        future: Future[Any] = Future()
        self._calls.put(_Call(function, arguments, future))
        return future

    def end(self) -> None:
        """End the threads after all submitted calls, and wait for them."""
        self._dismiss()
        for thread in self._threads:
            # A thread that Ctrl-C kept from starting can't be joined.
            if thread.ident is not None and thread is not current_thread():
                thread.join()

    def _dismiss(self) -> None:
        if os.getpid() == self._pid:  # a forked process has none of these threads
            for _ in self._threads:
                self._calls.put(None)

    def __del__(self) -> None:
        # Without waiting: this may run in one of the threads, or in code that holds a lock.
        self._dismiss()


def _work(calls: _Calls, prepare: Callable[[], object]) -> None:
    """Run calls until None arrives; each thread runs this."""
    prepare()
    while (call := calls.get()) is not None:
        if call.future.set_running_or_notify_cancel():
            try:
                result = call.function(*call.arguments)
            except BaseException as error:  # noqa: BLE001 - raised where the result is requested
                call.future.set_exception(error)
            else:
                call.future.set_result(result)
                del result
        del call  # otherwise it is held until the next one comes


_crews: weakref.WeakSet[Crew] = weakref.WeakSet()
_threads: weakref.WeakSet[Thread] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """Wait for threads that are copying: the memory that they write to is about to be freed."""
    for crew in list(_crews):
        crew.end()
    for thread in list(_threads):
        if thread.ident is not None:
            thread.join()
