"""Bringing the journal in line with the database after a crash.

In: an open database and its journal. Out: entries to append to make the journal agree with the
database; usually none. After a kill or a power loss, the last transactions may have been noted but
not committed. A store of the original rico-hdl has no journal at all. Records are compared by their
digests: neither their presence nor their number shows which state they are in.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rico_hdl.errors import RecordError
from rico_hdl.record import is_constant, parse
from rico_hdl.store import digest
from rico_hdl.store.blocks import Gap
from rico_hdl.store.history import UNKNOWN, NewestEntries, with_origin
from rico_hdl.store.journal import N_UNSETTLED, JournalBlock, JournalEntry, blocks, scan
from rico_hdl.store.totals import Totals
from rico_hdl.values import Layout, Origin, Record

_MANY_KEYS: Final = 100_000  # keys with removals; above this, sorting all entries takes less memory


@dataclass
class JournalState:
    """The state of a journal as a whole."""

    totals: Totals = field(default_factory=Totals)
    """Totals over the newest entry of each key."""
    stop: int = 0
    """Zero-based offset just past its last intact block."""
    last: list[JournalBlock] = field(default_factory=list)
    """Its last blocks, whose transactions may have been lost."""
    gaps: list[Gap] = field(default_factory=list)
    """Ranges of bytes that are not an intact block."""

    @property
    def is_damaged(self) -> bool:
        """Whether notes were lost in a way that no kill explains."""
        return any(not gap.torn for gap in self.gaps)


def read_journal(path: Path) -> JournalState:
    """Read a journal.

    Raises:
        OSError: It can't be read.
    """
    state = JournalState()
    last: deque[JournalBlock] = deque(maxlen=N_UNSETTLED)
    removed: set[bytes] = set()
    for part in scan(path):
        if isinstance(part, Gap):
            state.gaps.append(part)
            continue
        for entry in part.entries:
            state.totals.apply(entry)
            if entry.removed:
                removed.add(entry.key)
        state.stop = part.stop
        last.append(part)
    state.last = list(last)
    if removed:
        state.totals = _totals(path, removed)
    return state


def totals_of(path: Path) -> Totals:
    """The totals of a journal.

    Raises:
        OSError: It can't be read.
    """
    return read_journal(path).totals


def _totals(path: Path, changed: Collection[bytes]) -> Totals:
    """The totals of a journal with several entries for some keys, of which the newest counts.

    A sum over all entries would be right only if each removal matched the put before it. It doesn't
    if the note of the put was lost, or if the record was damaged when it was replaced.
    """
    totals = Totals()
    if len(changed) > _MANY_KEYS:
        for entry in NewestEntries(path):
            totals.apply(entry)
        return totals
    histories: dict[bytes, list[JournalEntry]] = {}
    for block in blocks(path):
        for entry in block.entries:
            if entry.key in changed:
                histories.setdefault(entry.key, []).append(entry)
            else:
                totals.apply(entry)
    for entries in histories.values():
        if not entries[-1].removed:
            totals.apply(with_origin(entries[-1], entries))
    return totals


def unsettled(
    path: Path,
    last: Sequence[JournalBlock],
    get: Callable[[bytes], memoryview | None],
    n_bytes: int | None = None,
) -> list[JournalEntry]:
    """Entries that take back notes at the end of a journal that were not committed.

    A transaction is noted before it is committed, and a crash of the machine can undo the last
    commit. So the database may hold the record that a key had before the last notes. If an earlier
    entry notes exactly these bytes, it is noted again, with its origin.

    Args:
        path: The journal.
        last: Its last blocks.
        get: Returns the record of a key in the database, or None.
        n_bytes: Length up to which the journal is read; None for all of it.

    Returns:
        For each key, a removal of its newest entry (unless that is a removal) and the entry that
        counts again, if there is one. With these entries, the journal agrees with the database. A
        damaged record keeps its entry.

    Raises:
        OSError: The journal can't be read.
    """
    newest = {entry.key: entry for block in last for entry in block.entries}
    taken_back: list[JournalEntry] = []
    digests: dict[bytes, tuple[int, int]] = {}  # of records that differ from their last notes
    for key, entry in newest.items():
        value = get(key)
        if value is None:
            if not entry.removed:
                taken_back.append(entry._replace(removed=True))
            continue
        found_there = digest.record_digest(key, value), len(value)
        if entry.removed or found_there != (entry.digest, entry.n_bytes):
            digests[key] = found_there
    if digests:
        for key, history in _histories(path, digests, n_bytes).items():
            taken_back += _restored(history, digests[key])
    return taken_back


def _histories(
    path: Path, keys: Collection[bytes], n_bytes: int | None
) -> dict[bytes, list[JournalEntry]]:
    """All entries of some keys, the oldest first."""
    histories: dict[bytes, list[JournalEntry]] = {key: [] for key in keys}
    for block in blocks(path, n_bytes):
        for entry in block.entries:
            if entry.key in histories:
                histories[entry.key].append(entry)
    return histories


def _restored(history: Sequence[JournalEntry], there: tuple[int, int]) -> list[JournalEntry]:
    """Entries that make an earlier state of a record count again; none if it never had that state.

    Args:
        history: All entries of its key, the oldest first.
        there: Digest and length of the record in the database.
    """
    *before, newest = history
    back = [] if newest.removed else [newest._replace(removed=True)]
    removal = None  # the position of the newest removal of these bytes
    for i, entry in reversed(list(enumerate(before))):
        if (entry.digest, entry.n_bytes) != there:
            continue
        if not entry.removed:
            return [*back, with_origin(entry, history)]
        removal = i if removal is None else removal
    if newest.removed or removal is None:
        return []
    # These bytes were replaced but never noted as put: they were damaged, or had no note.
    earlier = before[removal - 1] if removal else None
    return back if earlier is None or earlier.removed else [*back, earlier]


def entry_of(record: Record) -> JournalEntry:
    """The entry for a record that is being put."""
    return JournalEntry(
        record.key,
        record.digest,
        len(record.data),
        record.origin,
        record.layout,
        record.constant,
    )


def found(
    key: bytes, value: memoryview, modality_of: Callable[[bytes, Layout], str]
) -> JournalEntry:
    """The entry for a record as it is in the database."""
    try:
        bands = parse(value)
    except RecordError:
        bands = []
    layout: Layout = tuple(sorted((band.name, band.dtype, band.shape) for band in bands))
    constant = bool(bands) and all(
        is_constant(value[band.start : band.stop], math.prod(band.shape)) for band in bands
    )
    origin = Origin(modality_of(key, layout), UNKNOWN)
    return JournalEntry(key, digest.record_digest(key, value), len(value), origin, layout, constant)
