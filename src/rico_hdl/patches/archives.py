"""Assembling patches from the members of an archive.

In: an archive and a modality. Out: its patches in archive order, each as soon as the last of its
files is found. A patch's files need not be adjacent: some wait for others, in bounded memory. Files
of unwanted patches are not read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING, Final

from rico_hdl.errors import (
    ArchiveError,
    IncompleteArchiveError,
    MemberError,
    UnsupportedArchiveError,
)
from rico_hdl.patches.found import every_path_of, paths_of, two_files
from rico_hdl.patches.member_files import MemberFiles
from rico_hdl.patches.unmatched import UnmatchedFiles
from rico_hdl.patches.waiting import Waiting, n_bytes_of
from rico_hdl.sources import Archive, Content, Member
from rico_hdl.sources.leftovers import LeftoverPaths
from rico_hdl.spec import Modality
from rico_hdl.spec.bands import BAND_FIELD, BandFile
from rico_hdl.system.hashes import HashSet
from rico_hdl.values import (
    ArchiveFailure,
    ArchiveFailureKind,
    Patch,
    PatchFailure,
    Position,
    Repeated,
    incomplete,
    place_in,
    printable,
    problem_of_key,
)

if TYPE_CHECKING:
    from rico_hdl.labels.gathering import Gathering

Wanted = Callable[[str, Modality], bool]
"""Whether a patch is wanted, given its key and modality."""


def wants_all(key: str, modality: Modality) -> bool:
    """Want every patch."""
    del key, modality
    return True


POSITION_SECONDS: Final = 0.2
"""Minimum interval between two positions in a source."""

MAX_WAITING_BYTES: Final = 48 * 2**20
"""Memory for files of sequential archives that wait for the rest of their patch. In publishers'
archives a patch's files are adjacent, so a few hundred kilobytes would do."""
WAITING_COST_BYTES: Final = 6_000
"""Bytes counted for each waiting patch in addition to its files, for keys, paths and the like:
measured with twelve paths of 180 characters."""
_COST_BYTES: Final = 600
"""The same where files are read later, as from zips; measured with one to twelve paths."""
_PATH_COST_BYTES: Final = 500
"""Bytes counted in addition for each of its paths."""


_PatchPlace = tuple[str, tuple[str, ...]]
"""A patch's place in an archive: the folders before the template, and the values of the fields."""


class Assembly:
    """Assembles the patches of one modality; iterate once to get them.

    Args:
        modality: The modality to look for; folders may precede its template.
        archive: Where to look.
        is_wanted: Whether a key is wanted. Called once per patch, when its first file is found; the
            files of unwanted patches are not read.
        met: Hashes of the keys in earlier archives; those of this one are added. A key that is
            found again is always wanted, after a `Repeated`.
        unmatched: Counts the files that belong to no patch.
        max_waiting_bytes: See `MAX_WAITING_BYTES`.
        labels: Is given the path of each patch, and the members that are tables.
    """

    def __init__(  # noqa: PLR0913 - all but two by name
        self,
        modality: Modality,
        archive: Archive,
        *,
        is_wanted: Wanted = wants_all,
        met: HashSet | None = None,
        unmatched: UnmatchedFiles | None = None,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        labels: Gathering | None = None,
    ) -> None:
        self.n_found = 0
        """Number of patches with at least one file in the archive."""
        self.n_unread = 0
        """Number of unreadable members outside of patches: links, devices, paths that lead out of
        the archive."""
        self.damage: ArchiveError | None = None
        """Why the archive can't be read to its end, or not completely; None if it can."""
        self._modality = modality
        self._archive = archive
        self._is_wanted = is_wanted
        self._met = HashSet() if met is None else met
        self._unmatched = UnmatchedFiles(modality) if unmatched is None else unmatched
        self._max_waiting_bytes = max_waiting_bytes
        self._template = modality.paths_anywhere
        self._is_split = modality.is_split
        self._has_folders = modality.has_band_folders
        self._has_variants = modality.has_variants
        self._n_files = len(modality.band_files)
        n_paths = sum(len(file.tokens) for file in modality.band_files)
        self._cost = WAITING_COST_BYTES
        if not archive.sequential:
            self._cost = _COST_BYTES + _PATH_COST_BYTES * n_paths
        self._tokens = {token for file in modality.band_files for token in file.tokens}
        self._used = HashSet()  # hashes of the paths of patches whose files have several spellings
        self._waiting: dict[_PatchPlace, Waiting] = {}
        self._labels = labels
        self._waiting_bytes = 0
        self._leftovers = LeftoverPaths()
        self._passed_over: set[int] = set()  # hashes of places: unwanted, or given up
        self._n_passed = 0  # since the last position
        self._out: list[PatchFailure | Repeated] = []  # to be yielded after the current member

    def __iter__(self) -> Generator[Patch | PatchFailure | Repeated | Position]:
        last: Waiting | None = None
        last_place: _PatchPlace = ("", ())
        n_bytes = sum(path.stat().st_size for path in self._archive.files if path.exists())
        next_position = 0.0
        try:
            with closing(self._archive.members()) as members:
                for member in members:
                    if time.monotonic() > next_position:
                        yield self._position(self._archive.n_bytes_read, n_bytes)
                        next_position = time.monotonic() + POSITION_SECONDS
                    if last is None or member.path not in last.paths:
                        if self._leftovers.have(member.path):
                            continue
                        place = self._place_of(member.path)
                        if place is None:
                            self._meet_other(member)
                            continue
                        last, last_place = self._waiting_for(place), place
                    self._meet(last, member)
                    patch = None
                    if len(last.met) == last.n_files:
                        patch = self._complete(last_place, last)
                        last = None
                    if self._out:
                        yield from self._out
                        self._out.clear()
                    if patch is not None:
                        yield patch
        except ArchiveError as error:
            self.damage = error
        self._leave_incomplete()
        yield from self._out
        yield self._position(self._archive.n_bytes_read if self.damage else n_bytes, n_bytes)

    def _meet_other(self, member: Member) -> None:
        """Note a member that belongs to no patch."""
        self.n_unread += bool(member.problem)
        labels = self._labels
        if labels is not None and not member.problem and labels.wants(member.path):
            labels.take(self._archive.location, member, self._modality.name)
        else:
            self._unmatched.meet(member.path)

    def _position(self, n_bytes_read: int, n_bytes: int) -> Position:
        n_passed, self._n_passed = self._n_passed, 0
        location = self._archive.location
        return Position(self._modality.name, location, n_passed, n_bytes_read, n_bytes)

    @property
    def failure(self) -> ArchiveFailure | None:
        """Why the archive as a whole can't be trusted, after it was read as far as possible."""
        if self.damage is None:
            return None
        kinds: dict[type[ArchiveError], ArchiveFailureKind] = {
            IncompleteArchiveError: "incomplete",
            UnsupportedArchiveError: "unsupported",
        }
        return ArchiveFailure(
            kinds.get(type(self.damage), "damaged"),
            self._modality.name,
            self._archive.location,
            self.damage.message,
        )

    def _place_of(self, path: str) -> _PatchPlace | None:
        """The place of the patch that a file belongs to; None if it belongs to none."""
        values = self._template.match(path)
        if values is None:
            return None
        if self._is_split and values[BAND_FIELD] not in self._tokens:
            return None
        if self._has_folders and self._modality.file_of(values) is None:
            return None
        prefix = path[: len(path) - len(self._template.format(values))]
        return prefix, tuple([values[name] for name in self._modality.patch_fields])

    def _waiting_for(self, place: _PatchPlace) -> Waiting:
        found = self._waiting.get(place)
        if found is not None:
            return found
        prefix, values = place
        key = self._modality.key.format(dict(zip(self._modality.patch_fields, values, strict=True)))
        if self._has_variants:
            paths = every_path_of(self._modality, prefix, values)
        else:
            paths = {path: i for i, path in enumerate(paths_of(self._modality, prefix, values))}
        made = Waiting(key, paths, self._n_files, None)
        if hash(place) in self._passed_over:
            return made
        self.n_found += 1
        problem = problem_of_key(key)
        if self._labels is not None and not problem:
            self._labels.meet(self._modality, key, next(iter(paths)))
        made.is_repeated = not problem and self._met.add(hash(key))
        if not problem and not made.is_repeated and not self._is_wanted(key, self._modality):
            # Decided at its first file; for the other files, only their paths are noted.
            self._passed_over.add(hash(place))
            self._n_passed += 1
            return made
        made.files = {}
        if problem:
            made.problem = (next(iter(paths)), problem)
        self._waiting[place] = made
        self._make_room(made, self._cost)
        self._add(made, self._cost)
        return made

    def _meet(self, waiting: Waiting, member: Member) -> None:
        """Note a file, and read it now if it is wanted and can't be read later."""
        if member.path not in waiting.paths:
            return
        if self._has_variants and (other := waiting.spelled_otherwise(member.path)):
            if waiting.files is not None and not waiting.problem:
                self._leave(waiting, member.path, self._two_files(other, member.path))
            return
        if waiting.files is None or waiting.problem or member.problem:
            waiting.met.add(member.path)
            if member.problem and waiting.files is not None and not waiting.problem:
                self._leave(waiting, member.path, member.problem)
        elif self._archive.sequential:
            self._hold(waiting, waiting.files, member)
        else:
            waiting.met.add(member.path)
            waiting.files[member.path] = member

    def _hold(self, waiting: Waiting, files: dict[str, Content | Member], member: Member) -> None:
        """Read a file of a sequential archive, and hold it until its patch is complete."""
        path = member.path
        if not self._make_room(waiting, member.n_bytes):
            waiting.met.add(path)
            self._leave(waiting, path, self._too_large(waiting.n_bytes + member.n_bytes))
            return
        try:
            data = member.read()  # if the archive is damaged here, the file is not noted
        except MemberError as error:
            waiting.met.add(path)
            self._leave(waiting, path, error.message)
            return
        if path in waiting.met:  # the later file wins, as in unpacking
            self._add(waiting, -n_bytes_of(files[path]))
        waiting.met.add(path)
        files[path] = data
        self._add(waiting, n_bytes_of(data))
        if not self._make_room(waiting, 0):
            self._leave(waiting, path, self._too_large(waiting.n_bytes))

    def _add(self, waiting: Waiting, n_bytes: int) -> None:
        """Count memory that a patch takes while it waits."""
        waiting.n_bytes += n_bytes
        self._waiting_bytes += n_bytes

    def _leave(self, waiting: Waiting, path: str, problem: str) -> None:
        """Leave out a patch because of one of its files, and release the others."""
        waiting.problem = (path, problem)
        waiting.files = {}
        if waiting.n_bytes:
            self._add(waiting, self._cost - waiting.n_bytes)

    def _too_large(self, n_bytes: int) -> str:
        return (
            f"the patch's files take {n_bytes:,} bytes or more, but at most "
            f"{self._max_waiting_bytes:,} of an archive's are held in memory; allow more with "
            "--memory, or unpack the archive"
        )

    def _complete(self, place: _PatchPlace, waiting: Waiting) -> Patch | None:
        self._waiting.pop(place, None)
        self._waiting_bytes -= waiting.n_bytes
        paths = tuple(waiting.paths)
        if self._has_variants:
            paths = waiting.met_paths()
            for path in paths:
                self._used.add(hash(path))
            if waiting.problem:  # further files of it need not be reported
                self._passed_over.add(hash(place))
        if waiting.files is None:
            self._passed_over.discard(hash(place))
            return None
        if waiting.problem:
            self._fail(waiting, *waiting.problem)
            return None
        if waiting.is_repeated:
            self._repeat(waiting, is_whole=True)
        held = waiting.n_bytes if self._archive.sequential else 0
        source = MemberFiles(self._archive.location, waiting.files, held)
        return Patch(waiting.key, self._modality, source, paths)

    def _make_room(self, newest: Waiting, n_bytes: int) -> bool:
        """Give up the patches that have waited longest, until there is room for more bytes.

        Returns:
            Whether there is.
        """
        while self._waiting_bytes + n_bytes > self._max_waiting_bytes:
            others = ((place, w) for place, w in self._waiting.items() if w is not newest)
            place, waiting = next(others, (None, newest))
            if place is None:
                return False
            del self._waiting[place]
            self._passed_over.add(hash(place))
            self._waiting_bytes -= waiting.n_bytes
            n = waiting.n_files - len(waiting.met)
            self._fail(
                waiting,
                next(iter(waiting.paths)),
                f"{n} of its files are too far from the others in the archive: more than "
                f"{self._max_waiting_bytes // 2**20} MiB would have to wait in memory; run the "
                "same command again to get further, allow more with --memory, or unpack this "
                "archive",
            )
        return True

    def _leave_incomplete(self) -> None:
        """Report the patches that lack files at the end of the archive."""
        for waiting in self._waiting.values():
            if waiting.problem:
                self._fail(waiting, *waiting.problem)
                continue
            if waiting.is_repeated:
                self._leave_repeated(waiting)
                continue
            there = {waiting.paths[path] for path in waiting.met}
            absent = [path for path, number in waiting.paths.items() if number not in there]
            numbers = dict.fromkeys(waiting.paths[path] for path in absent)
            missing = [name for n in numbers for name in self._modality.band_files[n].names]
            path = f"{self._archive.location}/{absent[0]}"
            why = f": the archive is {self.failure.state}" if self.failure else ""
            self._out.append(incomplete(waiting.key, self._modality.name, path, missing, why))
        self._waiting.clear()
        self._waiting_bytes = 0

    def _leave_repeated(self, waiting: Waiting) -> None:
        """Report files of a patch that came before."""
        for path in waiting.met if self._has_variants else ():
            for other in waiting.others(path):
                if self._used.add(hash(other)):
                    waiting.is_repeated = False
                    self._fail(waiting, path, self._two_files(other, path))
                    return
        self._repeat(waiting, is_whole=False)

    def _two_files(self, one: str, other: str) -> str:
        """The reason why a patch with two files for the same bands is left out."""
        tokens = []
        file: BandFile | None = None
        for path in (one, other):
            place = self._modality.file_of(self._template.match(path) or {})
            if place is not None:
                file = self._modality.band_files[place[0]]
                tokens.append(file.tokens[place[1]])
        return two_files(() if file is None else file.names, tokens[0], tokens[-1])

    def _repeat(self, waiting: Waiting, *, is_whole: bool) -> None:
        path = place_in(self._archive.location, next(iter(waiting.paths)))
        self._out.append(Repeated(waiting.key, path, is_whole))

    def _fail(self, waiting: Waiting, path: str, reason: str) -> None:
        if waiting.is_repeated:
            self._repeat(waiting, is_whole=False)
            return
        band = None
        if waiting.problem:
            band = self._modality.band_files[waiting.paths[path]].only_band
        where = place_in(self._archive.location, path)
        self._out.append(
            PatchFailure(printable(waiting.key), self._modality.name, where, band, reason)
        )
