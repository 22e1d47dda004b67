"""Running totals of a store, for the manifest and `rico-hdl info`.

In: journal entries. Out: numbers by modality, and the content digest. Adding an entry and then its
removal restores the totals.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rico_hdl.store import digest
from rico_hdl.store.journal import JournalEntry
from rico_hdl.values import Layout


@dataclass
class ModalityTotals:
    """One modality's part of a store."""

    n_patches: int = 0
    """Records."""
    n_bytes: int = 0
    """Bytes of these records."""
    n_constant: int = 0
    """Records whose bands each have one value in all pixels."""
    layouts: Counter[Layout] = field(default_factory=Counter)
    """How often each combination of bands, dtypes and shapes occurs."""
    locations: Counter[str] = field(default_factory=Counter)
    """How many records came from each source; an empty name for an unknown source."""


@dataclass
class Totals:
    """The totals of a whole store."""

    n_records: int = 0
    """Records."""
    n_bytes: int = 0
    """Bytes of all records."""
    digest: int = 0
    """See `rico_hdl.store.digest`."""
    modalities: dict[str, ModalityTotals] = field(default_factory=dict)
    """By the modality's name; an empty name for records of no known modality."""

    def apply(self, entry: JournalEntry) -> None:
        """Add an entry, or subtract it if it is a removal."""
        sign = -1 if entry.removed else 1
        part = self.modalities.setdefault(entry.origin.modality, ModalityTotals())
        self.n_records += sign
        self.n_bytes += sign * entry.n_bytes
        self.digest = digest.add(self.digest, sign * entry.digest)
        part.n_patches += sign
        part.n_bytes += sign * entry.n_bytes
        part.n_constant += sign * entry.constant
        part.layouts[entry.layout] += sign
        part.locations[entry.origin.location] += sign
        if entry.removed:
            part.layouts, part.locations = +part.layouts, +part.locations  # without zeros
