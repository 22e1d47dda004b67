"""The statistics of a modality: those of its bands, and how often labels and classes occur.

In: counts. Out: arrays with a number for each band, in the order of the bands. Results can be added
and stored: those of shards or of splits add up to those of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from rico_hdl.errors import UsageError
from rico_hdl.statistics.band import BandStatistics

FORMAT: Final = 1
"""The version of the stored form."""
_N_VALUES: Final = 256
"""The most values of a mask that are counted one by one if their names are unknown."""


@dataclass(frozen=True)
class Statistics:
    """The statistics of some patches of one modality.

    Properties such as `mean` are float64 arrays of shape (bands,), in the order of `bands`; a band
    without valid pixels has NaN there.
    """

    modality: str
    """The modality's name."""
    n_patches: int
    """The number of patches."""
    bands: Mapping[str, BandStatistics]
    """The statistics of each band, in the publisher's order."""
    is_mask: bool = False
    """Whether its pixels are classes."""
    classes: tuple[str, ...] = ()
    """The names of a mask's classes, by pixel value from 0 on."""
    labels: Mapping[str, int] = field(default_factory=dict)
    """The number of patches with each label; empty if patches have none."""
    n_unlabelled: int = 0
    """Patches without a label, if others have one."""
    dataset: str | None = None
    """The dataset's name; None if unknown."""
    split: str | None = None
    """The split that was counted; None for all patches, or for a choice of keys."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the bands."""
        return tuple(self.bands)

    @property
    def mean(self) -> npt.NDArray[np.float64]:
        """The mean of each band."""
        return _numbers(band.mean for band in self.bands.values())

    @property
    def std(self) -> npt.NDArray[np.float64]:
        """The standard deviation of each band."""
        return _numbers(band.std for band in self.bands.values())

    @property
    def minimum(self) -> npt.NDArray[np.float64]:
        """The least value of each band."""
        return _numbers(band.minimum for band in self.bands.values())

    @property
    def maximum(self) -> npt.NDArray[np.float64]:
        """The greatest value of each band."""
        return _numbers(band.maximum for band in self.bands.values())

    @property
    def n_valid(self) -> npt.NDArray[np.int64]:
        """The number of valid pixels of each band."""
        return np.array([band.n_valid for band in self.bands.values()], np.int64)

    def percentile(self, q: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Percentiles of each band, of shape (bands, …); see `BandStatistics.percentile`."""
        return np.array([band.percentile(q) for band in self.bands.values()], np.float64)

    def select(self, bands: Sequence[str]) -> Statistics:
        """The statistics of some bands, in the given order.

        Raises:
            UsageError: One of them is unknown.
        """
        unknown = [name for name in bands if name not in self.bands]
        if unknown:
            raise UsageError(
                f"no statistics of the band {unknown[0]!r} of {self.modality}",
                f"There are those of {', '.join(self.bands)}.",
            )
        return replace(self, bands={name: self.bands[name] for name in bands})

    def class_pixels(self) -> dict[str, int]:
        """The number of a mask's pixels in each class, without those of its nodata value.

        Values without a name are counted as numbers, classes that don't occur as 0.

        Raises:
            UsageError: It is not a mask, or it has more than 256 different values.
        """
        if not self.is_mask or len(self.bands) != 1:
            raise UsageError(f"{self.modality} is not a mask with one band")
        (band,) = self.bands.values()
        values, counts = band.values()
        if len(values) > max(_N_VALUES, len(self.classes)):
            raise UsageError(f"{self.modality} has {len(values)} different values, not classes")
        found = dict.fromkeys(self.classes, 0)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            is_named = isinstance(value, int) and 0 <= value < len(self.classes)
            name = self.classes[value] if is_named else str(value)
            found[name] = found.get(name, 0) + count
        return found

    def merge(self, other: Statistics) -> Statistics:
        """The statistics of the patches of both, exactly as if they had been counted together.

        Raises:
            UsageError: They are of different modalities, datasets, bands, dtypes, or nodata values.
        """
        for name in ("modality", "names", "is_mask", "classes"):
            one, another = getattr(self, name), getattr(other, name)
            if one != another:
                raise UsageError(f"statistics with the {name} {one} and {another} can't be merged")
        labels = dict(self.labels)
        for label, n in other.labels.items():
            labels[label] = labels.get(label, 0) + n
        return replace(
            self,
            n_patches=self.n_patches + other.n_patches,
            bands={name: band.merge(other.bands[name]) for name, band in self.bands.items()},
            labels=labels,
            n_unlabelled=self.n_unlabelled + other.n_unlabelled,
            dataset=self.dataset if self.dataset == other.dataset else None,
            split=self.split if self.split == other.split else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` restores all of it."""
        found: dict[str, Any] = {
            "format": FORMAT,
            "dataset": self.dataset,
            "modality": self.modality,
            "split": self.split,
            "n_patches": self.n_patches,
            "is_mask": self.is_mask,
            "classes": list(self.classes),
            "labels": dict(self.labels),
            "n_unlabelled": self.n_unlabelled,
        }
        if self.has_class_pixels:
            counts = self.class_pixels()
            n = max(1, sum(counts.values()))
            found["class_pixels"] = counts
            found["class_shares"] = {name: count / n for name, count in counts.items()}
        return {**found, "bands": {name: band.to_dict() for name, band in self.bands.items()}}

    @property
    def has_class_pixels(self) -> bool:
        """Whether `class_pixels` can say how often each class occurs."""
        if not self.is_mask or len(self.bands) != 1:
            return False
        (band,) = self.bands.values()
        is_counted = np.dtype(band.dtype).itemsize <= 2
        return is_counted and len(band.buckets) <= max(_N_VALUES, len(self.classes))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The statistics that `to_dict` described.

        Raises:
            UsageError: Something is missing, has another form, or is of a later version.
        """
        found = values.get("format") if isinstance(values, Mapping) else None
        if found != FORMAT:
            raise UsageError(f"statistics of the format {found}, expected {FORMAT}")
        try:
            return cls(
                modality=str(values["modality"]),
                n_patches=int(values["n_patches"]),
                bands={
                    str(name): BandStatistics.from_dict(band)
                    for name, band in values["bands"].items()
                },
                is_mask=bool(values["is_mask"]),
                classes=tuple(values["classes"]),
                labels={str(name): int(n) for name, n in values["labels"].items()},
                n_unlabelled=int(values["n_unlabelled"]),
                dataset=values["dataset"],
                split=values["split"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"these are no statistics: {error!r}") from error


def _numbers(values: Any) -> npt.NDArray[np.float64]:  # noqa: ANN401 - of numbers and None
    return np.array([np.nan if value is None else value for value in values], np.float64)
