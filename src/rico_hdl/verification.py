"""Proving that a store holds what was written.

In: a target folder. Out: a `Verification`: every record that is missing, extra, damaged or not what
its dataset's spec says. Each record is read once, hashed, and compared with the digest that was
noted in the journal before it was committed. It writes nothing.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from rico_hdl import digest
from rico_hdl.datasets import registry
from rico_hdl.errors import RecordError, StoreError
from rico_hdl.patch import Layout
from rico_hdl.processors import checked_workers
from rico_hdl.record import parse
from rico_hdl.spec import DatasetSpec
from rico_hdl.store import (
    JOURNAL_NAME,
    Entry,
    Manifest,
    NewestEntries,
    StoreReader,
    unsettled,
)

Kind = Literal["missing", "extra", "damaged", "unexpected"]

_BATCH_BYTES: Final = 4 * 2**20
_MAX_BATCH: Final = 1024
_N_AHEAD: Final = 4  # batches for each worker


class VerificationObserver(Protocol):
    """What is told about a verification while it runs; all calls come from the calling thread."""

    def on_start(self, n_records: int) -> None:
        """The records to read are known."""

    def on_records(self, n_records: int, n_bytes: int) -> None:
        """Records were read."""


class SilentVerificationObserver:
    """Ignores everything."""

    def on_start(self, n_records: int) -> None:
        """See `VerificationObserver`."""

    def on_records(self, n_records: int, n_bytes: int) -> None:
        """See `VerificationObserver`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be."""

    kind: Kind
    """``missing``: noted as written, but not there. ``extra``: there, but never noted. ``damaged``:
    not the bytes that were written. ``unexpected``: not what the spec says."""
    key: str
    """The record's key; empty where it is the store as a whole."""
    reason: str
    """What was expected and what was found."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.key + ': ' if self.key else ''}{self.reason}"


@dataclass
class Verification:
    """What was found."""

    target: str
    """The target folder, absolute."""
    dataset: str | None = None
    """The dataset's name; None where it can't be told."""
    n_records: int = 0
    """Records that were read."""
    n_bytes: int = 0
    """Their bytes."""
    n_unproven: int = 0
    """Records without a noted digest, whose form alone was checked: those of the original
    rico-hdl."""
    n_unfinished: int = 0
    """Records that an interrupted conversion noted and never committed: the same command writes
    them."""
    n_constant: int = 0
    """Records noted as having one value in all pixels."""
    content_digest: str = ""
    """Digest of all keys and values that were read."""
    findings: list[Finding] = field(default_factory=list)
    """All that is wrong, sorted by key."""
    seconds: float = 0.0
    """How long it took."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def verify(
    target: str | os.PathLike[str],
    *,
    n_workers: int | None = None,
    observer: VerificationObserver | None = None,
) -> Verification:
    """Check every record of a store.

    A store of the original rico-hdl has no journal: its records are checked for their form alone.

    Args:
        target: The folder that holds ``data.mdb``.
        n_workers: Threads that read and hash; by default the processors this process may use.
        observer: Is told how far it is.

    Raises:
        StoreError: There is no store, or it can't be read at all.
        UsageError: ``n_workers`` is less than 1.
    """
    start = time.monotonic()
    n_workers = checked_workers(n_workers)
    folder = Path(os.path.abspath(Path(target).expanduser()))  # noqa: PTH100 - keeps links
    manifest = Manifest.read(folder) if folder.is_dir() else None
    with StoreReader(folder) as reader:
        result = Verification(str(folder), manifest.dataset if manifest else None)
        spec = registry().get(result.dataset or "")
        is_complete = manifest is not None and manifest.complete
        check = _Check(
            reader,
            spec,
            result,
            observer or SilentVerificationObserver(),
            is_complete=is_complete,
        )
        check.run(folder / JOURNAL_NAME, n_workers)
    # A conversion that was killed leaves the manifest of its start, which knows fewer records.
    # What it says of others is compared only where no notes are there to prove more.
    is_final = is_complete or (
        manifest is not None and result.n_unproven > 0 and manifest.n_patches == result.n_records
    )
    is_final = is_final and result.findings in ([], check.journal_findings)
    if manifest is not None and is_final and manifest.content_digest != result.content_digest:
        reason = f"the manifest says {manifest.content_digest}, found {result.content_digest}"
        result.findings.append(Finding("damaged", "", f"content digest: {reason}"))
    result.findings.sort(key=lambda finding: (finding.key, finding.kind))
    result.seconds = time.monotonic() - start
    return result


class _Check:
    """One pass over a store."""

    def __init__(
        self,
        reader: StoreReader,
        spec: DatasetSpec | None,
        result: Verification,
        observer: VerificationObserver,
        *,
        is_complete: bool,
    ) -> None:
        self.journal_findings: list[Finding] = []
        """What is wrong with the journal itself."""
        self._is_complete = is_complete
        self._reader = reader
        self._spec = spec
        self._result = result
        self._observer = observer
        self._digest = 0

    def run(self, path: Path, n_workers: int) -> None:
        """Read and compare everything."""
        try:
            noted = NewestEntries(path)
        except OSError as error:
            raise StoreError(f"{path} can't be read: {error.strerror}") from error
        self._set_aside_unfinished(noted, path)
        self._observer.on_start(self._reader.n_entries)
        n_found = 0
        pending: deque[Future[_Checked]] = deque()
        with ThreadPoolExecutor(n_workers, "rico-hdl-verify") as pool:
            try:
                for batch in _batches(noted):
                    if len(pending) > _N_AHEAD * n_workers:
                        n_found += self._take(pending.popleft().result())
                    pending.append(pool.submit(_check_batch, self._reader, batch))
                while pending:
                    n_found += self._take(pending.popleft().result())
            finally:
                for future in pending:
                    future.cancel()
        n_listed, n_extra = self._list(noted)
        # Looking a key up and listing all of them take different ways through the file.
        if not n_found + n_extra == n_listed == self._reader.n_entries:
            reason = (
                f"it says that it holds {self._reader.n_entries} records, {n_listed} are listed, "
                f"{n_found + n_extra} are found by their keys"
            )
            self._find("damaged", b"", f"the structure of data.mdb: {reason}")
        self._judge_journal(noted, path, n_extra)
        self._result.content_digest = digest.to_text(self._digest)

    def _judge_journal(self, noted: NewestEntries, path: Path, n_without: int) -> None:
        """Report damage of the journal, unless all that it noted is noted elsewhere, too.

        What a kill leaves at the end of a journal says nothing of the records that are there.
        """
        cut = noted.stop < path.stat().st_size if path.exists() else False
        if noted.gaps and (n_without or self._result.findings or (cut and self._is_complete)):
            reason = f"{path.name} is damaged or cut short at byte {noted.gaps[0].start}"
            if n_without:
                reason += f": {n_without} records have lost their note, which proved them"
            self._find("damaged", b"", reason)
            self.journal_findings = self._result.findings[-1:]

    def _set_aside_unfinished(self, noted: NewestEntries, path: Path) -> None:
        """Take back what an interrupted conversion noted, and did not commit.

        The database then holds what it held before: no record, or an earlier one.
        """
        if self._is_complete:
            return
        with self._reader.transaction() as get:
            taken_back = unsettled(path, noted.last, get)
        noted.add(taken_back)
        self._result.n_unfinished = len({entry.key for entry in taken_back})

    def _take(self, checked: _Checked) -> int:
        """Add what a batch gave; returns how many of its keys are there."""
        self._digest = digest.add(self._digest, checked.digest)
        self._result.n_records += checked.n_records
        self._result.n_bytes += checked.n_bytes
        self._result.n_constant += checked.n_constant
        self._result.findings += checked.findings
        for layout, (n, first) in checked.layouts.items():
            if reason := self._unexpected(layout):
                more = f", as {n - 1} more" if n > 1 else ""
                self._find("unexpected", first, reason + more)
        self._observer.on_records(checked.n_records, checked.n_bytes)
        return checked.n_records

    def _list(self, noted: NewestEntries) -> tuple[int, int]:
        """List all keys, and check the records of those that the journal does not know.

        Returns:
            How many keys there are, and how many of them it does not know.
        """
        n_listed = n_extra = 0
        known = iter(noted)
        entry = next(known, None)
        # Where notes are lost, a record without one is not a stranger.
        has_journal = entry is not None and not noted.gaps
        before = b""
        # What is listed halfway, of a damaged file, must not be open when the file is closed.
        with closing(self._reader.keys()) as keys, self._reader.transaction() as get:
            for key in keys:
                n_listed += 1
                if key <= before:
                    self._find("damaged", key, "the structure of data.mdb: keys are out of order")
                before = key
                while entry is not None and entry.key < key:
                    entry = next(known, None)
                if entry is None or entry.key != key:
                    n_extra += self._check_extra(key, get(key), has_journal=has_journal)
        return n_listed, n_extra

    def _check_extra(self, key: bytes, value: memoryview | None, *, has_journal: bool) -> bool:
        """Check a record that the journal does not know; returns whether it is there."""
        if value is None:
            self._find("damaged", key, "the key is listed, and not found")
            return False
        self._result.n_records += 1
        self._result.n_bytes += len(value)
        self._digest = digest.add(self._digest, digest.record_digest(key, value))
        self._observer.on_records(1, len(value))
        if has_journal:
            self._find("extra", key, "the record was not written by rico-hdl, or is damaged")
            return True
        self._result.n_unproven += 1
        try:
            layout = tuple(sorted((t.name, t.dtype, t.shape) for t in parse(value)))
        except RecordError as error:
            self._find("damaged", key, error.message)
            return True
        if reason := self._unexpected(layout):
            self._find("unexpected", key, reason)
        return True

    def _unexpected(self, layout: Layout) -> str:
        """How a layout differs from what the dataset's spec says; empty if it does not."""
        flat = [f"{name} has shape {shape}" for name, _, shape in layout if len(shape) != 2]
        if flat:
            return f"expected bands of two dimensions, {', '.join(flat)}"
        if self._spec is None:
            return ""
        names = {name for name, _, _ in layout}
        for modality in self._spec.modalities:
            if names != set(modality.band_names):
                continue
            dtypes = {dtype for _, dtype, _ in layout}
            if modality.dtype is not None and dtypes != {modality.dtype}:
                return f"its bands are {', '.join(sorted(dtypes))}, expected {modality.dtype}"
            return ""
        return f"its bands are of no modality of {self._spec.name}: {', '.join(sorted(names))}"

    def _find(self, kind: Kind, key: bytes, reason: str) -> None:
        self._result.findings.append(Finding(kind, key.decode(errors="replace"), reason))


@dataclass
class _Checked:
    """What one batch gave."""

    digest: int = 0
    n_records: int = 0
    n_bytes: int = 0
    n_constant: int = 0
    findings: list[Finding] = field(default_factory=list)
    layouts: dict[Layout, tuple[int, bytes]] = field(default_factory=dict)
    """How often each occurs, and the first key that has it."""


def _batches(noted: NewestEntries) -> Iterator[list[Entry]]:
    """The entries in groups of about `_BATCH_BYTES` of records."""
    batch: list[Entry] = []
    n_bytes = 0
    for entry in noted:
        batch.append(entry)
        n_bytes += entry.n_bytes
        if n_bytes >= _BATCH_BYTES or len(batch) >= _MAX_BATCH:
            yield batch
            batch, n_bytes = [], 0
    if batch:
        yield batch


def _check_batch(reader: StoreReader, batch: Sequence[Entry]) -> _Checked:
    """Compare records with what was noted when they were written. Runs in a worker thread."""
    checked = _Checked()
    with reader.transaction() as get:
        for entry in batch:
            _check_record(get, entry, checked)
    return checked


def _check_record(
    get: Callable[[bytes], memoryview | None], entry: Entry, checked: _Checked
) -> None:
    name = entry.key.decode(errors="replace")
    try:
        value = get(entry.key)
    except StoreError as error:
        checked.findings.append(Finding("damaged", name, error.message))
        return
    if value is None:
        checked.findings.append(Finding("missing", name, "the record was written, and is gone"))
        return
    checked.n_records += 1
    checked.n_constant += entry.constant
    # The length first: a damaged one may lead beyond the end of the file.
    if len(value) != entry.n_bytes:
        reason = f"it has {len(value)} bytes, {entry.n_bytes} were written"
        checked.findings.append(Finding("damaged", name, reason))
        return
    checked.n_bytes += len(value)
    found = digest.record_digest(entry.key, value)
    checked.digest = digest.add(checked.digest, found)
    if found != entry.digest:
        reason = f"its digest is {found:032x}, {entry.digest:032x} was noted when it was written"
        checked.findings.append(Finding("damaged", name, reason))
        return
    # The digest holds, so that the layout is the noted one: only its meaning is left to check.
    n, first = checked.layouts.get(entry.layout, (0, entry.key))
    checked.layouts[entry.layout] = (n + 1, first)
