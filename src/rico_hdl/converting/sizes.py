"""How large records are, as far as that is known beforehand."""

from __future__ import annotations

import math
from typing import Final

from rico_hdl.record import record_bytes
from rico_hdl.spec import Modality

_PAGE_BYTES: Final = 4096
_PAGE_HEADER_BYTES: Final = 16


def stored_bytes(n_bytes: int) -> int:
    """What a record of so many bytes takes in ``data.mdb``, about: whole pages."""
    return math.ceil((n_bytes + _PAGE_HEADER_BYTES) / _PAGE_BYTES) * _PAGE_BYTES


def nominal_bytes(modality: Modality) -> int | None:
    """The length of a record as the spec describes it; None where the spec names no shapes."""
    shapes = [band.shape for band in modality.bands if band.shape is not None]
    if modality.dtype is None or len(shapes) < len(modality.bands):
        return None
    return record_bytes(modality.band_names, modality.dtype, shapes)
