"""The protocol through which readers use a store, whether it is one ``data.mdb`` or several.

`Store`, `PatchReader` and `rico_hdl.torch` read through `Records` alone. `MappedRecords` implements
it for one target folder. A collection of shards implements it by handing out one `Located` for each
shard that has some of the wanted records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from rico_hdl.reading.catalogue import Catalogue
from rico_hdl.reading.file import File
from rico_hdl.reading.keys import Keys, Offsets
from rico_hdl.reading.layouts import RecordLayout
from rico_hdl.reading.readahead import ReadAhead

T = TypeVar("T")


class Located(NamedTuple):
    """The records of a request that are in one file."""

    rows: Sequence[int]
    """Zero-based position of each among the given keys."""
    file: File
    """The file that holds them."""
    places: Offsets
    """Start and stop of each in the file, of shape (n, 2)."""

    def record(self, i: int) -> memoryview:
        """The bytes of the record at a zero-based position of `places`."""
        start, stop = self.places[i].tolist()
        return memoryview(self.file.data)[start:stop]


class Records(Protocol):
    """The records of a store, for any number of readers.

    Safe for threads and forks. It can be pickled, and opens its files once in each process, on
    first use. ``len()`` and ``in`` use the newest committed state.
    """

    ahead: ReadAhead
    """Whether reading waits for a disk."""

    @property
    def path(self) -> Path:
        """The absolute path of the folder, also for messages."""
        ...

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        ...

    @property
    def catalogue(self) -> Catalogue:
        """The dataset, its modalities, their bands and usual sizes."""
        ...

    def close(self) -> None:
        """Release the files as soon as no reader uses them any more."""
        ...

    def __len__(self) -> int: ...

    def __contains__(self, key: str) -> bool: ...

    def keys(self) -> Keys:
        """All keys, sorted.

        Raises:
            StoreError: It is closed, damaged, or written to faster than it is read.
        """
        ...

    def walk(self) -> Iterator[str]:
        """All keys, sorted, without holding them in memory.

        A key that is not UTF-8 has surrogates (PEP 383), with which its record is found, too.

        Raises:
            StoreError: It was closed, is damaged, or is written to faster than it is read.
        """
        ...

    def locate(self, keys: Sequence[str]) -> Keys:
        """The given keys, in that order, together with the places of their records.

        Raises:
            UnknownKeyError: There is no record for a key.
            StoreError: It is closed or damaged.
        """
        ...

    def place(self, key: str) -> tuple[File, int, int]:
        """The file of a record, and its start and stop there; they may be out of date.

        Bytes copied from there are valid only if the file is `File.certain` afterwards; otherwise,
        call `settled`. This method exists because `settled` is too slow for a single patch.

        Raises:
            UnknownKeyError: There is no record for the key.
            StoreError: It is closed or damaged.
        """
        ...

    def settled(self, keys: Sequence[str], read: Callable[[Sequence[Located]], T]) -> T:
        """The result of a function that reads records, each of them in a committed state.

        Args:
            keys: The keys of the records.
            read: Called, possibly several times, until its result is certain; exceptions that it
                raises before that are ignored.

        Raises:
            UnknownKeyError: There is no record for a key.
            StoreError: It is closed, damaged, or written to faster than it is read.
        """
        ...

    def layout(self, file: File, start: int, stop: int, key: str) -> RecordLayout:
        """The layout of the record at a place of a file.

        Raises:
            StoreError: The bytes there are not a record.
        """
        ...

    def layouts(self, keys: Keys) -> Iterator[RecordLayout]:
        """The layouts of the records of some keys.

        Raises:
            StoreError: The bytes of one of them are not a record.
        """
        ...
