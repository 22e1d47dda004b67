"""Appending to the side-car ``rico-hdl.georef``: see `rico_hdl.store.georef`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from rico_hdl.decoding.geotags import KeptTags
from rico_hdl.store.faults import store_error
from rico_hdl.store.georef import GEOREF_NAME, NO_TIME, GeorefBlock, append, scan
from rico_hdl.store.journal import JOURNAL_NAME
from rico_hdl.store.target import open_georef, open_journal
from rico_hdl.system.hashes import HashSet
from rico_hdl.values import Record

MAX_PENDING_BYTES: Final = 8 * 2**20
"""Tags that wait for the end of their transaction, in bytes. More are written before it: an entry
without a record does no harm."""


@contextmanager
def writers_locked_out(folder: Path) -> Iterator[None]:
    """Keep conversions from writing to a store while the context lasts; its journal stays as it is.

    Raises:
        StoreError: A conversion is writing there, or the journal can't be opened.
    """
    path = folder / JOURNAL_NAME
    if not path.exists():  # as in stores of the original: a conversion opens the side-car, too
        yield
        return
    try:
        journal = open_journal(folder)
    except OSError as error:
        raise store_error(folder, f"{JOURNAL_NAME} can't be opened", error) from error
    with closing(journal):
        yield


def known_keys(folder: Path) -> HashSet:
    """The hashes of the keys that the side-car has entries of."""
    found = HashSet()
    for part in scan(folder):
        if isinstance(part, GeorefBlock):
            for key in part.keys:
                found.add(hash(key))
    return found


class GeorefWriter:
    """Appends to the side-car of a store, which is created when there is something to write.

    Args:
        folder: The store. If it has a side-car, that is opened at once, so that no other process
            writes to it.

    Raises:
        StoreError: The side-car can't be opened, or another process writes to it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: FileIO | None = None
        self._entries: list[tuple[bytes, KeptTags, int]] = []
        self._n_pending_bytes = 0
        self._is_synced = True
        if (folder / GEOREF_NAME).exists():
            self._file = self._opened()

    def _opened(self) -> FileIO:
        try:
            return open_georef(self._folder)
        except OSError as error:
            raise store_error(self._folder, f"{GEOREF_NAME} can't be opened", error) from error

    def note(self, record: Record) -> None:
        """Note what the files of a record's patch say.

        Raises:
            StoreError: The disk is full or gone, or another process writes to the file.
        """
        if record.tags is not None:
            self.note_tags(record.key, record.tags, record.time)

    def note_tags(self, key: bytes, tags: KeptTags, time: int | None) -> None:
        """Note what the files of a patch say.

        Args:
            key: Its key.
            tags: The tags of its files.
            time: See `Record.time`.

        Raises:
            StoreError: The disk is full or gone, or another process writes to the file.
        """
        # Half the time of a GeorefEntry.
        self._entries.append((key, tags, NO_TIME if time is None else time))
        self._n_pending_bytes += tags.n_new_bytes + len(tags.places)
        if self._n_pending_bytes > MAX_PENDING_BYTES:
            self._append()

    def write(self) -> None:
        """Write everything that was noted to disk.

        Raises:
            StoreError: The disk is full or gone, or another process writes to the file.
        """
        if self._entries:
            self._append()
        if self._file is None or self._is_synced:
            return
        try:
            getattr(os, "fdatasync", os.fsync)(self._file.fileno())
        except OSError as error:
            raise store_error(self._folder, f"{GEOREF_NAME} can't be written", error) from error
        self._is_synced = True

    def _append(self) -> None:
        if self._file is None:
            self._file = self._opened()
        try:
            append(self._file, self._entries)
        except OSError as error:
            raise store_error(self._folder, f"{GEOREF_NAME} can't be written", error) from error
        self._entries = []
        self._n_pending_bytes = 0
        self._is_synced = False

    def close(self) -> None:
        """Close the file; calling it twice is harmless."""
        if self._file is not None:
            self._file.close()
