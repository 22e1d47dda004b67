"""Arrays of which parts can be read.

In: an array's shape and how it is stored. Out: the elements of any region of it. A region has a
range of zero-based positions along each dimension.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Protocol

from rico_hdl.errors import ArchiveError, DecodingError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MAX_BLOCK_BYTES: Final = 192 * 2**20
"""Largest part of an array that is decoded at once."""
GATHERED_BYTES: Final = 32 * 2**20
"""Patches of an array that is not chunked, and whose patches are not contiguous, are read together
up to this size: each of them alone would take a read for each of its rows."""

Region = Sequence[range]


class Cube(Protocol):
    """An array. Implementations are safe to use from several threads at once."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Elements along each dimension."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype, in the byte order of the file."""

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Elements along each dimension that are decoded together; None if any can be read."""

    @property
    def is_fortran(self) -> bool:
        """Whether the first dimension varies fastest in the file."""

    def read(self, region: Region) -> npt.NDArray[Any]:
        """The elements of a region, in any memory layout and byte order; maybe read-only.

        Raises:
            DecodingError, ArchiveError: They are damaged, or can't be read.
        """


def assembled(
    cube: Cube, region: Region, chunk_at: Callable[[tuple[int, ...]], npt.NDArray[Any]]
) -> npt.NDArray[Any]:
    """The elements of a region, from the chunks that it touches.

    Args:
        cube: The array; it has chunks.
        region: The region, not empty.
        chunk_at: Returns a whole chunk, given its zero-based position in the grid.
    """
    import numpy as np  # noqa: PLC0415 - a tenth of a second that other sources never need

    sides = list(zip(region, cube.chunks or cube.shape, strict=True))
    grid = [range(r.start // step, -(-r.stop // step)) for r, step in sides]
    found = None if all(len(r) == 1 for r in grid) else np.empty([*map(len, region)], cube.dtype)
    for index in product(*grid):
        inside, place = [], []
        for i, (r, step) in zip(index, sides, strict=True):
            start, stop = max(i * step, r.start), min((i + 1) * step, r.stop)
            inside.append(slice(start - i * step, stop - i * step))
            place.append(slice(start - r.start, stop - r.start))
        part = chunk_at(index)[tuple(inside)]
        if found is None:
            return part
        found[tuple(place)] = part
    return np.empty([*map(len, region)], cube.dtype) if found is None else found


def contiguous(
    shape: Sequence[int],
    dtype: np.dtype[Any],
    region: Region,
    start: int,
    pread: Callable[[int, int], bytes],
) -> npt.NDArray[Any]:
    """The elements of a region of an array that is stored as it is, in C order.

    Args:
        shape: The shape of the array.
        dtype: Its dtype.
        region: The region, not empty.
        start: Zero-based offset of the first element.
        pread: Returns a number of bytes at an offset.

    Raises:
        ArchiveError: The file has become shorter.
    """
    import numpy as np  # noqa: PLC0415 - see `assembled`

    n_outer = len(region)
    while n_outer and region[n_outer - 1] == range(shape[n_outer - 1]):
        n_outer -= 1
    n_outer = max(0, n_outer - 1)  # the elements of one dimension more are next to each other
    strides = [math.prod(shape[i + 1 :]) * dtype.itemsize for i in range(len(region))]
    run = math.prod(map(len, region[n_outer:])) * dtype.itemsize
    first = start + (region[n_outer].start * strides[n_outer] if n_outer < len(region) else 0)
    pieces = []
    for index in product(*region[:n_outer]):
        data = pread(first + sum(i * n for i, n in zip(index, strides, strict=False)), run)
        if len(data) != run:
            raise ArchiveError("is cut short: it has become shorter since it was opened")
        pieces.append(data)
    flat = np.frombuffer(pieces[0] if len(pieces) == 1 else b"".join(pieces), dtype)
    return flat.reshape([*map(len, region)])


def steps_of(cube: Cube, leading: Sequence[int]) -> tuple[int, ...]:
    """How many patches are decoded together, along each of their dimensions.

    Args:
        cube: The array.
        leading: Its dimensions along which patches are arranged.

    Raises:
        DecodingError: A single patch is larger than `MAX_BLOCK_BYTES`.
    """
    inner = [size for i, size in enumerate(cube.shape) if i not in leading]
    patch_bytes = math.prod(inner) * cube.dtype.itemsize
    steps = dict.fromkeys(leading, 1)
    if cube.chunks is not None:
        steps = {i: min(cube.chunks[i], max(1, cube.shape[i])) for i in leading}
    else:
        order = list(range(len(cube.shape)))
        order = order[::-1] if cube.is_fortran else order
        if {*order[: len(leading)]} != {*leading}:
            for i in [i for i in reversed(order) if i in leading]:
                n_held = patch_bytes * math.prod(steps.values())
                steps[i] = max(1, min(cube.shape[i], GATHERED_BYTES // max(1, n_held)))
    while patch_bytes * math.prod(steps.values()) > MAX_BLOCK_BYTES:
        # Chunks with too many patches are decoded several times, for some of the patches each.
        largest = max(steps, key=lambda i: steps[i], default=None)
        if largest is None or steps[largest] == 1:
            raise DecodingError(
                f"a patch has {patch_bytes:,} bytes, expected at most {MAX_BLOCK_BYTES:,}"
            )
        steps[largest] = -(-steps[largest] // 2)
    return tuple(steps[i] for i in leading)
