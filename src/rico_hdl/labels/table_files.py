"""Rows of label tables, whatever the form of the file.

In: a file, or its bytes. Out: rows, each a dictionary of values by column. A row is held at a time,
and nothing of the file's other rows but the text of JSON files. Pickles are never loaded.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from rico_hdl.errors import ArchiveError, MemoryLimitError, SourceError
from rico_hdl.labels.json_items import FEATURES, items_of
from rico_hdl.sources.files import hint_for, open_regular, read_regular
from rico_hdl.spec import LabelTable

MAX_JSON_BYTES: Final = 2**27
"""Largest JSON table that is read: its text is held in memory."""
MAX_RECORD_BYTES: Final = 2**22
"""Largest JSON file that is a single row."""
NAME: Final = "name"
"""The column of the names of a JSON object, and of the rows of a list."""
VALUE: Final = "value"
"""The column of the values of a JSON object."""
_AGAIN: Final = "Check that it is the publisher's file, and download it again if it is damaged."


class TableRow(NamedTuple):
    """A row of a table."""

    number: int
    """One-based: the line of a text file, or the position of the row."""
    values: dict[str, Any]
    """Text, numbers, or lists of them, by column."""


def column_name(name: str) -> str:
    """The name under which a column is known: lower case, with ``_`` for other characters."""
    plain = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
    return f"_{plain}" if plain[:1].isdigit() else plain


def rows_of(table: LabelTable, place: str, content: Path | bytes) -> Generator[TableRow]:
    """Yield the rows of a file.

    Args:
        table: What the spec says about it.
        place: Its path, for errors.
        content: The file, or its bytes.

    Raises:
        SourceError: The file can't be read, or is not such a table.
    """
    suffix = Path(place).suffix.lower()
    if suffix == ".parquet":
        yield from _parquet_rows(place, content)
    elif table.is_json or suffix in {".json", ".geojson"}:
        yield from _json_rows(table, place, content)
    else:
        yield from _text_rows(table, place, content, suffix)


def _text_rows(
    table: LabelTable, place: str, content: Path | bytes, suffix: str
) -> Generator[TableRow]:
    delimiter = table.delimiter or {".csv": ",", ".tsv": "\t"}.get(suffix, "")
    with _text_of(place, content) as lines, _problems(place):
        reader: Iterator[list[str]]
        if delimiter:
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
        else:
            reader = ([line.strip()] if line.strip() else [] for line in lines)
        names = [column_name(name) for name in table.header] or ([] if delimiter else [NAME])
        number = 0
        for number, values in enumerate(reader, 1):
            if not any(value.strip() for value in values):
                continue
            if not names:
                names = [column_name(name) or f"column_{i}" for i, name in enumerate(values, 1)]
                if len({*names}) < len(names):
                    raise SourceError(
                        f"{place}: two columns have the same name: {', '.join(names)}",
                        "Name the columns in the spec: header = [...]; the first row must go.",
                    )
                continue
            if len(values) != len(names):
                raise SourceError(
                    f"{place}, row {number}: has {len(values)} columns, expected {len(names)}: "
                    f"{', '.join(names)}",
                    _AGAIN
                    if table.header
                    else "Is it a file without a header? Then name the "
                    "columns in the spec: header = [...].",
                )
            yield TableRow(number, dict(zip(names, (v.strip() for v in values), strict=True)))


@contextmanager
def _text_of(place: str, content: Path | bytes) -> Generator[io.TextIOWrapper]:
    """The lines of a text file."""
    try:
        binary = (
            io.BytesIO(content)
            if isinstance(content, bytes)
            else os.fdopen(open_regular(content), "rb")
        )
    except OSError as error:
        raise SourceError(f"{place}: can't be read: {error.strerror}", hint_for(error)) from error
    with io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as text:
        yield text


@contextmanager
def _problems(place: str) -> Generator[None]:
    """Turn the errors of parsing a file into one that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise SourceError(f"{place}: is not text in UTF-8: {error.reason}", _AGAIN) from error
    except csv.Error as error:
        raise SourceError(f"{place}: can't be read as a table: {error}", _AGAIN) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise SourceError(f"{place}: is not valid JSON: {error.msg} at {where}", _AGAIN) from error
    except RecursionError as error:
        raise SourceError(f"{place}: has too many levels", _AGAIN) from error
    except OSError as error:
        raise SourceError(f"{place}: can't be read: {error.strerror}", hint_for(error)) from error


def _json_rows(table: LabelTable, place: str, content: Path | bytes) -> Generator[TableRow]:
    limit = MAX_RECORD_BYTES if table.is_record else MAX_JSON_BYTES
    with _problems(place):
        try:
            data = content if isinstance(content, bytes) else read_regular(content, limit)
        except MemoryLimitError as error:
            raise _too_large(place, error.n_bytes, limit) from None
        if len(data) > limit:
            raise _too_large(place, len(data), limit)
        text = str(data, "utf-8-sig")
        del data
        if table.is_record:
            found = json.loads(text)
            if not isinstance(found, dict):
                raise SourceError(f"{place}: expected an object with the values of one row", _AGAIN)
            yield TableRow(1, _columns(found))
            return
        is_geojson = place.lower().endswith(".geojson")
        number = 0
        for name, value in items_of(text):
            if name is not None and is_geojson:
                continue  # what GeoJSON says besides its features
            number += 1
            yield TableRow(number, _json_row(name, value))


def _too_large(place: str, n_bytes: int, limit: int) -> SourceError:
    return SourceError(
        f"{place}: has {n_bytes:,} bytes, and at most {limit:,} of a JSON file are read",
        "Write its rows as CSV, which has no limit.",
    )


def _json_row(name: str | None, value: object) -> dict[str, Any]:
    """The columns of an item of an object, an array, or GeoJSON."""
    row: dict[str, Any] = {} if name is None else {NAME: name}
    if isinstance(value, dict):
        properties = value.get("properties")
        if value.get("type") == "Feature" and isinstance(properties, dict):
            return row | _columns(properties)
        return row | _columns(value)
    return row | {NAME if name is None and not isinstance(value, list) else VALUE: value}


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    return {column_name(name): value for name, value in values.items() if name != FEATURES}


def _parquet_rows(place: str, content: Path | bytes) -> Generator[TableRow]:
    from rico_hdl.sources.parquet.rows import rows_of as rows_in  # noqa: PLC0415 - few need it

    if isinstance(content, bytes):
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            file.write(content)
            file.flush()
            yield from _parquet_rows(place, Path(file.name))
        return
    try:
        for number, values in enumerate(rows_in(content), 1):
            yield TableRow(number, values)
    except (ArchiveError, SourceError) as error:
        message = error.message.removeprefix(f"{content}: ")
        raise SourceError(f"{place}: can't be read as a table: {message}", _AGAIN) from error
