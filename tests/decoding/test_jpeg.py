"""Decoding JPEG files: the pixels of libjpeg-turbo, as Pillow reads them, or an error."""

import json
import logging
import random
import re
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from rico_hdl.decoding.images.jpeg import JpegDecoder, _check_that_damage_is_reported
from rico_hdl.errors import DecodingError, MemoryLimitError, UsageError
from rico_hdl.system.memory import Allowance
from tests.support.image_files import by_gdal, by_pillow, jpeg, smooth, stacked
from tests.support.running import python

ROOT = Path(__file__).resolve().parents[2]
SIZES = ((1, 1), (7, 9), (8, 8), (17, 16), (64, 64), (100, 33))
OPTIONS = {
    "4:2:0": {},
    "4:2:2": {"subsampling": 1},
    "4:4:4": {"subsampling": 0},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 3},
    "coarse": {"quality": 20, "optimize": True},
}


def decoded(data):
    """The bands that the decoder returns."""
    return stacked(JpegDecoder().decode(data))


def _images(n_bands, **options):
    rng = random.Random(0)
    return [jpeg(smooth(rng, (n_bands, *size)), **options) for size in SIZES]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_colour_is_as_pillow_reads_it(options):
    """Colour files give red, green and blue as Pillow decodes them, whatever their encoding."""
    for data in _images(3, **options):
        assert np.array_equal(decoded(data), by_pillow(data))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_grey_is_as_pillow_and_gdal_read_it(options):
    """Grey files give one band, as Pillow and GDAL decode it."""
    for data in _images(1, **{k: v for k, v in options.items() if k != "subsampling"}):
        assert np.array_equal(decoded(data), by_pillow(data))
        assert np.array_equal(decoded(data), by_gdal(data))


def test_colour_is_as_opencv_reads_it():
    """Colour files give the same pixels as OpenCV, where it is installed."""
    cv2 = pytest.importorskip("cv2")
    for options in OPTIONS.values():
        for data in _images(3, **options):
            theirs = cv2.imdecode(np.frombuffer(data, "u1"), cv2.IMREAD_COLOR)
            assert np.array_equal(decoded(data), np.moveaxis(theirs[..., ::-1], -1, 0))


def test_files_of_red_green_and_blue():
    """Files that hold red, green and blue instead of luma and chroma are not converted."""
    for data in _images(3, keep_rgb=True):
        assert np.array_equal(decoded(data), by_pillow(data))
        assert np.array_equal(decoded(data), by_gdal(data))


def _without(data, marker):
    """A file without the segment of a marker."""
    at = data.index(marker)
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def _adobe(transform):
    return b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])


@pytest.mark.parametrize("transform", [None, 0, 1])
@pytest.mark.parametrize("jfif", [False, True])
@pytest.mark.parametrize("ids", [b"\1\2\3", b"RGB", b"abc"])
def test_the_meaning_of_components(transform, jfif, ids):
    """JFIF's marker, Adobe's marker and the numbers of components decide as for Pillow."""
    data = jpeg(smooth(random.Random(1), (3, 20, 30)), subsampling=0)
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    changed = bytearray(data)
    changed[frame + 10 : frame + 19 : 3] = ids
    changed[scan + 5 : scan + 11 : 2] = ids
    changed = bytes(changed) if jfif else _without(bytes(changed), b"\xff\xe0")
    if transform is not None:
        changed = changed[:2] + _adobe(transform) + changed[2:]
    assert np.array_equal(decoded(changed), by_pillow(changed))


def test_orientation_and_thumbnails_are_ignored():
    """EXIF's orientation, what follows the end, and fill bytes change nothing."""
    stack = smooth(random.Random(2), (3, 16, 24))
    exif = Image.Exif()
    exif[0x0112] = 6
    plain, turned = jpeg(stack), jpeg(stack, exif=exif)
    assert np.array_equal(decoded(turned), decoded(plain))
    assert np.array_equal(decoded(plain + turned), decoded(plain))
    filled = plain[:2] + b"\xff" * 10**6 + plain[2:]
    assert np.array_equal(decoded(filled), decoded(plain))


def test_every_cut_is_noticed():
    """A file that is cut anywhere is refused, progressive or not."""
    for options in ({}, {"progressive": True}):
        data = jpeg(smooth(random.Random(3), (3, 40, 40)), **options)
        for n_bytes in range(len(data)):
            with pytest.raises(DecodingError, match=r"damaged|not a JPEG|can't be decoded"):
                decoded(data[:n_bytes])


def test_data_that_does_not_fit_the_image_is_noticed():
    """Missing, surplus and invalid data, and restarts out of order, are errors."""
    stack = smooth(random.Random(4), (1, 64, 64))
    data = jpeg(stack, restart_marker_blocks=8)
    start = data.index(b"\xff\xda") + 10
    shorter = data[: start + 50] + data[start + 80 :]
    longer = data[:-2] + b"\x12" * 20 + data[-2:]
    restarts = data.replace(b"\xff\xd2", b"\xff\xd5", 1)
    invalid = data[: start + 50] + b"\xff\x00" * 10 + data[start + 70 :]
    for damaged in (shorter, longer, restarts, invalid):
        with pytest.raises(DecodingError, match="damaged or cut short: Corrupt JPEG data"):
            decoded(damaged)


def test_damage_is_noticed_whatever_the_settings_of_logging(caplog):
    """Damage is noticed if all logging is off, and nothing is logged if it is on."""
    cut = jpeg(smooth(random.Random(5), (3, 64, 64)))[:-300]
    for level in (logging.CRITICAL, logging.NOTSET):
        logging.disable(level)
        try:
            with pytest.raises(DecodingError, match="premature end"):
                decoded(cut)
        finally:
            logging.disable(logging.NOTSET)
    assert caplog.records == []
    logging.getLogger("imagecodecs").warning("of something else")
    assert [record.message for record in caplog.records] == ["of something else"]


def test_threads_notice_only_their_own_damage():
    """Threads that share a decoder refuse the damaged files, and no others."""
    intact = jpeg(smooth(random.Random(6), (3, 64, 64)))
    expected = by_pillow(intact)
    decoder = JpegDecoder()

    def outcome(cut):
        try:
            found = stacked(decoder.decode(intact[:-200] if cut else intact))
        except DecodingError:
            return cut
        return not cut and np.array_equal(found, expected)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(outcome, [bool(i % 3) for i in range(300)]))


def test_a_library_that_hides_damage_is_refused(monkeypatch):
    """If imagecodecs reports no damage, nothing is decoded, instead of inventing pixels."""
    silent = imagecodecs.tiff_decode
    monkeypatch.setattr(imagecodecs, "tiff_decode", lambda data, **_: silent(data))
    _check_that_damage_is_reported.cache_clear()
    try:
        with pytest.raises(UsageError, match="does not report damage to JPEG files"):
            decoded(jpeg(smooth(random.Random(7), (1, 8, 8))))
    finally:
        monkeypatch.undo()
        _check_that_damage_is_reported.cache_clear()


def _cmyk():
    buffer = BytesIO()
    Image.new("CMYK", (8, 8)).save(buffer, "JPEG")
    return buffer.getvalue()


def _changed(pattern, new):
    return re.sub(pattern, new, jpeg(smooth(random.Random(8), (3, 16, 16))), count=1)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "not a JPEG file: is empty"),
        (b"\x89PNG\r\n\x1a\n", "not a JPEG file: is a PNG image, expected ff d8 ff"),
        (_cmyk(), "CMYK JPEG is not supported"),
        (imagecodecs.jpeg8_encode(np.zeros((8, 8), "u2"), bitspersample=12), "12-bit samples"),
        (imagecodecs.jpeg8_encode(np.zeros((8, 8), "u1"), lossless=True), "lossless JPEG"),
        (_changed(b"\xff\xc0", b"\xff\xc9"), "arithmetic-coded JPEG is not supported"),
        (_changed(b"(?<=\xff\xc0...)..", b"\0\0"), "claims 16 x 0 pixels"),
        (_changed(b"(?<=\xff\xc0...)....", b"\xff\xdc\xff\xdc"), "at most 536870912"),
        (_changed(b"(?<=\xff\xc0...)..", b"\0\x20"), "damaged or cut short: Corrupt JPEG data"),
        (_changed(b"(?s)\xff\xc0.{17}", b""), "no frame header before its data"),
        (_changed(b"(?s)(\xff\xc0.{17})", rb"\1\1"), "it has two frames"),
        (_changed(b"(?s)\xff\xc0\0\x11", b"\xff\xc0\0\x10"), "size of its frame header"),
        (_changed(b"\xff\xda", b"\xff\xd0"), r"expected a segment at byte \d+ of \d+, found ff d0"),
        (_changed(b"\xff\xc4", b"\xaa\xaa"), r"expected a segment at byte \d+ of \d+, found aa aa"),
        (_changed(b"(?<=\xff\xda)..", b"\xff\xff"), "claims 65535 bytes, the file has"),
        (_changed(b"(?<=\xff\xc4..).", b"\x77"), "can't be decoded: Bogus DHT index"),
    ],
)
def test_refused_files(data, what):
    """A damaged or unsupported file is an error in one line that says why."""
    with pytest.raises(DecodingError, match=what) as caught:
        decoded(bytes(data))
    assert "\n" not in str(caught.value)


def test_files_of_many_scans_are_refused():
    """A progressive file of 20,000 scans is refused, instead of taking minutes."""
    data = jpeg(np.full((1, 512, 512), 7, "u1"), progressive=True)
    start = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    stop = data.index(b"\xff", start + 10)
    with pytest.raises(DecodingError, match=r"exceeds maximum scans \(100\)"):
        decoded(data[:stop] + data[start:stop] * 20_000 + data[stop:])


@pytest.mark.parametrize(("progressive", "n_bytes"), [(False, 7), (True, 13)])
def test_memory_is_asked_for_before_it_is_taken(progressive, n_bytes):
    """Decoding states its memory in advance, for each pixel: more for progressive files."""
    data = jpeg(smooth(random.Random(9), (3, 16, 16)), progressive=progressive)
    frame = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    huge = data[: frame + 5] + (10_000).to_bytes(2, "big") * 2 + data[frame + 9 :]
    with pytest.raises(MemoryLimitError) as caught:
        JpegDecoder().decode(huge, Allowance(10**8))
    assert caught.value.n_bytes == n_bytes * 10**8 + len(data)


@pytest.mark.parametrize("seed", range(2))
def test_damaged_files_do_no_harm(seed):
    """Damaged files give Pillow's pixels or an error: no crash, hang or print."""
    done = python("-m", "tests.support.image_mutations", "jpeg", seed, 400, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["wrong"] == []
    assert outcome["decoded"] > 450
    assert outcome["refused"] > 400


@pytest.mark.fuzz
def test_fresh_damaged_files_do_no_harm(rounds, seed):
    """Newly damaged files give Pillow's pixels or an error, too."""
    for number in rounds(10):
        test_damaged_files_do_no_harm(seed + number)
