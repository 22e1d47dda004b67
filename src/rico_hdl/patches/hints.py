"""Explaining why a source holds no patch of a modality.

In: a spec, a modality and a source without its patches. Out: an error that says what was expected,
what was found, and what to try. A bounded number of folders is listed, and no file is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from rico_hdl.datasets import registry
from rico_hdl.errors import SourceError
from rico_hdl.patches.walking import FoundPatch, find, find_within, paths_of
from rico_hdl.sources import FolderEntry, FolderSource, Lists
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.values import printable

_MAX_LISTINGS = 200  # folders listed per search; a home folder must not be searched completely
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


def explain_no_patches(spec: DatasetSpec, modality: Modality, source: Lists) -> SourceError:
    """The error for a folder without a patch of the modality."""
    entries = source.entries("")
    seen = [entry.name + "/" * entry.is_folder for entry in entries]
    example = _first_file(source)
    hint = "" if entries else "Check the path; you don't need to unpack archives."
    hint = hint or suggest(spec, modality, source) or ""
    return no_patches(spec, modality, source.location, seen, hint, example=example)


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
        f"  looked for  {modality.files}\n"
        f"     such as  {modality.example}\n"
        f"       found  {printable(found)}",
        hint or f"See the expected files with: rico-hdl datasets {spec.name}",
    )


def _first_file(source: Lists) -> str:
    """A file a few folders down, as an example of the contents; empty if none is near."""
    path = ""
    for _ in range(_N_UP):
        entries = BoundedListing(source).entries(path)
        files = [entry.name for entry in entries if not entry.is_folder]
        if files or not entries:
            return path + files[0] if files and path else ""
        path += f"{entries[0].name}/"
    return ""


def explain_wrong_modality(
    spec: DatasetSpec, modality: Modality, source: Lists, found: FoundPatch
) -> SourceError | None:
    """The error for a source whose first patch fits another modality better, or None.

    Sibling modalities may share a layout and differ only in their bands, as Sentinel-2 L1C and L2A
    do in SSL4EO-S12. The modality with more bands present, or with no band missing, is meant.
    """
    folder = paths_of(modality, found.prefix, found.values)[0].rpartition("/")[0]
    names = {f"{folder}/{name}".lstrip("/") for name in source.names(folder)}
    n_here = len(modality.bands) - len(found.missing)
    for other in spec.modalities:
        if other is modality or str(other.files) != str(modality.files):
            continue
        if not names.issuperset(paths_of(other, found.prefix, found.values)):
            continue
        if found.missing or len(other.bands) > n_here:
            return SourceError(
                f"{source.location}: expected {spec.title} {modality.title}, "
                f"found {other.title}: {folder} holds all of its {len(other.bands)} bands",
                f"Give this folder as {other.option}.",
            )
    return None


def suggest(spec: DatasetSpec, modality: Modality, source: Lists) -> str | None:
    """What to try instead of a source without a complete patch of the modality, if anything."""
    return next(_elsewhere(spec, modality, Path(source.location)), None) or None


def _elsewhere(spec: DatasetSpec, modality: Modality, root: Path) -> Iterator[str]:
    """What to try instead, most likely first."""
    for folder in _below(root):
        if _holds(folder, modality):
            yield f"Try: {modality.option} {folder}"
    for folder in islice(root.parents, _N_UP):
        if _holds(folder, modality, within=root):
            yield f"Try a folder further up: {modality.option} {folder}"
    yield suggest_other(spec, modality, str(root), partial(_holds, root))


def suggest_other(
    spec: DatasetSpec, modality: Modality, location: str, holds: Callable[[Modality], bool]
) -> str:
    """Suggest another modality or dataset for a source; empty if none is recognised.

    Args:
        spec: The dataset.
        modality: The modality that the source does not hold.
        location: Where the source is.
        holds: Whether the source holds patches of a modality.
    """
    for other in spec.modalities:
        if other is not modality and holds(other):
            return f"It holds {other.title}: give it as {other.option} {location}"
    for candidate in registry().values():
        for other in candidate.modalities:
            if candidate.name != spec.name and holds(other):
                command = f"rico-hdl {candidate.name} {other.option} {location}"
                return f"It looks like {candidate.title}: {command}"
    return ""


def _below(root: Path) -> Iterator[Path]:
    """A bounded number of folders, one and two levels down."""
    source = BoundedListing(FolderSource(root))
    children = [entry.name for entry in source.entries("") if entry.is_folder][:_MAX_LISTINGS]
    yield from (root / name for name in children)
    for name in children[:20]:
        yield from (root / name / e.name for e in source.entries(name)[:20] if e.is_folder)


def _holds(folder: Path, modality: Modality, within: Path | None = None) -> bool:
    """Whether one of the first patches found in a folder is complete."""
    try:
        source = BoundedListing(FolderSource(folder))
    except SourceError:
        return False
    if within is None:
        patches = find(source, modality, n_threads=1)
    else:
        patches = find_within(source, modality, within.relative_to(folder).as_posix())
    return any(not found.missing for found in islice(patches, 20))
