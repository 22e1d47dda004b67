"""The result of a conversion."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rico_hdl.values import Failure, json_ready


@dataclass
class Summary:
    """The result of a conversion."""

    dataset: str
    """The spec's name."""
    target: str
    """The target folder, absolute."""
    n_written: dict[str, int] = field(default_factory=dict)
    """Number of patches stored by this call, by modality."""
    n_present: dict[str, int] = field(default_factory=dict)
    """Number of patches that were already stored, by modality."""
    n_mended: int = 0
    """Number of repaired patches: they were stored with other values, from an archive that turned
    out to be damaged or without a valid note in the journal. They also count as written."""
    failures: list[Failure] = field(default_factory=list)
    """Archives that can't be trusted, then patches that were left out, sorted by key."""
    warnings: list[str] = field(default_factory=list)
    """Anything unusual that is not a failure: too little space, constant patches, a number of
    patches that differs from the publisher's."""
    n_bytes: int = 0
    """Bytes of the records stored by this call."""
    seconds: float = 0.0
    """Duration, including planning."""
    complete: bool = False
    """Whether every patch of the sources is in the store."""
    content_digest: str = ""
    """Digest of all keys and values in the store, including those of earlier conversions."""

    n_samples: int | None = None
    """Samples of the store's labels; None without labels."""
    n_labelled: int = 0
    """Those that have a label; the others have a split only, or merely belong together."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        failures = [failure.to_dict() for failure in self.failures]
        return json_ready(asdict(self) | {"failures": failures})
