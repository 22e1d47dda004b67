"""Decoding PNG files: the samples that were written, which GDAL reads too, or an error."""

import json
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from rico_hdl.decoding.images.png import PngDecoder
from rico_hdl.errors import DecodingError, MemoryLimitError
from rico_hdl.system.memory import Allowance
from tests.support.image_files import (
    KINDS,
    PNG,
    SAMPLES,
    by_gdal,
    chunk,
    chunks_of,
    png,
    random_samples,
    stacked,
)
from tests.support.running import python

ROOT = Path(__file__).resolve().parents[2]
TRANSPARENT = {0: b"\0\1", 2: b"\0\1\0\2\0\3", 3: b"\0\x80"}
"""A transparent colour, by colour type."""


def decoded(data):
    """The bands that the decoder returns."""
    return stacked(PngDecoder().decode(data))


@pytest.mark.parametrize(("colour", "bits"), KINDS)
@pytest.mark.parametrize("interlaced", [False, True])
def test_samples_are_those_of_the_file(colour, bits, interlaced):
    """Every kind of file gives its samples as written, and as GDAL reads them.

    Palettes give indexes, narrow grey samples are not scaled, and gamma and transparent colours
    change nothing.
    """
    rng = random.Random(f"{colour} {bits}")
    extra = [chunk(b"gAMA", b"\0\0\xb1\x8f"), chunk(b"sBIT", b"\1" * (SAMPLES[colour] + 2))]
    if colour in TRANSPARENT:
        extra.append(chunk(b"tRNS", TRANSPARENT[colour]))
    for n_rows, n_columns in ((1, 1), (3, 5), (17, 20), (1, 9), (40, 33)):
        stack = random_samples(rng, (SAMPLES[colour], n_rows, n_columns), bits)
        data = png(stack, colour, bits, interlaced=interlaced, rng=rng, extra=extra, n_idat=3)
        for found in (decoded(data), by_gdal(data)):
            assert found.dtype == stack.dtype
            assert np.array_equal(found, stack)


def test_every_changed_byte_is_noticed():
    """A file with any byte changed is refused, thanks to its checksums."""
    data = png(random_samples(random.Random(0), (3, 9, 8), 8), rng=random.Random(0), n_idat=2)
    for at in range(len(data)):
        with pytest.raises(DecodingError, match=r"damaged|not a PNG|not supported"):
            decoded(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])


def _with(data, **bodies):
    """A file with other bodies of chunks, by name; None to leave one out."""
    parts = {name: bodies.get(name.decode(), body) for name, body in chunks_of(data)}
    return PNG + b"".join(chunk(name, body) for name, body in parts.items() if body is not None)


def _rows(filters):
    return zlib.compress(b"".join(bytes([one, 1, 2]) for one in filters))


def _header(*fields):
    return struct.pack(">2I5B", *fields)


GREY = png(np.array([[[1, 2], [3, 4]]], "u1"))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "not a PNG file: is empty"),
        (b"\xff\xd8\xff\xe0", "not a PNG file: is a JPEG image, expected 89 50"),
        (PNG, "expected a chunk of 0 bytes at byte 8"),
        (PNG + chunk(b"IDAT"), "first chunk is b'IDAT' of 0 bytes, expected IHDR of 13"),
        (_with(GREY, IDAT=None), "it has no pixels"),
        (_with(GREY, IHDR=_header(2, 2, 8, 3, 0, 0, 0)), "it has no palette"),
        (_with(GREY, IHDR=_header(2, 2, 16, 3, 0, 0, 0)), "depth 16, colour type 3"),
        (_with(GREY, IHDR=_header(2, 2, 8, 5, 0, 0, 0)), "depth 8, colour type 5"),
        (_with(GREY, IHDR=_header(2, 2, 8, 0, 0, 0, 2)), "interlace 2"),
        (_with(GREY, IHDR=_header(0, 2, 8, 0, 0, 0, 0)), "claims 0 x 2 pixels"),
        (_with(GREY, IHDR=_header(2**31 - 1, 2**31 - 1, 8, 0, 0, 0, 0)), "at most 536870912"),
        (_with(GREY, IHDR=_header(2, 3, 8, 0, 0, 0, 0)), "inflates to 6 bytes, expected 9"),
        (_with(GREY, IHDR=_header(2, 1, 8, 0, 0, 0, 0)), "does not inflate to 3 bytes"),
        (_with(GREY, IDAT=_rows([0, 0])[:-1]), "does not inflate"),
        (_with(GREY, IDAT=_rows([0, 0])[:-1] + b"\0"), "does not inflate"),
        (_with(GREY, IDAT=_rows([0, 5])), "can't be decoded: bad adaptive filter value"),
        (png(np.ones((1, 2, 2), "u1"), extra=[chunk(b"CgBI")]), "chunk b'CgBI' at byte 33 is not"),
        (png(np.ones((1, 2, 2), "u1"), extra=[chunk(b"te1t")]), "is named b'te1t'"),
        (GREY[:-12] + chunk(b"tEXt") + GREY[33:], "chunk IDAT at byte 71 is misplaced"),
    ],
)
def test_refused_files(data, what):
    """A damaged or unsupported file is an error in one line that says why."""
    with pytest.raises(DecodingError, match=what) as caught:
        decoded(data)
    assert "\n" not in str(caught.value)


def test_memory_is_asked_for_before_it_is_taken():
    """Decoding states its memory in advance: that of the inflated data and of the image."""
    data = _with(GREY, IHDR=_header(20_000, 20_000, 8, 0, 0, 0, 0))
    with pytest.raises(MemoryLimitError) as caught:
        PngDecoder().decode(data, Allowance(10**9))
    assert 1.2e9 < caught.value.n_bytes < 1.3e9


@pytest.mark.parametrize("seed", range(2))
def test_damaged_files_do_no_harm(seed):
    """Damaged files give GDAL's pixels or an error: no crash, hang or print."""
    done = python("-m", "tests.support.image_mutations", "png", seed, 400, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["wrong"] == []
    assert outcome["decoded"] > 450
    assert outcome["refused"] > 400


@pytest.mark.fuzz
def test_fresh_damaged_files_do_no_harm(rounds, seed):
    """Newly damaged files give GDAL's pixels or an error, too."""
    for number in rounds(10):
        test_damaged_files_do_no_harm(seed + number)
