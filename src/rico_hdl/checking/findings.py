"""The result of checking a store, which `verification` and `comparison` fill in."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rico_hdl.values import json_ready

Kind = Literal["missing", "extra", "damaged", "unexpected"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a store."""

    kind: Kind
    """``missing``: noted as written, but not in the store. ``extra``: in the store, but never
    noted. ``damaged``: not the bytes that were written. ``unexpected``: not what the spec says."""
    key: str
    """The record's key; empty if the finding concerns the store as a whole."""
    reason: str
    """What was expected and what was found."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.key + ': ' if self.key else ''}{self.reason}"


@dataclass
class Verification:
    """The result of a check."""

    target: str
    """The target folder, absolute."""
    dataset: str | None = None
    """The dataset's name; None if unknown."""
    n_records: int = 0
    """Records that were read."""
    n_bytes: int = 0
    """Their bytes."""
    n_unproven: int = 0
    """Records without a noted digest, checked only for their form: those of the original rico-hdl,
    and those whose notes a damaged journal has lost."""
    n_unfinished: int = 0
    """Records that a conversion noted but did not commit. If it was interrupted, running the same
    command again writes them."""
    is_complete: bool | None = None
    """Whether the manifest says that nothing is missing; None if unknown."""
    is_being_written: bool = False
    """Whether a conversion was writing to the store. If so, the result covers the records that it
    had committed when the check began."""
    n_constant: int = 0
    """Records noted as having one value in all pixels of each band."""
    content_digest: str = ""
    """Digest of all keys and values that were read."""
    n_samples: int | None = None
    """Samples of the store's labels; None if it has no labels, or if they can't be read."""
    n_absent: int = 0
    """Patches that labels name and the store doesn't have."""
    findings: list[Finding] = field(default_factory=list)
    """Everything that is wrong, sorted by key."""
    seconds: float = 0.0
    """Duration of the check."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return json_ready(asdict(self))
