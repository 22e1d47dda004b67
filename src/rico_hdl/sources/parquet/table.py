"""The table of contents of a parquet file.

In: a parquet file. Out: its columns, and its row groups one after another. The entries of row
groups are parsed on request, so a long table of contents doesn't delay the first row.

Format: https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple

from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.sources.files import hint_for, open_regular
from rico_hdl.sources.parquet import thrift

MAX_FOOTER_BYTES: Final = 2**26
"""Largest table of contents that is read: about 15,000 row groups with 17 columns."""

MAGIC: Final = b"PAR1"
_AGAIN: Final = "Download it again."
_BYTE_ARRAY, _FIXED_LEN_BYTE_ARRAY = 6, 7
"""Column types."""
_UTF8: Final = 0
"""The converted type that marks a column as text."""
_INT32, _INT64 = 1, 2
_FORMS: Final[dict[int, Form]] = {
    0: "truth",
    _INT32: "int32",
    _INT64: "int64",
    4: "float32",
    5: "float64",
}
"""Forms of values by column type."""
_UNSIGNED_FORMS: Final[dict[Form, Form]] = {"int32": "uint32", "int64": "uint64"}
_CONVERTED: Final[dict[int, Form]] = {6: "date", 9: "milliseconds", 10: "microseconds"}
"""Forms of values by converted type."""
_UNSIGNED, _SIGNED = range(11, 15), range(15, 19)
"""Converted types of integers."""
_DATE, _TIMESTAMP, _INTEGER, _UNKNOWN = 6, 8, 10, 11
"""Logical types; a column of an unknown type has no values."""
_PLAIN_LOGICAL: Final = {_INTEGER, _UNKNOWN}
_UNITS: Final[dict[int | None, Form]] = {1: "milliseconds", 2: "microseconds", 3: "nanoseconds"}
"""Units of timestamps."""
_REQUIRED, _OPTIONAL, _REPEATED = 0, 1, 2
"""Repetition types of columns: cells have a value, may have one, or are lists."""


Form = Literal[
    "text", "truth", "date", "milliseconds", "microseconds", "nanoseconds", "other",
    "int32", "int64", "uint32", "uint64", "float32", "float64",
]  # fmt: skip
"""Forms of values: text, truth values, dates, times since 1970, numbers; or none of these."""


class Leaf(NamedTuple):
    """A column with cells."""

    path: tuple[str, ...]
    """Its name; if it is nested, after the names of the columns that contain it."""
    holds: Literal["text", "bytes", "other"]
    """The kind of value in its cells."""
    position: int
    """Its zero-based position among the columns of a row group."""
    n_definitions: int
    """The definition level of a cell with a value: how many columns of its path may lack one."""
    n_repetitions: int
    """The number of nested lists that contain its values."""
    may_lack: bool
    """Whether its top-level column may lack a value."""
    n_bytes: int | None
    """Bytes of each cell; None if they vary."""
    form: Form = "other"
    """The form of its values; see `rico_hdl.sources.parquet.values`."""
    may_be_null: bool = False
    """Whether a value itself, such as one in a list, may be lacking."""

    @property
    def name(self) -> str:
        """The name of its top-level column."""
        return self.path[0]


class RowGroup(NamedTuple):
    """Some rows of a table."""

    number: int
    """Its one-based number, for messages."""
    n_rows: int
    """Number of its rows."""
    columns: list[thrift.Struct]
    """The location of each column's pages."""


class ParquetTable:
    """An open parquet file, for use by a single thread.

    Args:
        path: The file; a name for messages if its content is given.
        content: The content, if the table is not a file but a part of one.

    Raises:
        SourceError: The file is not a parquet file, or can't be opened.
        ArchiveError: The file is damaged.
    """

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        self._path = path
        self._n_groups = 0
        try:
            self.file: BinaryIO = (
                os.fdopen(open_regular(path), "rb") if content is None else io.BytesIO(content)
            )
        except OSError as error:
            raise _unreadable(path, error) from error
        try:
            self.n_bytes, footer = _footer(path, self.file)
            """Bytes of the file."""
            self._contents = thrift.ThriftReader(footer)
            self.columns, self.n_rows = self._read_head()
            """The columns with cells, in the order of the file, and the number of rows."""
        except BaseException:
            self.file.close()
            raise

    def _read_head(self) -> tuple[tuple[Leaf, ...], int]:
        """Read the columns and the number of rows, up to the list of row groups."""
        head: thrift.Struct = {}
        try:
            for number, kind in self._contents.fields():
                if number == 4:
                    self._n_groups = self._contents.list_head()[0]
                    break
                head[number] = self._contents.value(kind)
            found, n_rows = tuple(_leaves(head[2])), int(head[3])
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._no_contents(error) from error
        if not 0 <= n_rows <= self.n_bytes:
            raise ArchiveError(
                f"{self._path}: claims to hold {n_rows:,} rows in {self.n_bytes:,} bytes", _AGAIN
            )
        return found, n_rows

    def groups(self) -> Iterator[RowGroup]:
        """Yield the row groups. Can be called only once.

        Raises:
            ArchiveError: The table of contents is damaged.
        """
        n_left = self.n_rows
        try:
            for i in range(self._n_groups):
                found = self._contents.struct()
                group = RowGroup(i + 1, int(found[3]), found[1])
                n_left -= group.n_rows
                if group.n_rows < 0 or n_left < 0:
                    break
                if group.n_rows:  # a group without rows may have no pages
                    yield group
        except (ValueError, LookupError, TypeError) as error:
            raise self._no_contents(error) from error
        if n_left:
            raise ArchiveError(
                f"{self._path}: claims to hold {self.n_rows:,} rows, but its row groups hold "
                f"{self.n_rows - n_left:,}",
                _AGAIN,
            )

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _no_contents(self, error: Exception) -> ArchiveError:
        return ArchiveError(f"{self._path}: its table of contents can't be read: {error}", _AGAIN)


def _leaves(elements: list[thrift.Struct]) -> Iterator[Leaf]:
    """The columns with cells. A schema lists its root, then all columns, depth first."""
    position = 0
    # The columns that contain the next one: path, levels, and number of children still to come.
    above: list[tuple[tuple[str, ...], int, int, int]] = [((), 0, 0, elements[0][5])]
    may_lack = False
    for element in elements[1:]:
        while above[-1][-1] == 0:
            above.pop()
        path, n_definitions, n_repetitions, n_left = above.pop()
        above.append((path, n_definitions, n_repetitions, n_left - 1))
        repetition = element.get(3, _REQUIRED)
        may_lack = may_lack if path else repetition == _OPTIONAL
        path = (*path, element[4].decode("utf-8", "surrogateescape"))
        n_definitions += repetition != _REQUIRED
        n_repetitions += repetition == _REPEATED
        if element.get(5):
            above.append((path, n_definitions, n_repetitions, element[5]))
            continue
        length = element[2] if element[1] == _FIXED_LEN_BYTE_ARRAY else None
        levels = (n_definitions, n_repetitions, may_lack)
        may_be_null = repetition == _OPTIONAL
        yield Leaf(path, _holds(element), position, *levels, length, _form(element), may_be_null)
        position += 1


def _holds(element: thrift.Struct) -> Literal["text", "bytes", "other"]:
    kind, converted, logical = element[1], element.get(6), element.get(10, {})
    if kind == _BYTE_ARRAY and (converted == _UTF8 or 1 in logical):
        return "text"
    is_plain = kind in {_BYTE_ARRAY, _FIXED_LEN_BYTE_ARRAY} and converted is None and not logical
    return "bytes" if is_plain else "other"


def _form(element: thrift.Struct) -> Form:
    """The form of a column's values. Where a logical type is given, the converted one is not."""
    kind, converted, logical = element[1], element.get(6), element.get(10, {})
    if _holds(element) == "text":
        return "text"
    if _TIMESTAMP in logical:
        unit = next(iter(logical[_TIMESTAMP][2]), None)
        return _UNITS.get(unit, "other") if kind == _INT64 else "other"
    if logical.keys() - _PLAIN_LOGICAL:
        return "date" if _DATE in logical and kind == _INT32 else "other"
    is_unsigned = _INTEGER in logical and logical[_INTEGER].get(2) is False
    if not logical and converted is not None:
        if converted in _CONVERTED:
            return _CONVERTED[converted]
        is_unsigned = converted in _UNSIGNED
        if not is_unsigned and converted not in _SIGNED:
            return "other"
    found = _FORMS.get(kind, "other")
    return _UNSIGNED_FORMS.get(found, found) if is_unsigned else found


def _footer(path: Path, file: BinaryIO) -> tuple[int, bytes]:
    """The size of a parquet file in bytes, and its table of contents."""
    try:
        head = file.read(8)
        n_bytes = file.seek(0, 2)
        file.seek(max(0, n_bytes - 8))
        tail = file.read(8)
        n_footer = int.from_bytes(tail[:4], "little")
        if not head.startswith(MAGIC):
            found = f"it begins with {head.hex(' ')}" if head else "it is empty"
            raise SourceError(f"{path}: is not a parquet file: {found}", _AGAIN)
        if n_bytes < 12 or not tail.endswith(MAGIC):
            raise ArchiveError(
                f"{path}: is cut short at byte {n_bytes}: its table of contents is missing", _AGAIN
            )
        if n_footer > min(MAX_FOOTER_BYTES, n_bytes - 12):
            raise ArchiveError(
                f"{path}: claims that its table of contents takes {n_footer:,} of {n_bytes:,} "
                f"bytes, expected at most {MAX_FOOTER_BYTES:,}",
                _AGAIN,
            )
        file.seek(n_bytes - 8 - n_footer)
        return n_bytes, file.read(n_footer)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(f"{path}: can't be read: {error.strerror}", hint_for(error))
