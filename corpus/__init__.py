"""Sample datasets made from the specs, with each dataset's real TIFF encoding.

In: a `DatasetSpec`. Out: folders laid out as the publisher's, with pixels that encode their own
place. It needs numpy and tifffile (numcodecs for Zarr stores), never a network or a real file, and
none of the code that it is there to test.
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
