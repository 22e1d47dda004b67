"""Decoding the bytes of a TIFF file into rasters.

In: a whole file as bytes. Out: one `Raster` per band, in file order. Four methods give the same
bits: uncompressed strips are sliced out of the file, deflate strips of differences are inflated one
by one, libtiff decodes everything else that it can be given as it is, and the rest strip by strip
or tile by tile. All four first reject headers and blocks whose pixels would be in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from rico_hdl.decoding.raster import DTYPES, Raster, bands_of, split
from rico_hdl.decoding.tiff import deflate
from rico_hdl.decoding.tiff.blockwise import are_odd, block_bytes, decode_blocks, is_for_blocks
from rico_hdl.decoding.tiff.header import NONE, Segments, TiffHeader, parse_header
from rico_hdl.decoding.tiff.libtiff import (
    WEBP,
    decode_with_libtiff,
    image_bytes,
    refuse_doubtful,
    refuse_lossy,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rico_hdl.system.memory import Allowance


class _Method(Enum):
    """How a compressed file with ordinary strips or tiles is decoded."""

    INFLATE = auto()
    LIBTIFF = auto()
    BLOCKS = auto()


@dataclass(frozen=True, slots=True)
class _Known:
    """How one file is encoded, reused for files with the same header.

    A header depends only on the byte ranges read to parse it, so a file that has the same bytes
    there, and is long enough, is encoded in the same way.
    """

    ranges: tuple[tuple[int, int, bytes], ...]
    """[start, stop) in the file, and the bytes found there."""
    n_bytes: int
    """Minimum length of a file with the same encoding."""
    pieces: tuple[tuple[int, int], ...] | None
    """[start, stop) of the pixels in an uncompressed file; None if they have to be located in each
    file."""
    header: TiffHeader
    dtype: str
    decoding_bytes: int
    """The memory that decoding takes at its peak, in bytes."""
    method: _Method

    def holds_for(self, data: bytes) -> bool:
        if len(data) < self.n_bytes:
            return False
        return all(data[start:stop] == expected for start, stop, expected in self.ranges)


class Decoder:
    """Decodes files that usually look alike, such as one band of many patches.

    A decoder remembers the last file's header and parses nothing if the next file has the same one.
    It may be shared by threads, and keeps no reference to a file's pixels.
    """

    def __init__(self) -> None:
        self._known: _Known | None = None

    def decode(self, data: bytes, allowance: Allowance | None = None) -> tuple[Raster, ...]:
        """Decode the first image in a file.

        Args:
            data: The whole file.
            allowance: The memory that decoding may take, beyond the file; any if None.

        Returns:
            One raster per band, in file order. They may be views of ``data``.

        Raises:
            MemoryLimitError: Decoding would take more memory.
            TiffError: The file is damaged, or its encoding is not known to decode without loss or
                change.
        """
        known = self._known
        if known is None or not known.holds_for(data):
            known = _learn(data)
            self._known = known
        if allowance is not None:
            allowance.need(known.decoding_bytes)
        if known.pieces is not None:
            return _slice(data, known, known.pieces)
        return _decompress(data, known, allowance)


def _learn(data: bytes) -> _Known:
    """Find out how a file is encoded, and where its pixels are if they are uncompressed."""
    header = parse_header(data)
    refuse_doubtful(header)
    blocks = header.read_blocks(data)
    tables = [(v.start, v.stop) for v in (header.offsets, header.byte_counts) if v is not None]
    consulted = [*header.consulted]
    n_bytes = max(stop for _, stop in (*consulted, *tables))
    pieces = None
    if _is_plain(header, blocks):
        consulted += tables
        pieces = _joined(
            (start, start + n) for start, n in zip(blocks.offsets, blocks.sizes, strict=True)
        )
        n_bytes = max(n_bytes, *(stop for _, stop in pieces))
    return _Known(
        ranges=tuple((start, stop, data[start:stop]) for start, stop in _union(consulted)),
        n_bytes=n_bytes,
        pieces=pieces,
        header=header,
        dtype=DTYPES[header.sample_format, header.bits],
        decoding_bytes=_decoding_bytes(header, blocks, pieces),
        method=(
            _Method.INFLATE
            if deflate.is_for_inflate(header)
            else _Method.BLOCKS
            if is_for_blocks(header)
            else _Method.LIBTIFF
        ),
    )


def _decoding_bytes(
    header: TiffHeader, blocks: Segments, pieces: tuple[tuple[int, int], ...] | None
) -> int:
    """The memory that decoding a file takes at its peak, in bytes."""
    n_bytes, bands = image_bytes(header), _band_bytes(header)
    if pieces is not None:
        return bands + (n_bytes if len(pieces) > 1 else 0)
    if deflate.is_for_inflate(header):
        return 2 * n_bytes  # the strips one by one and joined, differences and sums, or the bands
    return n_bytes + max(bands, *blocks.sizes)


def _band_bytes(header: TiffHeader) -> int:
    """The memory that the bands take next to the image: interleaved ones are copied out of it."""
    return image_bytes(header) if header.n_planes < header.n_samples else 0


def _is_plain(header: TiffHeader, blocks: Segments) -> bool:
    """Whether the file holds the pixels as a raster does, except for the order of bands."""
    return (
        header.compression == NONE
        and header.tile is None
        and header.fill_order == 1
        and header.bits in {8, 16, 32, 64}
        and (header.bits == 8 or header.byte_order == "<")
        and not any(map(int.__lt__, blocks.counts, blocks.sizes))
    )


def _joined(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Merge adjacent [start, stop) ranges, keeping their order."""
    joined: list[tuple[int, int]] = []
    for start, stop in ranges:
        if joined and start == joined[-1][1]:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)


def _union(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Merge overlapping and adjacent [start, stop) ranges, sorted."""
    union: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(stop, union[-1][1]))
        else:
            union.append((start, stop))
    return tuple(union)


def _slice(data: bytes, known: _Known, pieces: tuple[tuple[int, int], ...]) -> tuple[Raster, ...]:
    """Slice the bands out of an uncompressed file whose pixels are at known places."""
    view = memoryview(data)
    header = known.header
    pixels: bytes | memoryview
    if len(pieces) == 1:
        start, stop = pieces[0]
        pixels = view[start:stop]
    else:
        pixels = b"".join([view[start:stop] for start, stop in pieces])
    if header.n_planes == header.n_samples:
        return split(pixels, known.dtype, (header.n_samples, header.height, header.width))
    import numpy as np  # noqa: PLC0415 - takes a tenth of a second; single-band files don't need it

    dtype = np.dtype(known.dtype).newbyteorder("<")
    return bands_of(np.frombuffer(pixels, dtype).reshape(header.shape))


def _decompress(data: bytes, known: _Known, allowance: Allowance | None) -> tuple[Raster, ...]:
    """Decode any other file."""
    header = known.header
    blocks = header.read_blocks(data)
    method = known.method
    if are_odd(header, blocks):
        method = _Method.BLOCKS
    if method is _Method.INFLATE:
        return bands_of(deflate.inflate(data, header, blocks, known.dtype))
    if header.compression == WEBP:
        refuse_lossy(data, blocks)
    if method is _Method.LIBTIFF:
        image = decode_with_libtiff(data, header)
        if header.compression not in deflate.COMPRESSIONS or deflate.verify(
            data, header, blocks, image
        ):
            return bands_of(image)
        del image
    if allowance is not None:
        allowance.need(image_bytes(header) + max(_band_bytes(header), block_bytes(header, blocks)))
    return bands_of(decode_blocks(data, header, blocks, known.dtype))
