"""Damaged array files, and a separate process that decodes them.

`python -m tests.support.array_mutations KIND SEED N` decodes N files with limited memory, and
compares the results with those of `numpy.load` (npy, npz), or of h5py when it reads the file
through a file object of Python (h5). It prints one line of JSON.
"""

import sys
import zipfile
import zlib
from functools import partial
from io import BytesIO

import h5py
import numpy as np

from rico_hdl.decoding.formats import decoder_of
from tests.support import mutations
from tests.support.array_files import hdf5, modality_of, npy, npz
from tests.support.image_files import stacked

_ERRORS = (
    *(OSError, ValueError, LookupError, RuntimeError, TypeError, EOFError, SyntaxError),
    *(NotImplementedError, MemoryError, zipfile.BadZipFile, zlib.error),
)
_LAYOUTS = (
    {},
    {"chunks": (1, 4, 4)},
    {"chunks": (1, 4, 4), "compression": "gzip"},
    {"chunks": True, "compression": "gzip", "shuffle": True, "fletcher32": True},
    {"compression": "lzf"},
)


def base_file(kind, rng):
    """An intact file with random pixels and options."""
    n_rows, n_columns = rng.choice([(4, 4), (9, 17), (24, 24), (70, 5)])
    stack = np.frombuffer(rng.randbytes(4 * n_rows * n_columns), "<u2").reshape(
        2, n_rows, n_columns
    )
    if rng.random() < 0.3:
        stack = stack // 1024
    if kind == "npy":
        return npy(stack)
    if kind == "npz":
        return npz(image=stack, other=stack, is_packed=rng.random() < 0.5)
    return hdf5({"a/image": stack, "other": stack}, **rng.choice(_LAYOUTS))


def judged(kind, data):
    """The array that the judge reads; None if it refuses the file."""
    try:
        if kind == "npy":
            return np.load(BytesIO(data))
        if kind == "npz":
            with np.load(BytesIO(data)) as file:
                return file["image"]
        # Without the address of information about drivers, which files in memory don't need.
        with h5py.File(BytesIO(data[:48] + b"\xff" * 8 + data[56:]), "r") as file:
            return file["a/image"][...]
    except _ERRORS:
        return None


def main(kind, seed, n_files):
    """Decode damaged files of one kind."""
    path = {"npy": "", "npz": "image", "h5": "a/image"}[kind]
    decoder = decoder_of(modality_of(f".{kind}", path=path))
    mutations.run(
        seed,
        n_files,
        base_file=partial(base_file, kind),
        damaged=mutations.damaged,
        decode=lambda data: stacked(decoder.decode(data)),
        judged=partial(judged, kind),
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
