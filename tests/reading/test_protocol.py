"""Readers need only the `Records` protocol: a class that joins two stores can be read as one."""

from __future__ import annotations

import numpy as np
import pytest

import rico_hdl
from rico_hdl.reading.keys import Keys
from rico_hdl.reading.protocol import Located
from rico_hdl.reading.records import MappedRecords
from tests.support.reading import same_bits
from tests.support.stores import s2_patch, stacked, store_of

N = 12
KEYS = [f"S2A_patch_{i:03}" for i in range(N)]


class Joined:
    """The records of two stores with disjoint keys: the minimum for a collection of shards."""

    def __init__(self, *shards):
        self.shards = shards
        self.path, self.catalogue, self.ahead = shards[0].path, shards[0].catalogue, shards[0].ahead
        self.layout = shards[0].layout

    closed = property(lambda self: any(shard.closed for shard in self.shards))

    def close(self):
        for shard in self.shards:
            shard.close()

    def shard_of(self, key):
        return next((shard for shard in self.shards if key in shard), self.shards[0])

    def __len__(self):
        return sum(map(len, self.shards))

    def __contains__(self, key):
        return any(key in shard for shard in self.shards)

    def keys(self):
        names = sorted(name.encode() for shard in self.shards for name in shard.keys())  # noqa: SIM118 - no mapping
        return Keys.of(names, [(0, 0)] * len(names), None)

    def locate(self, keys):
        return Keys.of([key.encode() for key in keys], [(0, 0)] * len(keys), None, is_sorted=False)

    def place(self, key):
        return self.shard_of(key).place(key)

    def layouts(self, keys):
        return (next(self.shard_of(key).layouts(self.locate([key]))) for key in keys)

    def settled(self, keys, read, n_done=0, located=()):
        """Nest the shards' calls, so a result counts only if it is certain for each shard."""
        if n_done == len(self.shards):
            return read(located)
        shard = self.shards[n_done]
        rows = [row for row, key in enumerate(keys) if self.shard_of(key) is shard]
        if not rows:
            return self.settled(keys, read, n_done + 1, located)

        def found(own):
            ((_, file, places),) = own
            more = (*located, Located(rows, file, places))
            return self.settled(keys, read, n_done + 1, more)

        return shard.settled([keys[row] for row in rows], found)


@pytest.fixture
def store(tmp_path):
    """A store of twelve patches, with every third one in a second folder."""
    folders = [
        store_of(
            tmp_path / name, {k: s2_patch(i) for i, k in enumerate(KEYS) if (i % 3 == 0) == first}
        )
        for name, first in (("one", True), ("other", False))
    ]
    store = rico_hdl.open(folders[0])
    store.records = Joined(*map(MappedRecords, folders))
    with store:
        yield store
    assert store.closed


def test_two_stores_hold_the_keys_of_both(store):
    """Length, keys and membership cover both folders."""
    assert len(store) == N
    assert list(store) == list(store.keys()) == list(store.keys("s2")) == KEYS
    assert KEYS[0] in store
    assert KEYS[1] in store
    assert "S2A_patch_012" not in store
    with pytest.raises(rico_hdl.UnknownKeyError):
        store["S2A_patch_012"]


@pytest.mark.parametrize("order", [1, -1])
def test_batches_may_come_from_both(store, order):
    """A batch holds the patches of both folders in the order of the keys."""
    keys = KEYS[::order] + KEYS[2:5]
    numbers = [KEYS.index(key) for key in keys]
    rgb = ["B04", "B03", "B02"]
    expected = np.stack([stacked(s2_patch(i), rgb) for i in numbers])
    for wanted in (keys, store.locate(keys)):
        for _ in range(2):  # the second batch uses what the first one looked up
            assert same_bits(store.read_batch(wanted, bands=rgb), expected)
    assert same_bits(np.stack([store.read(key, bands=rgb) for key in keys]), expected)
    large = store.read_batch(keys, bands=rgb, size=240)
    assert same_bits(large, expected.repeat(2, -1).repeat(2, -2))
    bands = store.read_batch(keys, grouped="band")
    for band, images in bands.items():
        pixels = np.stack([s2_patch(i)[band] for i in numbers])
        assert same_bits(np.ascontiguousarray(images), pixels)
        assert same_bits(np.stack([store[key][band] for key in keys]), pixels)
    with store.batches(keys, batch_size=4, bands=rgb, copy=True) as batches:
        assert same_bits(np.concatenate([batch.images for batch in batches]), expected)
