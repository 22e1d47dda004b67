"""Decoding the bytes of array files, of numpy and HDF5, into their bands.

In: a whole file as bytes, and the spec's `Arrays`, which say what the array is called and what its
axes are. Out: one `Raster` per band, bit for bit. Nothing in a file is ever run: pickled objects
are refused, and attributes are not read.
"""

from typing import Final

from rico_hdl.decoding.arrays.hdf5 import Hdf5Decoder
from rico_hdl.decoding.arrays.npy import NpyDecoder
from rico_hdl.decoding.arrays.npz import NpzDecoder

__all__ = ["ARRAY_DECODERS", "Hdf5Decoder", "NpyDecoder", "NpzDecoder"]

ARRAY_DECODERS: Final[dict[str, type[Hdf5Decoder | NpyDecoder | NpzDecoder]]] = {
    ".npy": NpyDecoder,
    ".npz": NpzDecoder,
    ".h5": Hdf5Decoder,
    ".hdf5": Hdf5Decoder,
}
"""The decoder of array files by their extension, lower-case; each is made for a modality."""
