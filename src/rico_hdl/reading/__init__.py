"""Read a store: patches as arrays, one by one or in batches, at the speed of a memory copy.

In: a store of this tool or of the original rico-hdl. Out: numpy arrays that own their data. Reading
writes nothing, takes no lock, and never imports more than numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Imported on first use: describing a store takes other modules of this package only.
_HOMES = {
    "BY_BAND": "options",
    "ArraySpec": "reader",
    "BandMemory": "band_memory",
    "Batch": "reader",
    "Batches": "batches",
    "Grouping": "options",
    "Keys": "keys",
    "PatchReader": "reader",
    "Store": "store",
    "open": "opening",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
