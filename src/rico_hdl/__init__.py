"""rico-hdl: remote sensing image format converter for high-throughput deep-learning.

Converts datasets of small GeoTIFFs into one LMDB whose values are safetensors dictionaries (band
name -> 2-D array), with pixel values identical to the source's.

    >>> import rico_hdl
    >>> summary = rico_hdl.convert(
    ...     "bigearthnet", {"s2": "BigEarthNet-S2"}, "Encoded-BigEarthNet"
    ... )  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rico_hdl._version import __version__

if TYPE_CHECKING:
    from rico_hdl.conversion import Observer, Summary, convert
    from rico_hdl.errors import RicoError, SourceError, StoreError, UsageError
    from rico_hdl.patch import Failure
    from rico_hdl.spec import Band, DatasetSpec, Modality, Template

__all__ = [
    "Band",
    "DatasetSpec",
    "Failure",
    "Modality",
    "Observer",
    "RicoError",
    "SourceError",
    "StoreError",
    "Summary",
    "Template",
    "UsageError",
    "__version__",
    "convert",
]

# Imported on first use, so that `rico-hdl --help` does not pay for what it does not need.
_HOMES = {
    "Band": ("spec", "Band"),
    "DatasetSpec": ("spec", "DatasetSpec"),
    "Failure": ("patch", "Failure"),
    "Modality": ("spec", "Modality"),
    "Observer": ("conversion", "Observer"),
    "RicoError": ("errors", "RicoError"),
    "SourceError": ("errors", "SourceError"),
    "StoreError": ("errors", "StoreError"),
    "Summary": ("conversion", "Summary"),
    "Template": ("spec", "Template"),
    "UsageError": ("errors", "UsageError"),
    "convert": ("conversion", "convert"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)
