"""Every decoder returns the pixels that an independent writer stored."""

import random
from typing import ClassVar

from rico_hdl.decoding.formats import format_of
from rico_hdl.decoding.gdal import GdalDecoder
from rico_hdl.decoding.images.jpeg import JpegDecoder
from rico_hdl.decoding.images.png import PngDecoder
from rico_hdl.decoding.tiff import Decoder
from tests.contracts.decoders import SHAPES, DecoderContract
from tests.support.image_files import by_pillow, jpeg, png
from tests.support.tiff_files import by_gdal, by_tifffile


class TestUncompressed(DecoderContract):
    """Files whose pixels are sliced."""

    def encode(self, stack):
        return by_tifffile(stack, photometric="minisblack", rowsperstrip=7)

    def decoder(self):
        return Decoder()


class TestDeflate(TestUncompressed):
    """Strips of differences, which are inflated one by one."""

    dtypes = ("uint8", "uint16", "int16", "uint32")

    def encode(self, stack):
        options = {"compression": "zlib", "predictor": True, "rowsperstrip": 7}
        return by_tifffile(stack, photometric="minisblack", **options)


class TestLibtiff(TestUncompressed):
    """Tiles, which only libtiff decodes."""

    def encode(self, stack):
        return by_gdal(stack, compress="lzw", tiled=True, blockxsize=16, blockysize=16)


class TestGdal(TestUncompressed):
    """GDAL, on files that GDAL did not write."""

    def decoder(self):
        return GdalDecoder()


class TestPng(DecoderContract):
    """PNG files with all filters."""

    dtypes = ("uint8", "uint16")

    def encode(self, stack):
        return png(stack, rng=random.Random(0), n_idat=2)

    def decoder(self):
        return PngDecoder()


class TestInterlacedPng(TestPng):
    """PNG files in seven passes, decoded as their template's extension says."""

    def encode(self, stack):
        return png(stack, interlaced=True, rng=random.Random(0))

    def decoder(self):
        return format_of("{patch}.PNG").make_decoder()


class TestGdalPng(TestPng):
    """GDAL on PNG files."""

    # Its decoder is satisfied with the last chunk's beginning.
    notices_every_cut = False

    def decoder(self):
        return GdalDecoder()


class TestJpeg(DecoderContract):
    """JPEG files, whose pixels are those that Pillow decodes."""

    dtypes = ("uint8",)
    shapes: ClassVar = tuple(shape for shape in SHAPES if shape[0] in {1, 3})
    options: ClassVar = {"quality": 90}

    def encode(self, stack):
        return jpeg(stack, **self.options)

    def judged(self, data, stack):
        assert stack.shape == by_pillow(data).shape
        return by_pillow(data)

    def decoder(self):
        return JpegDecoder()


class TestProgressiveJpeg(TestJpeg):
    """Progressive JPEG files, decoded as their template's extension says."""

    options: ClassVar = {"quality": 90, "progressive": True}

    def decoder(self):
        return format_of("{patch}.JPeG").make_decoder()


class TestGdalJpeg(TestJpeg):
    """GDAL on grey JPEG files, which every libjpeg decodes alike."""

    shapes: ClassVar = tuple(shape for shape in SHAPES if shape[0] == 1)

    def decoder(self):
        return GdalDecoder()
