"""The number of processors that this process may use, and how its threads take turns.

SLURM jobs limit processors by affinity, containers by a CPU quota, laptops not at all.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rico_hdl.errors import UsageError

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # "max 100000" or "150000 100000", cgroup v2

_SWITCH_SECONDS: Final = 0.0005


@contextmanager
def frequent_switches() -> Iterator[None]:
    """Shorten the time that threads wait for Python's global lock while the context lasts.

    A thread that mostly works without the lock, such as one that decompresses, waits for it after
    each step: by default up to 5 ms, in which it could have decompressed about 5 MB.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _SWITCH_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def checked_workers(n_workers: int | None) -> int:
    """The number of threads to use: ``n_workers``, or `n_usable_processors` if it is None.

    Raises:
        UsageError: ``n_workers`` is less than 1.
    """
    if n_workers is None:
        return n_usable_processors()
    if n_workers < 1:
        raise UsageError(f"n_workers is {n_workers}, expected 1 or more")
    return n_workers


def n_usable_processors() -> int:
    """The processors that this process may run on, at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    n = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = _CGROUP_QUOTA.read_text(encoding="ascii").split()
        if quota != "max":
            n = min(n, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):
        pass  # no such limit here
    return max(1, n)
