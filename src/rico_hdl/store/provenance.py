"""The origins of a store's records, and what they imply.

In: the journal. Out: the records that came from sources other than given ones, the records without
a valid note, and whether other sources make up for everything that came from a damaged archive. All
of it follows from the files on disk, so it is the same after a kill. It writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

from rico_hdl.store.history import UNKNOWN, NewestEntries
from rico_hdl.store.survey import Survey
from rico_hdl.store.totals import Totals
from rico_hdl.values import Origin

UNPROVEN: Final = Origin("", "?")
"""The origin of a record whose note was lost, so its bytes may be damaged. It can't be the location
of a source, which is an absolute path, and it is never written to the journal."""


class Provenance:
    """The origins of records according to a journal.

    Args:
        path: The journal.
        survey: The findings from when the store was opened.
        totals: Returns the totals of the journal.
    """

    def __init__(self, path: Path, survey: Survey, totals: Callable[[], Totals]) -> None:
        self._path = path
        self._survey = survey
        self._totals = totals

    def elsewhere(
        self, origins: Collection[Origin], doubted: Collection[str] = ()
    ) -> Iterator[tuple[bytes, Origin]]:
        """The keys of records from other sources, with their origins, sorted by key.

        Records without a valid note are included, with the origin `UNPROVEN`.

        Args:
            origins: Sources whose records are not included.
            doubted: Modalities in which records from an unknown source are included, too.
        """

        def is_elsewhere(origin: Origin) -> bool:
            if origin.location == UNKNOWN:
                return origin.modality in doubted or (not origin.modality and bool(doubted))
            return origin not in origins

        survey = self._survey
        places = (
            Origin(name, location)
            for name, part in self._totals().modalities.items()
            for location in part.locations
        )
        if not survey.n_unproven and not any(map(is_elsewhere, places)):
            return
        without = (entry.key for entry in survey.unproven)
        key = next(without, None)
        for entry in NewestEntries(self._path):
            while key is not None and key < entry.key:
                yield key, UNPROVEN
                key = next(without, None)
            if key == entry.key:  # it has got a note since
                key = next(without, None)
            if entry.key in survey.outdated:
                yield entry.key, UNPROVEN
            elif is_elsewhere(entry.origin):
                yield entry.key, entry.origin
        while key is not None:
            yield key, UNPROVEN
            key = next(without, None)

    def unproven(self) -> Counter[str]:
        """The number of records without a valid note, by modality; an empty name if unknown."""
        left: Counter[str] = Counter()
        survey = self._survey
        if not survey.n_unproven:
            return left
        noted = iter(NewestEntries(self._path))
        entry = next(noted, None)
        for one in survey.unproven:
            while entry is not None and entry.key < one.key:
                entry = next(noted, None)
            if entry is None or entry.key != one.key:
                left[one.origin.modality] += 1
        if survey.outdated:
            for entry in NewestEntries(self._path):
                left[entry.origin.modality] += entry.key in survey.outdated
        return +left

    def is_made_up_for(self, origin: Origin, intact: Collection[Origin]) -> bool:
        """Whether every record that ever came from a source is now stored from an intact one.

        False for a source that no record came from: whether others hold its contents is unknown.
        False, too, while there are records of unknown origin, which may have come from it.

        Args:
            origin: The source.
            intact: Sources that were read to their end.
        """
        n_given = 0
        for _, history in NewestEntries(self._path).by_key():
            newest = history[-1]
            if not newest.removed and newest.origin == Origin(origin.modality, UNKNOWN):
                return False
            if any(entry.origin == origin and not entry.removed for entry in history):
                n_given += 1
                if newest.removed or newest.origin not in intact:
                    return False
        return n_given > 0


def noted(there: Origin) -> Origin:
    """An origin as it is written to the journal."""
    return Origin(there.modality, UNKNOWN) if there == UNPROVEN else there
