"""Drafting a spec from parquet tables with images.

In: tables whose cells hold files. Out: the text of a TOML file. Of each column with files, those of
a few rows are decoded; columns with a band each, called like bands, make one modality. Patches are
called after table and row, which is always unique, and after the column that looks like a class.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from rico_hdl.drafting.sampling import Facts, facts_of
from rico_hdl.drafting.toml_text import comment, plain, quoted
from rico_hdl.drafting.words import is_band, is_mask, slug
from rico_hdl.errors import ArchiveError, RicoError, SourceError
from rico_hdl.sources.opening import archives_in
from rico_hdl.sources.parquet.cells import Cells
from rico_hdl.sources.parquet.layout import FileColumn, files_in
from rico_hdl.sources.parquet.rows import field_name, rows_of
from rico_hdl.sources.parquet.table import MAGIC, Leaf, ParquetTable, RowGroup
from rico_hdl.spec.columns import FILE, GIVEN_FIELDS, ROW

_N_TABLES: Final = 64
"""Tables that are opened."""
_N_IMAGES: Final = 3
"""Rows of whose images some are decoded."""
_N_ROWS: Final = 200
"""Rows whose labels are read."""
_SUFFIXES: Final = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"II+\0": ".tif",
    b"MM\0+": ".tif",
}
"""The extensions of formats, by a file's first bytes."""
_LABEL: Final = re.compile(r"(.*_)?(label|class|category)(_?(name|id))?")
_PREVIEW: Final = re.compile(r"thumbnails?|previews?|quicklooks?", re.IGNORECASE)
_ID: Final = re.compile(r"(.*_)?(id|key|name|filename|path|tile|patch)")


class _Images(NamedTuple):
    """A column with images."""

    column: str
    suffix: str
    facts: tuple[Facts, ...]
    """Those of the images that were decoded."""


def tables_in(place: Path) -> list[Path]:
    """The tables with files that a place is or holds; none if it holds other things."""
    paths = [place] if place.is_file() else []
    if place.is_dir():
        with suppress(OSError):
            paths = [path for path in archives_in(place) if path.suffix.lower() == ".parquet"]
    return [path for path in paths[:_N_TABLES] if _has_files(path)]


def table_text(name: str, place: Path, tables: Sequence[Path]) -> tuple[str, int]:
    """The text of a spec, and the number of rows that the tables have.

    Args:
        name: The name of the dataset.
        place: Where the tables are.
        tables: The tables, at least one.

    Raises:
        SourceError: No column holds images that can be decoded.
        ArchiveError: A table is damaged.
    """
    problems: list[str] = []
    images = _images(tables[0], problems)
    if not images:
        raise SourceError(
            f"{tables[0]}: holds no image that can be decoded: "
            + (problems[0] if problems else "its cells are empty"),
            "Write the spec by hand: see docs/your-dataset.md.",
        )
    n_rows = sum(map(_n_rows, tables))
    lines = comment(
        f"Drafted by `rico-hdl new` from {len(tables)} tables in {plain(str(place))}: {n_rows:,} "
        f"rows, of which the images of up to {_N_IMAGES} were decoded. Comments say what is "
        "inferred from what. Lines that start with # DECIDE are for you. docs/your-dataset.md "
        "explains the keys."
    )
    lines += ["", f"name = {quoted(name)}"]
    label = _label(tables[0])
    given = [FILE, ROW] if len({path.stem for path in tables}) == len(tables) else [*GIVEN_FIELDS]
    bands = [one for one in images if is_band(one.column) and _n_bands(one) == 1]
    bands = bands if len(bands) > 1 else []
    whole = [one for one in images if one not in bands]
    n_modalities = len(whole) + bool(bands)
    if bands:
        lines += _modality(given, label, bands, is_only=n_modalities == 1)
    for one in whole:
        lines += _modality(given, label, [one], is_only=n_modalities == 1)
    if ids := _ids(tables[0]):
        lines += comment(
            f"DECIDE: these columns may name patches better than table and row: {', '.join(ids)}. "
            'Write, for example, files = "{id}.tif" and columns = {…, fields = {id = "…"}}.'
        )
    if label:
        text = f"DECIDE: column {plain(label)} looks like a class. Remove this table if it is none."
        lines += ["", *comment(text), "[labels]", f"field = {quoted(_field(label))}"]
    if problems:
        lines += ["", *comment(f"Not decoded: {'; '.join(map(plain, problems[:3]))}")]
    return "\n".join(lines) + "\n", n_rows


def _modality(
    given: Sequence[str], label: str, images: Sequence[_Images], *, is_only: bool
) -> list[str]:
    """The lines of a modality: of one column, or of columns with a band each."""
    first = images[0]
    facts = [facts for one in images for facts in one.facts]
    is_split = len(images) > 1
    mask = not is_split and _n_bands(first) == 1 and is_mask(first.column)
    name = "image" if is_split else slug(first.column) or "image"
    fields = [*given, *([_field(label)] if label else [])]
    braced = [f"{{{field}}}" for field in fields]
    folders, stem = braced[:-1], braced[-1]
    file = f"{stem}_{{band}}" if is_split else stem
    lines = ["", "[[modality]]", f"name = {quoted(name)}"]
    if mask:
        lines += comment(
            'One band, and called like a mask. DECIDE: list its classes = ["…"] by value from 0 '
            "on, and the value to ignore = 255; or remove the role."
        )
        lines.append('role = "mask"')
    lines += comment(
        "The paths that cells would have as files: folder, name of the table, row, and class."
    )
    lines.append(f"files = {quoted('/'.join([*folders, file + first.suffix]))}")
    ending = "" if is_only else f"_{name}"
    lines.append(f"key = {quoted('_'.join(braced) + ending)}")
    renamed = {_field(label): label} if label and _field(label) != label else {}
    inner = [] if is_split else [f"files = {quoted(first.column)}"]
    if renamed:
        rows = ", ".join(f"{field} = {quoted(column)}" for field, column in renamed.items())
        inner.append(f"fields = {{{rows}}}")
    lines += [f"columns = {{{', '.join(inner)}}}", *_bands(images, facts, name)]
    dtypes = {one.dtype for one in facts}
    return lines + ([f"dtype = {quoted(dtypes.pop())}"] if len(dtypes) == 1 else [])


def _bands(images: Sequence[_Images], facts: Sequence[Facts], name: str) -> list[str]:
    """The lines with the bands."""
    n, sizes = _n_bands(images[0]), sorted({one.shape for one in facts})
    rows = " or ".join(f"{rows} x {columns}" for rows, columns in sizes[:3])
    found = f"Images of {rows} pixels"
    descriptions = facts[0].descriptions
    if len(images) > 1:
        names, source = [one.column for one in images], "the columns"
    elif len({text.lower() for text in descriptions}) == n:
        names, source = list(descriptions), "the descriptions in the files"
    elif n == 1:
        names, source = [name], "the column"
    elif n == 3 and facts[0].dtype == "uint8":
        names, source = ["red", "green", "blue"], "the number of bands: check them"
    else:
        names, source = [f"band{i}" for i in range(1, n + 1)], ""
    text = f"{found}; names of bands from {source}."
    if not source:
        text = f"DECIDE: {found} and {n} bands without names: replace these by the names."
    return [*comment(text), f"bands = [{', '.join(map(quoted, names))}]"]


def _n_bands(images: _Images) -> int:
    return images.facts[0].n_bands


def _images(path: Path, problems: list[str]) -> list[_Images]:
    """The columns of a table whose cells are images; what can't be decoded is noted."""
    with closing(ParquetTable(path)) as table:
        group = next(table.groups(), None)
        if group is None:
            return []
        columns = [one for one in files_in(table.columns) if not _PREVIEW.fullmatch(one.name)]
        found = [_examined(table, group, column, problems) for column in columns]
    return [one for one in found if one is not None]


def _examined(
    table: ParquetTable, group: RowGroup, column: FileColumn, problems: list[str]
) -> _Images | None:
    """A column with images; None if none of its first cells is one."""
    suffix, facts = "", []
    cells = Cells(table, group, column.content)
    for row in range(min(_N_IMAGES, group.n_rows)):
        try:
            data = cells.read(row)
            if data is None:
                continue
            known = next((end for magic, end in _SUFFIXES.items() if data.startswith(magic)), "")
            if not known:
                problems.append(f"column {column.name} begins with {data[:4].hex(' ')}")
                return None
            facts.append(facts_of(column.name + known, data))
            suffix = suffix or known
        except RicoError as error:
            problems.append(f"column {column.name}: {error.message}")
    return _Images(column.name, suffix, tuple(facts)) if facts else None


def _label(path: Path) -> str:
    """The column that looks like a class; empty if there is none."""
    for leaf in _single(path):
        if _LABEL.fullmatch(field_name(leaf.name)) and leaf.form in {"text", "int32", "int64"}:
            values = [
                row.get(field_name("_".join(leaf.path))) for row in islice(rows_of(path), _N_ROWS)
            ]
            names = [str(value) for value in values if value is not None]
            is_name = all(text and not set("/\\\0") & set(text) for text in names)
            if len(names) == len(values) and is_name:
                return leaf.name
    return ""


def _ids(path: Path) -> list[str]:
    """The columns of text or integers that differ in the first rows, and are called like names."""
    leaves = [leaf for leaf in _single(path, depth=2) if _ID.fullmatch(field_name(leaf.path[-1]))]
    rows = list(islice(rows_of(path), _N_ROWS))
    found = []
    for leaf in leaves:
        values = [row.get(field_name("_".join(leaf.path))) for row in rows]
        if None not in values and len(set(values)) == len(values):
            found.append(plain(".".join(leaf.path)))
    return found


def _single(path: Path, depth: int = 1) -> list[Leaf]:
    """The columns of single values, with paths of at most some parts."""
    with closing(ParquetTable(path)) as table:
        leaves = [leaf for leaf in table.columns if not leaf.n_repetitions]
    return [leaf for leaf in leaves if leaf.form != "other" and len(leaf.path) <= depth]


def _field(column: str) -> str:
    """The template field for a column."""
    name = field_name(column)
    return "label" if name in {*GIVEN_FIELDS, "band"} else name


def _has_files(path: Path) -> bool:
    """Whether a file is a parquet table with columns that may hold files."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return False
        with closing(ParquetTable(path)) as table:
            return bool(files_in(table.columns))
    except (OSError, SourceError, ArchiveError):
        return False


def _n_rows(path: Path) -> int:
    with closing(ParquetTable(path)) as table:
        return table.n_rows
