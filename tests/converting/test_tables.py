"""Converting datasets of parquet tables that a user's spec describes."""

import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile

import rico_hdl
from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.errors import SourceError
from tests.support.image_files import by_pillow, jpeg, png, smooth
from tests.support.parquet_files import write_images
from tests.support.reading import arrays
from tests.support.running import run

TOML = """
name = "views"

[[modality]]
name = "rgb"
files = "{folder}/{file}/{id}.jpg"
key = "{folder}_{file}_{id}"
bands = ["Red", "Green", "Blue"]
columns = {files = "image", fields = {id = {column = "image.path", stem = true}}}
"""


def position(stack_of, i):
    """Pixels of an image that encode its number and their own place."""
    n_bands, rows, columns = stack_of
    return np.arange(n_bands * rows * columns, dtype=np.uint16).reshape(stack_of) + 1000 * i


@pytest.fixture
def spec(tmp_path):
    """The spec, as a file."""
    path = tmp_path / "views.toml"
    path.write_text(TOML)
    return path


def test_tables_of_jpegs(tmp_path, spec):
    """Tables in folders become records with the pixels that Pillow reads, and prove equal."""
    rng = random.Random(0)
    expected = {}
    for folder in ("train", "test"):
        files = [jpeg(smooth(rng, (3, 12, 20))) for _ in range(3)]
        (tmp_path / "hub" / folder).mkdir(parents=True)
        names = [f"{folder}/view_{i}.jpg" for i in range(3)]
        write_images(tmp_path / "hub" / folder / "0000.parquet", files, names=names)
        for i, data in enumerate(files):
            expected[f"{folder}_0000_view_{i}"] = by_pillow(data)
    target = tmp_path / "store"
    done = run("convert", spec, "--dataset-dir", tmp_path / "hub", "--target-dir", target)
    assert done.returncode == 0, done.stderr
    stored = arrays(target)
    assert set(stored) == set(expected)
    for key, stack in expected.items():
        bands = [stored[key][name] for name in ("Red", "Green", "Blue")]
        assert np.array_equal(np.stack(bands), stack)
    assert compare_with_sources(target).findings == []
    assert run("verify", target, "--sources").returncode == 0
    again = rico_hdl.convert(spec, tmp_path / "hub", target)
    assert (again.n_written, again.n_present) == ({"rgb": 0}, {"rgb": 6})


def test_cells_that_hold_no_image_of_the_format(tmp_path, spec):
    """A cell that is empty or in another format fails with a reason, and all others are stored."""
    image = np.ones((3, 4, 4), "u1")
    contents = [jpeg(image), None, png(image), jpeg(image)[:40], jpeg(image), b""]
    (tmp_path / "hub").mkdir()
    write_images(tmp_path / "hub" / "x.parquet", contents)
    summary = rico_hdl.convert(spec, tmp_path / "hub", tmp_path / "store")
    assert set(arrays(tmp_path / "store")) == {"hub_x_0", "hub_x_4"}
    reasons = {failure.key: failure.reason for failure in summary.failures}
    assert set(reasons) == {f"hub_x_{i}" for i in (1, 2, 3, 5)}
    assert "its cell is empty, and only names a file: '1.tif'" in reasons["hub_x_1"]
    assert "PNG" in reasons["hub_x_2"]
    assert "JPEG" in reasons["hub_x_2"]
    assert not summary.complete


def test_images_of_many_bands_in_one_column(tmp_path):
    """A cell may be a TIFF with all bands; other columns of bytes are not taken for files."""
    (tmp_path / "cubes.toml").write_text(
        """
name = "cubes"

[[modality]]
name = "cube"
files = "{site}/{id}.tif"
key = "{site}_{id}"
bands = ["a", "b", "c", "d"]
columns = {files = "cube", fields = {site = {column = "id", until = "-"}}}
"""
    )
    stacks = {f"s{i % 2}-{i}": position((4, 5, 6), i) for i in range(5)}
    files = []
    for i, stack in enumerate(stacks.values()):
        path = tmp_path / f"{i}.tif"
        tifffile.imwrite(path, stack, photometric="minisblack", planarconfig="separate")
        files.append(path.read_bytes())
    table = pa.table({"id": list(stacks), "thumbnail": [b"no image"] * 5, "cube": files})
    pq.write_table(table, tmp_path / "cubes.parquet", row_group_size=2)
    assert rico_hdl.convert(
        tmp_path / "cubes.toml", tmp_path / "cubes.parquet", tmp_path / "store"
    ).complete
    stored = arrays(tmp_path / "store")
    assert set(stored) == {f"{name[:2]}_{name}" for name in stacks}
    for name, stack in stacks.items():
        for band, expected in zip("abcd", stack, strict=True):
            assert np.array_equal(stored[f"{name[:2]}_{name}"][band], expected)


def test_a_band_for_each_column(tmp_path):
    """With {band} in the path, each band is the column called by its token."""
    (tmp_path / "bands.toml").write_text(
        """
name = "bands"

[[modality]]
name = "optical"
files = "{id}/{band}.tif"
key = "{id}"
bands = [{name = "red", token = "B4"}, {name = "nir", token = "B8"}]
columns = {}
"""
    )
    stacks = {f"p{i}": position((2, 3, 4), i) for i in range(3)}
    columns = {"id": list(stacks)}
    for b, name in enumerate(("B4", "B8")):
        files = []
        for i, stack in enumerate(stacks.values()):
            tifffile.imwrite(tmp_path / f"{i}.tif", stack[b], photometric="minisblack")
            files.append((tmp_path / f"{i}.tif").read_bytes())
        columns[name] = files
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    spec = tmp_path / "bands.toml"
    assert rico_hdl.convert(spec, tmp_path / "x.parquet", tmp_path / "store").complete
    for name, bands in arrays(tmp_path / "store").items():
        assert np.array_equal(bands["red"], stacks[name][0])
        assert np.array_equal(bands["nir"], stacks[name][1])


def test_tables_that_would_give_one_key_twice(tmp_path, spec):
    """Two rows of one key with different images are a failure, never a choice between them."""
    rng = random.Random(0)
    spec.write_text(TOML.replace("{folder}_{file}_{id}", "{id}"))
    for folder in ("a", "b"):
        (tmp_path / "hub" / folder).mkdir(parents=True)
        data = jpeg(smooth(rng, (3, 8, 8)))
        write_images(tmp_path / "hub" / folder / "0000.parquet", [data], names=["x.jpg"])
    summary = rico_hdl.convert(spec, tmp_path / "hub", tmp_path / "store")
    assert [failure.key for failure in summary.failures] == ["x"]


def test_a_table_without_the_column_is_an_error_before_anything_is_written(tmp_path, spec):
    """The error names the missing column and those that the table has."""
    pq.write_table(pa.table({"img": [b"x"], "id": [1]}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match=r"expected the columns image\.path.* found the columns"):
        rico_hdl.convert(spec, tmp_path / "x.parquet", tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_another_choice_of_columns_is_another_dataset(spec):
    """A store continues only with the columns that it was made with."""
    first = rico_hdl.load_spec(spec).modality("rgb")
    spec.write_text(TOML.replace('"image.path", stem = true', '"image.path"'))
    assert rico_hdl.load_spec(spec).modality("rgb").fingerprint != first.fingerprint
    spec.write_text(TOML.replace('files = "image"', 'files = "other"'))
    assert rico_hdl.load_spec(spec).modality("rgb").fingerprint != first.fingerprint
