"""What is done with records of one layout, given options.

In: a record's layout, what is known of its modality, options. Out: a `Plan`, or an error that says
why the bands don't make the arrays that were asked for.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import SizeError, UsageError
from rico_hdl.reading.bands import BandMemory
from rico_hdl.reading.catalogue import Contents
from rico_hdl.reading.layouts import RecordLayout
from rico_hdl.reading.options import BY_BAND, Options, Size
from rico_hdl.reading.plan import Array, ArrayPlan
from rico_hdl.reading.readahead import Span, patience, spans_of
from rico_hdl.reading.selection import chosen
from rico_hdl.record import Tensor

UNGROUPED: Final = ""
"""The name of the only array where bands are not grouped by resolution."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is done with records of one layout. Compared by identity."""

    arrays: Mapping[str, ArrayPlan]
    """By resolution as ``ROWSxCOLUMNS``, or by band; a single one, `UNGROUPED`, where they are not
    grouped."""
    by_band: bool
    """Whether each has one band, and no axis for it."""
    memory: BandMemory | None
    """How the arrays lie in one memory, if they are by band and can do so."""
    only: ArrayPlan | None
    """The single one, where they are not grouped."""
    deviates: str
    """How it deviates from the usual size and thus is not to be read; empty if it is."""
    spans: list[Span]
    """The parts of a record that are read, header included."""
    patience: float
    """Seconds that copying them takes at most, unless they come from a disk."""

    def shape_of(self, array: ArrayPlan) -> tuple[int, ...]:
        """The shape of an array of one patch, as the caller sees it."""
        return array.shape[1:] if self.by_band else array.shape

    def fill(self, data: mmap.mmap, start: int, arrays: Mapping[str, Array]) -> None:
        """Copy one record into arrays; see `ArrayPlan.fill`."""
        for name, plan in self.arrays.items():
            plan.fill(data, start, self._with_axis(arrays[name]))

    def fill_rows(
        self,
        data: mmap.mmap,
        starts: npt.NDArray[np.int64],
        rows: Sequence[int],
        arrays: Mapping[str, Array],
    ) -> None:
        """Copy records into rows of arrays; see `ArrayPlan.fill_rows`."""
        if self.memory and isinstance(rows, range):
            memory = self.memory.behind(arrays)
            if memory is not None and self.memory.fill(data, starts, memory):
                return
        for name, plan in self.arrays.items():
            plan.fill_rows(data, starts, rows, self._with_axis(arrays[name]))

    def _with_axis(self, array: Array) -> Array:
        """An array with an axis for bands."""
        return array[..., None, :, :] if self.by_band else array


def plan_of(layout: RecordLayout, contents: Contents | None, options: Options, where: str) -> Plan:
    """Work out what is done with records of a layout.

    Args:
        layout: Their layout.
        contents: What is known of their modality, if anything.
        options: How arrays shall look.
        where: One of the records, for errors.

    Raises:
        UnknownBandError: They lack a band.
        SizeError: The bands differ in size, and are to be one array.
        UsageError: The bands differ in dtype, can't be cast, or are no rasters.
    """
    names = chosen(options.bands, layout, contents, where)
    tensors = [layout.bands[name] for name in names]
    for tensor in tensors:
        if len(tensor.shape) != 2 or 0 in tensor.shape:
            raise UsageError(
                f"{where}: band {tensor.name} has shape {tensor.shape}, expected (rows, columns)",
                "Read it with store[key], which takes any shape.",
            )
    own = [_size(tensor.shape) for tensor in tensors]
    usual = own
    if contents and options.on_size != "keep":
        usual = [
            _size(contents.shapes.get(name, size)) for name, size in zip(names, own, strict=True)
        ]
    groups: dict[str, list[int]] = {}
    by_band = options.grouped == BY_BAND
    for i, size in enumerate(usual):
        group = names[i] if by_band else label(size) if options.grouped else UNGROUPED
        groups.setdefault(group, []).append(i)
    arrays = {}
    for name, places in groups.items():
        if by_band:
            places = places[:1]  # noqa: PLW2901 - however often it was asked for
        some, sizes = [tensors[i] for i in places], [usual[i] for i in places]
        arrays[name] = ArrayPlan(
            names=tuple(names[i] for i in places),
            tensors=some,
            sizes=sizes,
            size=options.size or _common_size(some, sizes, where),
            dtype=_common_dtype(some, options, where),
            resampling=options.resampling,
        )
    extents = [(tensor.start, tensor.stop - tensor.start) for tensor in tensors]
    return Plan(
        arrays,
        by_band,
        BandMemory.of(arrays) if by_band else None,
        None if options.grouped else arrays[UNGROUPED],
        _deviation(names, own, usual, options.on_size),
        spans_of([(0, layout.n_header), *extents]),
        patience(1, sum(length for _, length in extents)),
    )


def label(size: Size) -> str:
    """How a size is written: ``120x120``."""
    return f"{size[0]}x{size[1]}"


def _size(shape: Sequence[int]) -> Size:
    rows, columns = shape
    return rows, columns


def _deviation(
    names: Sequence[str], own: Sequence[Size], usual: Sequence[Size], on_size: str
) -> str:
    """How a record deviates from the usual size in a way that the option does not allow for."""
    for name, found, expected in zip(names, own, usual, strict=True):
        larger = any(n > m for n, m in zip(found, expected, strict=True))
        smaller = any(n < m for n, m in zip(found, expected, strict=True))
        if (larger and "crop" not in on_size) or (smaller and "pad" not in on_size):
            return f"{name} is {label(found)}, usually {label(expected)}"
    return ""


def _common_size(tensors: Sequence[Tensor], sizes: Sequence[Size], where: str) -> Size:
    """The size of all bands.

    Raises:
        SizeError: They differ.
    """
    by_size: dict[Size, str] = {}
    for tensor, size in zip(tensors, sizes, strict=True):
        by_size.setdefault(size, tensor.name)
    if len(by_size) > 1:
        found = ", ".join(f"{name} is {label(size)}" for size, name in by_size.items())
        raise SizeError(
            f"{where}: bands of different size can't be one array: {found}",
            "Give size=, such as size=(120, 120), to bring them to one, grouped=True for an array "
            "for each resolution, or fewer bands.",
        )
    return sizes[0]


def _common_dtype(tensors: Sequence[Tensor], options: Options, where: str) -> np.dtype[Any]:
    """The dtype of the array.

    Raises:
        UsageError: The bands differ in theirs, or can't be cast to what was asked for.
    """
    by_dtype = {tensor.dtype: tensor.name for tensor in reversed(tensors)}
    found = ", ".join(f"{name} is {dtype}" for dtype, name in by_dtype.items())
    if options.dtype is None:
        if len(by_dtype) > 1:
            raise UsageError(
                f"{where}: bands of different dtype can't be one array: {found}",
                'Give dtype=, such as dtype="float32", or fewer bands.',
            )
        return np.dtype(tensors[0].dtype)
    if not all(np.can_cast(dtype, options.dtype, "same_kind") for dtype in by_dtype):
        raise UsageError(
            f"{where}: {found}, and dtype={options.dtype} would lose what is behind the point",
            "Read it in its own dtype, and convert it as the numbers require.",
        )
    return options.dtype
