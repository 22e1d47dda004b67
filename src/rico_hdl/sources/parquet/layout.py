"""Which columns of a table hold the fields of paths, and which hold files.

In: the columns of a parquet file, and those that the modality's spec names. Out: the columns to
read. A column of files holds bytes, or structs with bytes and a file's name, which Hugging Face's
`datasets` writes for images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rico_hdl.errors import SourceError
from rico_hdl.sources.parquet.table import Leaf
from rico_hdl.sources.parquet.values import number_of
from rico_hdl.spec import Columns

_CONTENT, _NAME = "bytes", "path"
"""The parts of a struct with a file: https://huggingface.co/docs/datasets, feature ``Image``."""
_N_SHOWN: Final = 20
"""Columns that a message lists."""


class FileColumn(NamedTuple):
    """A column with files."""

    name: str
    """Its name."""
    content: Leaf
    """The cells with the bytes."""
    origin: Leaf | None
    """The cells with the names that the files had; None if there are none."""


class TableLayout(NamedTuple):
    """The columns of a table that are read for patches."""

    named: dict[str, Leaf]
    """The cells with the fields of a path, by the column's name in the spec."""
    files: tuple[FileColumn, ...]
    """The columns with files; none if the table holds no files, such as a list of all patches."""


def layout_of(path: Path, leaves: Sequence[Leaf], columns: Columns) -> TableLayout:
    """The columns that are read for patches.

    Args:
        path: The table, for messages.
        leaves: Its columns.
        columns: Those that the spec names.

    Raises:
        SourceError: A column is missing, occurs twice, or is of another kind.
    """
    if columns.files and not any(leaf.holds == "bytes" for leaf in leaves):
        return TableLayout({}, ())
    tops = list(dict.fromkeys(leaf.name for leaf in leaves))
    named = _named(path, leaves, columns, tops)
    files = [one for one in files_in(leaves) if one.content not in named.values()]
    if columns.files:
        wanted = [one for one in files if one.name == columns.files]
        if len(wanted) != 1:
            raise SourceError(
                f"{path}: expected a column {columns.files} of bytes, or of structs of {_CONTENT} "
                f"and {_NAME}, found the columns {_list(tops)}",
                "Name the column that holds the files.",
            )
        return TableLayout(named, tuple(wanted))
    if not files:
        _refuse_nested(path, leaves)
    return TableLayout(named, tuple(files))


def _named(
    path: Path, leaves: Sequence[Leaf], columns: Columns, tops: Sequence[str]
) -> dict[str, Leaf]:
    """The cells with the fields of a path."""
    expected = list(dict.fromkeys(key.column for key in columns.keys if key.column))
    found: dict[str, Leaf] = {}
    for leaf in leaves:
        name = ".".join(leaf.path)
        number = number_of(leaf)
        is_name = (leaf.holds != "other" or number is not None) and not leaf.n_repetitions
        if name in expected and is_name:
            found[name] = leaf if number is None else leaf._replace(n_bytes=number.size)
    paths = [leaf.path for leaf in leaves]
    if len(found) < len(expected) or len(set(paths)) < len(paths):
        raise SourceError(
            f"{path}: expected the columns {' and '.join(expected)}, each once and with names, "
            f"found the columns {_list(tops)}",
            "Pass the parts that hold the images, or their folder.",
        )
    return found


def files_in(leaves: Sequence[Leaf]) -> list[FileColumn]:
    """All columns that may hold files: of bytes, and of structs with bytes."""
    found = []
    for leaf in leaves:
        is_whole = len(leaf.path) == 1
        is_part = len(leaf.path) == 2 and leaf.path[1] == _CONTENT
        if leaf.holds != "bytes" or leaf.n_repetitions or not (is_whole or is_part):
            continue
        names = [
            other
            for other in leaves
            if is_part and other.path == (leaf.name, _NAME) and other.holds == "text"
        ]
        found.append(FileColumn(leaf.name, leaf, names[0] if names else None))
    return found


def _refuse_nested(path: Path, leaves: Sequence[Leaf]) -> None:
    """Refuse a table whose files are parts of cells.

    Raises:
        SourceError: The table is such a one.
    """
    nested = [leaf for leaf in leaves if len(leaf.path) > 1 and leaf.holds == "bytes"]
    if nested:
        names = list(dict.fromkeys(".".join(leaf.path) for leaf in nested))
        raise SourceError(
            f"{path}: expected columns of bytes, or of structs of {_CONTENT} and {_NAME}, found "
            f"bytes in other structs, lists or maps: {_list(names)}",
            "Write one file to each cell, as bytes.",
        )


def _list(names: Sequence[str]) -> str:
    return (", ".join(names[:_N_SHOWN]) + (", …" if len(names) > _N_SHOWN else "")) or "(none)"
