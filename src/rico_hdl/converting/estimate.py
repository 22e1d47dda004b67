"""How large a conversion's result will be, from a few of its patches.

In: a plan, or archives. Out: bytes, and what went wrong with the patches that were tried. It reads
those patches and writes nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from rico_hdl.converting.converter import PatchConverter
from rico_hdl.patches.archives import Assembly
from rico_hdl.patches.folders import Plan
from rico_hdl.record import record_bytes
from rico_hdl.sources import Archive
from rico_hdl.spec import Modality
from rico_hdl.values import Failure, PatchFailure

N_SAMPLES: Final = 3
"""Patches tried for each modality: those of one modality hardly differ in size."""
_PAGE_BYTES: Final = 4096
_PAGE_HEADER_BYTES: Final = 16


@dataclass
class Contents:
    """What archives hold, as far as that can be seen without reading them to their end."""

    n_patches: int | None = 0
    """Patches of the modality; None if only reading all of an archive would tell."""
    first_keys: list[str] = field(default_factory=list)
    """Keys of the first patches."""
    failures: list[Failure] = field(default_factory=list)
    """Patches that can't be put together, and tried ones that can't be converted."""
    n_bytes: int | None = 0
    """Bytes of ``data.mdb``, about; None if the number of patches is not known."""


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
        if isinstance(found, PatchFailure):
            result.failures.append(found)
        else:
            sizes[name].append(stored_bytes(len(found.data)))
    result.n_bytes = sum(
        round(sum(found) / len(found) * plan.n_patches[name]) for name, found in sizes.items()
    )
    return result


def look_through(
    modality: Modality, archives: Sequence[Archive], n_samples: int = N_SAMPLES
) -> Contents:
    """See what archives hold, and convert the first patches.

    Archives that must be read from beginning to end are read up to these patches only.

    Raises:
        SourceError: One of them can't be used.
    """
    contents, converter = Contents(), PatchConverter()
    sizes: list[int] = []
    n_found: int | None = 0
    for archive in archives:
        assembly = Assembly(modality, archive, on_failure=contents.failures.append)
        with closing(iter(assembly)) as patches:
            for patch in patches:
                n_found = None if n_found is None else n_found + 1
                if len(contents.first_keys) == n_samples:
                    if archive.sequential:
                        n_found = None
                        break
                    continue
                contents.first_keys.append(patch.key)
                (found,) = converter.convert([patch])
                if isinstance(found, PatchFailure):
                    contents.failures.append(found)
                else:
                    sizes.append(stored_bytes(len(found.data)))
        if assembly.failure is not None:
            contents.failures.append(assembly.failure)
        if n_found is None:
            break
    contents.n_patches = n_found
    if n_found is None:
        contents.n_bytes = None
    elif sizes:
        contents.n_bytes = round(sum(sizes) / len(sizes) * n_found)
    return contents
