"""A zipped Zarr v2 store of many patches as an archive.

In: a ``.zarr.zip`` as xarray writes it, and the spec's `Arrays`, which say which of its arrays
holds the pixels, and what its dimensions are. Out: a member for each band of each patch, with the
store's own names where dimensions have labels. So a band is known by its name, and no order has to
be trusted. No value is changed: scale, offset and fill value in the store's attributes are not
applied.

Nothing is unpacked. A chunk that holds several members is decoded once for all of them, within a
bound: see `rico_hdl.sources.zarr.blocks`.
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
from rico_hdl.sources.protocol import MAX_MEMBER_BYTES, Member
from rico_hdl.sources.zarr.array import ZarrArray, parse_array
from rico_hdl.sources.zarr.blocks import Block, Blocks, Pixels, Place
from rico_hdl.sources.zip.archive import ZipArchive
from rico_hdl.spec import Arrays, Axis, Template
from rico_hdl.spec.model import BAND_FIELD

KEPT_BYTES: Final = 128 * 2**20
"""Chunks that are kept for members that were not read yet, or one if a single one is larger. One of
64 samples of Sentinel-2 fits; a second one would not, and is not worth its memory."""

UNPACKED_BYTES: Final = 32 * 2**20
"""The largest chunk that is decompressed whole. Of a larger one, where its compression allows it,
only what is read is decompressed: both forms of it together would be the most that a conversion
holds."""

BEGUN_BYTES: Final = 64 * 2**20
"""Members that are kept while others of the same sample and time are read, or those of one sample
and time. As many as are in flight in a conversion fit."""

MAX_FILES: Final = 100_000
"""The most files of a store that are kept track of; those that are published have hundreds."""

_AGAIN: Final = "Download it again."
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,8}")


class ZarrArchive:
    """A zipped Zarr v2 store.

    Args:
        files: The zip file, or the volumes of a split one in order.
        arrays: Which array holds the pixels, and what its dimensions are.
        template: The path of a member, by the fields of the dimensions.
    """

    def __init__(self, files: Sequence[Path], arrays: Arrays, template: Template) -> None:
        self._zip = ZipArchive(files)
        self._arrays = arrays
        self._template = template
        self._share_told = 0.0

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
        return int(self._share_told * self._zip.n_bytes_read)

    def members(self) -> Generator[Member]:
        """See `Archive.members`. Those that share a chunk follow each other."""
        self._share_told = 0.0
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
            self._share_told = (i + 1) / series.n_members
            fields, problem = {BAND_FIELD: series.bands[band]}, ""
            for axis, labels, position in zip(series.axes, series.labels, place, strict=True):
                fields[axis.field] = label = labels[position]
                if not _is_file_name(label):
                    fields[axis.field] = str(position)
                    problem = f"its {axis.name} is called {label!a}: no name of a file"
            read = partial(series.read, place, band)
            yield Member(self._template.format(fields), read, problem)
        if damage is not None:
            raise damage


def _files_of(archive: ZipArchive) -> tuple[dict[str, Member], ArchiveError | None]:
    """The files of a store by path, and what is wrong with the archive.

    Raises:
        SourceError: See `Archive.members`; or it has too many files.
    """
    found: dict[str, Member] = {}
    damage: ArchiveError | None = None
    with closing(archive.members()) as members:
        while len(found) <= MAX_FILES:
            try:
                member = next(members, None)
                if member is None:
                    return found, damage
                twin = found.get(member.path)
                found[member.path] = member
                # A store that was written in two goes has files twice, and the last one counts. But
                # a damaged name makes twins, too, and hides another chunk: reading shows which.
                for one in (twin, member) if twin is not None else ():
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
        is_whole: Whether these are all. If not, a chunk that is not there is not the fill value.

    Raises:
        SourceError: It is no store of this kind.
        ArchiveError: What describes it is damaged.
    """

    def __init__(self, files: dict[str, Member], arrays: Arrays, *, is_whole: bool) -> None:
        self._files = files
        self._is_whole = is_whole
        self._path = arrays.path
        *self.axes, band, rows, columns = arrays.axes
        """The dimensions along which patches are."""
        if band.field != BAND_FIELD or rows.field or columns.field or not self.axes:
            raise SpecError(
                f"an array with the dimensions {', '.join(axis.name for axis in arrays.axes)}",
                "Bands, rows and columns must come last, in this order.",
            )
        self._pixels = self._array(arrays.path, len(arrays.axes), is_text=False)
        self._check_dimensions([axis.name for axis in arrays.axes])
        self._check_chunks()
        *self.labels, self.bands = map(self._labels, (*self.axes, band), self._pixels.shape)
        """The labels along each of the dimensions, and the names of the bands."""
        if len(set(self.bands)) != len(self.bands) or not all(map(_is_file_name, self.bands)):
            raise SourceError(f"its bands have no names of their own: {', '.join(self.bands)!a}")
        self.n_members = math.prod(self._pixels.shape[:-2])
        """Patches x bands."""
        n_bytes = self._bytes_of_block()
        n_bytes_of_place = n_bytes // math.prod(self._pixels.chunks[:-3])
        n_begun = max(1, BEGUN_BYTES // n_bytes_of_place)
        self._blocks = Blocks(max(1, KEPT_BYTES // n_bytes), n_begun)

    def places(self) -> Iterator[tuple[Place, int]]:
        """The place and the zero-based band of all members, block by block."""
        for block in product(*map(range, self._pixels.grid[:-3])):
            yield from product(product(*self._reach(block)), range(len(self.bands)))

    def read(self, place: Place, band: int) -> Raster:
        """The pixels of one member.

        Args:
            place: The zero-based positions of its patch.
            band: The same of its band.

        Raises:
            ArchiveError: It is damaged.
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
        above = self._pixels.grid[-3:]
        if self._pixels.chunk_bytes > UNPACKED_BYTES and math.prod(above) == 1:
            return self._pixels.packed(self._fetch, (*block, 0, 0, 0))
        ranges = [range(i, i + 1) for i in block] + [range(n) for n in above]
        return self._pixels.block(self._fetch, ranges)

    def contents(self, pixels: Pixels, place: Place) -> list[Raster]:
        """See `rico_hdl.sources.zarr.blocks.Decodes`."""
        block = self.block_of(place)
        within = [i - part.start for i, part in zip(place, self._reach(block), strict=True)]
        if isinstance(pixels, bytes):
            rasters = self._pixels.unpacked(pixels, (*block, 0, 0, 0), within)
        else:
            rasters = pixels[tuple(within)]
        there = rasters[tuple(map(slice, self._pixels.shape[-3:]))]
        # Bands of their own: a view would keep the pixels of the whole block.
        return [rasters_of(band[None].copy())[0] for band in there]

    def _reach(self, block: Block) -> list[range]:
        """The positions of a block's patches, along each dimension."""
        return [
            range(i * step, min((i + 1) * step, size))
            for i, step, size in zip(block, self._pixels.chunks, self._pixels.shape, strict=False)
        ]

    def _bytes_of_block(self) -> int:
        """The bytes of the largest block's pixels.

        Raises:
            SourceError: They are beyond the bound.
        """
        # A single chunk is kept whole, with the padding beyond the array's ends.
        sizes = list(map(max, self._pixels.chunks[-3:], self._pixels.shape[-3:]))
        n_bytes = self._pixels.chunk_bytes // math.prod(self._pixels.chunks[-3:]) * math.prod(sizes)
        if n_bytes > MAX_MEMBER_BYTES:
            raise SourceError(
                f"samples that share a chunk have {n_bytes:,} bytes of pixels, expected at most "
                f"{MAX_MEMBER_BYTES:,}"
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
        return cast("bytes", member.read())  # as of any member of a zip

    def _array(self, name: str, n_dimensions: int, *, is_text: bool) -> ZarrArray:
        text = self._fetch(f"{name}/.zarray")
        if text is None:
            version = " It is a Zarr v3 store." if "zarr.json" in self._files else ""
            raise SourceError(
                f"it holds no Zarr v2 array called {name}",
                f"Expected a store as xarray writes it, with its arrays at the top.{version}",
            )
        array = parse_array(name, text)
        if len(array.shape) != n_dimensions or array.is_text is not is_text:
            raise SourceError(f"array {name} has shape {array.shape} and dtype {array.dtype}")
        return array

    def _labels(self, axis: Axis, size: int) -> list[str]:
        """The labels of a dimension."""
        if not axis.labels:
            return list(map(str, range(size)))
        array = self._array(axis.labels, 1, is_text=True)
        if array.shape != (size,):
            raise SourceError(
                f"array {axis.labels} names {array.shape[0]}, {self._path} has {size}"
            )
        return array.words(self._fetch)

    def _check_dimensions(self, expected: list[str]) -> None:
        """Refuse pixels whose axes are not what they are taken for.

        Raises:
            SourceError: They are others, or nothing says what they are.
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
            ArchiveError: There is one.
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
                    raise ArchiveError(f"{path!a} is the name of no chunk", _AGAIN)
        if n_chunks < math.prod(grid) and self._pixels.fill_value is not None:
            # Rare, and worth checking: is any of the other names that of one of these chunks?
            for member in others:
                if not member.problem:
                    member.read()


def _is_file_name(name: str) -> bool:
    return "/" not in name and "\0" not in name and name not in {"", ".", ".."}
