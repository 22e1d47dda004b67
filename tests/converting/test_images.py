"""Converting datasets of JPEG and PNG files."""

import random

import numpy as np
import pytest

from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import get
from rico_hdl.spec import Band, DatasetSpec, Modality, Template
from rico_hdl.store import Manifest
from tests.support.image_files import (
    PNG,
    by_pillow,
    chunk,
    chunks_of,
    jpeg,
    png,
    random_samples,
    smooth,
)
from tests.support.reading import arrays
from tests.support.tiff_files import by_tifffile


def spec_of(*bands, files="{name}.png", dtype=None):
    """A dataset with one modality of these bands."""
    modality = Modality(
        name="image",
        title="images",
        option="--dataset-dir",
        files=Template.parse(files),
        key=Template.parse("{name}"),
        bands=tuple(Band(name, index=i) for i, name in enumerate(bands, 1)),
        dtype=dtype,
        folder="images",
        example=files.format(name="a"),
    )
    return DatasetSpec("images", "Images", "Images.", "https://example.org", "None.", (modality,))


def converted(spec, tmp_path, **files):
    """The summary of converting files with these contents, and the stored patches."""
    source = tmp_path / "source"
    source.mkdir()
    for name, data in files.items():
        (source / spec.modalities[0].files.format({"name": name})).write_bytes(data)
    summary = convert(spec, {"image": source}, tmp_path / "target")
    return summary, arrays(tmp_path / "target") if summary.n_written["image"] else {}


@pytest.mark.parametrize(
    ("bands", "bits", "colour"),
    [
        (("mask",), 4, 3),
        (("grey",), 16, 0),
        (("grey", "alpha"), 8, 4),
        (("red", "green", "blue"), 16, 2),
        (("red", "green", "blue", "alpha"), 8, 6),
    ],
)
def test_bands_of_png_files(tmp_path, bands, bits, colour):
    """Each sample of a PNG file is a band, in the order of the file."""
    stack = random_samples(random.Random(0), (len(bands), 20, 30), bits)
    _, stored = converted(spec_of(*bands), tmp_path, a=png(stack, colour, bits))
    assert list(stored) == ["a"]
    for name, band in zip(bands, stack, strict=True):
        assert stored["a"][name].dtype == band.dtype
        assert np.array_equal(stored["a"][name], band)


@pytest.mark.parametrize("files", ["{name}.jpg", "{name}.JPEG", "{name}.jpeg", "x_{name}.Jpg"])
def test_the_extension_decides_whatever_its_case(tmp_path, files):
    """A template that ends in jpg or jpeg, in any case, has JPEG files, as the manifest says."""
    data = jpeg(smooth(random.Random(0), (3, 20, 30)))
    _, stored = converted(spec_of("R", "G", "B", files=files, dtype="uint8"), tmp_path, a=data)
    assert np.array_equal([stored["a"][name] for name in "RGB"], by_pillow(data))
    (state,) = Manifest.read(tmp_path / "target").modalities.values()
    assert state.decoded_by == "libjpeg-turbo: accurate integer DCT, fancy upsampling"


FILES = {
    "TIFF": (by_tifffile(np.ones((1, 8, 8), "u1")), "is a TIFF image"),
    "JPEG": (jpeg(np.ones((1, 8, 8), "u1")), "is a JPEG image"),
    "PNG": (png(np.ones((1, 8, 8), "u1")), "is a PNG image"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
    "GIF": (b"GIF89a" + bytes(20), "begins with 47 49 46 38"),
}
"""Files of several formats, and what is said of them."""


@pytest.mark.parametrize("found", FILES)
@pytest.mark.parametrize(("suffix", "expected"), [("tif", "TIFF"), ("jpg", "JPEG"), ("png", "PNG")])
def test_a_file_of_another_format_is_named(tmp_path, suffix, expected, found):
    """A file of another format than its extension says fails with the names of both."""
    spec = spec_of("grey", files=f"{{name}}.{suffix}")
    data, what = FILES[found]
    summary, stored = converted(spec, tmp_path, a=data, b=FILES[expected][0])
    assert set(stored) == ({"a", "b"} if found == expected else {"b"})
    start = f"not a {expected} file: {what}"
    starts = [failure.reason[: len(start)] for failure in summary.failures]
    assert starts == ([] if found == expected else [start])


@pytest.mark.parametrize(
    ("data", "n_bands"),
    [
        (png(np.ones((4, 8, 8), "u1")), 4),
        (png(np.ones((1, 8, 8), "u1"), 3, 8), 1),
        (png(np.ones((2, 8, 8), "u1")), 2),
    ],
)
def test_other_numbers_of_bands_are_failures(tmp_path, data, n_bands):
    """Alpha and palettes are not turned into three bands."""
    good = png(np.ones((3, 8, 8), "u1"))
    summary, stored = converted(spec_of("R", "G", "B"), tmp_path, a=data, b=good)
    assert set(stored) == {"b"}
    assert summary.failures[0].reason == f"the file has {n_bands} bands, expected 3"


def test_damaged_files_are_added_after_their_repair(tmp_path):
    """A JPEG that is cut short is a failure until its file is repaired."""
    spec = spec_of("R", "G", "B", files="{name}.jpg")
    data = [jpeg(smooth(random.Random(i), (3, 40, 40))) for i in range(2)]
    summary, stored = converted(spec, tmp_path, a=data[0][:-100], b=data[1])
    assert set(stored) == {"b"}
    assert "damaged or cut short" in summary.failures[0].reason
    (tmp_path / "source" / "a.jpg").write_bytes(data[0])
    assert convert(spec, {"image": tmp_path / "source"}, tmp_path / "target").complete
    found = arrays(tmp_path / "target")
    assert np.array_equal([found["a"][name] for name in "RGB"], by_pillow(data[0]))


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_huge_images_are_failures(tmp_path, suffix):
    """An image that needs more memory than a patch may have is a failure that says so."""
    one = np.ones((1, 1, 1), "u1")
    if suffix == "jpg":
        data = jpeg(one)
        frame = data.index(b"\xff\xc0")
        huge = data[: frame + 5] + (15_000).to_bytes(2, "big") * 2 + data[frame + 9 :]
    else:
        data = png(one)
        (_, header), *rest = chunks_of(data)
        header = (15_000).to_bytes(4, "big") * 2 + header[8:]
        huge = PNG + chunk(b"IHDR", header) + b"".join(chunk(*parts) for parts in rest)
    spec = spec_of("grey", files=f"{{name}}.{suffix}")
    summary, stored = converted(spec, tmp_path, a=huge, b=data)
    assert set(stored) == {"b"}
    assert "allow more with --memory" in summary.failures[0].reason


def test_real_files_are_as_pillow_reads_them(samples, tmp_path):
    """A real EuroSAT patch has the pixels that Pillow decodes."""
    path = samples / "EuroSAT_RGB" / "AnnualCrop" / "AnnualCrop_1.jpg"
    convert(get("eurosat-rgb"), {"rgb": samples / "EuroSAT_RGB"}, tmp_path)
    stored = arrays(tmp_path)["AnnualCrop_1"]
    expected = by_pillow(path.read_bytes())
    assert np.array_equal([stored[name] for name in ("Red", "Green", "Blue")], expected)
