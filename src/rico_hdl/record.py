"""Records: the safetensors bytes of a patch.

In: band names and rasters. Out: the bytes that the safetensors library writes for the same names
and arrays (a test compares them for every dtype and any shape), without going through numpy.
Decoding returns views, without a copy.

Format: https://huggingface.co/docs/safetensors - an eight-byte little-endian header length, a JSON
header padded with spaces to a multiple of eight bytes, the raw C-order little-endian buffers.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from rico_hdl.decoding.tiff import Raster

# numpy name -> (safetensors name, bytes). The order is the library's own: buffers are sorted by
# dtype, from the end of this table to its beginning, then by name (safetensors 0.4 to 0.8, enum
# Dtype).
_DTYPES: Final = {
    "bool": ("BOOL", 1),
    "uint8": ("U8", 1),
    "int8": ("I8", 1),
    "int16": ("I16", 2),
    "uint16": ("U16", 2),
    "float16": ("F16", 2),
    "int32": ("I32", 4),
    "uint32": ("U32", 4),
    "float32": ("F32", 4),
    "float64": ("F64", 8),
    "int64": ("I64", 8),
    "uint64": ("U64", 8),
}
_RANK: Final = {name: rank for rank, name in enumerate(_DTYPES)}
_NUMPY_NAMES: Final = {code: name for name, (code, _) in _DTYPES.items()}

_MAX_HEADER_BYTES: Final = 100_000_000
"""The library's own limit."""

_HEAD_BYTES: Final = 256  # almost every band has two different pixels within these
_METADATA: Final = "__metadata__"
"""The one key of the header that is not a tensor."""


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """The header of a record, and the order and sizes of its buffers."""

    header: bytes
    """Length, JSON and padding: everything before the first buffer."""
    order: tuple[int, ...]
    """Zero-based positions of the given bands, in the order of their buffers."""
    sizes: tuple[int, ...]
    """Bytes of each band, in the given order."""


@lru_cache(maxsize=1024)
def layout_of(bands: tuple[tuple[str, str, tuple[int, ...]], ...]) -> RecordHeader:
    """The layout of a record.

    Args:
        bands: (name, numpy dtype name, shape) of each band, in any order.

    Raises:
        RecordError: Two bands share a name, safetensors can't store a name or dtype, or a shape has
            a negative side.
    """
    names = [name for name, _, _ in bands]
    if len(set(names)) != len(names):
        raise RecordError(f"two bands share a name: {names}")
    unfit = [name for name in names if name == _METADATA or _has_surrogates(name)]
    if unfit:
        raise RecordError(f"safetensors can't store a band named {', '.join(map(ascii, unfit))}")
    unknown = {dtype for _, dtype, _ in bands} - _DTYPES.keys()
    if unknown:
        raise RecordError(f"safetensors can't store {', '.join(sorted(unknown))}")
    order = sorted(range(len(bands)), key=lambda i: (-_RANK[bands[i][1]], names[i].encode()))
    sizes = [_DTYPES[dtype][1] * math.prod(shape) for _, dtype, shape in bands]
    entries: dict[str, object] = {}
    start = 0
    for i in order:
        name, dtype, shape = bands[i]
        if min(shape, default=0) < 0:
            raise RecordError(f"band {name} has shape {shape}, with a negative side")
        stop = start + sizes[i]
        entries[name] = {
            "dtype": _DTYPES[dtype][0],
            "shape": shape,
            "data_offsets": [start, stop],
        }
        start = stop
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return RecordHeader(len(text).to_bytes(8, "little") + text, tuple(order), tuple(sizes))


def encode(names: Sequence[str], rasters: Sequence[Raster]) -> bytes:
    """The record of a patch.

    Args:
        names: The safetensors key of each band.
        rasters: The bands, in the same order.

    Raises:
        RecordError: The numbers of rasters and names differ, or a raster's bytes don't fit its
            dtype and shape; see also `layout_of`.
    """
    if len(names) != len(rasters):
        raise RecordError(f"got {len(rasters)} rasters, expected {len(names)}: {', '.join(names)}")
    layout = layout_of(
        tuple([(name, r.dtype, r.shape) for name, r in zip(names, rasters, strict=True)])
    )
    for name, raster, size in zip(names, rasters, layout.sizes, strict=True):
        if len(raster.data) != size:
            raise RecordError(f"band {name} has {len(raster.data)} bytes, expected {size}")
    return b"".join([layout.header, *[rasters[i].data for i in layout.order]])


@dataclass(frozen=True, slots=True)
class Tensor:
    """One entry of a record's header."""

    name: str
    """The band."""
    dtype: str
    """The numpy name."""
    shape: tuple[int, ...]
    """(rows, columns)."""
    start: int
    """Zero-based offset of its first byte in the record."""
    stop: int
    """Zero-based offset just past its last byte."""


def parse(record: bytes | memoryview) -> list[Tensor]:
    """The entries of a record's header, in the order of their buffers.

    Raises:
        RecordError: The bytes are not a complete record: the header can't be read, an entry's size
            doesn't fit its dtype and shape, or there are gaps, overlaps, missing or extra bytes.
    """
    n = int.from_bytes(record[:8], "little")
    if len(record) < 8 or not 2 <= n <= min(len(record) - 8, _MAX_HEADER_BYTES):
        raise RecordError(f"not a record: a header of {n} bytes in {len(record)} bytes")
    try:
        tensors = _tensors(str(record[8 : 8 + n], "utf-8"), 8 + n)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecordError(f"not a record: its header can't be read ({_brief(error)})") from error
    tensors.sort(key=lambda tensor: (tensor.start, tensor.stop))
    position = 8 + n
    for tensor in tensors:
        if tensor.start != position:
            raise RecordError(
                f"band {tensor.name} begins at byte {tensor.start}, expected {position}"
            )
        position = tensor.stop
    if position != len(record):
        raise RecordError(f"the record has {len(record)} bytes, but its header says {position}")
    return tensors


def _tensors(text: str, base: int) -> list[Tensor]:
    """The entries of a JSON header whose buffers begin at byte ``base`` of the record."""
    entries = json.loads(text, object_pairs_hook=_without_twins)
    if not all(isinstance(value, str) for value in entries.pop(_METADATA, {}).values()):
        raise ValueError(f"{_METADATA} holds values that are not text")
    return [_tensor(name, entry, base) for name, entry in entries.items()]


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dictionary; a repeated key is an error."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _brief(error: Exception) -> str:
    """An error on one short line: headers can be long and hold anything."""
    return f"{type(error).__name__}: {error}".encode("unicode_escape").decode()[:200]


def _has_surrogates(name: str) -> bool:
    """Whether a name holds UTF-16 surrogates, as Python puts into file names that are not UTF-8."""
    return any("\ud800" <= character <= "\udfff" for character in name)


def _tensor(name: str, entry: dict[str, Any], base: int) -> Tensor:
    if _has_surrogates(name) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"band {name!a} has the entries {list(entry)}")
    dtype = _NUMPY_NAMES[entry["dtype"]]
    shape, (start, stop) = tuple(entry["shape"]), entry["data_offsets"]
    numbers = (*shape, start, stop)
    # Not isinstance: bool is a subclass of int.
    if {type(number) for number in numbers} != {int} or min(numbers) < 0 or max(numbers) >> 63:
        raise ValueError(f"band {name!a}: shape {shape} at {start} to {stop}")
    if _DTYPES[dtype][1] * math.prod(shape) != stop - start:
        raise ValueError(f"band {name!a}: {dtype} {shape} in {stop - start} bytes")
    return Tensor(name, dtype, shape, base + start, base + stop)


def decode(record: bytes | memoryview) -> dict[str, np.ndarray]:
    """The bands of a record as read-only arrays that share its memory.

    Raises:
        RecordError: See `parse`.
    """
    import numpy as np  # noqa: PLC0415 - writing records does not need it

    view = memoryview(record).toreadonly()
    try:
        return {
            t.name: np.ndarray(t.shape, np.dtype(t.dtype).newbyteorder("<"), view, t.start)
            for t in parse(record)
        }
    except ValueError as error:  # too many dimensions for numpy, or sides that overflow with a zero
        raise RecordError(f"not a record: {_brief(error)}") from error


def is_constant(data: bytes | memoryview, n_pixels: int) -> bool:
    """Whether all pixels of a band have the same bits.

    The comparison stops at the first difference, which almost every band has near its start.
    """
    view = memoryview(data)
    n = len(view) // max(1, n_pixels)
    head = bytes(view[:_HEAD_BYTES])
    return head[n:] == head[:-n] and bytes(view[n:]) == bytes(view[:-n])


def record_bytes(names: Iterable[str], dtype: str, shapes: Iterable[tuple[int, int]]) -> int:
    """The length of a record with the given bands.

    Raises:
        RecordError: See `layout_of`.
    """
    layout = layout_of(tuple([(n, dtype, s) for n, s in zip(names, shapes, strict=True)]))
    return len(layout.header) + sum(layout.sizes)
