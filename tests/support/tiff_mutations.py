"""Damaged TIFF files, and a separate process that decodes them.

`python -m tests.support.tiff_mutations SEED N` decodes N files with limited memory, and compares
the results with GDAL. It prints one line of JSON: the numbers of decoded and refused files, and all
mistakes. It runs as a separate process because a crash or hang of a C library would end the test
run.
"""

import json
import logging
import os
import random
import struct
import sys
import zlib
from collections import Counter
from contextlib import contextmanager
from tempfile import TemporaryFile

import numpy as np
from rasterio.errors import RasterioError

from rico_hdl.decoding.tiff import Decoder, parse_header
from rico_hdl.errors import TiffError
from tests.support import tiff_corpus
from tests.support.tiff_files import (
    bits_of,
    by_gdal,
    by_tifffile,
    decoded_bits,
    random_stack,
    read_by_gdal,
    tifffile_options,
)

MAX_MEMORY_BYTES = 4 << 30
"""Address space, of which Python, GDAL and the libraries take 2 GiB."""

NULL = os.open(os.devnull, os.O_WRONLY)

_ODD_NUMBERS = (
    *range(10), 12, 15, 16, 17, 24, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 257, 4096, 32767,
    32768, 65535, 65536, 2**24, 2**28, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**62, 2**63,
    2**64 - 1,
)  # fmt: skip
_ODD_TAGS = (
    254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325,
    330, 338, 339, 347, 530, 532, 32996, 32997, 32998, 33550, 42112, 42113, 50674, 65000,
)  # fmt: skip
_ODD_TYPES = (*range(14), 16, 17, 18, 99)
_FORMATS = {1: "B", 3: "H", 4: "I", 16: "Q"}


def base_file(rng):
    """An intact file, or None if the writer doesn't support the random choices."""
    try:
        writer = rng.random()
        if writer < 0.5:
            stack = random_stack(rng, ("u1", "u2", "u2", "i2", "u4", "f4", "f8"))
            return by_tifffile(stack, **tifffile_options(rng, stack))
        if writer < 0.7:
            return tiff_corpus.by_careless_writer(rng)[0]
        stack, options = tiff_corpus.case(rng.randrange(tiff_corpus.N_CASES))
        return None if tiff_corpus.crashes_gdal(options) else by_gdal(stack, **options)
    except (ValueError, RasterioError):
        return None


def damaged(data, rng):
    """The file with one to three changes."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        how = rng.choices((_tag, _byte, _range, _cut, _shift), (55, 15, 8, 10, 12))[0]
        if changed:
            how(changed, rng)
    return bytes(changed)


def _cut(data, rng):
    del data[rng.randrange(len(data)) :]


def _byte(data, rng):
    data[rng.randrange(len(data))] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])


def _range(data, rng):
    start = rng.randrange(len(data))
    stop = min(len(data), start + rng.choice([2, 4, 16, 64]))
    data[start:stop] = bytes(stop - start) if rng.random() < 0.5 else rng.randbytes(stop - start)


def _shift(data, rng):
    at, n = rng.randrange(len(data)), rng.choice([1, 2, 7])
    data[at : at + n * rng.randrange(2)] = rng.randbytes(n * rng.randrange(2))


def _tag(data, rng):
    """Change an entry of the directory, or a value that it points to."""
    try:
        order = "<" if data[:2] == b"II" else ">"
        offset, count, at = ("I", "H", 4) if 42 in data[2:4] else ("Q", "Q", 8)
        (start,) = struct.unpack_from(order + offset, data, at)
        (n_entries,) = struct.unpack_from(order + count, data, start)
        width = struct.calcsize(offset)
        entry = start + struct.calcsize(count) + (4 + 2 * width) * rng.randrange(min(n_entries, 99))
        _, kind, n_values = struct.unpack_from(f"{order}HH{offset}", data, entry)
        form = _FORMATS.get(kind, "B")
        value = entry + 4 + width
        if n_values * struct.calcsize(form) > width and rng.random() < 0.7:
            (value,) = struct.unpack_from(order + offset, data, value)
            value += struct.calcsize(form) * rng.randrange(min(n_values, 10**6))
        (old,) = struct.unpack_from(order + form, data, value)
        place, form, new = rng.choices(
            [
                (entry, "H", rng.choice(_ODD_TAGS)),
                (entry + 2, "H", rng.choice(_ODD_TYPES)),
                (entry + 4, offset, rng.choice([*_ODD_NUMBERS, n_values + 1, n_values - 1])),
                (value, form, rng.choice(_ODD_NUMBERS)),
                (value, form, rng.choice([old + 1, old - 1, 2 * old, old // 2, old + 16])),
            ],
            (10, 10, 15, 30, 35),
        )[0]
        struct.pack_into(order + form, data, place, new % (1 << 8 * struct.calcsize(form)))
    except (struct.error, OverflowError, ValueError):  # an earlier change has removed it
        pass


@contextmanager
def stderr_to(descriptor):
    """Redirect everything that C libraries and Python print on stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    os.dup2(descriptor, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def attempt(decoder, data):
    """The decoded bits and no message, or None and the message."""
    try:
        return decoded_bits(decoder.decode(data)), ""
    except TiffError as error:
        return None, str(error)


def examine(intact, data, shared, counts):
    """Decode a damaged file and judge the result; returns a message if it is wrong, else None."""
    with TemporaryFile() as file, stderr_to(file.fileno()):
        ours, message = attempt(Decoder(), data)
        again, _ = attempt(shared, data)
        file.seek(0)
        printed = file.read()
    counts["refused"] += ours is None
    if printed or "\n" in message:
        return f"prints, or needs several lines: {printed} {message}"
    if again != ours:
        return "differs from what a decoder with a history gives"
    if ours is None:
        return None
    counts["decoded"] += 1
    try:
        # GDAL accepts damaged deflate streams, with whatever pixels happened to be in memory. Here
        # the checksum decides, and all pixels may happen to be right.
        is_right = same(ours, by_judge(data)) or ours == attempt(Decoder(), intact)[0]
        # It leaves the last pixels of padded streams undefined, too.
        if not is_right and (cut := without_padding(data)):
            is_right = same(ours, by_judge(cut))
    except RasterioError as error:
        # Where a byte count is missing, GDAL estimates it from all other tags, sometimes too low.
        return None if parse_header(data).byte_counts is None else f"GDAL refuses: {error}"
    return None if is_right else "differs from GDAL"


def by_judge(data):
    """The decoded bits by GDAL."""
    with stderr_to(NULL):  # rasterio complains there about names that are not UTF-8
        return bits_of(read_by_gdal(data))


def same(ours, theirs):
    """Whether the bits are the same, although GDAL before 3.11 gives float32 for float16."""
    if ours[0][0] != "float16":
        return ours == theirs
    ours, theirs = (
        [np.frombuffer(band[2], band[0]).astype("f4").tobytes() for band in bands]
        for bands in (ours, theirs)
    )
    return ours == theirs


def without_padding(data):
    """A file of deflate whose strips and tiles end after their pixels; None of any other."""
    header = parse_header(data)
    if header.compression not in {8, 32946}:
        return None
    blocks, out = header.read_blocks(data), bytearray(data)
    for i, (start, count, size) in enumerate(
        zip(blocks.offsets, blocks.counts, blocks.sizes, strict=True)
    ):
        if count:
            pixels = zlib.decompressobj().decompress(data[start : start + count])[:size]
            stream = zlib.compress(pixels)
            if header.byte_counts is None:  # the stream takes the rest of the file
                return data[:start] + stream
            for values, value in ((header.offsets, len(out)), (header.byte_counts, len(stream))):
                form = struct.Struct(header.byte_order + values.format)
                form.pack_into(out, values.start + i * form.size, value)
            out += stream
    return bytes(out)


def main(seed, n_files):
    """Decode damaged files; print the counts and all mistakes."""
    try:
        import resource
    except ImportError:  # Windows
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    for logger in ("rasterio", "tifffile"):  # which log what GDAL and tifffile report
        logging.getLogger(logger).setLevel(logging.CRITICAL + 1)
    counts, wrong, shared, base = Counter(), [], Decoder(), None
    for i in range(n_files):
        rng = random.Random(f"{seed} {i}")
        if i % 10 == 0:
            base = None
        while base is None:
            base = base_file(rng)
        if message := examine(base, damaged(base, rng), shared, counts):
            wrong.append(f"{i}: {message}")
    sys.stdout.write(json.dumps({**counts, "wrong": wrong}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
