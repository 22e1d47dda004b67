"""What `rico_hdl.testing` offers to authors of specs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import resolve
from rico_hdl.testing import check_spec, generate, patches
from rico_hdl.testing.round_trip import problems_of

CHIPS = """
name = "chips"
[[modality]]
name = "image"
files = "{country}/{id}_image.tif"
key = "{country}_{id}_image"
bands = [{name = "B02", shape = [10, 12]}, "B03", "B04"]
example = "austria/0001_image.tif"
[[modality]]
name = "mask"
role = "mask"
files = "{country}/{id}_mask.png"
key = "{country}_{id}_mask"
bands = ["mask"]
example = "austria/0001_mask.png"
[[modality]]
name = "photo"
files = "{country}/{id}.jpg"
key = "{country}_{id}_photo"
bands = ["Red", "Green", "Blue"]
example = "austria/0001.jpg"
[[modality]]
name = "scene"
files = "{country}/{id}/{band}.tif"
key = "{country}_{id}_scene"
bands = [{name = "red", token = "R"}, {name = "infrared", token = "N"}]
dtype = "float32"
example = "austria/0001/R.tif"
"""
"""Several bands in a TIFF, a PNG, a JPEG, and a file for each band."""


@pytest.fixture
def chips(tmp_path):
    """The TOML file of a dataset with every kind of file."""
    path = tmp_path / "chips.toml"
    path.write_text(CHIPS, encoding="utf-8")
    return path


def test_a_spec_of_ones_own_passes(chips, tmp_path):
    """Every kind of file makes the round trip, and samples and store remain for inspection."""
    check_spec(chips, tmp_path / "work", n_patches=3)
    assert len(list((tmp_path / "work" / "sources").rglob("*_image.tif"))) == 3
    assert (tmp_path / "work" / "store" / "data.mdb").exists()


@pytest.mark.parametrize("name", ["uc-merced", "hyspecnet-11k", "ssl4eo-s12-v1.1", "eurosat-rgb"])
def test_built_in_specs_pass(tmp_path, name):
    """Bands by pixel and by plane, Zarr stores and JPEG files make the round trip."""
    check_spec(name, tmp_path, n_patches=2)


def test_a_difference_is_found(chips, tmp_path):
    """A file, a key and a record that differ from the samples are each reported."""
    spec = resolve(chips)
    sources = generate(spec, tmp_path / "sources", 2)
    convert(spec, sources, tmp_path / "store")
    assert list(problems_of(spec, sources, tmp_path / "store", 2)) == []
    for modality, file in (("image", 0), ("scene", 1), ("photo", 0)):
        patch = patches(spec, spec.modality(modality), 2)[0]
        other = patches(spec, spec.modality(modality), 2)[1]
        path = sources[modality] / patch.files[file]
        path.write_bytes((sources[modality] / other.files[file]).read_bytes())
        found = list(problems_of(spec, sources, tmp_path / "store", 2))
        assert any(f"{patch.key}: band" in problem for problem in found), found
    found = list(problems_of(spec, sources, tmp_path / "store", 3))
    assert sum(problem.endswith(" is missing") for problem in found) == 4
    found = list(problems_of(spec, sources, tmp_path / "store", 1))
    assert any("keys of no sample: " in problem for problem in found)


def test_a_failed_check_lists_the_differences(chips, tmp_path):
    """The error names the dataset and what differs, and not too much of it."""
    target = tmp_path / "work" / "store"
    spec = resolve(chips)
    convert(spec, generate(spec, tmp_path / "other", 9, noise=True), target)
    with pytest.raises(AssertionError, match="the samples of chips differ:\n  ") as caught:
        check_spec(chips, tmp_path / "work", n_patches=9)
    assert "… and " in str(caught.value)
    assert str(caught.value).count("\n") == 11


def test_an_example_that_does_not_fit_is_an_error(chips, tmp_path):
    """Samples are made from the example, so it must match the template of files."""
    chips.write_text(CHIPS.replace('"austria/0001_image.tif"', '"austria/0001.tif"'))
    with pytest.raises(ValueError, match="does not match its example"):
        check_spec(chips, tmp_path / "work")


@pytest.mark.parametrize(
    ("library", "name"),
    [("tifffile", "hydro"), ("PIL", "eurosat-rgb"), ("numcodecs", "ssl4eo-s12-v1.1")],
)
def test_a_missing_library_is_named(tmp_path, library, name):
    """Without a library of the extra, using it says what to install."""
    code = (
        f"import sys; sys.modules[{library!r}] = None; from rico_hdl.testing import check_spec; "
        f"check_spec({name!r}, {str(tmp_path)!r}, 1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"rico_hdl.testing needs {library}, which is not installed" in done.stderr
    assert "pip install 'rico-hdl[testing]'" in done.stderr


def test_the_package_knows_no_dataset():
    """Samples of an installed package depend on the spec alone."""
    code = (
        "from rico_hdl.testing import companions, encodings, patches; "
        "print(companions.COMPANIONS, encodings.ENCODINGS)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{} {}\n"


ARRAYS = """
name = "arrays"
[[modality]]
name = "cube"
files = "{id}.npy"
key = "c-{id}"
axes = ["y", "x", "band"]
bands = ["a", "b"]
[[modality]]
name = "mask"
files = "m/{id}.h5"
key = "m_{id}"
array = "mask"
bands = ["mask"]
[[modality]]
name = "img"
files = "m/{id}.h5"
key = "i_{id}"
array = "img/{band}"
bands = ["r", "g"]
[[modality]]
name = "z"
files = "{id}.npz"
key = "z_{id}"
array = "{band}"
bands = ["r", "g"]
[[modality]]
name = "split"
files = "s/{id}_{band}.npy"
key = "s_{id}"
bands = ["r", "g"]
[[modality]]
name = "ts"
files = "ts/S2_{id:d}.npy"
key = "ts_{id}_{time:2d}"
axes = ["time", "band", "y", "x"]
bands = ["r", "g"]
example = "ts/S2_10000.npy/00"
[[modality]]
name = "h5s"
files = "{split}.h5"
key = "h_{split}_{sample:6d}"
array = "sen2"
axes = ["sample", "y", "x", "band"]
bands = ["r", "g"]
[[modality]]
name = "h5l"
files = "{split}.h5"
key = "l_{tile}"
array = "sen1"
axes = ["tile", "y", "x", "band"]
axis_labels = {tile = "metadata/tile_id"}
bands = ["r", "g"]
[[modality]]
name = "grp"
files = "g.hdf5"
key = "g_{sample}"
array = "{sample}/post_fire"
axes = ["y", "x", "band"]
bands = ["r", "g"]
[[modality]]
name = "npzs"
files = "{split}_st.npz"
key = "n_{split}_{a}_{b}"
array = "arr_0"
axes = ["a", "x", "b", "y", "band"]
bands = ["r", "g"]
[[modality]]
name = "zz"
files = "{split}_{id:d}.zarr.zip"
key = "zz_{split}_{id}"
array = "bands"
axes = ["band", "time", "y", "x"]
axis_labels = {band = "band"}
bands = ["r", "g"]
example = "val_0001.zarr.zip/0"
"""
"""Arrays of numpy, HDF5 and Zarr, with one patch or many: in shared files, labelled, in groups."""


def test_array_files_make_the_round_trip(tmp_path):
    """Samples of every kind of array file are generated, and converted to exactly their pixels."""
    path = tmp_path / "arrays.toml"
    path.write_text(ARRAYS, encoding="utf-8")
    check_spec(path, tmp_path / "work", n_patches=5)
    spec = resolve(path)
    assert [patch.key for patch in patches(spec, spec.modality("ts"), 5)] == [
        *(f"ts_10000_{time:02}" for time in range(4)),
        "ts_10001_00",
    ]
    assert len(list((tmp_path / "work" / "sources").rglob("*.h5"))) == 7
