"""Comparing a store with the sources it was made from, value by value.

In: a target folder and sources. Out: a `Verification` with every patch whose stored bands differ
from its files. The files are read and decoded again, optionally by GDAL as an independent decoder.
It writes nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from rico_hdl.checking.doubts import Doubts
from rico_hdl.checking.isolated import run_isolated
from rico_hdl.checking.verification import (
    Finding,
    Verification,
)
from rico_hdl.converting.converter import FileDecoder, PatchConverter
from rico_hdl.converting.pipeline import IN_FLIGHT_BYTES, Pipeline, waiting_bytes
from rico_hdl.converting.stored_sources import sources_of
from rico_hdl.decoding.gdal import GdalDecoder
from rico_hdl.errors import RecordError, UsageError
from rico_hdl.observer import Observer, observing
from rico_hdl.patches.archives import wants_all
from rico_hdl.patches.opening import Named
from rico_hdl.patches.supply import Supplied, Supply
from rico_hdl.reading.protocol import Located, Records
from rico_hdl.reading.records import MappedRecords
from rico_hdl.record import decode, parse
from rico_hdl.spec import DatasetSpec
from rico_hdl.store import JOURNAL_NAME
from rico_hdl.system.processors import checked_workers
from rico_hdl.system.sorting import CompactSorted
from rico_hdl.values import (
    ArchiveFailure,
    ArchiveFailureKind,
    Failure,
    PatchFailure,
    Position,
    Record,
    SourceRead,
    printable,
)

if TYPE_CHECKING:
    import numpy as np


def compare_with_sources(  # noqa: PLR0913 - all but two by name
    target: str | os.PathLike[str],
    sources: Mapping[str, Named] | None = None,
    *,
    make_decoder: Callable[[], FileDecoder] | None = None,
    n_workers: int | None = None,
    observer: Observer | None = None,
    isolated: bool = False,
    in_flight_bytes: int = IN_FLIGHT_BYTES,
) -> Verification:
    """Decode the sources of a store again, and compare every value with the stored one.

    Args:
        target: The folder that holds ``data.mdb``.
        sources: The source of each modality to compare, as `rico_hdl.convert` takes it; by default
            those in the manifest.
        make_decoder: Makes a decoder of files; by default the one that conversions use. See
            `rico_hdl.decoding.gdal.GdalDecoder` for an independent one.
        n_workers: Threads; by default the number of processors this process may use.
        observer: Receives progress.
        isolated: Read in a child process, as in `rico_hdl.verify`.
        in_flight_bytes: As for `rico_hdl.convert`.

    Raises:
        StoreError: There is no store, or its sources are unknown.
        SourceError: A source can't be used.
        UsageError: ``n_workers`` is less than 1, or ``make_decoder`` can't be isolated.
    """
    if isolated:
        if make_decoder not in {None, GdalDecoder}:
            raise UsageError(
                "make_decoder is a decoder of your own, which an isolated check can't use",
                "Leave out isolated, or pass GdalDecoder or no make_decoder.",
            )
        sources = dict(sources or {})
        options = {"sources": sources, "make_decoder": make_decoder, "n_workers": n_workers}
        options["in_flight_bytes"] = in_flight_bytes
        return run_isolated("compare_with_sources", target, observer, **options)
    start = time.monotonic()
    n_workers = checked_workers(n_workers)
    pipeline = Pipeline(PatchConverter(make_decoder), n_workers, in_flight_bytes)
    folder = Path(os.path.abspath(Path(target).expanduser()))  # noqa: PTH100 - keeps links
    manifest, spec, opened = sources_of(folder, sources)
    with closing(MappedRecords(folder)) as records:
        records.pages()  # a store that can't be read is known before its sources are
        supply = Supply(spec, opened)
        watcher = observing(observer)
        if not supply.archives:
            watcher.on_start(sum(len(plan) + plan.n_copies for plan in supply.plans))
        result = Verification(str(folder), spec.name)
        comparison = _Comparison(records, result, watcher, manifest.failures)
        # A part of a dataset lacks patches on purpose.
        is_part = manifest.selection is not None
        items = supply.items(
            (lambda key, _: key in records) if is_part else wants_all,
            sums_in_doubt=comparison.sums_in_doubt,
            max_waiting_bytes=waiting_bytes(in_flight_bytes),
        )
        with closing(items), closing(pipeline.results(items)) as results:
            comparison.run(results)
        comparison.look_for_strangers(spec, {one.modality.name for one in opened})
        comparison.look_for_doubts(folder / JOURNAL_NAME)
    result.findings.sort(key=lambda finding: (finding.key, finding.kind))
    result.seconds = time.monotonic() - start
    return result


_WHAT: Final[Mapping[ArchiveFailureKind, str]] = {
    "damaged": "a source can't be read to its end",
    "incomplete": "a source can't be fully accounted for",
    "checksum": "a source is not the published one",
    "unsupported": "a source is in a form that can't be read to its end",
}


class _Comparison:
    """Compares records made from the sources with those of the store."""

    def __init__(
        self,
        stored: Records,
        result: Verification,
        observer: Observer,
        earlier: Sequence[Failure],
    ) -> None:
        self._stored = stored
        self._result = result
        self._observer = observer
        self._seen: CompactSorted[tuple[bytes]] = CompactSorted()
        self._different: dict[bytes, Finding] = {}  # unless an intact source has what is stored
        self._doubts = Doubts()
        self._wrong_sums = {
            (failure.modality, PurePath(failure.path).name): failure
            for failure in earlier
            if isinstance(failure, ArchiveFailure) and failure.kind == "checksum"
        }  # noted by conversions
        self.sums_in_doubt = self._wrong_sums.keys()
        """See `Supply.items`."""

    def run(self, results: Iterable[Record | Supplied]) -> None:
        """Compare all records, and note which sources are intact or in doubt."""
        for result in results:
            if isinstance(result, Record):
                self._compare(result)
            elif isinstance(result, PatchFailure):
                self._failed(result)
            elif isinstance(result, ArchiveFailure):
                self._doubts.fail(result)
            elif isinstance(result, SourceRead):
                self._source_read(result)
            elif isinstance(result, Position) and result.n_bytes:
                self._observer.on_archive(
                    result.modality, result.location, result.n_bytes_read, result.n_bytes
                )

    def _source_read(self, source: SourceRead) -> None:
        name, location = source.origin
        if source.has_unknown_sum:  # a source of this name had a wrong sum before
            failure = self._wrong_sums[name, PurePath(location).name]
            self._doubts.fail(replace(failure, path=location))
        else:
            self._doubts.intact(source.origin)

    def _compare(self, record: Record) -> None:
        key = record.key.decode()
        self._seen.add((record.key,))
        self._result.n_records += 1
        self._result.n_bytes += len(record.data)
        if key not in self._stored:
            reason = f"it is in {record.origin.location}, but not in the store"
            self._find(Finding("missing", key, reason))
        elif reason := self._stored.settled([key], lambda found: _difference(found, record.data)):
            self._different[record.key] = Finding("damaged", key, reason)
        else:
            self._doubts.equal(record.key, record.origin)
        self._observer.on_records(1, len(record.data))

    def _failed(self, failure: PatchFailure) -> None:
        """A patch that can't be converted is fine if it isn't stored."""
        key = failure.key.encode(errors="replace")
        self._seen.add((key,))
        if failure.key in self._stored:
            reason = f"it is stored, but its source can't be read: {failure.reason}"
            self._different[key] = Finding("unexpected", failure.key, reason)

    def look_for_strangers(self, spec: DatasetSpec, names: set[str]) -> None:
        """Find stored records of these modalities whose key no source has."""
        seen = iter(self._seen)
        (known,) = next(seen, (None,))
        for key in self._stored.walk():
            encoded = key.encode(errors="surrogateescape")
            while known is not None and known < encoded:
                (known,) = next(seen, (None,))
            if known != encoded:
                modality = spec.modality_of(key, self._stored.settled([key], _names))
                if modality is not None and modality.name in names:
                    self._find(Finding("extra", printable(key), "no source holds this patch"))

    def look_for_doubts(self, journal: Path) -> None:
        """Find records that no intact source confirms, and archives that prove nothing."""
        for key in self._doubts.proven():
            self._different.pop(key, None)
        self._result.findings += self._different.values()
        left = self._doubts.left(
            journal, lambda key: key.decode(errors="surrogateescape") in self._stored
        )
        for failure in left:
            self._find(Finding("unexpected", "", f"{_WHAT[failure.kind]}: {failure}"))

    def _find(self, finding: Finding) -> None:
        self._result.findings.append(finding)


def _names(found: Sequence[Located]) -> frozenset[str]:
    """The names of a record's bands; empty if it can't be parsed."""
    with found[0].record(0) as record:
        try:
            return frozenset(tensor.name for tensor in parse(record))
        except RecordError:
            return frozenset()


def _difference(found: Sequence[Located], expected: bytes) -> str:
    """The first band and pixel in which a record differs from what it should be, if any."""
    with found[0].record(0) as record:
        return "" if record == expected else _first_band(bytes(record), expected)


def _first_band(stored: bytes, expected: bytes) -> str:
    """The first band and pixel in which two records differ."""
    try:
        ours, theirs = decode(stored), decode(expected)
    except RecordError as error:
        return error.message
    for name, band in theirs.items():
        if name not in ours:
            return f"band {name} is not stored"
        if (ours[name].dtype, ours[name].shape) != (band.dtype, band.shape):
            return (
                f"band {name} is stored as {ours[name].dtype} {ours[name].shape}, "
                f"but its file holds {band.dtype} {band.shape}"
            )
        if place := _first_difference(ours[name], band):
            row, column, n = place
            return (
                f"band {name} differs from its file in {n} pixels, first at row {row}, "
                f"column {column}: stored {ours[name][row, column]}, "
                f"but the file holds {band[row, column]}"
            )
    return f"stored bands that the file lacks: {', '.join(sorted(ours.keys() - theirs.keys()))}"


def _first_difference(a: np.ndarray, b: np.ndarray) -> tuple[int, int, int] | None:
    """(row, column, number of pixels) of bitwise differences, the first zero-based; or None."""
    import numpy as np  # noqa: PLC0415 - only differences pay for it

    bits = f"u{a.dtype.itemsize}"
    rows, columns = np.nonzero(a.view(bits) != b.view(bits))
    return (int(rows[0]), int(columns[0]), len(rows)) if len(rows) else None
