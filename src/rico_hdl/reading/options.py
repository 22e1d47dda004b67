"""How arrays shall look: what a caller asks for, checked once.

In: the arguments of a call. Out: an `Options`, which every stage reads. Nothing here opens a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError
from rico_hdl.reading.resampling import RESAMPLINGS, Resampling
from rico_hdl.reading.selection import Bands, terms_of

Size = tuple[int, int]
"""(rows, columns)."""
Grouping = bool | Literal["band"]
"""Whether there is an array for each resolution, or for each band."""

BY_BAND: Final = "band"
"""The grouping that has an array for each band."""

ON_SIZE: Final = ("error", "skip", "pad", "crop", "pad+crop", "keep")
"""What to do with patches that deviate from their modality's usual size."""


@dataclass(frozen=True)
class Options:
    """How arrays look."""

    bands: tuple[str, ...]
    """Names, aliases and presets."""
    size: Size | None
    """Of the result; None for that of the bands."""
    resampling: Resampling
    """How bands of another size are brought to it."""
    dtype: np.dtype[Any] | None
    """Of the result; None for that of the bands."""
    on_size: str
    """One of `ON_SIZE`."""
    grouped: Grouping
    """Whether there is an array for each resolution, or for each band."""

    @classmethod
    def of(  # noqa: PLR0913 - one argument for each option
        cls,
        *,
        bands: Bands,
        size: int | Size | None,
        resampling: Resampling,
        dtype: npt.DTypeLike | None,
        on_size: str,
        grouped: Grouping,
    ) -> Options:
        """Options from the arguments of a call.

        Raises:
            UsageError: One of them has no such value, or two exclude each other.
        """
        for name, value, known in (
            ("resampling", resampling, RESAMPLINGS),
            ("on_size", on_size, ON_SIZE),
        ):
            if value not in known:
                raise UsageError(f"{name}={value!r} is not known", f"Known: {', '.join(known)}.")
        known_grouping = grouped == BY_BAND if isinstance(grouped, str) else _is_flag(grouped)
        if not known_grouping:
            raise UsageError(
                f"grouped={grouped!r} is not known", f"Known: True, False, {BY_BAND!r}."
            )
        if grouped and size is not None:
            raise UsageError(
                f"grouped={grouped!r} leaves bands at their own resolution, size= brings them to "
                "one",
                "Give one of the two.",
            )
        return cls(terms_of(bands), _size(size), resampling, _dtype(dtype), on_size, grouped)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool | np.bool_ | int)


def _size(size: int | Size | None) -> Size | None:
    if size is None:
        return None
    sides: tuple[Any, ...] = (size, size)
    if isinstance(size, Sequence):
        sides = tuple(size)
    if len(sides) != 2 or not all(isinstance(n, int | np.integer) and n > 0 for n in sides):
        raise UsageError(
            f"size={size!r} is no size", "Give (rows, columns), such as (120, 120), or one number."
        )
    return int(sides[0]), int(sides[1])


def _dtype(dtype: npt.DTypeLike | None) -> np.dtype[Any] | None:
    if dtype is None:
        return None
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found.kind not in "iuf" or not found.isnative:
        raise UsageError(
            f"dtype={dtype!r} is no type for pixels",
            "Give one of numpy's integers or floating-point numbers, such as float32.",
        )
    return found
