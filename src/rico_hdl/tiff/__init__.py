"""From the bytes of a TIFF file to its bands, bit for bit.

In: a whole file as bytes. Out: one `Raster` for each band. Uncompressed files are sliced where their
pixels lie; everything else goes through libtiff. A file about whose pixels there is any doubt is an
error, never a guess. Nothing here opens files or knows what a dataset is.
"""

from rico_hdl.tiff.decode import Decoder, Raster
from rico_hdl.tiff.header import Header, parse_header

__all__ = ["Decoder", "Header", "Raster", "parse_header"]
