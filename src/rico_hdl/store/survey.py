"""Finding the records without a note that are proven, and those to compare with a source again.

In: the database, its journal and its manifest, after the journal has lost notes. Out: the entries
that are certain, and the keys of the records that are not. A record is proven by its own note or,
together with all others, by the content digest of the manifest. A store that was complete and has
changed is refused. This module writes nothing.

A store of the original rico-hdl has neither manifest nor journal, so its records are taken as they
are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from rico_hdl.errors import StoreError
from rico_hdl.store import digest
from rico_hdl.store.history import UNKNOWN, History, NewestEntries, with_origin
from rico_hdl.store.journal import JOURNAL_NAME, JournalEntry
from rico_hdl.store.manifest import Manifest
from rico_hdl.store.reconciling import JournalState, found
from rico_hdl.values import Layout

Records = Iterator[tuple[bytes, memoryview]]
"""All keys and values of a database, sorted by key."""


@dataclass
class Survey:
    """The differences between journal and database."""

    missing: History = field(default_factory=History)
    """Removals of records that were noted but are not in the database."""
    certain: History = field(default_factory=History)
    """Entries of records that are in the database and proven."""
    unproven: History = field(default_factory=History)
    """Entries of all other records without a note, as they are in the database."""
    outdated: set[bytes] = field(default_factory=set)
    """Keys of records that differ from their notes, while newer notes may have been lost."""
    n_adopted: int = 0
    """Records that are taken as they are: those of the original rico-hdl."""
    n_proven: int = 0
    """Records whose notes were lost, but that the manifest's content digest proves."""

    @property
    def n_unproven(self) -> int:
        """Records that must be compared with a source again."""
        return len(self.unproven) + len(self.outdated)

    @property
    def differs(self) -> bool:
        """Whether there is anything to note."""
        return bool(len(self.missing) + len(self.certain))

    def messages(self) -> Iterator[str]:
        """Warnings for the user."""
        if self.n_adopted:
            yield (
                f"{self.n_adopted} records are in the store but not in its journal, like those "
                "that another tool wrote: their current digests have been noted"
            )
        if self.n_proven:
            yield (
                f"the journal had lost the notes of {self.n_proven} records: they have been noted "
                "again, since the content digest of the manifest proves them"
            )
        if self.n_unproven:
            yield (
                f"the journal has lost the notes of {self.n_unproven} records: they are compared "
                "with the sources again, and replaced if they differ"
            )

    def accept(self) -> int:
        """Take all records without a note as they are; returns their number."""
        n = len(self.unproven)
        self.unproven.add(self.certain.in_order())
        self.certain, self.unproven = self.unproven, History()
        return n


class Surveyor:
    """Compares a journal with its database.

    Args:
        target: The folder of the store.
        state: What its journal says.
        taken_back: Entries to add to it first; see `rico_hdl.store.reconciling.unsettled`.
        records: Begins to read the database.
        modality_of: Returns the modality of a layout; empty if it is none of the dataset's.

    Raises:
        OSError: The journal can't be read.
        StoreError: The manifest can't be read.
    """

    def __init__(
        self,
        target: Path,
        state: JournalState,
        taken_back: list[JournalEntry],
        records: Callable[[], Records],
        modality_of: Callable[[bytes, Layout], str],
    ) -> None:
        self._target = target
        self._state = state
        self._records = records
        self._modality_of = modality_of
        self._manifest = Manifest.read(target)
        self._noted = NewestEntries(target / JOURNAL_NAME)
        self._noted.add(taken_back)

    def survey(self, *, must_look: bool) -> Survey:
        """Compare as much as necessary.

        Args:
            must_look: Whether journal and database are known to differ.

        Raises:
            StoreError: The store was complete, and its records have changed.
        """
        if not must_look:
            noted = self._state.totals.digest
            if not self._may_have_lost_newer_notes or self._proves(noted):
                return Survey()
        survey, total = self._look_at_keys()
        if self._is_original:
            survey.n_adopted = survey.accept()
            return survey
        if len(survey.unproven) and self._proves(total):
            survey.n_proven = survey.accept()
        elif self._may_have_lost_newer_notes and not self._proves(total):
            self._look_at_bytes(survey)
        if survey.n_unproven and self._manifest is not None and self._manifest.complete:
            raise self._refusal(survey)
        return survey

    @property
    def _is_original(self) -> bool:
        """Whether no record was ever written by this tool."""
        known = (
            location != UNKNOWN
            for part in self._state.totals.modalities.values()
            for location in part.locations
        )
        return self._manifest is None and not self._state.is_damaged and not any(known)

    @property
    def _may_have_lost_newer_notes(self) -> bool:
        """Whether a record may differ from its newest note, because newer ones are lost.

        In a store that is not complete yet, a block that was cut short at the end means nothing: a
        kill leaves one, and its records were not committed.
        """
        complete = self._manifest is not None and self._manifest.complete
        return self._state.is_damaged or (complete and bool(self._state.gaps))

    def _proves(self, total: int) -> bool:
        """Whether this content digest is that of the manifest."""
        return self._manifest is not None and self._manifest.content_digest == digest.to_text(total)

    def _look_at_keys(self) -> tuple[Survey, int]:
        """Compare the keys, and read the records that have no note.

        Returns:
            The differences, and the content digest of all records in the database: as they were
            noted or, without a note, as they are.
        """
        survey, total = Survey(), 0
        histories = self._noted.by_key()
        noted, history = next(histories, (None, []))
        for key, value in self._records():
            while noted is not None and noted < key:
                survey.missing.add(_removal(history))
                noted, history = next(histories, (None, []))
            known = history if noted == key else []
            if known and not known[-1].removed:
                total = digest.add(total, known[-1].digest)
            else:
                entry = found(key, value, self._modality_of)
                total = digest.add(total, entry.digest)
                earlier = _same(entry, known)
                if earlier is None:
                    survey.unproven.add([entry])
                else:
                    survey.certain.add([earlier])
            if noted == key:
                noted, history = next(histories, (None, []))
        for _, left in chain([(noted, history)] if noted is not None else [], histories):
            survey.missing.add(_removal(left))
        return survey, total

    def _look_at_bytes(self, survey: Survey) -> None:
        """Compare every record with its note, and all of them with the manifest."""
        total = 0
        changed = History()
        noted = iter(self._noted)
        entry = next(noted, None)
        for key, value in self._records():
            there = digest.record_digest(key, value)
            total = digest.add(total, there)
            while entry is not None and entry.key < key:
                entry = next(noted, None)
            if entry is not None and entry.key == key and there != entry.digest:
                changed.add([entry._replace(removed=True), found(key, value, self._modality_of)])
        if self._proves(total):
            survey.n_proven = survey.accept() + len(changed) // 2
            survey.certain.add(changed.in_order())
        else:
            survey.outdated = {key for key, _ in changed.by_key()}

    def _refusal(self, survey: Survey) -> StoreError:
        gaps = self._state.gaps
        where = f" is damaged at byte {gaps[0].start} and" if gaps else ""
        return StoreError(
            f"{self._target} is damaged: its journal{where} has no valid note of "
            f"{survey.n_unproven} records, and the content digest of all records no longer matches "
            "the manifest, which says that the store was complete",
            "Nothing was changed. Run rico-hdl verify for details. Restore data.mdb and "
            "rico-hdl.journal from a copy, or convert again with --overwrite.",
        )


def _removal(history: list[JournalEntry]) -> list[JournalEntry]:
    """The removal of a record that is gone; none if it is noted already."""
    newest = history[-1]
    return [] if newest.removed else [newest._replace(removed=True)]


def _same(entry: JournalEntry, history: list[JournalEntry]) -> JournalEntry | None:
    """The newest entry that notes the same bytes as put, with an origin if one is known."""
    for other in reversed(history):
        same = (other.digest, other.n_bytes) == (entry.digest, entry.n_bytes)
        if same and not other.removed:
            return with_origin(other, history)
    return None
