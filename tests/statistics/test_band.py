"""Statistics of one band: numpy and exact fractions are the judges."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from rico_hdl.errors import UsageError
from rico_hdl.statistics import BandStatistics
from rico_hdl.statistics.buckets import RELATIVE_WIDTH, buckets_of
from rico_hdl.statistics.counting import BLOCK_VALUES, BandCounter

DTYPES = (
    "bool", "uint8", "int8", "uint16", "int16", "float16",
    "uint32", "int32", "float32", "uint64", "int64", "float64",
)  # fmt: skip
EXACT = DTYPES[:6]
PERCENTAGES = [0, 1, 2, 25, 33.3, 50, 75, 98, 99, 100]


def values_of(dtype: str, n: int = 5000, seed: int = 0) -> np.ndarray:
    """Values of the whole range of a dtype, with zeros, and for floats all that is special."""
    random = np.random.default_rng(seed)
    if dtype == "bool":
        return random.random(n) > 0.3
    if dtype.startswith("float"):
        values = (random.normal(-15, 9, n) * 10.0 ** random.integers(-3, 3, n)).astype(dtype)
        special = [0.0, -0.0, np.nan, np.inf, -np.inf, np.finfo(dtype).smallest_subnormal]
        values[: 10 * len(special)] = np.repeat(special, 10)
        return values
    limits = np.iinfo(dtype)
    values = random.integers(limits.min, limits.max, n, dtype=dtype, endpoint=True)
    values[: n // 2] //= np.array(max(1, limits.max // 100), dtype)
    values[:10] = 0
    return values


def counted(values: np.ndarray, nodata: float | None = None, n_parts: int = 1) -> BandStatistics:
    """The statistics of values, counted in parts of different sizes."""
    counter = BandCounter(values.dtype.name, nodata)
    for part in np.array_split(values, n_parts):
        counter.count([part[None]])
    return counter.finish()


def valid(values: np.ndarray, nodata: float | None = None) -> np.ndarray:
    """The values that count."""
    if nodata is not None and np.array(nodata).astype(values.dtype) == nodata:
        values = values[values != np.array(nodata).astype(values.dtype)]
    return values[np.isfinite(values)]


def deviation(values: np.ndarray) -> float:
    """The standard deviation, from exact sums."""
    fractions = [Fraction(value) for value in values.tolist()]
    n = len(fractions)
    total = sum(fractions)
    variance = Fraction(n * sum(one * one for one in fractions) - total * total, n * n)
    digits = Fraction(10) ** 60  # of an integer root, which no float limits
    return float(Fraction(math.isqrt(int(variance * digits * digits)), int(digits)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_are_those_of_numpy(dtype):
    """Counts, extremes, mean and deviation are those of numpy and of exact fractions."""
    values = values_of(dtype)
    found, kept = counted(values), valid(values_of(dtype))
    assert found.n_pixels == len(values)
    assert found.n_valid == len(kept)
    assert found.n_zero == np.count_nonzero(kept == 0)
    assert found.n_nan == np.count_nonzero(np.isnan(values))
    assert found.n_positive_infinite == np.count_nonzero(values == np.inf)
    assert found.n_negative_infinite == np.count_nonzero(values == -np.inf)
    assert (found.minimum, found.maximum) == (kept.min(), kept.max())
    assert found.mean == float(sum(map(Fraction, kept.tolist())) / len(kept))
    assert found.std == pytest.approx(deviation(kept), rel=1e-15)
    if found.std < 1e150:
        assert found.mean == pytest.approx(np.mean(kept, dtype=float), rel=1e-9)
        assert found.std == pytest.approx(np.std(kept.astype(float)), rel=1e-9)


@pytest.mark.parametrize("dtype", EXACT)
def test_percentiles_and_histograms_are_exact_up_to_16_bits(dtype):
    """They are those of numpy, to the last bit."""
    values = values_of(dtype)
    found, kept = counted(values), valid(values).astype(np.float64)
    np.testing.assert_array_equal(found.percentile(PERCENTAGES), np.percentile(kept, PERCENTAGES))
    for bins in (1, 7, 64):
        counts, edges = found.histogram(bins)
        expected, expected_edges = np.histogram(kept, bins)
        np.testing.assert_array_equal(edges, expected_edges)
        np.testing.assert_array_equal(counts, expected)
    occurring, n = np.unique(values[np.isfinite(values)], return_counts=True)
    if dtype != "float16":  # there, -0.0 and 0.0 are two patterns of one value
        np.testing.assert_array_equal(found.values()[0], occurring)
        np.testing.assert_array_equal(found.values()[1], n)


@pytest.mark.parametrize("dtype", [one for one in DTYPES if one not in EXACT])
def test_percentiles_have_the_documented_bound(dtype):
    """Each pixel behind a percentile of a wide dtype is off by at most 1/128 of itself."""
    values = values_of(dtype)
    found, kept = counted(values), np.sort(valid(values).astype(np.float64))
    shares = np.linspace(0, 100, 3 * len(kept))
    error = np.abs(found.percentile(shares) - np.percentile(kept, shares))
    below = np.floor(shares / 100 * (len(kept) - 1)).astype(int)
    above = np.minimum(below + 1, len(kept) - 1)
    greatest = np.maximum(np.abs(kept[below]), np.abs(kept[above]))
    assert (error <= greatest * (RELATIVE_WIDTH + 2**-23) + 2.0**-133).all()
    assert error.max() > 0  # or the bound would say nothing
    assert found.percentile(0) == kept[0]
    assert found.percentile(100) == kept[-1]
    assert found.histogram(10)[0].sum() == len(kept)


def test_small_integers_of_wide_dtypes_have_exact_percentiles():
    """Classes in 32 and 64 bits have a bucket each."""
    for dtype in ("int32", "uint32", "int64", "uint64"):
        values = np.random.default_rng(1).integers(0, 256, 999).astype(dtype)
        found = counted(values).percentile(PERCENTAGES)
        np.testing.assert_array_equal(found, np.percentile(values, PERCENTAGES))


@pytest.mark.parametrize("dtype", DTYPES)
def test_nodata_is_left_out(dtype):
    """Pixels of the nodata value are counted, and take no part in anything else."""
    values = values_of(dtype)
    nodata = values[len(values) // 2 + 1].item()
    found, kept = counted(values, nodata), valid(values, nodata)
    assert found.n_nodata == len(values[np.isfinite(values)]) - len(kept) > 0
    assert found.n_valid == len(kept)
    assert (found.minimum, found.maximum) == (kept.min(), kept.max())
    assert found.mean == float(sum(map(Fraction, kept.tolist())) / len(kept))
    assert found.n_zero == np.count_nonzero(kept == 0)


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("uint8", -9999), ("uint8", 0.5), ("int16", 1e9), ("uint16", math.nan), ("bool", 2)],
)
def test_nodata_that_cannot_occur_does_nothing(dtype, nodata):
    """A nodata value of another dtype leaves no pixel out."""
    values = values_of(dtype)
    assert counted(values, nodata).n_nodata == 0
    assert counted(values, nodata).mean == counted(values).mean


def test_nodata_is_rounded_to_the_dtype():
    """The decimal text of a float32 means that float32; infinity can be nodata, too."""
    values = np.array([0.1, 0.5, np.inf], np.float32)
    assert counted(values, 0.1).n_nodata == 1
    found = counted(values, math.inf)
    assert (found.n_nodata, found.n_positive_infinite, found.maximum) == (1, 0, 0.5)
    assert counted(values, 1e300).n_nodata == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_merged_parts_are_the_whole(dtype):
    """The statistics of parts add up to those of the whole, exactly and in any order."""
    values = values_of(dtype, 3001)
    whole = counted(values, 1)
    one, two, three = (counted(part, 1) for part in np.array_split(values, 3))
    assert one.merge(two).merge(three) == whole
    assert three.merge(one.merge(two)) == whole
    assert one != whole
    assert counted(values, 1, n_parts=5) == whole
    assert counted(np.random.default_rng(2).permutation(values), 1) == whole


@pytest.mark.parametrize("dtype", DTYPES)
def test_counters_are_added(dtype):
    """Counts of two threads add up to those of one, also for odd numbers of values."""
    values = values_of(dtype, 3000)
    one, two = BandCounter(dtype, 1), BandCounter(dtype, 1)
    one.count([values[None, :1001]])
    two.count([values[None, 1001:]])
    one.add(two)
    assert one.finish() == counted(values, 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_stored_statistics_are_the_same(dtype):
    """Nothing is lost in the JSON-ready form, in which no number is NaN or infinite."""
    import json

    for nodata in (None, 1, math.nan):
        found = counted(values_of(dtype), nodata)
        text = json.dumps(found.to_dict(), allow_nan=False)
        assert BandStatistics.from_dict(json.loads(text)) == found


@given(
    st.sampled_from(["float16", "float32", "float64"]).flatmap(
        lambda dtype: st.tuples(
            arrays_of.arrays(dtype, st.integers(1, 40)), arrays_of.arrays(dtype, st.integers(0, 40))
        )
    )
)
def test_any_floats_are_summed_exactly(parts):
    """Whatever the floats, sums are exact, and those of two parts add up to those of both."""
    one, two = parts
    both = np.concatenate([one, two])
    found = counted(both)
    kept = [Fraction(value) for value in both[np.isfinite(both)].tolist()]
    assert Fraction(found.total) * Fraction(2) ** found.unit == sum(kept)
    squares = sum(value * value for value in kept)
    assert Fraction(found.squares) * Fraction(2) ** (2 * found.unit) == squares
    assert counted(one).merge(counted(two)) == found
    if kept:
        assert math.isfinite(found.percentile(50))


@given(
    st.sampled_from(DTYPES[6:8] + DTYPES[9:11]).flatmap(
        lambda dtype: arrays_of.arrays(dtype, st.integers(1, 40))
    )
)
def test_any_wide_integers_are_summed_exactly(values):
    """Whatever the integers, sums and sums of squares are exact."""
    found = counted(values)
    numbers = values.tolist()
    assert found.total == sum(numbers)
    assert found.squares == sum(number * number for number in numbers)
    assert (found.minimum, found.maximum) == (min(numbers), max(numbers))


def test_zeros_beside_tiny_and_large_values_are_summed_exactly():
    """Values far below the greatest one are not rounded away, with or without zeros."""
    for values in ([0.0, 1e-9, 30.0], [1e-9, 30.0], [1e-45, 3e38, -1.0, 0.0]):
        found = counted(np.array(values, np.float32))
        exact = sum(Fraction(np.float32(value).item()) for value in values)
        assert Fraction(found.total) * Fraction(2) ** found.unit == exact


@pytest.mark.parametrize("dtype", DTYPES)
def test_many_values_in_any_shape_are_counted_once(dtype):
    """Blocks, rows that are longer than a block, and views with gaps count each value once."""
    n = BLOCK_VALUES
    values = values_of(dtype, 5 * n)
    counter = BandCounter(dtype)
    counter.count([values[None, : 3 * n + 1], values[3 * n + 1 : 4 * n + 1].reshape(128, -1)])
    padded = np.zeros((n - 1, 2), dtype)
    padded[:, 0] = values[4 * n + 1 :]
    counter.count([padded[:, :1], np.zeros((3, 0), dtype), np.zeros((0, 3), dtype)])
    assert counter.finish() == counted(values)
    twice = BandCounter(dtype)
    twice.count([values.reshape(5, n)[:4].reshape(2, 2 * n)])
    assert twice.finish() == counted(values[: 4 * n])


def test_unaligned_values_are_counted():
    """Pixels at odd addresses, as in small records, are the same pixels."""
    for dtype in DTYPES:
        values = values_of(dtype, 1000)
        memory = np.zeros(values.nbytes + 1, np.uint8)
        memory[1:] = values.view(np.uint8)
        view = np.ndarray((10, 100), dtype, memory, 1)
        counter = BandCounter(dtype)
        counter.count([view])
        assert counter.finish() == counted(values)


def test_nothing_has_no_numbers():
    """Without valid pixels there is no mean and no percentile, and no error."""
    for values in (np.zeros(0, np.uint16), np.full(5, np.nan, np.float32), np.full(5, 7, np.uint8)):
        found = counted(values, 7)
        assert (found.mean, found.std, found.minimum, found.maximum) == (None, None, None, None)
        assert np.isnan(found.percentile([2, 50])).all()
        assert found.histogram(4)[0].tolist() == [0] * 4
        assert BandStatistics.from_dict(found.to_dict()) == found


def test_extreme_float64_do_not_overflow():
    """Sums beyond the range of floats have a mean, and a deviation that is a float."""
    values = np.array([1.7e308, 1.7e308, -1.7e308, 1.6e308])
    found = counted(values)
    assert found.mean == float(sum(map(Fraction, values.tolist())) / 4)
    assert found.std == pytest.approx(np.std(values / 2.0**600) * 2.0**600, rel=1e-12)


def test_constant_values_have_no_deviation():
    """The standard deviation of a constant is 0, not the noise of a rounded sum."""
    for dtype in ("float32", "float64", "int64"):
        assert counted(np.full(1001, 12345.678).astype(dtype)).std == 0


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (counted(np.zeros(3, np.uint8), 0), "nodata None and 0"),
        (counted(np.zeros(3, np.int8)), "dtype uint8 and int8"),
    ],
)
def test_different_bands_are_not_merged(other, problem):
    """Statistics that mean something else are refused."""
    with pytest.raises(UsageError, match=problem):
        counted(np.zeros(3, np.uint8)).merge(other)


def test_other_dtypes_are_refused():
    """Counts of different dtypes can't be added; complex numbers have no statistics."""
    with pytest.raises(UsageError, match="int16 pixels, expected uint16"):
        BandCounter("uint16").add(BandCounter("int16"))
    with pytest.raises(UsageError, match="complex64"):
        buckets_of("complex64")


@pytest.mark.parametrize("q", [-1, 100.1, math.nan, [50, 101]])
def test_percentages_are_checked(q):
    """A percentage beyond 0 and 100 is an error."""
    with pytest.raises(UsageError, match="between 0 and 100"):
        counted(np.arange(5, dtype=np.uint8)).percentile(q)


@pytest.mark.parametrize("run", [[0, [-1]], [-1, [5]], [65535, [1, 1]], ["x", [1]], [0]])
def test_histograms_of_another_form_are_refused(run):
    """A stored histogram whose buckets or counts can't be is an error."""
    values = counted(np.arange(5, dtype=np.uint8)).to_dict()
    values["exact"]["histogram"] = [run]
    with pytest.raises(UsageError, match="no statistics of a band"):
        BandStatistics.from_dict(values)


@pytest.mark.parametrize("missing", ["dtype", "exact", "n_nan", "minimum", "nodata"])
def test_incomplete_dictionaries_are_refused(missing):
    """A dictionary without a field is an error that names it."""
    values = counted(np.arange(5, dtype=np.uint8)).to_dict()
    del values[missing]
    with pytest.raises(UsageError, match=missing):
        BandStatistics.from_dict(values)
