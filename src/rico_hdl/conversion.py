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
import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from rico_hdl.datasets import get
from rico_hdl.errors import InterruptedRunError, UsageError
from rico_hdl.estimate import nominal_bytes, stored_bytes
from rico_hdl.interruption import StopFlag, deferred_signals
from rico_hdl.memory import keep_freed_memory
from rico_hdl.patch import Failure, Layout, Origin, Patch, Record
from rico_hdl.plan import Plan, make_plan
from rico_hdl.processors import n_usable_processors
from rico_hdl.sources import FolderSource, Source
from rico_hdl.spec import DatasetSpec
from rico_hdl.store import Manifest, StoreWriter, check_target
from rico_hdl.store.manifest import ModalityState, check_same_dataset
from rico_hdl.workers import PatchConverter

StrPath = str | os.PathLike[str]

IN_FLIGHT_BYTES: Final = 128 * 2**20
"""Memory for patches between reading and putting. With the interpreter, its libraries and one
transaction the process stays below 400 MB for any dataset."""

_GROUP_BYTES: Final = 2**20
"""Records handed to a worker at once: large enough that handing over costs nothing, small enough
that all workers end at the same time."""
_MAX_GROUP: Final = 64
_COST_FACTOR: Final = 2.2
"""Memory that a patch needs while in flight, in sizes of its record: the decoded bands and the
record exist together for a moment, with one file's compressed bytes."""
_NO_ORIGIN: Final = (None, None)


class Observer(Protocol):
    """What is told about a conversion while it runs; all calls come from the calling thread."""

    def on_plan(self, plan: Plan) -> None:
        """The patches are known; nothing is written yet."""

    def on_patches(self, modality: str, n_patches: int, n_bytes: int) -> None:
        """Patches of a modality are stored, or were already: ``n_bytes`` is 0 for those."""

    def on_failure(self, failure: Failure) -> None:
        """A patch was left out."""

    def on_warning(self, message: str) -> None:
        """Something is unusual, and the conversion goes on."""


class SilentObserver:
    """Ignores everything."""

    def on_plan(self, plan: Plan) -> None:
        """See `Observer`."""

    def on_patches(self, modality: str, n_patches: int, n_bytes: int) -> None:
        """See `Observer`."""

    def on_failure(self, failure: Failure) -> None:
        """See `Observer`."""

    def on_warning(self, message: str) -> None:
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
    warnings: list[str] = field(default_factory=list)
    """What is unusual and no failure: too little space, patches of one value, another number of
    patches than the publisher states."""
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
    overwrite: bool = False,
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
        overwrite: Begin anew: once the sources are known to be fine, remove what is in the target,
            if rico-hdl wrote it.
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
    _manifest_of(folder, spec, overwrite=overwrite)
    plan = make_plan(spec, opened)
    watcher = observer or SilentObserver()
    watcher.on_plan(plan)
    with (
        deferred_signals() as stop,
        StoreWriter(folder, overwrite=overwrite, modality_of=_modality_of(spec)) as writer,
    ):
        # Read again: another conversion may have ended while this one planned.
        manifest = _manifest_of(folder, spec, overwrite=overwrite)
        run = _Run(plan, writer, manifest, watcher, stop, stop_on_failure=on_error == "stop")
        run.look_around()
        run.save(finished=False)
        finished = run.convert(n_workers, in_flight_bytes)
        run.save(finished=finished)
    summary = Summary(
        dataset=spec.name,
        target=str(folder),
        n_written={name: run.n_written[name] for name in plan.sources},
        n_present={name: run.n_present[name] for name in plan.sources},
        failures=run.failures,
        warnings=run.warnings,
        n_bytes=run.n_bytes,
        seconds=time.monotonic() - start,
        complete=finished and not run.failures,
        content_digest=manifest.content_digest,
    )
    if stop.signal is not None and not finished:
        raise InterruptedRunError(
            f"stopped by {stop.signal.name}: {manifest.n_patches} patches are stored in {folder}",
            "Run the same command again to continue.",
            summary.to_dict(),
        )
    return summary


def _manifest_of(folder: Path, spec: DatasetSpec, *, overwrite: bool) -> Manifest:
    """The manifest to continue, or an empty one."""
    found = None if overwrite or not folder.is_dir() else Manifest.read(folder)
    if found is None:
        return Manifest()
    check_same_dataset(found, spec, folder)
    return found


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
        self.warnings: list[str] = []
        self._plan = plan
        self._writer = writer
        self._manifest = manifest
        self._observer = observer
        self._stop = stop
        self._stop_on_failure = stop_on_failure
        self._record_bytes: dict[str, int] = {}  # the largest so far, by modality
        self._expected_bytes = {
            name: n_bytes
            for name in plan.sources
            if (n_bytes := nominal_bytes(plan.spec.modality(name))) is not None
        }
        self._stored_from: dict[bytes, Origin] = {}  # of patches in flight that are there already
        self._in_conflict: set[str] = set()  # modalities whose source holds other values
        self._earlier_failures = [f for f in manifest.failures if f.modality not in plan.sources]

    def look_around(self) -> None:
        """Tell what is unusual before anything is converted."""
        n = self._writer.n_adopted
        if n:
            self._warn(
                f"{n} records were in the store, and not in its journal, as those of another tool: "
                "their digests were noted as they are now"
            )
        self._check_space()

    def _check_space(self) -> None:
        """Announce that the disk is too small, as far as the sizes of records are known."""
        planned = self._plan.n_patches
        n_needed = sum(
            stored_bytes(n_bytes) * max(0, planned[name] - self._n_stored(name))
            for name, n_bytes in self._expected_bytes.items()
        )
        n_free = shutil.disk_usage(self._writer.target).free
        if n_needed > n_free:
            self._warn(
                f"about {_megabytes(n_needed)} are still needed in {self._writer.target}, "
                f"{_megabytes(n_free)} are free: when the disk is full the conversion ends, and "
                "the same command continues once there is space"
            )

    def _n_stored(self, name: str) -> int:
        part = self._writer.totals.modalities.get(name)
        return part.n_patches if part else 0

    def _warn(self, message: str) -> None:
        self.warnings.append(message)
        self._observer.on_warning(message)

    def _look_back(self) -> None:
        """Tell what is unusual about what is stored, now that all of it is."""
        for name in self._plan.sources:
            part = self._writer.totals.modalities.get(name)
            n_published = self._plan.spec.modality(name).n_published
            if part and part.n_constant:
                self.warnings.append(
                    f"{part.n_constant} of {part.n_patches} {name} patches have one value in all "
                    "pixels of each band"
                )
            n_stored = part.n_patches if part else 0
            if n_published is not None and n_stored != n_published:
                self.warnings.append(
                    f"{n_stored} {name} patches are stored, {n_published} were published"
                )

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
        group: list[Patch] = []
        group_bytes = 0
        for patch in self._missing():
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

    def _missing(self) -> Iterator[Patch]:
        """The patches that are not stored, and those that are, but came from somewhere else."""
        if not self._writer.n_entries:
            yield from self._plan
            return
        elsewhere = self._writer.origins_other_than(
            {Origin(name, source.location) for name, source in self._plan.sources.items()}
        )
        key, origin = next(elsewhere, _NO_ORIGIN)
        for patch in self._plan:
            wanted = patch.key.encode()
            while key is not None and key < wanted:
                key, origin = next(elsewhere, _NO_ORIGIN)
            if origin is not None and key == wanted:
                self._stored_from[wanted] = origin
                yield patch
            elif wanted not in self._writer:
                yield patch
            else:
                self.n_present[patch.modality.name] += 1
                self._observer.on_patches(patch.modality.name, 1, 0)

    def _store(self, results: list[Record | Failure]) -> None:
        for result in results:
            if self._must_stop():
                return
            if isinstance(result, Failure):
                self._fail(result)
            elif result.key in self._writer:
                self._compare(result)
            else:
                self._put(result)

    def _put(self, record: Record) -> None:
        name, n_bytes = record.origin.modality, len(record.data)
        self._writer.put(record)
        self._record_bytes[name] = max(n_bytes, self._record_bytes.get(name, 0))
        if name not in self._expected_bytes:
            self._expected_bytes[name] = n_bytes
            self._check_space()
        self.n_written[name] += 1
        self.n_bytes += n_bytes
        self._observer.on_patches(name, 1, n_bytes)

    def _compare(self, record: Record) -> None:
        """Accept a record that is stored already from another source, if it is the same."""
        name, key = record.origin.modality, record.key.decode()
        self._record_bytes[name] = max(len(record.data), self._record_bytes.get(name, 0))
        there = self._stored_from.pop(record.key, None)
        if self._writer.holds(record):
            self.n_present[name] += 1
            self._observer.on_patches(name, 1, 0)
            return
        where = f"{there.location} ({there.modality})" if there else "another source"
        self._in_conflict.add(name)
        reason = f"this key is stored already with other values, from {where}: it was not changed"
        self._fail(Failure(key, name, record.origin.location, None, reason))

    def _fail(self, failure: Failure) -> None:
        self.failures.append(failure)
        self._observer.on_failure(failure)

    def _must_stop(self) -> bool:
        return bool(self._stop) or (self._stop_on_failure and bool(self.failures))

    def _contributed(self, name: str) -> bool:
        """Whether what is stored of a modality is what this source holds, as far as was seen."""
        seen = self.n_written[name] + self.n_present[name]
        return seen > 0 and name not in self._in_conflict

    def save(self, *, finished: bool) -> None:
        """Commit, and write the manifest: it must not know more than what is safely on disk."""
        self._writer.commit()
        self._writer.sync()
        if finished:
            self._look_back()
        manifest = self._manifest
        failed = {failure.modality for failure in self.failures}
        for name, source in self._plan.sources.items():
            state = manifest.modalities.setdefault(name, ModalityState())
            state.complete = finished and name not in failed
            state.bands = list(self._plan.spec.modality(name).band_names)
            if not state.sources or self._contributed(name):
                state.sources = sorted({*state.sources, source.location})
        self.failures.sort(key=_place)
        manifest.failures = sorted([*self._earlier_failures, *self.failures], key=_place)
        manifest.describe(self._writer.totals, self._plan.spec)
        manifest.write(self._writer.target)


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"


def _place(failure: Failure) -> tuple[str, str, str]:
    """How failures are sorted."""
    return (failure.key, failure.modality, failure.path)


def _modality_of(spec: DatasetSpec) -> Callable[[Layout], str]:
    """Tells the modality of a record by its bands, for records that the journal does not know."""
    names: dict[frozenset[str], str] = {}
    for modality in spec.modalities:
        bands = frozenset(modality.band_names)
        names[bands] = "" if bands in names else modality.name
    return lambda layout: names.get(frozenset(name for name, _, _ in layout), "")
