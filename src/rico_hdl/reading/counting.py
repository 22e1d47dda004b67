"""Statistics of the records of a store, at the speed of counting, in memory that doesn't grow.

In: records and keys. Out: a `Statistics`. Threads count the pixels where they are in the mapped
file, some bands of some records at a time; no patch is copied as a whole. There is one histogram of
each band for all threads, of at most 512 KiB. A thread has those of at most `_MAX_BANDS` bands in
addition, until what it has read is certain to be of one committed state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count
from threading import Lock
from typing import Final, NamedTuple

import numpy as np

from rico_hdl.errors import StoreError, UsageError
from rico_hdl.observer import Observer
from rico_hdl.reading.file import File
from rico_hdl.reading.keys import Keys, Offsets
from rico_hdl.reading.layouts import RecordLayout, little
from rico_hdl.reading.protocol import Located, Records
from rico_hdl.reading.readahead import spans_of
from rico_hdl.reading.runs import Array
from rico_hdl.statistics import BandStatistics
from rico_hdl.statistics.counting import BandCounter
from rico_hdl.system.processors import frequent_switches

_CHUNK_BYTES: Final = 8 * 2**20
"""Bytes of the records that are looked at together, unless a band of them has too few pixels."""
_FEWEST_PIXELS: Final = 2**19
"""Pixels of a band, below which adding its histogram to that of all threads takes too long."""
_MAX_CHUNK: Final = 4096
"""The most records that are looked at together."""
_MAX_BANDS: Final = 8
"""The most bands that a thread counts at once."""
_N_AHEAD: Final = 2  # jobs for each worker
_ANNOUNCED: Final = 16
"""Chunks after which the system is asked again whether records come from a disk."""


class BandCounts:
    """The counters of a modality's bands, which threads share.

    Args:
        names: The bands in the publisher's order; others follow.
        nodata: The value of pixels that hold no data.
    """

    def __init__(self, names: Sequence[str], nodata: float | None) -> None:
        self._names = names
        self.nodata = nodata
        """The value of pixels that hold no data."""
        self._counters: dict[str, BandCounter] = {}
        self._lock = Lock()
        self._locks: dict[str, Lock] = {}

    def add(self, found: dict[str, BandCounter], where: str) -> None:
        """Add counts; safe for threads.

        Args:
            found: The counters by band.
            where: The place of the records, for an error.

        Raises:
            StoreError: Pixels have another dtype than those before.
        """
        for name, counter in found.items():
            with self._lock:
                lock = self._locks.setdefault(name, Lock())
            with lock:
                known = self._counters.get(name)
                if known is None:
                    self._counters[name] = counter
                    continue
                try:
                    known.add(counter)
                except UsageError as error:
                    raise StoreError(
                        f"{where}: band {name!r} has {error.message}",
                        "Count the patches of each dtype on their own: give keys.",
                    ) from error

    def finish(self) -> dict[str, BandStatistics]:
        """The statistics of each band, in the publisher's order; the counters are given up."""
        known = [name for name in self._names if name in self._counters]
        others = sorted(self._counters.keys() - {*self._names})
        # One by one: both forms of all histograms would take twice the memory.
        return {name: self._counters.pop(name).finish() for name in known + others}


class _Portion(NamedTuple):
    """Some records, of which each job counts some of the bands."""

    keys: Keys
    """Their keys."""
    n_jobs: int
    """The number of jobs."""
    is_announced: bool
    """Whether the system is asked to read ahead, even if records don't seem to be on a disk."""


def count_records(
    records: Records, keys: Keys, counts: BandCounts, n_workers: int, observer: Observer
) -> None:
    """Count the pixels of some records.

    Args:
        records: The records.
        keys: Those to count.
        counts: Receives the counts.
        n_workers: The number of threads.
        observer: Receives progress.

    Raises:
        StoreError: A record can't be read, or the store is written to faster than it is read.
    """
    pending: deque[Future[tuple[int, int]]] = deque()
    with ThreadPoolExecutor(n_workers, "rico-hdl-stats") as pool, frequent_switches():
        try:
            for chunk in _chunks(records, keys):
                for i in range(chunk.n_jobs):
                    if len(pending) >= _N_AHEAD * n_workers:
                        observer.on_records(*pending.popleft().result())
                    pending.append(pool.submit(_run, records, chunk, i, counts))
            while pending:
                observer.on_records(*pending.popleft().result())
        finally:
            for future in pending:
                future.cancel()


def _chunks(records: Records, keys: Keys) -> Iterator[_Portion]:
    """The records in chunks, each large enough for counting to be worth its start."""
    first = 0
    for number in count():
        if first >= len(keys):
            return
        layout = next(iter(records.layouts(keys[first : first + 1])))
        n_bands = max(1, len(layout.bands))
        most = max((np.prod(shape, dtype=int) for shape in layout.shape_of.values()), default=1)
        n = max(_CHUNK_BYTES // max(1, layout.n_bytes), _FEWEST_PIXELS // max(1, int(most)), 1)
        n = min(n, _MAX_CHUNK, len(keys) - first)
        n_jobs = max(-(-n_bands // _MAX_BANDS), n * layout.n_bytes // _CHUNK_BYTES)
        some = keys[first : first + n]
        yield _Portion(some, min(n_jobs, n_bands), number % _ANNOUNCED == 0)
        first += n


def _run(records: Records, chunk: _Portion, i: int, counts: BandCounts) -> tuple[int, int]:
    """Count some bands of some records; returns the records that are finished, and bytes."""
    read = partial(_counted, records, chunk, i, counts.nodata)
    found, n_bytes = records.settled(chunk.keys, read)
    counts.add(found, f"{records.path}, among {len(chunk.keys)} patches from {chunk.keys[0]!r} on")
    return len(chunk.keys) if i == chunk.n_jobs - 1 else 0, n_bytes


def _counted(
    records: Records, chunk: _Portion, i: int, nodata: float | None, located: Sequence[Located]
) -> tuple[dict[str, BandCounter], int]:
    """The counters of job ``i``, and the bytes it read, once the places of records are known."""
    found: dict[str, BandCounter] = {}
    n_bytes = 0
    for rows, file, places in located:
        if i == 0 and len(places) and (chunk.is_announced or records.ahead.cold):
            n_longest = int((places[:, 1] - places[:, 0]).max())
            records.ahead.announce(file, places, spans_of([(0, n_longest)]))
        for layout, starts in _by_layout(records, chunk.keys, rows, file, places):
            n_each = -(-len(layout.bands) // chunk.n_jobs)
            for name in list(layout.bands)[i * n_each : (i + 1) * n_each]:
                views = list(_views(file, layout, name, starts))
                dtype = layout.bands[name].dtype
                if name not in found or found[name].dtype != dtype:
                    _refuse_twins(found, name, dtype, records)
                    found[name] = BandCounter(dtype, nodata)
                found[name].count(views)
                n_bytes += sum(view.nbytes for view in views)
    return found, n_bytes


def _refuse_twins(found: dict[str, BandCounter], name: str, dtype: str, records: Records) -> None:
    """Refuse a band that has several dtypes.

    Raises:
        StoreError: It has.
    """
    if name in found:
        raise StoreError(
            f"{records.path}: band {name!r} has {dtype} pixels, expected {found[name].dtype} like "
            "the others",
            "Count the patches of each dtype on their own: give keys.",
        )


def _by_layout(
    records: Records, keys: Keys, rows: Sequence[int], file: File, places: Offsets
) -> Iterable[tuple[RecordLayout, Offsets]]:
    """The layouts of some records, and the starts of the records of each."""
    if not len(places):
        return []
    begin, end = places[0].tolist()
    first = records.layout(file, begin, end, keys[rows[0]])
    if first.are_of(file.data, places):
        return [(first, places[:, 0])]
    groups: dict[RecordLayout, list[int]] = {}
    for row, (start, stop) in zip(rows, places.tolist(), strict=True):
        groups.setdefault(records.layout(file, start, stop, keys[row]), []).append(start)
    return [(layout, np.array(starts, np.int64)) for layout, starts in groups.items()]


def _views(file: File, layout: RecordLayout, name: str, starts: Offsets) -> Iterator[Array]:
    """A band of some records where it is in the file, as arrays of shape (records, pixels).

    Records that follow each other at the same distance, as those of a conversion do, share one.
    """
    tensor = layout.bands[name]
    dtype = little(tensor.dtype)
    n_pixels = (tensor.stop - tensor.start) // dtype.itemsize
    steps = np.diff(starts)
    first, n = 0, len(starts)
    # The last record before each change of the distance begins a stretch, as does the first.
    changes = [*(np.flatnonzero(steps[1:] != steps[:-1]) + 1).tolist(), n - 1]
    for last in changes:
        if last < first:
            continue
        step = int(steps[first]) if last > first else 0
        if step < 0 and last > first:
            yield from (
                _view(file, dtype, (1, n_pixels), int(s) + tensor.start, 0)
                for s in starts[first : last + 1].tolist()
            )
        else:
            place = int(starts[first]) + tensor.start
            yield _view(file, dtype, (last - first + 1, n_pixels), place, step)
        first = last + 1


def _view(file: File, dtype: np.dtype, shape: tuple[int, int], offset: int, step: int) -> Array:
    """Rows of pixels, ``step`` bytes apart, that begin at a place of the file."""
    strides = (step, dtype.itemsize)
    return np.ndarray(shape, dtype, file.data, offset, strides)
