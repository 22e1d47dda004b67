"""Walking a source along a modality's path template.

In: a source and a modality. Out: the patches in the source, in path order, complete or not. Folders
are listed, no file is read, and folders that can't lead to a patch are skipped.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Collection, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from rico_hdl.patches.unmatched import UnmatchedFiles
from rico_hdl.sources import FolderEntry, Lists
from rico_hdl.sources.leftovers import is_leftover
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
    source: Lists,
    modality: Modality,
    *,
    n_threads: int = N_LISTING_THREADS,
    unmatched: UnmatchedFiles | None = None,
) -> Iterator[FoundPatch]:
    """Find the patches of a modality in a source, in path order.

    A folder that holds some of a patch's band files is a patch with missing bands; a folder that
    holds none of them is not a patch. Leftovers of operating systems and tools are passed over, and
    so are folders whose path is too long for the system or leads through too many links.

    Args:
        source: Where to look.
        modality: The modality to look for.
        n_threads: Number of the source's top-level folders to walk at once.
        unmatched: Counts the files that belong to no patch.

    Raises:
        OSError: A folder can't be listed.
    """
    walk = _Walk(source, modality, unmatched)
    start = [_State(0, {}, "")]
    if len(modality.files.segments) == 1 and not modality.files.any_depth:
        yield from walk.patches_in("", source.names(""), start)
        return
    entries = source.entries("")
    yield from walk.patches_in("", _files(entries), start)
    below = walk.below("", entries, start)
    if n_threads == 1:
        for folder, states in below:
            yield from walk.patches_below(folder, states)
        return
    with ThreadPoolExecutor(n_threads, "rico-hdl-list") as pool:
        pending: deque[Future[list[FoundPatch]]] = deque()
        try:
            for folder, states in below:
                pending.append(pool.submit(walk.all_below, folder, states))
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
    walk = _Walk(source, modality)
    states = [_State(0, {}, "")]
    path = ""
    for name in folder.split("/"):
        below = dict(walk.below(path, [FolderEntry(name, is_folder=True)], states))
        path += name
        states = below.get(path, [])
        path += "/"
    if states:
        yield from walk.patches_below(folder, states)


class _Walk:
    """Finds the patches below the folders of a source.

    Args:
        source: Where to look.
        modality: The modality to look for.
        unmatched: Counts the files that belong to no patch.
    """

    def __init__(
        self, source: Lists, modality: Modality, unmatched: UnmatchedFiles | None = None
    ) -> None:
        self._source = source
        self._modality = modality
        self._unmatched = unmatched
        self._segments = modality.files.segments
        self._any_depth = modality.files.any_depth
        self._last = len(self._segments) - 1
        self._tokens = {band.token: band.name for band in modality.bands}

    def all_below(self, folder: str, states: list[_State]) -> list[FoundPatch]:
        """The patches in a folder and below it, as a list."""
        return list(self.patches_below(folder, states))

    def patches_below(self, folder: str, states: list[_State]) -> Iterator[FoundPatch]:
        """The patches in a folder and below it, in path order."""
        pending = [(folder, states)]  # a list, since folders may be nested more deeply than calls
        while pending:
            folder, states = pending.pop()
            try:
                if not self._any_depth and all(state.segment == self._last for state in states):
                    # Nothing further down matters, and reading a folder in a file's place raises an
                    # error.
                    names, entries = self._source.names(folder), None
                else:
                    entries = self._source.entries(folder)
                    names = _files(entries)
            except OSError as error:
                if error.errno not in {errno.ELOOP, errno.ENAMETOOLONG}:
                    raise
                if self._unmatched is not None:
                    self._unmatched.close(folder, error)
                continue
            yield from self.patches_in(folder, names, states, are_files=entries is not None)
            if entries is not None:
                pending += reversed(list(self.below(f"{folder}/", entries, states)))

    def below(
        self, prefix: str, entries: list[FolderEntry], states: list[_State]
    ) -> Iterator[tuple[str, list[_State]]]:
        """The folders among the entries that may lead to patches, each with its states."""
        for name, is_folder in entries:
            if not is_folder or is_leftover(name):
                continue
            deeper = []
            for state in states:
                if state.segment < self._last:
                    values = self._segments[state.segment].match(name, state.bound)
                    if values is not None:
                        bound = state.bound | values
                        deeper.append(_State(state.segment + 1, bound, state.prefix))
            path = prefix + name
            if self._any_depth:
                deeper.append(_State(0, {}, f"{path}/"))
            if deeper:
                yield path, deeper
            elif self._unmatched is not None:
                self._unmatched.skip(path)

    def patches_in(
        self, folder: str, names: list[str], states: list[_State], *, are_files: bool = True
    ) -> Iterator[FoundPatch]:
        """The patches whose files have these names, in one folder."""
        # States differ in their segments, so files belong to the patches of one of them.
        state = next((state for state in states if state.segment == self._last), None)
        left: Collection[str] = names
        if state is not None:
            unbound = self._segments[-1].fields - state.bound.keys() - {BAND_FIELD}
            left = yield from (self._matching if unbound else self._expected)(names, state)
        if left and self._unmatched is not None:
            prefix = f"{folder}/" if folder else ""
            for name in left:
                if are_files or "." in name:
                    self._unmatched.meet(prefix + name)
                else:
                    self._unmatched.skip(prefix + name)  # it may be a folder

    def _expected(
        self, names: list[str], state: _State
    ) -> Generator[FoundPatch, None, Collection[str]]:
        """The one patch of a folder whose path binds all fields, so file names need no matching.

        Returns:
            The other names.
        """
        segment = self._segments[-1]
        values = tuple([state.bound[field] for field in self._modality.patch_fields])
        there = set(names)
        if not self._modality.one_file_per_band:
            expected = [segment.format(state.bound)]
            if expected[0] in there:
                yield FoundPatch(state.prefix, values, ())
            return there.difference(expected)
        pattern = segment.format({**state.bound, BAND_FIELD: _BAND_MARK})
        expected = [pattern.replace(_BAND_MARK, token) for token in self._tokens]
        if there.issuperset(expected):
            yield FoundPatch(state.prefix, values, ())
            return there.difference(expected) if len(there) > len(expected) else ()
        named = zip(self._tokens.values(), expected, strict=True)
        missing = [band for band, name in named if name not in there]
        if len(missing) < len(expected):
            yield FoundPatch(state.prefix, values, tuple(missing))
        return there.difference(expected)

    def _matching(
        self, names: list[str], state: _State
    ) -> Generator[FoundPatch, None, Collection[str]]:
        """The patches of a folder whose fields have to be matched in the file names.

        Returns:
            The other names.
        """
        modality, segment = self._modality, self._segments[-1]
        tokens: dict[tuple[str, ...], set[str]] = {}
        left = []
        for name in names:
            matched = segment.match(name, state.bound)
            if matched is None or is_leftover(name):
                left.append(name)
                continue
            token = matched.pop(BAND_FIELD, "")
            if modality.one_file_per_band and token not in self._tokens:
                left.append(name)
                continue
            bound = state.bound | matched
            values = tuple([bound[field] for field in modality.patch_fields])
            tokens.setdefault(values, set()).add(token)
        for values, present in tokens.items():
            missing = (
                [band for token, band in self._tokens.items() if token not in present]
                if modality.one_file_per_band
                else []
            )
            yield FoundPatch(state.prefix, values, tuple(missing))
        return left


def _files(entries: list[FolderEntry]) -> list[str]:
    return [name for name, is_folder in entries if not is_folder]
