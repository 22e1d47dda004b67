"""Bringing journal and database together after whatever happened.

In: an open database and its journal. Out: entries to append, so that the journal says what the
database holds. Usually there are none. After a kill the last transaction may have been noted but
not committed; a store of the original rico-hdl has no journal at all.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from rico_hdl import digest
from rico_hdl.errors import RecordError
from rico_hdl.patch import Layout, Origin
from rico_hdl.record import is_constant, parse
from rico_hdl.store.journal import N_UNSETTLED, Block, Entry, NewestEntries, blocks
from rico_hdl.store.totals import Totals

UNKNOWN = ""
"""The location of records that were found in the database, from nobody knows where."""


def read_journal(path: Path) -> tuple[Totals, int, list[Block]]:
    """What a journal says: its totals, where its last whole block ends, and its last blocks.

    Raises:
        OSError: It can't be read.
    """
    totals, stop = Totals(), 0
    last: deque[Block] = deque(maxlen=N_UNSETTLED)
    for block in blocks(path):
        for entry in block.entries:
            totals.apply(entry)
        stop = block.stop
        last.append(block)
    return totals, stop, list(last)


def lost_at_the_end(last: list[Block], is_there: Callable[[bytes], bool]) -> list[Entry]:
    """Entries of transactions that were noted, and then not committed.

    Args:
        last: The journal's last blocks.
        is_there: Whether the database holds a key. A transaction is there as a whole or not at all,
            so that its first key tells.
    """
    lost: list[Entry] = []
    for block in reversed(last):
        first = block.entries[0]
        if first.removed or is_there(first.key):
            break
        lost += [entry._replace(removed=True) for entry in block.entries]
    return lost


def differences(
    path: Path, records: Iterator[tuple[bytes, memoryview]], modality_of: Callable[[Layout], str]
) -> Iterator[Entry]:
    """Entries for records that the journal does not know, and removals of those that are gone.

    Args:
        path: The journal.
        records: All keys and values of the database, sorted by key.
        modality_of: The modality of a layout, empty where it is none of the dataset's.
    """
    noted = iter(NewestEntries(path))
    entry = next(noted, None)
    for key, value in records:
        while entry is not None and entry.key < key:
            yield entry._replace(removed=True)
            entry = next(noted, None)
        if entry is not None and entry.key == key:
            entry = next(noted, None)
        else:
            yield found(bytes(key), value, modality_of)
    while entry is not None:
        yield entry._replace(removed=True)
        entry = next(noted, None)


def found(key: bytes, value: memoryview, modality_of: Callable[[Layout], str]) -> Entry:
    """The entry of a record that is in the database, as it is there."""
    try:
        bands = parse(value)
    except RecordError:
        bands = []
    layout: Layout = tuple(sorted((band.name, band.dtype, band.shape) for band in bands))
    constant = bool(bands) and all(
        is_constant(value[band.start : band.stop], math.prod(band.shape)) for band in bands
    )
    origin = Origin(modality_of(layout), UNKNOWN)
    return Entry(key, digest.record_digest(key, value), len(value), origin, layout, constant)
