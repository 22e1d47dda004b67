"""All bands of a patch at once: one copy of the record's pixels, and arrays that share it.

In: a record's layout and where it lies. Out: arrays by band, as they are stored, of any shape. They
own their memory together, and stay valid whatever becomes of the store.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from rico_hdl.reading.layouts import RecordLayout


class PatchPlan:
    """How all bands are read from records of one layout.

    Args:
        layout: The layout.
        names: All its bands, in the order of the result.
    """

    def __init__(self, layout: RecordLayout, names: Sequence[str]) -> None:
        self._begin = layout.n_header
        self._n_bytes = layout.n_bytes - layout.n_header
        self._runs: list[tuple[tuple[int, ...], np.dtype[Any], int]] = []
        for (shape, dtype), tensors in groupby(
            layout.bands.values(), lambda tensor: (tensor.shape, tensor.dtype)
        ):
            found = list(tensors)
            little = np.dtype(dtype).newbyteorder("<")
            self._runs.append(((len(found), *shape), little, found[0].start - self._begin))
        place = {name: i for i, name in enumerate(layout.bands)}
        self._order = [(name, place[name]) for name in names]

    def read(self, data: mmap.mmap, start: int) -> dict[str, npt.NDArray[Any]]:
        """The bands of the record that begins at ``data[start]``."""
        pixels = np.empty(self._n_bytes, np.uint8)
        pixels[...] = np.ndarray((self._n_bytes,), np.uint8, data, start + self._begin)
        bands: list[npt.NDArray[Any]] = []
        for shape, dtype, offset in self._runs:
            # Bands of one shape and dtype follow each other: to go through one array's first axis
            # is faster than to make an array for each. A band without an axis would come as number.
            run = np.ndarray(shape, dtype, pixels, offset)
            bands.extend(
                run if len(shape) > 1 else [run[i : i + 1].reshape(()) for i in range(shape[0])]
            )
        return {name: bands[i] for name, i in self._order}
