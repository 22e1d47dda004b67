"""The layouts of records: each distinct header is parsed once, however many records share it.

In: the bytes of ``data.mdb`` and a record's place in them. Out: its layout, the same object for the
same header, so that plans can be kept by layout. No pixel is touched.
"""

from __future__ import annotations

import mmap
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rico_hdl.record import Tensor, parse

_MAX_KEPT: Final = 1024
"""Layouts that are kept; a store has one per combination of sizes, typically a few dozen."""


class RecordLayout:
    """The parsed header of a record. Compared by identity: one for each header and length."""

    __slots__ = ("_words", "bands", "header", "n_bytes", "n_header", "shape_of")

    def __init__(self, header: bytes, n_bytes: int, tensors: list[Tensor]) -> None:
        self.header = header
        """Length, JSON and padding: everything before the first buffer."""
        self.n_header = len(header)
        """Bytes of the header."""
        self.n_bytes = n_bytes
        """Bytes of the whole record."""
        self.bands = {tensor.name: tensor for tensor in tensors}
        """By name, in the order of their buffers; offsets count from the record's first byte."""
        self.shape_of = {tensor.name: tensor.shape for tensor in tensors}
        """The shape of each band."""

        self._words = np.frombuffer(header[: len(header) // 8 * 8], np.uint64)

    def are_of(self, data: mmap.mmap, places: npt.NDArray[np.int64]) -> bool:
        """Whether all given records have this layout; also false if that can't be checked quickly.

        Args:
            data: The file.
            places: Start and stop of each, of shape (n, 2).
        """
        starts = places[:, 0]
        if (places[:, 1] - starts != self.n_bytes).any() or (starts % 8).any() or self.n_header % 8:
            return False
        words = np.frombuffer(data, np.uint64, len(data) // 8)
        wanted = (starts // 8)[:, None] + np.arange(self.n_header // 8)
        # Nothing is clipped: the file holds a record of that many bytes at each place.
        return bool((words.take(wanted, mode="clip") == self._words).all())


class Layouts:
    """All layouts seen so far. Safe to use from several threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, int], RecordLayout] = {}

    def of(self, data: mmap.mmap, start: int, stop: int) -> RecordLayout:
        """The layout of the record at ``data[start:stop]``.

        Raises:
            RecordError: See `rico_hdl.record.parse`.
        """
        n_header = 8 + int.from_bytes(data[start : min(start + 8, stop)], "little")
        header = data[start : min(start + n_header, stop)]
        found = self._known.get((header, stop - start))
        if found is None:
            with memoryview(data) as file, file[start:stop] as record:
                tensors = parse(record)
            if len(self._known) >= _MAX_KEPT:  # metadata that differs from record to record
                self._known.clear()
            found = RecordLayout(header, stop - start, tensors)
            # If two threads get here with the same header, both continue with the same layout.
            found = self._known.setdefault((header, stop - start), found)
        return found


def little(dtype: str) -> np.dtype[Any]:
    """The little-endian dtype of that name, which a band's pixels have in the file."""
    return np.dtype(dtype).newbyteorder("<")
