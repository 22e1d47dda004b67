"""Worker threads that don't keep a conversion from ending early."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Final, TypeVar

_LOOK_SECONDS: Final = 0.1
"""Between two looks at whether to stop, while a worker reads or decodes."""
_LEAVE_SECONDS: Final = 0.5
"""How long an early end waits for workers."""

_T = TypeVar("_T")


class StoppedError(Exception):
    """The conversion is to end early."""


class Workers(ThreadPoolExecutor):
    """Threads that an early end leaves behind if they hang, as on a lost network mount.

    Args:
        n_workers: Number of threads.
    """

    def __init__(self, n_workers: int) -> None:
        super().__init__(n_workers, "rico-hdl-work")
        self._unfinished: set[Future[Any]] = set()

    def begin(self, function: Callable[..., _T], *arguments: object) -> Future[_T]:
        """Let a thread call a function as soon as one is free."""
        future = self.submit(function, *arguments)
        self._unfinished.add(future)
        future.add_done_callback(self._unfinished.discard)
        return future

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        hanging: Iterable[object] = ()
        if kind is not None:
            self.shutdown(wait=False, cancel_futures=True)
            hanging = wait(list(self._unfinished), _LEAVE_SECONDS).not_done
        self.shutdown(wait=not hanging)


def result_of(future: Future[_T], must_stop: Callable[[], bool]) -> _T:
    """Wait for a result.

    Raises:
        StoppedError: The conversion must stop first.
    """
    while not must_stop():
        if future.done() or wait([future], _LOOK_SECONDS).done:
            return future.result()
    raise StoppedError
