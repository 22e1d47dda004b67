"""Whole columns of a parquet table: text, and lists of text.

In: a parquet file, and the names of some columns. Out: their values, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.sources.parquet.cells import Cells
from rico_hdl.sources.parquet.table import ParquetTable


def read_columns(path: Path, names: Sequence[str]) -> dict[str, list[Any]]:
    """Read columns of a parquet table, by name.

    Args:
        path: The file.
        names: The names of columns with text, or with lists of text.

    Returns:
        For each name, the value of each row: a string, a list of strings, or None.

    Raises:
        SourceError: The file can't be opened as parquet, or a column is missing or not of text.
        ArchiveError: The file is damaged.
    """
    with closing(ParquetTable(path)) as table:
        leaves = {leaf.name: leaf for leaf in table.columns}
        missing = [name for name in names if name not in leaves]
        if missing:
            raise SourceError(f"{path}: lacks the columns {', '.join(missing)}")
        for name in names:
            if leaves[name].holds != "text" or leaves[name].n_repetitions > 1:
                raise SourceError(f"{path}: column {name} holds neither text nor lists of text")
        found: dict[str, list[Any]] = {name: [] for name in names}
        for group in table.groups():
            for name in names:
                try:
                    found[name] += Cells(table, group, leaves[name]).rows()
                except ArchiveError as error:
                    raise ArchiveError(
                        f"{path}: column {name} of row group {group.number} {error.message}",
                        "Download it again.",
                    ) from error
    return found
