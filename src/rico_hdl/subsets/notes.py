"""The journal's notes of a store's records, in the order of their keys.

In: a store. Out: the note of each requested record. Records without a note, such as those of the
original rico-hdl, are examined instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rico_hdl.errors import StoreError
from rico_hdl.reading import Store
from rico_hdl.store import JOURNAL_NAME, JournalEntry, NewestEntries
from rico_hdl.store.description import modality_namer
from rico_hdl.store.digest import record_digest
from rico_hdl.store.reconciling import found


class Notes:
    """The notes of a store. Keys must be requested in ascending order of their bytes.

    Args:
        store: The store.

    Raises:
        StoreError: The journal can't be read.
    """

    def __init__(self, store: Store) -> None:
        self._path = store.path
        self._namer = modality_namer(store.spec)
        path = Path(store.path) / JOURNAL_NAME
        try:
            self._entries: Iterator[JournalEntry] = iter(NewestEntries(path))
        except OSError as error:
            raise StoreError(f"{path}: can't be read: {error.strerror}") from error
        self._next = next(self._entries, None)

    def of(self, key: bytes, data: bytes) -> JournalEntry:
        """The note of a record.

        Args:
            key: Its key.
            data: Its bytes, which are compared with the note.

        Raises:
            StoreError: The record is not the one that was noted.
        """
        while self._next is not None and self._next.key < key:
            self._next = next(self._entries, None)
        if self._next is None or self._next.key != key:
            return found(key, memoryview(data), self._namer)
        if len(data) != self._next.n_bytes or record_digest(key, data) != self._next.digest:
            raise StoreError(
                f"{self._path}: record {key.decode(errors='replace')!r} differs from the digest "
                "that was noted when it was written",
                "Check the store with rico-hdl verify.",
            )
        return self._next
