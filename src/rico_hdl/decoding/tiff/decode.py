"""From the bytes of a TIFF file to rasters.

In: a whole file as bytes. Out: one `Raster` for each band, in file order. Three ways lead there and
give the same bits: uncompressed strips are sliced out of the file; deflate strips of differences
are inflated one by one; all else is decoded by libtiff. Before any of them, header and blocks are
checked for what would be doubtful in all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rico_hdl.decoding.raster import DTYPES, Raster, bands_of, split
from rico_hdl.decoding.tiff import deflate
from rico_hdl.decoding.tiff.header import Segments, TiffHeader, parse_header
from rico_hdl.decoding.tiff.libtiff import NONE, decode_with_libtiff, refuse_doubtful
from rico_hdl.errors import TiffError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class _Known:
    """What was learnt from one file, to be reused for files with the same header.

    A header is a pure function of the byte ranges that were consulted for it; a file with the same
    bytes there, and long enough, is encoded in the same way.
    """

    ranges: tuple[tuple[int, int, bytes], ...]
    """[start, stop) in the file, and the bytes that were there."""
    n_bytes: int
    """How long a file must be for the same to hold of it."""
    pieces: tuple[tuple[int, int], ...] | None
    """The [start, stop) of the pixels of an uncompressed file, then part of what was learnt; None
    where each file has to be looked at."""
    header: TiffHeader
    dtype: str

    def holds_for(self, data: bytes) -> bool:
        if len(data) < self.n_bytes:
            return False
        return all(data[start:stop] == expected for start, stop, expected in self.ranges)


class Decoder:
    """Decodes files that usually look alike, such as one band of many patches.

    It remembers the last file's header: where the next one's is the same, nothing is parsed. May be
    shared by threads; it keeps no reference to a file's pixels.
    """

    def __init__(self) -> None:
        self._known: _Known | None = None

    def decode(self, data: bytes) -> tuple[Raster, ...]:
        """The bands of the first image in the file.

        Args:
            data: The whole file.

        Returns:
            One raster for each band, in file order. They may be views of ``data``.

        Raises:
            TiffError: The file is damaged, or is encoded in a way that is not known to be decoded
                without loss or change.
        """
        known = self._known
        if known is None or not known.holds_for(data):
            known = _learn(data)
            self._known = known
        if known.pieces is not None:
            return _slice(data, known, known.pieces)
        return _decompress(data, known)


def _learn(data: bytes) -> _Known:
    """How a file is encoded, and where its pixels lie if they lie there as they are."""
    header = parse_header(data)
    refuse_doubtful(header)
    blocks = header.read_blocks(data)
    tables = [(values.start, values.stop) for values in (header.offsets, header.byte_counts)]
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
    )


def _is_plain(header: TiffHeader, blocks: Segments) -> bool:
    """Whether the pixels lie in the file as they are in a raster, but for the order of bands."""
    return (
        header.compression == NONE
        and header.tile is None
        and header.fill_order == 1
        and header.bits in {8, 16, 32, 64}
        and (header.bits == 8 or header.byte_order == "<")
        and list(blocks.counts) == blocks.sizes
    )


def _joined(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The same bytes in the same order, in as few [start, stop) ranges as possible."""
    joined: list[tuple[int, int]] = []
    for start, stop in ranges:
        if joined and start == joined[-1][1]:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)


def _union(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """All bytes that are in one of the [start, stop) ranges, in as few as possible."""
    union: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(stop, union[-1][1]))
        else:
            union.append((start, stop))
    return tuple(union)


def _slice(data: bytes, known: _Known, pieces: tuple[tuple[int, int], ...]) -> tuple[Raster, ...]:
    """The bands of an uncompressed file whose pixels lie at known places."""
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
    import numpy as np  # noqa: PLC0415 - a tenth of a second that single-band files never need

    dtype = np.dtype(known.dtype).newbyteorder("<")
    return bands_of(np.frombuffer(pixels, dtype).reshape(header.shape))


def _decompress(data: bytes, known: _Known) -> tuple[Raster, ...]:
    """The bands of any other file."""
    header = known.header
    blocks = header.read_blocks(data)
    if deflate.is_for_inflate(header):
        return bands_of(deflate.inflate(data, header, blocks, known.dtype))
    if header.compression == NONE and any(map(int.__lt__, blocks.counts, blocks.sizes)):
        raise TiffError("a strip or tile is shorter than its pixels")
    image = decode_with_libtiff(data, header)
    if header.compression in deflate.COMPRESSIONS:
        deflate.verify(data, header, blocks, image)
    return bands_of(image)
