"""Explaining why a source holds no patch of a modality.

In: a spec, a modality and a source without its patches. Out: an error that says what was expected,
what was found, and what to try. A bounded number of folders is listed, and of a few files the first
bytes are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, islice
from pathlib import Path, PurePath

from rico_hdl.datasets import all_usable, registry, usable
from rico_hdl.decoding.foreign import form_of_file
from rico_hdl.errors import SourceError
from rico_hdl.patches.found import FoundPatch, paths_of
from rico_hdl.patches.walking import find, find_within
from rico_hdl.sources import FolderEntry, FolderSource, Lists
from rico_hdl.sources.above import ListingFromAbove, above_of
from rico_hdl.sources.leftovers import is_leftover
from rico_hdl.sources.opening import is_called_archive, shell_command
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.spec.bands import BAND_FIELD
from rico_hdl.values import printable

_MAX_LISTINGS = 200  # folders listed per search; a home folder must not be searched completely
_N_FILES = 5  # files whose first bytes are read
_N_OTHER = 5  # folders below the given one that are compared with all datasets
_N_UP = 4  # folders to try above the given one: scene, tile, class or row, and those above them


class BoundedListing:
    """A source that appears empty after a number of listings."""

    def __init__(self, source: Lists) -> None:
        self._source = source
        self._n_left = _MAX_LISTINGS

    @property
    def location(self) -> str:
        """See `Source.location`."""
        return self._source.location

    def entries(self, folder: str) -> list[FolderEntry]:
        """See `Source.entries`; empty once the bound is reached, or if listing fails."""
        self._n_left -= 1
        try:
            return self._source.entries(folder) if self._n_left >= 0 else []
        except OSError:
            return []

    def names(self, folder: str) -> list[str]:
        """See `Source.names`."""
        return [entry.name for entry in self.entries(folder)]


class _Remembered:
    """A source that lists each folder once, for a comparison with many modalities."""

    def __init__(self, source: Lists) -> None:
        self._source = source
        self._entries: dict[str, list[FolderEntry]] = {}

    @property
    def location(self) -> str:
        """See `Source.location`."""
        return self._source.location

    def entries(self, folder: str) -> list[FolderEntry]:
        """See `Source.entries`."""
        if folder not in self._entries:
            self._entries[folder] = self._source.entries(folder)
        return self._entries[folder]

    def names(self, folder: str) -> list[str]:
        """See `Source.names`."""
        return [entry.name for entry in self.entries(folder)]


def explain_no_patches(spec: DatasetSpec, modality: Modality, source: Lists) -> SourceError:
    """The error for a folder without a patch of the modality."""
    entries = _without_leftovers(source.entries(""))
    seen = [entry.name + "/" * entry.is_folder for entry in entries]
    example = _first_file(source)
    hint = "" if entries else "Check the path; you don't need to unpack archives."
    hint = hint or suggest(spec, modality, source) or _suggest_command(source, entries)
    return no_patches(spec, modality, source.location, seen, hint, example=example)


def _suggest_command(source: Lists, entries: Sequence[FolderEntry]) -> str:
    """What to do with a file in a form that is not supported, if a folder holds one; or empty."""
    for entry in entries[:_N_FILES]:
        path = Path(source.location) / entry.name
        with suppress(OSError):
            if path.is_file() and (form := form_of_file(path)) and form.advice:
                return f"{entry.name} is {form.what}. {form.advice.format(name=entry.name)}"
    return ""


def no_patches(  # noqa: PLR0913 - parts of one message
    spec: DatasetSpec,
    modality: Modality,
    location: str,
    seen: Sequence[str],
    hint: str,
    *,
    example: str = "",
) -> SourceError:
    """The error for a source without a patch of the modality.

    Args:
        spec: The dataset.
        modality: The modality.
        location: Where the source is.
        seen: Names or paths found instead.
        hint: What to try instead.
        example: A file further down.
    """
    found = ", ".join(seen[:5]) + ", …" * (len(seen) > 5) if seen else "nothing, it is empty"
    found += f" (such as {example})" if example else ""
    return SourceError(
        f"no {spec.title} {modality.title} in {location}\n"
        f"  looked for  {modality.files.description}\n"
        f"     such as  {modality.example}\n"
        f"       found  {printable(found)}",
        hint or f"See the expected files with: rico-hdl datasets {spec.name}",
    )


def _first_file(source: Lists) -> str:
    """A file a few folders down, as an example of the contents; empty if none is near."""
    path = ""
    for _ in range(_N_UP):
        entries = _without_leftovers(BoundedListing(source).entries(path))
        files = [entry.name for entry in entries if not entry.is_folder]
        if files or not entries:
            return path + files[0] if files and path else ""
        path += f"{entries[0].name}/"
    return ""


def _without_leftovers(entries: Sequence[FolderEntry]) -> list[FolderEntry]:
    return [entry for entry in entries if not is_leftover(entry.name)]


def explain_wrong_modality(
    spec: DatasetSpec, modality: Modality, source: Lists, found: FoundPatch
) -> SourceError | None:
    """The error for a source whose first patch fits another modality or dataset better, or None.

    Sibling modalities may share a layout and differ only in their bands, as Sentinel-2 L1C and L2A
    do in SSL4EO-S12. The modality with more bands present, or with no band missing, is meant.
    """
    if other_dataset := _dataset_around(spec, modality, source.location, found):
        title, hint = other_dataset
        first = paths_of(modality, found.prefix, found.values)[0]
        return SourceError(
            f"{source.location}: expected {spec.title} {modality.title}, found {title}, such as "
            f"{printable(first)}",
            hint,
        )
    n_here = len(modality.bands) - len(found.missing)
    if not modality.is_split:
        return None  # a file does not tell by its name which bands it holds
    for other in spec.modalities:
        if other is modality or str(other.files) != str(modality.files):
            continue
        paths = paths_of(other, found.prefix, found.values)
        if not _are_there(source, paths):
            continue
        folder = paths[0].rpartition("/")[0]
        if found.missing or len(other.bands) > n_here:
            return SourceError(
                f"{source.location}: expected {spec.title} {modality.title}, "
                f"found {other.title}: {folder} holds all of its {len(other.bands)} bands",
                f"Give this folder as {other.option}.",
            )
    return None


def _are_there(source: Lists, paths: Sequence[str]) -> bool:
    """Whether a source has all of some files."""
    names: set[str] = set()
    for folder in {path.rpartition("/")[0] for path in paths}:
        with suppress(OSError):
            names |= {f"{folder}/{name}".lstrip("/") for name in source.names(folder)}
    return names.issuperset(paths)


def _dataset_around(
    spec: DatasetSpec, modality: Modality, location: str, found: FoundPatch
) -> tuple[str, str] | None:
    """The dataset that a patch belongs to if its folders are considered as well.

    Sibling datasets may share the names of files, and one of them has more folders around them:
    Sentinel-1 patches of BigEarthNet v2.0 are those of v1.0 in folders of scenes. The commands of
    siblings begin with the same word; other specs are not imported, since every conversion looks
    here.

    Returns:
        The title of that dataset and modality, and the command to convert them; None if the patch
        belongs to no other dataset. Patches of a spec that is not registered may belong to any.
    """
    if usable(spec.name) != spec:
        return None
    inside = paths_of(modality, found.prefix, found.values)[0]
    path = f"{Path(location).as_posix()}/{inside}".lstrip("/")
    family = spec.name.partition("-")[0]
    names = [name for name in registry() if name.partition("-")[0] == family and name != spec.name]
    for candidate in filter(None, map(usable, names)):
        for other in candidate.modalities:
            n_folders = len(other.files.segments) - 1
            if n_folders < len(modality.files.segments):
                continue
            if not other.files.patterns or other.fields_of(path) is None:
                continue
            n_above = n_folders - inside.count("/")
            place = Path(location).parents[n_above - 1] if n_above > 0 else Path(location)
            command = f"rico-hdl {candidate.name} {other.option} {place}"
            return f"{candidate.title} {other.title}", f"Try: {command}"
    return None


def suggest(spec: DatasetSpec, modality: Modality, source: Lists) -> str | None:
    """What to try instead of a source without a complete patch of the modality, if anything."""
    return next(_elsewhere(spec, modality, Path(source.location)), None) or None


def _elsewhere(spec: DatasetSpec, modality: Modality, root: Path) -> Iterator[str]:
    """What to try instead, most likely first."""
    for folder in _below(root):
        if _holds(folder, spec, modality):
            yield f"Try: {modality.option} {folder}"
    for folder in islice(root.parents, _N_UP):
        if _holds(folder, spec, modality, within=root):
            yield f"Try a folder further up: {modality.option} {folder}"
    for folder in (root, *islice(_below(root), _N_OTHER)):
        try:
            listing = _Remembered(FolderSource(folder))
        except SourceError:
            continue
        holds = partial(_holds_patches, listing)
        if other := suggest_other(spec, modality, listing.location, holds):
            yield other


def suggest_other(
    spec: DatasetSpec,
    modality: Modality,
    location: str,
    holds: Callable[[DatasetSpec, Modality], bool],
) -> str:
    """Suggest another modality or dataset for a source; empty if none is recognised.

    Args:
        spec: The dataset.
        modality: The modality that the source does not hold.
        location: Where the source is.
        holds: Whether the source holds patches of a dataset's modality.
    """
    for other in spec.modalities:
        if other is not modality and holds(spec, other):
            return f"It holds {other.title}: give it as {other.option} {location}"
    commands = []
    for candidate in all_usable():
        telling = [m for m in candidate.modalities if candidate.name != spec.name and _tells(m)]
        if options := [m.option for m in telling if holds(candidate, m)]:
            command = f"rico-hdl {candidate.name} {options[0]} {location}"
            commands.append(f"{candidate.title}: {command}")
    if len(commands) == 1:
        return f"It looks like {commands[0]}"
    return "\n  ".join(["Its names fit several datasets:", *commands]) if commands else ""


def _tells(modality: Modality) -> bool:
    """Whether paths that match a modality's template are unlikely to be of anything else.

    They are if the template has words besides the suffix, a pattern, names of bands, or a field
    that occurs more than once.
    """
    parts = [part for segment in modality.files.segments for part in segment.parts]
    words = "".join(part for part in parts if isinstance(part, str))
    names = [part.name for part in parts if not isinstance(part, str)]
    return (
        any(map(str.isalnum, words.rpartition(".")[0]))
        or bool(modality.files.patterns)
        or BAND_FIELD in names
        or len(set(names)) < len(names)
    )


def suggest_inner(modality: Modality, files: Sequence[Path], paths: Sequence[str]) -> str:
    """Suggest to unpack an archive if it holds nothing but archives so far; empty otherwise.

    Args:
        modality: The modality that was looked for.
        files: The files of the archive.
        paths: The paths of its first members.
    """
    if not paths or not all(is_called_archive(path) for path in paths):
        return ""
    names = [download.name for download in modality.downloads]
    wanted = [path for path in paths if any(PurePath(path).match(name) for name in names)]
    is_zip = ".zip" in files[-1].name.lower()
    command = shell_command("unzip" if is_zip else "tar -xf", files)
    return (
        f"It holds archives. Unpack it ({command}), and give {modality.option} the one with the "
        f"patches, such as {(wanted or paths)[0]}"
    )


def holds_complete(
    spec: DatasetSpec, modality: Modality, location: str, found: Iterable[FoundPatch]
) -> bool:
    """Whether one of some patches is complete and belongs to no other dataset."""
    return any(
        not patch.missing and _dataset_around(spec, modality, location, patch) is None
        for patch in found
    )


def _below(root: Path) -> Iterator[Path]:
    """A bounded number of folders, one and two levels down."""
    source = BoundedListing(FolderSource(root))
    entries = _without_leftovers(source.entries(""))
    children = [entry.name for entry in entries if entry.is_folder][:_MAX_LISTINGS]
    yield from (root / name for name in children)
    for name in children[:20]:
        yield from (root / name / e.name for e in source.entries(name)[:20] if e.is_folder)


def _holds(folder: Path, spec: DatasetSpec, modality: Modality, within: Path | None = None) -> bool:
    """Whether one of the first patches found in a folder is complete."""
    try:
        source = FolderSource(folder)
    except SourceError:
        return False
    return _holds_patches(source, spec, modality, within)


def _holds_patches(
    source: Lists, spec: DatasetSpec, modality: Modality, within: Path | None = None
) -> bool:
    """Whether one of the first patches found in a source, or in one folder of it, is complete."""
    listing = BoundedListing(source)
    if within is None:
        patches = find(listing, modality, n_threads=1)
        for names in above_of(modality, Path(source.location).parts[1:]):
            seen = BoundedListing(ListingFromAbove(source, names))
            patches = chain(patches, find(seen, modality, n_threads=1))
    else:
        folder = within.relative_to(source.location).as_posix()
        patches = find_within(listing, modality, folder)
    return holds_complete(spec, modality, source.location, islice(patches, 20))
