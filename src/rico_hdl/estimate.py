"""How large a conversion's result will be, from a few of its patches.

In: a plan. Out: bytes, and what went wrong with the patches that were tried. It reads those patches
and writes nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from rico_hdl.patch import Failure
from rico_hdl.plan import Plan
from rico_hdl.record import record_bytes
from rico_hdl.spec import Modality
from rico_hdl.workers import PatchConverter

N_SAMPLES: Final = 3
"""Patches tried for each modality: those of one modality hardly differ in size."""
_PAGE_BYTES: Final = 4096
_PAGE_HEADER_BYTES: Final = 16


@dataclass
class Estimate:
    """What to expect."""

    n_bytes: int = 0
    """Bytes of ``data.mdb``, about."""
    failures: list[Failure] = field(default_factory=list)
    """Tried patches that can't be converted."""


def stored_bytes(n_bytes: int) -> int:
    """What a record of so many bytes takes in ``data.mdb``, about: whole pages."""
    return math.ceil((n_bytes + _PAGE_HEADER_BYTES) / _PAGE_BYTES) * _PAGE_BYTES


def nominal_bytes(modality: Modality) -> int | None:
    """The length of a record as the spec describes it; None where the spec names no shapes."""
    shapes = [band.shape for band in modality.bands if band.shape is not None]
    if modality.dtype is None or len(shapes) < len(modality.bands):
        return None
    return record_bytes(modality.band_names, modality.dtype, shapes)


def estimate(plan: Plan, n_samples: int = N_SAMPLES) -> Estimate:
    """Convert the first patches of each modality, and extrapolate from their size in LMDB's pages.

    Raises:
        SourceError: A source as a whole is gone.
    """
    converter, result = PatchConverter(), Estimate()
    tried: dict[str, int] = defaultdict(int)
    sizes: dict[str, list[int]] = defaultdict(list)
    n_left = sum(min(n_samples, n) for n in plan.n_patches.values())
    for patch in plan:
        if n_left == 0:
            break
        name = patch.modality.name
        if tried[name] == n_samples:
            continue
        tried[name] += 1
        n_left -= 1
        (found,) = converter.convert([patch])
        if isinstance(found, Failure):
            result.failures.append(found)
        else:
            sizes[name].append(stored_bytes(len(found.data)))
    result.n_bytes = sum(
        round(sum(found) / len(found) * plan.n_patches[name]) for name, found in sizes.items()
    )
    return result
