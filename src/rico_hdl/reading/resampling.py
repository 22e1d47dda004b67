"""Resample bands of another resolution to the requested size.

In: bands of one size, of shape (…, rows, columns). Out: the same at another size, written into an
existing array. The results are those of ``torch.nn.functional.interpolate`` with
``align_corners=False``: pixel centres are aligned, bicubic uses the coefficient -0.75, and there is
no antialiasing when an image shrinks. It needs only NumPy.

Rows and columns are resampled one after the other, each pixel from its one, two or four neighbours.
A matrix product would also multiply by the zeros in between, and spread one NaN over the patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Resampling = Literal["nearest", "bilinear", "bicubic"]
RESAMPLINGS: Final[tuple[Resampling, ...]] = get_args(Resampling)

_CUBIC: Final = -0.75  # torch's and OpenCV's coefficient
_LARGE: Final = 4
"""Bytes of the smallest target pixels for which repeating pixels before conversion pays off."""
_Taps = list[tuple[npt.NDArray[np.intp], Array]]
"""For each neighbour: its zero-based position for each result, and its weight."""

_PAIRS: Final[dict[int, tuple[type, type, int]]] = {
    1: (np.uint8, np.uint16, 0x0101),
    2: (np.uint16, np.uint32, 0x0001_0001),
    4: (np.uint32, np.uint64, 0x0000_0001_0000_0001),
}
"""By bytes per pixel: the unsigned type of one pixel, that of two pixels, and the factor that turns
one pixel into two copies of it."""


class Resampler(Protocol):
    """Resamples bands from one size to another."""

    bits: np.dtype[Any] | None
    """The unsigned type as which the bits of pixels are written to its memory, if that has room for
    copies of them; None if pixels are written as numbers."""

    def memory(self, shape: Sequence[int]) -> Array:
        """New memory for the pixels of bands, to be filled before each call.

        Args:
            shape: (…, rows, columns) of the bands.
        """
        ...

    def __call__(self, memory: Array, out: Array) -> None:
        """Fill an array of shape (…, rows, columns), of any dtype; this spoils the memory."""
        ...


def resampler(
    method: Resampling, source: tuple[int, int], target: tuple[int, int], dtype: np.dtype[Any]
) -> Resampler:
    """The resampler from one size to another.

    Args:
        method: ``nearest``, ``bilinear`` or ``bicubic``.
        source: (rows, columns) of the bands.
        target: (rows, columns) of the result.
        dtype: The dtype of the computation; see `working_dtype`.
    """
    if method == "nearest":
        return _Nearest(source, target, dtype)
    return _Weighted(method, source, target, dtype)


def working_dtype(
    method: Resampling, source: np.dtype[Any], target: np.dtype[Any]
) -> np.dtype[Any]:
    """The dtype in which bands are resampled, between that of the record and that of the result."""
    if method == "nearest":
        # Fewer bytes to repeat. Conversion to half precision is slow, so do it once for each pixel.
        return source if source.itemsize < target.itemsize >= _LARGE else target
    if source.itemsize > 4 or target.itemsize > 4 or (source.kind != "f" and source.itemsize > 2):
        return np.dtype(np.float64)
    return np.dtype(np.float32)


def put_rounded(values: Array, out: Array) -> None:
    """Write floats into an array of integers: rounded half to even, and clipped to its range.

    NaN becomes 0.
    """
    limits = np.iinfo(out.dtype)
    np.rint(values, out=values)
    np.nan_to_num(values, copy=False, nan=0)
    top = float(limits.max)
    if top > limits.max:  # float64 can't represent the limits of 64-bit integers
        top = np.nextafter(top, 0)
    np.clip(values, limits.min, top, out=values)
    np.copyto(out, values, casting="unsafe")


class _Nearest:
    """Each pixel is a copy of one of the source."""

    def __init__(
        self, source: tuple[int, int], target: tuple[int, int], dtype: np.dtype[Any]
    ) -> None:
        self._rows, self._columns = (_nearest(n, m) for n, m in zip(source, target, strict=True))
        self._row_factor = _factor(self._rows, source[0])
        self._column_factor = _factor(self._columns, source[1])
        self._dtype = dtype
        self._pair = _PAIRS.get(dtype.itemsize) if self._column_factor == 2 else None
        self.bits = np.dtype(self._pair[0]) if self._pair else None

    def memory(self, shape: Sequence[int]) -> Array:
        """Memory for the bands' pixels, each with room for its copy if columns are doubled."""
        return np.empty(shape, self._pair[1] if self._pair else self._dtype)

    def __call__(self, memory: Array, out: Array) -> None:
        if not self._row_factor and len(self._rows) < memory.shape[-2]:
            # Drop rows first, which leaves less work for the columns.
            out[...] = self._widened(np.take(memory, self._rows, axis=-2))
            return
        wide = self._widened(memory)
        if self._row_factor:
            # Each row is repeated in place, so memory is written from front to back.
            *others, rows, columns = out.shape
            shape = (*others, rows // self._row_factor, self._row_factor, columns)
            out.reshape(shape)[...] = wide[..., None, :]
        else:
            out[...] = np.take(wide, self._rows, axis=-2)

    def _widened(self, bands: Array) -> Array:
        """The bands with all columns of the result."""
        factor = self._column_factor
        if self._pair:
            # One multiplication makes both copies of a pixel; six times faster than repeating it.
            bands *= self._pair[1](self._pair[2])
            return bands.view(self._dtype)
        if factor == 1:
            return bands
        if not factor:
            return np.take(bands, self._columns, axis=-1)
        wide = np.empty((*bands.shape, factor), bands.dtype)
        for i in range(factor):
            wide[..., i] = bands
        return wide.reshape(*bands.shape[:-1], -1)


class _Weighted:
    """Each pixel is a weighted sum of two or four in both directions."""

    def __init__(
        self,
        method: Resampling,
        source: tuple[int, int],
        target: tuple[int, int],
        dtype: np.dtype[Any],
    ) -> None:
        taps = _linear if method == "bilinear" else _cubic
        self._rows, self._columns = (taps(n, m, dtype) for n, m in zip(source, target, strict=True))
        self._dtype = dtype
        self.bits: np.dtype[Any] | None = None

    def memory(self, shape: Sequence[int]) -> Array:
        """Memory of the dtype of the sums."""
        return np.empty(shape, self._dtype)

    def __call__(self, memory: Array, out: Array) -> None:
        wide = _summed(memory, self._columns, -1)
        values = _summed(wide, [(i, weight[:, None]) for i, weight in self._rows], -2)
        if out.dtype.kind in "iu":
            put_rounded(values, out)
        else:
            out[...] = values


def _summed(bands: Array, taps: _Taps, axis: int) -> Array:
    """The weighted sum of neighbours along an axis."""
    (positions, weights), *others = taps
    total: Array = np.take(bands, positions, axis=axis)
    total *= weights
    for positions, weights in others:
        part: Array = np.take(bands, positions, axis=axis)
        part *= weights
        total += part
    return total


def _nearest(n: int, m: int) -> npt.NDArray[np.intp]:
    """The zero-based position in the source of each of ``m`` pixels made from ``n``.

    In single precision, as in torch, which for some sizes is off by one from the exact position.
    """
    scale = np.float32(n) / np.float32(m)
    positions: npt.NDArray[np.intp] = np.arange(m, dtype=np.float32).__mul__(scale).astype(np.intp)
    return positions.clip(max=n - 1)


def _factor(positions: npt.NDArray[np.intp], n: int) -> int:
    """The number of times that each of ``n`` pixels is repeated; 0 if the number varies."""
    factor = len(positions) // n
    return factor if np.array_equal(positions, np.arange(n).repeat(factor)) else 0


def _linear(n: int, m: int, dtype: np.dtype[Any]) -> _Taps:
    """Two neighbours of each of ``m`` pixels made from ``n``."""
    centre = np.maximum(_centres(n, m, dtype), 0)
    first = np.minimum(np.floor(centre).astype(np.intp), n - 1)
    second = np.minimum(first + 1, n - 1)
    weight = (centre - first).astype(dtype)
    return [(first, 1 - weight), (second, weight)]


def _cubic(n: int, m: int, dtype: np.dtype[Any]) -> _Taps:
    """Four neighbours of each of ``m`` pixels made from ``n``."""
    centre = _centres(n, m, dtype)
    first = np.floor(centre)
    t = (centre - first).astype(dtype)
    positions = [np.clip(first.astype(np.intp) + i, 0, n - 1) for i in (-1, 0, 1, 2)]
    weights = [_far(t + 1), _near(t), _near(1 - t), _far(2 - t)]
    return list(zip(positions, weights, strict=True))


def _near(t: Array) -> Array:
    """Keys' cubic kernel for distances up to 1."""
    return ((_CUBIC + 2) * t - (_CUBIC + 3)) * t * t + 1


def _far(t: Array) -> Array:
    """Keys' cubic kernel for distances from 1 to 2."""
    return ((_CUBIC * t - 5 * _CUBIC) * t + 8 * _CUBIC) * t - 4 * _CUBIC


def _centres(n: int, m: int, dtype: np.dtype[Any]) -> Array:
    """The positions of the centres of ``m`` pixels among ``n``, in units of the latter."""
    scale = dtype.type(n) / dtype.type(m)
    centres: Array = scale * (np.arange(m, dtype=dtype) + dtype.type(0.5)) - dtype.type(0.5)
    return centres
