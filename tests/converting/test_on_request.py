"""Modalities that are converted only if their own source is named, such as cloud masks."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile

import rico_hdl
from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.datasets import get
from rico_hdl.errors import SourceError
from tests.support.reading import arrays, records
from tests.support.running import run

TOML = """
name = "chips"

[[modality]]
name = "image"
files = "{id}/B1.tif"
key = "{id}_image"
bands = ["B1"]
patterns = {id = "s*"}

[[modality]]
name = "cloud-mask"
role = "mask"
on_request = true
files = "{id}/cloud_mask.tif"
key = "{id}_cloud_mask"
bands = ["cloud_mask"]
patterns = {id = "s*"}
"""


PIXELS = np.arange(20, dtype="u1").reshape(4, 5)
IMAGES = {f"s{i}_image" for i in range(3)}
MASKS = {f"s{i}_cloud_mask" for i in range(3)}


@pytest.fixture
def chips(tmp_path):
    """A spec, and a folder with images and masks."""
    (tmp_path / "chips.toml").write_text(TOML)
    for i in range(3):
        for j, name in enumerate(("B1", "cloud_mask")):
            path = tmp_path / "chips" / f"s{i}" / f"{name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, PIXELS + 10 * i + j, photometric="minisblack")
    return tmp_path / "chips.toml", tmp_path / "chips"


def test_a_place_for_all_leaves_it_out(tmp_path, chips):
    """From a place for all modalities, it is neither converted nor missed, until it is named."""
    spec, folder = chips
    target = tmp_path / "store"
    done = run("convert", spec, "--dataset-dir", folder, "--target-dir", target)
    assert done.returncode == 0
    assert "cloud" not in done.stderr
    assert set(arrays(target)) == IMAGES
    before = records(target)
    done = run("convert", spec, "--cloud-mask-dir", folder, "--target-dir", target)
    assert done.returncode == 0
    stored = arrays(target)
    assert set(stored) == IMAGES | MASKS
    assert {key: value for key, value in records(target).items() if key in before} == before
    for i in range(3):
        assert np.array_equal(stored[f"s{i}_cloud_mask"]["cloud_mask"], PIXELS + 10 * i + 1)
    assert run("verify", target, "--sources").returncode == 0


def test_both_options_at_once(tmp_path, chips):
    """Its option adds to the place for all modalities."""
    spec, folder = chips
    options = ["--dataset-dir", folder, "--cloud-mask-dir", folder]
    assert run("convert", spec, *options, "--target-dir", tmp_path / "store").returncode == 0
    assert set(arrays(tmp_path / "store")) == IMAGES | MASKS
    shown = " ".join(run("convert", spec, "--help").stdout.split())
    assert "downloaded archives. Converted only with this option." in shown


def test_python_names_it_in_a_mapping(tmp_path, chips):
    """A single path leaves it out, and a mapping of sources names it."""
    spec, folder = chips
    summary = rico_hdl.convert(spec, folder, tmp_path / "store")
    assert summary.n_written == {"image": 3}
    assert not summary.warnings
    summary = rico_hdl.convert(spec, {"cloud-mask": folder}, tmp_path / "store")
    assert summary.n_written == {"cloud-mask": 3}
    with rico_hdl.open(tmp_path / "store") as store:
        assert set(store.keys("cloud-mask")) == MASKS


def test_a_place_with_nothing_else_is_an_error(tmp_path, chips):
    """A place for all modalities that holds only such files is an error."""
    spec, folder = chips
    for path in folder.glob("*/B1.tif"):
        path.unlink()
    with pytest.raises(SourceError):
        rico_hdl.convert(spec, folder, tmp_path / "store")


def test_cloud_masks_of_real_products(tmp_path, samples):
    """The cloud mask of a real Major-TOM product is stored as tifffile reads it, from parquet too.

    The records of the images are the same as without it.
    """
    root = samples / "Major-TOM-Core" / "S2L2A"
    (mask,) = root.glob("*/*/*/cloud_mask.tif")
    expected = tifffile.imread(mask)
    spec = get("major-tom-core")
    rico_hdl.convert(spec, {"s2": root}, tmp_path / "images")
    rico_hdl.convert(spec, {"s2": root, "cloud-mask": root}, tmp_path / "both")
    (key,) = records(tmp_path / "images")
    assert records(tmp_path / "both")[key] == records(tmp_path / "images")[key]
    table = {"product_id": [mask.parent.name], "grid_cell": [mask.parents[1].name]}
    table |= {path.stem: [path.read_bytes()] for path in mask.parent.iterdir()}
    pq.write_table(pa.table(table), tmp_path / "part_00001.parquet")
    place = tmp_path / "part_00001.parquet"
    rico_hdl.convert(spec, {"cloud-mask": place}, tmp_path / "masks")
    for target in ("both", "masks"):
        found = arrays(tmp_path / target)[f"{key}_cloud_mask"]["cloud_mask"]
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)
        assert compare_with_sources(tmp_path / target).findings == []


def test_the_dem_of_a_grid_cell(tmp_path):
    """Tables of the DEM have grid cells without products, and a key for each cell."""
    dem = np.arange(356 * 356, dtype=np.float32).reshape(356, 356)
    tifffile.imwrite(tmp_path / "dem.tif", dem, photometric="minisblack", compression="lzw")
    image = {"bytes": b"\x89PNG", "path": "x.png"}
    rows = [
        {
            "grid_cell": f"{i}U_199R",
            "thumbnail": image,
            "compressed": image,
            "DEM": (tmp_path / "dem.tif").read_bytes(),
        }
        for i in range(2)
    ]
    parts = tmp_path / "Core-DEM" / "images"
    parts.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), parts / "part_00001.parquet")
    done = run("major-tom-core", "--dem-dir", parts.parent, "--target-dir", tmp_path / "store")
    assert done.returncode == 0, done.stderr
    stored = arrays(tmp_path / "store")
    assert set(stored) == {"0U_199R_dem", "1U_199R_dem"}
    assert np.array_equal(stored["1U_199R_dem"]["DEM"], dem)
