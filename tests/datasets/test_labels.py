"""Labels and splits of the built-in datasets, in the form of their publishers' files."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import corpus
import rico_hdl
from corpus.tortillas import of_folder, tortilla_of
from rico_hdl.datasets import registry
from rico_hdl.errors import UsageError
from rico_hdl.labels import CLASSES
from rico_hdl.labels.collecting import NONE
from rico_hdl.labels.gathering import Gathering
from rico_hdl.reading.labels import StoreLabels
from rico_hdl.subsets.samples import sample_names
from tests.support.image_files import jpeg
from tests.support.tortilla_files import tables

V1_S2 = "S2A_MSIL2A_20170617T113321_36_85"
V1_S1 = "S1A_IW_GRDH_1SDV_20170613T165043_33UUP_61_39"
SEASONET = "32UME_20180418T104021_53_928425_7_503876"


def parquet(rows):
    """The bytes of a parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


FILES = {
    "bigearthnet-v1": {
        f"BigEarthNet-v1.0/{V1_S2}/{V1_S2}_labels_metadata.json": json.dumps(
            {"labels": ["Pastures", "Salt marshes"], "coordinates": {"ulx": 1}}
        ),
        f"BigEarthNet-S1-v1.0/{V1_S1}/{V1_S1}_labels_metadata.json": json.dumps(
            {"labels": ["Pastures", "Salt marshes"], "corresponding_s2_patch": V1_S2}
        ),
        "val.csv": f"{V1_S2},{V1_S1}\n",
    },
    "eurosat-multi-spectral": {"eurosat-val.txt": "River_12.jpg\n"},
    "eurosat-rgb": {"eurosat-train.txt": "River/River_12.jpg\n"},
    "eurosat-sar": {"eurosat-test.txt": "River_12.jpg\n"},
    "resisc45": {"resisc45-test.txt": "baseball_diamond_001.jpg\n"},
    "sen12ms": {"test_list.txt": "ROIs1158_spring_s2_1_p1.tif\n"},
    "fmow-sentinel": {
        "test_gt.csv": ",category,location_id,image_id,timestamp,polygon\n"
        '0,multi-unit_residential,3,14,2016-02-14T00:00:00Z,"POLYGON ((1 2, 3 4))"\n'
    },
    "treesatai": {
        "labels/TreeSatBA_v9_60m_multi_labels.json": json.dumps(
            {"Fagus_sylvatica_9_29995_WEFL_NLF.tif": [["Fagus", 0.9], ["Quercus", 0.1]]}
        ),
        "train_filenames.lst": "Fagus_sylvatica_9_29995_WEFL_NLF.tif\n",
    },
    "sen1floods11": {
        "splits/flood_handlabeled/flood_valid_data.csv": (
            "Spain_7370579_S1Hand.tif,Spain_7370579_LabelHand.tif\n"
        ),
        "splits/flood_handlabeled/flood_bolivia_data.csv": (
            "Bolivia_103757_S1Hand.tif,Bolivia_103757_LabelHand.tif\n"
        ),
    },
    "marida": {
        "labels_mapping.txt": json.dumps({"S2_1-12-19_48MYU_0.tif": [1, 0, 1] + [0] * 12}),
        "splits/val_X.txt": "1-12-19_48MYU_0\n",
    },
    "hyspecnet-11k": {"train.csv": "ENMAP01-TILE/ENMAP01-Y1_X2/ENMAP01-Y1_X2-DATA.npy\n"},
    "spectral-earth-enmap": {"val.txt": "0287155/07676.tif\n"},
    "copernicus-bench": {
        "cloud_s2/train.csv": "ROI_00002__A\n",
        "cloud_s3/val.csv": "S3A_OL_1_EFR____B.tif\n",
        "eurosat_s1/eurosat-test.txt": "River_12.jpg\n",
    },
    "ftw": {
        f"{country}/chips_{country}.parquet": parquet(
            [{"aoi_id": "g_0", "split": "val", "geometry": b"\x01\x03"}]
        )
        for country in ("austria", "south_africa")
    },
    "mados": {"splits/val_X.txt": "Scene_0_1\n", "splits/test_X.txt": "Scene_12_34\n"},
    "pastis-r": {
        "metadata.geojson": json.dumps(
            {
                "type": "FeatureCollection",
                "features": [
                    {
                        "id": "10000",
                        "type": "Feature",
                        "properties": {"ID_PATCH": 10000, "Fold": 4, "dates-S2": {"0": 20180917}},
                        "geometry": None,
                    }
                ],
            }
        )
    },
    "seasonet": {
        "meta.csv": "Index,Season,Grid,Latitude,Longitude,Snow,Classes,Path\n"
        f'0,Spring,1,53.9,7.5,0.0,"2,3,12",spring/grid1/{SEASONET}\n'
    },
}
"""Files as the publishers have them."""
EXPECTED = {
    "bigearthnet-v1": [({"s1": V1_S1, "s2": V1_S2}, ("Pastures", "Salt marshes"), "validation")],
    "eurosat-multi-spectral": [({"s2": "River_12"}, (), "validation")],
    "eurosat-rgb": [({"rgb": "River_12"}, (), "train")],
    "eurosat-sar": [({"s1": "River_12"}, (), "test")],
    "resisc45": [({"rgb": "baseball_diamond_001"}, (), "test")],
    "sen12ms": [
        ({name: f"ROIs1158_spring_{name}_1_p1" for name in ("s1", "s2", "lc")}, (), "test")
    ],
    "fmow-sentinel": [
        ({"s2": "test_gt_multi-unit_residential_3_14"}, ("multi-unit_residential",), "test")
    ],
    "treesatai": [
        (
            {
                name: f"Fagus_sylvatica_9_29995_WEFL_NLF_{name.replace('-', '_')}"
                for name in ("aerial", "s1-60m", "s1-200m", "s2-60m", "s2-200m")
            },
            ("Fagus", "Quercus"),
            "train",
        )
    ],
    "sen1floods11": [
        (
            {"s1-hand": f"{chip}_S1Hand", "s2-hand": f"{chip}_S2Hand"},
            (),
            split,
        )
        for chip, split in (("Bolivia_103757", "bolivia"), ("Spain_7370579", "validation"))
    ],
    "marida": [
        (
            {"s2": "S2_1-12-19_48MYU_0", "cl": "S2_1-12-19_48MYU_0_cl"},
            ("Marine Debris", "Sparse Sargassum"),
            "validation",
        )
    ],
    "hyspecnet-11k": [({"enmap": "ENMAP01-Y1_X2"}, (), "train")],
    "spectral-earth-enmap": [({"enmap": "0287155_07676.tif"}, (), "validation")],
    "copernicus-bench": [
        (
            {"cloud-s2-image": "cloud_s2_image_ROI_00002__A"},
            (),
            "train",
        ),
        ({"cloud-s3-multi": "cloud_s3_multi_S3A_OL_1_EFR____B"}, (), "validation"),
        ({"eurosat-s1": "eurosat_s1_River_12"}, (), "test"),
    ],
    "ftw": [
        (
            {
                "s2-a": f"{country}_g_0_a",
                "s2-b": f"{country}_g_0_b",
                "2class": f"{country}_g_0_2class",
                "3class": f"{country}_g_0_3class",
                "instance": f"{country}_g_0_instance",
            },
            (),
            "validation",
        )
        for country in ("austria", "south_africa")
    ],
    "mados": [
        (
            {"s2": key, "cl": f"{key}_cl", "conf": f"{key}_conf", "rep": f"{key}_rep"},
            (),
            split,
        )
        for key, split in (("Scene_0_1", "validation"), ("Scene_12_34", "test"))
    ],
    "pastis-r": [({"mask": "TARGET_10000"}, (), "4")],
    "seasonet": [
        (
            {
                "s2": f"spring_grid1_{SEASONET}",
                "labels": f"spring_grid1_{SEASONET}_labels",
            },
            ("2", "3", "12"),
            "",
        )
    ],
}
"""For each sample, sorted: some of its patches, its classes, its split."""


def found_in(name, place):
    """The samples that a dataset's tables give, with all their patches."""
    gathering = Gathering(registry()[name])
    folders = [path for path in place.iterdir() if path.name.startswith("BigEarthNet")]
    gathering.read_found(folders or [place], [place])
    samples = gathering.samples()
    assert gathering.warnings in ([], ["1 rows with labels only repeat others"])
    return [
        (
            {m: names[i].decode() for m, names in samples.names.items() if names[i]},
            samples.label_of(i),
            "" if samples.split[i] == NONE else samples.splits[samples.split[i]],
        )
        for i in range(len(samples))
    ]


@pytest.mark.parametrize("name", FILES)
def test_files_of_the_publishers(tmp_path, name):
    """The tables of each dataset give the keys of its patches, their classes and splits."""
    for path, content in FILES[name].items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows = found_in(name, tmp_path)
    assert len(rows) == len(EXPECTED[name])
    for (keys, classes, split), expected in zip(rows, EXPECTED[name], strict=True):
        assert expected[0].items() <= keys.items()
        assert (classes, split) == expected[1:]
        for modality, key in keys.items():
            assert registry()[name].modality(modality).may_have(key)


@pytest.mark.parametrize("name", registry())
def test_tables_of_datasets_without_examples(name):
    """Every dataset with tables has an example here."""
    labels = registry()[name].labels
    if labels is not None and any(table.file for table in labels.tables):
        assert name in FILES or name == "bigearthnet"


def test_bigearthnet(tmp_path):
    """metadata.parquet next to the archives gives labels, splits and the pairs of S1 and S2."""
    spec = registry()["bigearthnet"]
    assert spec.labels.classes == CLASSES
    sources = corpus.generate(spec, tmp_path / "data", 6)
    keys = {m.name: [patch.key for patch in corpus.patches(spec, m, 6)] for m in spec.modalities}
    rows = [
        {
            "patch_id": keys["s2"][i],
            "labels": [CLASSES[i], CLASSES[i + 3]],
            "split": ("train", "validation", "test")[i % 3],
            "country": "Austria",
            "s1_name": keys["s1"][(i + 1) % 6],
            "contains_seasonal_snow": False,
        }
        for i in range(6)
    ]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, next(iter(sources.values())).parent / "metadata.parquet")
    summary = rico_hdl.convert("bigearthnet", sources, tmp_path / "target")
    assert (summary.warnings[:0], summary.n_samples, summary.n_labelled) == ([], 6, 6)
    store = rico_hdl.open(tmp_path / "target")
    pairs = store.pairs("s1", "s2", split="val")
    assert sorted(pairs["s2"]) == sorted(keys["s2"][i] for i in (1, 4))
    assert [keys["s1"].index(key) for key in pairs["s1"]] == [
        (keys["s2"].index(key) + 1) % 6 for key in pairs["s2"]
    ]
    labels = store.labels(keys["s1"])
    for i in range(6):
        assert labels[(i + 1) % 6].nonzero()[0].tolist() == [i, i + 3]
    assert rico_hdl.verify(tmp_path / "target").findings == []


def test_real_labels_of_bigearthnet_v1(samples, tmp_path):
    """The real label file of a patch is read from its folder."""
    source = tmp_path / "BigEarthNet-v1.0"
    shutil.copytree(samples / "BigEarthNet-v1.0", source)
    (tmp_path / "train.csv").write_text(f"{V1_S2},{V1_S1}\n", encoding="utf-8")
    rico_hdl.convert("bigearthnet-v1", {"s2": source}, tmp_path / "target")
    store = rico_hdl.open(tmp_path / "target")
    (found,) = store.labels(store.keys("s2", split="train"))
    assert [store.classes[i] for i in found.nonzero()[0]] == [
        "Non-irrigated arable land",
        "Pastures",
    ]
    assert len(store.classes) == 43


def test_classes_of_paths(tmp_path):
    """AID's keys don't name the class, but its folders do."""
    spec = registry()["aid"]
    source = corpus.generate(spec, tmp_path / "data", 5)["rgb"]
    rico_hdl.convert("aid", {"rgb": source}, tmp_path / "target")
    store = rico_hdl.open(tmp_path / "target")
    folders = {path.stem: path.parent.name for path in source.rglob("*.jpg")}
    keys = store.keys()
    assert [store.classes[i] for i in store.labels(keys)] == [folders[key] for key in keys]


def footers():
    """The datasets whose labels are in the archives of their patches."""
    found = []
    for name, spec in registry().items():
        tables = spec.labels.tables if spec.labels else ()
        if any(not table.file for table in tables) and spec.modalities[0].arrays is None:
            found.append(name)
    return found


@pytest.mark.parametrize("name", footers())
def test_splits_in_footers(tmp_path, name):
    """A generated tortilla gives each of its patches the split and the labels of its sample."""
    spec = registry()[name]
    (table,) = spec.labels.tables
    sources = corpus.generate(spec, tmp_path / "source", 5)
    folders = {*sources.values()}
    pieces, splits, classes = [], {}, {}
    for folder in folders:
        for piece in of_folder(
            folder, sorted(p.relative_to(folder) for p in folder.rglob("*.tif"))
        ):
            i = len(splits)
            splits.setdefault(piece.id, ("train", "validation", "test")[i % 3])
            classes.setdefault(piece.id, list(spec.labels.classes[i : 2 * i]))
            metadata = {"tortilla:data_split": splits[piece.id]}
            for column in table.label:
                metadata[column] = classes[piece.id]
            pieces.append(replace(piece, metadata=metadata))
    path = tmp_path / "x.tortilla"
    path.write_bytes(tortilla_of(pieces))
    summary = rico_hdl.convert(spec, path, tmp_path / "target")
    assert (summary.failures, summary.complete, summary.warnings) == ([], True, [])
    assert summary.n_samples == len(pieces)
    store = rico_hdl.open(tmp_path / "target")
    for split in ("train", "validation", "test"):
        found = {key for key in store if splits[id_of(key, splits)] == split}
        assert {*store.keys(split=split)} == found
        assert found
    if table.label:
        assert store.classes == spec.labels.classes
        for key, row in zip(store.keys(), store.labels(store.keys()), strict=True):
            assert [store.classes[i] for i in row.nonzero()[0]] == classes[id_of(key, splits)]
    names = [one.name for one in spec.modalities]
    pairs = store.pairs(*names)
    assert len(pairs[names[0]]) == len(pieces)
    for keys in zip(*pairs.values(), strict=True):
        assert len({id_of(key, splits) for key in keys}) == 1


def id_of(key, ids):
    """The id that begins a key."""
    return max((one for one in ids if key.startswith(f"{one}_")), key=len)


def test_real_labels_of_geo_bench_2(samples, tmp_path):
    """The footers of the real files give what pyarrow reads in them."""
    for name, column in (("benv2", "labels"), ("treesatai", "species_labels")):
        path = samples / "GEO-Bench-2" / f"{name}.tortilla"
        spec = registry()[f"geo-bench-2-{name}"]
        summary = rico_hdl.convert(spec, path, tmp_path / name)
        assert summary.warnings == []
        store = rico_hdl.open(tmp_path / name)
        rows = next(tables(path.read_bytes()))[2]
        assert len(rows) == summary.n_samples == 9
        for row in rows:
            keys = [f"{row['tortilla:id']}_{one.name}" for one in spec.modalities]
            for labels in store.labels(keys):
                found = {store.classes[i] for i in labels.nonzero()[0]}
                assert found == {*row[column]}
            assert {*keys} <= {*store.keys(split=row["tortilla:data_split"])}


def test_hot_labels_next_to_pixels(tmp_path):
    """So2Sat's classes are in the files of the patches, and their names say the split."""
    spec = registry()["so2sat"]
    generated = corpus.generate(spec, tmp_path / "generated", 20)["sen1"] / "training.h5"
    source, expected = tmp_path / "source", {}
    source.mkdir()
    for step, stem in enumerate(("training", "validation", "testing"), 3):
        shutil.copy(generated, source / f"{stem}.h5")
        with h5py.File(source / f"{stem}.h5", "a") as file:
            classes = (np.arange(len(file["sen1"])) * 5 + step) % 17
            file["label"][...] = np.eye(17)[classes]
        expected |= {(stem, i): spec.labels.classes[c] for i, c in enumerate(classes)}
    summary = rico_hdl.convert(spec, source, tmp_path / "target")
    assert (summary.failures, summary.n_labelled) == ([], len(expected))
    store = rico_hdl.open(tmp_path / "target")
    assert store.classes == spec.labels.classes
    assert store.splits == ("train", "validation", "test")
    for name in ("sen1", "sen2"):
        found = {}
        stems = ("training", "validation", "testing")
        for split, stem in zip(store.splits, stems, strict=True):
            keys = store.keys(name, split=split)
            assert {key.split("_")[1] for key in keys} == {stem}
            for key, label in zip(keys, store.labels(keys), strict=True):
                found[stem, int(key.split("_")[2])] = store.classes[label]
        assert found == expected
    pairs = store.pairs("sen1", "sen2", split="test")
    assert [key.replace("sen1", "sen2") for key in pairs["sen1"]] == list(pairs["sen2"])


def test_classes_and_splits_of_paths(tmp_path):
    """Million-AID's classes are the folders of its images, however many, and so are its splits."""
    images = {
        "train/agriculture_land/grassland/meadow/P0000001.jpg": "train",
        "train/water_area/beach/P0000002.jpg": "train",
        "test/water_area/beach/P0000003.jpg": "test",
    }
    for path in images:
        (tmp_path / "source" / path).parent.mkdir(parents=True)
        (tmp_path / "source" / path).write_bytes(jpeg(np.zeros((3, 8, 8), np.uint8)))
    summary = rico_hdl.convert("million-aid", tmp_path / "source", tmp_path / "target")
    assert summary.failures == []
    store = rico_hdl.open(tmp_path / "target")
    assert store.splits == ("train", "test")
    for path, split in images.items():
        key = Path(path).stem
        (label,) = store.labels([key])
        assert store.classes[label] == "/".join(path.split("/")[1:-1])
        assert key in {*store.keys(split=split)}


def test_splits_of_keys(tmp_path):
    """Landslide4Sense's keys begin with the split, so nothing else is needed."""
    spec = registry()["landslide4sense"]
    generated = corpus.generate(spec, tmp_path / "generated", 1)["image"] / "TrainData"
    for split in ("Train", "Valid", "Test"):
        shutil.copytree(generated, tmp_path / "source" / f"{split}Data")
    rico_hdl.convert(spec, tmp_path / "source", tmp_path / "target")
    store = rico_hdl.open(tmp_path / "target")
    assert store.splits == ("train", "validation", "test")
    for split, name in zip(store.splits, ("Train", "Valid", "Test"), strict=True):
        keys = store.keys("image", split=split)
        assert len(keys)
        assert {key.split("_")[0] for key in keys} == {name}
        pairs = store.pairs("image", "mask", split=split)
        assert [key.replace("image", "mask") for key in pairs["image"]] == list(pairs["mask"])


def test_split_in_the_middle_of_keys():
    """TerraMesh's keys have the split between the source and the sample."""
    spec = registry()["terramesh"]
    keys = ["s2l2a_ssl4eos12_val_0080385", "dem_majortom_train_0000001"]
    labels = StoreLabels(Path("x"), spec)
    assert labels.splits(keys) == ("train", "validation")


def test_series_of_one_location(tmp_path):
    """SeCo's products of a location are a series, in the order of their dates."""
    source = tmp_path / "source"
    dates = ("20190803T154559", "20180105T154559", "20191011T154559")
    spec = registry()["seco"]
    (generated,) = corpus.generate(spec, tmp_path / "generated", 1).values()
    (patch,) = {path.parent for path in generated.rglob("B8A.tif")}
    for location in ("000000", "000007"):
        for date in dates:
            shutil.copytree(patch, source / location / f"{date}_{date}_T18QVG")
    rico_hdl.convert(spec, source, tmp_path / "target")
    series = rico_hdl.open(tmp_path / "target").series("s2")
    assert [[key.split("_")[1] for key in one] for one in series] == [sorted(dates)] * 2
    assert [{key.split("_")[0] for key in one} for one in series] == [{"000000"}, {"000007"}]


def test_time_steps_and_folds(tmp_path):
    """PASTIS-R's steps are series; its masks have folds, and pair with the steps of one sensor."""
    spec = registry()["pastis-r"]
    sources = corpus.generate(spec, tmp_path / "source", 6)
    masks = [patch.key for patch in corpus.patches(spec, spec.modality("mask"), 6)]
    folds = {key: i % 5 + 1 for i, key in enumerate(masks)}
    features = [
        {
            "type": "Feature",
            "geometry": None,
            "properties": {"ID_PATCH": int(key.split("_")[1]), "Fold": fold},
        }
        for key, fold in folds.items()
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (sources["mask"] / "metadata.geojson").write_text(text, encoding="utf-8")
    rico_hdl.convert(spec, sources, tmp_path / "target")
    store = rico_hdl.open(tmp_path / "target")
    assert {key: [s for s in store.splits if key in {*store.keys(split=s)}] for key in masks} == {
        key: [str(fold)] for key, fold in folds.items()
    }
    for one in store.series("s2"):
        assert len({key.split("_")[1] for key in one}) == 1
        assert [int(key.split("_")[2]) for key in one] == sorted(
            int(key.split("_")[2]) for key in one
        )
    pairs = store.pairs("mask", "s2")
    assert len(pairs["mask"])
    for mask, step in zip(*pairs.values(), strict=True):
        assert mask.split("_")[1] == step.split("_")[1]
    masks_of = {key.split("_")[1]: key for key in masks}
    for fold in map(str, folds.values()):
        for name in ("s2", "s1a"):
            expected = [
                key for key in store.keys(name) if folds[masks_of[key.split("_")[1]]] == int(fold)
            ]
            assert list(store.keys(name, split=fold)) == expected
            pairs = store.pairs(name, "mask", split=fold)
            assert {folds[key] for key in pairs["mask"]} <= {int(fold)}
    keys = store.keys()
    for key, name in zip(keys, sample_names(store, keys).tolist(), strict=True):
        assert name.decode() == masks_of[key.split("_")[1]]
    rico_hdl.select(tmp_path / "target", tmp_path / "s2", modality="s2")
    part = rico_hdl.open(tmp_path / "s2")
    for fold in part.splits:
        assert list(part.keys(split=fold)) == list(store.keys("s2", split=fold))
    assert part.splits == store.splits


@pytest.mark.parametrize(
    ("name", "modalities"),
    [
        ("cabuar", ("pre", "post", "mask")),
        ("dfc2020", ("s1", "s2", "dfc")),
        ("flair", ("aerial", "mask")),
        ("geo-bench-2-biomassters", ("s1", "s2")),
        ("geo-bench-2-biomassters", ("s2", "agbm")),
        ("hls-burn-scars", ("hls", "mask")),
        ("kuro-siwo", ("ms1", "sl1", "mlu")),
        ("levir-cd", ("before", "after", "change")),
        ("mmearth", ("sentinel1", "sentinel2")),
        ("oscd", ("before", "after")),
        ("sen12ms-cr", ("s1", "s2", "s2-cloudy")),
        ("terramesh", ("s2l2a", "lulc")),
    ],
)
def test_pairs_of_equal_fields(tmp_path, name, modalities):
    """Patches whose keys share all fields that both have are pairs, as pages say."""
    spec = registry()[name]
    chosen = [spec.modality(one) for one in modalities]
    sources = corpus.generate(spec, tmp_path / "source", 5, modalities=modalities)
    rico_hdl.convert(spec, sources, tmp_path / "target")
    store = rico_hdl.open(tmp_path / "target")
    shared = set.intersection(*({*one.key.fields} for one in chosen))
    pairs = store.pairs(*modalities)
    assert len(pairs[modalities[0]]) == max(len(store.keys(one)) for one in modalities)
    for keys in zip(*pairs.values(), strict=True):
        values = [one.keys.match(key) for one, key in zip(chosen, keys, strict=True)]
        assert len({tuple(one[field] for field in sorted(shared)) for one in values}) == 1


@pytest.mark.parametrize(
    ("name", "modality"), [("treesatai-ts", "s2"), ("geo-bench-2-dynamic-earthnet", "planet")]
)
def test_steps_in_their_order(tmp_path, name, modality):
    """The series of a place are its steps by number."""
    spec = registry()[name]
    one = spec.modality(modality)
    sources = corpus.generate(spec, tmp_path / "source", 12, modalities=[modality])
    rico_hdl.convert(spec, sources, tmp_path / "target")
    store = rico_hdl.open(tmp_path / "target")
    series = store.series(modality)
    assert sorted(key for keys in series for key in keys) == list(store.keys(modality))
    for keys in series:
        values = [one.keys.match(key) for key in keys]
        steps = [int(value.pop(one.time)) for value in values]
        assert steps == sorted(steps)
        assert all(value == values[0] for value in values)


def test_steps_of_different_sensors_are_no_pairs(tmp_path):
    """The same position in two series is not the same date, so no pairs are made of it."""
    for name, others in (("treesatai-ts", ("s1-asc", "s2")), ("pastis-r", ("s1a", "s2"))):
        spec = registry()[name]
        sources = corpus.generate(spec, tmp_path / name, 12, modalities=others)
        rico_hdl.convert(spec, sources, tmp_path / f"{name}.store")
        with pytest.raises(UsageError, match="several patches of"):
            rico_hdl.open(tmp_path / f"{name}.store").pairs(*others)


def test_images_of_a_tile_stay_together(tmp_path):
    """SatlasPretrain's images of a tile are one sample, whatever the sensor and the date."""
    spec = registry()["satlaspretrain"]
    names = ("sentinel1", "sentinel2")
    sources = corpus.generate(spec, tmp_path / "source", 8, modalities=names)
    rico_hdl.convert(spec, sources, tmp_path / "target")
    store = rico_hdl.open(tmp_path / "target")
    keys = store.keys()
    found = sample_names(store, keys).tolist()
    tiles = [tuple(key.split("_")[-2:]) for key in keys]
    assert len({*zip(found, tiles, strict=True)}) == len({*found}) == len({*tiles}) < len(keys)
