"""Giving patches back as GeoTIFF files.

In: a store and keys. Out: files with the pixels of the records, and everything that the side-car
knows: CRS, transform, nodata, descriptions, metadata. A patch has the files that it was published
as, one for each band or one for all, with the publisher's names as far as the key tells them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.errors import StoreError, UsageError
from rico_hdl.exporting.encoding import Compression, geotiff
from rico_hdl.observer import Observer, observing
from rico_hdl.reading import Store
from rico_hdl.reading.georeferencing import Georeferencing
from rico_hdl.spec import Band, Modality
from rico_hdl.spec.bands import BandFile
from rico_hdl.spec.template import Field
from rico_hdl.values import json_ready, printable

if TYPE_CHECKING:
    import numpy.typing as npt

    from rico_hdl.georef import FileGeoref

_TIFF: Final = (".tif", ".tiff")
_NO_NAMES: Final = frozenset({"", ".", ".."})


@dataclass
class ExportSummary:
    """What was written."""

    folder: str
    """The folder."""
    n_patches: int = 0
    """Patches whose files were written."""
    n_files: int = 0
    """Their files."""
    n_unplaced: int = 0
    """Patches that nothing is known about beyond their pixels."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return json_ready(asdict(self))


def export(  # noqa: PLR0913 - all but two by name
    target: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    keys: Iterable[str] | None = None,
    *,
    compression: Compression = "deflate",
    overwrite: bool = False,
    observer: Observer | None = None,
) -> ExportSummary:
    """Write patches of a store as GeoTIFF files.

    Args:
        target: The folder that holds ``data.mdb``.
        folder: The folder to write to; created with its parents.
        keys: The keys of the patches; all by default.
        compression: ``deflate``, or ``none``.
        overwrite: Replace files that exist.
        observer: Receives progress.

    Raises:
        UnknownKeyError: The store does not have a patch.
        UsageError: A file exists or can't be written, or tifffile is not installed.
        StoreError: There is no store, or it can't be read.
    """
    place = Path(os.path.abspath(Path(folder).expanduser()))  # noqa: PTH100 - keeps links
    summary = ExportSummary(str(place))
    watcher = observing(observer)
    with closing(Store(target)) as store:
        chosen = store.keys() if keys is None else store.locate(keys)
        exporter = _Exporter(store, place, compression, overwrite=overwrite)
        watcher.on_start(len(chosen))
        for key in chosen:
            n_files, n_bytes, is_known = exporter.write(key)
            summary.n_patches += 1
            summary.n_files += n_files
            summary.n_unplaced += not is_known
            watcher.on_records(1, n_bytes)
    return summary


class _Exporter:
    """Writes the files of patches."""

    def __init__(
        self, store: Store, folder: Path, compression: Compression, *, overwrite: bool
    ) -> None:
        self._store = store
        self._folder = folder
        self._compression: Compression = compression
        self._overwrite = overwrite
        self._georeferencing = Georeferencing(store.records)
        self._made: set[Path] = set()

    def write(self, key: str) -> tuple[int, int, bool]:
        """Write the files of a patch: how many, their bytes, and whether its place is known."""
        patch = self._store[key]
        georef = self._georeferencing.find(key)
        spec = self._store.spec
        modality = spec.modality_of(key, patch) if spec is not None else None
        has_siblings = spec is not None and len(spec.modalities) > 1
        groups = _groups(patch, modality)
        n_bytes = 0
        for group in groups:
            file = georef.of(group.names[0]) if georef is not None else None
            data = geotiff([patch[b] for b in group.names], list(_tags(file)), self._compression)
            path = path_of(key, modality, group, is_split=len(groups) > 1)
            # Modalities with a folder of their own may have files of the same names.
            above = modality.folder if modality is not None and has_siblings else ""
            self._save(f"{above}/{path}".lstrip("/"), data)
            n_bytes += len(data)
        return len(groups), n_bytes, georef is not None

    def _save(self, path: str, data: bytes) -> None:
        place = self._folder / path
        if place.exists() and not self._overwrite:
            raise UsageError(
                f"{place} exists already", "Give another folder, or replace it with --overwrite."
            )
        draft = place.with_name(place.name + ".part")
        try:
            if place.parent not in self._made:
                place.parent.mkdir(parents=True, exist_ok=True)
                self._made.add(place.parent)
            draft.write_bytes(data)
            draft.replace(place)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise UsageError(f"{place}: can't be written: {error.strerror or error}") from error


def _tags(file: FileGeoref | None) -> Iterator[tuple[int, int, int, bytes]]:
    """The tags of a file: number, type, number of values, values in little-endian order."""
    if file is None:
        return
    at = 0
    for tag in file.tags.tags:
        value = tag.value
        if value is None:
            value = file.place[at : at + tag.n_bytes]
            at += tag.n_bytes
        yield tag.number, tag.type, tag.n, value


def _groups(patch: dict[str, npt.NDArray[Any]], modality: Modality | None) -> tuple[BandFile, ...]:
    """The files of a patch: those that it was published as, if their bands fit into one."""
    files = modality.band_files if modality is not None else ()
    groups = [file.names for file in files] or [tuple(patch)]
    if files and all(len({(patch[b].shape, patch[b].dtype) for b in g}) == 1 for g in groups):
        return files
    kinds = {(band.shape, band.dtype) for band in patch.values()}
    if len(kinds) == 1:
        return (BandFile(tuple(Band(name) for name in patch), ("",)),)
    return tuple(BandFile((Band(name),), (name,)) for name in patch)


def path_of(key: str, modality: Modality | None, file: BandFile, *, is_split: bool) -> str:
    """The path of a patch's file: the publisher's, from the first folder that the key tells.

    If that leaves out a part of the key, the file is called like the key.

    Args:
        key: The key.
        modality: Its modality; None if unknown.
        file: The file.
        is_split: Whether the patch has several files.

    Raises:
        StoreError: The key leads out of the folder.
    """
    path = f"{key}/{'_'.join(filter(None, (file.folder, file.tokens[0])))}.tif"
    path = path if is_split else f"{key}.tif"
    fields = modality.keys.match(key) if modality is not None else None
    if modality is not None and fields is not None and file in modality.band_files:
        known = {**fields, "band": file.tokens[0], "band_folder": file.folder}
        segments: list[str] = []
        told: set[str] = set()
        for segment in reversed(modality.files.segments):
            needed = {part.name for part in segment.parts if isinstance(part, Field)}
            if not known.keys() >= needed:
                break
            segments.insert(0, segment.format(known))
            told |= needed
        if segments and told >= fields.keys():  # else other patches would have the same path
            path = "/".join(segments)
            stem, suffix = os.path.splitext(path)  # noqa: PTH122 - of a relative path with "/"
            path = path if suffix.lower() in _TIFF else f"{stem}.tif"
    parts = path.split("/")
    if _NO_NAMES & {*parts} or "\0" in path or "\\" in path:
        raise StoreError(
            f"the key {printable(key)!r} can't be the path of a file: {printable(path)!r}",
            "Leave it out: export the other keys with --keys.",
        )
    return path
