"""What files say beyond pixels is kept, and is what GDAL reads from them."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

import corpus
import rico_hdl
from rico_hdl.datasets import get
from rico_hdl.decoding.formats import TIFF, format_of
from rico_hdl.spec.toml_form import load_spec
from tests.support.geotiffs import geotiff, kept, lonlat, opened, outline, said, same_bounds

SAMPLES = {
    "bigearthnet": {
        "s1": ("BigEarthNet/BigEarthNet-S1", ""),
        "s2": ("BigEarthNet/BigEarthNet-S2", ""),
        "reference-maps": ("BigEarthNet/Reference_Maps", ""),
    },
    "eurosat-multi-spectral": {"s2": ("EuroSAT_MS", "")},
    "hydro": {"s2": ("Hydro", "")},
    "hyspecnet-11k": {"enmap": ("HySpecNet-11k", "")},
    "major-tom-core": {"s2": ("Major-TOM-Core/S2L2A", "")},
    "ssl4eo-s12": {
        "s1": ("SSL4EO-S12/s1", ""),
        "s2c": ("SSL4EO-S12/s2c", ""),
        "s2a": ("SSL4EO-S12/s2a", ""),
    },
    "uc-merced": {"rgb": ("UCMerced_LandUse", "")},
    "bigearthnet-v1": {"s2": ("BigEarthNet-v1.0", "")},
    "copernicus-pretrain": {"s2": ("Copernicus-Pretrain", "images/0235_0_0/0_0_0/")},
    "s2-100k": {"s2": ("S2-100K/images", "")},
    "sen1floods11": {
        "s1-hand": ("Sen1Floods11/S1Hand", ""),
        "s2-hand": ("Sen1Floods11/S2Hand", ""),
        "label-hand": ("Sen1Floods11/LabelHand", ""),
    },
}
"""The folder of each modality's samples, and the folders above them that the samples lack."""


def check_file(path, found):
    """Assert that a store says about a file what GDAL says."""
    with opened(path) as file:
        assert kept(found) == said(file), path


def check_patch(georef, paths):
    """Assert that a store says about a patch what GDAL says about its files."""
    assert len(georef.files) == len(paths)
    for path, found in zip(paths, georef.files, strict=True):
        check_file(path, found)
    # The finest file stands for the patch.
    with opened(max(paths, key=lambda path: opened(path).width)) as file:
        if file.crs is None:
            assert georef.crs is None
            assert georef.bounds is None
            return
        if georef.transform is None:
            assert georef.bounds is None
            return
        assert georef.transform == file.transform[:6]
        assert same_bounds(georef.bounds, lonlat(file))
        around = outline(file)
        low, high = around.min(axis=1), around.max(axis=1)
        assert georef.extent == pytest.approx((*low, *high), rel=1e-15)


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_where_gdal_says(samples, tmp_path, name):
    """CRS, transform, nodata, metadata and bounds of real files are those that GDAL reads."""
    spec = get(name)
    sources = {}
    for modality, (folder, above) in SAMPLES[name].items():
        sources[modality] = samples / folder
        if above:
            sources[modality] = tmp_path / modality
            shutil.copytree(samples / folder, tmp_path / modality / above)
    rico_hdl.convert(spec, sources, tmp_path / "store")
    store = rico_hdl.open(tmp_path / "store")
    n_files = 0
    for modality in spec.modalities:
        if modality.name not in sources:
            continue
        root = sources[modality.name]
        for path in sorted(root.rglob("*")):
            match = modality.files.match(path.relative_to(root).as_posix())
            band = {b.token: b.name for b in modality.bands}.get(match.get("band")) if match else ""
            if match is None or (modality.one_file_per_band and not band):
                continue
            georef = store.georef(modality.key.format(match))
            check_file(path, georef.of(band) if band else georef.files[0])
            n_files += 1
            if georef.crs is not None:
                assert georef.bounds is not None
    assert n_files >= len(store.keys())


def test_every_dataset_is_where_gdal_says(spec, tmp_path):
    """The same holds for each dataset of the corpus; formats without georeferencing have none."""
    sources = corpus.generate(spec, tmp_path / "source", 3)
    rico_hdl.convert(spec, sources, tmp_path / "store")
    store = rico_hdl.open(tmp_path / "store")
    known = store.georefs()
    bounds = dict(zip(store.keys(), known.bounds(), strict=True))
    for modality in spec.modalities:
        is_tiff = modality.arrays is None and format_of(str(modality.files)) is TIFF
        for patch in corpus.patches(spec, modality, 3):
            if not is_tiff:
                with pytest.raises(
                    rico_hdl.StoreError, match=r"beyond its pixels|nothing is noted"
                ):
                    store.georef(patch.key)
                continue
            georef = store.georef(patch.key)
            check_patch(georef, [sources[modality.name] / name for name in patch.files])
            if georef.bounds is not None:
                assert bounds[patch.key] == pytest.approx(georef.bounds)
    assert known.known.all() == all(
        m.arrays is None and format_of(str(m.files)) is TIFF for m in spec.modalities
    )


TOML = """
name = "chips"

[[modality]]
name = "image"
files = "{id}.tif"
key = "{id}"
bands = ["a", "b"]
patterns = {id = "[0-9]*"}

[[modality]]
name = "split"
files = "{id}_{band}.tif"
key = "{id}_split"
bands = ["x", "y"]
patterns = {id = "p*"}
"""
STACK = np.arange(2 * 20 * 30, dtype=np.uint16).reshape(2, 20, 30)
UTM = {"crs": "EPSG:32633", "transform": Affine(10, 0, 300_000, 0, -10, 5_000_000)}


@pytest.fixture
def converted(tmp_path):
    """Write files of chips, convert them, and open the store."""

    def convert(write, modality="image"):
        (tmp_path / "chips.toml").write_text(TOML)
        (tmp_path / "source").mkdir()
        write(tmp_path / "source")
        summary = rico_hdl.convert(
            load_spec(tmp_path / "chips.toml"),
            {modality: tmp_path / "source"},
            tmp_path / "store",
        )
        assert summary.complete
        return rico_hdl.open(tmp_path / "store")

    return convert


UNUSUAL = {
    "north-up": UTM,
    "no place": {},
    "only a system": {"crs": "EPSG:4326"},
    "rotated": {**UTM, "transform": Affine(8, 3, 300_000, 3, -8, 5_000_000)},
    "south-up": {**UTM, "transform": Affine(10, 0, 300_000, 0, 10, 5_000_000)},
    "big-endian": {**UTM, "ENDIANNESS": "BIG"},
    "BigTIFF": {**UTM, "BIGTIFF": "YES"},
    "compressed": {**UTM, "COMPRESS": "DEFLATE", "TILED": "YES", "BLOCKXSIZE": 16},
    "degrees": {"crs": "EPSG:4326", "transform": Affine(1e-4, 0, 12.5, 0, -1e-4, 47.1)},
    "an own system": {
        **UTM,
        "crs": CRS.from_proj4("+proj=laea +lat_0=51 +lon_0=9 +x_0=1000 +ellps=GRS80 +units=m"),
    },
    "feet": {**UTM, "crs": "EPSG:2263"},
    "nodata NaN": {**UTM, "nodata": 65535},
}
"""Files of `geotiff`, by what is unusual about them."""


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_files_are_where_gdal_says(converted, name):
    """Rotated, big-endian and self-defined places are those of GDAL, and no place is none."""

    def write(folder):
        geotiff(folder / "1.tif", STACK, **UNUSUAL[name])
        # Alike, so that its tags are found by comparison; elsewhere.
        there = dict(UNUSUAL[name])
        if "transform" in there:
            there["transform"] @= Affine.translation(7, 9)
        geotiff(folder / "2.tif", STACK + 1, **there)
        geotiff(folder / "3.tif", STACK + 1, **{**there, "nodata": 7})
        geotiff(folder / "4.tif", STACK + 1, **{**there, "nodata": 8})
        if there.get("crs") == "EPSG:32633":  # values of the same lengths
            geotiff(folder / "5.tif", STACK, **{**there, "crs": "EPSG:32634"})
            geotiff(folder / "6.tif", STACK, **there)

    store = converted(write)
    folder = store.path.parent / "source"
    for key in store:
        check_patch(store.georef(key), [folder / f"{key}.tif"])
    assert np.array_equal(
        store.georefs().transforms,
        [store.georef(key).transform or [np.nan] * 6 for key in store],
        equal_nan=True,
    )


def test_places_that_only_gdal_can_tell(converted):
    """The system of control points is known, though no transform; so is one with heights."""
    points = [GroundControlPoint(r, c, c / 100, r / 90) for r in (0, 20) for c in (0, 30)]

    def write(folder):
        geotiff(folder / "1.tif", STACK, crs="EPSG:4326", gcps=points)
        geotiff(folder / "2.tif", STACK, **{**UTM, "crs": "EPSG:5972"})

    store = converted(write)
    assert (store.georef("1").crs, store.georef("1").bounds) == ("EPSG:4326", None)
    with opened(store.path.parent / "source" / "2.tif") as file:
        assert CRS.from_wkt(store.georef("2").crs) == file.crs
        assert store.georef("2").transform == file.transform[:6]
    assert np.isnan(store.georefs().bounds()).any(axis=1).tolist() == [True, False]


def test_point_pixels_are_where_gdal_says(converted):
    """A tie point may be the centre of a pixel."""

    def write(folder):
        import rasterio

        geotiff(folder / "1.tif", STACK, **UTM)
        with rasterio.open(folder / "1.tif", "r+") as file:
            file.update_tags(AREA_OR_POINT="Point")

    store = converted(write)
    check_file(store.path.parent / "source" / "1.tif", store.georef("1").files[0])


def test_metadata_is_what_gdal_says(converted):
    """Descriptions, scales, offsets, units and other items are kept, whatever they contain."""

    def write(folder):
        import rasterio

        for key in ("1", "2"):
            geotiff(folder / f"{key}.tif", STACK, **UTM, nodata=-0.0)
            with rasterio.open(folder / f"{key}.tif", "r+") as file:
                file.descriptions = (f"blue & <{key}>", 'a "ü"')
                file.scales, file.offsets, file.units = (0.1, 1), (-5, 0), ("K", "")
                file.update_tags(text="a & b < c > d \" ' ü", number=key)
                file.update_tags(1, wavelength="0.49 & more")

    store = converted(write)
    for key in store:
        check_file(store.path.parent / "source" / f"{key}.tif", store.georef(key).files[0])
    assert store.georef("1").files[0].descriptions == ("blue & <1>", 'a "ü"')


def test_files_in_different_places_are_told(converted):
    """If two files of a patch disagree, the patch has no place; each file keeps its own."""

    def write(folder):
        for key, x in (("p1", 300_000), ("p2", 300_010), ("p3", 300_011), ("p4", 300_000)):
            there = {**UTM, "transform": Affine(10, 0, x, 0, -10, 5_000_000)}
            geotiff(folder / f"{key}_x.tif", STACK[:1], **UTM)
            if key == "p4":
                there["crs"] = "EPSG:32634"
            geotiff(folder / f"{key}_y.tif", STACK[:1], **there)

    store = converted(write, "split")
    for key in ("p3_split", "p4_split"):
        with pytest.raises(rico_hdl.StoreError, match=f"{key}: its files are in different places"):
            _ = store.georef(key).bounds
        for band in ("x", "y"):
            path = store.path.parent / "source" / f"{key[:2]}_{band}.tif"
            check_file(path, store.georef(key).of(band))
    for key in ("p1_split", "p2_split"):  # within a pixel
        assert store.georef(key).transform == UTM["transform"][:6]
    found = store.georefs()
    assert found.disagree.tolist() == [False, False, True, True]
    assert np.isnan(found.bounds()).any(axis=1).tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("crs", "transform", "expected"),
    [
        # Fiji, across the 180th meridian
        ("EPSG:32701", Affine(1000, 0, 165_000, 0, -1000, 8_100_000), (179, -180 + 0.5)),
        ("EPSG:4326", Affine(0.01, 0, 179.9, 0, -0.01, 10), (179.9, -180 + 0.2)),
    ],
)
def test_bounds_cross_the_meridian(converted, crs, transform, expected):
    """West is greater than east across the 180th meridian, as in GeoJSON."""
    store = converted(lambda folder: geotiff(folder / "1.tif", STACK, crs=crs, transform=transform))
    west, south, east, north = store.georef("1").bounds
    assert west > 179
    assert -180 < east < -179
    assert south < north
    assert west == pytest.approx(expected[0], abs=1)
    assert east == pytest.approx(expected[1], abs=1)


@pytest.mark.parametrize("code", [32661, 32761, 3031, 3995])
def test_bounds_of_the_poles(converted, code):
    """A patch that contains a pole has all longitudes."""
    centre = 2_000_000 if code > 30_000 else 0
    transform = Affine(100, 0, centre - 1500, 0, -100, centre + 1000)
    store = converted(
        lambda folder: geotiff(folder / "1.tif", STACK, crs=f"EPSG:{code}", transform=transform)
    )
    west, south, east, north = store.georef("1").bounds
    assert (west, east) == (-180, 180)
    assert (north if code in {32661, 3995} else -south) == 90


def test_times_are_those_of_names():
    """Times in keys are known if the dataset's keys have that form."""
    from rico_hdl.spec.times import key_forms, time_in

    def time(name, key):
        found = time_in(key, key_forms(get(name) if name else None))
        return None if found is None else str(np.datetime64(found, "ms"))

    key = "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_75_43"
    assert time("bigearthnet", key) == time(None, key) == "2017-06-13T10:10:31.000"
    assert time("ssl4eo-l", "tm_toa_0000002_LT05_172034_20100526") == "2010-05-26T00:00:00.000"
    assert time("hls-burn-scars", "HLS.S30.T10SGD.2018257") == "2018-09-14T00:00:00.000"
    assert time("sen12ms-cr-ts", "s1_ROIs1970_21_ImgNo_0_2018-01-03_patch_250")[:10] == "2018-01-03"
    assert time("hls-burn-scars", "HLS.S30.T10SGD.2018367") is None
    # Eight digits of an identifier are no date.
    assert time("biomassters", "20110415_S1_00") is None
    assert time(None, "20110415_S1_00") is None
    assert time("eurosat-rgb", "AnnualCrop_1") is None


def test_time_of_a_path(tmp_path):
    """A time in the path of the files counts if the key lacks it."""
    spec = get("kuro-siwo")
    sources = corpus.generate(spec, tmp_path / "source", 2, modalities=["ms1"])
    rico_hdl.convert(spec, sources, tmp_path / "store")
    store = rico_hdl.open(tmp_path / "store")
    paths = {patch.key: patch.files[0] for patch in corpus.patches(spec, spec.modality("ms1"), 2)}
    for key, path in paths.items():
        date = path.rpartition("_")[2][:8]
        assert store.georef(key).time.strftime("%Y%m%d") == date
    times = store.georefs(list(paths)).times
    assert [str(time)[:10].replace("-", "") for time in times] == [
        path.rpartition("_")[2][:8] for path in paths.values()
    ]
