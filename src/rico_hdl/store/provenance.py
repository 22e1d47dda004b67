"""Where the records of a store came from, and what that says about them.

In: the journal. Out: the records that came from other sources than some, those that have no valid
note, and whether all that a damaged archive ever gave has been made up for. All of it follows from
what is on disk, so that it is the same after a kill. It writes nothing.
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
"""Where a record comes from whose note was lost: its bytes may be damaged. Locations of sources are
absolute paths, so this is none, and it is never written to the journal."""


class Provenance:
    """What a journal says of the origins of records.

    Args:
        path: The journal.
        survey: What was found when the store was opened.
        totals: Gives the totals of the journal.
    """

    def __init__(self, path: Path, survey: Survey, totals: Callable[[], Totals]) -> None:
        self._path = path
        self._survey = survey
        self._totals = totals

    def elsewhere(
        self, origins: Collection[Origin], doubted: Collection[str] = ()
    ) -> Iterator[tuple[bytes, Origin]]:
        """Keys that are known to have come from somewhere else, with where, sorted by key.

        Records without a valid note are among them, with the origin `UNPROVEN`.

        Args:
            origins: Sources that do not count as elsewhere.
            doubted: Modalities in which an unknown source counts as elsewhere, too.
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
            if key == entry.key:  # it has a note since
                key = next(without, None)
            if entry.key in survey.outdated:
                yield entry.key, UNPROVEN
            elif is_elsewhere(entry.origin):
                yield entry.key, entry.origin
        while key is not None:
            yield key, UNPROVEN
            key = next(without, None)

    def unproven(self) -> Counter[str]:
        """How many records of each modality have no valid note; an empty name for none."""
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
        """Whether intact sources hold all that a source ever gave: it is stored from them.

        A source that gave nothing is not: nothing tells that others hold what it held. Nor is it
        where records of unknown origin are left, which may be its own.

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
