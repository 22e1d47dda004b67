"""Every decoder returns the pixels that an independent writer stored."""

from rico_hdl.decoding.gdal import GdalDecoder
from rico_hdl.decoding.tiff import Decoder
from tests.contracts.decoders import DecoderContract
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
