"""Estimating the number and the size of records in advance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

from rico_hdl.record import record_bytes
from rico_hdl.sources import Archive
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


def published_in(modality: Modality, archives: Sequence[Archive]) -> int | None:
    """The number of patches in archives according to the publisher; None if it is unknown.

    It is known if one archive, split or not, is published with all patches, and one of that name is
    given. If patches are published in many archives, these may be any of them.
    """
    if len(archives) != 1:
        return None
    path = archives[0].files[0]
    for download in modality.downloads:
        stem = PurePath(download.name).name.partition(".")[0]  # what follows is the part's number
        if path.match(download.name) and not set("*?[") & set(stem):
            return modality.n_published
    return None
