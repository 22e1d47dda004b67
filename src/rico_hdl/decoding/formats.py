"""The formats of files, and the decoder of each, by the extension of files' names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from rico_hdl.decoding.raster import Raster
    from rico_hdl.spec import Modality
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


# Each decoder is imported when it is needed: most datasets need one, and many commands none.


def _tiff() -> BoundedDecoder:
    from rico_hdl.decoding.tiff import Decoder  # noqa: PLC0415

    return Decoder()


def _jpeg() -> BoundedDecoder:
    from rico_hdl.decoding.images.jpeg import JpegDecoder  # noqa: PLC0415

    return JpegDecoder()


def _png() -> BoundedDecoder:
    from rico_hdl.decoding.images.png import PngDecoder  # noqa: PLC0415

    return PngDecoder()


TIFF: Final = ImageFormat("TIFF", (".tif", ".tiff"), _tiff)
_LIBJPEG: Final = "libjpeg-turbo: accurate integer DCT, fancy upsampling"
IMAGE_FORMATS: Final = (
    TIFF,
    ImageFormat("JPEG", (".jpg", ".jpeg"), _jpeg, _LIBJPEG),
    ImageFormat("PNG", (".png",), _png),
)
"""The formats of images that are decoded."""


def format_of(name: str) -> ImageFormat:
    """The format of files with this name, or with names of this template: TIFF if none is known."""
    suffix = PurePosixPath(name).suffix.lower()
    for known in IMAGE_FORMATS:
        if suffix in known.suffixes:
            return known
    return TIFF


def decoder_of(modality: Modality) -> BoundedDecoder:
    """A new decoder of a modality's files."""
    if modality.arrays is None or not modality.arrays.are_files:
        return format_of(str(modality.files)).make_decoder()
    from rico_hdl.decoding.arrays import ARRAY_DECODERS  # noqa: PLC0415

    return ARRAY_DECODERS[modality.suffix.lower()](modality)
