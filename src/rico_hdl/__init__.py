"""rico-hdl: remote sensing image format converter for high-throughput deep-learning.

Converts datasets of small GeoTIFFs into one LMDB whose values are safetensors dictionaries (band
name -> 2-D array), with pixel values identical to the source's, and reads them at memory speed.

    >>> import rico_hdl
    >>> summary = rico_hdl.convert(
    ...     "bigearthnet", {"s2": "BigEarthNet-S2"}, "Encoded-BigEarthNet"
    ... )  # doctest: +SKIP
    >>> store = rico_hdl.open("Encoded-BigEarthNet")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rico_hdl._version import __version__

if TYPE_CHECKING:
    from rico_hdl.checking.comparison import compare_with_sources
    from rico_hdl.checking.inspection import StoreInfo, inspect
    from rico_hdl.checking.verification import Finding, Verification, verify
    from rico_hdl.converting.conversion import convert
    from rico_hdl.converting.dry_run import DryRun, dry_run
    from rico_hdl.converting.summary import Summary
    from rico_hdl.enriching.georeferencing import GeorefSummary, keep_georeferencing
    from rico_hdl.errors import (
        ArchiveError,
        InterruptedRunError,
        RicoError,
        SizeError,
        SourceError,
        StoreError,
        UnknownBandError,
        UnknownKeyError,
        UsageError,
    )
    from rico_hdl.exporting.files import ExportSummary, export
    from rico_hdl.exporting.table import TableSummary, write_table
    from rico_hdl.georef import FileGeoref, Georef, Georefs
    from rico_hdl.observer import Observer
    from rico_hdl.observer import Observer as VerificationObserver
    from rico_hdl.reading import (
        ArraySpec,
        Batch,
        Batches,
        Keys,
        PatchReader,
        Store,
        open,  # noqa: A004 - as gzip.open and others
    )
    from rico_hdl.spec import Band, DatasetSpec, Download, Modality, Preset, Template
    from rico_hdl.spec.toml_form import load_spec
    from rico_hdl.statistics import BandStatistics, Statistics
    from rico_hdl.subsets import CopySummary, Selection, merge, select
    from rico_hdl.values import ArchiveFailure, Failure, PatchFailure

__all__ = [
    "ArchiveError",
    "ArchiveFailure",
    "ArraySpec",
    "Band",
    "BandStatistics",
    "Batch",
    "Batches",
    "CopySummary",
    "DatasetSpec",
    "Download",
    "DryRun",
    "ExportSummary",
    "Failure",
    "FileGeoref",
    "Finding",
    "Georef",
    "GeorefSummary",
    "Georefs",
    "InterruptedRunError",
    "Keys",
    "Modality",
    "Observer",
    "PatchFailure",
    "PatchReader",
    "Preset",
    "RicoError",
    "Selection",
    "SizeError",
    "SourceError",
    "Statistics",
    "Store",
    "StoreError",
    "StoreInfo",
    "Summary",
    "TableSummary",
    "Template",
    "UnknownBandError",
    "UnknownKeyError",
    "UsageError",
    "Verification",
    "VerificationObserver",
    "__version__",
    "compare_with_sources",
    "convert",
    "dry_run",
    "export",
    "inspect",
    "keep_georeferencing",
    "load_spec",
    "merge",
    "open",
    "select",
    "verify",
    "write_table",
]

# Imported on first use, so that `rico-hdl --help` doesn't pay for imports that it doesn't need.
_HOMES = {
    "ArchiveError": "errors",
    "ArchiveFailure": "values",
    "ArraySpec": "reading",
    "Band": "spec",
    "BandStatistics": "statistics",
    "Batch": "reading",
    "Batches": "reading",
    "CopySummary": "subsets",
    "DatasetSpec": "spec",
    "Download": "spec",
    "DryRun": "converting.dry_run",
    "ExportSummary": "exporting.files",
    "Failure": "values",
    "FileGeoref": "georef",
    "Finding": "checking.verification",
    "Georef": "georef",
    "GeorefSummary": "enriching.georeferencing",
    "Georefs": "georef",
    "InterruptedRunError": "errors",
    "Keys": "reading",
    "Modality": "spec",
    "Observer": "observer",
    "PatchFailure": "values",
    "PatchReader": "reading",
    "Preset": "spec",
    "RicoError": "errors",
    "Selection": "subsets",
    "SizeError": "errors",
    "SourceError": "errors",
    "Statistics": "statistics",
    "Store": "reading",
    "StoreError": "errors",
    "StoreInfo": "checking.inspection",
    "Summary": "converting.summary",
    "TableSummary": "exporting.table",
    "Template": "spec",
    "UnknownBandError": "errors",
    "UnknownKeyError": "errors",
    "UsageError": "errors",
    "Verification": "checking.verification",
    "compare_with_sources": "checking.comparison",
    "convert": "converting.conversion",
    "dry_run": "converting.dry_run",
    "export": "exporting.files",
    "inspect": "checking.inspection",
    "keep_georeferencing": "enriching.georeferencing",
    "load_spec": "spec.toml_form",
    "merge": "subsets",
    "open": "reading",
    "select": "subsets",
    "verify": "checking.verification",
    "write_table": "exporting.table",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name == "VerificationObserver":  # its name in version 0.1.0
        name = "Observer"
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
