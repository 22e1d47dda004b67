"""The entries of a journal, sorted by key, in little memory.

In: entries in the order in which they were noted. Out: for each key, in the order of keys, all its
entries or the newest one. It opens only the journal and writes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

from rico_hdl.store.blocks import Gap
from rico_hdl.store.journal import N_UNSETTLED, JournalBlock, JournalEntry, scan
from rico_hdl.system.sorting import CompactSorted
from rico_hdl.values import Layout, Origin

UNKNOWN: Final = ""
"""The location of records that were found in the database and whose source is unknown."""

_Packed = tuple[bytes, int, int, int, int, int, bool, bool]
# key, order of writing, digest, bytes, places of origin and layout, constant, removed


class History:
    """Entries, sorted by key."""

    def __init__(self, entries: Iterable[JournalEntry] = ()) -> None:
        self._sorted: CompactSorted[_Packed] = CompactSorted()
        self._origins: dict[Origin, int] = {}
        self._layouts: dict[Layout, int] = {}
        self.add(entries)

    def __len__(self) -> int:
        """The number of entries, older ones of the same key included."""
        return len(self._sorted)

    def add(self, entries: Iterable[JournalEntry]) -> None:
        """Add entries that are newer than all previous ones."""
        for key, digest, n_bytes, origin, layout, constant, removed in entries:
            places = (
                self._origins.setdefault(origin, len(self._origins)),
                self._layouts.setdefault(layout, len(self._layouts)),
            )
            item = (key, len(self._sorted), digest, n_bytes, *places, constant, removed)
            self._sorted.add(item)

    def by_key(self) -> Iterator[tuple[bytes, list[JournalEntry]]]:
        """Each key and all its entries, the oldest first, sorted by key."""
        unpacked = self._unpacker()
        for key, group in self._groups():
            yield key, [unpacked(packed) for packed in group]

    def in_order(self) -> Iterator[JournalEntry]:
        """All entries, sorted by key, then by age."""
        for _, entries in self.by_key():
            yield from entries

    def __iter__(self) -> Iterator[JournalEntry]:
        """The newest entry of each key whose record is in the store, sorted by key.

        An entry of unknown origin gets the origin of another entry with the same bytes.
        """
        unpacked = self._unpacker()
        for _, group in self._groups():
            newest = group[-1]
            if newest[7]:
                continue
            entry = unpacked(newest)
            if len(group) > 1 and entry.origin.location == UNKNOWN:
                entry = with_origin(entry, [unpacked(packed) for packed in group])
            yield entry

    def _groups(self) -> Iterator[tuple[bytes, list[_Packed]]]:
        for key, group in groupby(self._sorted, key=itemgetter(0)):
            yield key, list(group)

    def _unpacker(self) -> Callable[[_Packed], JournalEntry]:
        origins, layouts = list(self._origins), list(self._layouts)

        def unpacked(packed: _Packed) -> JournalEntry:
            key, _, digest, n_bytes, origin, layout, constant, removed = packed
            return JournalEntry(
                key, digest, n_bytes, origins[origin], layouts[layout], constant, removed
            )

        return unpacked


class NewestEntries(History):
    """The entries of a journal; iteration gives the newest one of each key.

    Args:
        path: The journal.
        n_bytes: Length up to which the journal is read; None for all of it.

    Raises:
        OSError: It can't be read.
    """

    def __init__(self, path: Path, n_bytes: int | None = None) -> None:
        super().__init__()
        self.stop = 0
        """Zero-based offset just past the last intact block."""
        self.gaps: list[Gap] = []
        """Ranges of bytes that are not an intact block, in the order of the file."""
        last: deque[JournalBlock] = deque(maxlen=N_UNSETTLED)
        for part in scan(path, n_bytes):
            if isinstance(part, Gap):
                self.gaps.append(part)
                continue
            self.add(part.entries)
            self.stop = part.stop
            last.append(part)
        self.last = list(last)
        """The last blocks, whose transactions may have been lost."""


def with_origin(entry: JournalEntry, history: Iterable[JournalEntry]) -> JournalEntry:
    """An entry of unknown origin, with the origin of the newest other entry for the same bytes."""
    for other in reversed(list(history)):
        same = (other.digest, other.n_bytes) == (entry.digest, entry.n_bytes)
        if same and other.origin.location != UNKNOWN:
            return entry._replace(origin=other.origin)
    return entry
