"""What checking a store gives: findings, and what was read.

`verification` and `comparison` fill these values.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["missing", "extra", "damaged", "unexpected"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be."""

    kind: Kind
    """``missing``: noted as written, but not there. ``extra``: there, but never noted. ``damaged``:
    not the bytes that were written. ``unexpected``: not what the spec says."""
    key: str
    """The record's key; empty where it is the store as a whole."""
    reason: str
    """What was expected and what was found."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.key + ': ' if self.key else ''}{self.reason}"


@dataclass
class Verification:
    """What was found."""

    target: str
    """The target folder, absolute."""
    dataset: str | None = None
    """The dataset's name; None where it can't be told."""
    n_records: int = 0
    """Records that were read."""
    n_bytes: int = 0
    """Their bytes."""
    n_unproven: int = 0
    """Records without a noted digest, whose form alone was checked: those of the original
    rico-hdl, and those whose notes a damaged journal has lost."""
    n_unfinished: int = 0
    """Records that a conversion noted and had not committed: if it was interrupted, the same
    command writes them."""
    is_complete: bool | None = None
    """Whether the manifest says that nothing is missing; None where it does not tell."""
    is_being_written: bool = False
    """Whether a conversion was writing to the store: then this is about the records that it had
    committed when the check began."""
    n_constant: int = 0
    """Records noted as having one value in all pixels."""
    content_digest: str = ""
    """Digest of all keys and values that were read."""
    findings: list[Finding] = field(default_factory=list)
    """All that is wrong, sorted by key."""
    seconds: float = 0.0
    """How long it took."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)
