"""Tortilla and TACO (version 1) files as archives.

In: a file, or the parts of a set, each with a footer of its own. Out: the leaves of its samples, at
the paths that the ids give: ``sample_1/s2.tif`` for a GeoTIFF in a sample that is itself a
tortilla, ``sample_1.tif`` for a sample that is a GeoTIFF. Any thread can read any leaf, with one
read.

The format has no checksums. Every offset and length is therefore compared with all others: samples
must fill a tortilla from its header to its footer. Whatever does not fit is an error after the last
member, as is a tortilla that can't be read; the leaves of all others are yielded.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Final, NamedTuple

from rico_hdl.errors import ArchiveError, IncompleteArchiveError
from rico_hdl.sources.protocol import Member
from rico_hdl.sources.tortilla.footer import Tortilla
from rico_hdl.sources.tortilla.header import HEADER_BYTES, parse_header
from rico_hdl.sources.tortilla.parts import problem_of, stem_of
from rico_hdl.sources.volumes import Volumes
from rico_hdl.system.hashes import HashSet

MAX_DEPTH: Final = 16
"""How deep tortillas may be nested; published ones have two levels."""

_AGAIN: Final = "Download it again."
_PREFIX: Final = re.compile(r"(?:tortilla|stac|rai):")
"""What `rows` removes from the names of columns."""
_NO_FIELD: Final = re.compile(r"[^a-z0-9_]")
_INDEX: Final = "__index_level_"
"""The beginning of the name of a column in which pandas counts rows."""
_PLACES: Final = frozenset({"tortilla:offset", "tortilla:length"})
"""Columns about the file, not about its samples."""


class TortillaArchive:
    """A tortilla or TACO file, or a set of them.

    Args:
        files: The file, or the parts of a set in order; see `rico_hdl.sources.tortilla.parts`.
        published: The names of files that are known to be published.
    """

    sequential = False

    def __init__(self, files: Sequence[Path], published: Collection[str] = ()) -> None:
        self._files = tuple(files)
        self._published = published
        self._n_bytes_read = 0

    @property
    def location(self) -> str:
        """See `Archive.location`."""
        return str(self._files[0])

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Archive.files`."""
        return self._files

    @property
    def n_bytes_read(self) -> int:
        """See `Archive.n_bytes_read`; a tortilla's footer is read before its samples."""
        return self._n_bytes_read

    def members(self) -> Generator[Member]:
        """See `Archive.members`."""
        self._n_bytes_read = 0
        n_parts: dict[Path, int] = {}
        with Volumes(self._files) as volumes:
            walk = _NestedTortillas(volumes)
            try:
                for file, start, stop in self._places(volumes):
                    with suppress(ArchiveError):  # the walk will say what is wrong
                        n_parts[file] = parse_header(volumes.pread(start, HEADER_BYTES)).n_parts
                    for member, end in walk.below(
                        _Location(str(file), "", start, stop - start, "", 0)
                    ):
                        self._n_bytes_read = max(self._n_bytes_read, end)
                        yield member
                    self._n_bytes_read = stop
            except OSError as error:
                raise _unreadable(self.location, error) from error
        if problem := problem_of(self._files, n_parts, self._published):
            walk.unknown.insert(0, problem)
        if walk.lost:
            raise ArchiveError(_first_of([*walk.lost, *walk.unknown]), _AGAIN)
        if walk.unknown:
            raise IncompleteArchiveError(
                f"{_first_of(walk.unknown)}: samples may be missing",
                "Download it again; if parts are missing, into the same folder.",
            )

    def rows(self) -> Generator[dict[str, object]]:
        """See `HasRows.rows`: the samples' ids, splits, labels and whatever else the footers say.

        Prefixes such as ``tortilla:`` are dropped from the names of columns, and the samples of a
        tortilla in another one have no rows.

        Raises:
            SourceError: See `members`.
            ArchiveError: A footer is damaged.
        """
        stem = stem_of(self._files[0])
        with Volumes(self._files) as volumes:
            for file, start, stop in self._places(volumes):
                try:
                    rows = Tortilla(volumes, start, stop - start, str(file)).rows()
                    for row in rows:
                        names = _fields_of(tuple(row)).items()
                        yield {name: row[column] for column, name in names} | {"file": stem}
                except ArchiveError as error:
                    raise ArchiveError(f"{file} {error.message}", _AGAIN) from error
                except OSError as error:
                    raise _unreadable(str(file), error) from error

    def _places(self, volumes: Volumes) -> Iterator[tuple[Path, int, int]]:
        """Each file, and where its bytes start and end."""
        bounds = [*volumes.starts, volumes.size]
        yield from zip(self._files, bounds[:-1], bounds[1:], strict=True)


class _Location(NamedTuple):
    """Where a tortilla or a leaf is."""

    where: str
    """What to call it in messages."""
    path: str
    """Its path in the archive; that of a tortilla ends in ``/``, or is empty."""
    start: int
    """Offset of its first byte in the files."""
    n_bytes: int
    """Its size."""
    problem: str
    """Why it can't be used, if so."""
    depth: int
    """How many tortillas contain it."""


class _NestedTortillas:
    """A walk through tortillas in tortillas.

    Args:
        volumes: The files.
    """

    def __init__(self, volumes: Volumes) -> None:
        self.lost: list[str] = []
        """What can't be read."""
        self.unknown: list[str] = []
        """What contradicts the format."""
        self._volumes = volumes
        self._met = HashSet()  # hashes of the names at the top

    def below(self, place: _Location) -> Iterator[tuple[Member, int]]:
        """Yield the leaves of a tortilla, each with the offset of its end in the files."""
        try:
            if place.depth > MAX_DEPTH:
                raise ArchiveError(f"is nested in more than {MAX_DEPTH} others")  # noqa: TRY301
            contents = Tortilla(self._volumes, place.start, place.n_bytes, place.where)
            self._check_collection(contents, place.start)
        except ArchiveError as error:
            self.lost.append(f"{place.where} {error.message}")
            return
        self.unknown += (f"{place.where}: {reason}" for reason in contents.unknown)
        for sample in contents:
            problem = place.problem or sample.problem
            if place.depth == 0 and self._met.add(hash(sample.name)):
                problem = problem or f"an earlier part has a sample called {sample.name!r}, too"
            inner = _Location(
                f"{place.where}/{sample.name}",
                f"{place.path}{sample.name}",
                place.start + sample.start,
                sample.n_bytes,
                problem,
                place.depth + 1,
            )
            if sample.is_nested:
                yield from self.below(inner._replace(path=f"{inner.path}/"))
            else:
                read = partial(self._read, inner)
                member = Member(inner.path, read, problem, sample.n_bytes)
                yield member, inner.start + sample.n_bytes

    def _read(self, place: _Location) -> bytes:
        """The bytes of a leaf; see `Member.read`."""
        try:
            found = self._volumes.pread(place.start, place.n_bytes)
        except OSError as error:
            raise _unreadable(place.where, error) from error
        if len(found) < place.n_bytes:
            raise ArchiveError(
                f"{place.where}: the file ends after {len(found):,} of its {place.n_bytes:,} bytes",
                _AGAIN,
            )
        return found

    def _check_collection(self, contents: Tortilla, start: int) -> None:
        """Check that a TACO ends with its collection, which says nothing about samples.

        Raises:
            ArchiveError: It doesn't.
        """
        header = contents.header
        if header.collection_bytes == 0:
            return
        text = self._volumes.pread(start + header.collection_start, header.collection_bytes)
        try:
            is_object = isinstance(json.loads(text), dict)
        except (ValueError, RecursionError):
            is_object = False
        if not is_object:
            raise ArchiveError(
                f"does not end with a collection in JSON, expected at byte "
                f"{header.collection_start:,}"
            )


@cache
def _fields_of(columns: tuple[str, ...]) -> dict[str, str]:
    """The names of columns as fields of templates, without those that say nothing of samples."""
    found: dict[str, str] = {}
    kept = [name for name in columns if name not in _PLACES and not name.startswith(_INDEX)]
    without = {name: _PREFIX.sub("", name) for name in kept}
    counts = Counter(map(_field, without.values()))
    for name in kept:
        short = _field(without[name])
        found[name] = short if counts[short] == 1 or without[name] == name else _field(name)
    return found


def _field(text: str) -> str:
    return _NO_FIELD.sub("_", text.lower())


def _first_of(reasons: list[str]) -> str:
    return reasons[0] + (f", and {len(reasons) - 1:,} more" if len(reasons) > 1 else "")


def _unreadable(where: str, error: OSError) -> ArchiveError:
    return ArchiveError(
        f"{where}: can't be read: {error.strerror}",
        "Check the permissions, and that the disk or network share is mounted.",
    )
