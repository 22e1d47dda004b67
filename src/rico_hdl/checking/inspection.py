"""A summary of a store's contents.

In: a target folder written by this tool or by the original rico-hdl. Out: a `StoreInfo`. It reads
the journal and the manifest, and records only if there is no journal. It writes nothing.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from rico_hdl.datasets import recognised
from rico_hdl.errors import RecordError, StoreError
from rico_hdl.reading.protocol import Located, Records
from rico_hdl.reading.records import MappedRecords
from rico_hdl.record import parse
from rico_hdl.spec import DatasetSpec
from rico_hdl.store import (
    DATA_NAME,
    JOURNAL_NAME,
    LayoutCount,
    Manifest,
    digest,
    layouts_of,
    read_journal,
    spec_of,
    unsettled,
)
from rico_hdl.store.length import check_length
from rico_hdl.store.totals import ModalityTotals, Totals
from rico_hdl.values import ArchiveFailure, Layout, json_ready

MAX_SAMPLES: Final = 1000
"""Records that are sampled in a store without a journal, to find out its bands."""


@dataclass
class ModalityInfo:
    """One modality's part of a store."""

    n_patches: int = 0
    """Records; only those in the sample, if there is no journal."""
    n_bytes: int = 0
    """Bytes of these records."""
    n_constant: int = 0
    """Records with one value in all pixels of each band."""
    layouts: list[LayoutCount] = field(default_factory=list)
    """Bands with dtypes and shapes, most frequent combination first, at most ten."""
    n_deviating: int = 0
    """Records whose layout is not the most frequent one."""
    sources: list[str] = field(default_factory=list)
    """The sources that the records came from."""
    n_published: int | None = None
    """The number of patches that the publisher states."""
    complete: bool | None = None
    """Whether the last conversion left nothing out; None if unknown."""


@dataclass
class StoreInfo:
    """A summary of a store's contents."""

    target: str
    """The folder, absolute."""
    dataset: str | None = None
    """The dataset's name; None if unknown."""
    tool: str | None = None
    """The tool and version that wrote the store; None without a manifest."""
    n_records: int = 0
    """All records."""
    n_file_bytes: int = 0
    """Length of ``data.mdb``."""
    n_looked_at: int | None = None
    """Number of records that the figures by modality cover; None for all of them."""
    modalities: dict[str, ModalityInfo] = field(default_factory=dict)
    """By the modality's name; ``unknown`` for records of no known modality."""
    content_digest: str | None = None
    """Digest of all keys and values, as noted when they were written; None without a journal."""
    n_failures: int = 0
    """Patches that the last conversions left out."""
    damaged: list[str] = field(default_factory=list)
    """Archives that were found damaged and whose patches have not all been compared with an intact
    copy: for each, what is wrong and where."""
    incomplete: list[str] = field(default_factory=list)
    """Archives that could not be fully accounted for, in the same form: patches may be missing, but
    those that were read are not in doubt."""
    complete: bool | None = None
    """Whether nothing is missing; None if unknown."""
    selection: dict[str, Any] | None = None
    """The criteria that its patches meet, as in the manifest; None for all patches."""
    made_of: dict[str, Any] | None = None
    """The stores that it was made of, as in the manifest; None for a conversion."""
    labels: dict[str, Any] | None = None
    """What the manifest says about labels: numbers of samples and of labels, classes, splits; None
    without labels."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return json_ready(asdict(self))


def inspect(target: str | os.PathLike[str]) -> StoreInfo:
    """Summarize a store's contents.

    Args:
        target: The folder that holds ``data.mdb``.

    Raises:
        StoreError: There is no store, or it can't be read.
    """
    folder = Path(os.path.abspath(Path(target).expanduser()))  # noqa: PTH100 - keeps links
    manifest = Manifest.read(folder) if folder.is_dir() else None
    records = MappedRecords(folder)
    records.check()
    info = StoreInfo(str(folder), n_records=len(records))
    check_length(folder / DATA_NAME)
    info.n_file_bytes = (folder / DATA_NAME).stat().st_size
    is_complete = manifest is not None and manifest.complete
    totals = _noted(records, folder / JOURNAL_NAME, is_complete=is_complete)
    spec = spec_of(manifest)
    if totals.n_records != info.n_records:
        spec, totals = _look(records, spec)
        info.n_looked_at = min(MAX_SAMPLES, info.n_records)
    if info.n_looked_at is None:
        info.content_digest = digest.to_text(totals.digest)
    info.dataset = spec.name if spec else None
    _describe(info, totals, spec)
    if manifest is not None:
        info.tool = manifest.tool
        info.selection, info.made_of = manifest.selection, manifest.made_of
        info.labels = manifest.labels
        archives = [f for f in manifest.failures if isinstance(f, ArchiveFailure)]
        info.damaged = [str(f) for f in archives if f.leaves_doubt]
        info.incomplete = [str(f) for f in archives if not f.leaves_doubt]
        info.n_failures = len(manifest.failures) - len(archives) + len(manifest.other_failures)
        info.complete = manifest.complete and manifest.n_patches == info.n_records
        for name, state in manifest.modalities.items():
            part = info.modalities.setdefault(name, ModalityInfo())
            part.sources, part.complete = state.sources, state.complete
    return info


def _noted(records: Records, path: Path, *, is_complete: bool) -> Totals:
    """The journal's totals, without what an interrupted conversion noted but did not commit."""

    def get(key: bytes) -> memoryview | None:
        name = key.decode(errors="surrogateescape")
        if name not in records:
            return None
        return memoryview(records.settled([name], lambda found: bytes(found[0].record(0))))

    try:
        state = read_journal(path)
        if not is_complete:
            for entry in unsettled(path, state.last, get):
                state.totals.apply(entry)
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}") from error
    return state.totals


def _describe(info: StoreInfo, totals: Totals, spec: DatasetSpec | None) -> None:
    known = {modality.name: modality for modality in spec.modalities} if spec else {}
    for name in sorted(totals.modalities, key=lambda name: [*known, name].index(name)):
        part = totals.modalities[name]
        if not part.n_patches:
            continue
        modality = known.get(name)
        layouts = layouts_of(part, modality.band_names if modality else ())
        info.modalities[name or "unknown"] = ModalityInfo(
            n_patches=part.n_patches,
            n_bytes=part.n_bytes,
            n_constant=part.n_constant,
            layouts=layouts,
            n_deviating=part.n_patches - layouts[0].n_patches if layouts else 0,
            sources=sorted({*part.locations} - {""}),
            n_published=modality.n_published if modality else None,
        )


def _look(records: Records, spec: DatasetSpec | None) -> tuple[DatasetSpec | None, Totals]:
    """Totals of a sample of records, and the dataset that fits them best."""
    found = list(_sample(records))
    keys: defaultdict[frozenset[str], list[str]] = defaultdict(list)
    for key, layout, _ in found:
        keys[frozenset(name for name, _, _ in layout)].append(key)
    if spec is None:
        spec = recognised(lambda one: _fit(one, keys))
    totals = Totals()
    for key, layout, n_bytes in found:
        modality = spec.modality_of(key, [band for band, _, _ in layout]) if spec else None
        part = totals.modalities.setdefault(modality.name if modality else "", ModalityTotals())
        part.n_patches += 1
        part.n_bytes += n_bytes
        part.layouts[layout] += 1
    return spec, totals


def _fit(spec: DatasetSpec, keys: Mapping[frozenset[str], Sequence[str]]) -> tuple[int, int]:
    """The number of records with the bands of one of the dataset's modalities, and with its keys.

    Args:
        spec: The dataset.
        keys: The keys of all records, by their bands.
    """
    n_alike = n_named = 0
    for names, found in keys.items():
        alike = [m for m in spec.modalities if set(m.band_names) == names]
        n_alike += len(found) if alike else 0
        n_named += sum(any(m.may_have(key) for m in alike) for key in found)
    return n_alike, n_named


def _sample(records: Records) -> Iterator[tuple[str, Layout, int]]:
    """Key, layout and length of records at equal distances in the order of keys."""
    step = max(1, len(records) // MAX_SAMPLES)
    for key in list(islice(records.walk(), 0, None, step))[:MAX_SAMPLES]:
        yield key, *records.settled([key], _layout_of)


def _layout_of(found: Sequence[Located]) -> tuple[Layout, int]:
    """The layout of a record, empty if it can't be parsed, and its length."""
    with found[0].record(0) as record:
        try:
            layout = tuple(sorted((t.name, t.dtype, t.shape) for t in parse(record)))
        except RecordError:
            layout = ()
        return layout, len(record)
