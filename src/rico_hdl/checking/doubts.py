"""Archives in a comparison that can't be trusted, and whether other sources make up for them.

In: records that equal the stored ones, and failures of archives. Out: the failures that remain. The
rule is that of conversions: an archive is cleared by an intact copy of the same name, or by intact
sources that hold equal copies of all its records in the store. The journal is read only if an
archive is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

from rico_hdl.errors import StoreError
from rico_hdl.store import NewestEntries
from rico_hdl.store.history import UNKNOWN
from rico_hdl.system.sorting import CompactSorted
from rico_hdl.values import ArchiveFailure, Origin


class Doubts:
    """The records that the sources of a comparison prove, and the archives in doubt."""

    def __init__(self) -> None:
        self._equal: CompactSorted[tuple[bytes, int]] = CompactSorted()
        self._numbers: dict[Origin, int] = {}
        self._intact: set[Origin] = set()
        self._failures: list[ArchiveFailure] = []

    def equal(self, key: bytes, origin: Origin) -> None:
        """Note that a stored record equals the one in a source."""
        self._equal.add((key, self._numbers.setdefault(origin, len(self._numbers))))

    def intact(self, origin: Origin) -> None:
        """Note that a source was read to its end without signs of damage."""
        self._intact.add(origin)

    def fail(self, failure: ArchiveFailure) -> None:
        """Note that an archive can't be trusted."""
        self._failures.append(failure)

    def proven(self) -> Iterator[bytes]:
        """The keys whose records equal those of at least one intact source, sorted."""
        numbers = {n for origin, n in self._numbers.items() if origin in self._intact}
        last: bytes | None = None
        for key, number in self._equal:
            if number in numbers and key != last:
                last = key
                yield key

    def left(self, journal: Path, is_stored: Callable[[bytes], bool]) -> list[ArchiveFailure]:
        """The failures of archives that no other source makes up for.

        Args:
            journal: The journal of the store.
            is_stored: Whether the store has a key.

        Raises:
            StoreError: The journal can't be read.
        """
        copies = {(origin.modality, PurePath(origin.location).name) for origin in self._intact}
        failures = [f for f in self._failures if (f.modality, PurePath(f.path).name) not in copies]
        if not failures:
            return []
        doubtful = {Origin(failure.modality, failure.path) for failure in failures}
        cleared = self._cleared(doubtful, journal, is_stored)
        return [f for f in failures if Origin(f.modality, f.path) not in cleared]

    def _cleared(
        self, doubtful: set[Origin], journal: Path, is_stored: Callable[[bytes], bool]
    ) -> set[Origin]:
        """The archives whose records are all proven to be right.

        An archive without records in the store is not cleared: its proper contents are unknown.
        """
        given: set[Origin] = set()
        unproven: set[Origin] = set()
        proven = self.proven()
        known = next(proven, None)
        try:
            history = NewestEntries(journal).by_key()
        except OSError as error:
            raise StoreError(f"{journal} can't be read: {error.strerror}") from error
        for key, entries in history:
            origins = {entry.origin for entry in entries if not entry.removed} & doubtful
            newest = entries[-1].origin
            # A record of unknown origin may have come from any archive of its modality.
            maybe = {o for o in doubtful if newest == Origin(o.modality, UNKNOWN)}
            if not origins | maybe or not is_stored(key):
                continue
            while known is not None and known < key:
                known = next(proven, None)
            given |= origins
            if known != key:
                unproven |= origins | maybe
        return given - unproven
