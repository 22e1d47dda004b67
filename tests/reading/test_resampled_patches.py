"""Single patches are resampled correctly, whatever the thread has read before."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import rico_hdl
from tests.support.reading import same_bits
from tests.support.stores import s2_patch, s2_patches, stacked, store_of

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
    folder = store_of(tmp_path_factory.mktemp("resampled") / "s2", s2_patches(N))
    with rico_hdl.open(folder) as store:
        yield store


def test_threads_read_many_choices_of_bands_in_turn(store):
    """Threads that alternate between many choices of bands read the right pixels."""

    def read(turn):
        number = turn % N
        bands, side, dtype = CHOICES[turn * 5 % len(CHOICES)]
        image = store.read(KEYS[number], bands=bands, size=side, dtype=dtype)
        return same_bits(image, stacked(s2_patch(number), bands, side).astype(dtype))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(read, range(400)))


def test_patches_stay_as_they_were_read(store):
    """Reading the next patch does not change the previous one."""
    images = [store.read(key, bands="10m+20m", size=120, dtype="float32") for key in KEYS]
    bands = ["B02", "B03", "B04", "B08", "B05", "B06", "B07", "B8A", "B11", "B12"]
    for number, image in enumerate(images):
        assert same_bits(image, stacked(s2_patch(number), bands, 120).astype("float32"))


@pytest.mark.parametrize("n", [1, N])
def test_reading_may_be_interrupted_by_reading(store, n):
    """A signal handler that reads with the same options does not corrupt the interrupted read."""
    options = {"bands": "10m+20m", "size": 120, "dtype": "float32"}
    wanted = [store.read(key, **options) for key in KEYS]
    found, is_over = [], []

    def is_read(first):
        if n == 1:
            return same_bits(store.read(KEYS[first], **options), wanted[first])
        order = [(first + i) % N for i in range(n)]
        batch = store.read_batch([KEYS[i] for i in order], **options)
        return same_bits(batch, np.stack([wanted[i] for i in order]))

    def interrupt(*_):
        if is_over:
            return
        found.append(is_read(1))
        signal.setitimer(signal.ITIMER_REAL, 1e-4)  # once: handlers must not pile up

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-4)
        assert all(is_read(turn % N) for turn in range(3000 // n))
    finally:
        is_over.append(True)  # else the last handler would restart the timer
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert found
    assert all(found)
