"""The files, keys and bands of each dataset's patches, written by hand.

The benchmark's plain script has to be an independent judge of keys and records. This table
therefore repeats the information in the specs, and imports nothing from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Layout:
    """How the patches of one modality are found, named and read."""

    glob: str
    """A pattern of one path per patch in the source folder: its folder, or its only file."""
    key: str
    """Its key, with the format fields ``stem``, ``name`` and ``parent`` of that path."""
    bands: tuple[str, ...]
    """Names of the bands, in the order of a file with several bands."""
    file: str = ""
    """Name of a band's file in the patch's folder, with the fields ``name`` and ``band``; empty
    if one file holds all bands."""


_S2 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
_L2A = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")
_EUROSAT = (*_S2[:8], "B09", "B10", "B11", "B12", "B08A")

LAYOUTS: Final[dict[str, dict[str, Layout]]] = {
    "bigearthnet": {
        "--bigearthnet-s1-dir": Layout("*/*", "{name}", ("VH", "VV"), "{name}_{band}.tif"),
        "--bigearthnet-s2-dir": Layout("*/*", "{name}", _S2, "{name}_{band}.tif"),
        "--bigearthnet-reference-maps-dir": Layout(
            "*/*", "{name}_reference_map", ("Data",), "{name}_reference_map.tif"
        ),
    },
    "eurosat-multi-spectral": {"--dataset-dir": Layout("**/*.tif", "{stem}", _EUROSAT)},
    "hydro": {"--dataset-dir": Layout("**/patch_*.tif", "{stem}", _S2)},
    "hyspecnet-11k": {
        "--dataset-dir": Layout(
            "**/*-SPECTRAL_IMAGE.TIF", "{parent}", tuple(f"B{i}" for i in range(1, 225))
        ),
    },
    "major-tom-core": {
        "--s1-dir": Layout("*/*/*", "{parent}_{name}", ("vh", "vv"), "{band}.tif"),
        "--s2-dir": Layout("*/*/*", "{parent}_{name}", _S2, "{band}.tif"),
    },
    "spectral-earth-enmap": {
        "--dataset-dir": Layout(
            "*/*.tif", "{parent}_{name}", tuple(f"B{i}" for i in range(1, 203))
        ),
    },
    "ssl4eo-s12": {
        "--s1-dir": Layout("*/*", "s1_{parent}_{name}", ("VH", "VV"), "{band}.tif"),
        "--s2-l1c-dir": Layout("*/*", "s2c_{parent}_{name}", (*_L2A, "B10"), "{band}.tif"),
        "--s2-l2a-dir": Layout("*/*", "s2a_{parent}_{name}", _L2A, "{band}.tif"),
    },
    "uc-merced": {"--dataset-dir": Layout("**/*.tif", "{stem}", ("Red", "Green", "Blue"))},
}
"""Layouts by dataset and by the option that names the source folder."""
