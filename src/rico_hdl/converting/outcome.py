"""The result of a conversion."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rico_hdl.values import Failure


@dataclass
class Summary:
    """What a conversion did."""

    dataset: str
    """The spec's name."""
    target: str
    """The target folder, absolute."""
    n_written: dict[str, int] = field(default_factory=dict)
    """Patches stored by this call, by modality."""
    n_present: dict[str, int] = field(default_factory=dict)
    """Patches that were stored already, by modality."""
    n_mended: int = 0
    """Patches that were stored with other values before, from an archive that was found damaged or
    without a valid note in the journal; they are counted as written, too."""
    failures: list[Failure] = field(default_factory=list)
    """Archives that can't be trusted, then patches that were left out, sorted by key."""
    warnings: list[str] = field(default_factory=list)
    """What is unusual and no failure: too little space, patches of one value, another number of
    patches than the publisher states."""
    n_bytes: int = 0
    """Bytes of the records stored by this call."""
    seconds: float = 0.0
    """How long it took, planning included."""
    complete: bool = False
    """Whether every patch of the sources is in the store now."""
    content_digest: str = ""
    """Digest of all keys and values in the store, whoever wrote them."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {"failures": [failure.to_dict() for failure in self.failures]}
