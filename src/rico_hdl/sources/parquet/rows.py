"""What a parquet file says about its samples: everything in it except files.

In: a parquet file. Out: text, numbers, truth values, times, and lists of them, row by row. Pages
are read as their rows are requested.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from rico_hdl.errors import ArchiveError
from rico_hdl.sources.parquet.cells import MAX_PAGE_BYTES
from rico_hdl.sources.parquet.table import Leaf, ParquetTable
from rico_hdl.sources.parquet.values import ColumnValues, has_values
from rico_hdl.spec.columns import FILE, FOLDER, ROW

_OTHER: Final = re.compile(r"[^a-z0-9_]+")


def rows_of(path: Path) -> Iterator[dict[str, object]]:
    """Yield what the table says about each of its rows; see `HasRows`.

    Columns of bytes, decimals, maps, lists of structs and lists of lists are omitted. The part of a
    struct is called after both, as in ``image_path``. In addition, ``folder`` is the name of the
    file's folder, and ``row`` the number of the row, from 0.

    Raises:
        SourceError: The file can't be opened as parquet.
        ArchiveError: The file is damaged, or is stored in a way that is not supported.
    """
    with closing(ParquetTable(path)) as table:
        leaves = [leaf for leaf in table.columns if has_values(leaf) or _is_part(leaf)]
        names = _names_of(leaves)
        n = 0
        for group in table.groups():
            columns = [ColumnValues(table, group, leaf) for leaf in leaves]
            values = [_named(path, group.number, *one) for one in zip(leaves, columns, strict=True)]
            for _ in range(group.n_rows):
                found: dict[str, object] = {FOLDER: path.parent.name, FILE: path.stem, ROW: n}
                found.update(zip(names, map(next, values), strict=True))
                if sum(column.n_held_bytes for column in columns) > MAX_PAGE_BYTES:
                    raise ArchiveError(
                        f"{path}: pages of its columns take more than {MAX_PAGE_BYTES:,} bytes at "
                        f"row {n}",
                        "Write it with smaller pages: pyarrow's data_page_size.",
                    )
                yield found
                n += 1
            for rest in values:
                next(rest, None)  # raises if any are left


def _is_part(leaf: Leaf) -> bool:
    """Whether a column is a part of a struct, with a single value."""
    return leaf.form != "other" and not leaf.n_repetitions


def _named(path: Path, group: int, leaf: Leaf, values: ColumnValues) -> Iterator[Any]:
    """The values of a column, with errors that name it."""
    try:
        yield from values
    except ArchiveError as error:
        raise ArchiveError(
            f"{path}: column {'.'.join(leaf.path)} of row group {group} {error.message}",
            "Download it again.",
        ) from error


def field_name(column: str) -> str:
    """The name of a column as a template field."""
    name = _OTHER.sub("_", column.lower()).strip("_")
    return name if name and not name[0].isdigit() else f"_{name}"


def _names_of(leaves: Sequence[Leaf]) -> list[str]:
    """The names of columns as template fields, each of its own."""
    taken = {FOLDER, FILE, ROW}
    found = []
    for leaf in leaves:
        # The parts of the path below a list only make up the list.
        label = leaf.name if leaf.n_repetitions else "_".join(leaf.path)
        name = field_name(label)
        n, unique = 1, name
        while unique in taken:
            n += 1
            unique = f"{name}_{n}"
        taken.add(unique)
        found.append(unique)
    return found
