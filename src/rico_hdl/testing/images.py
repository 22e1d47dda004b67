"""JPEG and PNG files in memory.

In: rasters. Out: the bytes of a file, encoded by libjpeg-turbo or libpng. It writes nothing to
disk.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from rico_hdl.spec import Modality


def kind_of(modality: Modality) -> str:
    """The format of a modality's files, by their extension: ``jpeg``, ``png`` or ``tiff``."""
    suffix = PurePosixPath(str(modality.files)).suffix.lower()
    return {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png"}.get(suffix, "tiff")


def encoded(stack: npt.NDArray[Any], kind: str) -> bytes:
    """A JPEG file with chroma at half the resolution, as most of them are, or a PNG file.

    Args:
        stack: (band, row, column), of integers of 8 bits, or 16 for PNG.
        kind: ``jpeg`` or ``png``.
    """
    image = np.ascontiguousarray(np.moveaxis(stack, 0, -1)).squeeze(
        axis=-1 if len(stack) == 1 else ()
    )
    if kind == "png":
        return bytes(imagecodecs.png_encode(image))
    return bytes(imagecodecs.jpeg8_encode(image, level=90, subsampling="420"))
