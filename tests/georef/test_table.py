"""Tables of patches as GeoParquet, read by geopandas and DuckDB."""

from __future__ import annotations

import json

import duckdb
import geopandas
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from affine import Affine

import corpus
import rico_hdl
from rico_hdl.datasets import get
from rico_hdl.exporting.table import write_table
from rico_hdl.spec.toml_form import load_spec
from tests.support.geotiffs import geotiff, lonlat, opened, same_bounds
from tests.support.running import run

BIGEARTHNET = get("bigearthnet")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A small BigEarthNet."""
    root = tmp_path_factory.mktemp("table")
    sources = corpus.generate(BIGEARTHNET, root / "source", 5)
    rico_hdl.convert(BIGEARTHNET, sources, root / "store")
    return root / "store"


def test_geopandas_reads_it(store, tmp_path):
    """Each patch has a row with its outline, bounds, CRS, time, size and source."""
    summary = write_table(store, tmp_path / "patches.parquet")
    assert (summary.n_patches, summary.n_unplaced) == (15, 0)
    table = geopandas.read_parquet(tmp_path / "patches.parquet").set_index("key")
    assert table.crs.to_string() == "OGC:CRS84"
    assert sorted(table.index) == list(rico_hdl.open(store))
    stored = rico_hdl.open(store)
    rows = pq.read_table(tmp_path / "patches.parquet").to_pylist()
    boxes = {row["key"]: row["bbox"] for row in rows}
    for modality in BIGEARTHNET.modalities:
        source = store.parent / "source" / modality.folder
        for patch in corpus.patches(BIGEARTHNET, modality, 5):
            row, georef = table.loc[patch.key], stored.georef(patch.key)
            with opened(source / patch.files[-1]) as file:
                assert same_bounds(row.geometry.bounds, lonlat(file))
            assert tuple(boxes[patch.key].values()) == row.geometry.bounds
            assert (row.modality, row.crs, row.source) == (modality.name, georef.crs, str(source))
            assert row.time == georef.time
            assert (row["rows"], row["columns"]) == (120, 120)
            assert row.geometry.is_valid
            assert shapely.is_ccw(row.geometry.exterior)
    columns = json.loads(pq.read_schema(tmp_path / "patches.parquet").metadata[b"geo"])
    assert columns["version"] == "1.1.0"
    assert columns["columns"]["geometry"]["bbox"] == pytest.approx(table.total_bounds.tolist())


def test_geopandas_filters_by_bounds(store, tmp_path):
    """The covering lets readers skip rows outside of a box."""
    write_table(store, tmp_path / "patches.parquet")
    table = geopandas.read_parquet(tmp_path / "patches.parquet")
    box = table.geometry.iloc[0].buffer(-1e-4).bounds
    found = geopandas.read_parquet(tmp_path / "patches.parquet", bbox=box)
    expected = table[table.intersects(shapely.box(*box))]
    assert sorted(found.key) == sorted(expected.key)
    assert 0 < len(found) < len(table)


def test_duckdb_reads_it(store, tmp_path):
    """DuckDB selects patches by bounds, time and modality."""
    path = tmp_path / "patches.parquet"
    write_table(store, path)
    stored = rico_hdl.open(store)
    key = stored.keys("s2")[2]
    west, south, east, north = stored.georef(key).bounds
    rows = duckdb.sql(
        f"SELECT key, rows, epoch_ms(time) FROM read_parquet('{path}') WHERE modality = 's2' "
        f"AND bbox.xmin <= {east} AND bbox.xmax >= {west} "
        f"AND bbox.ymin <= {north} AND bbox.ymax >= {south}"
    ).fetchall()
    assert (key, 120, round(stored.georef(key).time.timestamp() * 1000)) in rows
    assert len(rows) < 5


def test_classes_and_modalities(tmp_path):
    """Keys that name a class or a split give a column; a modality may be listed alone."""
    spec = get("eurosat-multi-spectral")
    sources = corpus.generate(spec, tmp_path / "source", 12)
    rico_hdl.convert(spec, sources, tmp_path / "store")
    write_table(tmp_path / "store", tmp_path / "a.parquet", modalities=["s2"])
    rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
    store = rico_hdl.open(tmp_path / "store")
    labels = [store.classes[i] for i in store.labels([row["key"] for row in rows])]
    assert [row["label"] for row in rows] == labels
    assert len(set(labels)) > 1
    with pytest.raises(rico_hdl.UsageError, match="no modality 's3'"):
        write_table(tmp_path / "store", tmp_path / "b.parquet", modalities=["s3"])


def test_patches_without_a_place(tmp_path):
    """Formats without georeferencing give rows without a geometry, and a warning."""
    spec = get("eurosat-rgb")
    sources = corpus.generate(spec, tmp_path / "source", 3)
    rico_hdl.convert(spec, sources, tmp_path / "store")
    output = tmp_path / "patches.parquet"
    result = run("table", tmp_path / "store", "--output", output)
    assert (result.returncode, result.stdout) == (0, f"{output}: 3 patches\n")
    assert "3 patches have no outline" in result.stderr
    table = geopandas.read_parquet(output)
    assert table.geometry.isna().all()
    assert table.n_bytes.min() > 0


TOML = """
name = "chips"

[[modality]]
name = "image"
files = "{id}.tif"
key = "{id}"
bands = ["a"]
"""


def test_the_ends_of_the_map(tmp_path):
    """Patches across the 180th meridian are two polygons, and those at a pole reach it."""
    (tmp_path / "chips.toml").write_text(TOML)
    stack = np.zeros((1, 20, 30), np.uint8)
    places = {
        "fiji": ("EPSG:32701", Affine(1000, 0, 165_000, 0, -1000, 8_100_000)),
        "pole": ("EPSG:3031", Affine(100, 0, -1500, 0, -100, 1000)),
        "south-up": ("EPSG:32633", Affine(10, 0, 300_000, 0, 10, 5_000_000)),
    }
    for key, (crs, transform) in places.items():
        geotiff(tmp_path / "source" / f"{key}.tif", stack, crs=crs, transform=transform)
    rico_hdl.convert(
        load_spec(tmp_path / "chips.toml"), {"image": tmp_path / "source"}, tmp_path / "store"
    )
    write_table(tmp_path / "store", tmp_path / "patches.parquet")
    table = geopandas.read_parquet(tmp_path / "patches.parquet").set_index("key")
    fiji, pole = table.geometry["fiji"], table.geometry["pole"]
    assert fiji.geom_type == "MultiPolygon"
    assert fiji.is_valid
    assert fiji.bounds[0] == -180
    assert fiji.bounds[2] == 180
    assert fiji.area < 0.1
    assert pole.bounds[:3] == (-180, -90, 180)
    assert all(shapely.is_ccw(part.exterior) for part in [*fiji.geoms, pole])
    assert shapely.is_ccw(table.geometry["south-up"].exterior)


def test_files_are_not_overwritten(store, tmp_path):
    """An existing file is kept, and a folder that doesn't exist is an error."""
    output = tmp_path / "patches.parquet"
    output.write_text("mine")
    result = run("table", store, "--output", output)
    assert result.returncode == 2
    assert output.read_text() == "mine"
    assert "exists already" in result.stderr
    result = run("table", store, "--output", tmp_path / "no" / "x.parquet")
    assert result.returncode == 2
    assert "can't be written" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["patches.parquet"]


def test_parts_of_stores_keep_it(store, tmp_path):
    """Patches that are selected from a store, or merged, are where they were."""
    stored = rico_hdl.open(store)
    rico_hdl.select(store, tmp_path / "s2", modality="s2")
    rico_hdl.select(store, tmp_path / "s1", modality="s1")
    rico_hdl.merge([tmp_path / "s1", tmp_path / "s2"], tmp_path / "both")
    merged = rico_hdl.open(tmp_path / "both")
    assert len(merged) == 10
    for key in merged:
        one, other = merged.georef(key), stored.georef(key)
        assert (one.crs, one.transform, one.bounds) == (other.crs, other.transform, other.bounds)


def test_splits(tmp_path):
    """If the store has splits, a column says which one each patch is in."""
    spec = get("levir-cd")
    sources = corpus.generate(spec, tmp_path / "source", 6)
    rico_hdl.convert(spec, sources, tmp_path / "store")
    store = rico_hdl.open(tmp_path / "store")
    assert store.splits
    write_table(tmp_path / "store", tmp_path / "a.parquet")
    rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
    for split in store.splits:
        assert [row["key"] for row in rows if row["split"] == split] == list(
            store.keys(split=split)
        )
