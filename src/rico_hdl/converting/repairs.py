"""Records that may be wrong, since their archive was found damaged, and how they are repaired.

What a damaged archive gave is compared with the next source that holds it. A record that differs is
replaced; one that is equal is noted as that of the other source. Once all that the archive gave is
stored from intact sources, the journal says so, and its failure is settled.
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
"""What became of a record whose key may be stored: it was ``put``, since the key was not there; it
is ``equal`` to what is stored; what was stored is ``repaired``; or it is ``different`` from what is
stored, which can't be wrong."""


class Repairs:
    """Decides about records that are stored already, and about archives that are in doubt.

    Args:
        writer: The store.
        origins: The sources of this conversion.
        failures: Those of earlier conversions.
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
        # An incomplete archive lacks something, but the records that it gave are right.
        self._uncertain = {o for o, kinds in self._doubtful.items() if kinds != {"incomplete"}}
        self.trusted = set(origins) - self._uncertain
        """The sources of this conversion whose records need not be looked at again."""
        self.doubted = {origin.modality for origin in self._doubtful}
        """Modalities with an archive in doubt, which a record of unknown origin may come from."""
        self.sums_in_doubt = {
            (origin.modality, PurePath(origin.location).name)
            for origin, kinds in self._doubtful.items()
            if "checksum" in kinds
        }
        """Modality and file name of archives whose MD5 sum was wrong. A copy may be as wrong, and
        would prove itself: so whatever has the same name must have the published sum."""

    def was_read(self, origin: Origin) -> None:
        """Note that a source was read to its end, without signs of damage."""
        self._intact.add(origin)

    def settle(self, record: Record, there: Origin | None) -> Verdict:
        """Compare a record with what is stored, and put, confirm or replace it.

        Args:
            record: The record.
            there: Where the stored one comes from; None if from a source of this conversion.
        """
        if record.key not in self._writer:  # the patch that came first could not be converted
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
        """Whether a record is to be noted as that of another source that holds the same bytes.

        It is if it has no valid note, and if an archive was found damaged: then the journal says in
        the end whether intact sources hold all that the archive gave.
        """
        if there == UNPROVEN:
            return True
        return origin.modality in self.doubted and origin not in {there, *self._doubtful}

    def _may_be_wrong(self, there: Origin) -> bool:
        """Whether a record from there may hold wrong values."""
        # A record of unknown origin may come from an archive in doubt of its modality.
        names = {origin.modality for origin in self._uncertain}
        is_unknown = not there.location and bool(names) and there.modality in {"", *names}
        return there in self._uncertain or there == UNPROVEN or is_unknown

    def unresolved(self, failures: Sequence[Failure]) -> list[Failure]:
        """Earlier failures that this conversion has neither met again nor made up for.

        Args:
            failures: Those of this conversion.
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
            # A wrong MD5 sum counts until a right one is found, whatever else happened since.
            elif failure.kind == "checksum" or (failure.modality, failure.path) not in archives:
                left.append(failure)
        return left

    def _is_resolved(self, failure: Failure) -> bool:
        if isinstance(failure, ArchiveFailure):
            return self._is_cleared(failure)
        # If it were still there, this conversion would have met it again.
        was_read = any(
            modality == failure.modality and failure.path.startswith(f"{location}/")
            for modality, location in self._intact
        )
        return was_read or failure.key.encode(errors="replace") in self._writer

    def _is_cleared(self, failure: ArchiveFailure) -> bool:
        """Whether all that an archive gave is known to be right by now."""
        name = PurePath(failure.path).name
        if any(
            modality == failure.modality and PurePath(location).name == name
            for modality, location in self._intact
        ):
            return True  # the archive, or a copy of it, was read to its end
        # Sources that are in doubt themselves prove nothing.
        origin = Origin(failure.modality, failure.path)
        return self._writer.provenance.is_made_up_for(origin, self._intact)


def _identity(failure: Failure) -> tuple[str, ...]:
    """What makes failures of two conversions the same: not the wording of the reason."""
    return (failure.kind, *place_of(failure))
