"""Sample datasets generated from the specs, with each dataset's real TIFF encoding.

In: a `DatasetSpec`. Out: folders laid out as the publisher's, with pixels that encode their own
position. It needs numpy and tifffile (numcodecs for Zarr stores), but no network, no real file, and
none of the code that it helps to test.
"""

from corpus.encodings import Encoding, encoding_of
from corpus.generate import generate
from corpus.patches import Patch, patches, shape_of
from corpus.pixels import noise, pixels

__all__ = [
    "Encoding",
    "Patch",
    "encoding_of",
    "generate",
    "noise",
    "patches",
    "pixels",
    "shape_of",
]
