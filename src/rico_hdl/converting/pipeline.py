"""Converting patches into records in several threads, in bounded memory.

In: the items of a supply. Out: a record or a failure in place of each patch; everything else passes
through, in the same order. The memory of patches in flight is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from rico_hdl.converting.converter import PatchConverter
from rico_hdl.patches.supply import Supplied
from rico_hdl.values import Patch, Position, Record

IN_FLIGHT_BYTES: Final = 128 * 2**20
"""Memory for patches between reading and storing. With the interpreter, its libraries and one
transaction, the process stays below 400 MB for any dataset."""

_GROUP_BYTES: Final = 2**20
"""Bytes of records handed to a worker at once: large enough to make the overhead negligible, small
enough for all workers to finish at about the same time."""
_MAX_GROUP: Final = 64
_COST_FACTOR: Final = 2.2
"""Memory of a patch in flight, relative to its record: the decoded bands and the record exist
together for a moment, along with one compressed file; for sequential archives, a patch's files and
then the record."""


class Pipeline:
    """Converts patches in threads; can be used for several supplies.

    Args:
        converter: Converts patches in each thread.
        n_workers: Number of threads.
        in_flight_bytes: Memory for patches between reading and storing; at least one patch is
            always in flight.
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
        self._record_bytes: dict[str, int] = {}  # the largest so far, by modality

    def results(self, items: Iterable[Supplied]) -> Generator[Record | Supplied]:
        """Yield records in place of patches, and everything else unchanged.

        A `Position` does not wait for the patches before it.

        Raises:
            SourceError: The source as a whole is gone.
        """
        pending: deque[tuple[int, Future[list[Record | Supplied]]]] = deque()
        in_flight = 0
        with ThreadPoolExecutor(self._n_workers, "rico-hdl-work") as pool:
            try:
                for group, cost in self._groups(items):
                    # Records are yielded as soon as they are ready, to keep the writer busy, and at
                    # the latest when the next group would take too much memory.
                    while pending and (
                        in_flight + cost > self._in_flight_bytes or pending[0][1].done()
                    ):
                        done, future = pending.popleft()
                        in_flight -= done
                        yield from self._seen(future.result())
                    if isinstance(group, Position):
                        yield group
                        continue
                    pending.append((cost, pool.submit(self._converter.convert, group)))
                    in_flight += cost
                while pending:
                    yield from self._seen(pending.popleft()[1].result())
            finally:
                for _, future in pending:
                    future.cancel()

    def _seen(self, results: list[Record | Supplied]) -> list[Record | Supplied]:
        """Note the largest record of each modality."""
        for result in results:
            if isinstance(result, Record):
                name, n_bytes = result.origin.modality, len(result.data)
                self._record_bytes[name] = max(n_bytes, self._record_bytes.get(name, 0))
        return results

    def _groups(self, items: Iterable[Supplied]) -> Iterator[tuple[list[Supplied] | Position, int]]:
        """Group the items, and estimate the memory of each group in bytes."""
        group: list[Supplied] = []
        group_bytes = 0
        for item in items:
            if isinstance(item, Position):
                yield item, 0
                continue
            known = self._record_bytes.get(item.modality.name) if isinstance(item, Patch) else 0
            if known is None:
                # The size of the modality's records is unknown, so its first patch goes alone.
                if group:
                    yield group, int(group_bytes * _COST_FACTOR)
                yield [item], self._in_flight_bytes
                group, group_bytes = [], 0
                continue
            group.append(item)
            group_bytes += known
            if group_bytes >= _GROUP_BYTES or len(group) >= _MAX_GROUP:
                yield group, int(group_bytes * _COST_FACTOR)
                group, group_bytes = [], 0
        if group:
            yield group, int(group_bytes * _COST_FACTOR)
