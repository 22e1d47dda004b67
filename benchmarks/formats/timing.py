"""Time a stream of samples or batches.

In: an endless iterator. Out: patches per second. It checks no pixels.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAMPLES_PER_LOOK: Final = 16
"""Samples between two readings of the clock."""
_WARM_SECONDS: Final = 1.0
"""Maximum warm-up time in seconds; fast readers read each patch once in less."""
_MIN_BATCHES: Final = 6
"""Minimum number of batches to time, because workers deliver in bursts."""


def samples_per_second(
    stream: Iterator[tuple[int, object]], n_patches: int, seconds: float
) -> float:
    """Read single samples for some seconds.

    Args:
        stream: Samples, each released before the one after the next is made.
        n_patches: Patches to read before the clock starts, to map pages.
        seconds: Duration of the measurement.
    """
    _advance(stream, n_patches, _SAMPLES_PER_LOOK)
    return _rate(stream, _SAMPLES_PER_LOOK, seconds, 1) * _SAMPLES_PER_LOOK


def batches_per_second(
    stream: Iterator[tuple[object, object]], n_warm: int, seconds: float, multiple: int
) -> float:
    """Read batches for some seconds.

    Args:
        stream: Batches.
        n_warm: Batches to read before the clock starts.
        seconds: Duration of the measurement.
        multiple: The number of batches is a multiple of this, because workers take turns.
    """
    _advance(stream, n_warm, multiple)
    return _rate(stream, multiple, seconds, -(-_MIN_BATCHES // multiple)) * multiple


def _advance(stream: Iterator[object], n_items: int, n_each: int) -> None:
    start = time.perf_counter()
    for _ in range(-(-n_items // n_each)):
        for _ in range(n_each):
            next(stream)
        if time.perf_counter() - start > _WARM_SECONDS:
            break


def _rate(stream: Iterator[object], n_each: int, seconds: float, n_least: int) -> float:
    """Groups of `n_each` items per second."""
    n_groups = 0
    start = now = time.perf_counter()
    while now - start < seconds or n_groups < n_least:
        for _ in range(n_each):
            next(stream)
        n_groups += 1
        now = time.perf_counter()
    return n_groups / (now - start)
