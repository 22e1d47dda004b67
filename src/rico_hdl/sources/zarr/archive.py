"""A zipped Zarr v2 store of many patches as an archive.

In: a ``.zarr.zip`` as written by xarray, and the spec's `Arrays`, which say which of its arrays
holds the pixels, and what its dimensions are. Out: a member for each band of each patch, named by
the store's own labels if its dimensions have any, so bands are identified by name, not by order. No
value is changed: scale, offset and fill value in the store's attributes are not applied.

Nothing is unpacked. A chunk that holds several members is decoded once for all of them, within a
memory limit: see `rico_hdl.sources.zarr.blocks`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import product
from operator import ge
from pathlib import Path
from typing import Final, cast

from rico_hdl.decoding.raster import Raster, rasters_of
from rico_hdl.errors import ArchiveError, RicoError, SourceError, SpecError
from rico_hdl.sources.protocol import Member
from rico_hdl.sources.zarr.array import MAX_CHUNK_BYTES, ZarrArray, parse_array
from rico_hdl.sources.zarr.blocks import Block, Blocks, Pixels, Place
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

MAX_FILES: Final = 100_000
"""Maximum number of files in a store; published stores have hundreds."""

_AGAIN: Final = "Download it again."
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,8}")


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
        files, damage = _files_of(self._zip)
        try:
            series = _Series(files, self._arrays, is_whole=damage is None)
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


def _files_of(archive: ZipArchive) -> tuple[dict[str, Member], ArchiveError | None]:
    """The files of a store by path, and the first damage of the archive, if any.

    Raises:
        SourceError: See `Archive.members`; or the store has too many files.
    """
    found: dict[str, Member] = {}
    damage: ArchiveError | None = None
    with closing(archive.members()) as members:
        while len(found) <= MAX_FILES:
            try:
                member = next(members, None)
                if member is None:
                    return found, damage
                earlier = found.get(member.path)
                found[member.path] = member
                # A store written in two steps has some files twice, and the last one counts. A
                # damaged name also makes a duplicate, but hides another chunk: reading finds it.
                for one in (earlier, member) if earlier is not None else ():
                    if not one.problem:
                        one.read()
            except ArchiveError as error:
                damage = damage or error
    raise SourceError(f"{archive.location}: holds more than {MAX_FILES:,} files")


class _Series:
    """The patches of a store. Safe to read from several threads at once.

    Args:
        files: The files of the store, by path.
        arrays: Which array holds the pixels, and what its dimensions are.
        is_whole: Whether these are all its files. If not, a missing chunk is not the fill value.

    Raises:
        SourceError: The store is not of this kind.
        ArchiveError: The store's metadata is damaged.
    """

    def __init__(self, files: dict[str, Member], arrays: Arrays, *, is_whole: bool) -> None:
        self._files = files
        self._is_whole = is_whole
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
        self._pixels = self._array(arrays.path, len(arrays.axes), is_text=False)
        self._check_dimensions([axis.name for axis in arrays.axes])
        self._check_chunks()
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
        self._blocks = Blocks(max(1, KEPT_BYTES // n_bytes), n_begun)

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
        """See `rico_hdl.sources.zarr.blocks.Decodes`."""
        return tuple(i // step for i, step in zip(place, self._pixels.chunks, strict=False))

    def n_places(self, block: Block) -> int:
        """See `rico_hdl.sources.zarr.blocks.Decodes`."""
        return math.prod(map(len, self._reach(block)))

    def decode(self, block: Block) -> Pixels:
        """See `rico_hdl.sources.zarr.blocks.Decodes`."""
        inner = self._pixels.grid[-3:]
        if self._pixels.chunk_bytes > UNPACKED_BYTES and math.prod(inner) == 1:
            return self._pixels.packed(self._fetch, (*block, 0, 0, 0))
        ranges = [range(i, i + 1) for i in block] + [range(n) for n in inner]
        return self._pixels.block(self._fetch, ranges)

    def contents(self, pixels: Pixels, place: Place) -> list[Raster]:
        """See `rico_hdl.sources.zarr.blocks.Decodes`."""
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

    def _fetch(self, path: str) -> bytes | None:
        """See `rico_hdl.sources.zarr.array.Fetch`."""
        member = self._files.get(path)
        if member is None:
            if not self._is_whole:
                raise ArchiveError(f"{path} was not found: the archive is damaged", _AGAIN)
            return None
        if member.problem:
            raise ArchiveError(f"{path}: {member.problem}")
        return cast("bytes", member.read())  # as for any member of a zip archive

    def _array(self, name: str, n_dimensions: int, *, is_text: bool) -> ZarrArray:
        text = self._fetch(f"{name}/.zarray")
        if text is None:
            version = " It is a Zarr v3 store." if "zarr.json" in self._files else ""
            raise SourceError(
                f"it holds no Zarr v2 array called {name}",
                f"Expected a store as written by xarray, with its arrays at the top.{version}",
            )
        array = parse_array(name, text)
        if len(array.shape) != n_dimensions or array.is_text is not is_text:
            raise SourceError(
                f"array {name} has shape {array.shape} and dtype {array.dtype}, expected "
                f"{n_dimensions}-D {'text' if is_text else 'numbers'}"
            )
        return array

    def _labels(self, axis: Axis, size: int) -> list[str]:
        """The labels of a dimension."""
        if not axis.labels:
            return list(map(str, range(size)))
        array = self._array(axis.labels, 1, is_text=True)
        if array.shape != (size,):
            raise SourceError(
                f"array {axis.labels} has {array.shape[0]} labels, but {self._path} has {size}"
            )
        return array.words(self._fetch)

    def _check_dimensions(self, expected: list[str]) -> None:
        """Refuse pixels whose dimensions are not the expected ones.

        Raises:
            SourceError: The dimensions are different, or the store doesn't state them.
        """
        text = self._fetch(f"{self._path}/.zattrs")
        try:
            found = json.loads(text or b"{}").get("_ARRAY_DIMENSIONS")
        except (ValueError, AttributeError, RecursionError) as error:
            raise SourceError(f"{self._path}/.zattrs can't be read: {error}") from error
        if found != expected:
            raise SourceError(
                f"array {self._path} has the dimensions {found!a}, expected {expected}"
            )

    def _check_chunks(self) -> None:
        """Refuse a store in which a damaged name makes a chunk seem missing.

        Raises:
            ArchiveError: A name is damaged.
        """
        below, grid = f"{self._path}/", self._pixels.grid
        n_chunks = 0
        others: list[Member] = []
        for path, member in self._files.items():
            if not path.startswith(below):
                others.append(member)
            elif not path.endswith(("/.zarray", "/.zattrs")):
                n_chunks += 1
                parts = path.removeprefix(below).split(self._pixels.separator)
                index = [int(part) for part in parts if _NUMBER.fullmatch(part)]
                if len(index) != len(parts) or len(index) != len(grid) or any(map(ge, index, grid)):
                    raise ArchiveError(f"{path!a} is not the name of a chunk", _AGAIN)
        if n_chunks < math.prod(grid) and self._pixels.fill_value is not None:
            # Rare, and worth a check: one of the other files may be a chunk with a damaged name.
            for member in others:
                if not member.problem:
                    member.read()


def _is_file_name(name: str) -> bool:
    return "/" not in name and "\0" not in name and name not in {"", ".", ".."}
