"""Memory for batches that is allocated once and reused.

In: the entries of a sample. Out: arrays to fill. An array is reused as soon as no tensor of its
last content is left, and never before: keeping batches costs new memory, not wrong pixels.

New memory costs a page fault for every 4 KiB when it is first written, which takes longer than
copying the pixels, so reuse pays off.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rico_hdl.torch.dtypes import torch_dtype
from rico_hdl.torch.fields import Entry


class Buffer:
    """Memory for one entry of a batch.

    Args:
        entry: The entry of one sample.
        n: Samples in the largest batch.
        pinned: Whether the memory can't be swapped out, so that copies to an accelerator can be
            asynchronous.
    """

    def __init__(self, entry: Entry, n: int, *, pinned: bool) -> None:
        shape = (n, *entry.shape)
        # Not torch.empty: the system gives huge pages to numpy's memory, but not to torch's.
        self._array = _pinned(shape, entry.dtype) if pinned else np.empty(shape, entry.dtype)
        self._copies: torch.Event | None = None
        self._holder: weakref.ref[npt.NDArray[Any]] | None = None

    @property
    def free(self) -> bool:
        """Whether nothing references the array that it lent last."""
        return self._holder is None or self._holder() is None

    def lend(self, n: int) -> npt.NDArray[Any]:
        """The first `n` samples, to be filled; the buffer is not free while anything holds them.

        A tensor that wraps the array holds it, and so does every view of that tensor.
        """
        view = self._array[:n]
        self._holder = weakref.ref(view)
        return view

    def note_copies(self) -> None:
        """Remember the copies to the accelerator that this thread has begun so far."""
        self._copies = torch.accelerator.current_stream().record_event()

    def wait_for_copies(self) -> None:
        """Wait until those copies are complete: until then the memory is still being read."""
        if self._copies is not None:
            self._copies.synchronize()
            self._copies = None


class Ring:
    """Buffers for each entry of a batch, as many as are needed at a time.

    Args:
        entries: The entries of a sample.
        n: Samples in the largest batch.
        n_kept: Free buffers of each entry that are kept.
        pinned: See `Buffer`.
    """

    def __init__(self, entries: Mapping[str, Entry], n: int, n_kept: int, *, pinned: bool) -> None:
        self._n, self._n_kept, self._pinned = n, n_kept, pinned
        self._entries = dict(entries)
        self._buffers: dict[str, list[Buffer]] = {name: [] for name in entries}

    def __len__(self) -> int:
        """The number of buffers of all entries."""
        return sum(map(len, self._buffers.values()))

    def lend(self, n: int) -> Loan:
        """Free memory for `n` samples, allocated if necessary."""
        return Loan({name: self._take(name) for name in self._entries}, n)

    def _take(self, name: str) -> Buffer:
        buffers = self._buffers[name]
        free = [buffer for buffer in buffers if buffer.free]
        for surplus in free[self._n_kept :]:
            buffers.remove(surplus)
        if not free:
            buffers.append(Buffer(self._entries[name], self._n, pinned=self._pinned))
            return buffers[-1]
        if self._pinned:
            free[0].note_copies()
        return free[0]


class Loan:
    """Memory for one batch; it is returned when the arrays and all their tensors are gone.

    Args:
        buffers: A free buffer for each entry.
        n: Samples in the batch.
    """

    def __init__(self, buffers: Mapping[str, Buffer], n: int) -> None:
        self._buffers = buffers
        self._arrays = {name: buffer.lend(n) for name, buffer in buffers.items()}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays to fill, once; the loan itself no longer holds them."""
        for buffer in self._buffers.values():
            buffer.wait_for_copies()
        arrays, self._arrays = self._arrays, {}
        return arrays


def _pinned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    pinned = torch.empty(shape, dtype=torch_dtype(dtype), pin_memory=True)
    array: npt.NDArray[Any] = pinned.numpy()
    return array
