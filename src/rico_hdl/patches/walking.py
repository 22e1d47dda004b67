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

from rico_hdl.patches.found import MARKS, Files, FoundPatch, PatchFiles, spelled
from rico_hdl.patches.found import paths_of as paths_of  # noqa: PLC0414 - part of a walk's result
from rico_hdl.patches.unmatched import UnmatchedFiles
from rico_hdl.sources import FolderEntry, Lists
from rico_hdl.sources.leftovers import is_leftover
from rico_hdl.spec import Modality
from rico_hdl.spec.bands import BAND_FIELDS

N_LISTING_THREADS = 8
"""Number of folders listed at once. Local disks don't need it, but on a network mount each listing
takes a round trip, and millions of them in sequence take hours."""


class _State(NamedTuple):
    """How much of the template a folder's path has matched."""

    segment: int
    bound: dict[str, str]
    prefix: str


def find(
    source: Lists,
    modality: Modality,
    *,
    n_threads: int = N_LISTING_THREADS,
    unmatched: UnmatchedFiles | None = None,
) -> Iterator[FoundPatch]:
    """Find the patches of a modality in a source, in path order.

    Some of a patch's files are a patch with missing bands; none of them are no patch. If bands are
    in folders of their own, the patches in these are found together. Leftovers of operating systems
    and tools are passed over, and so are folders whose path is too long for the system or leads
    through too many links.

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
    yield from walk.patches_at("", entries, start)
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
        if any(state.segment == walk.gather_at for state in states):
            break  # the files of a patch are in several folders, of which this one has the next
        below = dict(walk.below(path, [FolderEntry(name, is_folder=True)], states))
        path += name
        states = below.get(path, [])
        path += "/"
    if states:
        yield from walk.patches_below(path.rstrip("/"), states)


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
        self._segments = modality.paths.segments
        self._any_depth = modality.paths.any_depth
        self._last = len(self._segments) - 1
        self._files = PatchFiles(modality)
        self._taken: dict[str, set[str]] = {}  # files of patches, in folders yet to be walked
        span = modality.paths.span
        fields = [segment.fields for segment in self._segments]
        self._span_at = fields.index(frozenset({span})) if span else -1
        self.gather_at = next((n for n, own in enumerate(fields[:-1]) if own & BAND_FIELDS), -1)
        """The zero-based segment below which a patch has several folders; -1 if it has one."""

    def all_below(self, folder: str, states: list[_State]) -> list[FoundPatch]:
        """The patches in a folder and below it, as a list."""
        return list(self.patches_below(folder, states))

    def patches_below(self, folder: str, states: list[_State]) -> Iterator[FoundPatch]:
        """The patches in a folder and below it, in path order."""
        pending = [(folder, states)]  # a list, since folders may be nested more deeply than calls
        while pending:
            folder, states = pending.pop()
            # Nothing further down may matter, and reading a folder in a file's place raises an
            # error.
            is_last = not self._any_depth and all(state.segment == self._last for state in states)
            entries = None if is_last else self._entries(folder)
            names = self._names(folder) if is_last else None
            if names is not None:
                yield from self.patches_in(folder, names, states, are_files=False)
            if entries is not None:
                yield from self.patches_at(folder, entries, states)
                pending += reversed(list(self.below(f"{folder}/", entries, states)))

    def _entries(self, folder: str) -> list[FolderEntry] | None:
        """The entries of a folder; None if its path leads nowhere."""
        try:
            return self._source.entries(folder)
        except OSError as error:
            self._close(folder, error)
            return None

    def _names(self, folder: str) -> list[str] | None:
        """The names in a folder; None if its path leads nowhere."""
        try:
            return self._source.names(folder)
        except OSError as error:
            self._close(folder, error)
            return None

    def _close(self, folder: str, error: OSError) -> None:
        """Pass over a folder whose path leads nowhere; raise any other error."""
        if error.errno not in {errno.ELOOP, errno.ENAMETOOLONG}:
            raise error
        if self._unmatched is not None:
            self._unmatched.close(folder, error)

    def below(
        self, prefix: str, entries: list[FolderEntry], states: list[_State]
    ) -> Iterator[tuple[str, list[_State]]]:
        """The folders among the entries that may lead to patches, each with its states.

        States are in the order of their prefixes, the shortest one first.
        """
        for name, is_folder in entries:
            if not is_folder or is_leftover(name):
                continue
            deeper, is_gathered = self._deeper(name, states)
            path = prefix + name
            if self._any_depth:
                deeper.append(_State(0, {}, f"{path}/"))
            if deeper:
                yield path, deeper
            elif self._unmatched is not None and not is_gathered:
                self._unmatched.skip(path)

    def _deeper(self, name: str, states: list[_State]) -> tuple[list[_State], bool]:
        """The states in a folder, and whether it is one of a band, whose files are gathered."""
        deeper = []
        is_gathered = False
        for state in states:
            if state.segment == self._last:
                continue
            if state.segment == self._span_at:
                deeper += self._spanned(state, name)
                continue
            values = self._segments[state.segment].match(name, state.bound)
            if values is None:
                continue
            if state.segment == self.gather_at:
                is_gathered = True
            else:
                deeper.append(_State(state.segment + 1, state.bound | values, state.prefix))
        return deeper, is_gathered

    def _spanned(self, state: _State, name: str) -> list[_State]:
        """The states in a folder that belongs to a field that spans folders."""
        (field,) = self._segments[state.segment].fields
        above = state.bound.get(field)
        bound = state.bound | {field: name if above is None else f"{above}/{name}"}
        return [state._replace(segment=n, bound=bound) for n in (state.segment + 1, state.segment)]

    def patches_at(
        self, folder: str, entries: list[FolderEntry], states: list[_State]
    ) -> Iterator[FoundPatch]:
        """The patches whose files are in a folder, or in folders of bands in it."""
        names = [name for name, is_folder in entries if not is_folder]
        if taken := self._taken.pop(folder, None):
            names = [name for name in names if name not in taken]
        yield from self.patches_in(folder, names, states)
        for state in states:
            if state.segment == self.gather_at:
                files: Files = {}
                self._gather(folder, entries, state, files)
                yield from self._files.patches(state.prefix, files)

    def _gather(self, folder: str, entries: list[FolderEntry], state: _State, files: Files) -> None:
        """Note the files in a folder's folders of bands, or in folders further down."""
        prefix = f"{folder}/" if folder else ""
        for name, is_folder in entries:
            values = self._segments[state.segment].match(name, state.bound) if is_folder else None
            if values is None or is_leftover(name):
                continue
            path = prefix + name
            inner = _State(state.segment + 1, state.bound | values, state.prefix)
            if inner.segment < self._last:
                deeper = self._entries(path)
                if deeper is not None:
                    self._gather(path, deeper, inner, files)
                    if not self._any_depth:
                        self._leave(path, [e.name for e in deeper if not e.is_folder])
                continue
            names = self._names(path)
            if names is not None:
                left = self._note(names, inner.bound, files)
                if self._any_depth:  # the folder is listed again, for other patches
                    self._taken.setdefault(path, set()).update({*names} - {*left})
                else:
                    self._leave(path, left, are_files=False)

    def _note(self, names: list[str], above: dict[str, str], files: Files) -> list[str]:
        """Note the files of patches among those of one folder; returns the names of the others."""
        segment, fields = self._segments[-1], self._modality.patch_fields
        left = []
        for name in names:
            values = segment.match(name, above)
            if values is None or is_leftover(name):
                left.append(name)
                continue
            bound = above | values
            bit = self._files.bit(bound)
            if bit is None:
                left.append(name)
                continue
            patch = tuple([bound[field] for field in fields])
            files[patch] = files.get(patch, 0) | bit
        return left

    def patches_in(
        self, folder: str, names: list[str], states: list[_State], *, are_files: bool = True
    ) -> Iterator[FoundPatch]:
        """The patches whose files have these names, in one folder."""
        left: Collection[str] = names
        # States differ in their segments, so files belong to the patches of one of them; if folders
        # are spanned, to those of the first one that fits.
        for state in states:
            if state.segment == self._last and self.gather_at < 0:
                unbound = self._segments[-1].fields - state.bound.keys() - BAND_FIELDS
                matches = unbound or self._modality.has_variants
                left = yield from (self._matching if matches else self._expected)(left, state)
        self._leave(folder, left, are_files=are_files)

    def _leave(self, folder: str, names: Collection[str], *, are_files: bool = True) -> None:
        """Count files that belong to no patch."""
        if not names or self._unmatched is None:
            return
        prefix = f"{folder}/" if folder else ""
        for name in names:
            if are_files or "." in name:
                self._unmatched.meet(prefix + name)
            else:
                self._unmatched.skip(prefix + name)  # it may be a folder

    def _expected(
        self, names: Collection[str], state: _State
    ) -> Generator[FoundPatch, None, Collection[str]]:
        """The one patch of a folder whose path binds all fields, so file names need no matching.

        Returns:
            The other names.
        """
        segment, modality = self._segments[-1], self._modality
        values = tuple([state.bound[field] for field in modality.patch_fields])
        there = set(names)
        if not modality.is_split:
            expected = [segment.format(state.bound)]
            if expected[0] in there:
                yield FoundPatch(state.prefix, values, ())
            return there.difference(expected)
        expected = spelled(modality, segment.format(state.bound | MARKS))
        if there.issuperset(expected):
            yield FoundPatch(state.prefix, values, ())
            return there.difference(expected) if len(there) > len(expected) else ()
        files = zip(modality.band_files, expected, strict=True)
        absent = [file for file, name in files if name not in there]
        if len(absent) < len(expected):
            missing = tuple(name for file in absent for name in file.names)
            yield FoundPatch(state.prefix, values, missing)
        return there.difference(expected)

    def _matching(
        self, names: Collection[str], state: _State
    ) -> Generator[FoundPatch, None, Collection[str]]:
        """The patches of a folder whose fields have to be matched in the file names.

        Returns:
            The other names.
        """
        modality, segment = self._modality, self._segments[-1]
        if modality.is_split:
            files: Files = {}
            left = self._note(list(names), state.bound, files)
            yield from self._files.patches(state.prefix, files)
            return left
        left = []
        for name in names:
            values = segment.match(name, state.bound)
            if values is None or is_leftover(name):
                left.append(name)
                continue
            bound = state.bound | values
            found = tuple([bound[field] for field in modality.patch_fields])
            yield FoundPatch(state.prefix, found, ())
        return left
