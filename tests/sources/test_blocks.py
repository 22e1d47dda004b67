"""Blocks of pixels: decoded once, kept in bounded memory, and right for every thread."""

import gc
import random
import threading
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest

from rico_hdl.errors import ArchiveError
from rico_hdl.sources import blocks as blocks_module
from rico_hdl.sources.blocks import Blocks

N_BANDS = 3
SHAPE = (4, 6)  # samples and times; a block has 2 x 3 of them
PLACES = list(product(*map(range, SHAPE)))


class Series:
    """Members that identify themselves, with a count of how often each block was decoded."""

    def __init__(self):
        self.n_decoded = Counter()
        self.decoded = weakref.WeakSet()

    def block_of(self, place):
        return place[0] // 2, place[1] // 3

    def n_places(self, block):
        del block
        return 6

    def n_bytes(self, block):
        del block
        return 1

    def decode(self, block):
        self.n_decoded[block] += 1
        pixels = np.array(block).view(Pixels)
        self.decoded.add(pixels)
        return pixels

    def contents(self, pixels, place):
        assert tuple(pixels) == self.block_of(place)
        return [f"{place} {band}".encode() for band in range(N_BANDS)]


class Pixels(np.ndarray):
    """An array whose deletion can be observed."""

    __hash__ = object.__hash__


def members():
    """All members, block by block."""
    places = sorted(PLACES, key=lambda place: (Series().block_of(place), place))
    return [(place, band) for place in places for band in range(N_BANDS)]


def content(blocks, series, member):
    """A member, checked to be the requested one."""
    place, band = member
    found = blocks.content(series, place, band)
    assert found == f"{place} {band}".encode()
    return found


def test_each_block_is_decoded_once():
    """With space for one block and one place, reading in order decodes each block once."""
    series, blocks = Series(), Blocks(1, 1)
    for member in members():
        content(blocks, series, member)
    assert series.n_decoded == dict.fromkeys(product(range(2), range(2)), 1)
    assert not series.decoded


def test_places_that_were_begun_do_not_need_their_block():
    """Readers finish a block's last places while the next block is in use."""
    series, blocks = Series(), Blocks(1, 7)
    first = [place for place in PLACES if series.block_of(place) == (0, 0)]
    for place in first:
        content(blocks, series, (place, 0))
    content(blocks, series, ((0, 3), 0))
    for place, band in product(first, range(1, N_BANDS)):
        content(blocks, series, (place, band))
    assert series.n_decoded == {(0, 0): 1, (0, 1): 1}


def test_blocks_wait_for_late_readers(monkeypatch):
    """Without space, a block waits until the last places of the previous one were begun."""
    monkeypatch.setattr(blocks_module, "PATIENCE_SECONDS", 60)
    series, blocks = Series(), Blocks(1, 100)
    *first, late = [place for place in PLACES if series.block_of(place) == (0, 0)]
    for place in first:
        content(blocks, series, (place, 0))
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(content, blocks, series, ((0, 3), 0))
        content(blocks, series, (late, 0))
        ahead.result(60)
    assert series.n_decoded == {(0, 0): 1, (0, 1): 1}


def test_kept_blocks_are_bounded():
    """Above the limits, the oldest block or place is dropped, and decoded again if needed."""
    series, blocks = Series(), Blocks(2, 3)
    for place in PLACES:
        content(blocks, series, (place, 0))
        assert len(series.decoded) <= 2
    assert len(blocks._begun) == 3
    for place in PLACES:
        content(blocks, series, (place, 1))
    content(blocks, series, (PLACES[-1], 1))


@pytest.mark.parametrize(("n_kept", "n_begun"), [(1, 1), (1, 5), (2, 2), (100, 100)])
def test_every_thread_gets_its_members(monkeypatch, n_kept, n_begun):
    """Eight threads that read in any order, some members repeatedly, get the right ones."""
    monkeypatch.setattr(blocks_module, "PATIENCE_SECONDS", 0)
    series, blocks = Series(), Blocks(n_kept, n_begun)
    wanted = members() * 20
    random.Random(n_kept).shuffle(wanted)
    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(lambda m: content(blocks, series, m), wanted))) == len(wanted)
    assert len(series.decoded) <= n_kept


def test_unread_blocks_are_freed_with_their_series():
    """Blocks with unread members are freed with their last reader."""

    class Owner(Series):
        def __init__(self):
            super().__init__()
            self.blocks = Blocks(2, 100)

    gc.disable()
    try:
        owner = Owner()
        content(owner.blocks, owner, ((0, 0), 0))
        decoded = owner.decoded
        assert len(decoded) == 1
        del owner
        assert not decoded
    finally:
        gc.enable()


def test_damage_is_found_once_and_reported_to_all():
    """A damaged block is decoded once, and each of its readers gets the error."""

    class Damaged(Series):
        def decode(self, block):
            super().decode(block)
            raise ArchiveError(f"{block} is damaged")

    series, blocks = Damaged(), Blocks(1, 1)
    for member in members():
        with pytest.raises(ArchiveError, match="is damaged"):
            blocks.content(series, *member)
    assert set(series.n_decoded.values()) == {1}


def test_an_unexpected_error_leaves_no_thread_waiting():
    """If decoding fails unexpectedly, one thread raises the error and the others continue."""
    started, waiting = threading.Event(), threading.Event()

    class Failing(Series):
        def decode(self, block):
            started.set()
            waiting.wait(60)
            raise MemoryError(str(block))

    series, blocks = Failing(), Blocks(1, 1)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(blocks.content, series, (0, 0), 0)
        assert started.wait(60)
        others = [pool.submit(blocks.content, series, (0, 0), 1) for _ in range(2)]
        waiting.set()
        with pytest.raises(MemoryError):
            first.result(60)
        for other in others:
            with pytest.raises(ArchiveError, match="decoding it was interrupted"):
                other.result(60)
