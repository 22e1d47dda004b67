"""Blocks of pixels that hold many members each, decoded once for all of them.

In: a decoder of blocks, and the requested member, or all members of a place. Out: their content.
The memory of blocks is limited, and so is the number of members that wait to be read. Safe to use
from several threads at once.

A thread that reads the members of a place one by one needs their block only for the first member,
when it cuts out all of them. So a block can make room for the next one as soon as its last place
has been begun, and no block is decoded twice because some threads are still at the end of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from rico_hdl.decoding.raster import Raster
from rico_hdl.errors import ArchiveError

if TYPE_CHECKING:
    import numpy.typing as npt

Block = tuple[int, ...]
"""Patches that are decoded together, as the zero-based position of their chunks in the grid, along
the dimensions of patches; before it, the number of their array, if there are several. All bands of
a patch in an array are in one block."""

Place = tuple[int, ...]
"""The zero-based position of a patch along these dimensions, such as sample and time."""

PATIENCE_SECONDS: Final = 0.02
"""How long a block waits for space before the oldest is dropped. Threads that are about to begin
the last places of the oldest would have to decode it again: without waiting, two threads decode
each block of small patches 2.7 times, eight 3.8 times (``benchmarks/RESULTS-libraries.md``). There
is no certain sign that a block is finished, since patches that are stored are never read."""

Pixels: TypeAlias = "npt.NDArray[Any] | bytes"
"""The pixels of a block: (…, band, row, column) after the dimensions of patches, or compressed."""


class Decodes(Protocol):
    """Decodes blocks. Implementations are safe to use from several threads at once."""

    def block_of(self, place: Place) -> Block:
        """The block that holds a place."""

    def n_places(self, block: Block) -> int:
        """The number of places in a block."""

    def n_bytes(self, block: Block) -> int:
        """The memory that a block takes, in bytes."""

    def decode(self, block: Block) -> Pixels:
        """The pixels of a block.

        Raises:
            ArchiveError: The block is damaged.
        """

    def contents(self, pixels: Pixels, place: Place) -> list[Raster]:
        """The members of a place, in band order.

        Args:
            pixels: The pixels of its block.
            place: The place.

        Raises:
            ArchiveError: The pixels are damaged.
        """


@dataclass(slots=True)
class _Kept:
    """A block that is being decoded, is decoded, or is damaged."""

    n_left: int
    """Number of places from which no member has been read."""
    n_bytes: int
    """The memory that it takes."""
    pixels: Pixels | None = None
    """Its pixels; None if they are not decoded yet, or if decoding failed."""
    problem: str = ""
    """Why decoding failed; empty if it didn't."""

    @property
    def is_ready(self) -> bool:
        """Whether decoding has ended."""
        return self.pixels is not None or self.problem != ""


class Blocks:
    """The members of all blocks, by place and band.

    Args:
        kept_bytes: Maximum memory of blocks, including those that are being decoded; a single block
            may take more. A block is dropped when all its places have been read from, and the
            oldest to make space.
        n_begun: Maximum number of places of which some, but not all, members have been read. Beyond
            this limit, the oldest place is dropped.
    """

    def __init__(self, kept_bytes: int, n_begun: int = 1) -> None:
        self._kept_bytes = kept_bytes
        self._n_begun = n_begun
        self._kept: dict[Block, _Kept] = {}
        self._begun: dict[Place, dict[int, Raster]] = {}
        self._changed = threading.Condition()

    def content(self, source: Decodes, place: Place, band: int) -> Raster:
        """One member.

        Args:
            source: Decodes its block. No reference to it is kept, since it may hold this object.
            place: Its place.
            band: Its zero-based band.

        Raises:
            ArchiveError: The member is damaged.
        """
        block = source.block_of(place)
        with self._changed:
            # The block is found and claimed under one lock, or another thread could drop it.
            self._wait_for(source, block, lambda: self._is_waiting(place, band))
            if self._is_waiting(place, band):
                return self._take(place, band)
            kept, is_new = self._claim(source, block)
        if is_new:
            self._fill(kept, source, block)
        contents = source.contents(self._pixels_of(kept), place)
        with self._changed:
            if self._is_waiting(place, band):  # another thread was faster
                return self._take(place, band)
            self._begin(place, {i: c for i, c in enumerate(contents) if i != band})
            self._count(block)
        return contents[band]

    def contents(self, source: Decodes, place: Place) -> list[Raster]:
        """All members of a place, in band order; see `content`.

        Raises:
            ArchiveError: The place is damaged.
        """
        block = source.block_of(place)
        with self._changed:
            self._wait_for(source, block)
            kept, is_new = self._claim(source, block)
        if is_new:
            self._fill(kept, source, block)
        contents = source.contents(self._pixels_of(kept), place)
        with self._changed:
            self._count(block)
        return contents

    def _claim(self, source: Decodes, block: Block) -> tuple[_Kept, bool]:
        """A block in memory, and whether the caller has to decode it first."""
        kept = self._kept.get(block)
        if kept is not None:
            return kept, False
        kept = self._kept[block] = _Kept(source.n_places(block), source.n_bytes(block))
        return kept, True

    def _wait_for(
        self, source: Decodes, block: Block, is_waiting: Callable[[], bool] = lambda: False
    ) -> None:
        """Wait until a member or its block is in memory, or there is space for the block."""
        n_bytes = source.n_bytes(block)

        def can_proceed() -> bool:
            if is_waiting() or block in self._kept or not self._kept:
                return True
            return sum(kept.n_bytes for kept in self._kept.values()) + n_bytes <= self._kept_bytes

        if not self._changed.wait_for(can_proceed, PATIENCE_SECONDS):
            self._changed.wait_for(lambda: can_proceed() or self._drop_oldest())

    def _is_waiting(self, place: Place, band: int) -> bool:
        """Whether a member was cut out along with another one of its place."""
        return band in self._begun.get(place, ())

    def _take(self, place: Place, band: int) -> Raster:
        """Remove and return such a member."""
        waiting = self._begun[place]
        found = waiting.pop(band)
        if not waiting:
            del self._begun[place]
        return found

    def _begin(self, place: Place, waiting: dict[int, Raster]) -> None:
        """Keep the other members of a place."""
        if waiting:
            self._begun[place] = waiting
        if len(self._begun) > self._n_begun:
            del self._begun[next(iter(self._begun))]

    def _count(self, block: Block) -> None:
        """Count a place of a block as read from; drop the block after the last one."""
        kept = self._kept.get(block)
        if kept is None:
            return
        kept.n_left -= 1
        if kept.n_left == 0:
            del self._kept[block]
            self._changed.notify_all()

    def _pixels_of(self, kept: _Kept) -> Pixels:
        """Wait for the pixels of a block.

        Raises:
            ArchiveError: The block is damaged.
        """
        with self._changed:
            self._changed.wait_for(lambda: kept.is_ready)
        if kept.pixels is None:
            raise ArchiveError(kept.problem)
        return kept.pixels

    def _drop_oldest(self) -> bool:
        """Drop the oldest block that is not being decoded; False if there is none."""
        ready = next((block for block, kept in self._kept.items() if kept.is_ready), None)
        if ready is not None:
            del self._kept[ready]
        return ready is not None

    def _fill(self, kept: _Kept, source: Decodes, block: Block) -> None:
        """Decode a block that other threads may be waiting for."""
        pixels, problem = None, "decoding it was interrupted"
        try:
            pixels, problem = source.decode(block), ""
        except ArchiveError as error:
            problem = error.message
        finally:
            with self._changed:
                kept.pixels, kept.problem = pixels, problem
                self._changed.notify_all()
