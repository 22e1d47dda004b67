"""The GeoTIFFs as published, read with rasterio."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import rasterio

from formats.protocol import RandomReader
from formats.tasks import BANDS, GROUPS, NEEDED, RGB, Array, pick

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from formats.tasks import Corpus, Sample


class GeoTIFFs(RandomReader):
    """One file per band."""

    libraries: ClassVar[tuple[str, ...]] = ("rasterio",)
    tuning = (
        "one open per requested band, inside one `rasterio.Env` with"
        " `GDAL_DISABLE_READDIR_ON_OPEN=EMPTY_DIR`, so GDAL does not look for side files"
    )

    def __init__(self, folder: Path, corpus: Corpus) -> None:
        super().__init__(folder, corpus)
        self._paths = [
            f"{corpus.geotiffs}/{key.rsplit('_', 2)[0]}/{key}/{key}" for key in self.keys
        ]

    @classmethod
    def write(cls, corpus: Corpus, folder: Path) -> None:
        """Write only the path of the corpus, which consists of these files."""
        (folder / "elsewhere").write_text(str(corpus.geotiffs), encoding="utf-8")

    def single(self, task: str) -> Callable[[int], Sample]:
        """Open, read, close."""
        # It lasts as long as the process: GDAL's settings hold for its thread.
        self._settings = rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR")
        self._settings.__enter__()

        def one(path: str, band: str) -> Array:
            with rasterio.open(f"{path}_{band}.tif") as file:
                pixels: Array = file.read(1)
                return pixels

        def stack(path: str, bands: Sequence[str]) -> Array:
            return np.stack([one(path, band) for band in bands])

        def read(index: int) -> Sample:
            path = self._paths[index]
            if task == "T1":
                return stack(path, RGB)
            if task == "T3":
                return {band: one(path, band) for band in BANDS}
            return pick({name: stack(path, GROUPS[name]) for name in NEEDED[task]}, task)

        return read
