"""The formats of image files, and the decoder of each, by the extension of files' names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Final, NamedTuple, Protocol

from rico_hdl.decoding.images import JpegDecoder, PngDecoder
from rico_hdl.decoding.raster import Raster
from rico_hdl.decoding.tiff import Decoder
from rico_hdl.system.memory import Allowance


class BoundedDecoder(Protocol):
    """Decodes the bytes of a file within a given memory; may be shared by threads."""

    def decode(self, data: bytes, allowance: Allowance | None = None) -> tuple[Raster, ...]:
        """Return the bands of a file, in file order.

        Args:
            data: The whole file.
            allowance: The memory that decoding may take, beyond the file; any if None.

        Raises:
            MemoryLimitError: Decoding would take more memory.
            DecodingError: The file can't be decoded.
        """


class ImageFormat(NamedTuple):
    """A format of image files."""

    name: str
    suffixes: tuple[str, ...]
    """The endings of file names, lower-case, with the dot."""
    make_decoder: Callable[[], BoundedDecoder]
    decoded_by: str | None = None
    """What defines the pixels of lossy files; None if they are lossless."""


TIFF: Final = ImageFormat("TIFF", (".tif", ".tiff"), Decoder)
_LIBJPEG: Final = "libjpeg-turbo: accurate integer DCT, fancy upsampling"
IMAGE_FORMATS: Final = (
    TIFF,
    ImageFormat("JPEG", (".jpg", ".jpeg"), JpegDecoder, _LIBJPEG),
    ImageFormat("PNG", (".png",), PngDecoder),
)
"""The formats that are decoded."""


def format_of(name: str) -> ImageFormat:
    """The format of files with this name, or with names of this template: TIFF if none is known."""
    suffix = PurePosixPath(name).suffix.lower()
    for known in IMAGE_FORMATS:
        if suffix in known.suffixes:
            return known
    return TIFF
