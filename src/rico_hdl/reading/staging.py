"""One record's bands on their way to an array that converts them.

In: a record in ``data.mdb``, and how its bands are converted. Out: an array, filled. The record's
bytes are copied first, into memory that is used again: converting what was just copied takes half
the time of converting out of the map, and where all of it lies need not be worked out again.
"""

from __future__ import annotations

import mmap
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rico_hdl.reading.resampling import Array, Resampler

if TYPE_CHECKING:
    from rico_hdl.reading.plan import Part

_LARGEST: Final = 2**30
"""Bytes that are copied at once; NumPy's types end at twice that."""
_MAX_KEPT_BYTES: Final = 2**22
"""Larger memory is let go of at once: there, making it anew counts for little."""
_MAX_STAGES: Final = 32
"""Stages that keep memory: a sample may be made of several modalities, by several datasets."""
_MAX_KEPT: Final = 16
"""Memories that a stage keeps, which is how many threads may read at the same time."""

_keeping: deque[weakref.ref[Stage]] = deque()
"""The stages that keep memory, the oldest first."""


class Stage:
    """What is copied of a record at once.

    Args:
        begin: Offset of the first byte, counted from the record's first one.
        n_bytes: How many there are.
        parts: How its bands are converted.
    """

    def __init__(self, begin: int, n_bytes: int, parts: Sequence[Part]) -> None:
        self._begin = begin
        self._bytes = np.dtype((np.void, n_bytes))
        self._parts = parts
        self._free: list[_Memory] | None = None

    @classmethod
    def of(cls, parts: Sequence[Part]) -> Stage | None:
        """The stage of some parts of an array; None where it is of no use.

        That is where pixels are only copied, where most of what lies between the first and the last
        band is not wanted, and for bands of unusual size.
        """
        runs = [run for part in parts for run in part.runs]
        begin, end = min(run.span[0] for run in runs), max(run.span[1] for run in runs)
        wanted = sum(run.n_bytes for run in runs)
        if (
            not any(part.converts for part in parts)
            or not all(part.takes_bits for part in parts)
            or end - begin > min(2 * wanted, _LARGEST)
        ):
            return None
        return cls(begin, end - begin, parts)

    def fill(self, data: mmap.mmap, start: int, out: Array) -> None:
        """Copy a record, and convert it into an array.

        Args:
            data: The file.
            start: Zero-based offset of the record's first byte.
            out: The array, of shape (bands, rows, columns).
        """
        # Taken away while it is in use: by other threads, and by whatever interrupts this one.
        try:
            memory = self._free.pop()  # type: ignore[union-attr] # None is an AttributeError
        except (AttributeError, IndexError):
            memory = self._new()
        pixels, steps, n_bytes = memory
        pixels[...] = np.ndarray((), self._bytes, data, start + self._begin)
        for step in steps:
            image = out[step.first : step.stop]
            if step.resample is None:
                for first, stop, bands in step.bands:
                    image[first:stop] = bands
                continue
            for first, stop, bands in step.bands:
                step.memory[first:stop] = bands
            step.resample(step.memory, image)
        free = self._free
        if free is not None and len(free) < _MAX_KEPT and n_bytes <= _MAX_KEPT_BYTES:
            free.append(memory)

    def _new(self) -> _Memory:
        """New memory. It is kept from now on, and in its place that of the oldest stage is not."""
        if self._free is None:
            self._free = []
            _keeping.append(weakref.ref(self))
            # No lock: a fork, or a signal's handler that reads, would wait for it for ever.
            while len(_keeping) > _MAX_STAGES:
                with suppress(IndexError):  # another thread was faster
                    oldest = _keeping.popleft()()
                    if oldest is not None:
                        oldest._free = None  # noqa: SLF001 - of the same class
        pixels: Array = np.empty((), self._bytes)
        steps = [_step(part, pixels, -self._begin) for part in self._parts]
        own = sum(step.memory.nbytes for step in steps if step.resample is not None)
        return _Memory(pixels, steps, pixels.nbytes + own)


class _Memory(NamedTuple):
    """What a record is converted in."""

    pixels: Array
    """The record's copy."""
    steps: list[_Step]
    """What is done with it."""
    n_bytes: int
    """All of it together."""


class _Step(NamedTuple):
    """What is done with a part of the array."""

    first: int
    """Zero-based position of its first band in the array."""
    stop: int
    """Behind its last one."""
    bands: list[tuple[int, int, Array]]
    """Views of the copy, and the positions in the part that they go to."""
    resample: Resampler | None
    """What brings them to the size of the array."""
    memory: Array
    """What it brings them from."""


def _step(part: Part, pixels: Array, start: int) -> _Step:
    """What is done with a part, given the record's copy and where the record would begin in it."""
    bands = []
    for run in part.runs:
        some = run.of(pixels, start)
        if part.resample is not None and part.resample.bits is not None:
            some = some.view(part.resample.bits)
        bands.append((run.first, run.first + run.shape[0], some))
    shape = (part.n_bands, *part.size)
    memory = pixels if part.resample is None else part.resample.memory(shape)
    return _Step(part.first, part.first + part.n_bands, bands, part.resample, memory)
