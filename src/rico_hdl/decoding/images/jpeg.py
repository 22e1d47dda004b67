"""Decoding JPEG files with libjpeg-turbo, and noticing everything that it complains about.

`imagecodecs.jpeg8_decode` uses libjpeg-turbo's defaults: the accurate integer transform ("islow"),
smooth ("fancy") upsampling of chroma, and the conversion to RGB that the file's markers ask for.
Pillow, OpenCV and GDAL use the same, so all of them return the same pixels.

If the data of a JPEG is damaged or cut short, libjpeg warns and invents pixels, and `jpeg8_decode`
drops the warnings. libtiff, which decodes JPEG inside TIFF with the same library, passes them on,
and `imagecodecs.tiff_decode` logs them. So each file is decoded a second time, as the only strip
of a TIFF, and any warning is an error. Damage that leaves valid codes is not noticed by anybody:
JPEG has no checksums.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Final

from rico_hdl.decoding import codec_warnings
from rico_hdl.decoding.images.jpeg_header import JpegHeader, parse_header
from rico_hdl.decoding.raster import MAX_IMAGE_BYTES, Raster, bands_of
from rico_hdl.errors import DecodingError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from rico_hdl.system.memory import Allowance

_GREY, _YCBCR = 1, 6
"""TIFF's photometric interpretations."""
_SHORT, _LONG = 3, 4
"""TIFF's field types."""
_HARMLESS: Final = "The JPEG strip/tile is encoded with progressive mode"
"""libtiff's complaint about progressive JPEG, which TIFF does not allow."""
_RGBA_BYTES: Final = 4
"""Bytes of a pixel of `tiff_decode`, whatever the JPEG has."""


class JpegDecoder:
    """Decodes JPEG files; may be shared by threads."""

    def decode(self, data: bytes, allowance: Allowance | None = None) -> tuple[Raster, ...]:
        """Decode a file; the orientation in its EXIF data is ignored, as are thumbnails.

        Args:
            data: The whole file.
            allowance: The memory that decoding may take, beyond the file; any if None.

        Returns:
            One raster for grey files, three for colour: red, green, blue.

        Raises:
            MemoryLimitError: Decoding would take more memory.
            DecodingError: The file is damaged, or of a kind that is not supported.
            UsageError: The installed imagecodecs does not report damage.
        """
        header = parse_header(data)
        n_bytes = header.width * header.height * header.n_bands
        if n_bytes > MAX_IMAGE_BYTES:
            raise DecodingError(
                f"claims {header.width} x {header.height} pixels of {header.n_bands} samples: "
                f"{n_bytes} bytes decoded, expected at most {MAX_IMAGE_BYTES}"
            )
        if allowance is not None:
            # The file as a TIFF, and its image twice.
            n_pixels = header.width * header.height
            allowance.need(
                len(data) + jpeg_bytes(n_pixels, header.n_bands, is_buffered=header.is_buffered)
            )
        return bands_of(decode_image(data, header)[None])


def jpeg_bytes(n_pixels: int, n_bands: int, *, is_buffered: bool = True) -> int:
    """The memory that `decode_image` takes at its peak, beyond the file, in bytes."""
    return n_pixels * (_RGBA_BYTES + n_bands + (2 * n_bands if is_buffered else 0))


def decode_image(data: bytes, header: JpegHeader, colours: str | None = None) -> np.ndarray:
    """Decode a file to shape (rows, columns, samples).

    Args:
        data: The file.
        header: Its header.
        colours: How to interpret three components, ``YCBCR`` or ``RGB``; None to let the file's
            markers decide.

    Raises:
        DecodingError: The file is damaged, or libtiff does not support its subsampling.
        UsageError: The installed imagecodecs does not report damage.
    """
    import imagecodecs  # noqa: PLC0415 - takes a tenth of a second

    _check_that_damage_is_reported()
    try:
        # First, since libtiff limits the number of scans, and thereby the time that it takes.
        if warnings := _warnings_about(_as_tiff(data, header)):
            raise DecodingError(f"the JPEG file is damaged or cut short: {warnings[0]}")
        stored = colours if header.n_bands == 3 else None
        image = imagecodecs.jpeg8_decode(
            data, colorspace=stored, outcolorspace="RGB" if stored else None
        )
    except IndexError as error:
        raise DecodingError("can't be decoded: libtiff does not accept its header") from error
    except (imagecodecs.TiffError, imagecodecs.Jpeg8Error, ValueError, MemoryError) as error:
        raise DecodingError(f"can't be decoded: {' '.join(str(error).split())}") from error
    return image.reshape(header.height, header.width, header.n_bands)


def _as_tiff(data: bytes, header: JpegHeader) -> bytes:
    """A TIFF file with a JPEG file as its only strip."""
    kind = _GREY if header.n_bands == 1 else _YCBCR  # or RGB, which makes no difference here
    horizontal, vertical = header.sampling
    n_tags = 10 if kind == _YCBCR else 9
    bits_at = 8 + 2 + 12 * n_tags + 4
    bits = struct.pack("<4H", 8, 8, 8, 0)
    tags = [
        (256, _LONG, 1, header.width),
        (257, _LONG, 1, header.height),
        (258, _SHORT, header.n_bands, 8 if header.n_bands == 1 else bits_at),  # bits per sample
        (259, _SHORT, 1, 7),  # compression: JPEG
        (262, _SHORT, 1, kind),
        (273, _LONG, 1, bits_at + len(bits)),  # the offset of the strip
        (277, _SHORT, 1, header.n_bands),
        (278, _LONG, 1, header.height),  # rows per strip
        (279, _LONG, 1, len(data)),
        (530, _SHORT, 2, horizontal | vertical << 16),  # subsampling of chroma
    ]
    start = struct.pack("<2sHIH", b"II", 42, 8, n_tags)
    entries = [struct.pack("<2H2I", *tag) for tag in tags[:n_tags]]
    return b"".join([start, *entries, bytes(4), bits, data])


def _warnings_about(tiff: bytes) -> list[str]:
    """What libjpeg warns about while libtiff decodes a file."""
    import imagecodecs  # noqa: PLC0415 - takes a tenth of a second

    with codec_warnings.collected() as messages:
        imagecodecs.tiff_decode(tiff, verbose=True)
    return [message for message in messages if not message.startswith(_HARMLESS)]


@cache
def _check_that_damage_is_reported() -> None:
    """Check that this release of imagecodecs passes on libjpeg's warnings.

    Raises:
        UsageError: It does not, so damaged files would be stored with invented pixels.
    """
    import imagecodecs  # noqa: PLC0415 - takes a tenth of a second
    import numpy as np  # noqa: PLC0415 - the same

    noise = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64) * 2654435761 >> 24
    intact = bytes(imagecodecs.jpeg8_encode(noise.astype(np.uint8)))
    cut = intact[: len(intact) // 2]
    if not _warnings_about(_as_tiff(cut, parse_header(cut))):
        raise UsageError(
            f"imagecodecs {imagecodecs.__version__} does not report damage to JPEG files",
            "Install another release of imagecodecs, and report this to rico-hdl's authors.",
        )
