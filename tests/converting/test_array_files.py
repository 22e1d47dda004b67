"""Converting datasets of array files."""

import tarfile

import numpy as np
import pytest

import rico_hdl
from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.converting.conversion import convert
from rico_hdl.decoding.gdal import GdalDecoder
from rico_hdl.errors import UsageError
from tests.support.array_files import DTYPES, hdf5, npy, npz, spec_of
from tests.support.reading import arrays

TOML = """
name = "slides"

[[modality]]
name = "image"
files = "{split}/img/image_{n}.h5"
key = "image_{split}_{n}"
array = "img"
axes = ["y", "x", "band"]
bands = ["B02", "B03"]

[[modality]]
name = "mask"
role = "mask"
files = "{split}/mask/mask_{n}.npz"
key = "mask_{split}_{n}"
array = "arr_0"
bands = ["mask"]
"""


def test_a_dataset_of_array_files(tmp_path):
    """A spec says what the arrays are called and what their axes are; records have 2-D bands."""
    rng = np.random.default_rng(0)
    images, masks = rng.normal(size=(3, 8, 9, 2)), rng.integers(0, 2, (3, 8, 9), "u1")
    source, target = tmp_path / "source", tmp_path / "target"
    for i, (image, mask) in enumerate(zip(images, masks, strict=True)):
        for name, data in (("img/image_{}.h5", hdf5({"img": image})), ("mask/mask_{}.npz", None)):
            path = source / "train" / name.format(i)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data or npz(arr_0=mask))
    (tmp_path / "slides.toml").write_text(TOML)
    summary = rico_hdl.convert(tmp_path / "slides.toml", source, target)
    assert summary.complete
    stored = arrays(target)
    assert len(stored) == 6
    for i, (image, mask) in enumerate(zip(images, masks, strict=True)):
        assert np.array_equal(stored[f"image_train_{i}"]["B02"], image[..., 0])
        assert np.array_equal(stored[f"image_train_{i}"]["B03"], image[..., 1])
        assert np.array_equal(stored[f"mask_train_{i}"]["mask"], mask)
    assert compare_with_sources(target).findings == []
    with rico_hdl.open(target) as store:
        assert np.array_equal(store.read("image_train_0"), images[0].transpose(2, 0, 1))
    with pytest.raises(UsageError, match=r"\.h5 files are arrays"):
        compare_with_sources(target, make_decoder=GdalDecoder)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
@pytest.mark.parametrize("is_packed", [False, True], ids=["folder", "tar"])
def test_every_dtype(tmp_path, suffix, is_packed):
    """Arrays of every dtype are stored bit by bit, from folders and archives."""
    stacks = {}
    source = tmp_path / "source"
    source.mkdir()
    for seed, dtype in enumerate(DTYPES):
        rng = np.random.default_rng(seed)
        stacks[dtype] = np.frombuffer(rng.bytes(2 * 4 * 5 * 8), dtype)[: 2 * 4 * 5].reshape(2, 4, 5)
        if dtype == "bool":
            stacks[dtype] = rng.integers(0, 2, (2, 4, 5)).astype(bool)
        stack = stacks[dtype].astype(stacks[dtype].dtype.newbyteorder(">"))
        make = {".npy": npy, ".npz": lambda a: npz(a=a), ".h5": lambda a: hdf5({"a": a})}[suffix]
        (source / f"{dtype}{suffix}").write_bytes(make(stack))
    spec = spec_of(suffix, path="" if suffix == ".npy" else "a")
    place = source
    if is_packed:
        place = tmp_path / "source.tar"
        with tarfile.open(place, "w") as tar:
            tar.add(source, "source")
    assert convert(spec, {"image": place}, tmp_path / "target").complete
    stored = arrays(tmp_path / "target")
    assert set(stored) == set(stacks)
    for dtype, stack in stacks.items():
        for name, band in zip("ab", stack, strict=True):
            assert stored[dtype][name].dtype == dtype
            assert stored[dtype][name].tobytes() == band.tobytes()


def test_a_wrong_number_of_bands_is_a_failure(tmp_path):
    """An array with more bands than the spec is left out, and so is one of another dtype."""
    for name, shape, dtype in (
        ("a", (2, 4, 4), "u1"),
        ("b", (3, 4, 4), "u1"),
        ("c", (2, 4, 4), "f4"),
    ):
        (tmp_path / f"{name}.npy").write_bytes(npy(np.ones(shape, dtype)))
    summary = convert(spec_of(".npy", dtype="uint8"), {"image": tmp_path}, tmp_path / "target")
    assert [failure.reason for failure in summary.failures] == [
        "the file has 3 bands, expected 2",
        "the pixels are float32, expected uint8",
    ]
    assert set(arrays(tmp_path / "target")) == {"a"}
