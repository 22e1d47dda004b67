"""From the bytes of a TIFF file to its bands, bit for bit.

In: a whole file as bytes. Out: one `Raster` for each band. Uncompressed files are sliced where
their pixels lie; everything else is decompressed, by libtiff unless there is a better way. A file
about whose pixels there is any doubt is an error, never a guess. Nothing here opens files or knows
what a dataset is.
"""

from rico_hdl.decoding.raster import Raster, rasters_of
from rico_hdl.decoding.tiff.decode import Decoder
from rico_hdl.decoding.tiff.header import TiffHeader, parse_header

__all__ = ["Decoder", "Raster", "TiffHeader", "parse_header", "rasters_of"]
