"""Resampling, checked against torch's own interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rico_hdl
from rico_hdl.reading.resampling import _nearest
from tests.support.reading import arrays
from tests.support.stores import converted

torch = pytest.importorskip("torch", reason="torch is not installed: make test-torch")

from torch.nn.functional import interpolate

BANDS = ("B01", "B02", "B05", "B8A", "B09")
TOLERANCE = {"nearest": 0, "bilinear": 1, "bicubic": 1}
"""Neighbours differ by up to 65,535, and float32 positions are exact to 1e-5 pixels: torch's own
float32 results deviate as much from its float64 results."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of Sentinel-2 patches with bands of three resolutions."""
    return rico_hdl.open(converted("bigearthnet", tmp_path_factory.mktemp("s2"), 3, ["s2"]))


@pytest.fixture(scope="module")
def stored(store):
    """Returns a band of a patch, as safetensors reads it."""
    patches = arrays(store.path)
    return lambda key, band: patches[key][band]


def judged(band, size, mode):
    """A band at another size, computed by torch."""
    pixels = torch.from_numpy(band.astype(np.float32))[None, None]
    options = {} if mode == "nearest" else {"align_corners": False}
    return interpolate(pixels, size, mode=mode, **options)[0, 0].numpy()


@settings(max_examples=40)
@given(
    bands=st.lists(st.sampled_from(BANDS), min_size=1, max_size=4),
    rows=st.integers(1, 250),
    columns=st.integers(1, 250),
    mode=st.sampled_from(["nearest", "bilinear", "bicubic"]),
)
def test_any_size_is_torchs(store, stored, bands, rows, columns, mode):  # noqa: PLR0917
    """Bands of any resolution are resampled to any size as in torch."""
    keys = list(store.keys())
    found = store.read_batch(keys, bands=bands, size=(rows, columns), resampling=mode, dtype="f4")
    for key, image in zip(keys, found, strict=True):
        for band, pixels in zip(bands, image, strict=True):
            expected = judged(stored(key, band), (rows, columns), mode)
            assert np.allclose(pixels, expected, rtol=0, atol=TOLERANCE[mode])


def test_nearest_neighbours_are_those_of_torch():
    """Nearest neighbours are torch's for many sizes, including its rounding errors."""
    n_inexact = 0
    for n in (1, 20, 60, 64, 128):
        pixels = torch.arange(n, dtype=torch.float32)[None, None]
        for m in range(1, 700):
            found = interpolate(pixels, m, mode="nearest")[0, 0]
            assert _nearest(n, m).tolist() == found.tolist()
            n_inexact += [i * n // m for i in range(m)] != found.tolist()
    assert n_inexact
