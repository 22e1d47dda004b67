"""Proving that a store holds what was written, for every reader.

In: a target folder. Out: a `Verification` with every record that is missing, extra, damaged or not
what its dataset's spec says. Each record is read once, hashed, and compared with the digest that
was noted in the journal before it was committed. It writes nothing and holds no lock.

While a conversion is writing to the store, the check covers the records that were committed when it
began.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from rico_hdl.checking.findings import Finding, Kind, Verification
from rico_hdl.checking.isolated import run_isolated
from rico_hdl.checking.labels import check_labels
from rico_hdl.checking.proof import Proof
from rico_hdl.errors import StoreError
from rico_hdl.observer import Observer, observing
from rico_hdl.store import Snapshot, check_store, spec_of
from rico_hdl.store.journal import JOURNAL_NAME
from rico_hdl.store.locking import is_locked
from rico_hdl.system.processors import checked_workers

__all__ = [
    "Finding",
    "Kind",
    "Verification",
    "verify",
]

_N_ATTEMPTS: Final = 3
"""Attempts to check a store that is being written to, before findings become an error."""


def verify(
    target: str | os.PathLike[str],
    *,
    n_workers: int | None = None,
    observer: Observer | None = None,
    isolated: bool = False,
) -> Verification:
    """Check every record of a store.

    A store of the original rico-hdl has no journal, so its records are checked only for their form.

    Args:
        target: The folder that holds ``data.mdb``.
        n_workers: Threads that read and hash; by default the number of processors this process may
            use.
        observer: Receives progress.
        isolated: Read in a child process, as the command line does. A damaged file or a lost mount
            can crash the process that reads (SIGBUS); such a crash then becomes a finding.

    Raises:
        StoreError: There is no store, it can't be read at all, or it is being written to faster
            than it can be checked.
        UsageError: ``n_workers`` is less than 1.
    """
    if isolated:
        return run_isolated("verify", target, observer, n_workers=n_workers)
    start = time.monotonic()
    n_workers = checked_workers(n_workers)
    folder = Path(os.path.abspath(Path(target).expanduser()))  # noqa: PTH100 - keeps links
    try:
        check_store(folder)
    except StoreError:
        # A conversion with --overwrite removes the file for a moment; a snapshot waits for it.
        if not is_locked(folder / JOURNAL_NAME):
            check_store(folder)
    seen = ""
    for _ in range(_N_ATTEMPTS):
        with Snapshot(folder, n_workers) as snapshot:
            try:
                result = _verified(snapshot, n_workers, observing(observer))
            except StoreError as error:
                if _is_reliable(snapshot):
                    raise
                seen = error.message
                continue
            if not result.findings or _is_reliable(snapshot):
                result.seconds = time.monotonic() - start
                return result
        # Pages of this state may have been reused in the meantime, which looks like damage.
        seen = f"{len(result.findings)} findings, first {result.findings[0]}"
    raise StoreError(
        f"{folder} is being written to, and possible damage can't be distinguished from the "
        f"changes of a conversion, in {_N_ATTEMPTS} attempts: {seen}",
        "Wait until the conversion is done, then verify again.",
    )


def _is_reliable(snapshot: Snapshot) -> bool:
    """Whether everything read so far is certain to belong to the snapshot's state."""
    return snapshot.is_certain and snapshot.is_intact


def _verified(snapshot: Snapshot, n_workers: int, observer: Observer) -> Verification:
    """Check one state of a store."""
    manifest = snapshot.manifest
    result = Verification(
        str(snapshot.target),
        manifest.dataset if manifest else None,
        is_complete=manifest.complete if manifest else None,
        is_being_written=snapshot.is_being_written,
    )
    proof = Proof(snapshot, spec_of(manifest), result, observer)
    proof.run(n_workers)
    # A killed conversion leaves the manifest from its start, which covers fewer records. So, unless
    # the store is complete, its digest is compared only if some records lack the notes to prove it.
    is_final = result.is_complete or (
        manifest is not None and result.n_unproven > 0 and manifest.n_patches == result.n_records
    )
    is_final = is_final and result.findings in ([], proof.journal_findings)
    if manifest is not None and is_final and manifest.content_digest != result.content_digest:
        reason = f"the manifest says {manifest.content_digest}, found {result.content_digest}"
        result.findings.append(Finding("damaged", "", f"content digest: {reason}"))
    check_labels(
        snapshot.target, manifest, lambda key: snapshot.pages.find(key) is not None, result
    )
    result.findings.sort(key=lambda finding: (finding.key, finding.kind))
    return result
