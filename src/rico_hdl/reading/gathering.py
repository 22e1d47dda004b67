"""Copying the bands of many records a block of records at a time, for threads that read at once.

In: runs of bands, and where records begin in ``data.mdb``. Out: rows of an array, filled. One call
of NumPy gathers the pages of a block of records, without Python's lock; the bands are then copied
or converted from the processor's cache, one run of all records at a time.

That is a second copy, which takes one thread up to twice as long. But threads that copy record by
record take the lock from each other for each of them: two of them read bands of BigEarthNet by
resolution at 0.8 of the speed of one thread, and at 1.2 times its speed in this way
(``make bench-ablation``).
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
import numpy.typing as npt

from rico_hdl.reading.band_memory import GATHERED_BYTES
from rico_hdl.reading.runs import Array, Run, copy_rows

_BLOCK_BYTES: Final = 3 * 2**20
"""Bytes of a block of records, and memory that each thread keeps."""
_FEWEST: Final = 4
"""Records that a block must hold: larger records are long copies, for which the lock matters
less."""

_kept = threading.local()


def gather_rows(
    runs: Sequence[Run], data: mmap.mmap, starts: npt.NDArray[np.int64], out: Array
) -> None:
    """Copy records into rows of an array; see `rico_hdl.reading.runs.CopiesRows`.

    Records are copied one by one if they share pages, are large, or if most of their pages are not
    wanted.
    """
    offsets = starts % GATHERED_BYTES
    offset = int(offsets[0])
    pieces = _pieces(runs, offset)
    n_bytes = len(pieces) * GATHERED_BYTES
    n_block = _BLOCK_BYTES // n_bytes
    n_pages = len(data) // GATHERED_BYTES
    firsts = starts // GATHERED_BYTES
    if (
        min(len(starts), n_block) < _FEWEST
        or n_bytes > 2 * sum(run.n_bytes for run in runs) + 4 * GATHERED_BYTES
        or (offsets != offset).any()
        or int(firsts.max()) + pieces[-1] >= n_pages
    ):
        copy_rows(runs, data, starts, out)
        return
    file = np.frombuffer(data, np.uint8, n_pages * GATHERED_BYTES).reshape(-1, GATHERED_BYTES)
    places = [_place(run, pieces, offset) for run in runs]
    with _memory() as memory:
        for i in range(0, len(starts), n_block):
            first = firsts[i : i + n_block]
            block = memory[: len(first) * n_bytes].reshape(len(first), -1, GATHERED_BYTES)
            # With "clip", NumPy writes straight into the array, without Python's lock.
            file.take(first[:, None] + np.array(pieces), axis=0, out=block, mode="clip")
            for run, place in zip(runs, places, strict=True):
                shape, strides = (len(first), *run.shape), (n_bytes, *run.strides)
                bands = np.ndarray(shape, run.dtype, memory, place, strides)
                out[(slice(i, i + len(first)), *run.region)] = bands


def _pieces(runs: Sequence[Run], offset: int) -> list[int]:
    """The pieces of a record that runs are in, counted from the piece in which it begins."""
    spans = [run.span for run in runs]
    return sorted(
        {
            piece
            for begin, end in spans
            for piece in range(
                (offset + begin) // GATHERED_BYTES, (offset + end - 1) // GATHERED_BYTES + 1
            )
        }
    )


def _place(run: Run, pieces: Sequence[int], offset: int) -> int:
    """The offset of a run's first band in the gathered pieces of a record."""
    begin, _ = run.span
    piece, byte = divmod(offset + begin, GATHERED_BYTES)
    return pieces.index(piece) * GATHERED_BYTES + byte + run.offset - begin


@contextmanager
def _memory() -> Iterator[Array]:
    """Memory of this thread for a block.

    The thread doesn't have it while it is in use, since a signal handler may read, too.
    """
    memory: Array | None = getattr(_kept, "memory", None)
    _kept.memory = None
    try:
        yield (memory := np.empty(_BLOCK_BYTES, np.uint8) if memory is None else memory)
    finally:
        _kept.memory = memory
