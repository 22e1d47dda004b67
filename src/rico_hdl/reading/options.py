"""The options of reading, and an `Options` that holds all of them, checked once.

In: the keyword arguments of a call. Out: an `Options`, which every stage reads. Nothing here opens
a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError
from rico_hdl.reading.resampling import RESAMPLINGS, Resampling
from rico_hdl.reading.runs import Size
from rico_hdl.reading.selection import Bands, terms_of

Grouping = bool | Literal["band"]
"""One array per resolution (True), one per band (``"band"``), or a single array (False)."""

BY_BAND: Final = "band"
"""The grouping with an array for each band."""

ON_SIZE: Final = ("error", "skip", "pad", "crop", "pad+crop", "keep")
"""What to do with patches that deviate from their modality's usual size."""


class PixelOptions(TypedDict, total=False):
    """How pixels are computed."""

    resampling: Resampling
    """How bands of another size are resampled to the requested one: ``nearest``, the default,
    ``bilinear`` or ``bicubic``, as in torch's ``interpolate``."""
    dtype: npt.DTypeLike | None
    """The dtype of the result; None, the default, keeps that of the bands, or of ``out``. Integers
    that do not fit wrap around; floats are not cast to integers."""


class ReadOptions(PixelOptions, total=False):
    """The options of reading a patch, all of them optional."""

    bands: Bands
    """Names, aliases or presets such as ``rgb`` or ``10m+20m``; None, the default, reads all bands
    in the publisher's order."""
    size: int | Size | None
    """(rows, columns) of the result, or one number for both; None, the default, keeps the size of
    the bands, which must then agree."""


class GroupOptions(TypedDict, total=False):
    """How patches and bands of different sizes are put into arrays."""

    on_size: str
    """What to do with patches whose bands deviate from the usual size in their modality:
    ``error``, the default, raises; ``skip`` leaves them out; ``pad`` adds zeros and ``crop`` cuts
    off pixels, both at the bottom and on the right; ``pad+crop`` does both; ``keep`` leaves them as
    they are."""
    grouped: Grouping
    """Whether bands stay at their own resolution: True makes one array for each resolution,
    ``"band"`` one for each band, which is the fastest way to read most bands; False, the default,
    makes a single array."""


class BatchOptions(ReadOptions, GroupOptions, total=False):
    """The options of reading several patches, all of them optional."""


class SampleOptions(PixelOptions, GroupOptions, total=False):
    """The options of reading samples except ``bands`` and ``size``, all of them optional."""


def check_names(method: str, given: Mapping[str, object], known: type) -> None:
    """Make sure that a call has no unknown options.

    Args:
        method: The name of the method.
        given: The options of the call.
        known: The `TypedDict` of the method's options.

    Raises:
        TypeError: An option is unknown; the message is that of Python itself.
    """
    for name in given:
        if name not in known.__optional_keys__:  # type: ignore[attr-defined] # of a TypedDict
            raise TypeError(f"{method}() got an unexpected keyword argument {name!r}")


@dataclass(frozen=True)
class Options:
    """The checked options of reading; see `BatchOptions`."""

    bands: tuple[str, ...]
    """Names, aliases and presets."""
    size: Size | None
    """(rows, columns) of the result; None for the size of the bands."""
    resampling: Resampling
    """How bands of another size are resampled."""
    dtype: np.dtype[Any] | None
    """The dtype of the result; None for that of the bands."""
    on_size: str
    """One of `ON_SIZE`."""
    grouped: Grouping
    """See `Grouping`."""

    @classmethod
    def of(  # noqa: PLR0913 - one argument for each option
        cls,
        *,
        bands: Bands = None,
        size: int | Size | None = None,
        resampling: Resampling = "nearest",
        dtype: npt.DTypeLike | None = None,
        on_size: str = "error",
        grouped: Grouping = False,
    ) -> Options:
        """Options from the arguments of a call: see `BatchOptions`.

        Raises:
            UsageError: A value is invalid, or two options exclude each other.
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
                f"grouped={grouped!r} keeps bands at their own resolution, but size= resamples "
                "them to one size",
                "Give only one of the two.",
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
            f"size={size!r} is not a size",
            "Give (rows, columns), such as (120, 120), or one number.",
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
            f"dtype={dtype!r} is not a dtype for pixels",
            "Give an integer or floating-point dtype of numpy, such as float32.",
        )
    return found
