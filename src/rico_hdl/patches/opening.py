"""Opening the sources of a modality, before anything is written.

In: the user's paths: a folder of files, archives, or a folder of archives. Out: a folder, or
archives that start with patches of the modality, as far as that can be checked early. Folders are
listed and the beginning of archives is read; nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from rico_hdl.errors import ArchiveError, SourceError, UnsupportedArchiveError, UsageError
from rico_hdl.patches.folders import check_names
from rico_hdl.patches.found import FoundPatch
from rico_hdl.patches.hints import (
    BoundedListing,
    explain_no_patches,
    explain_wrong_modality,
    holds_complete,
    no_patches,
    suggest_inner,
    suggest_other,
)
from rico_hdl.patches.path_listing import PathListing
from rico_hdl.patches.walking import find
from rico_hdl.sources import Archive, FolderSource, Source
from rico_hdl.sources.above import FolderFromAbove, above_of, stem_of
from rico_hdl.sources.leftovers import is_in_leftover
from rico_hdl.sources.opening import archives_in, is_source, open_archive, parts_of
from rico_hdl.spec import DatasetSpec, Modality

StrPath = str | os.PathLike[str]
Named = StrPath | Sequence[StrPath] | Source
"""The accepted forms of a modality's source: see `open_sources`."""

_N_MEMBERS: Final = 2_000
"""Maximum number of members in an archive that are examined before the conversion."""
_N_BYTES: Final = 64 * 2**20
"""Maximum number of bytes of an archive's files that are read for that."""
_MAX_PATH: Final = 4096
"""Longest path of a member that is examined: that of Linux (``PATH_MAX``)."""
_N_ARCHIVES: Final = 3
"""Maximum number of archives of a modality that are searched for a patch."""


@dataclass(frozen=True)
class Opened:
    """The sources of one modality."""

    modality: Modality
    """The modality."""
    folder: Source | None
    """The folder of its files, if they are in one."""
    archives: tuple[Archive, ...] = ()
    """The archives that hold its files, in the order of their names."""
    n_ignored: int = 0
    """Number of archives in the folder, next to the patches, that are not read."""

    @property
    def locations(self) -> list[str]:
        """Where the sources are."""
        folders = [self.folder.location] if self.folder is not None else []
        return folders + [archive.location for archive in self.archives]


@dataclass(frozen=True)
class _Beginning:
    """The beginning of an archive."""

    paths: list[str]
    """The paths of the first members, and of the first patch."""
    ended: bool = False
    """Whether these are all members."""
    damage: ArchiveError | None = None
    """Why reading can't continue, if so."""


def named_sources(
    spec: DatasetSpec, sources: Mapping[str, Named] | StrPath
) -> tuple[Mapping[str, Named], list[str]]:
    """The sources of modalities, named one by one or by a single place.

    Args:
        spec: The dataset.
        sources: The source of each wanted modality, or one place for all of them.

    Returns:
        The sources by modality, and the names of the modalities that the place does not hold.
        Those that are converted on request only are among neither.

    Raises:
        SourceError: The place holds no patch of any modality.
    """
    if isinstance(sources, Mapping):
        return sources, []
    wanted = [one for one in spec.modalities if not one.on_request]
    found = sources_in(spec, sources, wanted)
    return found, [one.name for one in wanted if one.name not in found]


def sources_in(
    spec: DatasetSpec, place: StrPath, modalities: Sequence[Modality]
) -> dict[str, Named]:
    """The source of each modality that a place holds.

    Args:
        spec: The dataset.
        place: A folder or an archive. A modality is looked for in its own folder, if the place has
            a folder of that name, or else in the whole place.
        modalities: The modalities to look for.

    Raises:
        SourceError: The place holds no patch of any of them, or does not exist.
    """
    found: dict[str, Named] = {}
    errors: list[SourceError] = []
    for modality in modalities:
        inner = Path(place).expanduser() / modality.folder
        source = inner if modality.folder and os.path.isdir(inner) else place  # noqa: PTH112
        try:
            _check_holds(spec, modality, source)
            found[modality.name] = source
        except SourceError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    return found


def _check_holds(spec: DatasetSpec, modality: Modality, source: StrPath) -> None:
    """Check that a place holds patches of a modality; archives are read until one is found.

    Raises:
        SourceError: It holds none, or those of another modality.
    """
    opened = open_sources(spec, modality, source, thorough=len(spec.modalities) > 1)
    if opened.folder is None:
        return
    try:
        first = next(find(opened.folder, modality, n_threads=1), None)
    except OSError as error:
        raise SourceError(f"{error.filename}: can't be listed: {error.strerror}") from error
    if first is None:
        raise explain_no_patches(spec, modality, opened.folder)
    if wrong := explain_wrong_modality(spec, modality, opened.folder, first):
        raise wrong


def open_all(
    spec: DatasetSpec, sources: Mapping[str, Named], *, thorough: bool = False
) -> list[Opened]:
    """Open the sources of all given modalities, in the order of the spec.

    Args:
        spec: The dataset.
        sources: The sources of each modality, by its name.
        thorough: See `open_sources`.

    Raises:
        UsageError: No source is given, or one for a modality that the spec lacks.
        SourceError: A source can't be used.
    """
    check_names(spec, sources)
    return [
        open_sources(spec, modality, sources[modality.name], thorough=thorough)
        for modality in spec.modalities
        if modality.name in sources
    ]


def open_sources(
    spec: DatasetSpec,
    modality: Modality,
    named: Named,
    *,
    thorough: bool = False,
) -> Opened:
    """Open the source of a modality.

    Args:
        spec: The dataset.
        modality: The modality.
        named: A folder; archives, any parts of split ones, or folders in them; a folder that holds
            archives; or a source.
        thorough: Whether to search archives until a patch is found, however long that takes, since
            much would be lost if there were none.

    Raises:
        UsageError: Several folders are given, or a folder and archives.
        SourceError: A path does not exist or is not an archive.
    """
    if isinstance(named, str | os.PathLike):
        named = [named]
    if not isinstance(named, Sequence):
        return Opened(modality, named)
    places = [Path(os.path.abspath(Path(name).expanduser())) for name in named]  # noqa: PTH100
    folders = [place for place in places if os.path.isdir(place) or not is_source(place)]  # noqa: PTH112
    if len(folders) > 1 or (folders and len(places) > 1):
        raise UsageError(
            f"{modality.option}: expected one folder, or archives, "
            f"found {', '.join(map(str, places))}",
            "Give one folder that holds them all, or every archive.",
        )
    if folders:
        found, n_ignored = _archives_of(modality, folders[0])
        if not found:
            return Opened(modality, _folder_of(modality, folders[0]), n_ignored=n_ignored)
    else:
        found = list(dict.fromkeys(_first_part(place) for place in places))
    archives = tuple(_opened(spec, modality, path) for path in found)
    _look_into(spec, modality, archives, thorough=thorough)
    return Opened(modality, None, archives)


def _folder_of(modality: Modality, place: Path) -> Source:
    """A folder as a source: seen from above if it is one that the template begins with."""
    source = FolderSource(place)
    above = above_of(modality, place.parts[1:])
    if not above or _has_patch(source, modality):
        return source
    for names in above:
        seen = FolderFromAbove(place, len(names))
        if _has_patch(seen, modality):
            return seen
    return source


def _has_patch(source: Source, modality: Modality) -> bool:
    return next(find(BoundedListing(source), modality, n_threads=1), None) is not None


def _opened(spec: DatasetSpec, modality: Modality, path: Path) -> Archive:
    """An archive; if the modality is never published as such, the error says what it may hold."""
    try:
        return open_archive(path, modality)
    except SourceError as error:
        other = suggest_other(spec, modality, str(path), partial(_may_hold, path))
        error.hint = other or error.hint
        raise


def _may_hold(path: Path, spec: DatasetSpec, modality: Modality) -> bool:
    """Whether a table or store holds a modality that is published as such."""
    in_stores = modality.arrays is not None and not modality.arrays.are_files
    if modality.columns is None and not in_stores:
        return False
    try:
        archive = open_archive(path, modality)
        seen = _beginning(archive, modality, thorough=False)
    except SourceError:
        return False
    return _holds(PathListing(archive.location, seen.paths), spec, modality)


def _first_part(place: Path) -> Path:
    return parts_of(place)[0] if os.path.isfile(place) else place  # noqa: PTH113 - as in opening


def _archives_of(modality: Modality, folder: Path) -> tuple[list[Path], int]:
    """The archives to use in a folder, none if it holds patches; and how many to ignore then."""
    try:
        found = archives_in(folder)
    except OSError:
        return [], 0  # opening a folder that can't be listed raises the error
    # Without published names, any table may hold the patches that a spec finds in tables.
    is_table = modality.columns is not None and not modality.downloads
    others = (".zarr.zip",) if is_table else (".parquet", ".zarr.zip")
    chosen = _published(modality, found) or [
        path for path in found if not path.name.lower().endswith(others)
    ]
    if not chosen:
        return [], 0
    source = BoundedListing(FolderSource(folder))
    if any(not patch.missing for patch in islice(find(source, modality, n_threads=1), 20)):
        return [], len(chosen)
    return [parts_of(path)[0] for path in chosen], 0


def _published(modality: Modality, paths: Sequence[Path]) -> list[Path]:
    """The paths with a published name of the modality's archives, all of one form if any.

    A name with a wildcard is that of all archives of a form. Names without are those of parts that
    belong together, such as the archives of splits.
    """
    whole = [download.name for download in modality.downloads if "*" not in download.name]
    for download in modality.downloads:
        names = whole if download.name in whole else [download.name]
        if any(path.match(download.name) for path in paths):
            return [path for path in paths if any(map(path.match, names))]
    return []


def _look_into(
    spec: DatasetSpec, modality: Modality, archives: Sequence[Archive], *, thorough: bool
) -> None:
    """Look for the modality's patches at the beginning of some archives.

    Raises:
        SourceError: The archives hold patches of something else, or no patches at all.
    """
    errors: list[SourceError] = []
    unsure = False
    for archive in archives:
        seen = _beginning(archive, modality, thorough=False)
        listed = PathListing(archive.location, seen.paths)
        found = _first_patch(listed, modality)
        hint = _hint(spec, modality, archive, listed, seen) if found is None else ""
        if thorough and found is None and not hint and not seen.ended:
            seen = _beginning(archive, modality, thorough=True)
            listed = PathListing(archive.location, seen.paths)
            found = _first_patch(listed, modality)
        if found is not None:
            if error := explain_wrong_modality(spec, modality, listed, found):
                raise error
            return
        if isinstance(seen.damage, UnsupportedArchiveError):
            raise SourceError(seen.damage.message, seen.damage.hint)
        if hint or seen.ended:
            errors.append(no_patches(spec, modality, listed.location, seen.paths[:1], hint))
        else:
            unsure = True
            if seen.damage is not None and thorough:
                errors.append(SourceError(seen.damage.message, seen.damage.hint))
        if len(errors) + unsure >= _N_ARCHIVES and unsure and not thorough:
            return
    if errors and (thorough or not unsure):
        raise errors[0]


def _hint(
    spec: DatasetSpec,
    modality: Modality,
    archive: Archive,
    listed: PathListing,
    seen: _Beginning,
) -> str:
    """What to do with an archive that does not begin with patches of the modality, if known."""
    other = suggest_other(spec, modality, listed.location, partial(_holds, listed))
    return other or suggest_inner(modality, archive.files, seen.paths)


def _beginning(archive: Archive, modality: Modality, *, thorough: bool) -> _Beginning:
    """Read the beginning of an archive, up to its second patch."""
    template = modality.paths_anywhere
    paths: list[str] = []
    patches = set()
    with closing(archive.members()) as members:
        try:
            for member in members:
                if len(member.path) > _MAX_PATH or is_in_leftover(member.path):
                    continue
                values = template.match(member.path)
                if values is not None:
                    patches.add(tuple(values[name] for name in modality.patch_fields))
                if values is not None or len(paths) < _N_MEMBERS:
                    paths.append(member.path)
                far = len(paths) >= _N_MEMBERS or archive.n_bytes_read > _N_BYTES
                if len(patches) > 1 or (far and not thorough):
                    return _Beginning(paths)
        except ArchiveError as error:
            return _Beginning(paths, damage=error)  # the conversion will report it
    return _Beginning(paths, ended=True)


def _first_patch(listed: PathListing, modality: Modality) -> FoundPatch | None:
    """The patch with the fewest files missing."""
    anywhere = replace(modality, files=modality.files.at_any_depth())
    found = find(listed, anywhere, n_threads=1)
    return min(found, key=lambda patch: len(patch.missing), default=None)


def _holds(listed: PathListing, spec: DatasetSpec, modality: Modality) -> bool:
    """Whether an archive's beginning holds a complete patch of a modality."""
    name = Path(listed.location).name
    names = [stem_of(name) if modality.archive_names_folder else name]
    found = _first_patch(listed, modality)
    for (start,) in above_of(modality, names) if found is None else ():
        listed = PathListing(listed.location, [f"{start}/{path}" for path in listed.paths])
        found = _first_patch(listed, modality)
    return found is not None and holds_complete(spec, modality, listed.location, [found])
