"""One record's bands on their way to an array that converts them.

In: a record in ``data.mdb``, and how its bands are converted. Out: an array, filled. The record's
bytes are copied first, into memory that each thread keeps: converting what was just copied takes
half the time of converting out of the map, and where all of it lies need not be worked out again.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rico_hdl.reading.resampling import Array, Resampler

if TYPE_CHECKING:
    from rico_hdl.reading.plan import Part

_LARGEST: Final = 2**30
"""Bytes that are copied at once; NumPy's types end at twice that."""
_MAX_KEPT_BYTES: Final = 2**22
"""Larger memory is let go of at once: there, making it anew counts for little."""
_MAX_KEPT: Final = 8
"""Plans whose memory a thread keeps: a sample may be made of several modalities."""

_own = threading.local()


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
        pixels, steps = self._memory()
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

    def _memory(self) -> tuple[Array, list[_Step]]:
        """This thread's copy of a record, and what is done with it."""
        kept: dict[Stage, tuple[Array, list[_Step]]] | None = getattr(_own, "kept", None)
        if kept is None:
            kept = _own.kept = {}
        found = kept.get(self)
        if found is None:
            pixels: Array = np.empty((), self._bytes)
            found = pixels, [_step(part, pixels, -self._begin) for part in self._parts]
            if self._bytes.itemsize <= _MAX_KEPT_BYTES:
                if len(kept) >= _MAX_KEPT:
                    kept.clear()
                kept[self] = found
        return found


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
        if part.resample is not None and part.resample.bits != part.dtype:
            some = some.view(part.resample.bits)
        bands.append((run.first, run.first + run.shape[0], some))
    shape = (part.n_bands, *part.size)
    memory = pixels if part.resample is None else part.resample.memory(shape)
    return _Step(part.first, part.first + part.n_bands, bands, part.resample, memory)
