"""All bands of a patch at once: one copy of the record's pixels, and arrays that share it.

In: a record's layout and place. Out: arrays by band, as stored, of any shape. They share memory of
their own, and stay valid whatever happens to the store.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rico_hdl.reading.layouts import RecordLayout, little


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
