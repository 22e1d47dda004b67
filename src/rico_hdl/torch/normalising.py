"""Normalising images by the means and standard deviations of their bands.

In: statistics, and the bands behind each channel of a dataset. Out: a function from sample to
sample, or from batch to batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rico_hdl.errors import UsageError
from rico_hdl.statistics import BandStatistics, Statistics
from rico_hdl.torch.fields import Entry
from rico_hdl.torch.patches import PatchDataset

StatisticsOfBands = Statistics | Sequence[Statistics] | Mapping[str, Statistics]
"""The statistics of one modality, or of several, as in a file of ``rico-hdl stats``."""


class Normalize:
    """Subtracts the mean of each band, and divides by its standard deviation.

    It applies to every entry with bands, whatever their selection, order and grouping: ``image``,
    ``image_120x120``, ``image_B02``. The result is float32. Labels, masks and keys stay as they
    are. A band that is the same everywhere becomes zero. It can be pickled.

    Args:
        statistics: The statistics of all bands, of one modality or of several.
        dataset: The dataset whose samples, or batches of samples, are normalised.
        then: A function to call with the result.

    Raises:
        UsageError: A band has no statistics, or no valid pixel, or two modalities have bands of the
            same name.
    """

    def __init__(
        self,
        statistics: StatisticsOfBands,
        dataset: PatchDataset,
        *,
        then: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        known = _by_band(statistics, dataset.entries)
        self.means: dict[str, torch.Tensor] = {}
        """What is subtracted, by entry: float32 of shape (channels, 1, 1), or () for one band."""
        self.scales: dict[str, torch.Tensor] = {}
        """What the difference is multiplied by, likewise."""
        for name, entry in dataset.entries.items():
            if entry.bands:
                mean = np.array([known[band].mean for band in entry.bands], np.float64)
                std = np.array([known[band].std for band in entry.bands], np.float64)
                shape = (len(entry.bands), 1, 1) if len(entry.shape) == 3 else ()
                scale = np.divide(1, std, where=std > 0, out=np.ones_like(std))
                self.means[name] = torch.from_numpy(mean.astype(np.float32)).reshape(shape)
                self.scales[name] = torch.from_numpy(scale.astype(np.float32)).reshape(shape)
        self._then = then

    def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
        """The sample or batch with its images normalised, in new memory."""
        found = dict(sample)
        for name, mean in self.means.items():
            image = sample[name].to(torch.float32)
            found[name] = (image - mean).mul_(self.scales[name])
        return found if self._then is None else self._then(found)


def _by_band(
    statistics: StatisticsOfBands, entries: Mapping[str, Entry]
) -> dict[str, BandStatistics]:
    """The statistics of each band of some entries.

    Raises:
        UsageError: A band has none, or several.
    """
    given: Sequence[Statistics]
    if isinstance(statistics, Statistics):
        given = (statistics,)
    else:
        given = tuple(statistics.values() if isinstance(statistics, Mapping) else statistics)
    found: dict[str, BandStatistics] = {}
    for band in dict.fromkeys(band for entry in entries.values() for band in entry.bands):
        named = [each for each in given if band in each.bands]
        if len(named) != 1:
            problem = f"{len(named)} statistics of the band {band!r}, expected one"
            modalities = ", ".join(each.modality for each in named or given)
            raise UsageError(problem, f"Modalities: {modalities}. Give those of the dataset only.")
        found[band] = named[0].bands[band]
        if not found[band].n_valid:
            raise UsageError(f"the band {band!r} has no valid pixel in its statistics")
    return found
