"""The statistics of one band: immutable, exact where they can be, and additive.

In: counts of all pixels, from `BandCounter` or from a file. Out: means, percentiles and histograms.
Everything that two results need to be added is in them, so the statistics of shards add up to those
of the whole, to the last bit.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError
from rico_hdl.statistics.buckets import Numbers, ValueBuckets, buckets_of

PERCENTILES: Final = (1, 2, 25, 50, 75, 98, 99)
"""The percentiles in reports."""
_GAP: Final = 16
"""Empty buckets between two runs of a stored histogram: fewer are stored as zeros."""
_SUMMED: Final = (
    "n_pixels",
    "n_nodata",
    "n_nan",
    "n_positive_infinite",
    "n_negative_infinite",
    "n_zero",
    "total",
    "squares",
)


@dataclass(frozen=True, eq=False)
class BandStatistics:
    """The statistics of one band.

    A pixel is *valid* if it is finite and not the nodata value. Mean, extremes, percentiles and
    histogram are those of valid pixels; without any, they are None.
    """

    dtype: str
    """The numpy name of the pixels' dtype."""
    nodata: float | None
    """The value of pixels that hold no data; None if there is none."""
    n_pixels: int
    """All pixels."""
    n_nodata: int
    """Pixels with the nodata value."""
    n_nan: int
    """Pixels that are not a number."""
    n_positive_infinite: int
    """Pixels that are positive infinity."""
    n_negative_infinite: int
    """Pixels that are negative infinity."""
    n_zero: int
    """Valid pixels that are zero."""
    minimum: float | None
    """The least valid pixel."""
    maximum: float | None
    """The greatest valid pixel."""
    total: int
    """The exact sum of valid pixels, in units of two to the power of `unit`."""
    squares: int
    """The exact sum of their squares, in units of the square of that."""
    buckets: npt.NDArray[np.uint16]
    """The buckets that hold pixels, in the order of their values; see `ValueBuckets`."""
    counts: npt.NDArray[np.int64]
    """The number of valid pixels in each of `buckets`."""

    @classmethod
    def of_exact(
        cls,
        dtype: str,
        buckets: npt.NDArray[np.uint16],
        counts: npt.NDArray[np.int64],
        nodata: float | None,
    ) -> Self:
        """The statistics of a dtype whose values have a bucket each.

        Args:
            dtype: Its numpy name.
            buckets: The buckets that hold pixels, in order, also those of nodata and of values that
                are not finite.
            counts: The number of pixels in each.
            nodata: The value of pixels that hold no data.
        """
        known = buckets_of(dtype)
        values, _ = known.bounds(buckets)
        empty = None if nodata is None else known.nearest(nodata)
        is_nodata = np.zeros(len(values), np.bool_) if empty is None else values == empty
        is_valid = np.isfinite(values) & ~is_nodata
        found, n = values[is_valid], counts[is_valid]
        total, squares = _exact_sums(found, n, known.unit)
        return cls(
            dtype=dtype,
            nodata=nodata,
            n_pixels=int(counts.sum()),
            n_nodata=int(counts[is_nodata].sum()),
            n_nan=int(counts[np.isnan(values)].sum()),
            n_positive_infinite=int(counts[(values == np.inf) & ~is_nodata].sum()),
            n_negative_infinite=int(counts[(values == -np.inf) & ~is_nodata].sum()),
            n_zero=int(n[found == 0].sum()),
            minimum=found[0].item() if len(found) else None,
            maximum=found[-1].item() if len(found) else None,
            total=total,
            squares=squares,
            buckets=buckets[is_valid],
            counts=n,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BandStatistics):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment] # it holds arrays

    @property
    def n_valid(self) -> int:
        """Pixels that are finite and not nodata."""
        return int(self.counts.sum())

    @property
    def unit(self) -> int:
        """The exponent of the power of two that `total` counts."""
        return self._known.unit

    @property
    def _known(self) -> ValueBuckets:
        return buckets_of(self.dtype)

    @property
    def mean(self) -> float | None:
        """The mean of valid pixels, rounded once from its exact value."""
        n = self.n_valid
        return _float(Fraction(self.total, n), self.unit) if n else None

    @property
    def std(self) -> float | None:
        """The standard deviation of valid pixels (divided by their number, as in numpy)."""
        n = self.n_valid
        if not n:
            return None
        variance = Fraction(n * self.squares - self.total * self.total, n * n)
        # The root of a number between 2**100 and 2**102, so that no float overflows on the way.
        shift = (variance.numerator.bit_length() - variance.denominator.bit_length() - 100) // 2
        root = math.sqrt(variance * Fraction(2) ** (-2 * shift))
        return _float(Fraction(root), self.unit + shift)

    def percentile(self, q: npt.ArrayLike) -> Any:  # noqa: ANN401 - a number, or an array
        """Percentiles of valid pixels, as `numpy.percentile` computes them.

        They are exact for dtypes of up to 16 bits. For others, each of the two neighbouring pixels
        that define a percentile is off by at most 1/128 of itself (`RELATIVE_WIDTH`).

        Args:
            q: The percentages, from 0 to 100: a number or an array.

        Returns:
            A float64, or an array of the shape of ``q``; NaN if there is no valid pixel.

        Raises:
            UsageError: A percentage is not between 0 and 100.
        """
        shares = np.asarray(q, np.float64) / 100
        if not ((shares >= 0) & (shares <= 1)).all():
            raise UsageError(f"percentile {q!r} is not between 0 and 100")
        n = self.n_valid
        if not n:
            return np.full(shares.shape, np.nan)[()]
        places = shares * (n - 1)
        below = np.floor(places).astype(np.int64)
        low, high = self._ranked(below), self._ranked(np.minimum(below + 1, n - 1))
        t, step = places - below, high - low
        # As numpy does it, from the nearer side.
        return np.where(t < 0.5, low + step * t, high - step * (1 - t))[()]

    def _ranked(self, ranks: npt.NDArray[np.int64]) -> Numbers:
        """The valid pixels with these zero-based places in their order, as float64."""
        ends = np.cumsum(self.counts)
        chosen = np.searchsorted(ends, ranks, side="right")
        low, high = self._known.bounds(self.buckets[chosen])
        if self._known.is_exact:
            return low.astype(np.float64)
        # Pixels of a bucket are taken to be spread evenly.
        n = self.counts[chosen]
        share = (ranks - (ends[chosen] - n) + 0.5) / n
        assert self.minimum is not None and self.maximum is not None  # noqa: S101, PT018
        least, most = float(self.minimum), float(self.maximum)
        found = np.clip(low + (high - low) * share, least, most)
        return np.where(ranks == 0, least, np.where(ranks == ends[-1] - 1, most, found))

    def histogram(
        self, bins: int | npt.ArrayLike = 64, span: tuple[float, float] | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The histogram of valid pixels, as `numpy.histogram` makes it.

        Exact for dtypes of up to 16 bits; for others, all pixels of a bucket count as its middle.

        Args:
            bins: The number of bins of the same width, or their edges.
            span: The range of the bins; None for that of the pixels.

        Returns:
            The pixels in each bin, and the edges.
        """
        low, high = self._known.bounds(self.buckets)
        middles = low if self._known.is_exact else (low + high) / 2
        if span is None and self.minimum is not None and self.maximum is not None:
            span = (float(self.minimum), float(self.maximum))
        if span is not None:
            middles = np.clip(middles, *span) if not self._known.is_exact else middles
        counts, edges = np.histogram(middles, bins, span, weights=self.counts)
        return counts.astype(np.int64), np.asarray(edges, np.float64)

    def values(self) -> tuple[Numbers, npt.NDArray[np.int64]]:
        """Each value that occurs, and the number of its pixels, for dtypes of up to 16 bits.

        Raises:
            UsageError: Values of this dtype share buckets.
        """
        if not self._known.is_exact:
            raise UsageError(f"single values of {self.dtype} pixels are not counted")
        return self._known.bounds(self.buckets)[0], self.counts

    def merge(self, other: BandStatistics) -> BandStatistics:
        """The statistics of the pixels of both, exactly as if they had been counted together.

        Raises:
            UsageError: They differ in dtype or nodata.
        """
        for name in ("dtype", "nodata"):
            one, another = getattr(self, name), getattr(other, name)
            if str(one) != str(another) and one != another:  # NaN differs from itself
                raise UsageError(f"statistics with the {name} {one} and {another} can't be merged")
        buckets = np.union1d(self.buckets, other.buckets)
        counts = np.zeros(len(buckets), np.int64)
        for each in (self, other):
            counts[np.searchsorted(buckets, each.buckets)] += each.counts
        lows = [one.minimum for one in (self, other) if one.minimum is not None]
        highs = [one.maximum for one in (self, other) if one.maximum is not None]
        return BandStatistics(
            dtype=self.dtype,
            nodata=self.nodata,
            minimum=min(lows, default=None),
            maximum=max(highs, default=None),
            buckets=buckets,
            counts=counts,
            **{name: getattr(self, name) + getattr(other, name) for name in _SUMMED},
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` restores all of it. Exact sums, which can be long, are text."""
        n = max(1, self.n_pixels)
        shares = self.percentile(PERCENTILES).tolist()
        return {
            "dtype": self.dtype,
            "nodata": _json_number(self.nodata),
            "n_pixels": self.n_pixels,
            "n_valid": self.n_valid,
            "mean": self.mean,
            "std": self.std,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "percentiles": {
                str(q): value if self.n_valid else None
                for q, value in zip(PERCENTILES, shares, strict=True)
            },
            "share_nodata": self.n_nodata / n,
            "share_nan": self.n_nan / n,
            "share_zero": self.n_zero / n,
            "n_nodata": self.n_nodata,
            "n_nan": self.n_nan,
            "n_positive_infinite": self.n_positive_infinite,
            "n_negative_infinite": self.n_negative_infinite,
            "n_zero": self.n_zero,
            "exact": {
                "unit": self.unit,
                "sum": str(self.total),
                "sum_of_squares": str(self.squares),
                "histogram": [[first, counts] for first, counts in self._runs()],
            },
        }

    def _runs(self) -> list[tuple[int, list[int]]]:
        """The histogram as runs of buckets: the first of each, and the counts from there on."""
        if not len(self.buckets):
            return []
        breaks = np.flatnonzero(np.diff(self.buckets) > _GAP) + 1
        runs = []
        for buckets, counts in zip(
            np.split(self.buckets, breaks), np.split(self.counts, breaks), strict=True
        ):
            first = int(buckets[0])
            filled = np.zeros(int(buckets[-1]) - first + 1, np.int64)
            filled[buckets - first] = counts
            runs.append((first, filled.tolist()))
        return runs

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The statistics that `to_dict` described.

        Raises:
            UsageError: Something is missing or has another form.
        """
        try:
            exact, numbers = values["exact"], {name: int(values[name]) for name in _SUMMED[:-2]}
            buckets, counts = _of_runs(exact["histogram"])
            nodata = values["nodata"]
            return cls(
                dtype=buckets_of(str(values["dtype"])).dtype.name,
                nodata=float(nodata) if isinstance(nodata, str) else nodata,
                minimum=values["minimum"],
                maximum=values["maximum"],
                total=int(exact["sum"]),
                squares=int(exact["sum_of_squares"]),
                buckets=buckets,
                counts=counts,
                **numbers,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"these are no statistics of a band: {error!r}") from error


def _of_runs(
    runs: Iterable[tuple[int, list[int]]],
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """The buckets and counts of a stored histogram.

    Raises:
        ValueError: They are not in order, or a count is negative.
    """
    counts = np.zeros(2**16, np.int64)
    end = 0
    for first, run in runs:
        if not (end <= first <= 2**16 - len(run) and min(run) >= 0):
            raise ValueError(f"a run of {len(run)} buckets from {first} on")
        end = first + len(run)
        counts[first:end] = run
    buckets = np.flatnonzero(counts)
    return buckets.astype(np.uint16), counts[buckets]


def _exact_sums(values: Numbers, counts: npt.NDArray[np.int64], unit: int) -> tuple[int, int]:
    """The exact sums of values and of their squares, each value counted several times."""
    if not len(values):
        return 0, 0
    integers = np.ldexp(values, -unit).astype(np.int64).tolist()
    weighted = list(map(operator.mul, integers, counts.tolist()))
    return sum(weighted), sum(map(operator.mul, weighted, integers))


def _float(number: Fraction, exponent: int) -> float:
    """A rational number times a power of two, rounded once; infinite if it is beyond floats."""
    try:
        return float(number * Fraction(2) ** exponent)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _json_number(value: float | None) -> float | str | None:
    """A number for JSON, which has neither NaN nor infinities."""
    return value if value is None or math.isfinite(value) else str(value)
