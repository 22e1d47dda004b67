"""Every file that GDAL writes is decoded to what GDAL reads, or refused for a listed reason."""

import os
from collections import Counter

import numpy as np
import pytest
from rasterio.errors import RasterioError

from rico_hdl.decoding.tiff import Decoder
from tests.support import tiff_corpus
from tests.support.image_files import by_pillow
from tests.support.tiff_files import (
    bits_of,
    by_gdal,
    read_by_gdal,
    warnings_of_gdal,
)
from tests.support.tiff_mutations import attempt

STEP = 1 if os.environ.get("TIFF_CORPUS") == "all" else 127
"""One of how many combinations is tested. All of them, by ``TIFF_CORPUS=all``, take about two
hours on one core, estimated from 40,000 combinations that took 864 s.
"""

N_PARTS = 8


def outcome(number):
    """Write, read and decode one combination; returns in short how it went."""
    stack, options = tiff_corpus.case(number)
    if tiff_corpus.crashes_gdal(options):
        return "GDAL can't write"
    try:
        data = by_gdal(stack, **options)
    except (RasterioError, ValueError):
        return "GDAL can't write"
    with warnings_of_gdal() as warnings:
        try:
            theirs = bits_of(read_by_gdal(data))
        except RasterioError:
            theirs = None
    expected = tiff_corpus.refusals(data)
    ours, message = attempt(Decoder(), data)
    if ours is None:
        is_expected = any(reason in message for reason in expected)
        assert is_expected or theirs is None or warnings, (number, options, message)
        return "refused"
    assert not expected, (number, options, expected)
    if tiff_corpus.is_ycbcr(data):
        theirs = bits_of(list(by_pillow(data)))
    if theirs is not None and ours[0][0] == "float16":  # GDAL before 3.11 gives float32
        bands = [np.frombuffer(bits, dtype).reshape(shape) for dtype, shape, bits in ours]
        ours = bits_of([band.astype("f4") for band in bands])
    assert ours == theirs, (number, options, warnings)
    return "equal"


@pytest.mark.parametrize("part", range(N_PARTS))
def test_every_option_of_gdal(part):
    """Files of any combination of GDAL's creation options decode to GDAL's bits, or are refused."""
    numbers = range(part * STEP, tiff_corpus.N_CASES, N_PARTS * STEP)
    counts = Counter(map(outcome, numbers))
    assert counts["equal"] > counts["refused"]


@pytest.mark.fuzz
def test_random_options_of_gdal(rounds, seed):
    """The same is true of combinations chosen at random."""
    rng = np.random.default_rng(seed)
    for _ in rounds(5):
        for number in rng.integers(tiff_corpus.N_CASES, size=400):
            outcome(int(number))
