"""The result of copying records from stores into another store."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rico_hdl.values import json_ready


@dataclass(frozen=True)
class CopySummary:
    """The result of `rico_hdl.select` or `rico_hdl.merge`."""

    target: str
    """The folder of the new store, absolute."""
    stores: tuple[str, ...]
    """The folders of the stores that it was made of, absolute."""
    n_written: dict[str, int]
    """Records written, by modality."""
    n_present: int
    """Records that were in the target already."""
    n_bytes: int
    """Bytes of the written records."""
    seconds: float
    """Duration in seconds."""
    content_digest: str
    """The digest of all records in the target; see `rico_hdl.store.digest`."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return json_ready(asdict(self))
