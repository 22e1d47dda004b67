"""Writing an LMDB: ordered puts, bounded transactions, a map that grows.

In: keys and values. Out: ``data.mdb``, the same file byte for byte for the same sequence of puts.
It never overwrites a record, and holds no more than one transaction in memory.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

import lmdb

from rico_hdl.errors import StoreError

DATA_NAME: Final = "data.mdb"

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


class StoreWriter:
    """An LMDB open for writing. A context manager: leaving it commits, also after an error.

    The data of each commit is on disk before the pointer to it is written (``metasync=False``): a
    killed process loses what was put since the last commit, a crash of the machine at most the last
    commit besides, and in both cases the file stays whole.

    Args:
        target: The folder; it is created with its parents.
        commit_bytes: Bytes of keys and values after which a transaction ends.

    Raises:
        StoreError: The folder can't be created or written, or its ``data.mdb`` can't be opened.
    """

    def __init__(self, target: Path, *, commit_bytes: int = COMMIT_BYTES) -> None:
        self.target = target
        self._commit_bytes = commit_bytes
        self._closed = False
        self._create_folder()
        path = target / DATA_NAME
        existing = path.stat().st_size if path.exists() else 0
        self._map_bytes = _grown(existing + _needed(commit_bytes, n_puts=0))
        try:
            self._env = lmdb.open(
                os.fspath(target),
                map_size=self._map_bytes,
                max_dbs=0,
                metasync=False,
                # Reading ahead slows random inserts into a large store, and helps nothing else.
                readahead=False,
            )
        except (lmdb.Error, OSError, MemoryError) as error:
            raise self._error("can't be opened", error) from error
        with self._env.begin(buffers=True) as txn, txn.cursor() as cursor:
            self._last_key = bytes(cursor.key()) if cursor.last() else b""
        self._n_entries = int(self._env.stat()["entries"])
        self._begin()

    def _create_folder(self) -> None:
        check_target(self.target)
        try:
            self.target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._error("can't be created", error) from error

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

    @property
    def last_transaction(self) -> int:
        """LMDB's number of the last committed transaction."""
        return int(self._env.info()["last_txnid"])

    def __contains__(self, key: bytes) -> bool:
        return self._txn.get(key) is not None

    def put(self, key: bytes, value: bytes) -> bool:
        """Add a record.

        Args:
            key: At most 511 bytes.
            value: The record.

        Returns:
            Whether a transaction ended before the record was put: all earlier ones are on disk.

        Raises:
            StoreError: The key is there already, or the disk is full.
        """
        n_bytes = len(key) + len(value)
        committed = False
        # Both limits depend on nothing but the sequence of puts: so does the file.
        if self._txn_bytes and self._txn_bytes + n_bytes > self._commit_bytes:
            self.commit()
            committed = True
        room = self._map_bytes - self._used_bytes
        if _needed(self._txn_bytes + n_bytes, self._txn_puts + 1) > room:
            self.commit()
            committed = True
            self._grow(n_bytes)
        try:
            # Appending fills pages to the brim; it needs keys in order and fails silently without.
            stored = self._txn.put(key, value, overwrite=False, append=key > self._last_key)
        except lmdb.Error as error:
            raise self._error(f"record {key!r} can't be put", error) from error
        if not stored:
            raise StoreError(
                f"{self.target}: key {key.decode()} is there already",
                "A mistake in rico-hdl, or two conversions at once; nothing was overwritten.",
            )
        self._last_key = max(self._last_key, key)
        self._txn_bytes += n_bytes
        self._txn_puts += 1
        self._n_entries += 1
        return committed

    def commit(self) -> None:
        """Put everything so far on disk.

        Raises:
            StoreError: The disk is full or gone; the store is as it was after the last commit.
        """
        txn, self._txn = self._txn, None
        try:
            if self._txn_bytes:
                txn.commit()
            else:
                txn.abort()
        except lmdb.Error as error:
            raise self._error("can't be written", error) from error
        self._begin()

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

    def records(self) -> Iterator[tuple[bytes, memoryview]]:
        """All keys and values, sorted; a value is valid until the next one is asked for."""
        with self._txn.cursor() as cursor:
            yield from cursor

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
            self._env.sync(True)  # noqa: FBT003 - positional in lmdb
        except lmdb.Error as error:
            raise self._error("can't be written", error) from error
        finally:
            self._env.close()

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
            f"{folder} can't be written: no permission in {there}",
            "Choose another --target-dir, or change the permissions.",
        )


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
