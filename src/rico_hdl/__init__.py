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
    from rico_hdl.comparison import compare_with_sources
    from rico_hdl.conversion import convert
    from rico_hdl.errors import (
        ArchiveError,
        InterruptedRunError,
        RicoError,
        SourceError,
        StoreError,
        UsageError,
    )
    from rico_hdl.inspection import StoreInfo, inspect
    from rico_hdl.outcome import Observer, Summary
    from rico_hdl.patch import Failure
    from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Template
    from rico_hdl.verification import Finding, Verification, VerificationObserver, verify

__all__ = [
    "ArchiveError",
    "Band",
    "DatasetSpec",
    "Download",
    "Failure",
    "Finding",
    "InterruptedRunError",
    "Modality",
    "Observer",
    "RicoError",
    "SourceError",
    "StoreError",
    "StoreInfo",
    "Summary",
    "Template",
    "UsageError",
    "Verification",
    "VerificationObserver",
    "__version__",
    "compare_with_sources",
    "convert",
    "inspect",
    "verify",
]

# Imported on first use, so that `rico-hdl --help` does not pay for what it does not need.
_HOMES = {
    "ArchiveError": "errors",
    "Band": "spec",
    "DatasetSpec": "spec",
    "Download": "spec",
    "Failure": "patch",
    "Finding": "verification",
    "InterruptedRunError": "errors",
    "Modality": "spec",
    "Observer": "outcome",
    "RicoError": "errors",
    "SourceError": "errors",
    "StoreError": "errors",
    "StoreInfo": "inspection",
    "Summary": "outcome",
    "Template": "spec",
    "UsageError": "errors",
    "Verification": "verification",
    "VerificationObserver": "verification",
    "compare_with_sources": "comparison",
    "convert": "conversion",
    "inspect": "inspection",
    "verify": "verification",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
