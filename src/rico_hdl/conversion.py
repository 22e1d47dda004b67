"""The pipeline: plan, read, decode, encode, put.

In: a spec, a source for each wanted modality, a target folder. Out: a store that holds every patch
of the plan that can be read, and a `Summary`. It prints nothing (progress goes to an observer), and
bounds what is in flight in bytes. Stopped anywhere, the same call continues.

The calling thread plans, hands groups of patches to worker threads, takes their records back in the
order of the plan and puts them: one writer, so that ``data.mdb`` does not depend on the number of
workers. Reading, decompression, copying and committing all happen outside of Python's lock.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from rico_hdl import digest
from rico_hdl.datasets import get
from rico_hdl.errors import InterruptedRunError, UsageError
from rico_hdl.interruption import StopFlag, deferred_signals
from rico_hdl.memory import keep_freed_memory
from rico_hdl.patch import Failure, Patch, Record
from rico_hdl.plan import Plan, make_plan
from rico_hdl.processors import n_usable_processors
from rico_hdl.sources import FolderSource, Source
from rico_hdl.spec import DatasetSpec
from rico_hdl.store import Manifest, StoreWriter, check_target
from rico_hdl.store.manifest import ModalityState, check_same_dataset
from rico_hdl.store.recount import current_manifest
from rico_hdl.workers import PatchConverter

StrPath = str | os.PathLike[str]

IN_FLIGHT_BYTES: Final = 192 * 2**20
"""Memory for patches between reading and putting. With the interpreter, its libraries and one
transaction the process stays below 400 MB for any dataset."""

_GROUP_BYTES: Final = 2**20
"""Records handed to a worker at once: large enough that handing over costs nothing, small enough
that all workers end at the same time."""
_MAX_GROUP: Final = 64
_COST_FACTOR: Final = 2.2
"""Memory that a patch needs while in flight, in sizes of its record: the decoded bands and the
record exist together for a moment, with one file's compressed bytes."""
_MANIFEST_SECONDS: Final = 30.0
"""How often the manifest is brought up to date, so that little must be recounted after a kill."""


class Observer(Protocol):
    """What is told about a conversion while it runs; all calls come from the calling thread."""

    def on_plan(self, plan: Plan) -> None:
        """The patches are known; nothing is written yet."""

    def on_patches(self, modality: str, n_patches: int, n_bytes: int) -> None:
        """Patches of a modality are stored, or were already: ``n_bytes`` is 0 for those."""

    def on_failure(self, failure: Failure) -> None:
        """A patch was left out."""


class SilentObserver:
    """Ignores everything."""

    def on_plan(self, plan: Plan) -> None:
        """See `Observer`."""

    def on_patches(self, modality: str, n_patches: int, n_bytes: int) -> None:
        """See `Observer`."""

    def on_failure(self, failure: Failure) -> None:
        """See `Observer`."""


@dataclass
class Summary:
    """What a conversion did."""

    dataset: str
    """The spec's name."""
    target: str
    """The target folder, absolute."""
    n_written: dict[str, int] = field(default_factory=dict)
    """Patches stored by this call, by modality."""
    n_present: dict[str, int] = field(default_factory=dict)
    """Patches that were stored already, by modality."""
    failures: list[Failure] = field(default_factory=list)
    """Patches that were left out, sorted by key."""
    n_bytes: int = 0
    """Bytes of the records stored by this call."""
    seconds: float = 0.0
    """How long it took, planning included."""
    complete: bool = False
    """Whether every patch of the sources is in the store now."""
    content_digest: str = ""
    """Digest of all keys and values in the store, whoever wrote them."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def convert(  # noqa: PLR0913 - each is a decision of the user
    dataset: str | DatasetSpec,
    sources: Mapping[str, StrPath | Source],
    target: StrPath,
    *,
    n_workers: int | None = None,
    on_error: Literal["skip", "stop"] = "skip",
    observer: Observer | None = None,
    in_flight_bytes: int = IN_FLIGHT_BYTES,
) -> Summary:
    """Convert a dataset into one LMDB of safetensors records.

    What is stored stays, what is missing is added: the same call continues an interrupted one, and
    a call with another modality's source adds that modality.

    Args:
        dataset: A spec, or the name of a supported dataset such as ``"bigearthnet"``.
        sources: For each wanted modality (such as ``"s2"``) the folder that holds its files.
        target: The folder for ``data.mdb`` and ``rico-hdl.json``; created with its parents.
        n_workers: Threads that read and decode; by default the processors this process may use.
        on_error: ``"skip"`` leaves out patches that can't be converted and reports them; ``"stop"``
            ends at the first one, with all earlier patches stored.
        observer: Is told what happens.
        in_flight_bytes: Memory for patches between reading and storing; at least one patch is
            always in flight.

    Returns:
        What was done. ``complete`` is false if anything was left out.

    Raises:
        UsageError: An argument can't be used.
        SourceError: A source can't be used.
        StoreError: The target can't be used, or its disk is full.
        InterruptedRunError: A signal asked for the end; all that was stored is kept.
    """
    start = time.monotonic()
    keep_freed_memory()
    spec = get(dataset) if isinstance(dataset, str) else dataset
    n_workers = n_usable_processors() if n_workers is None else n_workers
    if n_workers < 1:
        raise UsageError(f"n_workers is {n_workers}, expected 1 or more")
    opened = {
        name: FolderSource(source) if isinstance(source, str | os.PathLike) else source
        for name, source in sources.items()
    }
    folder = Path(os.path.abspath(Path(target).expanduser()))  # noqa: PTH100 - keeps links
    for source in opened.values():
        if os.path.realpath(source.location) == os.path.realpath(folder):
            raise UsageError(f"{folder} is given as a source and as the target")
    check_target(folder)
    found = Manifest.read(folder) if folder.is_dir() else None
    if found is not None:
        check_same_dataset(found, spec, folder)
    plan = make_plan(spec, opened)
    watcher = observer or SilentObserver()
    watcher.on_plan(plan)
    with deferred_signals() as stop, StoreWriter(folder) as writer:
        manifest = current_manifest(writer, spec, found)
        run = _Run(plan, writer, manifest, watcher, stop, stop_on_failure=on_error == "stop")
        finished = run.convert(n_workers, in_flight_bytes)
        run.save(finished=finished)
    summary = Summary(
        dataset=spec.name,
        target=str(folder),
        n_written={name: run.n_written[name] for name in plan.sources},
        n_present={name: run.n_present[name] for name in plan.sources},
        failures=run.failures,
        n_bytes=run.n_bytes,
        seconds=time.monotonic() - start,
        complete=finished and not run.failures,
        content_digest=manifest.content_digest,
    )
    if stop.signal is not None:
        raise InterruptedRunError(
            f"stopped by {stop.signal.name}: {manifest.n_patches} patches are stored in {folder}",
            "Run the same command again to continue.",
            summary.to_dict(),
        )
    return summary


class _Run:
    """One pass over a plan."""

    def __init__(  # noqa: PLR0913 - the stages it connects
        self,
        plan: Plan,
        writer: StoreWriter,
        manifest: Manifest,
        observer: Observer,
        stop: StopFlag,
        *,
        stop_on_failure: bool,
    ) -> None:
        self.n_written: Counter[str] = Counter()
        self.n_present: Counter[str] = Counter()
        self.n_bytes = 0
        self.failures: list[Failure] = []
        self._plan = plan
        self._writer = writer
        self._manifest = manifest
        self._observer = observer
        self._stop = stop
        self._stop_on_failure = stop_on_failure
        self._digest = digest.from_text(manifest.content_digest)
        self._record_bytes: dict[str, int] = {}  # the largest so far, by modality
        self._saved_at = time.monotonic()
        for name, source in plan.sources.items():
            state = manifest.modalities.setdefault(name, ModalityState())
            state.source, state.complete = source.location, False
            state.bands = list(plan.spec.modality(name).band_names)
        others = [f for f in manifest.failures if f.modality not in plan.sources]
        self._earlier_failures = others

    def convert(self, n_workers: int, in_flight_bytes: int) -> bool:
        """Convert what is not there yet.

        Returns:
            Whether the plan was followed to its end.
        """
        for failure in self._plan.failures:
            self._fail(failure)
        if self._must_stop():
            return False
        converter = PatchConverter()
        pending: deque[tuple[int, Future[list[Record | Failure]]]] = deque()
        in_flight = 0
        with ThreadPoolExecutor(n_workers, "rico-hdl-work") as pool:
            try:
                for group, cost in self._groups(in_flight_bytes):
                    # Records are taken as soon as they are there, so that the writer never rests,
                    # and at the latest when the next group would take too much memory.
                    while pending and (in_flight + cost > in_flight_bytes or pending[0][1].done()):
                        done, future = pending.popleft()
                        in_flight -= done
                        self._store(future.result())
                    if self._must_stop():
                        return False
                    pending.append((cost, pool.submit(converter.convert, group)))
                    in_flight += cost
                while pending and not self._must_stop():
                    self._store(pending.popleft()[1].result())
                return not self._must_stop()
            finally:
                for _, future in pending:
                    future.cancel()

    def _groups(self, in_flight_bytes: int) -> Iterator[tuple[list[Patch], int]]:
        """The patches that are not stored yet, in groups, each with the memory that it may take."""
        present = self._writer.n_entries > 0
        group: list[Patch] = []
        group_bytes = 0
        for patch in self._plan:
            if present and patch.key.encode() in self._writer:
                self.n_present[patch.modality.name] += 1
                self._observer.on_patches(patch.modality.name, 1, 0)
                continue
            known = self._record_bytes.get(patch.modality.name)
            if known is None:
                # How large its records are is not known yet: the first one goes alone.
                if group:
                    yield group, int(group_bytes * _COST_FACTOR)
                yield [patch], in_flight_bytes
                group, group_bytes = [], 0
                continue
            group.append(patch)
            group_bytes += known
            if group_bytes >= _GROUP_BYTES or len(group) >= _MAX_GROUP:
                yield group, int(group_bytes * _COST_FACTOR)
                group, group_bytes = [], 0
        if group:
            yield group, int(group_bytes * _COST_FACTOR)

    def _store(self, results: list[Record | Failure]) -> None:
        for result in results:
            if isinstance(result, Failure):
                self._fail(result)
            elif not self._must_stop():
                self._put(result)

    def _put(self, record: Record) -> None:
        name, n_bytes = record.modality, len(record.data)
        if self._writer.put(record.key, record.data):
            self._save_now_and_then()
        state = self._manifest.modalities[name]
        state.n_patches += 1
        state.n_bytes += n_bytes
        self._manifest.n_patches += 1
        self._digest = digest.add(self._digest, record.digest)
        self._record_bytes[name] = max(n_bytes, self._record_bytes.get(name, 0))
        self.n_written[name] += 1
        self.n_bytes += n_bytes
        self._observer.on_patches(name, 1, n_bytes)

    def _fail(self, failure: Failure) -> None:
        self.failures.append(failure)
        self._observer.on_failure(failure)

    def _must_stop(self) -> bool:
        return bool(self._stop) or (self._stop_on_failure and bool(self.failures))

    def _save_now_and_then(self) -> None:
        """Bring the manifest up to date. Called right after a commit, before the next record."""
        if time.monotonic() - self._saved_at > _MANIFEST_SECONDS:
            self._write_manifest()

    def save(self, *, finished: bool) -> None:
        """Commit, and write the manifest."""
        self._writer.commit()
        failed = {failure.modality for failure in self.failures}
        for name in self._plan.sources:
            self._manifest.modalities[name].complete = finished and name not in failed
        self._write_manifest()

    def _write_manifest(self) -> None:
        self.failures.sort(key=lambda failure: (failure.key, failure.modality, failure.path))
        self._manifest.failures = sorted(
            [*self._earlier_failures, *self.failures], key=lambda f: (f.key, f.modality, f.path)
        )
        self._manifest.content_digest = digest.to_text(self._digest)
        self._manifest.last_transaction = self._writer.last_transaction
        self._manifest.write(self._writer.target)
        self._saved_at = time.monotonic()
