"""Appending to the side-car ``rico-hdl.georef``: see `rico_hdl.store.georef`."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from typing import Final

from rico_hdl.store.faults import store_error
from rico_hdl.store.georef import GEOREF_NAME, NO_TIME, GeorefEntry, append
from rico_hdl.store.target import open_georef
from rico_hdl.values import Record

MAX_PENDING_BYTES: Final = 8 * 2**20
"""Tags that wait for the end of their transaction, in bytes. More are written before it: an entry
without a record does no harm."""


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
        self._entries: list[GeorefEntry] = []
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
        """Note what the files of a patch say.

        Raises:
            StoreError: The disk is full or gone, or another process writes to the file.
        """
        tags = record.tags
        if tags is None:
            return
        self._entries.append(
            GeorefEntry(record.key, tags, NO_TIME if record.time is None else record.time)
        )
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
