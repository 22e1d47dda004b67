"""Arrow columns of bytes as arrays, for the formats that store such columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from formats.tasks import GROUPS, SIDES

if TYPE_CHECKING:
    from formats.tasks import Array

SHAPES: Final = {name: (len(bands), SIDES[name], SIDES[name]) for name, bands in GROUPS.items()}
"""(bands, rows, columns) of a patch, by resolution."""


def array(column: Any, name: str) -> Array:  # noqa: ANN401 - pyarrow has no types
    """The pixels of a `large_binary` array with contiguous values.

    Args:
        column: One row per patch, none of them null.
        name: The resolution.
    """
    _, offsets, data = column.buffers()
    start = np.frombuffer(offsets, np.int64)[column.offset]
    n_values = len(column) * int(np.prod(SHAPES[name]))
    values = np.frombuffer(data, np.uint16, n_values, int(start))
    return values.reshape(-1, *SHAPES[name])
