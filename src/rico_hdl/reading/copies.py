"""Records copied out of a store one by one, as a file of their own.

In: records as bytes. Out: memory that is read in the same way as ``data.mdb``. It is used when a
batch can't be read at once because another process keeps committing to the store.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import Final, Self

import numpy as np

from rico_hdl.reading.band_memory import GATHERED_BYTES, RECORD_PLACE
from rico_hdl.reading.keys import Offsets


class Copies:
    """A `File` of some records; see `Copies.of`."""

    certain: Final = True
    """Always: nothing writes to the copies."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        """All its bytes."""

    @classmethod
    def of(cls, records: Sequence[bytes]) -> tuple[Self, Offsets]:
        """The file, and the start and stop of each record in it, of shape (n, 2).

        Records begin at the same offset in a page as in ``data.mdb`` if they have pages of their
        own there, so that they can be gathered in the same way.
        """
        places = []
        end = 0
        for record in records:
            start = end + RECORD_PLACE
            places.append((start, start + len(record)))
            end = -(-(start + len(record)) // GATHERED_BYTES) * GATHERED_BYTES
        data = mmap.mmap(-1, max(end, GATHERED_BYTES))
        for record, (start, stop) in zip(records, places, strict=True):
            data[start:stop] = record
        return cls(data), np.array(places, np.int64).reshape(-1, 2)

    def will_need(self, start: int, n_bytes: int) -> None:
        """Do nothing: the copies are in memory."""
