"""Converting a dataset: all stages, connected.

In: a spec, the sources of each wanted modality, and a target folder. Out: a store with every
readable patch, and a `Summary`.

The calling thread takes patches from the supply, hands groups of them to worker threads, and stores
their records in the order of the supply. There is a single writer, so ``data.mdb`` does not depend
on the number of workers. Reading, decompression, copying and committing all release Python's lock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import takewhile
from pathlib import Path
from typing import Literal

from rico_hdl.converting.converter import PatchConverter
from rico_hdl.converting.labelling import Labelling, add_labels, count_labels
from rico_hdl.converting.ledger import Ledger
from rico_hdl.converting.pipeline import IN_FLIGHT_BYTES, Pipeline, waiting_bytes
from rico_hdl.converting.summary import Summary
from rico_hdl.datasets import resolve
from rico_hdl.errors import InterruptedRunError, SourceError, UsageError
from rico_hdl.observer import Observer, observing
from rico_hdl.patches.opening import Named, StrPath, named_sources, open_all
from rico_hdl.patches.supply import Supply
from rico_hdl.spec import DatasetSpec
from rico_hdl.store import Manifest, StoreWriter, check_target, check_values
from rico_hdl.store.continuing import check_same_dataset
from rico_hdl.store.description import modality_namer
from rico_hdl.system.interruption import deferred_signals
from rico_hdl.system.memory import keep_freed_memory
from rico_hdl.system.processors import checked_workers


def convert(  # noqa: PLR0913 - each is the user's choice
    dataset: StrPath | DatasetSpec,
    sources: Mapping[str, Named] | StrPath,
    target: StrPath,
    *,
    n_workers: int | None = None,
    on_error: Literal["skip", "stop"] = "skip",
    overwrite: bool = False,
    observer: Observer | None = None,
    in_flight_bytes: int = IN_FLIGHT_BYTES,
    check_archives: bool = False,
    labels: Sequence[StrPath] = (),
) -> Summary:
    """Convert a dataset into one LMDB of safetensors records.

    Stored patches are kept, and missing ones are added: the same call continues an interrupted
    conversion, and a call with another modality's source adds that modality.

    Args:
        dataset: The name of a supported dataset such as ``"bigearthnet"``, the path of a TOML file
            that describes another one, or a spec.
        sources: For each wanted modality (such as ``"s2"``), the folder that holds its files, or
            the download: an archive, a list of archives, or a folder that holds archives. Name any
            part of a split archive; the rest is found. A single path is the source of every
            modality that it holds: in the modality's own folder, if it exists, or else anywhere
            below.
        target: The folder for ``data.mdb`` and ``rico-hdl.json``; created with its parents.
        n_workers: Number of threads that read and decode; by default the number of processors that
            this process may use.
        on_error: ``"skip"`` leaves out patches that can't be converted and reports them; ``"stop"``
            ends at the first one, with all earlier patches stored.
        overwrite: Start from scratch: after the sources were checked, remove the contents of the
            target, if rico-hdl wrote them.
        observer: Receives progress.
        in_flight_bytes: Memory for patches between reading and storing. A single patch may take
            half as much again, or 144 MiB if that is more: one that needs more is left out. Files
            of archives that wait for the rest of their patch may take half as much, or 48 MiB.
        check_archives: Compare archives with their published MD5 sums, as far as these are known;
            an archive that differs counts as a failure.
        labels: Files with labels and splits. Without any, those in the sources and next to them are
            used. With files but no sources (``{}``), only the labels of a store are changed.

    Returns:
        The result. ``complete`` is false if anything was left out.

    Raises:
        UsageError: An argument can't be used.
        SourceError: A source can't be used.
        StoreError: The target can't be used, or its disk is full.
        InterruptedRunError: A signal ended the conversion; all stored patches are kept.
    """
    start = time.monotonic()
    keep_freed_memory()
    spec = resolve(dataset)
    if labels and isinstance(sources, Mapping) and not sources:
        if overwrite:
            raise UsageError(
                "overwriting takes sources, and only labels are given",
                "Give the sources, or leave out --overwrite to add labels to the store.",
            )
        return _only_labels(spec, labels, target, observing(observer), start)
    pipeline = Pipeline(PatchConverter(), checked_workers(n_workers), in_flight_bytes)
    folder = _checked_target(target)
    _manifest_of(folder, spec, overwrite=overwrite)
    sources, absent = named_sources(spec, sources)
    supply = _open(spec, sources, folder, thorough=overwrite)
    labelling = Labelling(spec, labels, supply.opened)
    watcher = observing(observer)
    watcher.on_plan(supply.plans[0])
    with (
        deferred_signals() as stop,
        StoreWriter(folder, overwrite=overwrite, modality_of=modality_namer(spec)) as writer,
    ):
        # Read again: another conversion may have ended during planning.
        manifest = _manifest_of(folder, spec, overwrite=overwrite)
        ledger = Ledger(supply, writer, manifest, watcher)
        ledger.begin(absent)
        ledger.warn(*labelling.apply(folder, manifest))

        def must_stop() -> bool:
            return bool(stop) or (on_error == "stop" and bool(ledger.failures))

        items = supply.items(
            ledger.wants,
            check_sums=check_archives,
            sums_in_doubt=ledger.sums_in_doubt,
            max_waiting_bytes=waiting_bytes(in_flight_bytes),
            labels=labelling.gathering,
        )
        with closing(items), closing(pipeline.results(items, must_stop)) as results:
            for result in takewhile(lambda _: not must_stop(), results):
                ledger.take(result)
            finished = not must_stop()
            # Before closing, which may wait for a disk or network mount that hangs.
            ledger.save(finished=finished)
            if finished:
                ledger.warn(*labelling.apply(folder, manifest))
                doubt = labelling.doubt(folder, manifest, writer.__contains__)
                ledger.warn(*filter(None, [doubt]))
    summary = ledger.summary(finished=finished, seconds=time.monotonic() - start)
    count_labels(summary, manifest)
    if stop.signal is not None and not finished:
        raise _interrupted(stop.signal.name, manifest, summary)
    return summary


def _only_labels(
    spec: DatasetSpec,
    labels: Sequence[StrPath],
    target: StrPath,
    watcher: Observer,
    start: float,
) -> Summary:
    """Change the labels of a store; see `convert`."""
    manifest, warnings = add_labels(spec, labels, target)
    for message in warnings:
        watcher.on_warning(message)
    summary = Summary(
        dataset=spec.name,
        target=str(_absolute(target)),
        warnings=warnings,
        seconds=time.monotonic() - start,
        complete=True,
        content_digest=manifest.content_digest,
    )
    count_labels(summary, manifest)
    return summary


def _interrupted(signal: str, manifest: Manifest, summary: Summary) -> InterruptedRunError:
    """The error to raise when a signal ended a conversion."""
    return InterruptedRunError(
        f"stopped by {signal}: {manifest.n_patches} patches are stored in {summary.target}",
        "Run the same command again to continue.",
        summary.to_dict(),
    )


def _absolute(target: StrPath) -> Path:
    return Path(os.path.abspath(Path(target).expanduser()))  # noqa: PTH100 - keeps links


def _checked_target(target: StrPath) -> Path:
    """The target folder, absolute.

    Raises:
        StoreError: It can't be used.
    """
    folder = _absolute(target)
    check_target(folder)
    check_values(folder)
    return folder


def _open(
    spec: DatasetSpec, sources: Mapping[str, Named], target: Path, *, thorough: bool
) -> Supply:
    """Open the sources, and list those that are folders."""
    opened = open_all(spec, sources, thorough=thorough)
    for one in opened:
        for location in one.locations:
            _check_location(location, target)
    return Supply(spec, opened)


def _check_location(location: str, target: Path) -> None:
    """Refuse a source that is the target, or whose path the store can't record."""
    try:
        location.encode()  # manifest and journal are UTF-8
    except UnicodeEncodeError:
        raise SourceError(
            f"the path {location!a} is not UTF-8, so the store can't record it",
            "Rename the folder or archive, or give a symbolic link to it.",
        ) from None
    if os.path.realpath(location) == os.path.realpath(target):
        raise UsageError(f"{target} is given both as a source and as the target")


def _manifest_of(folder: Path, spec: DatasetSpec, *, overwrite: bool) -> Manifest:
    """The manifest to continue, or an empty one."""
    found = None if overwrite or not folder.is_dir() else Manifest.read(folder)
    if found is None:
        return Manifest()
    check_same_dataset(found, spec, folder)
    return found
