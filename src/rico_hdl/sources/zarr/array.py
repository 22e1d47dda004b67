"""One array of a Zarr v2 store.

In: the array's metadata (``.zarray``), and a function that returns the bytes of a file in the
store. Out: any block of its chunks as a numpy array, or a list of words for arrays of text. Only
the requested chunks are read, and nothing is guessed: a missing chunk is the fill value only if the
metadata has one.

This module doesn't use zarr-python, which decompresses chunks whole: for published chunks of 107 MB
it takes 429 MB of memory instead of 109, and 3.6 times as long. It takes 46 MB on disk with its
dependencies, and is faster for chunks of a few megabytes (``benchmarks/RESULTS-libraries.md``).

Format: https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.sources.zarr.blosc import can_be_cut, cut
from rico_hdl.sources.zarr.codecs import check_codec, decompress

if TYPE_CHECKING:
    import numpy.typing as npt

MAX_CHUNK_BYTES: Final = 192 * 2**20
"""Largest chunk of pixels that is read; the largest published ones have 116 MB."""
MAX_TEXT_BYTES: Final = 2**24
"""Largest chunk of text that is read: ten thousand times the size of published ones."""

_NUMBERS: Final = re.compile(r"[<>|](?:b1|[iu][1248]|f[248])")
_TEXT: Final = re.compile(r"[<>]U[1-9][0-9]{0,5}|\|S[1-9][0-9]{0,5}|\|O")

Fetch = Callable[[str], bytes | None]
"""Returns the bytes of the store's file at a path; None if there is no such file.

Raises:
    ArchiveError: The file exists, but is damaged.
"""


@dataclass(frozen=True)
class ZarrArray:
    """The metadata of an array."""

    name: str
    """Its path in the store."""
    shape: tuple[int, ...]
    """Elements along each dimension."""
    chunks: tuple[int, ...]
    """Elements of a chunk along each dimension; chunks at the array's ends are padded to this."""
    dtype: str
    """The dtype as numpy writes it, such as ``<i2``; ``|O`` for text of any length."""
    fill_value: object
    """The value of missing chunks, as in the JSON; None if no chunk may be missing."""
    order: str
    """The order of the elements of a chunk: ``C`` or ``F``."""
    separator: str
    """The separator of the numbers in a chunk's name: a dot or a slash."""
    codec: str | None
    """The codec of the chunks, see `rico_hdl.sources.zarr.codecs`; None if not compressed."""
    added_axis: int | None = None
    """The position of a dimension of size 1 that the store doesn't have; see `with_axis`."""

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of chunks along each dimension."""
        return tuple(-(-size // step) for size, step in zip(self.shape, self.chunks, strict=True))

    @property
    def is_text(self) -> bool:
        """Whether its elements are text, not numbers."""
        return _TEXT.fullmatch(self.dtype) is not None

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a whole chunk of numbers, decompressed."""
        return math.prod(self.chunks) * self._itemsize

    @property
    def _itemsize(self) -> int:
        return int(self.dtype[2:])

    def chunk_path(self, index: Sequence[int]) -> str:
        """The path of a chunk's file.

        Args:
            index: Its zero-based position in the grid.
        """
        numbers = [str(i) for axis, i in enumerate(index) if axis != self.added_axis]
        return f"{self.name}/{self.separator.join(numbers)}"

    def with_axis(self, position: int) -> ZarrArray:
        """The same array with one more dimension, of size 1.

        Args:
            position: Its zero-based position. It changes the place of no element in a chunk.
        """
        shape, chunks = list(self.shape), list(self.chunks)
        shape.insert(position, 1)
        chunks.insert(position, 1)
        return replace(self, shape=tuple(shape), chunks=tuple(chunks), added_axis=position)

    def block(self, fetch: Fetch, ranges: Sequence[range]) -> npt.NDArray[Any]:
        """The elements of a block of chunks, without padding beyond the array's ends.

        Args:
            fetch: Returns the bytes of a chunk's file.
            ranges: Along each dimension, the zero-based positions of the chunks in the grid.

        Returns:
            Numbers in the byte order of the store, in any memory layout; they may be read-only.

        Raises:
            ArchiveError: A chunk is damaged, or is missing and the array has no fill value.
        """
        import numpy as np  # noqa: PLC0415 - a tenth of a second that other sources never need

        axes = [
            (r, step, min(r.stop * step, size) - r.start * step)
            for r, step, size in zip(ranges, self.chunks, self.shape, strict=True)
        ]
        if all(len(r) == 1 for r in ranges):
            chunk = self.chunk(fetch, [r.start for r in ranges])
            return chunk[tuple(slice(extent) for _, _, extent in axes)]
        found = np.empty([extent for _, _, extent in axes], self.dtype)
        for index in product(*ranges):
            starts = [(i - r.start) * step for i, (r, step, _) in zip(index, axes, strict=True)]
            place = tuple(
                slice(start, start + step) for start, (_, step, _) in zip(starts, axes, strict=True)
            )
            part = found[place]  # a view, cut off at the ends
            part[:] = self.chunk(fetch, index)[tuple(map(slice, part.shape))]
        return found

    def packed(self, fetch: Fetch, index: Sequence[int]) -> bytes | npt.NDArray[Any]:
        """A chunk, as it is stored if `unpacked` can read parts of it.

        Args:
            fetch: Returns the bytes of the chunk's file.
            index: Its zero-based position in the grid.

        Returns:
            Its stored bytes; or else its elements, with the padding beyond the array's ends.

        Raises:
            ArchiveError: The chunk is damaged, or is missing and the array has no fill value.
        """
        path = self.chunk_path(index)
        data = fetch(path)
        if data is not None and self._can_be_cut(data):
            return data
        return self._elements(path, data)

    def unpacked(
        self, data: bytes, index: Sequence[int], position: Sequence[int]
    ) -> npt.NDArray[Any]:
        """Read some elements of a chunk without decompressing the whole chunk.

        Args:
            data: The stored bytes of the chunk, from `packed`.
            index: Its zero-based position in the grid.
            position: The zero-based position in the chunk, along the first dimensions.

        Returns:
            The elements at that position, along the chunk's other dimensions.

        Raises:
            ArchiveError: The elements are damaged.
        """
        import numpy as np  # noqa: PLC0415 - see `block`

        rest = self.chunks[len(position) :]
        n_bytes = math.prod(rest) * self._itemsize
        start = int(np.ravel_multi_index(position, self.chunks[: len(position)])) * n_bytes
        try:
            found = cut(data, start, start + n_bytes) if self.codec else memoryview(data)[start:]
        except ArchiveError as error:
            raise ArchiveError(f"{self.chunk_path(index)} {error.message}") from error
        return np.frombuffer(found, self.dtype, math.prod(rest)).reshape(rest)

    def words(self, fetch: Fetch) -> list[str]:
        """The elements of an array of text with one dimension.

        Raises:
            ArchiveError: A chunk is damaged or missing.
        """
        found: list[str] = []
        for i in range(self.grid[0]):
            path = self.chunk_path([i])
            data = fetch(path)
            if data is None:
                raise ArchiveError(f"{path} is missing")
            try:
                found += self._words(self._decompressed(data, MAX_TEXT_BYTES))
            except (ArchiveError, ValueError) as error:
                raise ArchiveError(f"{path} can't be read as text: {error}") from error
        return found[: self.shape[0]]

    def chunk(self, fetch: Fetch, index: Sequence[int]) -> npt.NDArray[Any]:
        """A whole chunk, with the padding beyond the array's ends.

        Args:
            fetch: Returns the bytes of its file.
            index: Its zero-based position in the grid.

        Raises:
            ArchiveError: It is damaged, or is missing and the array has no fill value.
        """
        path = self.chunk_path(index)
        return self._elements(path, fetch(path))

    def _elements(self, path: str, data: bytes | None) -> npt.NDArray[Any]:
        """The elements of a whole chunk.

        Args:
            path: The path of its file.
            data: The bytes of the file; None if it is missing.
        """
        import numpy as np  # noqa: PLC0415 - see `block`

        if data is None and self.fill_value is None:
            raise ArchiveError(f"{path} is missing, and the array has no fill value")
        if data is None:
            return np.broadcast_to(_fill_value(self), self.chunks)
        n_bytes = self.chunk_bytes
        try:
            pixels = self._decompressed(data, n_bytes)
        except ArchiveError as error:
            raise ArchiveError(f"{path} {error.message}") from error
        if len(pixels) != n_bytes:
            raise ArchiveError(f"{path} holds {len(pixels)} bytes, expected {n_bytes}")
        order: Any = self.order
        return np.frombuffer(pixels, self.dtype).reshape(self.chunks, order=order)

    def _can_be_cut(self, data: bytes) -> bool:
        """Whether parts of a chunk can be read without decompressing the rest."""
        if self.order != "C" or self.codec not in {None, "blosc"}:
            return False
        return (
            len(data) == self.chunk_bytes
            if self.codec is None
            else can_be_cut(data, self.chunk_bytes)
        )

    def _words(self, data: bytes) -> list[str]:
        """The words of a chunk of text.

        Raises:
            ValueError: It is damaged.
        """
        import numpy as np  # noqa: PLC0415 - see `block`

        if self.dtype == "|O":
            return _vlen_utf8(data, self.chunks[0])
        words = np.frombuffer(data, self.dtype)
        if len(words) != self.chunks[0]:
            raise ValueError(f"{len(words)} words, expected {self.chunks[0]}")
        return [word.decode() if isinstance(word, bytes) else str(word) for word in words]

    def _decompressed(self, data: bytes, limit: int) -> bytes:
        return data if self.codec is None else decompress(self.codec, data, limit)


def parse_array(name: str, text: bytes) -> ZarrArray:
    """Parse an array's metadata.

    Args:
        name: The array's path in the store.
        text: The content of its ``.zarray``.

    Raises:
        SourceError: The metadata can't be read, or the array is stored in a form that is not known
            to be read without change.
    """
    try:
        entries = json.loads(text)
        compressor = entries["compressor"]
        array = ZarrArray(
            name=name,
            shape=tuple(entries["shape"]),
            chunks=tuple(entries["chunks"]),
            dtype=entries["dtype"],
            fill_value=entries["fill_value"],
            order=entries["order"],
            separator=entries.get("dimension_separator", "."),
            codec=None if compressor is None else check_codec(compressor["id"]),
        )
        # Filters that were applied to the chunks before compression.
        filters = [setting["id"] for setting in entries["filters"] or ()]
        _check(array, entries["zarr_format"], filters)
    except SourceError as error:
        raise SourceError(f"array {name}: {error.message}", error.hint) from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise SourceError(
            f"array {name}: its metadata can't be read: {type(error).__name__}: {error}",
            "Expected an array of a Zarr v2 store.",
        ) from error
    return array


def _check(array: ZarrArray, zarr_format: object, filters: list[object]) -> None:
    """Refuse an array that is described ambiguously, or can't be read.

    Raises:
        SourceError: Its dtype or filters are not supported, or its chunks are too large.
        ValueError: The metadata contradicts itself or the format.
    """
    sizes = (*array.shape, *array.chunks)
    if zarr_format != 2:
        raise ValueError(f"zarr_format {zarr_format!a}, expected 2")
    if (
        {type(size) for size in sizes} != {int}
        or len(array.shape) != len(array.chunks)
        or min(array.shape) < 0
        or min(array.chunks) < 1
    ):
        raise ValueError(f"shape {array.shape} in chunks of {array.chunks}")
    if array.order not in {"C", "F"} or array.separator not in {".", "/"}:
        raise ValueError(f"order {array.order!a}, separator {array.separator!a}")
    if not isinstance(array.dtype, str) or not (_NUMBERS.fullmatch(array.dtype) or array.is_text):
        raise SourceError(f"its dtype is {array.dtype!a}, expected numbers or text")
    expected = ["vlen-utf8"] if array.dtype == "|O" else []
    if filters != expected:
        raise SourceError(f"its filters are {filters!a}, expected {expected}")
    if array.is_text:
        return
    if array.chunk_bytes > MAX_CHUNK_BYTES:
        raise SourceError(
            f"each of its chunks of {array.chunks} has {array.chunk_bytes:,} bytes, expected at "
            f"most {MAX_CHUNK_BYTES:,}"
        )
    if array.fill_value is not None:
        _fill_value(array)


def _fill_value(array: ZarrArray) -> npt.NDArray[Any]:
    """The fill value, as an array without dimensions.

    Raises:
        ValueError: The fill value is not a value of the array's dtype.
    """
    import numpy as np  # noqa: PLC0415 - see `ZarrArray.block`

    value = array.fill_value
    if isinstance(value, str) and array.dtype[1] == "f":
        value = float(value)  # JSON has no numbers for NaN, Infinity and -Infinity
    if not isinstance(value, int | float):
        raise ValueError(f"fill value {value!a}")  # noqa: TRY004 - the file is wrong
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.array(value).astype(array.dtype)
    if array.dtype[1] != "f" and found != value:
        raise ValueError(f"fill value {value!a} in an array of {array.dtype}")
    return found


def _vlen_utf8(data: bytes, n_words: int) -> list[str]:
    """Parse words as written by numcodecs' VLenUTF8: their number, then each after its length."""
    words: list[str] = []
    start = 4
    while start < len(data) and len(words) < n_words:
        stop = start + 4 + int.from_bytes(data[start : start + 4], "little")
        words.append(data[start + 4 : stop].decode())
        start = stop
    if start != len(data) or not len(words) == n_words == int.from_bytes(data[:4], "little"):
        raise ValueError(f"{len(words)} words in {len(data)} bytes, expected {n_words}")
    return words
