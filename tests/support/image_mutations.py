"""Damaged JPEG and PNG files, and a separate process that decodes them.

`python -m tests.support.image_mutations KIND SEED N` decodes N files with limited memory, and
compares the results with Pillow's (jpeg) or GDAL's (png). It prints one line of JSON, as
`tests.support.tiff_mutations` does.
"""

import json
import random
import sys
from collections import Counter
from tempfile import TemporaryFile

from PIL import Image
from rasterio.errors import RasterioError

from rico_hdl.decoding.images.jpeg import JpegDecoder
from rico_hdl.decoding.images.png import PngDecoder
from rico_hdl.errors import DecodingError
from tests.support import image_files as files
from tests.support.tiff_mutations import MAX_MEMORY_BYTES, NULL, stderr_to

_DECODERS = {"jpeg": JpegDecoder, "png": PngDecoder}


def base_file(kind, rng):
    """An intact file with random pixels and options."""
    n_rows, n_columns = rng.choice([(1, 1), (9, 17), (24, 24), (33, 40), (70, 5)])
    if kind == "jpeg":
        stack = files.smooth(rng, (rng.choice([1, 3, 3]), n_rows, n_columns))
        options = {"quality": rng.choice([30, 75, 95]), "progressive": rng.random() < 0.3}
        if rng.random() < 0.3:
            options["restart_marker_blocks"] = 2
        if len(stack) == 3:
            options |= rng.choice([{"subsampling": rng.randrange(3)}, {"keep_rgb": True}])
        return files.jpeg(stack, **options)
    colour, bits = rng.choice(files.KINDS)
    stack = files.random_samples(rng, (files.SAMPLES[colour], n_rows, n_columns), bits)
    extra = [files.chunk(b"tEXt", b"a\0b"), files.chunk(b"gAMA", b"\0\0\xb1\x8f")]
    interlaced = rng.random() < 0.3
    return files.png(
        stack, colour, bits, interlaced=interlaced, rng=rng, extra=extra, n_idat=rng.choice([1, 3])
    )


def damaged(kind, data, rng):
    """The file with one to three changes, of which some have checksums that fit."""
    if kind == "png" and rng.random() < 0.6:
        chunks = files.chunks_of(data)
        i = rng.randrange(len(chunks))
        name, body = chunks[i]
        changed = bytearray(rng.choice([name + body, name + body, body and name + body]) or name)
        _change(changed, rng)
        if rng.random() < 0.7 and len(changed) > 3:  # the name is worth less than the content
            changed[:4] = name
        chunks[i] = bytes(changed[:4]).ljust(4, b"a"), bytes(changed[4:])
        if rng.random() < 0.1:
            rng.shuffle(chunks)
        return files.PNG + b"".join(files.chunk(*parts) for parts in chunks)
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        _change(changed, rng)
    return bytes(changed)


def _change(data, rng):
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


def judged(kind, data):
    """The bands that the judge finds; None if it refuses the file."""
    try:
        with stderr_to(NULL):
            return files.by_pillow(data) if kind == "jpeg" else files.by_gdal(data)
    except (RasterioError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def examine(kind, data, counts):
    """Decode a file and judge the result; returns a message if it is wrong, else None."""
    ours, message = None, ""
    with TemporaryFile() as file, stderr_to(file.fileno()):
        try:
            ours = files.stacked(_DECODERS[kind]().decode(data))
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
