"""The patches that an array holds along some of its axes.

In: a file of arrays, and the spec's `Arrays`. Out: the place of each patch, with the values of its
fields, and the bands at a place. Bands are rows and columns whatever the order of the axes is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import count, product
from typing import TYPE_CHECKING, Any, Final, cast

from rico_hdl.decoding.arrays.layout import check_dtype
from rico_hdl.decoding.raster import Raster, rasters_of
from rico_hdl.errors import ArchiveError, DecodingError
from rico_hdl.sources.arrays.cube import Cube, steps_of
from rico_hdl.sources.arrays.paths import filled
from rico_hdl.sources.arrays.stored import ArrayFile
from rico_hdl.sources.arrays.words import WordWindow
from rico_hdl.sources.blocks import Block, Blocks, Pixels, Place
from rico_hdl.spec.arrays import BAND, BAND_IN_PATH, COLUMNS, ROWS, Arrays
from rico_hdl.spec.bands import Band

if TYPE_CHECKING:
    import numpy.typing as npt

_NUMBERS: Final = count()
"""Distinguishes the blocks of arrays."""


class PatchSeries:
    """The patches of one array, or of one array for each band. Safe to use from several threads.

    Args:
        file: The file.
        arrays: Where its arrays are, and what their axes are.
        bands: The bands of the spec.
        values: The values of the fields in the path of the arrays.
        blocks: Keeps what is decoded for several patches.

    Raises:
        DecodingError: The file has no such arrays, or other axes.
        ArchiveError: The file is damaged.
    """

    def __init__(
        self,
        file: ArrayFile,
        arrays: Arrays,
        bands: Sequence[Band],
        values: dict[str, str],
        blocks: Blocks,
    ) -> None:
        self._values = values
        self._blocks = blocks
        self._axes = [axis for axis in arrays.axes if axis.field]
        tokens = [band.token for band in bands] if BAND_IN_PATH in arrays.path else [""]
        paths = [filled(arrays.path, values, token) for token in tokens]
        self._parts = [_Part(file.cube(path), arrays, path) for path in paths]
        self.shape = self._parts[0].places
        """The number of patches along each of their axes."""
        for path, part in zip(paths, self._parts, strict=True):
            if part.places != self.shape:
                raise DecodingError(
                    f"array {path!r} has {part.places} patches along {self._names}, but "
                    f"{paths[0]!r} has {self.shape}"
                )
        self.member_bytes = sum(part.patch_bytes for part in self._parts)
        """The size of a patch in bytes."""
        self._labels = [
            _labels(file, filled(axis.labels, values), size) if axis.labels else None
            for axis, size in zip(self._axes, self.shape, strict=True)
        ]
        self._order = _order_of_bands(file, arrays, values, bands, self._parts[0])

    @property
    def n_members(self) -> int:
        """The number of patches."""
        return math.prod(self.shape)

    @property
    def _names(self) -> str:
        return ", ".join(axis.name for axis in self._axes)

    def places(self) -> Iterator[Place]:
        """The place of each patch; those that are decoded together follow each other."""
        first = self._parts[0]
        grid = [range(0, size, step) for size, step in zip(self.shape, first.steps, strict=True)]
        for starts in product(*grid):
            ends = [min(s + n, z) for s, n, z in zip(starts, first.steps, self.shape, strict=True)]
            yield from product(*map(range, starts, ends))

    def fields(self, place: Place) -> dict[str, str]:
        """The values of a patch's fields: positions, or labels.

        Raises:
            DecodingError, ArchiveError: The labels can't be read.
        """
        found = dict(self._values)
        for axis, labels, position in zip(self._axes, self._labels, place, strict=True):
            found[axis.field] = str(position) if labels is None else labels[position]
        return found

    def numbers(self, place: Place) -> dict[str, str]:
        """The fields of a patch, with positions in place of labels."""
        return self._values | {
            axis.field: str(position) for axis, position in zip(self._axes, place, strict=True)
        }

    def read(self, place: Place) -> tuple[Raster, ...]:
        """The bands of a patch, in the order of the spec.

        Raises:
            DecodingError, ArchiveError: They are damaged.
        """
        rasters = [r for part in self._parts for r in part.read(place, self._blocks)]
        if self._order is None:
            return tuple(rasters)
        return tuple(rasters[i] for i in self._order)


class _Part:
    """One of the arrays; see `rico_hdl.sources.blocks.Decodes`.

    Args:
        cube: The array.
        arrays: Its axes.
        path: Its path, for messages.
    """

    def __init__(self, cube: Cube, arrays: Arrays, path: str) -> None:
        self._cube = cube
        self._number = next(_NUMBERS)
        names = [axis.name for axis in arrays.axes]
        try:
            check_dtype(cube.dtype)
            if len(cube.shape) != len(names):
                raise DecodingError(  # noqa: TRY301 - same prefix
                    f"its shape is {cube.shape}, expected {len(names)} axes: {', '.join(names)}"
                )
            self._leading = [i for i, axis in enumerate(arrays.axes) if axis.field]
            self.steps = steps_of(cube, self._leading)
            inner = [size for i, size in enumerate(cube.shape) if i not in self._leading]
            self.patch_bytes = math.prod(inner) * cube.dtype.itemsize
            if self.patch_bytes == 0:
                raise DecodingError(  # noqa: TRY301 - same prefix
                    f"its shape is {cube.shape}: patches without pixels"
                )
        except DecodingError as error:
            what = f"array {path!r}: " if path else "the array: "
            raise DecodingError(f"{what}{error.message}") from error
        self.places = tuple(cube.shape[i] for i in self._leading)
        self.n_bands = cube.shape[names.index(BAND)] if BAND in names else 1
        inside = [axis.name for axis in arrays.axes if not axis.field]
        self._order = [inside.index(name) for name in (BAND, ROWS, COLUMNS) if name in inside]

    def read(self, place: Place, blocks: Blocks) -> list[Raster]:
        """The bands of a patch."""
        block = self.block_of(place)
        if self.n_places(block) == 1:
            return self.contents(self.decode(block), place)
        return blocks.contents(self, place)

    def block_of(self, place: Place) -> Block:
        """See `Decodes.block_of`; the number of the array comes first."""
        return (self._number, *(i // step for i, step in zip(place, self.steps, strict=True)))

    def n_places(self, block: Block) -> int:
        """See `Decodes.n_places`."""
        return math.prod(map(len, self._reach(block)))

    def n_bytes(self, block: Block) -> int:
        """See `Decodes.n_bytes`."""
        return self.n_places(block) * self.patch_bytes

    def decode(self, block: Block) -> Pixels:
        """See `Decodes.decode`."""
        region = [range(size) for size in self._cube.shape]
        for i, reach in zip(self._leading, self._reach(block), strict=True):
            region[i] = reach
        try:
            return self._cube.read(region)
        except DecodingError as error:
            raise ArchiveError(error.message, error.hint) from error
        except OSError as error:
            # Others that wait for this block get it, too.
            raise ArchiveError(f"can't be read: {error.strerror or error}") from error

    def contents(self, pixels: Pixels, place: Place) -> list[Raster]:
        """See `Decodes.contents`."""
        whole = cast("npt.NDArray[Any]", pixels)
        at: list[int | slice] = [slice(None)] * whole.ndim
        reach = self._reach(self.block_of(place))
        for i, position, r in zip(self._leading, place, reach, strict=True):
            at[i] = position - r.start
        stack = whole[tuple(at)].transpose(self._order)
        stack = stack if len(self._order) == 3 else stack[None]
        if whole.size > stack.size:
            # A view would keep the pixels of the whole block in memory.
            stack = stack.copy(order="C")
        return list(rasters_of(stack))

    def _reach(self, block: Block) -> list[range]:
        """The positions of a block's patches, along each of their axes."""
        return [
            range(i * step, min((i + 1) * step, size))
            for i, step, size in zip(block[1:], self.steps, self.places, strict=True)
        ]


def _labels(file: ArrayFile, path: str, size: int) -> WordWindow:
    """The labels along an axis.

    Raises:
        DecodingError: Their number is another one.
    """
    n = file.n_words(path)
    if n != size:
        raise DecodingError(f"array {path!r} has {n} labels, expected {size}")
    return WordWindow(lambda start, stop: file.words(path, start, stop), n)


def _order_of_bands(
    file: ArrayFile, arrays: Arrays, values: dict[str, str], bands: Sequence[Band], part: _Part
) -> list[int] | None:
    """The positions of the spec's bands in the file; None if they are in the order of the spec.

    Raises:
        DecodingError: The file lacks a band, or has one twice.
    """
    labels = next((axis.labels for axis in arrays.axes if axis.name == BAND), "")
    if not labels:
        return None
    words = _labels(file, filled(labels, values), part.n_bands)
    found = [words[i] for i in range(part.n_bands)]
    wrong = [band.token for band in bands if found.count(band.token) != 1]
    if wrong or len(found) != len(bands):
        raise DecodingError(
            f"its bands are {', '.join(map(ascii, found[:30]))}, expected each of "
            f"{', '.join(band.token for band in bands)} once"
        )
    return [found.index(band.token) for band in bands]
