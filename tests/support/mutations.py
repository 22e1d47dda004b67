"""Decode damaged files in a separate process, and compare the results with a judge's.

What damaged images and damaged array files have in common. The process has limited memory; a crash
or hang of a C library ends it, not the test run.
"""

import json
import random
import sys
from collections import Counter
from tempfile import TemporaryFile

from rico_hdl.errors import DecodingError
from tests.support.tiff_mutations import MAX_MEMORY_BYTES, stderr_to


def change(data, rng):
    """Exchange, remove or insert a few bytes, or cut the data off."""
    if not data:
        return
    at, n = rng.randrange(len(data)), rng.choice([1, 1, 1, 2, 4, 16])
    kind = rng.choices(("exchange", "clear", "remove", "insert", "cut"), (60, 10, 10, 10, 10))[0]
    if kind == "cut":
        del data[at:]
        return
    new = {"exchange": rng.randbytes(n), "clear": bytes(n), "insert": rng.randbytes(n)}
    data[at : at if kind == "insert" else at + n] = new.get(kind, b"")


def damaged(data, rng):
    """The file with one to three changes."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        change(changed, rng)
    return bytes(changed)


def examine(decode, judged, data, counts):
    """Decode a file and judge the result; returns a message if it is wrong, else None."""
    ours, message = None, ""
    with TemporaryFile() as file, stderr_to(file.fileno()):
        try:
            ours = decode(data)
        except DecodingError as error:
            message = str(error)
        file.seek(0)
        printed = file.read()
    counts["refused" if ours is None else "decoded"] += 1
    if printed or "\n" in message:
        return f"prints, or needs several lines: {printed} {message}"
    if ours is None:
        return None
    theirs = judged(data)
    if theirs is None:
        return "is accepted, but the judge refuses it"
    theirs = theirs.astype(theirs.dtype.newbyteorder("<"))
    same = (ours.dtype, ours.shape, ours.tobytes()) == (
        theirs.dtype,
        theirs.shape,
        theirs.tobytes(),
    )
    return None if same else "differs from what the judge reads"


def run(seed, n_files, *, base_file, damaged, decode, judged):
    """Decode damaged files; print the counts and all mistakes as one line of JSON.

    Args:
        seed: From which all random numbers follow.
        n_files: How many intact files are made, each of which is decoded as it is, and damaged
            twice.
        base_file: Makes an intact file's bytes from a random number generator.
        damaged: Changes a file's bytes, with a random number generator.
        decode: Returns a file's bands as one array, or raises `DecodingError`.
        judged: Returns the array that the judge reads, or None if it refuses the file.
    """
    try:
        import resource
    except ImportError:  # Windows
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    counts, wrong = Counter(), []
    for i in range(n_files):
        rng = random.Random(f"{seed} {i}")
        data = base_file(rng)
        for number, changed in enumerate([data, *(damaged(data, rng) for _ in range(2))]):
            message = examine(decode, judged, changed, counts)
            wrong += [f"{i}, {number}: {message}"] if message else []
    sys.stdout.write(json.dumps({**counts, "wrong": wrong}))
