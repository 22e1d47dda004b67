"""Parquet files with an image in each cell, as archives of files.

In: a parquet file with a row for each patch. The columns that the modality's spec names hold the
fields of its path; each cell of any other column of bytes is a whole file. Out: these files in row
order, each at the path that the spec's template gives. Cells that are not requested are not read.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.sources.parquet.cells import Cells
from rico_hdl.sources.parquet.table import Leaf, ParquetTable, RowGroup
from rico_hdl.sources.protocol import MAX_MEMBER_BYTES, Member
from rico_hdl.spec import Columns, Template
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
        self._layout = columns
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

    def members(self) -> Generator[Member]:
        """See `Archive.members`.

        Yields nothing if no column holds bytes, as in a table that lists all patches. Rows whose
        names can't be read are reported at the end.
        """
        self._n_bytes_read = 0
        lost: list[str] = []
        with closing(ParquetTable(self._path)) as table:
            columns = [c for c in table.columns if len(c.path) == 1 and not c.n_repetitions]
            named = self._columns_with_names(columns)
            files = [c for c in columns if c.holds == "bytes" and c not in named]
            if not files:
                self._refuse_nested(table)
            n_rows = 0
            for group in table.groups():
                rows = _Rows(table, group)
                for row in range(group.n_rows):
                    self._n_bytes_read = table.n_bytes * (n_rows + row + 1) // table.n_rows
                    try:
                        names = {column.name: _text(rows.read(row, column)) for column in named}
                    except ArchiveError as error:
                        lost.append(f"row group {group.number} {error.message}")
                        break
                    if nameless := [column for column, name in names.items() if name is None]:
                        lost.append(f"row {n_rows + row + 1} has no {nameless[0]}")
                        continue
                    fields = self._layout.fields({c: str(name) for c, name in names.items()})
                    for column in files:
                        yield self._member(rows, row, column, fields)
                rows.close()
                n_rows += group.n_rows
            self._n_bytes_read = table.n_bytes
        if lost:
            more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise ArchiveError(f"{self._path}: {lost[0]}{more}", _AGAIN)

    def _columns_with_names(self, columns: Sequence[Leaf]) -> list[Leaf]:
        """The columns that hold the fields of a path."""
        expected = dict.fromkeys(key.column for key in self._layout.keys)
        names = [column.name for column in columns]
        found = [c for c in columns if c.name in expected and c.holds != "other"]
        if len(found) != len(expected) or len(set(names)) < len(names):
            shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
            raise SourceError(
                f"{self._path}: expected the columns {' and '.join(expected)}, each once and with "
                f"names, found the columns {shown or '(none)'}",
                "Pass the parts that hold the images, or their folder.",
            )
        return found

    def _refuse_nested(self, table: ParquetTable) -> None:
        """Refuse a table whose files are not cells, but parts of them."""
        nested = [c for c in table.columns if len(c.path) > 1 and c.holds == "bytes"]
        if not nested:
            return
        names = list(dict.fromkeys(column.name for column in nested))
        is_struct = all(len(c.path) == 2 and not c.n_repetitions for c in nested)
        what = "structs, as of images in Hugging Face datasets" if is_struct else "lists or maps"
        shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        raise SourceError(
            f"{self._path}: expected columns of bytes, found {what}: {shown}",
            "Write the bytes alone, with pyarrow: "
            f'table["{names[0]}"].combine_chunks().field("{nested[0].path[-1]}")'
            if is_struct
            else "Write one file to each cell, as bytes.",
        )

    def _member(self, rows: _Rows, row: int, column: Leaf, fields: dict[str, str]) -> Member:
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

    def _read(self, rows: _Rows, turn: int, row: int, column: Leaf, path: str) -> bytes:
        """The content of a cell; see `Member.read`."""
        if turn != rows.turn:
            raise RuntimeError(f"{path!r} must be read once, before the next member is requested")
        rows.begin_turn()
        try:
            return rows.content(row, column)
        except ArchiveError as error:
            raise ArchiveError(f"{self._path}/{path}: {error.message}", _AGAIN) from error


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

    def content(self, row: int, column: Leaf) -> bytes:
        """Read a cell that holds a file.

        Raises:
            ArchiveError: The cell can't be read, or is empty or too large.
        """
        value = self.read(row, column)
        if value is None:
            raise ArchiveError("its cell is empty")
        if len(value) > MAX_MEMBER_BYTES:
            raise ArchiveError(f"holds {len(value):,} bytes, expected at most {MAX_MEMBER_BYTES:,}")
        return value

    def close(self) -> None:
        """Release all pages, and end the turn of the last member."""
        self.begin_turn()
        self._cells.clear()


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "surrogateescape")
