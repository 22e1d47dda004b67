"""What readers need of a store, whether it is one ``data.mdb`` or several.

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
    """Those of some records that are in one file."""

    rows: Sequence[int]
    """Zero-based position of each among the keys that were given."""
    file: File
    """Where they are."""
    places: Offsets
    """Start and stop of each in the file, of shape (n, 2)."""


class Records(Protocol):
    """The records of a store, for any number of readers.

    Safe for threads and forks. It can be pickled, and opens its files once in each process, on
    first use. ``len()`` and ``in`` look at the newest committed state.
    """

    ahead: ReadAhead
    """Whether reading waits for a disk."""

    @property
    def path(self) -> Path:
        """The folder, absolute; for messages, too."""
        ...

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        ...

    @property
    def catalogue(self) -> Catalogue:
        """What the records are together: dataset, modalities, bands, usual sizes."""
        ...

    def close(self) -> None:
        """Let go of the files, as soon as no reader uses them any more."""
        ...

    def __len__(self) -> int: ...

    def __contains__(self, key: str) -> bool: ...

    def keys(self) -> Keys:
        """All keys, sorted.

        Raises:
            StoreError: It was closed, is damaged, or is written to faster than it is read.
        """
        ...

    def locate(self, keys: Sequence[str]) -> Keys:
        """Some keys with where their records are, in the order in which they are given.

        Raises:
            UnknownKeyError: There is no record for a key.
            StoreError: It was closed, or is damaged.
        """
        ...

    def place(self, key: str) -> tuple[File, int, int]:
        """The file of a record, and where it starts and stops there: not yet a certain answer.

        What is copied from there counts only if the file is `File.certain` afterwards; otherwise,
        ask `settled`. It exists because `settled` costs a single patch too much.

        Raises:
            UnknownKeyError: There is no record for the key.
            StoreError: It was closed, or is damaged.
        """
        ...

    def settled(self, keys: Sequence[str], read: Callable[[Sequence[Located]], T]) -> T:
        """What a function reads from the records of some keys, each in a committed state.

        Args:
            keys: The keys.
            read: Called, possibly several times, until its result is certain; what it raises before
                that is ignored.

        Raises:
            UnknownKeyError: There is no record for a key.
            StoreError: It was closed, is damaged, or is written to faster than it is read.
        """
        ...

    def layout(self, file: File, start: int, stop: int, key: str) -> RecordLayout:
        """How the record at a place of a file is laid out.

        Raises:
            StoreError: It is no record.
        """
        ...

    def layouts(self, keys: Keys) -> Iterator[RecordLayout]:
        """How the records of some keys are laid out.

        Raises:
            StoreError: One of them is no record.
        """
        ...
