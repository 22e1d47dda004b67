"""Statistics of pixels and labels: exact, additive, and of a size that doesn't grow with a store.

In: counts of pixels, from `rico_hdl.Store.statistics` or from files. Out: means, standard
deviations, percentiles and histograms of each band, and files that other programs load. Nothing
here opens a store.
"""

from rico_hdl.statistics.band import PERCENTILES, BandStatistics
from rico_hdl.statistics.files import load, save
from rico_hdl.statistics.result import Statistics

__all__ = ["PERCENTILES", "BandStatistics", "Statistics", "load", "save"]
