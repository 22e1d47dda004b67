"""GDAL as an independent decoder, to check conversions against.

In: the bytes of a file. Out: its bands, as rasterio reads them. This module needs rasterio, which
rico-hdl does not install, and shares no code with the decoders that conversions use.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Final

from rico_hdl.decoding.images.jpeg_header import JPEG_START
from rico_hdl.decoding.images.png import PNG_START
from rico_hdl.decoding.raster import Raster, rasters_of
from rico_hdl.errors import DecodingError, UsageError

if TYPE_CHECKING:
    import numpy as np

_DRIVERS: Final = ((JPEG_START, "", "JPEG"), (PNG_START, "", "PNG"), (b"", "GTIFF_RAW:", "GTiff"))
"""The beginning of a file, GDAL's prefix of its path, and the name of the driver. GTIFF_RAW: CMYK
and Lab as they are stored; GDAL converts some of them to RGB."""


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
            DecodingError: GDAL can't read the file.
            UsageError: This GDAL decodes the colours of JPEG in another way.
        """
        if not data:  # rasterio would open it for writing
            raise DecodingError("it is empty")
        bands, has_chroma = _read(data)
        if has_chroma:
            _check_libjpeg()
        return rasters_of(bands)


def _read(data: bytes) -> tuple[np.ndarray, bool]:
    """The bands of a file, of shape (band, row, column), and whether they were YCbCr in JPEG.

    Raises:
        DecodingError: GDAL can't read the file, or libjpeg warns about it.
    """
    import numpy as np  # noqa: PLC0415
    import rasterio  # noqa: PLC0415
    from rasterio.enums import PhotometricInterp  # noqa: PLC0415
    from rasterio.errors import RasterioError  # noqa: PLC0415
    from rasterio.io import MemoryFile  # noqa: PLC0415

    prefix, driver = next(names for start, *names in _DRIVERS if data.startswith(start))
    try:
        with (
            rasterio.Env(GDAL_ERROR_ON_LIBJPEG_WARNING=True),
            MemoryFile(data) as memory,
            rasterio.open(f"{prefix}{memory.name}", driver=driver) as file,
        ):
            is_colour_jpeg = driver == "JPEG" and file.count > 1
            return np.asarray(
                file.read()
            ), is_colour_jpeg or file.photometric is PhotometricInterp.ycbcr
    except RasterioError as error:
        raise DecodingError(f"GDAL can't read the file: {error}") from error


@cache
def _check_libjpeg() -> None:
    """Check that GDAL decodes colour JPEG as libjpeg-turbo does.

    Raises:
        UsageError: It does not: the GDAL in rasterio's wheels has the libjpeg of the Independent
            JPEG Group, whose chroma differs since version 7.
    """
    import imagecodecs  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    noise = np.arange(16 * 16 * 3, dtype=np.uint32) * 2654435761 >> 24
    image = noise.astype(np.uint8).reshape(16, 16, 3)
    data = bytes(imagecodecs.jpeg8_encode(image, subsampling="420"))
    bands, _ = _read(data)
    if not np.array_equal(np.moveaxis(bands, 0, -1), imagecodecs.jpeg8_decode(data)):
        raise UsageError(
            "this GDAL decodes colour JPEG with another library than libjpeg-turbo, so its values "
            "differ slightly from those that are stored",
            "Use a GDAL that was built with libjpeg-turbo, such as conda-forge's, or leave out "
            "--decoder gdal.",
        )
