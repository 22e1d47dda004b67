"""Generate the corpus: BigEarthNet-like Sentinel-2 patches, as GeoTIFFs and as plain arrays.

The arrays are read from the GeoTIFFs with tifffile, so neither rico-hdl nor rasterio judges itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import tifffile

from corpus import generate
from formats.tasks import GROUPS, SIDES
from rico_hdl.datasets import registry

if TYPE_CHECKING:
    from pathlib import Path


def make(folder: Path, n_patches: int) -> None:
    """Write the corpus that `tasks.Corpus.load` reads."""
    source = generate(registry()["bigearthnet"], folder, n_patches, modalities={"s2"}, noise=True)[
        "s2"
    ]
    patches = sorted((path for path in source.glob("*/*") if path.is_dir()), key=lambda p: p.name)
    for name, bands in GROUPS.items():
        side = SIDES[name]
        array = np.lib.format.open_memmap(
            folder / f"{name}.npy", "w+", np.uint16, (len(patches), len(bands), side, side)
        )
        for pixels, patch in zip(array, patches, strict=True):
            for position, band in enumerate(bands):
                pixels[position] = tifffile.imread(patch / f"{patch.name}_{band}.tif")
        array.flush()
    keys = json.dumps([patch.name for patch in patches])
    (folder / "keys.json").write_text(keys, encoding="utf-8")
