"""Threads that carry out one call after the other, and end well whatever happens.

In: calls. Out: their results, as futures. It is what `concurrent.futures.ThreadPoolExecutor` is,
but for Ctrl-C: that executor forgets a thread that it is just starting, and then the process never
ends. Here it may come at any time.
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
    """Something to do."""

    function: Callable[..., Any]
    arguments: tuple[object, ...]
    future: Future[Any]


_Calls = SimpleQueue[_Call | None]
"""What is to be done, in order; None for a thread that shall end."""


class Crew:
    """Threads that wait for calls. They end with `end`, or with this object, or with the process.

    Args:
        n_threads: How many.
        prepare: What each thread does first.
    """

    def __init__(self, n_threads: int, prepare: Callable[[], object]) -> None:
        self._calls: _Calls = SimpleQueue()
        self._pid = os.getpid()
        # Daemons: an ending process would wait for the others before it tells anybody to end.
        self._threads = [
            Thread(target=_work, args=(self._calls, prepare), name=f"{_NAME} {i}", daemon=True)
            for i in range(n_threads)
        ]
        _crews.add(self)
        for thread in self._threads:
            _threads.add(thread)
            thread.start()

    def submit(self, function: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Have a thread call a function, as soon as one is free."""
        future: Future[Any] = Future()
        self._calls.put(_Call(function, arguments, future))
        return future

    def end(self) -> None:
        """Let the threads end after what was submitted, and wait for that."""
        self._dismiss()
        for thread in self._threads:
            # One that was not even started, because of Ctrl-C, can't be waited for.
            if thread.ident is not None and thread is not current_thread():
                thread.join()

    def _dismiss(self) -> None:
        if os.getpid() == self._pid:  # a forked process has none of these threads
            for _ in self._threads:
                self._calls.put(None)

    def __del__(self) -> None:
        # Without waiting: this may be one of the threads, or somebody who holds a lock.
        self._dismiss()


def _work(calls: _Calls, prepare: Callable[[], object]) -> None:
    """What each thread does."""
    prepare()
    while (call := calls.get()) is not None:
        if call.future.set_running_or_notify_cancel():
            try:
                result = call.function(*call.arguments)
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is wanted
                call.future.set_exception(error)
            else:
                call.future.set_result(result)
                del result
        del call  # or it would be held until the next one comes


_crews: weakref.WeakSet[Crew] = weakref.WeakSet()
_threads: weakref.WeakSet[Thread] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """Wait for threads that are copying: the memory that they write to is about to go."""
    for crew in list(_crews):
        crew.end()
    for thread in list(_threads):
        if thread.ident is not None:
            thread.join()
