"""Where label tables are: in folders, in archives, and where users say.

In: the tables of a spec, and a place. Out: files, each with its table and the fields of its path.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from rico_hdl.errors import SourceError, UsageError
from rico_hdl.sources.leftovers import is_leftover
from rico_hdl.sources.opening import is_called_archive, open_archive
from rico_hdl.spec import LabelTable
from rico_hdl.spec.template import Segment


class Given(NamedTuple):
    """A file that a user names, or one in a folder or an archive that they name."""

    table: LabelTable
    place: str
    """Its path."""
    content: Path | bytes
    """The file, or its bytes."""
    fields: dict[str, str]
    """The fields of its path."""


def files_in(folder: Path, table: LabelTable) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield the files of a table below a folder, and the fields of their paths.

    Folders that can't be listed have none.
    """
    if not table.file:
        return
    if table.path is None:
        path = folder / table.file
        if path.is_file():
            yield path, {}
        return
    with suppress(OSError):
        found = _below(folder, table.path.segments, {})
        yield from ((path, fields) for path, fields in found if table.accepts(fields))


def _below(
    folder: Path, segments: Sequence[Segment], bound: dict[str, str]
) -> Iterator[tuple[Path, dict[str, str]]]:
    first, rest = segments[0], segments[1:]
    if first.fields <= bound.keys():
        found = [(first.format(bound), bound)]
    else:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not is_leftover(entry.name))
        matches = ((name, first.match(name, bound)) for name in names)
        found = [(name, bound | values) for name, values in matches if values is not None]
    for name, values in found:
        path = folder / name
        if not rest and path.is_file():
            yield path, values
        elif rest and path.is_dir():
            yield from _below(path, rest, values)


def files_given(dataset: str, path: Path, tables: Sequence[LabelTable]) -> Iterator[Given]:
    """Yield the tables that a user's path holds: itself, or files in a folder or an archive.

    Raises:
        UsageError: No table has such a name.
        SourceError: The path can't be read.
    """
    place = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - keeps links
    if place.is_dir():
        if not os.access(place, os.R_OK | os.X_OK):
            raise SourceError(f"{place}: can't be listed", "Check the permissions.")
        for table in tables:
            for file, fields in files_in(place, table):
                yield Given(table, str(file), file, fields)
    elif place.suffix.lower() != ".parquet" and is_called_archive(place):
        yield from _members(place, tables)
    else:
        yield _file(dataset, place, tables)


def _file(dataset: str, place: Path, tables: Sequence[LabelTable]) -> Given:
    for table in tables:
        fields = table.fields_of(place.as_posix())
        fields = _by_name(table, place) if fields is None else fields
        if fields is not None:
            return Given(table, str(place), place, fields)
    alike = [
        table
        for table in tables
        if table.path is None and Path(table.file).suffix == place.suffix.lower()
    ]
    if len(alike) == 1:
        return Given(alike[0], str(place), place, {})
    raise UsageError(
        f"{place}: no label table of {dataset} has such a name",
        f"Expected: {', '.join(table.file for table in tables if table.file) or 'none'}. "
        "Rename the file.",
    )


def _by_name(table: LabelTable, place: Path) -> dict[str, str] | None:
    """The fields of a file that lies in another folder than the spec says, by its name alone."""
    if table.path is None:
        return {} if table.file.rpartition("/")[2] == place.name else None
    last = table.path.segments[-1]
    values = last.match(place.name, {})
    if values is None or last.fields != {*table.path.fields}:
        return None
    return values if table.accepts(values) else None


def _members(place: Path, tables: Sequence[LabelTable]) -> Iterator[Given]:
    archive = open_archive(place, None)
    with closing(archive.members()) as members:
        for member in members:
            if member.problem:
                continue
            for table in tables:
                fields = table.fields_of(member.path)
                if fields is None:
                    continue
                data = member.read()
                if isinstance(data, bytes):
                    yield Given(table, f"{place}/{member.path}", data, fields)
                break
