"""Walking a source along a modality's path template.

In: a source and a modality. Out: the patches in the source, in path order, complete or not. Folders
are listed, no file is read, and folders that can't lead to a patch are skipped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from rico_hdl.sources import FolderEntry, Lists
from rico_hdl.spec import Modality
from rico_hdl.spec.model import BAND_FIELD

N_LISTING_THREADS = 8
"""Number of folders listed at once. Local disks don't need it, but on a network mount each listing
takes a round trip, and millions of them in sequence take hours."""

_BAND_MARK = "\0"  # can't occur in a path


class FoundPatch(NamedTuple):
    """A patch found by the template, complete or not."""

    prefix: str
    """The folders before the template's first segment, with a trailing ``/``, or empty."""
    values: tuple[str, ...]
    """The values of the modality's ``patch_fields``, in that order."""
    missing: tuple[str, ...]
    """The names of the bands whose files are missing."""


class _State(NamedTuple):
    """How much of the template a folder's path has matched."""

    segment: int
    bound: dict[str, str]
    prefix: str


def paths_of(modality: Modality, prefix: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """The paths of a patch's files: one per band, or the single file with all bands."""
    bound = dict(zip(modality.patch_fields, values, strict=True))
    if not modality.one_file_per_band:
        return (prefix + modality.files.format(bound),)
    pattern = prefix + modality.files.format({**bound, BAND_FIELD: _BAND_MARK})
    return tuple([pattern.replace(_BAND_MARK, band.token) for band in modality.bands])


def find(
    source: Lists, modality: Modality, *, n_threads: int = N_LISTING_THREADS
) -> Iterator[FoundPatch]:
    """Find the patches of a modality in a source, in path order.

    A folder that holds some of a patch's band files is a patch with missing bands; a folder that
    holds none of them is not a patch.

    Args:
        source: Where to look.
        modality: The modality to look for.
        n_threads: Number of the source's top-level folders to walk at once.

    Raises:
        OSError: A folder can't be listed.
    """
    start = [_State(0, {}, "")]
    if len(modality.files.segments) == 1 and not modality.files.any_depth:
        yield from _patches_in(modality, source.names(""), start)
        return
    entries = source.entries("")
    yield from _patches_in(modality, _files(entries), start)
    below = _below(modality, "", entries, start)
    if n_threads == 1:
        for folder, states in below:
            yield from _walk(source, modality, folder, states)
        return
    with ThreadPoolExecutor(n_threads, "rico-hdl-list") as pool:
        pending: deque[Future[list[FoundPatch]]] = deque()
        try:
            for folder, states in below:
                pending.append(pool.submit(_walk_all, source, modality, folder, states))
                if len(pending) > 2 * n_threads:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def find_within(source: Lists, modality: Modality, folder: str) -> Iterator[FoundPatch]:
    """Find the patches of a modality in one folder of a source, without listing other folders.

    Args:
        source: Where to look.
        modality: The modality to look for.
        folder: Path below the source with ``/`` between names; not empty.

    Raises:
        OSError: A folder can't be listed.
    """
    states = [_State(0, {}, "")]
    path = ""
    for name in folder.split("/"):
        below = dict(_below(modality, path, [FolderEntry(name, is_folder=True)], states))
        path += name
        states = below.get(path, [])
        path += "/"
    if states:
        yield from _walk(source, modality, folder, states)


def _walk_all(
    source: Lists, modality: Modality, folder: str, states: list[_State]
) -> list[FoundPatch]:
    return list(_walk(source, modality, folder, states))


def _walk(
    source: Lists, modality: Modality, folder: str, states: list[_State]
) -> Iterator[FoundPatch]:
    last = len(modality.files.segments) - 1
    if not modality.files.any_depth and all(state.segment == last for state in states):
        # Nothing further down matters, and reading a folder in a file's place raises an error.
        yield from _patches_in(modality, source.names(folder), states)
        return
    entries = source.entries(folder)
    yield from _patches_in(modality, _files(entries), states)
    for path, deeper in _below(modality, f"{folder}/", entries, states):
        yield from _walk(source, modality, path, deeper)


def _below(
    modality: Modality, prefix: str, entries: list[FolderEntry], states: list[_State]
) -> Iterator[tuple[str, list[_State]]]:
    """The folders among the entries that may lead to patches, each with its states."""
    segments = modality.files.segments
    last = len(segments) - 1
    for name, is_folder in entries:
        if not is_folder:
            continue
        deeper = []
        for state in states:
            if state.segment < last:
                values = segments[state.segment].match(name, state.bound)
                if values is not None:
                    deeper.append(_State(state.segment + 1, state.bound | values, state.prefix))
        path = prefix + name
        if modality.files.any_depth:
            deeper.append(_State(0, {}, f"{path}/"))
        if deeper:
            yield path, deeper


def _files(entries: list[FolderEntry]) -> list[str]:
    return [name for name, is_folder in entries if not is_folder]


def _patches_in(modality: Modality, names: list[str], states: list[_State]) -> Iterator[FoundPatch]:
    """The patches whose files have these names, in one folder."""
    last = len(modality.files.segments) - 1
    for state in states:
        if state.segment != last:
            continue
        unbound = modality.files.segments[last].fields - state.bound.keys() - {BAND_FIELD}
        if unbound:
            yield from _matching(modality, names, state)
        else:
            yield from _expected(modality, set(names), state)


def _expected(modality: Modality, names: set[str], state: _State) -> Iterator[FoundPatch]:
    """The one patch of a folder whose path binds all fields, so file names need no matching."""
    segment = modality.files.segments[-1]
    values = tuple([state.bound[field] for field in modality.patch_fields])
    if not modality.one_file_per_band:
        if segment.format(state.bound) in names:
            yield FoundPatch(state.prefix, values, ())
        return
    pattern = segment.format({**state.bound, BAND_FIELD: _BAND_MARK})
    missing = [
        band.name for band in modality.bands if pattern.replace(_BAND_MARK, band.token) not in names
    ]
    if len(missing) < len(modality.bands):
        yield FoundPatch(state.prefix, values, tuple(missing))


def _matching(modality: Modality, names: list[str], state: _State) -> Iterator[FoundPatch]:
    """The patches of a folder whose fields have to be matched in the file names."""
    segment = modality.files.segments[-1]
    tokens: dict[tuple[str, ...], set[str]] = {}
    known = {band.token for band in modality.bands}
    for name in names:
        matched = segment.match(name, state.bound)
        if matched is None:
            continue
        token = matched.pop(BAND_FIELD, "")
        if token in known or not modality.one_file_per_band:
            bound = state.bound | matched
            values = tuple([bound[field] for field in modality.patch_fields])
            tokens.setdefault(values, set()).add(token)
    for values, present in tokens.items():
        missing = (
            [band.name for band in modality.bands if band.token not in present]
            if modality.one_file_per_band
            else []
        )
        yield FoundPatch(state.prefix, values, tuple(missing))
