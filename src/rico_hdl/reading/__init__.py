"""Read a store: patches as arrays, one by one or in batches, at the speed of a memory copy.

In: a store of this tool or of the original rico-hdl. Out: numpy arrays that own their data. Reading
writes nothing, takes no lock, and never imports more than numpy.
"""

from rico_hdl.reading.band_memory import BandMemory
from rico_hdl.reading.batches import Batches
from rico_hdl.reading.keys import Keys
from rico_hdl.reading.opening import open  # noqa: A004 - as gzip.open and others
from rico_hdl.reading.options import BY_BAND, Grouping
from rico_hdl.reading.reader import ArraySpec, Batch, PatchReader
from rico_hdl.reading.store import Store

__all__ = [
    "BY_BAND",
    "ArraySpec",
    "BandMemory",
    "Batch",
    "Batches",
    "Grouping",
    "Keys",
    "PatchReader",
    "Store",
    "open",
]
