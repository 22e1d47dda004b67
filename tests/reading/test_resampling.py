"""Resampling, checked against the formulas, pixel by pixel.

`tests/torch/test_resampling.py` compares it with the interpolation of PyTorch.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rico_hdl
from rico_hdl.reading.resampling import put_rounded, resampler, working_dtype
from tests.support.reading import same_bits
from tests.support.stores import store_of

SIDES = st.integers(1, 24)


def resampled(bands, size, method):
    """Bands resampled by the module under test."""
    out = np.full((len(bands), *size), 99, bands.dtype)
    resample = resampler(method, bands.shape[1:], out.shape[1:], bands.dtype)
    memory = resample.memory(bands.shape)
    memory[...] = bands if resample.bits is None else bands.view(resample.bits)
    resample(memory, out)
    return out


def kernel(distance):
    """Keys' cubic with the coefficient -0.75."""
    t, a = abs(distance), -0.75
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def weights(i, n, m, method):
    """The weight of each of `n` pixels in pixel `i` of `m`, with pixel centres aligned."""
    centre = (i + 0.5) * n / m - 0.5
    found = [0.0] * n
    if method == "nearest":
        found[min(n - 1, int(np.float32(i) * (np.float32(n) / np.float32(m))))] = 1.0
    elif method == "bilinear":
        centre = max(centre, 0)
        first = min(math.floor(centre), n - 1)
        found[first] += 1 - (centre - first)
        found[min(first + 1, n - 1)] += centre - first
    else:
        for place in range(math.floor(centre) - 1, math.floor(centre) + 3):
            found[min(max(place, 0), n - 1)] += kernel(centre - place)
    return found


def nearest(bands, size):
    """Bands at another size, with the positions that the formula gives."""
    rows, columns = (
        [weights(i, n, m, "nearest").index(1) for i in range(m)]
        for n, m in zip(bands.shape[-2:], size, strict=True)
    )
    return bands[..., rows, :][..., columns]


def expected(bands, size, method):
    """Bands at another size, as a product of dense matrices in double precision."""
    rows, columns = (
        np.array([weights(i, n, m, method) for i in range(m)])
        for n, m in zip(bands.shape[1:], size, strict=True)
    )
    return rows @ bands.astype(float) @ columns.T


@given(
    source=st.tuples(SIDES, SIDES),
    target=st.tuples(SIDES, SIDES),
    method=st.sampled_from(["nearest", "bilinear", "bicubic"]),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 9),
)
@settings(max_examples=300)
def test_pixels_follow_the_formulas(source, target, method, dtype, seed):
    """Each pixel is the weighted sum of its neighbours, whether enlarged or reduced."""
    bands = np.random.default_rng(seed).normal(size=(2, *source)).astype(dtype)
    wanted = expected(bands, target, method)
    tolerance = 0 if method == "nearest" else 3e-5 if dtype == "float32" else 1e-12
    assert np.allclose(resampled(bands, target, method), wanted, rtol=0, atol=tolerance)


@given(
    source=st.tuples(SIDES, SIDES),
    target=st.tuples(SIDES, SIDES),
    dtype=st.sampled_from(["uint8", "int16", "uint16", "int32", "uint64", "float16", "float64"]),
)
@settings(max_examples=200)
def test_nearest_keeps_every_bit(source, target, dtype):
    """Nearest copies pixels of any dtype bit by bit, including NaN payloads and negative zeros."""
    rng = np.random.default_rng(0)
    n = int(np.dtype(dtype).itemsize) * 2 * source[0] * source[1]
    bands = rng.integers(0, 256, n, np.uint8).view(dtype).reshape(2, *source)
    wanted = np.ascontiguousarray(nearest(bands, target))
    assert same_bits(resampled(bands, target, "nearest"), wanted)


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_missing_pixels_stay_where_they_are(method):
    """A NaN spreads to its neighbours only, not along rows and columns."""
    bands = np.ones((1, 20, 20), np.float32)
    bands[0, 10, 10] = np.nan
    missing = np.isnan(resampled(bands, (40, 40), method)[0])
    reach = 2 if method == "bilinear" else 4
    rows, columns = np.nonzero(missing)
    assert missing.any()
    for places in (rows, columns):
        assert 20 - reach <= places.min() <= places.max() <= 21 + reach


def test_integers_are_rounded_and_stay_in_range():
    """Integer results are rounded half to even and clipped to the range; NaN becomes 0."""
    values = np.array([-3, -0.5, 0.5, 1.5, 2.5, 254.6, 300, np.nan, np.inf, -np.inf])
    out = np.empty(10, np.uint8)
    put_rounded(values.copy(), out)
    assert out.tolist() == [0, 0, 0, 2, 2, 255, 255, 0, 255, 0]
    out = np.empty(10, np.int8)
    put_rounded(values.copy(), out)
    assert out.tolist() == [-3, 0, 0, 2, 2, 127, 127, 0, 127, -128]
    for dtype in ("int64", "uint64", "int32"):
        out = np.empty(3, dtype)
        put_rounded(np.array([1e30, -1e30, 7.0]), out)
        limits = np.iinfo(dtype)
        assert out[2] == 7
        assert limits.max - int(out[0]) <= 2048
        assert int(out[1]) == limits.min


def test_numbers_are_computed_with_enough_digits():
    """32-bit integers and doubles are resampled in double precision, the rest in single.

    Nearest neighbours are copied in the narrower dtype, or after conversion to half precision.
    """
    cases = {
        "bicubic": "uint16 float32 float32, uint16 uint16 float32, float32 float32 float32, "
        "uint32 float32 float64, int32 int32 float64, float64 float32 float64, "
        "uint16 float64 float64",
        "nearest": "uint16 float32 uint16, uint8 float64 uint8, uint16 uint16 uint16, "
        "int32 float32 float32, uint8 float16 float16, float64 float32 float32",
    }
    for method, text in cases.items():
        for words in text.split(", "):
            source, target, between = map(np.dtype, words.split())
            assert working_dtype(method, source, target) == between


CASTS = [
    (stored, target)
    for stored in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float32")
    for target in ("uint8", "int16", "uint16", "uint32", "float16", "float32", "float64", "int64")
    if np.can_cast(stored, target, "same_kind")
]


@pytest.mark.parametrize("factor", [(1, 2), (2, 2), (2, 1), (3, 3), (2, 0.5)], ids=str)
@pytest.mark.parametrize(("stored", "target"), CASTS)
def test_pixels_are_converted_as_they_would_be_alone(tmp_path, factor, stored, target):
    """Repeated pixels of any dtype equal the converted originals, whichever step is first."""
    # Integers that wrap around take any bits; others take values that half precision can hold.
    whole = np.dtype(stored).kind in "iu" and np.dtype(target).kind in "iu"
    random = np.random.default_rng(0)

    def band(rows, columns):
        if whole:
            n_bytes = rows * columns * np.dtype(stored).itemsize
            return np.frombuffer(random.bytes(n_bytes), stored).reshape(rows, columns)
        lowest = 0 if np.dtype(stored).kind == "u" else -100
        return random.integers(lowest, 120, (rows, columns)).astype(stored)

    patches = {f"p{i}": {"a": band(12, 10), "b": band(6, 8)} for i in range(5)}
    size = (int(6 * factor[0]), int(8 * factor[1]))
    expected = np.stack([nearest(patch["b"], size).astype(target) for patch in patches.values()])
    with rico_hdl.open(store_of(tmp_path, patches)) as store:
        found = store.read_batch(list(patches), bands=["b"], size=size, dtype=target)
        single = store.read("p3", bands=["b", "b"], size=size, dtype=target)
    assert same_bits(found[:, 0], expected)
    assert same_bits(single, np.stack([expected[3]] * 2))
