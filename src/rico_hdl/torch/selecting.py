"""Copying the bands of many records with one of torch's kernels.

In: runs of bands, and where records begin in ``data.mdb``. Out: rows of an array, filled. One call
copies neighbouring bands of a whole batch, and releases Python's lock meanwhile. NumPy can only
copy record by record, and threads that take the lock from each other for each record are slower
together than one alone: with two threads, NumPy takes 1.4 times as long for RGB of BigEarthNet, and
twice as long for its bands by resolution (``make bench-ablation``).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from rico_hdl.reading.runs import Run, copy_rows

_PAGE_BYTES: Final = 4096
"""Records that begin at the same offset in a page are rows of a matrix with a row for each page."""
_FEWEST: Final = 4
"""Records in a call, so that it pays off."""


def select_rows(
    runs: Sequence[Run], data: mmap.mmap, starts: npt.NDArray[np.int64], out: npt.NDArray[Any]
) -> None:
    """Copy records into rows of an array; see `rico_hdl.reading.runs.CopiesRows`.

    Runs that are converted or cropped are copied record by record, and so are all runs of records
    that share pages.
    """
    offsets = starts % _PAGE_BYTES
    others = runs
    if len(starts) >= _FEWEST and out[0].flags.c_contiguous and (offsets == offsets[0]).all():
        others = [run for run in runs if not _is_whole(run, out)]
        file = torch.from_numpy(np.asarray(_Writable(data)))
        pages = torch.from_numpy(starts // _PAGE_BYTES)
        images = torch.from_numpy(out.view(np.uint8))
        for run in runs:
            if _is_whole(run, out):
                for rows, first, n in _pieces(run, file, int(offsets[0])):
                    into = images[:, first : first + n].flatten(1)
                    torch.index_select(rows, 0, pages, out=into)
    if others:
        copy_rows(others, data, starts, out)


def _is_whole(run: Run, out: npt.NDArray[Any]) -> bool:
    """Whether a run fills bands of an array with pixels that follow each other in the file."""
    row_bytes = run.shape[2] * run.dtype.itemsize
    return run.dtype == out.dtype and run.shape[1:] == out.shape[2:] and run.strides[1] == row_bytes


def _pieces(run: Run, file: torch.Tensor, offset: int) -> Iterator[tuple[torch.Tensor, int, int]]:
    """Neighbouring bands: their bytes in a record on each page, their first place, their number.

    Args:
        run: The run.
        file: The bytes of the file.
        offset: The offset of records in a page.
    """
    n, rows, columns = run.shape
    n_bytes = rows * columns * run.dtype.itemsize
    # Bands in the order of the file are one piece; torch knows no negative strides.
    n_each = n if run.strides[0] == n_bytes else 1
    first = run.region[0].start if isinstance(run.region[0], slice) else 0
    for band in range(0, n, n_each):
        begin = offset + run.offset + band * run.strides[0]
        length = n_each * n_bytes
        n_pages = (len(file) - begin - length) // _PAGE_BYTES + 1
        yield file.as_strided((n_pages, length), (_PAGE_BYTES, 1), begin), first + band, n_each


class _Writable:
    """Read-only memory that claims to be writable, as torch demands although it does not write."""

    def __init__(self, data: mmap.mmap) -> None:
        self._held = np.frombuffer(data, np.uint8)
        known = self._held.__array_interface__
        self.__array_interface__ = known | {"data": (known["data"][0], False)}
