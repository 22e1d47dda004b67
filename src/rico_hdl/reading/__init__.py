"""Reading a store: patches as arrays, one by one or in batches, as fast as memory is copied.

In: a store of this tool or of the original rico-hdl. Out: numpy arrays that are copies. It writes
nothing, takes no lock, and never imports more than numpy.
"""

from rico_hdl.reading.band_memory import BandMemory
from rico_hdl.reading.batches import Batches
from rico_hdl.reading.keys import Keys
from rico_hdl.reading.options import BY_BAND, Grouping
from rico_hdl.reading.reader import ArraySpec, Batch, PatchReader
from rico_hdl.reading.store import Store, open  # noqa: A004 - as gzip.open and others

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
