"""Single patches that are converted on the way: right whatever a thread read before."""

from __future__ import annotations

import gc
import signal
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import rico_hdl
from rico_hdl.reading import staging
from tests.support.reading import same_bits
from tests.support.stores import S2_SIDES, numbered, s2_patch, s2_patches, store_of

N = 7
KEYS = [f"S2A_patch_{i:03}" for i in range(N)]
CHOICES = [
    (bands, side, dtype)
    for bands in (["B02", "B05"], ["B8A", "B01"], ["B04", "B03", "B02"], ["B12", "B09", "B08"])
    for side in (120, 240)
    for dtype in ("float32", "int64", "uint16")
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of seven BigEarthNet patches, open."""
    folder = store_of(tmp_path_factory.mktemp("staging") / "s2", s2_patches(N))
    with rico_hdl.open(folder) as store:
        yield store


def expected(number, bands, side, dtype):
    """Bands of a patch as they were written, each pixel repeated."""
    patch = s2_patch(number)
    images = [patch[band].repeat(side // S2_SIDES[band], 0) for band in bands]
    return np.stack([image.repeat(side // image.shape[1], 1) for image in images]).astype(dtype)


def test_threads_read_many_choices_of_bands_in_turn(store):
    """More choices of bands than a thread remembers, in several threads, give the right pixels."""

    def read(turn):
        number = turn % N
        bands, side, dtype = CHOICES[turn * 5 % len(CHOICES)]
        image = store.read(KEYS[number], bands=bands, size=side, dtype=dtype)
        return same_bits(image, expected(number, bands, side, dtype))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(read, range(400)))


def test_patches_stay_as_they_were_read(store):
    """A patch that was read does not change when the next one is."""
    images = [store.read(key, bands="10m+20m", size=120, dtype="float32") for key in KEYS]
    bands = ["B02", "B03", "B04", "B08", "B05", "B06", "B07", "B8A", "B11", "B12"]
    for number, image in enumerate(images):
        assert same_bits(image, expected(number, bands, 120, "float32"))


def kept(store):
    """The memories that a store's stages keep."""
    plans = [p.only for reader in store._readers.values() for p in reader._plans.values()]
    return [memory for plan in plans if plan._stage for memory in plan._stage._free or ()]


def test_few_stages_keep_memory(store, monkeypatch):
    """More choices of bands than keep memory are read right, and all but the last let go of it."""
    monkeypatch.setattr(staging, "_MAX_STAGES", 4)
    with rico_hdl.open(store.path) as other:
        for turn in range(3 * len(CHOICES)):
            bands, side, dtype = CHOICES[turn % len(CHOICES)]
            image = other.read(KEYS[turn % N], bands=bands, size=side, dtype=dtype)
            assert same_bits(image, expected(turn % N, bands, side, dtype))
        assert 0 < len(kept(other)) <= 4


@pytest.mark.parametrize("bands", [["a", "b"], ["c"] * 60 + ["d"]])
def test_memory_for_large_patches_is_let_go_of(tmp_path, bands):
    """What is kept to convert from does not grow with the size or the number of bands."""
    sides = {"a": (2000, 1100), "b": (1000, 550), "c": (250, 250), "d": (500, 500)}
    patch = {name: numbered(0, i, sides[name]) for i, name in enumerate(sides)}
    size = (2000, 1100) if "a" in bands else (500, 500)
    with rico_hdl.open(store_of(tmp_path, {"p": patch})) as store:
        image = store.read("p", bands=bands, size=size)
        for band, found in zip(bands, image, strict=True):
            factor = size[0] // sides[band][0]
            assert same_bits(found, patch[band].repeat(factor, 0).repeat(factor, 1))
        assert kept(store) == []


def test_memory_goes_with_the_store(store):
    """Nothing that was kept to convert from outlives the store."""
    with rico_hdl.open(store.path) as other:
        other.read(KEYS[0], bands="10m+20m", size=120)
        (memory,) = kept(other)
        pixels = weakref.ref(memory.pixels)
    del memory, other
    gc.collect()
    assert pixels() is None


@pytest.mark.parametrize("n", [1, N])
def test_reading_may_be_interrupted_by_reading(store, n):
    """A signal whose handler reads other patches with the same options spoils none."""
    options = {"bands": "10m+20m", "size": 120, "dtype": "float32"}
    wanted = [store.read(key, **options) for key in KEYS]
    found = []

    def is_read(first):
        if n == 1:
            return same_bits(store.read(KEYS[first], **options), wanted[first])
        order = [(first + i) % N for i in range(n)]
        batch = store.read_batch([KEYS[i] for i in order], **options)
        return same_bits(batch, np.stack([wanted[i] for i in order]))

    def interrupt(*_):
        found.append(is_read(1))
        signal.setitimer(signal.ITIMER_REAL, 1e-4)  # once: handlers must not pile up

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-4)
        assert all(is_read(turn % N) for turn in range(3000 // n))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert found
    assert all(found)
