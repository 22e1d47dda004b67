"""Converting a dataset: all stages, connected.

In: a spec, the sources of each wanted modality, a target folder. Out: a store that holds every
patch that can be read, and a `Summary`. It prints nothing (progress goes to an observer), and
bounds what is in flight in bytes. Stopped anywhere, the same call continues.

The calling thread plans, hands groups of patches to worker threads, takes their records back in the
order of the plan or of the archive, and puts them: one writer, so that ``data.mdb`` does not depend
on the number of workers. Reading, decompression, copying and committing all happen outside of
Python's lock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

from rico_hdl.converting.checksums import Checksum, published_md5
from rico_hdl.converting.converter import PatchConverter
from rico_hdl.converting.ledger import Ledger
from rico_hdl.converting.outcome import Summary
from rico_hdl.converting.pipeline import IN_FLIGHT_BYTES, Pipeline
from rico_hdl.datasets import get
from rico_hdl.errors import InterruptedRunError, SourceError, UsageError
from rico_hdl.observer import Observer, observing
from rico_hdl.patches.archives import Assembly
from rico_hdl.patches.folders import Plan, check_names, make_plan
from rico_hdl.patches.opening import Opened, StrPath, open_sources
from rico_hdl.sources import Archive, Source
from rico_hdl.sources.opening import open_archive
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.store import Manifest, StoreWriter, check_target
from rico_hdl.store.manifest import check_same_dataset
from rico_hdl.system.interruption import deferred_signals
from rico_hdl.system.memory import keep_freed_memory
from rico_hdl.system.processors import checked_workers, frequent_switches
from rico_hdl.values import Layout, Origin, Patch

Named = StrPath | Sequence[StrPath] | Source
"""What can be named as the source of a modality: see `rico_hdl.patches.opening.open_sources`."""

_N_MEMBERS_SHOWN = 500  # between two reports of how far an archive was read


def convert(  # noqa: PLR0913 - each is a decision of the user
    dataset: str | DatasetSpec,
    sources: Mapping[str, Named],
    target: StrPath,
    *,
    n_workers: int | None = None,
    on_error: Literal["skip", "stop"] = "skip",
    overwrite: bool = False,
    observer: Observer | None = None,
    in_flight_bytes: int = IN_FLIGHT_BYTES,
    check_archives: bool = False,
) -> Summary:
    """Convert a dataset into one LMDB of safetensors records.

    What is stored stays, what is missing is added: the same call continues an interrupted one, and
    a call with another modality's source adds that modality.

    Args:
        dataset: A spec, or the name of a supported dataset such as ``"bigearthnet"``.
        sources: For each wanted modality (such as ``"s2"``) the folder that holds its files, or
            what was downloaded: an archive, a list of archives, or a folder that holds archives. Of
            a split archive any part names the whole.
        target: The folder for ``data.mdb`` and ``rico-hdl.json``; created with its parents.
        n_workers: Threads that read and decode; by default the processors this process may use.
        on_error: ``"skip"`` leaves out patches that can't be converted and reports them; ``"stop"``
            ends at the first one, with all earlier patches stored.
        overwrite: Begin anew: once the sources are known to be fine, remove what is in the target,
            if rico-hdl wrote it.
        observer: Is told what happens.
        in_flight_bytes: Memory for patches between reading and storing; at least one patch is
            always in flight.
        check_archives: Compare archives with the MD5 sums that their publishers state, as far as
            they are known; one that differs counts as a failure.

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
    n_workers = checked_workers(n_workers)
    folder = Path(os.path.abspath(Path(target).expanduser()))  # noqa: PTH100 - keeps links
    check_target(folder)
    _manifest_of(folder, spec, overwrite=overwrite)
    opened = open_all(spec, sources, thorough=overwrite)
    for location in _locations(opened):
        _check_name(location)
        if os.path.realpath(location) == os.path.realpath(folder):
            raise UsageError(f"{folder} is given as a source and as the target")
    folders = {one.modality.name: one.folder for one in opened if one.folder is not None}
    plan = make_plan(spec, folders) if folders else Plan(spec, {})
    watcher = observing(observer)
    watcher.on_plan(plan)
    with (
        deferred_signals() as stop,
        StoreWriter(folder, overwrite=overwrite, modality_of=_modality_of(spec)) as writer,
    ):
        # Read again: another conversion may have ended while this one planned.
        manifest = _manifest_of(folder, spec, overwrite=overwrite)
        ledger = Ledger(spec, _origins(opened), writer, manifest, watcher)
        ledger.look_around(plan, sum(_n_bytes(a) for one in opened for a in one.archives))
        ledger.save(finished=False)

        def must_stop() -> bool:
            return bool(stop) or (on_error == "stop" and bool(ledger.failures))

        pipeline = Pipeline(PatchConverter(), n_workers, in_flight_bytes, must_stop)
        run = _Run(ledger, watcher, pipeline, must_stop)
        for one in opened:
            if one.passed_over:
                ledger.warn(
                    f"{one.passed_over} archives in {_location(one)} were not read, since patches "
                    "lie beside them: name the archives, if they were meant"
                )
        run.convert_plan(plan)
        with frequent_switches():
            for one in opened:
                run.convert_archives(one.modality, one.archives, check=check_archives)
        finished = not must_stop()
        ledger.save(finished=finished)
    summary = Summary(
        dataset=spec.name,
        target=str(folder),
        n_written={one.modality.name: ledger.n_written[one.modality.name] for one in opened},
        n_present={one.modality.name: ledger.n_present[one.modality.name] for one in opened},
        failures=ledger.failures,
        warnings=ledger.warnings,
        n_mended=ledger.n_mended,
        n_bytes=ledger.n_bytes,
        seconds=time.monotonic() - start,
        complete=finished and not ledger.failures and not ledger.n_unproven,
        content_digest=manifest.content_digest,
    )
    if stop.signal is not None and not finished:
        raise InterruptedRunError(
            f"stopped by {stop.signal.name}: {manifest.n_patches} patches are stored in {folder}",
            "Run the same command again to continue.",
            summary.to_dict(),
        )
    return summary


class _Run:
    """One pass over the sources."""

    def __init__(
        self,
        ledger: Ledger,
        observer: Observer,
        pipeline: Pipeline,
        must_stop: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._observer = observer
        self._pipeline = pipeline
        self._must_stop = must_stop

    def convert_plan(self, plan: Plan) -> None:
        """Convert the patches in folders."""
        for failure in plan.failures:
            self._ledger.fail(failure)
        if plan.sources and not self._must_stop():
            self._convert(self._ledger.missing(plan))
        if not self._must_stop():
            for name, source in plan.sources.items():
                self._ledger.was_read(name, source.location)

    def _convert(self, patches: Iterable[Patch]) -> None:
        with closing(self._pipeline.results(patches)) as results:
            for result in results:
                if self._must_stop():
                    return
                self._ledger.take(result)

    def convert_archives(
        self, modality: Modality, archives: Sequence[Archive], *, check: bool
    ) -> None:
        """Convert the patches of a modality in archives, one after another.

        Raises:
            SourceError: None of them holds a patch of the modality.
        """
        n_found = 0
        without = []
        for archive in archives:
            if self._must_stop():
                return
            n = self._convert_archive(modality, archive, check=check)
            if n is None:
                continue
            n_found += n
            if n == 0:
                without.append(archive.location)
        if self._must_stop():
            return
        if archives and len(without) == len(archives):
            raise SourceError(
                f"no {modality.title} in {', '.join(without)}: looked for {modality.files}",
                f"See the expected files with: rico-hdl datasets {self._ledger.spec.name}",
            )
        for location in without:
            self._ledger.warn(f"no {modality.title} in {location}")

    def _convert_archive(self, modality: Modality, archive: Archive, *, check: bool) -> int | None:
        """Convert what one archive holds.

        Returns:
            How many patches were found; None if not all of the archive was read.
        """
        check = check or self._ledger.must_check(modality.name, archive.location)
        checksum = self._checksum(modality, archive) if check else None
        if checksum is not None:
            if archive.sequential:
                archive = open_archive(Path(archive.location), on_raw=checksum.update)
            else:
                checksum.read_beside()
        assembly = Assembly(
            modality,
            archive,
            is_stored=self._ledger.is_settled,
            on_present=lambda _: self._ledger.present(modality.name),
            on_failure=self._ledger.leave_out,
            should_stop=self._ticker(modality, archive),
        )
        try:
            self._convert(assembly)
            self._look_back(assembly, modality, archive)
            if assembly.failure is None and not self._must_stop():
                failure = checksum.failure(modality.name) if checksum is not None else None
                if failure is not None:
                    self._ledger.fail(failure)
                elif checksum is not None or not check:
                    self._ledger.was_read(modality.name, archive.location)
        finally:
            if checksum is not None:
                checksum.give_up()
        return assembly.n_found if assembly.failure is None else None

    def _look_back(self, assembly: Assembly, modality: Modality, archive: Archive) -> None:
        """Tell what is unusual about an archive that was read as far as it goes."""
        if assembly.failure is not None:
            self._ledger.fail(assembly.failure)
        elif not self._must_stop():
            size = _n_bytes(archive)
            self._observer.on_archive(modality.name, archive.location, size, size)
        if assembly.n_outside:
            self._ledger.warn(
                f"{assembly.n_outside} members of {archive.location} are links or devices, "
                "too large, or lead out of it: they were not followed"
            )

    def _checksum(self, modality: Modality, archive: Archive) -> Checksum | None:
        expected = published_md5(modality, archive)
        if not expected:
            self._ledger.warn(f"no MD5 sum is known for {archive.location}: it was not checked")
            return None
        return Checksum(archive.files[0], archive.location, expected)

    def _ticker(self, modality: Modality, archive: Archive) -> Callable[[], bool]:
        """Asked between members whether to stop, tells from time to time how far an archive is."""
        n_bytes, n_asked = _n_bytes(archive), 0

        def must_stop() -> bool:
            nonlocal n_asked
            if n_asked % _N_MEMBERS_SHOWN == 0:
                self._observer.on_archive(
                    modality.name, archive.location, archive.n_bytes_read, n_bytes
                )
            n_asked += 1
            return self._must_stop()

        return must_stop


def open_all(
    spec: DatasetSpec, sources: Mapping[str, Named], *, thorough: bool = False
) -> list[Opened]:
    """Open the sources of all modalities that are named, in the order of the spec.

    Args:
        spec: The dataset.
        sources: As for `convert`.
        thorough: See `rico_hdl.patches.opening.open_sources`.

    Raises:
        UsageError: None is named, or one of a modality that the spec lacks.
        SourceError: One can't be used.
    """
    check_names(spec, sources)
    return [
        open_sources(
            spec,
            modality,
            [named] if isinstance(named := sources[modality.name], str | os.PathLike) else named,
            thorough=thorough,
        )
        for modality in spec.modalities
        if modality.name in sources
    ]


def _location(one: Opened) -> str:
    return next(_locations([one]))


def _locations(opened: Iterable[Opened]) -> Iterator[str]:
    for one in opened:
        if one.folder is not None:
            yield one.folder.location
        yield from (archive.location for archive in one.archives)


def _check_name(location: str) -> None:
    """Make sure that manifest and journal, which are UTF-8, can hold the path of a source."""
    try:
        location.encode()
    except UnicodeEncodeError:
        raise SourceError(
            f"the name of {location!a} is not UTF-8, so it can't be noted in the store",
            "Rename the folder or archive, or name it by a symbolic link.",
        ) from None


def _origins(opened: Iterable[Opened]) -> list[Origin]:
    return [Origin(one.modality.name, location) for one in opened for location in _locations([one])]


def _n_bytes(archive: Archive) -> int:
    return sum(path.stat().st_size for path in archive.files if path.exists())


def _manifest_of(folder: Path, spec: DatasetSpec, *, overwrite: bool) -> Manifest:
    """The manifest to continue, or an empty one."""
    found = None if overwrite or not folder.is_dir() else Manifest.read(folder)
    if found is None:
        return Manifest()
    check_same_dataset(found, spec, folder)
    return found


def _modality_of(spec: DatasetSpec) -> Callable[[Layout], str]:
    """Tells the modality of a record by its bands, for records that the journal does not know."""
    names: dict[frozenset[str], str] = {}
    for modality in spec.modalities:
        bands = frozenset(modality.band_names)
        names[bands] = "" if bands in names else modality.name
    return lambda layout: names.get(frozenset(name for name, _, _ in layout), "")
