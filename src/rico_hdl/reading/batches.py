"""Batches that threads read ahead, into memory that is reused.

In: a reader, keys in their order, a batch size. Out: an iterator of batches. New memory costs more
than the copy into it, since the system hands it out page by page; a ring of buffers is faulted in
once. Threads, not processes: copying releases Python's lock, and no data is sent.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Self, overload

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError
from rico_hdl.reading.band_memory import BandArrays
from rico_hdl.reading.gathering import gather_rows
from rico_hdl.reading.keys import Keys
from rico_hdl.reading.reader import Batch, PatchReader
from rico_hdl.reading.record_plan import Images

_Slot = list[Images]
"""One place of the ring: its buffers, once they exist."""


class Batches(Iterator[Batch]):
    """Batches in a fixed order. Made by `Store.batches`; also a context manager.

    ``len()`` is the number of batches. A batch's arrays are valid until ``prefetch`` more batches
    are requested; then they are overwritten. The threads end with the last batch, with an error,
    with `close`, or when this goes out of scope.
    """

    def __init__(
        self,
        reader: PatchReader,
        chunks: Sequence[Sequence[str]],
        *,
        prefetch: int,
        n_threads: int,
        copy: bool,
    ) -> None:
        n_threads = min(n_threads, len(chunks))
        if n_threads > 1:
            reader = reader.copying(gather_rows)
        self._work = _Work(reader, chunks, prefetch, copy=copy)
        self._prefetch = prefetch
        self._lent: deque[_Slot] = deque()
        self._process = os.getpid()
        self._threads = [
            threading.Thread(target=self._work.run, name=f"rico-hdl batches {i}", daemon=True)
            for i in range(n_threads)
        ]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        return len(self._work.chunks)

    def __next__(self) -> Batch:
        if os.getpid() != self._process:
            raise UsageError(
                "these batches are read by threads of another process",
                "Call store.batches(...) in the process that uses them.",
            )
        while True:
            freed = []
            while len(self._lent) >= self._prefetch:
                freed.append(self._lent.popleft())
            try:
                done = self._work.next(freed)
            except BaseException:
                self.close()
                raise
            if done is None:
                self.close()
                raise StopIteration
            batch, slot = done
            self._lent.append(slot)
            if batch.keys:  # not all were skipped
                return batch

    def close(self) -> None:
        """End the threads, and release the buffers. Batches already yielded stay valid."""
        if os.getpid() != self._process:
            return  # a fork: the threads are not here, and their lock may be held by one of them
        self._work.stop()
        if not sys.is_finalizing():  # then threads are frozen, and joining them never returns
            for thread in self._threads:
                if thread is not threading.current_thread():  # which may collect garbage
                    thread.join()
        self._lent.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_threads"):
            self.close()


class _Work:
    """The state shared by threads and consumer; without a reference to the latter, so that
    dropping it is noticed.
    """  # noqa: D205 - one sentence

    def __init__(
        self, reader: PatchReader, chunks: Sequence[Sequence[str]], prefetch: int, *, copy: bool
    ) -> None:
        self.chunks = chunks
        """The keys of each batch."""
        self._reader = reader
        self._copy = copy
        self._changed = threading.Condition()
        # One half for batches that the consumer may still use, one half for those being filled.
        self._free: list[_Slot] = [[] for _ in range(2 * prefetch)]
        self._n_begun = 0
        self._n_taken = 0
        self._done: dict[int, tuple[Batch, _Slot] | BaseException] = {}
        self._stopped = False

    def run(self) -> None:
        """Fill batches until none is left; each thread runs this."""
        while True:
            with self._changed:
                while not (self._stopped or self._free or self._n_begun == len(self.chunks)):
                    self._changed.wait()
                if self._stopped or self._n_begun == len(self.chunks):
                    return
                number, slot = self._n_begun, self._free.pop()
                self._n_begun += 1
            result: tuple[Batch, _Slot] | BaseException
            try:
                result = self._filled(self.chunks[number], slot), slot
            except BaseException as error:  # noqa: BLE001 - raised where the batch is requested
                result = error
            with self._changed:
                self._done[number] = result
                self._changed.notify_all()

    def next(self, freed: list[_Slot]) -> tuple[Batch, _Slot] | None:
        """Wait for the next batch and return it with its buffers; None after the last one.

        Args:
            freed: Buffers that are no longer in use.
        """
        with self._changed:
            self._free += freed
            self._changed.notify_all()
            if self._stopped or self._n_taken == len(self.chunks):
                return None
            while self._n_taken not in self._done:
                self._changed.wait()
            result = self._done.pop(self._n_taken)
            self._n_taken += 1
        if isinstance(result, BaseException):
            raise result
        return result

    def stop(self) -> None:
        """Let each thread end after its current batch."""
        with self._changed:
            self._stopped = True
            self._free.clear()
            self._done.clear()
            self._changed.notify_all()

    def _filled(self, keys: Sequence[str], slot: _Slot) -> Batch:
        """A batch, in the buffers of a slot."""
        if self._copy:
            return self._reader.read_batch(keys)
        if not (slot and self._reader.fits(keys[0], slot[0])):
            slot[:] = [self._reader.empty(keys[0], len(self.chunks[0]))]
        return self._reader.read_batch(keys, _first_rows(slot[0], len(keys)))


def _first_rows(images: Images, n: int) -> Images:
    """The first rows of all arrays."""
    if isinstance(images, BandArrays):
        return images.first(n)
    if isinstance(images, dict):
        return {name: array[:n] for name, array in images.items()}
    return images[:n]


class Chunks(Sequence[Sequence[str]]):
    """Keys in a given order, divided into chunks.

    Args:
        keys: The keys.
        order: Their zero-based positions, in the order of reading.
        size: Keys per chunk.
        drop_last: Whether to leave out an incomplete last chunk.
    """

    def __init__(
        self, keys: Sequence[str], order: npt.NDArray[np.intp], size: int, *, drop_last: bool
    ) -> None:
        self._keys = keys
        self._order = order
        self._size = size
        self._n = len(order) // size if drop_last else -(-len(order) // size)

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, index: int) -> Sequence[str]: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Sequence[str]]: ...

    def __getitem__(self, index: int | slice) -> Sequence[str] | Sequence[Sequence[str]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._n))]
        if not -self._n <= index < self._n:
            raise IndexError(index)
        first = index % self._n * self._size
        wanted = self._order[first : first + self._size]
        if isinstance(self._keys, Keys):
            return self._keys[wanted]
        return [self._keys[i] for i in wanted.tolist()]
