"""The arrays of a modality in a user's TOML file.

In: the table of a modality, in which ``axes``, ``array`` and ``axis_labels`` describe the arrays in
its files. Out: `Arrays`, and the template of its patches. If files hold many patches, the template
names the places in them after the file: ``files = "{split}.h5"`` with the axes ``sample, y, x``
becomes ``{split}.h5/{sample:d}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rico_hdl.errors import SpecError
from rico_hdl.spec.arrays import (
    ARRAY_SUFFIXES,
    BAND,
    BAND_IN_PATH,
    COLUMNS,
    ROWS,
    Arrays,
    Axis,
)

_OWN = frozenset({BAND, ROWS, COLUMNS})
"""The axes of a patch; all others are fields."""


def arrays_of(table: Mapping[str, Any], where: str) -> Arrays | None:
    """The arrays of a modality; those of a single band have rows and columns by default.

    Args:
        table: The table of the modality, checked.
        where: Its place in the file, for messages.

    Raises:
        SpecError: An axis has labels, but does not exist.
    """
    path, axes = table.get("array", ""), table.get("axes")
    labels: dict[str, str] = table.get("axis_labels", {})
    is_array = str(table["files"]).lower().endswith(ARRAY_SUFFIXES)
    has_several = any(isinstance(b, dict) and b.get("index", 1) > 1 for b in table["bands"])
    is_split = BAND_IN_PATH in path or (BAND_IN_PATH in table["files"] and not has_several)
    if axes is None and is_array and (len(table["bands"]) == 1 or is_split):
        axes = [ROWS, COLUMNS]
    if unknown := labels.keys() - {*(axes or ())}:
        raise SpecError(
            f"{where}: axis_labels has {', '.join(sorted(unknown))}, expected some of "
            f"{', '.join(axes or ()) or 'its axes'}",
            f'Write: axes = ["{min(unknown)}", "band", "y", "x"]',
        )
    if axes is None and not path:
        return None
    return Arrays(
        path,
        tuple(Axis(n, "" if n in _OWN else n, labels.get(n, "")) for n in axes or ()),
    )


def with_places(table: Mapping[str, Any], arrays: Arrays | None) -> str:
    """The template of a modality's patches: that of the files, and the places in them."""
    files = str(table["files"])
    if arrays is None or arrays.are_files:
        return files
    numbered = {axis.field for axis in arrays.axes if axis.field and not axis.labels}
    places = [_spelling(name, table["key"], name in numbered) for name in arrays.fields]
    return "/".join([files, *places])


def _spelling(name: str, key: str, is_number: bool) -> str:  # noqa: FBT001 - by position, once
    """A field, with the number of digits that the key has."""
    digits = re.search(rf"\{{{name}:([0-9]*)d\}}", key)
    if digits is not None:
        return digits[0]
    return f"{{{name}:d}}" if is_number else f"{{{name}}}"
