"""Which archives of a comparison can't be trusted, and whether other sources make up for them.

In: records that are equal to what is stored, and what is wrong with archives. Out: the archives
that prove nothing. The rule is that of conversions: an archive is cleared by an intact copy of the
same name, or if all that the store ever got from it is equal in intact sources. It reads the
journal, and only where an archive is in doubt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

from rico_hdl.errors import StoreError
from rico_hdl.patch import ArchiveFailure, Origin
from rico_hdl.sorting import CompactSorted
from rico_hdl.store import NewestEntries


class Doubts:
    """What the sources of a comparison prove."""

    def __init__(self) -> None:
        self._equal: CompactSorted[tuple[bytes, int]] = CompactSorted()
        self._numbers: dict[Origin, int] = {}
        self._intact: set[Origin] = set()
        self._failures: list[ArchiveFailure] = []

    def equal(self, key: bytes, origin: Origin) -> None:
        """Note that a stored record is what a source holds."""
        self._equal.add((key, self._numbers.setdefault(origin, len(self._numbers))))

    def intact(self, origin: Origin) -> None:
        """Note that a source was read to its end, and is intact as far as that tells."""
        self._intact.add(origin)

    def fail(self, failure: ArchiveFailure) -> None:
        """Note that an archive can't be trusted."""
        self._failures.append(failure)

    def proven(self) -> Iterator[bytes]:
        """The keys whose records are equal in at least one intact source, sorted."""
        numbers = {n for origin, n in self._numbers.items() if origin in self._intact}
        last: bytes | None = None
        for key, number in self._equal:
            if number in numbers and key != last:
                last = key
                yield key

    def left(self, journal: Path, is_stored: Callable[[bytes], bool]) -> list[ArchiveFailure]:
        """The archives that nothing makes up for.

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
        n_stored: Counter[Origin] = Counter()
        n_proven: Counter[Origin] = Counter()
        proven = self.proven()
        known = next(proven, None)
        try:
            for key, history in NewestEntries(journal).by_key():
                # Also what is stored from another source by now: a repair changes origins.
                givers = doubtful & {entry.origin for entry in history if not entry.removed}
                if not givers or not is_stored(key):
                    continue
                while known is not None and known < key:
                    known = next(proven, None)
                for origin in givers:
                    n_stored[origin] += 1
                    n_proven[origin] += known == key
        except OSError as error:
            raise StoreError(f"{journal} can't be read: {error.strerror}") from error
        # Where the store got nothing from an archive, nothing tells what the archive should hold.
        cleared = {origin for origin, n in n_stored.items() if n == n_proven[origin]}
        return [f for f in failures if Origin(f.modality, f.path) not in cleared]
