"""A zipped Zarr v2 store of image time series as an archive.

In: a ``.zarr.zip`` whose array ``bands`` has the dimensions sample, time, band, y and x, as xarray
writes it. Out: a member for each sample, time and band: ``{sample}/{time}/{band}.npy``, with the
store's own names of samples and bands, and the zero-based position of the time. So a band is known
by its name, and nobody has to trust an order. No value is changed: scale, offset and fill value in
the store's attributes are not applied.

Nothing is unpacked. A chunk that holds several members is decoded once, and kept until all of them
were read, within a bound.
"""

from __future__ import annotations

import io
import json
import math
import re
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import product
from operator import ge
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.errors import ArchiveError, RicoError, SourceError
from rico_hdl.sources.protocol import MAX_MEMBER_BYTES, Member
from rico_hdl.sources.zarr_array import ZarrArray, parse_array
from rico_hdl.sources.zip import ZipArchive

if TYPE_CHECKING:
    import numpy.typing as npt

KEPT_BYTES: Final = 256 * 2**20
"""Decoded chunks that are kept for members that were not read yet, or one if a single one is
larger. Two chunks of 64 samples of Sentinel-2 fit: readers may have one foot in the next while
others finish the last."""

MAX_FILES: Final = 100_000
"""The most files of a store that are kept track of; those that are published have hundreds."""

_PIXELS: Final = "bands"
_DIMENSIONS: Final = ["sample", "time", "band", "y", "x"]
_AGAIN: Final = "Download it again."
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,8}")

_Block = tuple[int, int]
"""What is decoded together, by zero-based positions in the grid of chunks: along samples, and along
times. All bands of a sample and time are in one block."""


class ZarrArchive:
    """A zipped Zarr v2 store.

    Args:
        files: The zip file, or the volumes of a split one in order.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._zip = ZipArchive(files)
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
            series = _Series(files, is_whole=damage is None)
        except RicoError as error:
            if damage is not None:
                raise damage from error
            if error.message.startswith(self.location):
                raise
            raise type(error)(f"{self.location}: {error.message}", error.hint) from error
        for i, (sample, time, band) in enumerate(series.places()):
            self._share_told = (i + 1) / series.n_members
            name, problem = series.samples[sample], ""
            if not _is_file_name(name):
                name, problem = str(sample), f"its sample is called {name!a}: no name of a file"
            read = partial(series.read, sample, time, band)
            yield Member(f"{name}/{time}/{series.bands[band]}.npy", read, problem)
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
                # a damaged name makes twins, too, and another chunk seem missing: reading tells.
                for one in (twin, member) if twin is not None else ():
                    if not one.problem:
                        one.read()
            except ArchiveError as error:
                damage = damage or error
    raise SourceError(f"{archive.location}: holds more than {MAX_FILES:,} files")


class _Series:
    """The samples and times of a store. Safe to read from several threads at once.

    Args:
        files: The files of the store, by path.
        is_whole: Whether these are all. If not, a chunk that is not there is not the fill value.

    Raises:
        SourceError: It is no store of this kind.
        ArchiveError: What describes it is damaged.
    """

    def __init__(self, files: dict[str, Member], *, is_whole: bool) -> None:
        self._files = files
        self._is_whole = is_whole
        self._pixels = self._array(_PIXELS, len(_DIMENSIONS))
        self._check_dimensions()
        self._check_chunks()
        self.samples = self._names("sample", self._pixels.shape[0])
        """The name of each sample."""
        self.bands = self._names("band", self._pixels.shape[2])
        """The name of each band."""
        if len(set(self.bands)) != len(self.bands) or not all(map(_is_file_name, self.bands)):
            raise SourceError(f"its bands have no names of their own: {', '.join(self.bands)!a}")
        self.n_members = math.prod(self._pixels.shape[:3])
        """Samples x times x bands."""
        self._header = _header_of(self._pixels)
        self._blocks = _Blocks(self._decoded, max(1, KEPT_BYTES // self._bytes_of_block()))

    def places(self) -> Iterator[tuple[int, int, int]]:
        """The zero-based (sample, time, band) of all members, block by block."""
        n_samples, n_times = self._pixels.grid[:2]
        for block in product(range(n_samples), range(n_times)):
            yield from product(*self._reach(block), range(len(self.bands)))

    def read(self, sample: int, time: int, band: int) -> bytes:
        """One member: a ``.npy`` file of (rows, columns).

        Args:
            sample: Its zero-based position.
            time: The same.
            band: The same.

        Raises:
            ArchiveError: It is damaged.
        """
        block = (sample // self._pixels.chunks[0], time // self._pixels.chunks[1])
        samples, times = self._reach(block)
        n_members = len(samples) * len(times) * len(self.bands)
        found = self._blocks.get(block, n_members)
        raster = found[sample - samples.start, time - times.start, band]
        data: bytes = raster.astype(raster.dtype.newbyteorder("<"), copy=False).tobytes()
        return self._header + data

    def _reach(self, block: _Block) -> tuple[range, range]:
        """The samples and the times of a block."""
        samples, times = (
            range(i * step, min((i + 1) * step, size))
            for i, step, size in zip(block, self._pixels.chunks, self._pixels.shape, strict=False)
        )
        return samples, times

    def _decoded(self, block: _Block) -> npt.NDArray[Any]:
        """The pixels of a block: (sample, time, band, row, column)."""
        ranges = [range(i, i + 1) for i in block] + [range(n) for n in self._pixels.grid[2:]]
        return self._pixels.block(self._fetch, ranges)

    def _bytes_of_block(self) -> int:
        """The bytes of the largest block's pixels.

        Raises:
            SourceError: They are beyond the bound.
        """
        import numpy as np  # noqa: PLC0415 - see `_header_of`

        # A single chunk is kept as it is, with what lies beyond the array's ends.
        sizes = map(max, self._pixels.chunks[2:], self._pixels.shape[2:])
        n_pixels = math.prod(self._pixels.chunks[:2]) * math.prod(sizes)
        n_bytes = n_pixels * np.dtype(self._pixels.dtype).itemsize
        if n_bytes > MAX_MEMBER_BYTES:
            raise SourceError(
                f"samples that share a chunk have {n_bytes:,} bytes of pixels, expected at most "
                f"{MAX_MEMBER_BYTES:,}"
            )
        return n_bytes

    def _fetch(self, path: str) -> bytes | None:
        """See `rico_hdl.sources.zarr_array.Fetch`."""
        member = self._files.get(path)
        if member is None:
            if not self._is_whole:
                raise ArchiveError(f"{path} was not found: the archive is damaged", _AGAIN)
            return None
        if member.problem:
            raise ArchiveError(f"{path}: {member.problem}")
        return member.read()

    def _array(self, name: str, n_dimensions: int) -> ZarrArray:
        text = self._fetch(f"{name}/.zarray")
        if text is None:
            version = " It is a Zarr v3 store." if "zarr.json" in self._files else ""
            raise SourceError(
                f"it holds no Zarr v2 array called {name}",
                f"Expected a store as xarray writes it, with its arrays at the top.{version}",
            )
        array = parse_array(name, text)
        if len(array.shape) != n_dimensions or array.is_text is (name == _PIXELS):
            raise SourceError(f"array {name} has shape {array.shape} and dtype {array.dtype}")
        return array

    def _names(self, name: str, n_expected: int) -> list[str]:
        """The labels of a dimension."""
        array = self._array(name, 1)
        if array.shape != (n_expected,):
            raise SourceError(f"array {name} names {array.shape[0]}, {_PIXELS} has {n_expected}")
        return array.words(self._fetch)

    def _check_dimensions(self) -> None:
        """Refuse pixels whose axes are not what they are taken for.

        Raises:
            SourceError: They are others, or nothing says what they are.
        """
        text = self._fetch(f"{_PIXELS}/.zattrs")
        try:
            found = json.loads(text or b"{}").get("_ARRAY_DIMENSIONS")
        except (ValueError, AttributeError, RecursionError) as error:
            raise SourceError(f"{_PIXELS}/.zattrs can't be read: {error}") from error
        if found != _DIMENSIONS:
            raise SourceError(
                f"array {_PIXELS} has the dimensions {found!a}, expected {_DIMENSIONS}"
            )

    def _check_chunks(self) -> None:
        """Refuse a store in which a damaged name makes a chunk seem missing.

        Raises:
            ArchiveError: There is one.
        """
        below, grid = f"{_PIXELS}/", self._pixels.grid
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
            # Rare, and worth a look: does any of the other names stand for one of these chunks?
            for member in others:
                if not member.problem:
                    member.read()


def _is_file_name(name: str) -> bool:
    return "/" not in name and "\0" not in name and name not in {"", ".", ".."}


def _header_of(pixels: ZarrArray) -> bytes:
    """What precedes the pixels of a member: the header of a ``.npy`` file."""
    import numpy as np  # noqa: PLC0415 - a tenth of a second that other sources never need

    dtype = np.dtype(pixels.dtype).newbyteorder("<")
    entries = {"descr": dtype.str, "fortran_order": False, "shape": pixels.shape[3:]}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, entries)
    return header.getvalue()


@dataclass(slots=True)
class _Kept:
    """A block: being decoded, decoded, or found to be damaged."""

    n_left: int
    """Members that were not read yet."""
    pixels: npt.NDArray[Any] | None = None
    """(sample, time, band, row, column); None where there are none (yet)."""
    problem: str = ""
    """Why there are none."""

    @property
    def is_ready(self) -> bool:
        """Whether decoding has ended."""
        return self.pixels is not None or self.problem != ""


class _Blocks:
    """Blocks of members, each decoded once for all of them. Safe for threads.

    Args:
        decode: Gives the pixels of a block.
        n_kept: How many blocks are there at most at a time, those that are being decoded included.
            One is dropped when its last member was read, or, to make room, the oldest.
    """

    def __init__(self, decode: Callable[[_Block], npt.NDArray[Any]], n_kept: int) -> None:
        self._decode = decode
        self._n_kept = n_kept
        self._kept: dict[_Block, _Kept] = {}
        self._changed = threading.Condition()

    def get(self, block: _Block, n_members: int) -> npt.NDArray[Any]:
        """The pixels of a block, for one of its members.

        Args:
            block: Its place.
            n_members: How many members it has.

        Raises:
            ArchiveError: It is damaged.
        """
        with self._changed:
            while (found := self._kept.get(block)) is None and not self._make_room():
                self._changed.wait()
            if found is None:
                made = self._kept[block] = _Kept(n_members)
        if found is None:
            self._fill(made, block)
            found = made
        with self._changed:
            while not found.is_ready:
                self._changed.wait()
            found.n_left -= 1
            if found.n_left == 0 and self._kept.get(block) is found:
                del self._kept[block]
                self._changed.notify_all()
        if found.pixels is None:
            raise ArchiveError(found.problem)
        return found.pixels

    def _make_room(self) -> bool:
        """Whether there is room for one more, if need be without the oldest that is not in work."""
        if len(self._kept) < self._n_kept:
            return True
        ready = next((block for block, kept in self._kept.items() if kept.is_ready), None)
        if ready is not None:
            del self._kept[ready]
        return ready is not None

    def _fill(self, made: _Kept, block: _Block) -> None:
        """Decode a block that others may be waiting for."""
        pixels, problem = None, "decoding it was interrupted"
        try:
            pixels, problem = self._decode(block), ""
        except ArchiveError as error:
            problem = error.message
        finally:
            with self._changed:
                made.pixels, made.problem = pixels, problem
                self._changed.notify_all()
