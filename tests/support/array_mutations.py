"""Damaged array files, and a separate process that decodes them.

`python -m tests.support.array_mutations KIND SEED N` decodes N files with limited memory, and
compares the results with those of `numpy.load` (npy, npz), or of h5py when it reads the file
through a file object of Python (h5). It prints one line of JSON, as
`tests.support.image_mutations` does.
"""

import json
import random
import sys
import zipfile
import zlib
from collections import Counter
from io import BytesIO
from tempfile import TemporaryFile

import h5py
import numpy as np

from rico_hdl.decoding.formats import decoder_of
from rico_hdl.errors import DecodingError
from tests.support.array_files import hdf5, modality_of, npy, npz
from tests.support.image_files import stacked
from tests.support.image_mutations import damaged
from tests.support.tiff_mutations import MAX_MEMORY_BYTES, stderr_to

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


def examine(kind, data, counts):
    """Decode a file and judge the result; returns a message if it is wrong, else None."""
    path = {"npy": "", "npz": "image", "h5": "a/image"}[kind]
    ours, message = None, ""
    with TemporaryFile() as file, stderr_to(file.fileno()):
        try:
            ours = stacked(decoder_of(modality_of(f".{kind}", path=path)).decode(data))
        except DecodingError as error:
            message = str(error)
        file.seek(0)
        printed = file.read()
    counts["refused" if ours is None else "decoded"] += 1
    if printed or "\n" in message:
        return f"prints, or needs several lines: {printed} {message}"
    if ours is None:
        return None
    theirs = judged(kind, data)
    if theirs is None:
        return "is accepted, but the judge refuses it"
    theirs = theirs.astype(theirs.dtype.newbyteorder("<"))
    same = (ours.dtype, ours.shape, ours.tobytes()) == (
        theirs.dtype,
        theirs.shape,
        theirs.tobytes(),
    )
    return None if same else "differs from what the judge reads"


def main(kind, seed, n_files):
    """Decode damaged files; print the counts and all mistakes."""
    try:
        import resource
    except ImportError:  # Windows
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    counts, wrong = Counter(), []
    for i in range(n_files):
        rng = random.Random(f"{seed} {i}")
        data = base_file(kind, rng)
        for number, changed in enumerate([data, *(damaged(kind, data, rng) for _ in range(2))]):
            message = examine(kind, changed, counts)
            wrong += [f"{i}, {number}: {message}"] if message else []
    sys.stdout.write(json.dumps({**counts, "wrong": wrong}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
