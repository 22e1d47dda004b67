"""Columns of parquet tables that hold patches.

Each patch is a row. Some columns hold the fields of its files' paths, others the files: one column
for each band, or one for all bands. Cells with files are bytes, or structs of ``bytes`` and
``path``, as Hugging Face's `datasets` writes images.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from rico_hdl.errors import SpecError

FOLDER, FILE, ROW = "folder", "file", "row"
GIVEN_FIELDS: Final = (FOLDER, FILE, ROW)
"""The fields that a table gives without a column: the name of its folder, its own name without the
extension, and the zero-based number of the row in the file."""


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """The column of a parquet table that holds a field of patches' paths."""

    name: str
    """The template field."""
    column: str = ""
    """The name of the column, which holds text or integers; with a dot before the name of a part of
    a struct, as in ``image.path``. Empty for one of `GIVEN_FIELDS`."""
    until: str = ""
    """The field is the part of a value before this text first occurs; the whole value if empty."""
    stem: bool = False
    """Whether values are paths, of which the field is the name of the file without its extension;
    this comes before `until`."""


@dataclass(frozen=True, slots=True)
class Columns:
    """How parquet tables hold patches: each patch is a row, and each of its files a cell."""

    keys: tuple[KeyColumn, ...]
    """The columns with the fields of a path, one for each field except the band."""
    files: str = ""
    """The column with the file of each patch; empty if each band has a column, whose name is the
    band's token."""
    pinned: bool = False
    """Whether these columns are part of `Modality.contract`; not for datasets with older stores."""

    def fields(self, values: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
        """The fields of a row, by name.

        Args:
            values: The row's values in the key columns, by column name.
            given: The values of `GIVEN_FIELDS`.
        """
        found = {}
        for key in self.keys:
            value = values[key.column] if key.column else given[key.name]
            if key.stem:
                value = PurePosixPath(value.replace("\\", "/")).stem
            found[key.name] = value.partition(key.until)[0] if key.until else value
        return found

    @property
    def contract(self) -> list[object]:
        """What decides keys and records, JSON-ready."""
        return [self.files, *([key.name, key.column, key.until, key.stem] for key in self.keys)]


def check_columns(
    modality: str, columns: Columns, fields: Collection[str], files: str, *, is_split: bool
) -> None:
    """Check that tables give each field of a path once, and a file for each path.

    Args:
        modality: The modality's name.
        columns: Its columns.
        fields: The fields of its files' paths, without the band.
        files: The template of these paths.
        is_split: Whether each band has a file of its own.

    Raises:
        SpecError: The columns give other fields, or hold the files in another way than the paths.
    """
    place = f"modality {modality!r}"
    names = [key.name for key in columns.keys]
    if sorted(names) != sorted(fields):
        raise SpecError(
            f"{place}: its columns give the fields {', '.join(names)}",
            f"Expected those of {files}, without the band: {', '.join(fields)}.",
        )
    for key in columns.keys:
        if not key.column and key.name not in GIVEN_FIELDS:
            raise SpecError(
                f"{place}: no column holds the field {key.name!r}",
                f"Name its column. Tables give only {', '.join(GIVEN_FIELDS)} without one.",
            )
    if bool(columns.files) == is_split:
        raise SpecError(
            f"{place}: column {columns.files!r} holds its files, but each band has a file"
            if is_split
            else f"{place}: its files hold all bands, but no column is named for them",
            "Name the column of the files, or write {band} into their path if each band has a "
            "column of its own, called by the band's token.",
        )
