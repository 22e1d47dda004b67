"""Many records at once: their bytes gathered side by side, then looked at as arrays.

In: ``data.mdb``, and where some records of one layout begin in it. Out: their bands as arrays of
shape (records, bands, rows, columns): in a small memory that is used again and again, or for good.

One call of NumPy gathers a block of records, without Python's lock. Threads that copy record by
record take that lock from each other several times for each of them: two of them were slower than
one. Gathering first and then copying or converting from the processor's cache is faster for one
thread, too, since there are fewer calls.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from rico_hdl.reading.plan import Run

Array = npt.NDArray[Any]

GATHERED_BYTES: Final = 4096
"""What is gathered, at multiples of it in the file: the size of a page in almost all files, so that
records begin at the same place of a piece."""
RECORD_PLACE: Final = 16
"""Where in a piece records begin that have pages of their own: behind a page's header."""
_BLOCK_BYTES: Final = 3 * 2**20
"""Of what a block of records takes, with all that is made of it on the way. 2 to 4 MiB were fastest
with two threads: less is more calls, and more taking turns; more leaves the processor's cache."""
_FEWEST: Final = 2
"""Records that a block must hold: where they are so large, each copy is long enough by itself."""

_memory = threading.local()


class Blocks:
    """How records of one layout are gathered.

    Args:
        runs: The bands that are wanted of them.
        remainder: Where in a piece they begin.
        n_more_bytes: What is made of each record on the way to the result.
    """

    def __init__(self, runs: Sequence[Run], remainder: int, n_more_bytes: int) -> None:
        spans = [run.span for run in runs]
        pieces = {
            piece
            for begin, end in spans
            for piece in range(
                (remainder + begin) // GATHERED_BYTES, (remainder + end - 1) // GATHERED_BYTES + 1
            )
        }
        self._remainder = remainder
        self._pieces = np.array(sorted(pieces), np.int64)
        self.n_record_bytes = len(pieces) * GATHERED_BYTES
        """Bytes that are gathered of each record."""
        place = {piece: i for i, piece in enumerate(sorted(pieces))}
        self.places: list[tuple[Run, int]] = []
        """Each run, and the offset of its first band's first byte in what is gathered."""
        for run, (begin, _) in zip(runs, spans, strict=True):
            piece, byte = divmod(remainder + begin, GATHERED_BYTES)
            offset = place[piece] * GATHERED_BYTES + byte + run.offset - begin
            self.places.append((run, offset))
        n_wanted = sum(run.n_bytes for run in runs)
        per_record = self.n_record_bytes + n_more_bytes
        self.n_records = _BLOCK_BYTES // per_record
        """How many records make a block."""
        self.is_compact = self.n_record_bytes < 2 * n_wanted + 4 * GATHERED_BYTES
        """Whether not much more is gathered than is wanted."""
        self.is_worth_it = self.n_records >= _FEWEST and self.is_compact
        """Whether that is better than to copy record by record."""

    def suit(self, data: mmap.mmap, starts: npt.NDArray[np.int64]) -> bool:
        """Whether records begin at that place of a piece, and no piece of them is missing."""
        return (
            place_in_piece(starts) == self._remainder
            and int(starts.max()) // GATHERED_BYTES + int(self._pieces[-1])
            < len(data) // GATHERED_BYTES
        )

    @contextmanager
    def memory(self) -> Iterator[Array]:
        """Memory of this thread for `n_records` records.

        It is taken from the thread as long as it is in use: what interrupts it may gather, too.
        """
        n_bytes = self.n_records * self.n_record_bytes
        memory: Array | None = getattr(_memory, "block", None)
        _memory.block = None
        if memory is None or len(memory) < n_bytes:
            memory = np.empty(max(n_bytes, _BLOCK_BYTES), np.uint8)
        try:
            yield memory
        finally:
            _memory.block = memory

    def gather(self, data: mmap.mmap, starts: npt.NDArray[np.int64], memory: Array) -> list[Array]:
        """The bands of some records, run by run, of shape (records, bands, rows, columns): views.

        Args:
            data: The file.
            starts: Where the records begin; `suit` says whether they may.
            memory: C-contiguous bytes, `n_record_bytes` for each record, or more.
        """
        n = len(starts)
        file = np.frombuffer(data, np.uint8, len(data) // GATHERED_BYTES * GATHERED_BYTES)
        # With "clip", NumPy writes into the array itself and checks nothing: see `suit`.
        file.reshape(-1, GATHERED_BYTES).take(
            (starts // GATHERED_BYTES)[:, None] + self._pieces,
            axis=0,
            out=memory.reshape(-1)[: n * self.n_record_bytes].reshape(n, -1, GATHERED_BYTES),
            mode="clip",
        )
        return [
            np.ndarray(
                (n, *run.shape), run.dtype, memory, offset, (self.n_record_bytes, *run.strides)
            )
            for run, offset in self.places
        ]


def place_in_piece(starts: npt.NDArray[np.int64]) -> int | None:
    """Where in a piece records begin; None if that is not the same for all."""
    remainders = starts % GATHERED_BYTES
    first = int(remainders[0])
    return first if (remainders == first).all() else None
