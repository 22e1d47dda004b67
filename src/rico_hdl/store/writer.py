"""Writing a store: ordered puts, bounded transactions, a map that grows, a journal that knows.

In: records. Out: ``data.mdb``, the same file byte for byte for the same sequence of puts, and a
note of each record in ``rico-hdl.journal``. It never overwrites a record, and holds no more than
one transaction in memory.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any, Final, Self

import lmdb

from rico_hdl.errors import StoreError
from rico_hdl.patch import Layout, Origin, Record
from rico_hdl.store import journal
from rico_hdl.store.journal import JOURNAL_NAME, Entry, NewestEntries
from rico_hdl.store.locking import try_lock
from rico_hdl.store.manifest import MANIFEST_NAME
from rico_hdl.store.reconciling import (
    UNKNOWN,
    differences,
    found,
    lost_at_the_end,
    read_journal,
)

DATA_NAME: Final = "data.mdb"
LOCK_NAME: Final = "lock.mdb"

COMMIT_BYTES: Final = 32 * 2**20
"""Values in one transaction. LMDB keeps its pages in memory until the commit, so this bounds
memory and what a kill can undo; larger ones were not faster (a commit ends with one fsync)."""

_SIGNS_OF_NO_SPACE: Final = [
    os.strerror(getattr(errno, name))
    for name in ("ENOSPC", "EDQUOT", "EIO", "EFBIG")
    if hasattr(errno, name)  # Windows has no quotas of this kind
]
_FIRST_MAP_BYTES: Final = 256 * 2**20
_PAGE_BYTES: Final = 16384  # at least that of the platforms with wheels; most have 4096
_LOCK_BYTES: Final = 8192  # LMDB's lock file for its default of 126 readers
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
            ``data.mdb`` can't be opened, or there is one to overwrite that is not known to be ours.
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
        self._entries: list[Entry] = []
        self.n_adopted = 0
        """Records that were in the database, and that the journal did not know until now."""
        self._create_folder()
        if overwrite:
            self._check_ours()
        self._journal = self._open_journal()
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

    def _create_folder(self) -> None:
        check_target(self.target)
        try:
            self.target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._error("can't be created", error) from error

    def _open_journal(self) -> FileIO:
        """Open the journal, and be the only one who writes here until it is closed."""
        path = self.target / JOURNAL_NAME
        try:
            file = path.open("a+b", buffering=0)
        except OSError as error:
            raise self._error(f"{JOURNAL_NAME} can't be opened", error) from error
        if not try_lock(file):
            file.close()
            raise _busy(self.target)
        return file

    def _check_ours(self) -> None:
        """Find out whether the store may be removed, before the journal is opened and thus made."""
        path, note = self.target / DATA_NAME, self.target / JOURNAL_NAME
        ours = (note.exists() and note.stat().st_size) or (self.target / MANIFEST_NAME).exists()
        if path.exists() and not ours:
            raise StoreError(
                f"{path} was not written by this rico-hdl: it is not overwritten",
                "Choose another --target-dir, or remove the file yourself.",
            )

    def _remove_store(self) -> None:
        try:
            # The journal last: as long as there is one, the rest is known to be ours.
            for name in (MANIFEST_NAME, DATA_NAME, LOCK_NAME):
                (self.target / name).unlink(missing_ok=True)
            self._journal.truncate(0)
        except OSError as error:
            raise self._error("can't be removed", error) from error

    def _open_database(self) -> None:
        path = self.target / DATA_NAME
        existing = path.stat().st_size if path.exists() else 0
        self._map_bytes = _grown(existing + _needed(self._commit_bytes, n_puts=0))
        try:
            _reserve(self.target / LOCK_NAME)
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
            # one: see "Reading while a conversion writes" in docs/format.md. Nothing is read
            # through it, so the map may be replaced meanwhile.
            self._held = self._env.begin()
            self._begin()
            # Beyond its end LMDB would read from the map, and the system would end the process.
            check_length(path, self._used_bytes)
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
        """Make the journal say what the database holds."""
        path = self.target / JOURNAL_NAME
        try:
            self.totals, stop, last = read_journal(path)
            self._journal.truncate(stop)
            self._note(lost_at_the_end(last, self.__contains__))
            if self.totals.n_records != self._n_entries:
                self._note(differences(path, self._records(), modality_of))
        except (OSError, lmdb.Error) as error:
            raise self._error(f"{JOURNAL_NAME} can't be brought up to date", error) from error

    def _note(self, entries: Iterable[Entry]) -> None:
        """Append entries about records that are in the database already, or are not."""
        batch: list[Entry] = []
        for entry in entries:
            batch.append(entry)
            if len(batch) == _ENTRIES_AT_ONCE:
                journal.append(self._journal, batch)
                batch.clear()
            self.totals.apply(entry)
            self.n_adopted += not entry.removed
        if batch:
            journal.append(self._journal, batch)

    def _records(self) -> Iterator[tuple[bytes, memoryview]]:
        with self._txn.cursor() as cursor:
            yield from ((bytes(key), value) for key, value in cursor)

    def _error(self, what: str, error: Exception) -> StoreError:
        """What went wrong with the target, in terms of what the user can do."""
        # LMDB reports a write that was cut short, as the last one on a disk that fills, as EIO.
        if any(sign in str(error) for sign in _SIGNS_OF_NO_SPACE):
            hint = (
                "The disk is full, a quota or limit is reached, or the disk fails. What was stored "
                "is safe. Free some space and run the same command again: it continues."
            )
        elif isinstance(error, lmdb.InvalidError | lmdb.CorruptedError | lmdb.VersionMismatchError):
            hint = "It is no LMDB that can be read here, or damaged. Choose another --target-dir."
        else:
            hint = "Check that the folder can be written, and that its disk is there."
        reason = getattr(error, "strerror", None) or str(error).removeprefix(f"{self.target}: ")
        return StoreError(f"{self.target}: {what}: {reason}", hint)

    def _begin(self) -> None:
        n_pages = int(self._env.info()["last_pgno"]) + 1
        self._used_bytes = n_pages * int(self._env.stat()["psize"])
        self._txn: Any = self._env.begin(write=True, buffers=True)
        self._txn_bytes = self._txn_puts = 0

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

    def origins_other_than(self, origins: Collection[Origin]) -> Iterator[tuple[bytes, Origin]]:
        """Keys that are known to have come from somewhere else, with where, sorted by key.

        Args:
            origins: What does not count as elsewhere.
        """
        places = {
            Origin(name, location)
            for name, part in self.totals.modalities.items()
            for location in part.locations
            if location != UNKNOWN
        }
        if places <= set(origins):
            return
        for entry in NewestEntries(self.target / JOURNAL_NAME):
            if entry.origin.location != UNKNOWN and entry.origin not in origins:
                yield entry.key, entry.origin

    def put(self, record: Record) -> None:
        """Add a record.

        Raises:
            StoreError: The key is there already, or the disk is full.
        """
        key, value = record.key, record.data
        n_bytes = len(key) + len(value)
        # Both limits depend on nothing but the sequence of puts: so does the file.
        if self._txn_bytes and self._txn_bytes + n_bytes > self._commit_bytes:
            self.commit()
        room = self._map_bytes - self._used_bytes
        if _needed(self._txn_bytes + n_bytes, self._txn_puts + 1) > room:
            self.commit()
            self._grow(n_bytes)
        try:
            # Appending fills pages to the brim; it needs keys in order and fails silently without.
            stored = self._txn.put(key, value, overwrite=False, append=key > self._last_key)
        except lmdb.Error as error:
            raise self._error(f"record {key!r} can't be put", error) from error
        if not stored:
            raise StoreError(
                f"{self.target}: key {key.decode()} is there already",
                "This is a mistake in rico-hdl; nothing was overwritten.",
            )
        self._last_key = max(self._last_key, key)
        self._txn_bytes += n_bytes
        self._txn_puts += 1
        self._n_entries += 1
        self._entries.append(
            Entry(key, record.digest, len(value), record.origin, record.layout, record.constant)
        )

    def remove(self, key: bytes, origin: Origin) -> None:
        """Take a record away that is known to be wrong.

        Args:
            key: Its key.
            origin: Where the journal says that it came from.

        Raises:
            StoreError: The disk is full or gone; the record is still there.
        """
        self.commit()
        stored = self._get(key)
        if stored is None:
            return
        entry = found(key, stored, lambda _: origin.modality)._replace(origin=origin, removed=True)
        try:
            # Should the note of it be lost, it is made up for when the store is opened again.
            self._txn.delete(key)
            self._txn.commit()
            journal.append(self._journal, [entry])
        except (lmdb.Error, OSError) as error:
            raise self._error(f"record {key!r} can't be removed", error) from error
        self.totals.apply(entry)
        self._n_entries -= 1
        self._begin()

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
            journal.append(self._journal, self._entries)
            # Half a millisecond, so that no record outlives its note when the machine crashes.
            _sync_data(self._journal.fileno())
        except OSError as error:
            txn.abort()
            raise self._error("can't be written", error) from error
        try:
            txn.commit()
        except lmdb.Error as error:
            raise self._error("can't be written", error) from error
        for entry in self._entries:
            self.totals.apply(entry)
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
        self._map_bytes = _grown(self._used_bytes + _needed(n_bytes, n_puts=1))
        try:
            self._env.set_mapsize(self._map_bytes)
        except (lmdb.Error, MemoryError) as error:
            message = f"can't map {self._map_bytes} bytes of address space"
            raise self._error(message, error) from error
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


def check_target(folder: Path) -> None:
    """Find out before a long plan whether a target can be written to. It changes nothing.

    Raises:
        StoreError: It is a file or lies below one, or may not be written.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        what = "is a file" if there == folder else f"can't be made: {there} is a file"
        raise StoreError(f"{folder} {what}, expected a folder", "Choose another --target-dir.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise StoreError(
            f"{folder} can't be written: no permission in {there}, or its disk is read-only",
            "Choose another --target-dir, or change the permissions.",
        )
    path = folder / JOURNAL_NAME
    if path.exists() and os.access(path, os.R_OK | os.W_OK):
        # Who plans for minutes should not learn only then that somebody else is writing. Open for
        # writing, though nothing is written: NFS gives an exclusive lock to writers alone.
        with path.open("r+b", buffering=0) as file:
            if not try_lock(file):
                raise _busy(folder)


def check_length(path: Path, n_bytes: int) -> None:
    """Find out whether an LMDB was cut short.

    Raises:
        StoreError: The file is much shorter than what it says it uses.
    """
    # A few pages at the end may never have been written, if they were freed before the commit.
    if path.stat().st_size + 16 * _PAGE_BYTES < n_bytes:
        raise StoreError(
            f"{path} is cut short: it has {path.stat().st_size} bytes, and says it has {n_bytes}",
            "Restore it from a copy, or begin anew with --overwrite.",
        )


def _busy(folder: Path) -> StoreError:
    return StoreError(
        f"{folder}: another conversion is writing there",
        "Wait until it is done, or choose another --target-dir.",
    )


def _reserve(path: Path) -> None:
    """Give LMDB's lock file its space on the disk.

    LMDB makes it as a hole and writes to it through a map: on a full disk that ends the process.

    Raises:
        OSError: There is no space.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.posix_fallocate(file, 0, _LOCK_BYTES)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
    finally:
        os.close(file)


def _needed(n_bytes: int, n_puts: int) -> int:
    """Address space that surely takes so many puts of so many bytes together.

    A value larger than half a page gets whole pages, at worst twice its size; an insert out of
    order copies or splits a leaf; the rest is for branches and the list of free pages.
    """
    return 2 * n_bytes + 2 * n_puts * _PAGE_BYTES + 128 * _PAGE_BYTES


def _grown(n_bytes: int) -> int:
    """A map size that holds so many bytes, in steps of a quarter that bound the remappings."""
    size = _FIRST_MAP_BYTES
    while size < n_bytes:
        size += max(_FIRST_MAP_BYTES, size // 4 // _FIRST_MAP_BYTES * _FIRST_MAP_BYTES)
    return size
