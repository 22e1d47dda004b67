"""Comparing a store with the sources it was made from, value by value.

In: a target folder and sources. Out: a `Verification`: every patch whose stored bands are not those
of its files. The files are read and decoded again, on demand by GDAL as an independent judge. It
writes nothing.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rico_hdl.datasets import get
from rico_hdl.errors import RecordError, SourceError, StoreError
from rico_hdl.patch import Failure, Record
from rico_hdl.plan import Plan, make_plan
from rico_hdl.processors import n_usable_processors
from rico_hdl.record import decode
from rico_hdl.sorting import CompactSorted
from rico_hdl.sources import FolderSource, Source
from rico_hdl.spec import DatasetSpec
from rico_hdl.store import Manifest, StoreReader
from rico_hdl.verification import (
    Finding,
    SilentVerificationObserver,
    Verification,
    VerificationObserver,
)
from rico_hdl.workers import DecodesTiff, PatchConverter

if TYPE_CHECKING:
    import numpy as np

_GROUP: Final = 8  # patches handed to a worker at once
_IN_FLIGHT_BYTES: Final = 128 * 2**20


def compare_with_sources(
    target: str | os.PathLike[str],
    sources: Mapping[str, str | os.PathLike[str]] | None = None,
    *,
    make_decoder: Callable[[], DecodesTiff] | None = None,
    n_workers: int | None = None,
    observer: VerificationObserver | None = None,
) -> Verification:
    """Decode the sources of a store again, and compare every value with what is stored.

    Args:
        target: The folder that holds ``data.mdb``.
        sources: The folder of each modality to compare; by default those in the manifest.
        make_decoder: Makes what decodes a file; by default the one that conversions use. See
            `rico_hdl.gdal.GdalDecoder` for an independent one.
        n_workers: Threads; by default the processors this process may use.
        observer: Is told how far it is.

    Raises:
        StoreError: There is no store, or it is not known what it was made from.
        SourceError: A source can't be used.
    """
    start = time.monotonic()
    folder = Path(os.path.abspath(Path(target).expanduser()))  # noqa: PTH100 - keeps links
    spec, folders = _sources_of(folder, sources)
    with StoreReader(folder) as reader:
        result = Verification(str(folder), spec.name)
        comparison = _Comparison(reader, result, observer or SilentVerificationObserver())
        plans = [make_plan(spec, {name: source}) for name, source in folders]
        comparison.run(plans, PatchConverter(make_decoder), n_workers or n_usable_processors())
        names = {name for name, _ in folders}
        comparison.look_for_strangers(
            {frozenset(m.band_names) for m in spec.modalities if m.name in names}
        )
    result.findings.sort(key=lambda finding: (finding.key, finding.kind))
    result.seconds = time.monotonic() - start
    return result


def _sources_of(
    folder: Path, given: Mapping[str, str | os.PathLike[str]] | None
) -> tuple[DatasetSpec, list[tuple[str, Source]]]:
    """The spec of a store, and the sources to compare it with, each with its modality."""
    manifest = Manifest.read(folder) if folder.is_dir() else None
    if manifest is None or manifest.dataset is None:
        raise StoreError(
            f"{folder}: no rico-hdl.json says what this store was made from",
            "Run the conversion's command once more: it finds all patches stored, and writes it.",
        )
    spec = get(manifest.dataset)
    if given:
        return spec, [(name, FolderSource(location)) for name, location in given.items()]
    wanted: list[tuple[str, Source]] = []
    for name, state in manifest.modalities.items():
        there = [location for location in state.sources if Path(location).is_dir()]
        if state.sources and not there:
            raise SourceError(
                f"the source of {name} is not there any more: {', '.join(state.sources)}",
                f"Say where it is now: {spec.modality(name).option} FOLDER",
            )
        wanted += [(name, FolderSource(location)) for location in there]
    if not wanted:
        options = " or ".join(modality.option for modality in spec.modalities)
        raise StoreError(f"{folder}: the manifest names no source", f"Give {options}.")
    return spec, wanted


class _Comparison:
    """One pass over the sources."""

    def __init__(
        self, reader: StoreReader, result: Verification, observer: VerificationObserver
    ) -> None:
        self._reader = reader
        self._result = result
        self._observer = observer
        self._seen: CompactSorted[tuple[bytes]] = CompactSorted()
        self._largest = 0

    def run(self, plans: Sequence[Plan], converter: PatchConverter, n_workers: int) -> None:
        """Convert all patches of some plans again and compare them."""
        self._observer.on_start(sum(len(plan) for plan in plans))
        for plan in plans:
            for failure in plan.failures:
                self._failed(failure)
        patches = (patch for plan in plans for patch in plan)
        pending: deque[Future[list[Record | Failure]]] = deque()
        with (
            ThreadPoolExecutor(n_workers, "rico-hdl-compare") as pool,
            self._reader.transaction() as stored,
        ):
            try:
                while group := list(islice(patches, self._group_size())):
                    pending.append(pool.submit(converter.convert, group))
                    while len(pending) > self._n_pending(n_workers):
                        self._take(pending.popleft().result(), stored)
                while pending:
                    self._take(pending.popleft().result(), stored)
            finally:
                for future in pending:
                    future.cancel()

    def _group_size(self) -> int:
        return 1 if self._largest == 0 or self._largest > 2**20 else _GROUP

    def _n_pending(self, n_workers: int) -> int:
        """Groups in flight: none while sizes are unknown, then as many as memory allows."""
        if self._largest == 0:
            return 0
        return min(2 * n_workers, _IN_FLIGHT_BYTES // (3 * self._largest * self._group_size()))

    def _take(
        self, results: list[Record | Failure], stored: Callable[[bytes], memoryview | None]
    ) -> None:
        for result in results:
            if isinstance(result, Failure):
                self._failed(result)
                continue
            self._largest = max(self._largest, len(result.data))
            self._seen.add((result.key,))
            self._result.n_records += 1
            self._result.n_bytes += len(result.data)
            value = stored(result.key)
            if value is None:
                reason = f"it is in {result.origin.location}, and not in the store"
                self._find(Finding("missing", result.key.decode(), reason))
            elif value != result.data:
                reason = _difference(value, result.data)
                self._find(Finding("damaged", result.key.decode(), reason))
            self._observer.on_records(1, len(result.data))

    def _failed(self, failure: Failure) -> None:
        """A patch that can't be converted is fine as long as it is not stored."""
        key = failure.key.encode(errors="replace")
        self._seen.add((key,))
        with self._reader.transaction() as stored:
            if stored(key) is not None:
                reason = f"it is stored, but its source can't be read: {failure.reason}"
                self._find(Finding("unexpected", failure.key, reason))

    def look_for_strangers(self, bands: set[frozenset[str]]) -> None:
        """Find stored records with these bands that no source has."""
        seen = iter(self._seen)
        (known,) = next(seen, (None,))
        for key, value in self._reader.records():
            while known is not None and known < key:
                (known,) = next(seen, (None,))
            if known != key and _names(value) in bands:
                self._find(
                    Finding("extra", key.decode(errors="replace"), "no source holds this patch")
                )

    def _find(self, finding: Finding) -> None:
        self._result.findings.append(finding)


def _names(record: memoryview) -> frozenset[str]:
    try:
        return frozenset(decode(record))
    except RecordError:
        return frozenset()


def _difference(stored: memoryview, expected: bytes) -> str:
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
                f"its file holds {band.dtype} {band.shape}"
            )
        if place := _first_difference(ours[name], band):
            row, column, n = place
            return (
                f"band {name} differs from its file in {n} pixels, first at row {row}, "
                f"column {column}: stored {ours[name][row, column]}, "
                f"the file holds {band[row, column]}"
            )
    return f"stored bands that the file lacks: {', '.join(sorted(ours.keys() - theirs.keys()))}"


def _first_difference(a: np.ndarray, b: np.ndarray) -> tuple[int, int, int] | None:
    """(zero-based row, column, number of pixels that differ) in bits, or None."""
    import numpy as np  # noqa: PLC0415 - only differences pay for it

    bits = f"u{a.dtype.itemsize}"
    rows, columns = np.nonzero(a.view(bits) != b.view(bits))
    return (int(rows[0]), int(columns[0]), len(rows)) if len(rows) else None
