"""Estimating the size of records in advance."""

from __future__ import annotations

import math
from typing import Final

from rico_hdl.record import record_bytes
from rico_hdl.spec import Modality

_PAGE_BYTES: Final = 4096
_PAGE_HEADER_BYTES: Final = 16


def stored_bytes(n_bytes: int) -> int:
    """Approximate bytes that a record of ``n_bytes`` takes in ``data.mdb``: whole pages."""
    return math.ceil((n_bytes + _PAGE_HEADER_BYTES) / _PAGE_BYTES) * _PAGE_BYTES


def nominal_bytes(modality: Modality) -> int | None:
    """Bytes of a record according to the spec; None if the spec gives no dtype or shapes."""
    shapes = [band.shape for band in modality.bands if band.shape is not None]
    if modality.dtype is None or len(shapes) < len(modality.bands):
        return None
    return record_bytes(modality.band_names, modality.dtype, shapes)
