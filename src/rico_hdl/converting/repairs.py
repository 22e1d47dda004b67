"""Repairing records that may be wrong because their archive was damaged.

Records from a damaged archive are compared with the next source that holds them. A record that
differs is replaced; one that is equal is attributed to the other source. Once the journal
attributes all records from the archive to intact sources, the archive's failure is resolved.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import PurePath
from typing import Literal

from rico_hdl.store import UNPROVEN, StoreWriter
from rico_hdl.values import (
    ArchiveFailure,
    ArchiveFailureKind,
    Failure,
    Origin,
    PatchFailure,
    Record,
    place_of,
)

Verdict = Literal["put", "equal", "repaired", "different"]
"""The outcome for a record whose key may be stored: the record was ``put``, since its key was
missing; it is ``equal`` to the stored record; the stored record was ``repaired``; or the record is
``different`` from the stored one, which can't be wrong."""


class Repairs:
    """Handles records that are already stored, and archives that are in doubt.

    Args:
        writer: The store.
        origins: The sources of this conversion.
        failures: The failures of earlier conversions.
    """

    def __init__(
        self, writer: StoreWriter, origins: Collection[Origin], failures: Sequence[Failure]
    ) -> None:
        self._writer = writer
        self._earlier = tuple(failures)
        self._intact: set[Origin] = set()  # sources that this conversion read to their end
        self._doubtful: dict[Origin, set[ArchiveFailureKind]] = {}
        for failure in failures:
            if isinstance(failure, ArchiveFailure):
                origin = Origin(failure.modality, failure.path)
                self._doubtful.setdefault(origin, set()).add(failure.kind)
        self._uncertain = {
            Origin(failure.modality, failure.path)
            for failure in failures
            if isinstance(failure, ArchiveFailure) and failure.leaves_doubt
        }
        self.trusted = set(origins) - self._uncertain
        """The sources of this conversion whose records don't need to be compared."""
        self.doubted = {origin.modality for origin in self._doubtful}
        """Modalities with an archive in doubt, which a record of unknown origin may come from."""
        self.sums_in_doubt = {
            (origin.modality, PurePath(origin.location).name)
            for origin, kinds in self._doubtful.items()
            if "checksum" in kinds
        }
        """Modality and file name of archives whose MD5 sum was wrong. A copy may be wrong in the
        same way and would confirm itself, so any archive of that name must have the published sum.
        """

    def was_read(self, origin: Origin) -> None:
        """Note that a source was read to its end without signs of damage."""
        self._intact.add(origin)

    def settle(self, record: Record, there: Origin | None) -> Verdict:
        """Compare a record with the stored one, and put, confirm or replace it.

        Args:
            record: The record.
            there: The origin of the stored record; None for a source of this conversion.
        """
        if record.key not in self._writer:  # the first patch with this key could not be converted
            self._writer.put(record)
            return "put"
        if self._writer.holds(record):
            if there is not None and self._is_better(record.origin, there):
                self._writer.confirm(record, there)
            return "equal"
        if there is not None and self._may_be_wrong(there):
            self._writer.replace(record, there)
            return "repaired"
        return "different"

    def _is_better(self, origin: Origin, there: Origin) -> bool:
        """Whether to attribute a stored record to another source that holds the same bytes.

        Records without a valid note are attributed to it, and so are records of modalities with a
        damaged archive: in the end the journal then shows whether intact sources hold everything
        that came from the archive.
        """
        if there == UNPROVEN:
            return True
        return origin.modality in self.doubted and origin not in {there, *self._doubtful}

    def _may_be_wrong(self, there: Origin) -> bool:
        """Whether a record from an origin may hold wrong values."""
        # A record of unknown origin may come from an archive in doubt of its modality.
        names = {origin.modality for origin in self._uncertain}
        is_unknown = not there.location and bool(names) and there.modality in {"", *names}
        return there in self._uncertain or there == UNPROVEN or is_unknown

    def unresolved(self, failures: Sequence[Failure]) -> list[Failure]:
        """Earlier failures that this conversion neither found again nor resolved.

        Args:
            failures: The failures of this conversion.
        """
        again = set(map(_identity, failures))
        archives = {(f.modality, f.path) for f in failures if isinstance(f, ArchiveFailure)}
        patches = {(f.key, f.modality) for f in failures if isinstance(f, PatchFailure)}
        left: list[Failure] = []
        for failure in self._earlier:
            if _identity(failure) in again or self._is_resolved(failure):
                continue
            if isinstance(failure, PatchFailure):
                left += [failure] if (failure.key, failure.modality) not in patches else []
            # A wrong MD5 sum counts until a right one is found, whatever happens in between.
            elif failure.kind == "checksum" or (failure.modality, failure.path) not in archives:
                left.append(failure)
        return left

    def _is_resolved(self, failure: Failure) -> bool:
        if isinstance(failure, ArchiveFailure):
            return self._is_cleared(failure)
        # If the failure persisted, this conversion would have found it again.
        was_read = any(
            modality == failure.modality and failure.path.startswith(f"{location}/")
            for modality, location in self._intact
        )
        return was_read or failure.key.encode(errors="replace") in self._writer

    def _is_cleared(self, failure: ArchiveFailure) -> bool:
        """Whether all records from an archive are known to be right by now."""
        name = PurePath(failure.path).name
        if any(
            modality == failure.modality and PurePath(location).name == name
            for modality, location in self._intact
        ):
            return True  # the archive, or a copy of it, was read to its end
        # Sources that are in doubt themselves don't count.
        origin = Origin(failure.modality, failure.path)
        return self._writer.provenance.is_made_up_for(origin, self._intact)


def _identity(failure: Failure) -> tuple[str, ...]:
    """Identifies a failure across conversions; the wording of its reason doesn't matter."""
    return (failure.kind, *place_of(failure))
