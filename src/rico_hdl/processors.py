"""How many processors this process may use.

In: the operating system's word. Out: a number. Laptops, SLURM jobs (affinity) and containers (CPU
quota) each say it elsewhere.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # "max 100000" or "150000 100000", cgroup v2


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
