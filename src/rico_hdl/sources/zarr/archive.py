"""A zipped Zarr v2 store of many patches as an archive.

In: a ``.zarr.zip`` as written by xarray, and the spec's `Arrays`, which say which of its arrays
holds the pixels, and what its dimensions are. Out: a member for each band of each patch, named by
the store's own labels if its dimensions have any, so bands are identified by name, not by order. No
value is changed: scale, offset and fill value in the store's attributes are not applied.

Nothing is unpacked. A chunk that holds several members is decoded once for all of them, within a
memory limit: see `rico_hdl.sources.blocks`.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Final

from rico_hdl.decoding.raster import Raster, rasters_of
from rico_hdl.errors import RicoError, SourceError, SpecError
from rico_hdl.sources.blocks import Block, Blocks, Pixels, Place
from rico_hdl.sources.protocol import Member
from rico_hdl.sources.zarr.array import MAX_CHUNK_BYTES
from rico_hdl.sources.zarr.files import StoreFiles
from rico_hdl.sources.zip.archive import ZipArchive
from rico_hdl.spec import Arrays, Axis, Template
from rico_hdl.spec.model import BAND_FIELD

KEPT_BYTES: Final = 128 * 2**20
"""Maximum bytes of chunks that are kept for members not read yet; a single chunk may be larger. A
chunk of 64 Sentinel-2 samples fits; a second one doesn't, and is not worth its memory."""

UNPACKED_BYTES: Final = 32 * 2**20
"""Largest chunk that is decompressed whole. If the compression allows it, only the requested parts
of a larger chunk are decompressed: its compressed and decompressed forms together would be the
largest thing that a conversion holds in memory."""

BEGUN_BYTES: Final = 64 * 2**20
"""Maximum bytes of members that are kept while others of the same sample and time are read; those
of a single sample and time may be larger. As many as a conversion has in flight fit."""


class ZarrArchive:
    """A zipped Zarr v2 store.

    Args:
        files: The zip file, or the volumes of a split one in order.
        arrays: Which array holds the pixels, and what its dimensions are.
        template: The path of a member, given the fields of the dimensions.
    """

    def __init__(self, files: Sequence[Path], arrays: Arrays, template: Template) -> None:
        self._zip = ZipArchive(files)
        self._arrays = arrays
        self._template = template
        self._share_yielded = 0.0

    @property
    def location(self) -> str:
        """See `Archive.location`."""
        return self._zip.location

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Archive.files`."""
        return self._zip.files

    @property
    def sequential(self) -> bool:
        """False: any member can be read at any time."""
        return False

    @property
    def n_bytes_read(self) -> int:
        """See `Archive.n_bytes_read`: in proportion to the members, which are of equal size."""
        return int(self._share_yielded * self._zip.n_bytes_read)

    def members(self) -> Generator[Member]:
        """See `Archive.members`. Members that share a chunk follow each other."""
        self._share_yielded = 0.0
        files = StoreFiles(self._zip)
        damage = files.damage
        try:
            series = _Series(files, self._arrays)
        except RicoError as error:
            if damage is not None:
                raise damage from error
            if error.message.startswith(self.location):
                raise
            raise type(error)(f"{self.location}: {error.message}", error.hint) from error
        for i, (place, band) in enumerate(series.places()):
            self._share_yielded = (i + 1) / series.n_members
            fields, problem = {BAND_FIELD: series.bands[band]}, ""
            for axis, labels, position in zip(series.axes, series.labels, place, strict=True):
                fields[axis.field] = label = labels[position]
                if not _is_file_name(label):
                    fields[axis.field] = str(position)
                    problem = f"its {axis.name} is called {label!a}: not a valid file name"
            read = partial(series.read, place, band)
            yield Member(self._template.format(fields), read, problem, series.member_bytes)
        if damage is not None:
            raise damage


class _Series:
    """The patches of a store. Safe to read from several threads at once.

    Args:
        files: The files of the store.
        arrays: Which array holds the pixels, and what its dimensions are.

    Raises:
        SourceError: The store is not of this kind.
        ArchiveError: The store's metadata is damaged.
    """

    def __init__(self, files: StoreFiles, arrays: Arrays) -> None:
        self._files = files
        self._path = arrays.path
        axes = list(arrays.axes)
        has_bands = any(axis.field == BAND_FIELD for axis in axes)
        if not has_bands:  # a single band, for which the store has no dimension
            axes.insert(-2, Axis(BAND_FIELD, field=BAND_FIELD))
        *self.axes, band, rows, columns = axes
        """The dimensions along which patches are arranged."""
        if band.field != BAND_FIELD or rows.field or columns.field or not self.axes:
            raise SpecError(
                f"the array has the dimensions {', '.join(axis.name for axis in arrays.axes)}",
                "Bands, rows and columns must come last, in this order.",
            )
        self._pixels = files.array(arrays.path, len(arrays.axes), is_text=False)
        files.check_dimensions(arrays.path, [axis.name for axis in arrays.axes])
        files.check_chunks(self._pixels)
        if not has_bands:
            self._pixels = self._pixels.with_axis(len(self.axes))
        *self.labels, self.bands = map(self._labels, (*self.axes, band), self._pixels.shape)
        """The labels along each of the dimensions, and the names of the bands."""
        if len(set(self.bands)) != len(self.bands) or not all(map(_is_file_name, self.bands)):
            raise SourceError(f"its bands have no valid, unique names: {', '.join(self.bands)!a}")
        self.n_members = math.prod(self._pixels.shape[:-2])
        """Number of patches x bands."""
        self.member_bytes = self._pixels.chunk_bytes // math.prod(self._pixels.chunks)
        self.member_bytes *= math.prod(self._pixels.shape[-2:])
        """Bytes of one member."""
        n_bytes = self._bytes_of_block()
        n_bytes_of_place = n_bytes // math.prod(self._pixels.chunks[:-3])
        n_begun = max(1, BEGUN_BYTES // n_bytes_of_place)
        self._block_bytes = n_bytes
        self._blocks = Blocks(KEPT_BYTES, n_begun)

    def places(self) -> Iterator[tuple[Place, int]]:
        """The place and the zero-based band of each member, block by block."""
        for block in product(*map(range, self._pixels.grid[:-3])):
            yield from product(product(*self._reach(block)), range(len(self.bands)))

    def read(self, place: Place, band: int) -> Raster:
        """The pixels of one member.

        Args:
            place: The zero-based position of its patch along each dimension.
            band: The zero-based position of its band.

        Raises:
            ArchiveError: The member is damaged.
        """
        return self._blocks.content(self, place, band)

    def block_of(self, place: Place) -> Block:
        """See `rico_hdl.sources.blocks.Decodes`."""
        return tuple(i // step for i, step in zip(place, self._pixels.chunks, strict=False))

    def n_places(self, block: Block) -> int:
        """See `rico_hdl.sources.blocks.Decodes`."""
        return math.prod(map(len, self._reach(block)))

    def n_bytes(self, block: Block) -> int:
        """See `rico_hdl.sources.blocks.Decodes`."""
        del block
        return self._block_bytes

    def decode(self, block: Block) -> Pixels:
        """See `rico_hdl.sources.blocks.Decodes`."""
        inner = self._pixels.grid[-3:]
        if self._pixels.chunk_bytes > UNPACKED_BYTES and math.prod(inner) == 1:
            return self._pixels.packed(self._files.fetch, (*block, 0, 0, 0))
        ranges = [range(i, i + 1) for i in block] + [range(n) for n in inner]
        return self._pixels.block(self._files.fetch, ranges)

    def contents(self, pixels: Pixels, place: Place) -> list[Raster]:
        """See `rico_hdl.sources.blocks.Decodes`."""
        block = self.block_of(place)
        within = [i - part.start for i, part in zip(place, self._reach(block), strict=True)]
        if isinstance(pixels, bytes):
            rasters = self._pixels.unpacked(pixels, (*block, 0, 0, 0), within)
        else:
            rasters = pixels[tuple(within)]
        trimmed = rasters[tuple(map(slice, self._pixels.shape[-3:]))]
        # Copied because a view would keep the pixels of the whole block in memory.
        return [rasters_of(band[None].copy())[0] for band in trimmed]

    def _reach(self, block: Block) -> list[range]:
        """The positions of a block's patches, along each dimension."""
        return [
            range(i * step, min((i + 1) * step, size))
            for i, step, size in zip(block, self._pixels.chunks, self._pixels.shape, strict=False)
        ]

    def _bytes_of_block(self) -> int:
        """The size of the largest block's pixels, in bytes.

        Raises:
            SourceError: The size exceeds the limit.
        """
        # A single chunk is kept whole, including the padding beyond the array's ends.
        sizes = list(map(max, self._pixels.chunks[-3:], self._pixels.shape[-3:]))
        n_bytes = self._pixels.chunk_bytes // math.prod(self._pixels.chunks[-3:]) * math.prod(sizes)
        if n_bytes > MAX_CHUNK_BYTES:
            raise SourceError(
                f"samples that share a chunk have {n_bytes:,} bytes of pixels, expected at most "
                f"{MAX_CHUNK_BYTES:,}"
            )
        return n_bytes

    def _labels(self, axis: Axis, size: int) -> list[str]:
        """The labels of a dimension."""
        if not axis.labels:
            return list(map(str, range(size)))
        array = self._files.array(axis.labels, 1, is_text=True)
        if array.shape != (size,):
            raise SourceError(
                f"array {axis.labels} has {array.shape[0]} labels, but {self._path} has {size}"
            )
        return array.words(self._files.fetch)


def _is_file_name(name: str) -> bool:
    return "/" not in name and "\0" not in name and name not in {"", ".", ".."}
