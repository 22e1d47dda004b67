"""Damaged JPEG and PNG files, and a separate process that decodes them.

`python -m tests.support.image_mutations KIND SEED N` decodes N files with limited memory, and
compares the results with Pillow's (jpeg) or GDAL's (png). It prints one line of JSON.
"""

import sys
from functools import partial

from PIL import Image
from rasterio.errors import RasterioError

from rico_hdl.decoding.images.jpeg import JpegDecoder
from rico_hdl.decoding.images.png import PngDecoder
from tests.support import image_files as files
from tests.support import mutations
from tests.support.tiff_mutations import NULL, stderr_to

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


def damaged_chunks(data, rng):
    """The PNG file with damage, of which more than half has checksums that fit."""
    if rng.random() >= 0.6:
        return mutations.damaged(data, rng)
    chunks = files.chunks_of(data)
    i = rng.randrange(len(chunks))
    name, body = chunks[i]
    changed = bytearray(rng.choice([name + body, name + body, body and name + body]) or name)
    mutations.change(changed, rng)
    if rng.random() < 0.7 and len(changed) > 3:  # the name is worth less than the content
        changed[:4] = name
    chunks[i] = bytes(changed[:4]).ljust(4, b"a"), bytes(changed[4:])
    if rng.random() < 0.1:
        rng.shuffle(chunks)
    return files.PNG + b"".join(files.chunk(*parts) for parts in chunks)


def judged(kind, data):
    """The bands that the judge finds; None if it refuses the file."""
    try:
        with stderr_to(NULL):
            return files.by_pillow(data) if kind == "jpeg" else files.by_gdal(data)
    except (RasterioError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def main(kind, seed, n_files):
    """Decode damaged files of one kind."""
    decoder = _DECODERS[kind]()
    mutations.run(
        seed,
        n_files,
        base_file=partial(base_file, kind),
        damaged=damaged_chunks if kind == "png" else mutations.damaged,
        decode=lambda data: files.stacked(decoder.decode(data)),
        judged=partial(judged, kind),
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
