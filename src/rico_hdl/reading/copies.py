"""Records copied out of a store one by one, as a file of their own.

In: records as bytes. Out: memory that is read as ``data.mdb`` is. It serves where a batch can't be
read at once because another process keeps committing to the store.
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
    """Nothing writes to it."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        """All its bytes."""

    @classmethod
    def of(cls, records: Sequence[bytes]) -> tuple[Self, Offsets]:
        """The file, and the start and stop of each record in it, of shape (n, 2).

        They begin where records with pages of their own begin in ``data.mdb``, so that they are
        gathered in the same way.
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
        """Do nothing: it is in memory."""
