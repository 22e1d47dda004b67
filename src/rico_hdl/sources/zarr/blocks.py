"""Blocks of pixels that hold many members each, decoded once for all of them.

In: what decodes a block, and which member is wanted. Out: the member's content. It bounds how many
blocks, and how many members that are still to be read, are in memory. Safe for threads.

A thread that reads the members of a place one by one needs its block for the first of them only: it
cuts out all of them then. So a block can make room for the next as soon as its last place was
begun, and no block is decoded twice because some threads are still at the end of the one before.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from rico_hdl.decoding.raster import Raster
from rico_hdl.errors import ArchiveError

if TYPE_CHECKING:
    import numpy.typing as npt

Block = tuple[int, ...]
"""What is decoded together, by zero-based positions in the grid of chunks along the dimensions of
patches. All bands of a patch are in one block."""

Place = tuple[int, ...]
"""The zero-based positions of a patch along these dimensions, such as sample and time."""


PATIENCE_SECONDS: Final = 0.02
"""How long a block waits for room before the oldest is dropped. Threads that are about to begin the
last places of the oldest would have to decode it again: without waiting, two threads decode each
block of small patches 2.7 times, eight threads 3.8 times (``benchmarks/RESULTS-libraries.md``).
There is no certain sign that no thread will ask for it, since stored patches are never read."""

Pixels: TypeAlias = "npt.NDArray[Any] | bytes"
"""The pixels of a block: (…, band, row, column) behind the dimensions of patches, or compressed."""


class Decodes(Protocol):
    """What knows the pixels of blocks. It must be safe for threads."""

    def block_of(self, place: Place) -> Block:
        """The block that holds a place."""

    def n_places(self, block: Block) -> int:
        """How many places a block holds."""

    def decode(self, block: Block) -> Pixels:
        """The pixels of a block.

        Raises:
            ArchiveError: It is damaged.
        """

    def contents(self, pixels: Pixels, place: Place) -> list[Raster]:
        """The members of a place, by band.

        Args:
            pixels: Those of its block.
            place: The place.

        Raises:
            ArchiveError: They are damaged.
        """


@dataclass(slots=True)
class _Kept:
    """A block: being decoded, decoded, or found to be damaged."""

    n_left: int
    """Places without a member that was read."""
    pixels: Pixels | None = None
    """None where there are none (yet)."""
    problem: str = ""
    """Why there are none."""

    @property
    def is_ready(self) -> bool:
        """Whether decoding has ended."""
        return self.pixels is not None or self.problem != ""


class Blocks:
    """The members of all blocks, by place and band.

    Args:
        n_kept: How many blocks are there at most at a time, those that are being decoded included.
            One is dropped when each of its places was read from, or, to make room, the oldest.
        n_begun: The most places with some members that were read and others that were not.
            Beyond that the oldest is dropped.
    """

    def __init__(self, n_kept: int, n_begun: int) -> None:
        self._n_kept = n_kept
        self._n_begun = n_begun
        self._kept: dict[Block, _Kept] = {}
        self._begun: dict[Place, dict[int, Raster]] = {}
        self._changed = threading.Condition()

    def content(self, source: Decodes, place: Place, band: int) -> Raster:
        """One member.

        Args:
            source: What decodes its block. It is not held: it may hold this.
            place: Its place.
            band: Its zero-based band.

        Raises:
            ArchiveError: It is damaged.
        """
        block = source.block_of(place)
        with self._changed:
            # Looked up and claimed in one step, or another thread could drop it in between.
            self._wait_for(place, band, block)
            if self._is_there(place, band):
                return self._take(place, band)
            kept = self._kept.get(block)
            is_new = kept is None
            if kept is None:
                kept = self._kept[block] = _Kept(source.n_places(block))
        if is_new:
            self._fill(kept, source, block)
        contents = source.contents(self._pixels_of(kept), place)
        with self._changed:
            if self._is_there(place, band):  # another thread was faster
                return self._take(place, band)
            self._begin(place, {i: c for i, c in enumerate(contents) if i != band})
            self._count(block)
        return contents[band]

    def _wait_for(self, place: Place, band: int, block: Block) -> None:
        """Wait until a member or its block is there, or there is room for the block."""

        def is_fine() -> bool:
            there = self._is_there(place, band) or block in self._kept
            return there or len(self._kept) < self._n_kept

        if not self._changed.wait_for(is_fine, PATIENCE_SECONDS):
            self._changed.wait_for(lambda: is_fine() or self._drop_oldest())

    def _is_there(self, place: Place, band: int) -> bool:
        """Whether a member was read along with another of its place."""
        return band in self._begun.get(place, ())

    def _take(self, place: Place, band: int) -> Raster:
        """Such a member, which is not kept any longer."""
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
        """Drop a block once each of its places was read from."""
        kept = self._kept.get(block)
        if kept is None:
            return
        kept.n_left -= 1
        if kept.n_left == 0:
            del self._kept[block]
            self._changed.notify_all()

    def _pixels_of(self, kept: _Kept) -> Pixels:
        """The pixels of a block, once they are there.

        Raises:
            ArchiveError: It is damaged.
        """
        with self._changed:
            self._changed.wait_for(lambda: kept.is_ready)
        if kept.pixels is None:
            raise ArchiveError(kept.problem)
        return kept.pixels

    def _drop_oldest(self) -> bool:
        """Make room, if there is a block that is not being decoded."""
        ready = next((block for block, kept in self._kept.items() if kept.is_ready), None)
        if ready is not None:
            del self._kept[ready]
        return ready is not None

    def _fill(self, made: _Kept, source: Decodes, block: Block) -> None:
        """Decode a block that others may be waiting for."""
        pixels, problem = None, "decoding it was interrupted"
        try:
            pixels, problem = source.decode(block), ""
        except ArchiveError as error:
            problem = error.message
        finally:
            with self._changed:
                made.pixels, made.problem = pixels, problem
                self._changed.notify_all()
