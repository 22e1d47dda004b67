"""Parquet files with an image in each cell, as archives of files.

In: a parquet file with a row for each patch. The columns that the modality's spec names hold the
fields of its path. Each cell of another column is a whole file: of the column that the spec names,
or of any column of bytes. Out: these files in row order, each at the path that the spec's template
gives. Cells that are not requested are not read.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from rico_hdl.errors import ArchiveError, MemberError
from rico_hdl.sources.parquet.cells import Cells
from rico_hdl.sources.parquet.layout import FileColumn, layout_of
from rico_hdl.sources.parquet.rows import rows_of
from rico_hdl.sources.parquet.table import Leaf, ParquetTable, RowGroup
from rico_hdl.sources.parquet.values import number_of
from rico_hdl.sources.protocol import MAX_MEMBER_BYTES, Member
from rico_hdl.spec import Columns, Template
from rico_hdl.spec.columns import FILE, FOLDER, ROW
from rico_hdl.spec.model import BAND_FIELD

MAX_HELD_BYTES: Final = 2**26
"""Maximum bytes of pages that are held until the last of their rows is read. Pages beyond this
limit are read again for each row."""

_AGAIN: Final = "Download it again."
_NO_NAMES: Final = frozenset({"", ".", ".."})


class ParquetArchive:
    """A parquet file whose cells are the files of patches. Each part is a separate archive.

    Args:
        files: The parquet file, as the only element.
        columns: Which columns hold the fields of a path.
        template: The path of a file, given these fields and the name of its column as the band.
    """

    sequential = True

    def __init__(self, files: Sequence[Path], columns: Columns, template: Template) -> None:
        (self._path,) = files
        self._columns = columns
        self._template = template
        self._n_bytes_read = 0

    @property
    def location(self) -> str:
        """See `Archive.location`."""
        return str(self._path)

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Archive.files`."""
        return (self._path,)

    @property
    def n_bytes_read(self) -> int:
        """See `Archive.n_bytes_read`; all rows are counted as equally large."""
        return self._n_bytes_read

    def rows(self) -> Generator[dict[str, object]]:
        """See `HasRows.rows`, and `rico_hdl.sources.parquet.rows.rows_of` for what it omits."""
        yield from rows_of(self._path)

    def members(self) -> Generator[Member]:
        """See `Archive.members`.

        Yields nothing if no column holds bytes, as in a table that lists all patches. Rows whose
        names can't be read are reported at the end.
        """
        self._n_bytes_read = 0
        lost: list[str] = []
        with closing(ParquetTable(self._path)) as table:
            layout = layout_of(self._path, table.columns, self._columns)
            n_rows = 0
            for group in table.groups():
                rows = _Rows(table, group)
                for row in range(group.n_rows):
                    self._n_bytes_read = table.n_bytes * (n_rows + row + 1) // table.n_rows
                    try:
                        names = {
                            column: _text(rows.read(row, leaf), leaf)
                            for column, leaf in layout.named.items()
                        }
                    except ArchiveError as error:
                        lost.append(f"row group {group.number} {error.message}")
                        break
                    if nameless := [column for column, name in names.items() if name is None]:
                        lost.append(f"row {n_rows + row + 1} has no {nameless[0]}")
                        continue
                    fields = self._fields(n_rows + row, names)
                    for column in layout.files:
                        yield self._member(rows, row, column, fields)
                rows.close()
                n_rows += group.n_rows
            self._n_bytes_read = table.n_bytes
        if lost:
            more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise ArchiveError(f"{self._path}: {lost[0]}{more}", _AGAIN)

    def _fields(self, row: int, names: Mapping[str, str | None]) -> dict[str, str]:
        """The fields of a row's paths."""
        given = {FOLDER: self._path.parent.name, FILE: self._path.stem, ROW: str(row)}
        return self._columns.fields({c: str(name) for c, name in names.items()}, given)

    def _member(self, rows: _Rows, row: int, column: FileColumn, fields: dict[str, str]) -> Member:
        fields = fields | {BAND_FIELD: column.name}
        bad = [value for value in fields.values() if set("/\\\0") & set(value)]
        for character in "/\\\0":
            fields = {field: value.replace(character, "_") for field, value in fields.items()}
        parts = self._template.format(fields).split("/")
        bad += [part for part in parts if part in _NO_NAMES]
        path = "/".join("_" if part in _NO_NAMES else part for part in parts)
        problem = f"{bad[0]!r} is not a valid file or folder name" if bad else ""
        turn = rows.begin_turn()
        return Member(path, partial(self._read, rows, turn, row, column, path), problem)

    def _read(self, rows: _Rows, turn: int, row: int, column: FileColumn, path: str) -> bytes:
        """The content of a cell; see `Member.read`."""
        if turn != rows.turn:
            raise RuntimeError(f"{path!r} must be read once, before the next member is requested")
        rows.begin_turn()
        try:
            return rows.content(row, column)
        except ArchiveError as error:
            raise type(error)(f"{self._path}/{path}: {error.message}", error.hint) from error


class _Rows:
    """The rows of a row group, read in order.

    Args:
        table: The file.
        group: The row group.
    """

    def __init__(self, table: ParquetTable, group: RowGroup) -> None:
        self.turn = 0
        """Changes when a member is requested or read. A member can be read only in its turn."""
        self._table = table
        self._group = group
        self._cells: dict[Leaf, Cells] = {}
        self._origins: dict[Leaf, Cells] = {}

    def begin_turn(self) -> int:
        """End the turn of the previous member, which can't be read any more."""
        self.turn += 1
        return self.turn

    def read(self, row: int, column: Leaf) -> bytes | None:
        """Read a cell; see `Cells.read`."""
        cells = self._cells.get(column)
        if cells is None:
            cells = self._cells[column] = Cells(self._table, self._group, column)
        found = cells.read(row)
        # The columns are read in rotation, so this one is needed again last.
        if sum(other.n_held_bytes for other in self._cells.values()) > MAX_HELD_BYTES:
            cells.release()
        return found

    def content(self, row: int, column: FileColumn) -> bytes:
        """Read a cell that holds a file.

        Raises:
            MemberError: The cell is empty or too large.
            ArchiveError: The cell can't be read.
        """
        try:
            value = self.read(row, column.content)
        except ArchiveError as error:
            raise ArchiveError(error.message, _AGAIN) from error
        if value is None:
            raise MemberError("its cell is empty" + self._origin_text(row, column.origin))
        if len(value) > MAX_MEMBER_BYTES:
            raise MemberError(f"holds {len(value):,} bytes, expected at most {MAX_MEMBER_BYTES:,}")
        return value

    def _origin_text(self, row: int, column: Leaf | None) -> str:
        """The file that a cell without content names, as the end of a sentence."""
        if column is None:
            return ""
        if column not in self._origins:
            self._origins[column] = Cells(self._table, self._group, column)
        name = self._origins[column].read(row)
        return f", and only names a file: {name.decode(errors='replace')!a}" if name else ""

    def close(self) -> None:
        """Release all pages, and end the turn of the last member."""
        self.begin_turn()
        self._cells.clear()
        self._origins.clear()


def _text(value: bytes | None, column: Leaf) -> str | None:
    """The value of a cell as a part of a path; None if it has none."""
    number = number_of(column)
    if value is None or number is None:
        return None if value is None else value.decode("utf-8", "surrogateescape")
    return str(number.unpack(value)[0])
