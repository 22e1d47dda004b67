"""Decoding the bytes of a TIFF file into its bands, bit for bit.

In: a whole file as bytes. Out: one `Raster` per band. Uncompressed files are sliced; everything
else is decompressed, by libtiff unless there is a better way. If there is any doubt about a file's
pixels, decoding raises an error and never guesses. Nothing here opens files or knows about
datasets.
"""

from rico_hdl.decoding.raster import Raster, rasters_of
from rico_hdl.decoding.tiff.decode import Decoder
from rico_hdl.decoding.tiff.header import TiffHeader, parse_header

__all__ = ["Decoder", "Raster", "TiffHeader", "parse_header", "rasters_of"]
