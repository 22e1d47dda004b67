"""Proving one state of a store, record by record.

In: a `Snapshot`. Out: findings, added to a `Verification`. The structure of the file is checked
first. If it is intact, LMDB's library and the page reader of `rico_hdl.open` must find each key in
the same place and list the same keys. If it isn't, only the page reader continues, since the
library can crash or hang. The bytes of each record are read once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from rico_hdl.checking.findings import Finding, Kind, Verification
from rico_hdl.errors import RecordError, StoreError
from rico_hdl.observer import Observer
from rico_hdl.record import parse
from rico_hdl.spec import DatasetSpec
from rico_hdl.store import (
    JOURNAL_NAME,
    JournalEntry,
    NewestEntries,
    RecordView,
    Snapshot,
    Structure,
    digest,
    unsettled,
)
from rico_hdl.values import Layout

_BATCH_BYTES: Final = 4 * 2**20
_MAX_BATCH: Final = 1024
_N_AHEAD: Final = 4  # batches for each worker

Look = Callable[[bytes], RecordView | None]
"""Finds the record of a key. Raises a StoreError if two readers disagree or one refuses."""


class Proof:
    """One pass over a store.

    Args:
        snapshot: The store.
        spec: The spec of its dataset, if known.
        result: Receives findings and counts.
        observer: Receives progress.
        with_lmdb: Whether LMDB's library reads the file, too.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        spec: DatasetSpec | None,
        result: Verification,
        observer: Observer,
        *,
        with_lmdb: bool = True,
    ) -> None:
        self.journal_findings: list[Finding] = []
        """What is wrong with the journal itself."""
        self._snapshot = snapshot
        self._structure = Structure(snapshot.pages)
        self._is_sound = True
        self._with_lmdb = with_lmdb
        self._spec = spec
        self._result = result
        self._observer = observer
        self._digest = 0

    def run(self, n_workers: int) -> None:
        """Read and compare everything.

        Raises:
            StoreError: The journal can't be read.
        """
        path = self._snapshot.target / JOURNAL_NAME
        n_entries = self._snapshot.pages.n_entries
        self._observer.on_start(n_entries)
        self._structure.check()
        self._is_sound = self._structure.is_sound
        if self._is_sound:
            self._snapshot.pages.prepare()
        try:
            noted = NewestEntries(path, self._snapshot.n_journal_bytes)
            self._set_aside_unfinished(noted)
        except OSError as error:
            raise StoreError(f"{path} can't be read: {error.strerror}") from error
        if not noted.last and not self._structure.follows_the_older_state:
            # With a journal, missing records would show it, and a failed write is not damage.
            self._damaged_structure("its meta pages are not from two consecutive commits")
        n_found = self._check_noted(noted, n_workers)
        n_listed = self._list()
        n_extra = self._check_others(noted) if n_found != n_listed or not self._is_sound else 0
        if self._is_sound:
            self._structure.finish()
            if not n_found + n_extra == n_listed == n_entries:
                self._damaged_structure(
                    f"its meta page says {n_entries} records, but {n_listed} are listed and "
                    f"{n_found + n_extra} are found by their keys"
                )
        for problem in self._structure.problems:
            self._damaged_structure(problem)
        self._judge_journal(noted, n_extra)
        self._result.content_digest = digest.to_text(self._digest)

    def _set_aside_unfinished(self, noted: NewestEntries) -> None:
        """Take back the notes of a conversion that were not committed.

        The database holds the state before them: no record, or an earlier one.
        """
        if self._result.is_complete:
            return
        with self._lookups() as look:

            def value(key: bytes) -> memoryview | None:
                with suppress(StoreError):
                    found = look(key)
                    return found and found[1]
                return memoryview(b"")  # it exists; a later check finds what is wrong with it

            path, n_bytes = self._snapshot.target / JOURNAL_NAME, self._snapshot.n_journal_bytes
            taken_back = unsettled(path, noted.last, value, n_bytes)
        noted.add(taken_back)
        self._result.n_unfinished = len({entry.key for entry in taken_back})

    @contextmanager
    def _lookups(self) -> Iterator[Look]:
        """A function that looks up keys in one thread, by every reader that is safe to use."""
        if not self._asks_lmdb():
            yield self._snapshot.search
            return
        with self._snapshot.lookups() as look:
            yield look

    def _asks_lmdb(self) -> bool:
        """Whether LMDB's library, which trusts everything in the file, can read it without risk.

        A conversion that is writing may reuse pages that the library reads. The page reader notices
        that, and finds the same records as the library in a file with an intact structure.
        """
        snapshot = self._snapshot
        return (
            self._is_sound
            and self._with_lmdb
            and not snapshot.is_being_written
            and snapshot.is_certain
        )

    def _check_noted(self, noted: NewestEntries, n_workers: int) -> int:
        """Check all records with a note in the journal; returns how many are in the store."""
        n_found = 0
        pending: deque[Future[_Checked]] = deque()
        with ThreadPoolExecutor(n_workers, "rico-hdl-verify") as pool:
            try:
                for batch in _batches(noted):
                    if len(pending) > _N_AHEAD * n_workers:
                        n_found += self._take(pending.popleft().result())
                    pending.append(pool.submit(self._check_batch, batch))
                while pending:
                    n_found += self._take(pending.popleft().result())
            finally:
                for future in pending:
                    future.cancel()
        return n_found

    def _check_batch(self, batch: Sequence[JournalEntry]) -> _Checked:
        """Compare records with their notes. Runs in a worker thread."""
        checked = _Checked()
        with self._lookups() as look:
            for entry in batch:
                self._check_record(look, entry, checked)
        return checked

    def _check_record(self, look: Look, entry: JournalEntry, checked: _Checked) -> None:
        key = entry.key
        try:
            found = look(key)
        except StoreError as error:
            checked.find("damaged", key, error.message)
            checked.n_refused += 1
            return
        if found is None:
            checked.find("missing", key, "the record was written, but is gone")
            return
        checked.n_records += 1
        checked.n_constant += entry.constant
        place, value, head = found
        if self._is_sound:
            run = self._structure.run_of(place, head)
            if isinstance(run, str):
                checked.find("damaged", key, run)
            elif run is not None:
                checked.add_run(key, run)
        # The length first: a damaged one may reach beyond the end of the file.
        if len(value) != entry.n_bytes:
            reason = f"it has {len(value)} bytes, but {entry.n_bytes} were written"
            checked.find("damaged", key, reason)
            return
        checked.n_bytes += len(value)
        there = digest.record_digest(key, value)
        checked.digest = digest.add(checked.digest, there)
        if there != entry.digest:
            noted = f"but was {entry.digest:032x} when it was written"
            checked.find("damaged", key, f"its digest is {there:032x}, {noted}")
            return
        # The digest holds, so the layout is the noted one. Each layout is checked once per batch.
        n, first = checked.layouts.get(entry.layout, (0, key))
        checked.layouts[entry.layout] = (n + 1, first)

    def _take(self, checked: _Checked) -> int:
        """Add the results of a batch; returns how many of its keys are in the store."""
        self._digest = digest.add(self._digest, checked.digest)
        self._result.n_records += checked.n_records
        self._result.n_bytes += checked.n_bytes
        self._result.n_constant += checked.n_constant
        self._result.findings += checked.findings
        for key, begin, end in checked.runs:
            self._take_run(key, (begin, end - begin))
        for layout, (n, first) in checked.layouts.items():
            if reason := self._unexpected(layout):
                more = f" (and {n - 1} more like it)" if n > 1 else ""
                self._find("unexpected", first, reason + more)
        self._observer.on_records(checked.n_records, checked.n_bytes)
        return checked.n_records + checked.n_refused

    def _take_run(self, key: bytes, run: tuple[int, int]) -> None:
        """Note that a run of overflow pages belongs to this record and perhaps its successors."""
        if not self._structure.take(*run):
            reason = f"one of {run[1]} overflow pages from page {run[0]} on is also used elsewhere"
            self._find("damaged", key, reason)

    def _list(self) -> int:
        """List all keys with both readers, which must agree; returns the number of keys."""
        n = 0
        if not self._asks_lmdb():
            with suppress(StoreError):
                n = sum(len(entries) for entries in self._snapshot.pages.leaves())
            return n
        try:
            # A cursor that stops halfway must be closed before the file is.
            with closing(self._snapshot.keys()) as listed:
                for entries in self._snapshot.pages.leaves():
                    ours = [key for key, _ in entries]
                    if [*islice(listed, len(ours))] != ours:
                        self._find("damaged", ours[0], "readers list different keys from here on")
                        break
                    # Lookups before used the index; this one uses the tree.
                    if self._snapshot.pages.search(ours[-1]) != entries[-1][1]:
                        self._find("damaged", ours[-1], "the tree leads to a different place")
                    n += len(ours)
                else:
                    n += sum(1 for _ in listed)
        except StoreError as error:
            self._damaged_structure(error.message)
        return n

    def _check_others(self, noted: NewestEntries) -> int:
        """Check the records without a note in the journal; returns how many there are."""
        n_extra = 0
        known = iter(noted)
        entry = next(known, None)
        # If notes are lost, a record without one need not be extra.
        has_journal = entry is not None and not noted.gaps
        # If listing ends early, the damage to the structure is already reported.
        with suppress(StoreError), self._lookups() as look:
            for key, _ in self._snapshot.pages.walk():
                while entry is not None and entry.key < key:
                    entry = next(known, None)
                if entry is None or entry.key != key:
                    n_extra += self._check_extra(look, key, has_journal=has_journal)
        return n_extra

    def _check_extra(self, look: Look, key: bytes, *, has_journal: bool) -> bool:
        """Check a record without a note in the journal; returns whether it is in the store."""
        try:
            found = look(key)
        except StoreError as error:
            self._find("damaged", key, error.message)
            return True
        if found is None:
            self._find("damaged", key, "the key is listed, but can't be found")
            return False
        place, value, head = found
        self._result.n_records += 1
        self._result.n_bytes += len(value)
        self._digest = digest.add(self._digest, digest.record_digest(key, value))
        self._observer.on_records(1, len(value))
        run = self._structure.run_of(place, head) if self._is_sound else None
        if isinstance(run, str):
            self._find("damaged", key, run)
        elif run is not None:
            self._take_run(key, run)
        if has_journal:
            self._find("extra", key, "the record was not written by rico-hdl, or is damaged")
            return True
        self._result.n_unproven += 1
        self._check_form(key, value)
        return True

    def _check_form(self, key: bytes, value: memoryview) -> None:
        """Check that a record without a note is one, with the bands of the dataset."""
        try:
            key.decode()
        except UnicodeDecodeError:
            self._find("damaged", key, f"its key {key!r} is not UTF-8")
        try:
            layout = tuple(sorted((t.name, t.dtype, t.shape) for t in parse(value)))
        except RecordError as error:
            self._find("damaged", key, error.message)
            return
        if reason := self._unexpected(layout):
            self._find("unexpected", key, reason)

    def _unexpected(self, layout: Layout) -> str:
        """How a layout differs from the dataset's spec; empty if it doesn't."""
        flat = [f"{name} has shape {shape}" for name, _, shape in layout if len(shape) != 2]
        if flat:
            return f"expected two-dimensional bands, but {', '.join(flat)}"
        if self._spec is None:
            return ""
        names = {name for name, _, _ in layout}
        found = [m.dtype for m in self._spec.modalities if names == set(m.band_names)]
        if not found:
            return f"its bands fit no modality of {self._spec.name}: {', '.join(sorted(names))}"
        dtypes = sorted({dtype for _, dtype, _ in layout})
        if None in found or dtypes in [[dtype] for dtype in found]:
            return ""
        return f"its bands are {', '.join(dtypes)}, expected {' or '.join(map(str, found))}"

    def _judge_journal(self, noted: NewestEntries, n_without: int) -> None:
        """Report damage of the journal, unless every record has its note all the same.

        A block that a kill cut short at the end says nothing about the records in the store.
        """
        cut = noted.stop < self._snapshot.n_journal_bytes and self._result.is_complete
        if noted.gaps and (n_without or self._result.findings or cut):
            reason = f"{JOURNAL_NAME} is damaged or cut short at byte {noted.gaps[0].start}"
            if n_without:
                reason += f": {n_without} records have lost the notes that proved them"
            self._find("damaged", b"", reason)
            self.journal_findings = self._result.findings[-1:]

    def _damaged_structure(self, reason: str) -> None:
        self._find("damaged", b"", f"the structure of data.mdb: {reason}")

    def _find(self, kind: Kind, key: bytes, reason: str) -> None:
        self._result.findings.append(Finding(kind, key.decode(errors="replace"), reason))


@dataclass
class _Checked:
    """The results of one batch."""

    digest: int = 0
    n_records: int = 0
    n_refused: int = 0
    """Keys whose lookup failed with an error; they count as being in the store."""
    n_bytes: int = 0
    n_constant: int = 0
    findings: list[Finding] = field(default_factory=list)
    runs: list[tuple[bytes, int, int]] = field(default_factory=list)
    """Overflow pages of records: the first key, the first page, and the one after the last."""
    layouts: dict[Layout, tuple[int, bytes]] = field(default_factory=dict)
    """How often each layout occurs, and the first key that has it."""

    def add_run(self, key: bytes, run: tuple[int, int]) -> None:
        """Add the overflow pages of a record; they often follow those of the previous one."""
        first, n = run
        if self.runs and self.runs[-1][2] == first:
            before = self.runs[-1]
            self.runs[-1] = (before[0], before[1], first + n)
        else:
            self.runs.append((key, first, first + n))

    def find(self, kind: Kind, key: bytes, reason: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(kind, key.decode(errors="replace"), reason))


def _batches(noted: NewestEntries) -> Iterator[list[JournalEntry]]:
    """The entries in groups of about `_BATCH_BYTES` of records."""
    batch: list[JournalEntry] = []
    n_bytes = 0
    for entry in noted:
        batch.append(entry)
        n_bytes += entry.n_bytes
        if n_bytes >= _BATCH_BYTES or len(batch) >= _MAX_BATCH:
            yield batch
            batch, n_bytes = [], 0
    if batch:
        yield batch
