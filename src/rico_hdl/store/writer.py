"""Writing a store: ordered puts, bounded transactions, a growing map, and a note of every record.

In: records. Out: ``data.mdb``, byte for byte the same file for the same sequence of puts, and a
note of each record in ``rico-hdl.journal``. Only `StoreWriter.replace` overwrites a record. At most
one transaction is held in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

import lmdb

from rico_hdl.errors import RicoError, StoreError
from rico_hdl.store import journal
from rico_hdl.store.faults import store_error
from rico_hdl.store.georef_writer import GeorefWriter
from rico_hdl.store.growth import grown, needed
from rico_hdl.store.journal import JOURNAL_NAME, JournalEntry
from rico_hdl.store.length import check_length
from rico_hdl.store.provenance import UNPROVEN, Provenance, noted
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
"""Bytes of values in one transaction. LMDB keeps its pages in memory until the commit, so this
bounds the memory and the loss after a kill. Larger transactions were not faster (a commit ends with
one fsync)."""

_sync_data: Final = getattr(os, "fdatasync", os.fsync)  # macOS and Windows have only the latter
_ENTRIES_AT_ONCE: Final = 10_000  # noted together while a journal is brought up to date


class StoreWriter:
    """A store open for writing. A context manager: leaving it commits, even after an error.

    The data of each commit is on disk before the pointer to it is written (``metasync=False``). A
    killed process loses the records put since the last commit; a crash of the machine loses at most
    the last commit in addition. In both cases the file stays intact.

    Args:
        target: The folder; it is created with its parents.
        commit_bytes: Bytes of keys and values after which a transaction ends.
        overwrite: Start from scratch: remove the store that rico-hdl wrote there before.
        modality_of: Returns the modality of a layout, empty if it has none. Used for records
            without a note in the journal, such as those of the original rico-hdl.

    Raises:
        LimitError: The system refuses memory or address space.
        StoreError: The folder can't be written, another conversion is writing there, ``data.mdb``
            can't be opened, is not known to be rico-hdl's, or has changed since it was complete.
    """

    def __init__(
        self,
        target: Path,
        *,
        commit_bytes: int = COMMIT_BYTES,
        overwrite: bool = False,
        modality_of: Callable[[bytes, Layout], str] = lambda *_: "",
    ) -> None:
        self.target = target
        self._commit_bytes = commit_bytes
        self._closed = False
        self._entries: list[JournalEntry] = []
        self.survey = Survey()
        """The findings about records that had no note in the journal."""
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
            self._georef = GeorefWriter(target)
        except BaseException:
            self._env.close()
            self._journal.close()
            raise
        self.provenance = Provenance(target / JOURNAL_NAME, self.survey, lambda: self.totals)
        """The origins of the records."""

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
                os.fsencode(self.target),
                map_size=self._map_bytes,
                max_dbs=0,
                metasync=False,
                # Reading ahead slows random inserts into a large store, and helps nothing else.
                readahead=False,
            )
        except (lmdb.Error, OSError, MemoryError) as error:
            if not existing:
                # A full disk may leave the beginning of a new file, which can't be opened.
                path.unlink(missing_ok=True)
            raise self._error("can't be opened", error) from error
        try:
            # While this transaction is open, LMDB reuses no page of this state or a later one; see
            # "Reading while a conversion writes" in docs/format.md.
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

    def _reconcile(self, modality_of: Callable[[bytes, Layout], str]) -> None:
        """Make the journal agree with the database, as far as it is certain."""
        path = self.target / JOURNAL_NAME
        try:
            # From here on, no crash undoes an earlier commit: only blocks appended later are
            # unsettled, however many of them it takes to bring the journal up to date.
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
        """Append the entries of a survey so that, after a kill halfway, another finds the rest."""
        survey = self.survey
        if len(survey.missing) and (len(survey.certain) or survey.n_unproven):
            # In one block: if only some were noted, the journal might agree with the database in
            # the number of records and in nothing else.
            self._note([*survey.missing.in_order(), *survey.certain.in_order()])
            return
        for entries in (survey.missing.in_order(), survey.certain.in_order()):
            while batch := list(islice(entries, _ENTRIES_AT_ONCE)):
                self._note(batch)

    def _note(self, entries: Sequence[JournalEntry]) -> None:
        """Append entries about the current state of the database, and sync the journal."""
        if entries:
            journal.append(self._journal, entries)
            # Otherwise a crash could lose this block but keep a later one.
            _sync_data(self._journal.fileno())

    def _records(self) -> Iterator[tuple[bytes, memoryview]]:
        with self._txn.cursor() as cursor:
            yield from ((bytes(key), value) for key, value in cursor)

    def _error(self, what: str, error: Exception) -> RicoError:
        return store_error(self.target, what, error)

    def _begin(self) -> None:
        n_pages = int(self._env.info()["last_pgno"]) + 1
        self._used_bytes = n_pages * int(self._env.stat()["psize"])
        self._txn: Any = self._env.begin(write=True, buffers=True)
        self._txn_bytes = self._txn_puts = 0

    @property
    def totals(self) -> Totals:
        """The journal's totals over all committed records."""
        if not self._totals_are_known and not self._entries:
            try:
                self._totals = totals_of(self.target / JOURNAL_NAME)
            except OSError as error:
                raise self._error(f"{JOURNAL_NAME} can't be read", error) from error
            self._totals_are_known = True
        return self._totals

    @property
    def n_entries(self) -> int:
        """The number of records in the store, including those of the open transaction."""
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
            StoreError: The store already has the key, or the disk is full.
        """
        self._make_room(len(record.key) + len(record.data))
        # Appending fills pages completely; it needs keys in order and fails silently otherwise.
        if not self._put(record, overwrite=False, append=record.key > self._last_key):
            raise StoreError(
                f"{self.target} already has key {record.key.decode()}",
                "This is a bug in rico-hdl; nothing was overwritten. Please report it.",
            )
        self._last_key = max(self._last_key, record.key)
        self._n_entries += 1
        self._entries.append(entry_of(record))
        self._georef.note(record)

    def replace(self, record: Record, there: Origin) -> None:
        """Replace a record that is not certain to be right.

        One transaction, noted before it is committed like any other, removes the old record and
        puts the new one. Whatever happens, the store holds one of them, and the journal says which.

        Args:
            record: The new record.
            there: The origin of the old one.

        Raises:
            StoreError: The disk is full or gone.
        """
        self._make_room(len(record.key) + len(record.data))
        stored = self._get(record.key)
        if stored is not None:
            old = found(record.key, stored, lambda *_: there.modality)
            self._entries.append(old._replace(origin=noted(there), removed=True))
        self._put(record, overwrite=True)
        self._n_entries += stored is None
        self._last_key = max(self._last_key, record.key)
        self._note_later(record)

    def confirm(self, record: Record, there: Origin) -> None:
        """Note that another source has a stored record, too, and make that source its origin.

        Args:
            record: The record, byte for byte, with its new origin.
            there: Its previous origin.

        Raises:
            StoreError: The disk is full or gone.
        """
        if len(self._entries) >= _ENTRIES_AT_ONCE:
            self.commit()
        if there != UNPROVEN or record.key in self.survey.outdated:
            self._entries.append(entry_of(record)._replace(origin=noted(there), removed=True))
        self._note_later(record)

    def _note_later(self, record: Record) -> None:
        self._entries.append(entry_of(record))
        self._georef.note(record)
        self.survey.outdated.discard(record.key)
        # Earlier notes may differ from the stored record.
        self._totals_are_known = False

    def _make_room(self, n_bytes: int) -> None:
        """Begin another transaction or map if a record needs one."""
        # Both limits depend only on the sequence of puts, and so does the file.
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
        """Write everything so far to disk: first the notes, then the records.

        Raises:
            StoreError: The disk is full or gone; the store has the state of the last commit.
        """
        txn, self._txn = self._txn, None
        if not self._entries:
            txn.abort()
            self._begin()
            return
        try:
            if not self._txn_puts:
                # Notes without records: no commit will follow that settles the previous ones.
                self._env.sync(True)  # noqa: FBT003 - positional in lmdb
            self._georef.write()
            journal.append(self._journal, self._entries)
            # Takes half a millisecond, and no record can outlive its note when the machine crashes.
            _sync_data(self._journal.fileno())
        except (lmdb.Error, OSError, RicoError) as error:
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
        """Make sure that all commits survive a crash of the machine.

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
        # The binding ends all transactions with the old map. From here on, LMDB may reuse pages of
        # earlier states, but none of this state or a later one.
        self._held = self._env.begin()
        self._begin()

    def close(self) -> None:
        """Commit, flush to disk, and close; calling it twice is harmless.

        Raises:
            StoreError: The disk is full or gone; the store has the state of the last commit.
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
            self._georef.close()
            self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
