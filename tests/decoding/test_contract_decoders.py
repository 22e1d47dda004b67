"""Every decoder returns the pixels that an independent writer stored."""

import random
from typing import ClassVar

import numpy as np

from rico_hdl.decoding.arrays import Hdf5Decoder, NpyDecoder, NpzDecoder
from rico_hdl.decoding.formats import decoder_of, format_of
from rico_hdl.decoding.gdal import GdalDecoder
from rico_hdl.decoding.images.jpeg import JpegDecoder
from rico_hdl.decoding.images.png import PngDecoder
from rico_hdl.decoding.tiff import Decoder
from rico_hdl.testing.contracts.decoders import SHAPES, DecoderContract
from tests.support.array_files import DTYPES, hdf5, modality_of, npy, npz, with_axes
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


class TestNpy(DecoderContract):
    """Files of numpy in the order of a raster."""

    dtypes = DTYPES

    def encode(self, stack):
        return npy(stack)

    def decoder(self):
        return NpyDecoder(modality_of(".npy"))


class TestNpyOfBigEndianNumbers(TestNpy):
    """Files of numpy with the bytes of each number reversed."""

    def encode(self, stack):
        return npy(stack.astype(stack.dtype.newbyteorder(">")))


class TestNpyWithChannelsLast(TestNpy):
    """Files of numpy in Fortran order whose last axis is the bands."""

    def encode(self, stack):
        return npy(np.asfortranarray(with_axes(stack, "y x band")), version=(2, 0))

    def decoder(self):
        return decoder_of(modality_of(".NPY", "y x band"))


class TestNpz(TestNpy):
    """One of the arrays in a file of numpy."""

    def encode(self, stack):
        return npz(other=np.arange(9), image=with_axes(stack, "x band y"))

    def decoder(self):
        return NpzDecoder(modality_of(".npz", "x band y", "image"))


class TestPackedNpz(TestNpz):
    """Compressed files of numpy, decoded as their template's extension says."""

    def encode(self, stack):
        return npz(image=with_axes(stack, "x band y"), other=np.arange(9), is_packed=True)

    def decoder(self):
        return decoder_of(modality_of(".npz", "x band y", "image"))


class TestHdf5(TestNpy):
    """One of the datasets in an HDF5 file."""

    def encode(self, stack):
        return hdf5({"other": np.arange(9), "image": stack})

    def decoder(self):
        return Hdf5Decoder(modality_of(".h5", path="image"))


class TestPackedHdf5(TestHdf5):
    """A dataset in a group, in small compressed chunks of big-endian numbers, channels last."""

    def encode(self, stack):
        array = with_axes(stack.astype(stack.dtype.newbyteorder(">")), "y x band")
        chunks = tuple(-(-side // 2) for side in array.shape)
        return hdf5({"a/b": array}, chunks=chunks, compression="gzip", shuffle=True)

    def decoder(self):
        return decoder_of(modality_of(".HDF5", "y x band", "a/b"))
