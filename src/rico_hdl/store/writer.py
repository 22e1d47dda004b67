"""Writing a store: ordered puts, bounded transactions, a map that grows, a journal that knows.

In: records. Out: ``data.mdb``, the same file byte for byte for the same sequence of puts, and a
note of each record in ``rico-hdl.journal``. It overwrites a record only when it is asked to replace
it, and holds no more than one transaction in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

import lmdb

from rico_hdl.errors import StoreError
from rico_hdl.store import journal
from rico_hdl.store.faults import store_error
from rico_hdl.store.growth import grown, needed
from rico_hdl.store.history import UNKNOWN
from rico_hdl.store.journal import JOURNAL_NAME, JournalEntry
from rico_hdl.store.length import check_length
from rico_hdl.store.provenance import UNPROVEN, Provenance
from rico_hdl.store.reconciling import entry_of, found, read_journal, totals_of, unsettled
from rico_hdl.store.survey import Survey, Surveyor
from rico_hdl.store.target import (
    DATA_NAME,
    check_ours,
    check_target,
    open_journal,
    remove_store,
    reserve_lock,
)
from rico_hdl.store.totals import Totals
from rico_hdl.values import Layout, Origin, Record

COMMIT_BYTES: Final = 32 * 2**20
"""Values in one transaction. LMDB keeps its pages in memory until the commit, so this bounds
memory and what a kill can undo; larger ones were not faster (a commit ends with one fsync)."""

_sync_data: Final = getattr(os, "fdatasync", os.fsync)  # macOS and Windows have only the latter
_ENTRIES_AT_ONCE: Final = 10_000  # noted together while a journal is brought up to date


class StoreWriter:
    """A store open for writing. A context manager: leaving it commits, also after an error.

    The data of each commit is on disk before the pointer to it is written (``metasync=False``): a
    killed process loses what was put since the last commit, a crash of the machine at most the last
    commit besides, and in both cases the file stays whole.

    Args:
        target: The folder; it is created with its parents.
        commit_bytes: Bytes of keys and values after which a transaction ends.
        overwrite: Begin anew: remove what rico-hdl wrote there before.
        modality_of: The modality of a layout, empty where it is none: for records that the journal
            does not know, such as those of the original rico-hdl.

    Raises:
        StoreError: The folder can't be created or written, another conversion is writing there, its
            ``data.mdb`` can't be opened, there is one to overwrite that is not known to be ours, or
            a store that was complete is not what it was.
    """

    def __init__(
        self,
        target: Path,
        *,
        commit_bytes: int = COMMIT_BYTES,
        overwrite: bool = False,
        modality_of: Callable[[Layout], str] = lambda _: "",
    ) -> None:
        self.target = target
        self._commit_bytes = commit_bytes
        self._closed = False
        self._entries: list[JournalEntry] = []
        self.survey = Survey()
        """What was found about records that had no note in the journal."""
        self._totals = Totals()
        self._totals_are_known = True
        check_target(target)
        try:
            target.mkdir(parents=True, exist_ok=True)
            if overwrite:
                check_ours(target)
            self._journal = open_journal(target)
        except OSError as error:
            raise self._error("can't be opened for writing", error) from error
        try:
            if overwrite:
                self._remove_store()
            self._open_database()
        except BaseException:
            self._journal.close()
            raise
        try:
            self._reconcile(modality_of)
        except BaseException:
            self._env.close()
            self._journal.close()
            raise
        self.provenance = Provenance(target / JOURNAL_NAME, self.survey, lambda: self.totals)
        """Where the records came from."""

    def _remove_store(self) -> None:
        try:
            remove_store(self.target, self._journal)
        except OSError as error:
            raise self._error("can't be removed", error) from error

    def _open_database(self) -> None:
        path = self.target / DATA_NAME
        existing = path.stat().st_size if path.exists() else 0
        self._map_bytes = grown(existing + needed(self._commit_bytes, n_puts=0))
        try:
            if existing:
                check_length(path)
            reserve_lock(self.target)
            self._env = lmdb.open(
                os.fspath(self.target),
                map_size=self._map_bytes,
                max_dbs=0,
                metasync=False,
                # Reading ahead slows random inserts into a large store, and helps nothing else.
                readahead=False,
            )
        except (lmdb.Error, OSError, MemoryError) as error:
            if not existing:
                # On a full disk the beginning of a new file may be there: nobody could open it.
                path.unlink(missing_ok=True)
            raise self._error("can't be opened", error) from error
        try:
            # As long as this transaction is open, LMDB reuses no page of this state or of a later
            # one: see "Reading while a conversion writes" in docs/format.md.
            self._held = self._env.begin()
            self._begin()
            with self._txn.cursor() as cursor:
                self._last_key = bytes(cursor.key()) if cursor.last() else b""
            self._n_entries = int(self._env.stat()["entries"])
        except lmdb.Error as error:
            self._env.close()
            raise self._error(f"{DATA_NAME} can't be read", error) from error
        except BaseException:
            self._env.close()
            raise

    def _reconcile(self, modality_of: Callable[[Layout], str]) -> None:
        """Make the journal say what the database holds, as far as that is certain."""
        path = self.target / JOURNAL_NAME
        try:
            # From here on no crash undoes what was committed before: only the blocks that follow
            # are unsettled, however many of them bring the journal up to date.
            self._env.sync(True)  # noqa: FBT003 - positional in lmdb
            state = read_journal(path)
            taken_back = unsettled(path, state.last, self._get)
            n_noted = state.totals.n_records + sum(-1 if e.removed else 1 for e in taken_back)
            if state.gaps or n_noted != self._n_entries:
                surveyor = Surveyor(self.target, state, taken_back, self._records, modality_of)
                self.survey = surveyor.survey(must_look=n_noted != self._n_entries)
            if state.gaps and state.gaps[-1].stop > state.stop:
                self._journal.truncate(state.stop)
            self._note(taken_back)
            self._note_survey()
            changed = bool(taken_back) or self.survey.differs
            self._totals = totals_of(path) if changed else state.totals
        except (OSError, lmdb.Error) as error:
            raise self._error(f"{JOURNAL_NAME} can't be brought up to date", error) from error

    def _note_survey(self) -> None:
        """Append what a survey found, so that a kill half-way leaves something to find again."""
        survey = self.survey
        if len(survey.missing) and (len(survey.certain) or survey.n_unproven):
            # Noted in part, these might agree in number with the database, and in nothing else.
            self._note([*survey.missing.in_order(), *survey.certain.in_order()])
            return
        for entries in (survey.missing.in_order(), survey.certain.in_order()):
            while batch := list(islice(entries, _ENTRIES_AT_ONCE)):
                self._note(batch)

    def _note(self, entries: Sequence[JournalEntry]) -> None:
        """Append entries about records that are in the database already, or are not."""
        if entries:
            journal.append(self._journal, entries)
            # Otherwise a crash could lose this block and keep one that follows it.
            _sync_data(self._journal.fileno())

    def _records(self) -> Iterator[tuple[bytes, memoryview]]:
        with self._txn.cursor() as cursor:
            yield from ((bytes(key), value) for key, value in cursor)

    def _error(self, what: str, error: Exception) -> StoreError:
        return store_error(self.target, what, error)

    def _begin(self) -> None:
        n_pages = int(self._env.info()["last_pgno"]) + 1
        self._used_bytes = n_pages * int(self._env.stat()["psize"])
        self._txn: Any = self._env.begin(write=True, buffers=True)
        self._txn_bytes = self._txn_puts = 0

    @property
    def totals(self) -> Totals:
        """What the journal says of all records that are committed."""
        if not self._totals_are_known and not self._entries:
            try:
                self._totals = totals_of(self.target / JOURNAL_NAME)
            except OSError as error:
                raise self._error(f"{JOURNAL_NAME} can't be read", error) from error
            self._totals_are_known = True
        return self._totals

    @property
    def n_entries(self) -> int:
        """Records in the store, those of the open transaction included."""
        return self._n_entries

    def __contains__(self, key: bytes) -> bool:
        return self._get(key) is not None

    def holds(self, record: Record) -> bool:
        """Whether this very record is stored, byte for byte."""
        stored = self._get(record.key)
        return stored is not None and bytes(stored) == record.data

    def _get(self, key: bytes) -> memoryview | None:
        try:
            found: memoryview | None = self._txn.get(key)
        except lmdb.Error as error:
            raise self._error(f"{DATA_NAME} can't be read", error) from error
        return found

    def put(self, record: Record) -> None:
        """Add a record.

        Raises:
            StoreError: The key is there already, or the disk is full.
        """
        self._make_room(len(record.key) + len(record.data))
        # Appending fills pages to the brim; it needs keys in order and fails silently without.
        if not self._put(record, overwrite=False, append=record.key > self._last_key):
            raise StoreError(
                f"{self.target}: key {record.key.decode()} is there already",
                "This is a mistake in rico-hdl; nothing was overwritten.",
            )
        self._last_key = max(self._last_key, record.key)
        self._n_entries += 1
        self._entries.append(entry_of(record))

    def replace(self, record: Record, there: Origin) -> None:
        """Put a record in the place of one that is not certain to be right.

        The old record and the new one change places in one transaction, which is noted before, as
        any other: whatever happens, the store holds one of them, and the journal says which.

        Args:
            record: The new one.
            there: Where the old one came from.

        Raises:
            StoreError: The disk is full or gone.
        """
        self._make_room(len(record.key) + len(record.data))
        stored = self._get(record.key)
        if stored is not None:
            old = found(record.key, stored, lambda _: there.modality)
            self._entries.append(old._replace(origin=_noted(there), removed=True))
        self._put(record, overwrite=True)
        self._n_entries += stored is None
        self._last_key = max(self._last_key, record.key)
        self._note_later(record)

    def confirm(self, record: Record, there: Origin) -> None:
        """Note that a stored record is what another source holds, too: that is its origin now.

        Args:
            record: The record, byte for byte.
            there: Where it came from.

        Raises:
            StoreError: The disk is full or gone.
        """
        if len(self._entries) >= _ENTRIES_AT_ONCE:
            self.commit()
        if there != UNPROVEN or record.key in self.survey.outdated:
            self._entries.append(entry_of(record)._replace(origin=_noted(there), removed=True))
        self._note_later(record)

    def _note_later(self, record: Record) -> None:
        self._entries.append(entry_of(record))
        self.survey.outdated.discard(record.key)
        # What was noted before may differ from what was stored.
        self._totals_are_known = False

    def _make_room(self, n_bytes: int) -> None:
        """Begin another transaction or map, if a record needs one."""
        # Both limits depend on nothing but the sequence of puts: so does the file.
        if self._txn_bytes and self._txn_bytes + n_bytes > self._commit_bytes:
            self.commit()
        room = self._map_bytes - self._used_bytes
        if needed(self._txn_bytes + n_bytes, self._txn_puts + 1) > room:
            self.commit()
            self._grow(n_bytes)

    def _put(self, record: Record, **options: bool) -> bool:
        try:
            stored = bool(self._txn.put(record.key, record.data, **options))
        except lmdb.Error as error:
            raise self._error(f"record {record.key!r} can't be put", error) from error
        if stored:
            self._txn_bytes += len(record.key) + len(record.data)
            self._txn_puts += 1
        return stored

    def commit(self) -> None:
        """Put everything so far on disk: first the note of it, then the records.

        Raises:
            StoreError: The disk is full or gone; the store is as it was after the last commit.
        """
        txn, self._txn = self._txn, None
        if not self._entries:
            txn.abort()
            self._begin()
            return
        try:
            if not self._txn_puts:
                # Notes without records: no commit follows that would settle the ones before.
                self._env.sync(True)  # noqa: FBT003 - positional in lmdb
            journal.append(self._journal, self._entries)
            # Half a millisecond, so that no record outlives its note when the machine crashes.
            _sync_data(self._journal.fileno())
        except (lmdb.Error, OSError) as error:
            txn.abort()
            raise self._error("can't be written", error) from error
        try:
            txn.commit()
        except lmdb.Error as error:
            raise self._error("can't be written", error) from error
        for entry in self._entries:
            self._totals.apply(entry)
        self._entries = []
        self._begin()

    def sync(self) -> None:
        """Make everything that was committed survive a crash of the machine.

        Raises:
            StoreError: The disk is full or gone.
        """
        try:
            self._env.sync(True)  # noqa: FBT003 - positional in lmdb
            os.fsync(self._journal.fileno())
        except (lmdb.Error, OSError) as error:
            raise self._error("can't be written", error) from error

    def _grow(self, n_bytes: int) -> None:
        self._txn.abort()
        n_bytes = max(n_bytes, self._commit_bytes)
        self._map_bytes = grown(self._used_bytes + needed(n_bytes, n_puts=1))
        try:
            self._env.set_mapsize(self._map_bytes)
        except (lmdb.Error, MemoryError) as error:
            message = f"can't map {self._map_bytes} bytes of address space"
            raise self._error(message, error) from error
        # The binding ends all transactions with the old map. From here on, LMDB may reuse the pages
        # of earlier states, and none of this one or of those to come.
        self._held = self._env.begin()
        self._begin()

    def close(self) -> None:
        """Commit, flush to disk, and close; calling it twice is harmless.

        Raises:
            StoreError: The disk is full or gone; the store is as it was after the last commit.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self._txn is not None:
                self.commit()
                self._txn.abort()
            self.sync()
        finally:
            self._env.close()
            self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _noted(there: Origin) -> Origin:
    """An origin as the journal has it."""
    return Origin(there.modality, UNKNOWN) if there == UNPROVEN else there
