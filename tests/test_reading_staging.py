"""Single patches that are converted on the way: right whatever a thread read before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from reading import same_bits
from stores import S2_SIDES, numbered, s2_patch, s2_patches, store_of

import rico_hdl
from rico_hdl.reading import staging

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
    assert len(CHOICES) > 2 * staging._MAX_KEPT

    def read(turn):
        number = turn % N
        bands, side, dtype = CHOICES[turn * 5 % len(CHOICES)]
        image = store.read(KEYS[number], bands=bands, size=side, dtype=dtype)
        return same_bits(image, expected(number, bands, side, dtype))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(read, range(400)))
    with ThreadPoolExecutor(1) as threads:
        threads.submit(read, 0).result()
        for turn in range(50):
            threads.submit(read, turn).result()
        kept = threads.submit(lambda: len(staging._own.kept)).result()
    assert 0 < kept <= staging._MAX_KEPT


def test_patches_stay_as_they_were_read(store):
    """A patch that was read does not change when the next one is."""
    images = [store.read(key, bands="10m+20m", size=120, dtype="float32") for key in KEYS]
    bands = ["B02", "B03", "B04", "B08", "B05", "B06", "B07", "B8A", "B11", "B12"]
    for number, image in enumerate(images):
        assert same_bits(image, expected(number, bands, 120, "float32"))


def test_memory_for_large_patches_is_let_go_of(tmp_path):
    """What a thread keeps to convert from does not grow with the size of patches."""
    a, b = numbered(0, 0, (2000, 1100)), numbered(0, 1, (1000, 550))
    patches = {"p": {"a": a, "b": b}}
    with rico_hdl.open(store_of(tmp_path, patches)) as store, ThreadPoolExecutor(1) as threads:
        image = threads.submit(store.read, "p", size=a.shape).result()
        assert same_bits(image, np.stack([a, b.repeat(2, 0).repeat(2, 1)]))
        assert threads.submit(lambda: staging._own.kept).result() == {}
