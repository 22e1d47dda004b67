"""Columns of parquet tables that hold patches.

Each patch is a row. Some columns hold the fields of its files' paths, others the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """The column of a parquet table that holds a field of patches' paths."""

    name: str
    """The template field."""
    column: str
    """The name of the column."""
    until: str = ""
    """The field is the part of a value before this text first occurs; the whole value if empty."""


@dataclass(frozen=True, slots=True)
class Columns:
    """How parquet tables hold patches: each patch is a row, and each of its files a cell.

    The column of a band has the band's token as its name.
    """

    keys: tuple[KeyColumn, ...]
    """The columns with the fields of a path, one for each field except the band."""

    def fields(self, values: Mapping[str, str]) -> dict[str, str]:
        """The fields of a row, by name.

        Args:
            values: The row's values in the key columns, by column name.
        """
        found = {}
        for key in self.keys:
            value = values[key.column]
            found[key.name] = value.partition(key.until)[0] if key.until else value
        return found
