"""Converting patches into records in several threads, in bounded memory.

In: the items of a supply. Out: a record or a failure in place of each patch; everything else passes
through, in the same order. The memory of patches in flight is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Final

from rico_hdl.converting.converter import MAX_PATCH_BYTES, Converted, Oversized, PatchConverter
from rico_hdl.converting.workers import StoppedError, Workers, result_of
from rico_hdl.patches.archives import MAX_WAITING_BYTES
from rico_hdl.patches.supply import Supplied
from rico_hdl.values import Patch, PatchFailure, Position, Record

_Pending = deque[tuple[int, Future[Converted]]]
"""Groups in flight: the memory of each in bytes, and its results."""

IN_FLIGHT_BYTES: Final = 96 * 2**20
"""Memory for patches between reading and storing. With the interpreter, its libraries and one
transaction, the process stays below 400 MB for any supported dataset, and below 600 MB for any
input (``benchmarks/RESULTS-memory.md``)."""

_GROUP_BYTES: Final = 2**20
"""Bytes of records handed to a worker at once: large enough to make the overhead negligible, small
enough for all workers to finish at about the same time."""
_MAX_GROUP: Final = 64
_SLACK: Final = 1.5
"""How far a group may exceed its estimate: real patches vary by a third. A patch beyond that is
read again and converted alone."""


class Pipeline:
    """Converts patches in threads; can be used for several supplies.

    Args:
        converter: Converts patches in each thread.
        n_workers: Number of threads.
        in_flight_bytes: Memory for patches between reading and storing; at least one patch is
            always in flight, see `patch_bytes`.
    """

    def __init__(
        self,
        converter: PatchConverter,
        n_workers: int,
        in_flight_bytes: int = IN_FLIGHT_BYTES,
    ) -> None:
        self._converter = converter
        self._n_workers = n_workers
        self._in_flight_bytes = in_flight_bytes
        self._patch_bytes = patch_bytes(in_flight_bytes)
        self._record_bytes: dict[str, int] = {}  # by modality, see `_take`
        self._working_bytes = 0

    def results(
        self, items: Iterable[Supplied], must_stop: Callable[[], bool] = lambda: False
    ) -> Generator[Record | Supplied]:
        """Yield records in place of patches, and everything else unchanged.

        A `Position` does not wait for the patches before it.

        Args:
            items: The items of a supply.
            must_stop: Whether to end early; also asked while a worker is being waited for.

        Raises:
            SourceError: The source as a whole is gone.
        """
        pending: _Pending = deque()
        in_flight = 0
        with suppress(StoppedError), Workers(self._n_workers) as pool:
            try:
                for group, held, needed in self._groups(items):
                    cost = held + needed
                    # Records are yielded as soon as they are ready, to keep the writer busy, and at
                    # the latest when the next group would take too much memory.
                    while pending and (
                        in_flight + cost > self._in_flight_bytes or pending[0][1].done()
                    ):
                        done, future = pending.popleft()
                        in_flight -= done
                        yield from self._take(result_of(future, must_stop), pending)
                    if isinstance(group, Position):
                        yield group
                        continue
                    allowed = min(int(needed * _SLACK), self._patch_bytes)
                    pending.append((cost, pool.begin(self._converter.convert, group, allowed)))
                    in_flight += cost
                while pending:
                    yield from self._take(result_of(pending.popleft()[1], must_stop), pending)
            finally:
                for _, future in pending:
                    future.cancel()

    def _take(
        self, converted: Converted, pending: _Pending
    ) -> Iterator[Record | PatchFailure | Supplied]:
        """Yield the results of a group, and learn from them how large the next patches may be."""
        self._working_bytes = max(converted.working_bytes, _decayed(self._working_bytes))
        for result in converted.results:
            if isinstance(result, Record):
                name = result.origin.modality
                before = self._record_bytes.get(name, 0)
                n_bytes = len(result.data) + (result.tags.n_new_bytes if result.tags else 0)
                self._record_bytes[name] = max(n_bytes, _decayed(before))
            if isinstance(result, Oversized):
                # Alone: the patches after it hold no more than their records.
                wait([future for _, future in pending])
                yield self._converter.convert_one(result.patch, self._patch_bytes)
            else:
                yield result

    def _groups(
        self, items: Iterable[Supplied]
    ) -> Iterator[tuple[list[Supplied] | Position, int, int]]:
        """Group the items; with each group, the bytes of files in memory and of memory to come."""
        group: list[Supplied] = []
        held = needed = 0
        for item in items:
            if isinstance(item, Position):
                yield item, 0, 0
                continue
            if isinstance(item, Patch):
                known = self._record_bytes.get(item.modality.name)
                if known is None:
                    # The size of its modality's records is unknown, so it goes alone.
                    if group:
                        yield group, held, needed + self._working_bytes
                    yield [item], item.source.n_bytes_held, self._patch_bytes
                    group, held, needed = [], 0, 0
                    continue
                held += item.source.n_bytes_held
                needed += known
            group.append(item)
            if held + needed >= _GROUP_BYTES or len(group) >= _MAX_GROUP:
                yield group, held, needed + self._working_bytes
                group, held, needed = [], 0, 0
        if group:
            yield group, held, needed + self._working_bytes


def patch_bytes(in_flight_bytes: int) -> int:
    """The memory that a single patch may take, in bytes."""
    return max(MAX_PATCH_BYTES, in_flight_bytes * 3 // 2)


def waiting_bytes(in_flight_bytes: int) -> int:
    """The memory for files of archives that wait for the rest of their patch, in bytes."""
    return max(MAX_WAITING_BYTES, in_flight_bytes // 2)


def _decayed(n_bytes: int) -> int:
    """An estimate after another patch that is smaller: one large patch is forgotten in time."""
    return n_bytes - n_bytes // 64
