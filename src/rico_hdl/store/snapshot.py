"""A store after one commit, as each reader sees it, with the journal and manifest of that state.

In: a target folder, possibly while a conversion writes to it. Out: ``data.mdb`` in one committed
state, opened both by LMDB's library and by the page reader; the manifest and the length of the
journal that belong to that state. It takes no lock and writes nothing.

A conversion replaces the manifest before its first commit and appends a block to the journal before
each commit. So they belong together if manifest, journal and newest transaction are the same before
and after opening the file: every record then has its note within that length of the journal, and
only notes at its end can lack their records.
"""

from __future__ import annotations

import ctypes
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from time import sleep
from typing import Any, Final, Self

import lmdb

from rico_hdl.errors import LimitError, RicoError, StoreError
from rico_hdl.store.faults import is_limit
from rico_hdl.store.journal import JOURNAL_NAME
from rico_hdl.store.length import check_length
from rico_hdl.store.lmdb_format import PAGE_HEADER
from rico_hdl.store.locking import is_locked
from rico_hdl.store.manifest import MANIFEST_NAME, Manifest
from rico_hdl.store.pages import Pages
from rico_hdl.store.target import DATA_NAME
from rico_hdl.store.tree import Place

_N_TRIES: Final = 200
_PAUSE_SECONDS: Final = 0.005
"""Between two tries to find a moment without a commit; a commit takes about as long."""

_N_SAMPLES: Final = 9
"""Records whose majority decides where LMDB's library has mapped the file."""


RecordView = tuple[Place, memoryview, bytes]
"""A record as a reader found it: its place in the file, a view of its bytes there, and the
`HEADER_BYTES` before it."""

HEADER_BYTES: Final = PAGE_HEADER.size
"""The number of bytes before a record that a `RecordView` includes: for a record in overflow pages,
their header."""


class Snapshot:
    """A store in one committed state. A context manager; may be used from several threads.

    Args:
        target: The folder that holds ``data.mdb``.
        n_threads: How many threads may look up keys at the same time.

    Raises:
        StoreError: There is no store, a reader refuses it, or it is being written to faster than it
            can be opened.
    """

    def __init__(self, target: Path, n_threads: int) -> None:
        self.target = target
        journal = target / JOURNAL_NAME
        self.is_being_written = is_locked(journal)
        """Whether a conversion was writing to it when it was opened."""
        error: RicoError = StoreError(
            f"{target} is being written to faster than it can be opened, in {_N_TRIES} attempts",
            "Wait until the conversion is done, then try again.",
        )
        for _ in range(_N_TRIES):
            before = _marks(target)
            try:
                self._open(n_threads + 1)
            except (StoreError, OSError, MemoryError, lmdb.Error) as reason:
                error = _refused(target, reason)
                self.is_being_written |= is_locked(journal)
                if not self.is_being_written:
                    raise error from reason
            else:
                if before == _marks(target) and self._is_one_state():
                    break
                self.close()
            sleep(_PAUSE_SECONDS)
        else:
            raise error
        self.is_being_written |= is_locked(journal)
        self.n_journal_bytes = before[1][1] if before[1] else 0
        """The length of the journal."""
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for transaction in self._transactions:
            self._idle.put(transaction)
        self._base: int | None = None

    def _open(self, n: int) -> None:
        """Open the file with both readers, and begin LMDB's transactions."""
        self.pages = Pages(self.target)
        """The file as `rico_hdl.open` reads it."""
        check_length(self.target / DATA_NAME)
        self.manifest = Manifest.read(self.target)
        """The manifest; None if there is none."""
        self._transactions: list[Any] = []
        self._env = lmdb.open(
            os.fsencode(self.target), readonly=True, lock=False, create=False, max_dbs=0
        )
        try:
            self._transactions += [self._env.begin(buffers=True) for _ in range(n)]
        except BaseException:
            self.close()
            raise

    def _is_one_state(self) -> bool:
        """Whether all of LMDB's transactions see the state that the page reader sees."""
        ids = {transaction.id() for transaction in self._transactions}
        if ids == {self.pages.state.transaction}:
            return True
        if not self.is_being_written and self.pages.current and len(ids) == 1:
            raise StoreError(
                f"{self.target / DATA_NAME} is damaged: rico_hdl.open reads its state after "
                f"transaction {self.pages.state.transaction}, LMDB's library after {ids.pop()}",
                "Restore it from a copy, or convert again with --overwrite.",
            )
        return False

    @property
    def is_certain(self) -> bool:
        """Whether everything read so far belongs to this state: no page of it was reused."""
        return self.pages.certain

    @property
    def is_intact(self) -> bool:
        """Whether the journal is still at least as long as it was in this state."""
        mark, now = _mark(self.target / JOURNAL_NAME), self.n_journal_bytes
        return mark[1] >= now if mark else not now

    @contextmanager
    def lookups(self) -> Iterator[Callable[[bytes], RecordView | None]]:
        """A function for one thread that looks up a key with both readers.

        LMDB's library trusts the file, so use this only if its structure is intact. The function
        raises a StoreError if a reader finds damage or if the readers disagree.
        """
        if self._base is None:
            self._base = self._mapped_at()
        base, transaction, find = self._base, self._idle.get(), self.pages.find
        address_of, string_at = _Addresses().of, ctypes.string_at

        def look(key: bytes) -> RecordView | None:
            place = find(key)  # first: it refuses places past the file's end
            try:
                value = transaction.get(key)
            except lmdb.Error as error:
                raise _damaged(error) from error
            if value is None:
                if place is None:
                    return None
                raise _disagreement(None, place)
            address = address_of(value)
            there = (address - base, address - base + len(value))
            if there != place:
                raise _disagreement(there, place)
            # From this map, whose page is already in memory; the other map would cost a fault.
            return there, value, string_at(address - HEADER_BYTES, HEADER_BYTES)

        try:
            yield look
        finally:
            self._idle.put(transaction)

    def keys(self) -> Generator[bytes, None, None]:
        """All keys, in the order in which LMDB's library lists them.

        Raises:
            StoreError: The library finds that the file is damaged.
        """
        transaction = self._idle.get()
        try:
            with transaction.cursor() as cursor:
                yield from map(bytes, cursor.iternext(keys=True, values=False))
        except lmdb.Error as error:
            raise _damaged(error) from error
        finally:
            self._idle.put(transaction)

    def search(self, key: bytes) -> RecordView | None:
        """Like the function of `lookups`, but with the page reader alone, which trusts nothing."""
        place = self.pages.search(key)
        if place is None:
            return None
        data = self.pages.data
        return place, memoryview(data)[slice(*place)], data[place[0] - HEADER_BYTES : place[0]]

    def _mapped_at(self) -> int:
        """The address of the file's first byte in the map of LMDB's library."""
        transaction = self._idle.get()
        address_of = _Addresses().of
        found: Counter[int] = Counter()
        try:
            for key, (start, _) in self.pages.sample(_N_SAMPLES):
                value = transaction.get(key)
                if value is not None:
                    found[address_of(value) - start] += 1
        except lmdb.Error as error:
            raise _damaged(error) from error
        finally:
            self._idle.put(transaction)
        return found.most_common(1)[0][0] if found else 0

    def close(self) -> None:
        """Close the file; views into it must no longer be used."""
        for transaction in self._transactions:
            transaction.abort()
        self._env.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_Mark = tuple[int, int] | None


def _marks(target: Path) -> tuple[_Mark, _Mark, _Mark]:
    """Marks that differ if a commit or a new manifest has come in between."""
    manifest = _mark(target / MANIFEST_NAME)  # replaced as a whole, so a new one is another file
    data = _mark(target / DATA_NAME)
    return manifest, _mark(target / JOURNAL_NAME), data and (data[0], 0)


def _mark(path: Path) -> _Mark:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size


def _refused(target: Path, error: Exception) -> RicoError:
    if isinstance(error, StoreError):
        return error
    if is_limit(error):
        return LimitError(f"{target / DATA_NAME} can't be mapped")
    reason = str(error).removeprefix(f"{target}: ")
    return StoreError(
        f"{target}: {DATA_NAME} can't be read: {reason}",
        "If it is damaged, restore it from a copy, or convert again with --overwrite.",
    )


def _disagreement(by_lmdb: Place | None, by_pages: Place | None) -> StoreError:
    return StoreError(
        f"readers disagree about its place in {DATA_NAME}: bytes {by_lmdb} for LMDB's library, "
        f"{by_pages} for rico_hdl.open"
    )


def _damaged(error: lmdb.Error) -> StoreError:
    return StoreError(f"{DATA_NAME} has a damaged structure: {error}")


class _PyBuffer(ctypes.Structure):
    """Python's Py_buffer (PEP 3118)."""

    _fields_ = (
        ("address", ctypes.c_void_p),
        ("object", ctypes.py_object),
        ("n_bytes", ctypes.c_ssize_t),
        ("item_bytes", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("n_dimensions", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_get_buffer = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = [ctypes.py_object, ctypes.c_void_p, ctypes.c_int]
_release_buffer = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = [ctypes.c_void_p]


class _Addresses:
    """The memory addresses of views. For use by one thread.

    NumPy can give them, too, but takes twice the time for each record, and 0.1 s for its import,
    which verifying does not need otherwise.
    """

    def __init__(self) -> None:
        self._buffer = _PyBuffer()
        self._at = ctypes.addressof(self._buffer)

    def of(self, view: memoryview) -> int:
        """The address of a view's first byte."""
        _get_buffer(view, self._at, 0)
        address: int | None = self._buffer.address
        _release_buffer(self._at)
        return address or 0
