"""The readers, one module per library, loaded only when they are used.

A module whose library is missing fails to import; the benchmark reports that and continues.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple, cast

if TYPE_CHECKING:
    from formats.protocol import Reader


class Listing(NamedTuple):
    """The description of a reader that needs no library."""

    title: str
    """Its title in the tables."""
    home: str
    """Its module and class."""
    store: str
    """The folder that it reads. Readers may share a folder, and any of them can write it."""
    is_limit: bool = False
    """Whether it is a limit to compare with, and not a format."""


READERS: Final[dict[str, Listing]] = {
    "geotiff": Listing("raw GeoTIFFs, rasterio", "geotiff:GeoTIFFs", "geotiff"),
    "recipe": Listing("LMDB, the documented recipe", "recipe:Recipe", "lmdb"),
    "configilm": Listing("LMDB, ConfigILM", "config_ilm:ConfigILM", "lmdb"),
    "rico-hdl": Listing("**rico-hdl**", "ours:Ours", "lmdb"),
    "rico-hdl-buffers": Listing("**rico-hdl**, memory made once", "ours:OurBuffers", "lmdb"),
    "rico-hdl-loader": Listing("**rico-hdl**, its loader", "ours:OurLoader", "lmdb"),
    "rico-hdl-native": Listing("**rico-hdl**, its loader, as stored", "ours:OurNative", "lmdb"),
    "hdf5": Listing("HDF5", "hdf5:HDF5", "hdf5"),
    "litdata": Listing("litdata", "lit:LitData", "litdata"),
    "mosaic": Listing("MosaicML streaming", "mosaic:Mosaic", "mosaic"),
    "hf-arrays": Listing("Hugging Face datasets, arrays", "hugging_face:Arrays", "hf-arrays"),
    "hf-bytes": Listing("Hugging Face datasets, bytes", "hugging_face:Bytes", "hf-bytes"),
    "lance": Listing("Lance", "lance_format:Lance", "lance"),
    "webdataset": Listing("WebDataset", "web:WebDataset", "webdataset"),
    "zarr": Listing("Zarr v3, sharded", "zarr_v3:Zarr", "zarr"),
    "npy": Listing("`.npy` memory maps", "limits:MemoryMap", "npy", is_limit=True),
    "npy-buffers": Listing(
        "`.npy` memory maps, memory made once", "limits:MemoryMapRing", "npy", is_limit=True
    ),
    "copy": Listing("plain memory copy", "limits:Copy", "copy", is_limit=True),
    "nothing": Listing("nothing read at all", "limits:Nothing", "npy", is_limit=True),
}
"""By the reader's name, in the order of the tables."""
BASELINE: Final = "recipe"
"""The reader that ratios are relative to."""


def reader(name: str) -> type[Reader]:
    """The class of a reader.

    Raises:
        Exception: Its library is missing, or can't be imported.
    """
    module, _, class_name = READERS[name].home.partition(":")
    found = getattr(import_module(f"formats.readers.{module}"), class_name)
    return cast("type[Reader]", found)
