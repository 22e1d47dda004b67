"""Plans for reading records of one layout, given the options.

In: a record's layout, its modality if known, options. Out: a `RecordPlan`, or an error that says
why the bands don't make the requested arrays.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import SizeError, UsageError
from rico_hdl.reading.array_plan import ArrayPlan
from rico_hdl.reading.band_memory import BandMemory
from rico_hdl.reading.catalogue import ModalityContents
from rico_hdl.reading.layouts import RecordLayout
from rico_hdl.reading.options import BY_BAND, Options
from rico_hdl.reading.readahead import PIECE_BYTES, Span, patience, spans_of
from rico_hdl.reading.runs import Array, CopiesRows, Size
from rico_hdl.reading.selection import chosen
from rico_hdl.record import Tensor

UNGROUPED: Final = ""
"""The name of the only array if bands are not grouped."""

Images = Array | dict[str, Array]
"""One array; or, grouped, one for each resolution or band."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordPlan:
    """How records of one layout are read. Compared by identity."""

    arrays: Mapping[str, ArrayPlan]
    """By resolution as ``ROWSxCOLUMNS``, or by band; if not grouped, a single one, `UNGROUPED`."""
    by_band: bool
    """Whether each array has one band, and no axis for it."""
    memory: BandMemory | None
    """How the arrays share one memory, if they are by band and can do so."""
    only: ArrayPlan | None
    """The single array, if not grouped."""
    deviates: str
    """How the size deviates from the usual one in a way that forbids reading; empty if readable."""
    spans: list[Span]
    """The parts of a record that are read, header included."""
    patience: float
    """The most seconds that copying them takes, unless they come from a disk."""

    def shape_of(self, array: ArrayPlan) -> tuple[int, ...]:
        """The shape of an array of one patch, as the caller sees it."""
        return array.shape[1:] if self.by_band else array.shape

    def described(self) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shape and dtype of each array of one patch, by name."""
        return {name: (self.shape_of(array), array.dtype) for name, array in self.arrays.items()}

    def fill(self, data: mmap.mmap, start: int, arrays: Mapping[str, Array]) -> None:
        """Copy one record into arrays; see `ArrayPlan.fill`."""
        for name, plan in self.arrays.items():
            plan.fill(data, start, arrays[name][None] if self.by_band else arrays[name])

    def fill_rows(
        self,
        data: mmap.mmap,
        starts: npt.NDArray[np.int64],
        rows: Sequence[int],
        arrays: Mapping[str, Array],
        copy_rows: CopiesRows,
    ) -> None:
        """Copy several records into rows of arrays; see `ArrayPlan.fill_rows`."""
        if (
            self.memory is not None
            and isinstance(rows, range)
            and self.memory.fill(data, starts, rows, arrays)
        ):
            return
        for name, plan in self.arrays.items():
            array = arrays[name][:, None] if self.by_band else arrays[name]
            plan.fill_rows(data, starts, rows, array, copy_rows)

    def empty(self, *rows: int) -> dict[str, Array]:
        """New, uninitialised arrays for patches.

        Args:
            rows: The length of their first axis, or nothing for a single patch.

        Raises:
            UsageError: Memory does not suffice.
        """
        try:
            if self.memory is not None and rows:
                return self.memory.new(*rows)
            return {
                name: np.empty(rows + shape, dtype)
                for name, (shape, dtype) in self.described().items()
            }
        except (MemoryError, ValueError) as error:
            raise UsageError(
                f"memory does not suffice for {' x '.join(map(str, rows))} patches of "
                f"{sum(array.n_bytes for array in self.arrays.values())} bytes: {error}",
                "Read fewer patches at once.",
            ) from error

    def checked(self, out: Images, *rows: int) -> dict[str, Array]:
        """The caller's arrays, by name.

        Raises:
            UsageError: Their names, shapes or dtypes are not those of the patches, or they are not
                writeable.
        """
        hint = "PatchReader.empty makes arrays that fit; dtype= chooses another dtype."
        if isinstance(out, dict) != (self.only is None) or (
            isinstance(out, dict) and out.keys() != self.arrays.keys()
        ):
            found_names = f"a dictionary with {', '.join(out)}" if isinstance(out, dict) else "none"
            wanted = "an array" if self.only else f"a dictionary with {', '.join(self.arrays)}"
            raise UsageError(f"out= is {found_names}, expected {wanted}", hint)
        given = out if isinstance(out, dict) else {UNGROUPED: out}
        for name, (of_one, dtype) in self.described().items():
            found, shape = given[name], rows + of_one
            fits = isinstance(found, np.ndarray) and found.flags.writeable
            if not fits or found.shape != shape or found.dtype != dtype:
                what = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else None
                raise UsageError(
                    f"out= is {what or type(found)}, expected a writeable array, {dtype} {shape}",
                    hint,
                )
        return given

    def unwrapped(self, arrays: dict[str, Array]) -> Images:
        """The only array, or the dictionary if arrays are grouped."""
        return arrays if self.only is None else arrays[UNGROUPED]


NO_PLAN: Final = RecordPlan(
    {}, by_band=False, memory=None, only=None, deviates="", spans=[(0, PIECE_BYTES)], patience=0
)
"""The plan before any layout is known: it reads nothing, but announces the whole record."""


def plan_of(
    layout: RecordLayout, contents: ModalityContents | None, options: Options, where: str
) -> RecordPlan:
    """Plan how records of a layout are read.

    Args:
        layout: Their layout.
        contents: Their modality, if known.
        options: The options of reading.
        where: One of the records, for errors.

    Raises:
        UnknownBandError: They lack a band.
        SizeError: The bands differ in size, but make one array.
        UsageError: The bands differ in dtype, can't be cast, or are not rasters.
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
            places = places[:1]  # noqa: PLW2901 - a band may be requested several times
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
    return RecordPlan(
        arrays,
        by_band,
        BandMemory.of(arrays) if by_band else None,
        None if options.grouped else arrays[UNGROUPED],
        _deviation(names, own, usual, options.on_size),
        spans_of([(0, layout.n_header), *extents]),
        patience(1, sum(length for _, length in extents)),
    )


def label(size: Size) -> str:
    """A size as text: ``120x120``."""
    return f"{size[0]}x{size[1]}"


def _size(shape: Sequence[int]) -> Size:
    rows, columns = shape
    return rows, columns


def _deviation(
    names: Sequence[str], own: Sequence[Size], usual: Sequence[Size], on_size: str
) -> str:
    """The first deviation from the usual size that ``on_size`` does not resolve; else empty."""
    for name, found, expected in zip(names, own, usual, strict=True):
        larger = any(n > m for n, m in zip(found, expected, strict=True))
        smaller = any(n < m for n, m in zip(found, expected, strict=True))
        if (larger and "crop" not in on_size) or (smaller and "pad" not in on_size):
            return f"{name} is {label(found)}, usually {label(expected)}"
    return ""


def _common_size(tensors: Sequence[Tensor], sizes: Sequence[Size], where: str) -> Size:
    """The size of all bands.

    Raises:
        SizeError: The bands differ in size.
    """
    by_size: dict[Size, str] = {}
    for tensor, size in zip(tensors, sizes, strict=True):
        by_size.setdefault(size, tensor.name)
    if len(by_size) > 1:
        found = ", ".join(f"{name} is {label(size)}" for size, name in by_size.items())
        raise SizeError(
            f"{where}: bands of different size can't be one array: {found}",
            "Give size=, such as size=(120, 120), to resample them, grouped=True for one array per "
            "resolution, or fewer bands.",
        )
    return sizes[0]


def _common_dtype(tensors: Sequence[Tensor], options: Options, where: str) -> np.dtype[Any]:
    """The dtype of the array.

    Raises:
        UsageError: The bands differ in dtype, or can't be cast to the requested one.
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
            f"{where}: {found}, and dtype={options.dtype} would lose the fraction of floats",
            "Read the bands in their own dtype, and convert them as their values require.",
        )
    return options.dtype
