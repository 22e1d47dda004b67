"""GDAL as an independent decoder, to check conversions against.

In: the bytes of a file. Out: its bands, as rasterio reads them. This module needs rasterio, which
rico-hdl does not install, and shares no code with the decoder that conversions use.
"""

from __future__ import annotations

import warnings

from rico_hdl.decoding.tiff import Raster, rasters_of
from rico_hdl.errors import TiffError, UsageError


class GdalDecoder:
    """Decodes files with GDAL.

    Raises:
        UsageError: rasterio is not installed.
    """

    def __init__(self) -> None:
        try:
            from rasterio.errors import NotGeoreferencedWarning  # noqa: PLC0415 - optional
        except ImportError as error:
            raise UsageError(
                "the decoder gdal needs rasterio, which is not installed",
                "Install it: pip install rasterio",
            ) from error
        # Patches without georeferencing are common, and filters can't be set per thread.
        warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

    def decode(self, data: bytes) -> tuple[Raster, ...]:
        """Return the bands of the first image in a file, in file order.

        Raises:
            TiffError: GDAL can't read the file.
        """
        import rasterio  # noqa: PLC0415
        from rasterio.errors import RasterioError  # noqa: PLC0415
        from rasterio.io import MemoryFile  # noqa: PLC0415

        if not data:  # rasterio would open it for writing
            raise TiffError("not a TIFF file: it is empty")
        try:
            # GTIFF_RAW: CMYK and Lab as they are stored; GDAL converts some of them to RGB.
            with (
                MemoryFile(data) as memory,
                rasterio.open(f"GTIFF_RAW:{memory.name}", driver="GTiff") as file,
            ):
                return rasters_of(file.read())
        except RasterioError as error:
            raise TiffError(f"GDAL can't read the file: {error}") from error
