"""All bands of a patch at once: one copy of the record's pixels, and arrays that share it.

In: a record's layout and place. Out: arrays by band, as stored, of any shape. They share memory of
their own, and stay valid whatever happens to the store.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rico_hdl.reading.file import File
from rico_hdl.reading.layouts import RecordLayout, little
from rico_hdl.reading.protocol import Located, Records
from rico_hdl.reading.readahead import patience, spans_of
from rico_hdl.reading.selection import names_of

_MAX_PLANS: Final = 1024
"""Layouts whose plans are kept."""


class PatchPlan:
    """How all bands are read from records of one layout.

    Args:
        layout: The layout.
        names: The names of all its bands, in the order of the result.
    """

    def __init__(self, layout: RecordLayout, names: Sequence[str]) -> None:
        tensors = [layout.bands[name] for name in names]
        self._begin = layout.n_header
        self._bytes = np.dtype((np.void, layout.n_bytes - layout.n_header))
        # Indexing a structured array by field is the fastest way to make a view of its memory.
        self._fields = np.dtype(
            {
                "names": [str(i) for i in range(len(tensors))],
                "formats": [(little(tensor.dtype), tensor.shape) for tensor in tensors],
                "offsets": [tensor.start - layout.n_header for tensor in tensors],
                "itemsize": self._bytes.itemsize,
            }
        )
        self._names = [(name, str(i)) for i, name in enumerate(names)]

    def read(self, data: mmap.mmap, start: int) -> dict[str, npt.NDArray[Any]]:
        """The bands of the record that begins at ``data[start]``."""
        pixels = np.ndarray((), self._bytes, data, start + self._begin).copy()
        patch = np.ndarray((), self._fields, pixels)
        return {name: patch[field] for name, field in self._names}


class WholePatches:
    """Reads whole patches of a store, whatever their layout."""

    def __init__(self) -> None:
        self._plans: dict[RecordLayout, PatchPlan] = {}

    def read(self, records: Records, key: str) -> dict[str, npt.NDArray[Any]]:
        """All bands of a patch, by name, as stored: copies that share one block of memory."""
        pages, start, stop = records.place(key)
        try:
            patch = self._patch(records, key, pages, start, stop)
        except Exception:
            if pages.certain:
                raise
        else:
            if pages.certain:
                return patch
        return records.settled([key], partial(self._located_patch, records, key))

    def _located_patch(
        self, records: Records, key: str, located: Sequence[Located]
    ) -> dict[str, npt.NDArray[Any]]:
        """All bands of the patch, once its place is known."""
        (_, file, places), *_ = located
        return self._patch(records, key, file, *places[0].tolist())

    def _patch(
        self, records: Records, key: str, file: File, start: int, stop: int
    ) -> dict[str, npt.NDArray[Any]]:
        """All bands of the patch whose record is at a place of a file."""
        if records.ahead.cold:
            records.ahead.announce(file, [(start, stop)], spans_of([(0, stop - start)]))
        begin = perf_counter()
        layout = records.layout(file, start, stop, key)
        plan = self._plans.get(layout)
        if plan is None:
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            names = names_of(layout, records.catalogue.contents_of(layout, key))
            plan = self._plans[layout] = PatchPlan(layout, names)
        patch = plan.read(file.data, start)
        if perf_counter() - begin > patience(1, stop - start):
            records.ahead.cold = True
        return patch
