"""Labels and splits of the built-in datasets, in the form of their publishers' files."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import corpus
import rico_hdl
from rico_hdl.datasets import registry
from rico_hdl.labels import CLASSES
from rico_hdl.labels.gathering import Gathering
from rico_hdl.labels.samples import NONE

V1_S2 = "S2A_MSIL2A_20170617T113321_36_85"
V1_S1 = "S1A_IW_GRDH_1SDV_20170613T165043_33UUP_61_39"
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
        place.write_text(content, encoding="utf-8")
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
    if labels is not None and labels.tables:
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
