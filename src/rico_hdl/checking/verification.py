"""Proving that a store holds what was written, for every reader.

In: a target folder. Out: a `Verification`: every record that is missing, extra, damaged or not what
its dataset's spec says. Each record is read once, hashed, and compared with the digest that was
noted in the journal before it was committed. It writes nothing, and holds no lock.

A conversion may be writing to the store: what it had committed when the check began is checked.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from rico_hdl.checking.findings import Finding, Kind, Verification
from rico_hdl.checking.isolated import run_isolated
from rico_hdl.checking.proof import Proof
from rico_hdl.datasets import registry
from rico_hdl.errors import StoreError
from rico_hdl.observer import Observer, observing
from rico_hdl.store import Snapshot
from rico_hdl.system.processors import checked_workers

__all__ = [
    "Finding",
    "Kind",
    "Verification",
    "verify",
]

_N_ATTEMPTS: Final = 3
"""How often a store is checked that is written to meanwhile, until findings are an error."""


def verify(
    target: str | os.PathLike[str],
    *,
    n_workers: int | None = None,
    observer: Observer | None = None,
    isolated: bool = False,
) -> Verification:
    """Check every record of a store.

    A store of the original rico-hdl has no journal: its records are checked for their form alone.

    Args:
        target: The folder that holds ``data.mdb``.
        n_workers: Threads that read and hash; by default the processors this process may use.
        observer: Is told how far it is.
        isolated: Read in a child process, as the command line does. A damaged file or a lost mount
            can crash the process that reads (SIGBUS), which then is a finding.

    Raises:
        StoreError: There is no store, it can't be read at all, or it is written to faster than it
            can be checked.
        UsageError: ``n_workers`` is less than 1.
    """
    if isolated:
        return run_isolated("verify", target, observer, n_workers=n_workers)
    start = time.monotonic()
    n_workers = checked_workers(n_workers)
    folder = Path(os.path.abspath(Path(target).expanduser()))  # noqa: PTH100 - keeps links
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
        # Pages of this state may have been used again meanwhile, which looks like damage.
        seen = f"{len(result.findings)} findings, first {result.findings[0]}"
    raise StoreError(
        f"{folder} is written to, and what seems to be wrong with it can't be told from what the "
        f"conversions changed, in {_N_ATTEMPTS} attempts: {seen}",
        "Wait until they are done, then verify again.",
    )


def _is_reliable(snapshot: Snapshot) -> bool:
    """Whether nothing that was read so far can be of another state than the snapshot."""
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
    proof = Proof(snapshot, registry().get(result.dataset or ""), result, observer)
    proof.run(n_workers)
    # A conversion that was killed leaves the manifest of its start, which knows fewer records.
    # What it says of others is compared only where no notes are there to prove more.
    is_final = result.is_complete or (
        manifest is not None and result.n_unproven > 0 and manifest.n_patches == result.n_records
    )
    is_final = is_final and result.findings in ([], proof.journal_findings)
    if manifest is not None and is_final and manifest.content_digest != result.content_digest:
        reason = f"the manifest says {manifest.content_digest}, found {result.content_digest}"
        result.findings.append(Finding("damaged", "", f"content digest: {reason}"))
    result.findings.sort(key=lambda finding: (finding.key, finding.kind))
    return result
