"""The values of a column, row by row: text, numbers, truth values, times, and lists of them.

In: a row group of a parquet file, and a column. Out: a value for each row, page by page, so that a
long table takes no more memory than a page of each of its columns.

Format: https://parquet.apache.org/docs/file-format/types/logicaltypes/
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Final

from rico_hdl.errors import ArchiveError
from rico_hdl.sources.parquet.cells import PLAIN, RLE, Cells, Page, damage, packed_numbers, text_of
from rico_hdl.sources.parquet.table import Form, Leaf, ParquetTable, RowGroup

Value = str | int | float | bool | None
"""A single value. Dates and times are text, as in ISO 8601."""

_MAPS: Final = frozenset({"key_value", "map"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND: Final = {"milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_STRUCTS: Final[dict[Form, struct.Struct]] = {
    "int32": struct.Struct("<i"),
    "int64": struct.Struct("<q"),
    "uint32": struct.Struct("<I"),
    "uint64": struct.Struct("<Q"),
    "float32": struct.Struct("<f"),
    "float64": struct.Struct("<d"),
    "date": struct.Struct("<i"),
    "milliseconds": struct.Struct("<q"),
    "microseconds": struct.Struct("<q"),
    "nanoseconds": struct.Struct("<q"),
}


def number_of(column: Leaf) -> struct.Struct | None:
    """How a column of integers stores them; None if it holds none."""
    return _STRUCTS[column.form] if "int" in column.form else None


def has_values(column: Leaf) -> bool:
    """Whether `ColumnValues` can give a column's values: it holds no bytes, structs or maps."""
    if column.form == "other" or column.n_repetitions > 1:
        return False
    # A list's values are in a group of the list, such as `labels.list.element`. Maps have two.
    return len(column.path) == 1 or (
        bool(column.n_repetitions) and len(column.path) <= 3 and column.path[1] not in _MAPS
    )


class ColumnValues(Cells):
    """The values of one column of a row group, in order. Iterate once.

    Args:
        table: The file.
        group: The row group.
        column: A column that `has_values`.
    """

    def __init__(self, table: ParquetTable, group: RowGroup, column: Leaf) -> None:
        known = _STRUCTS.get(column.form)
        super().__init__(
            table, group, column if known is None else column._replace(n_bytes=known.size)
        )
        self._convert = None if column.form == "truth" else _converter(column.form)

    def __iter__(self) -> Iterator[Value | list[Value]]:
        """Yield a value for each row; None where it is lacking.

        Raises:
            ArchiveError: The values can't be read. The message doesn't name the column.
        """
        n = 0
        with damage():
            for row in self._assembled():
                n += 1
                yield row
        if n != self._group.n_rows:
            raise ArchiveError(f"is damaged: it has {n:,} rows, expected {self._group.n_rows:,}")

    def _assembled(self) -> Iterator[Value | list[Value]]:
        top = self._column.n_definitions
        n_of_entry = top - self._column.may_be_null  # the level from which a list has an entry
        is_list = self._column.n_repetitions > 0
        row: Value | list[Value] = None
        is_begun = False
        for page in self._pages:
            values, repetitions, definitions = self._of_page(page)
            n_cells = 0
            for repetition, definition in zip(repetitions, definitions, strict=True):
                n_cells += 1
                if repetition == 0:
                    if is_begun:
                        yield row
                    is_begun = True
                    row = [] if is_list and (definition or not self._column.may_lack) else None
                if definition < n_of_entry:
                    continue
                value = next(values) if definition == top else None
                if isinstance(row, list):
                    row.append(value)
                else:
                    row = value
            if n_cells != page.n_values:
                raise ValueError(f"{n_cells:,} cells in a page that claims {page.n_values:,}")
        if is_begun:
            yield row

    def _of_page(self, page: Page) -> tuple[Iterator[Value], Iterator[int], Iterator[int]]:
        """Values, repetition levels and definition levels of a page."""
        if self._convert is not None:
            return self._decoded(page, self._convert)
        import numpy as np  # noqa: PLC0415 - a tenth of a second that other sources never need

        repetitions, definitions, data = self._parts(page)
        encoding = self._encoding(page)
        if encoding == PLAIN:
            bits: Iterator[int] = iter(
                np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little").tolist()
            )
        elif encoding == RLE:
            bits = packed_numbers(data[4:], 1)  # after their length in bytes
        else:
            raise ValueError(f"its encoding is {encoding}, expected plain or runs")
        n = page.n_values
        return map(bool, bits), islice(repetitions, n), islice(definitions, n)


def _converter(form: Form) -> Callable[[memoryview], Value]:
    if form == "text":
        return text_of
    unpack = _STRUCTS[form].unpack
    if form == "date":
        return lambda value: (date(1970, 1, 1) + timedelta(*unpack(value))).isoformat()
    if form in _PER_SECOND:
        return lambda value: _time(unpack(value)[0], _PER_SECOND[form])

    def number(value: memoryview) -> int | float:
        found: int | float = unpack(value)[0]
        return found

    return number


def _time(n: int, n_per_second: int) -> str:
    """A point in time; fractions of a second only where there are any."""
    seconds, fraction = divmod(n, n_per_second)
    shown = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{fraction:0{len(str(n_per_second)) - 1}}".rstrip("0") if fraction else ""
    return shown + (f".{digits}" if digits else "")
