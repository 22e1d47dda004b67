"""Keeping what files say beyond pixels afterwards, for stores that lack it.

In: a store and its sources. Out: the side-car ``rico-hdl.georef``. Neither ``data.mdb`` nor the
journal is changed. Of files in folders, only the beginning is read, as far as the tags are there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rico_hdl.converting.stored_sources import sources_of
from rico_hdl.converting.tags import PatchTags, has_tags
from rico_hdl.datasets import resolve
from rico_hdl.decoding.geotags import KeptTags, read_entries
from rico_hdl.errors import ArchiveError, InterruptedRunError, StoreError, UsageError
from rico_hdl.georef.affine import shape_of
from rico_hdl.observer import Observer, observing
from rico_hdl.patches.opening import Named, Opened, StrPath, open_all
from rico_hdl.patches.supply import Supplied, Supply
from rico_hdl.reading.protocol import Located
from rico_hdl.reading.records import MappedRecords
from rico_hdl.sources import FolderSource
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.store import MANIFEST_NAME, Manifest, check_target
from rico_hdl.store.georef_writer import GeorefWriter, known_keys, writers_locked_out
from rico_hdl.system.hashes import HashSet
from rico_hdl.system.interruption import StopFlag, deferred_signals
from rico_hdl.values import ArchiveFailure, Failure, Patch, PatchFailure, Position, json_ready

_START_BYTES: Final = 2**14
"""What is read of a file at first: GDAL and libtiff write the tags before the pixels."""
_AT_ONCE: Final = 2000
"""Patches that are written to disk together."""


@dataclass
class GeorefSummary:
    """What was kept."""

    target: str
    """The store, absolute."""
    n_noted: int = 0
    """Patches whose files were read by this call."""
    n_unknown: int = 0
    """Stored patches that nothing is known about: none of the sources has them, or see
    `failures`."""
    failures: list[Failure] = field(default_factory=list)
    """Patches whose files can't be read or are not those that were stored; archives in doubt."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        failures = [failure.to_dict() for failure in self.failures]
        return json_ready(asdict(self) | {"failures": failures})


def keep_georeferencing(
    target: StrPath,
    sources: Mapping[str, Named] | None = None,
    *,
    dataset: StrPath | DatasetSpec | None = None,
    observer: Observer | None = None,
) -> GeorefSummary:
    """Note what the files of a store's patches say beyond pixels: where they are, nodata, metadata.

    Conversions do this themselves. This is for stores of version 0.1.0 or of the original rico-hdl,
    and for those whose ``rico-hdl.georef`` was lost or damaged. Patches that it knows are skipped.

    Args:
        target: The folder that holds ``data.mdb``.
        sources: The source of each modality, as `rico_hdl.convert` takes it; by default those that
            the manifest names.
        dataset: The dataset, as `rico_hdl.convert` takes it, if the store has no manifest.
        observer: Receives progress.

    Raises:
        StoreError: There is no store, its sources are unknown, or another process writes to it.
        SourceError: A source can't be used.
        UsageError: None of the sources has files that say anything.
        InterruptedRunError: A signal ended it; the same call continues.
    """
    folder = Path(os.path.abspath(Path(target).expanduser()))  # noqa: PTH100 - keeps links
    summary = GeorefSummary(str(folder))
    with closing(MappedRecords(folder)) as records:
        records.pages()  # a store that can't be read is known before its sources are
        check_target(folder)
        spec, opened = _opened(folder, sources, dataset, records)
        opened = [one for one in opened if has_tags(one.modality)]
        if not opened:
            raise UsageError(
                f"{folder}: none of its sources has TIFF files",
                "Files of other formats say nothing beyond their pixels.",
            )
        supply = Supply(spec, opened)
        watcher = observing(observer)
        watcher.on_plan(supply.plans[0])
        with (
            deferred_signals() as stop,
            writers_locked_out(folder),
            closing(GeorefWriter(folder)) as writer,
        ):
            run = _Keeping(records, writer, known_keys(folder), summary, watcher)
            run.take_all(supply, stop)
            if stop.signal is not None:
                raise InterruptedRunError(
                    f"stopped by {stop.signal.name}: {summary.n_noted} patches are noted",
                    "Run the same command again to continue.",
                    summary.to_dict(),
                )
        names = {one.modality.name for one in opened}
        summary.n_unknown = _n_unknown(folder, records, spec, names)
    return summary


def _opened(
    folder: Path,
    sources: Mapping[str, Named] | None,
    dataset: StrPath | DatasetSpec | None,
    records: MappedRecords,
) -> tuple[DatasetSpec, list[Opened]]:
    """The dataset of a store, and its sources."""
    if dataset is None and (folder / MANIFEST_NAME).exists():
        _, spec, opened = sources_of(folder, sources)
        return spec, opened
    if dataset is None:
        dataset = records.catalogue.dataset
    if dataset is None:
        raise StoreError(
            f"{folder}: nothing says which dataset this is",
            "Name it: --dataset NAME, or --dataset FILE.toml.",
        )
    spec = resolve(dataset)
    manifest = Manifest.read(folder)
    if manifest is not None and manifest.dataset not in {None, spec.name}:
        raise UsageError(f"{folder} holds {manifest.dataset}, not {spec.name}")
    if not sources:
        options = " or ".join(modality.option for modality in spec.modalities)
        raise StoreError(f"{folder}: nothing names the sources of this store", f"Give {options}.")
    return spec, open_all(spec, sources)


class _Keeping:
    """Notes the tags of patches that are stored and not known."""

    def __init__(
        self,
        records: MappedRecords,
        writer: GeorefWriter,
        known: HashSet,
        summary: GeorefSummary,
        observer: Observer,
    ) -> None:
        self._records = records
        self._writer = writer
        self._known = known
        self._summary = summary
        self._observer = observer
        self._tags: dict[str, PatchTags] = {}

    def wants(self, key: str, modality: Modality) -> bool:
        """Whether the tags of a patch are to be noted."""
        del modality
        return key in self._records and hash(key.encode()) not in self._known

    def take_all(self, supply: Supply, stop: StopFlag) -> None:
        """Note the tags of all patches, in order."""
        n = 0
        with closing(supply.items(self.wants)) as items:
            for item in items:
                if stop:
                    break
                self._take(item)
                n += 1
                if n % _AT_ONCE == 0:
                    self._writer.write()
        self._writer.write()

    def _take(self, item: Supplied) -> None:
        if isinstance(item, ArchiveFailure):
            self._fail(item)
        elif isinstance(item, Position) and item.n_bytes:
            self._observer.on_archive(item.modality, item.location, item.n_bytes_read, item.n_bytes)
        elif isinstance(item, Patch):
            found = self._tags_of(item)
            if isinstance(found, PatchFailure):
                self._fail(found)
                return
            key = item.key.encode()
            self._known.add(hash(key))
            self._writer.note_tags(key, found, self._tags[item.modality.name].time(item))
            self._summary.n_noted += 1
            self._observer.on_patches(item.modality.name, 1, 0)

    def _fail(self, failure: Failure) -> None:
        self._summary.failures.append(failure)
        self._observer.on_failure(failure)

    def _tags_of(self, patch: Patch) -> KeptTags | PatchFailure:
        """The tags of a patch's files, if they may be those that were stored."""
        modality, path = patch.modality, patch.paths[0]
        keepers = self._tags.setdefault(modality.name, PatchTags(modality, len(patch.paths)))
        said = []
        try:
            for path, keep in zip(patch.paths, keepers.keepers, strict=True):
                said.append(keep(_beginning(patch, path)))
        except OSError as error:
            patch.source.check()
            return _failure(patch, path, error.strerror or str(error))
        except ArchiveError as error:
            patch.source.check()
            return _failure(patch, path, error.message)
        found = keepers.kept(said)
        if found is None:
            return _failure(patch, path, "the archive has decoded it: its tags are unknown")
        stored = self._records.settled([patch.key], self._shapes)
        shapes = [shape_of(file) for file in found.files]
        expected = [stored.get(file.names[0]) for file in modality.band_files]
        if shapes != expected:
            return _failure(
                patch, path, f"the file has {shapes[-1]} pixels, but {expected[-1]} are stored"
            )
        return found

    def _shapes(self, located: Sequence[Located]) -> dict[str, tuple[int, ...]]:
        """The shapes of a record's bands, by name."""
        (_, file, places), *_ = located
        start, stop = places[0].tolist()
        return dict(self._records.layout(file, start, stop, "").shape_of)


def _beginning(patch: Patch, path: str) -> bytes:
    """A file, or its beginning with all tags."""
    source = patch.source
    if isinstance(source, FolderSource):
        data = source.read_beginning(path, _START_BYTES)
        if len(data) < _START_BYTES or read_entries(data).needed <= len(data):
            return data
    content = source.read(path)
    return content if isinstance(content, bytes) else b""


def _failure(patch: Patch, path: str, reason: str) -> PatchFailure:
    where = f"{patch.source.location}/{path}"
    return PatchFailure(patch.key, patch.modality.name, where, None, reason)


def _n_unknown(folder: Path, records: MappedRecords, spec: DatasetSpec, names: set[str]) -> int:
    """The number of stored patches of some modalities that nothing is known about."""
    known = known_keys(folder)
    wanted = [modality for modality in spec.modalities if modality.name in names]
    return sum(
        hash(key.encode(errors="surrogateescape")) not in known
        and any(modality.may_have(key) for modality in wanted)
        for key in records.walk()
    )
