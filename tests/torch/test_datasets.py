"""Published datasets with their labels and splits."""

from __future__ import annotations

import pickle
import re
import shutil
import warnings

import lmdb
import numpy as np
import pytest

import corpus
from rico_hdl.datasets import registry
from rico_hdl.errors import SourceError, StoreError, UsageError
from rico_hdl.labels import (
    CLASSES,
    EUROSAT_CLASSES,
    NOMENCLATURE,
    UC_MERCED_CLASSES,
    class_indexes,
    multi_hot,
)
from tests.support import labelled
from tests.support.reading import arrays
from tests.support.stores import converted

torch = pytest.importorskip("torch", reason="torch is not installed: make test-torch")

from torch.utils.data import DataLoader

from rico_hdl.torch import (
    BigEarthNet,
    EuroSAT,
    HySpecNet,
    MissingPatchesWarning,
    UCMerced,
    loader,
)

S1 = ["VV", "VH"]
S2 = ["B02", "B8A", "B01"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A BigEarthNet store with its metadata tables."""
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    return labelled.bigearthnet(tmp_path_factory.mktemp("bigearthnet"))


@pytest.fixture(scope="module")
def stored(data):
    """All patches, as safetensors reads them."""
    return arrays(data.store)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_bigearthnet_split_has_its_patches_and_labels(data, split):
    """A dataset holds its split's samples, sorted by key, each with its own labels."""
    dataset = BigEarthNet(data.store, data.metadata, split, ["s2"], "rgb")
    rows = sorted((r for r in data.rows if r.split == split), key=lambda row: row.patch_id)
    assert len(rows) == 4
    assert dataset.classes == CLASSES
    assert [sample["key"] for sample in dataset] == [row.patch_id for row in rows]
    for sample, row in zip(dataset, rows, strict=True):
        assert sample["label"].dtype == torch.float32
        assert sample["label"].tolist() == multi_hot(row.labels).tolist()


def test_bigearthnet_pairs_are_those_of_the_table(data, stored):
    """An image holds the bands of the S1 patch in the table's row, then those of S2."""
    dataset = BigEarthNet(data.store, data.metadata, "train", bands=S1 + S2)
    partners = {row.patch_id: row.s1_name for row in data.rows}
    assert dataset.entries["image"].bands == (*S1, *S2)
    for sample in dataset:
        s2, s1 = stored[sample["key"]], stored[partners[sample["key"]]]
        bands = [s1[band] for band in S1] + [labelled.upsampled(s2[band]) for band in S2]
        expected = np.stack([band.astype(np.float32) for band in bands])
        assert sample["image"].dtype == torch.float32
        # Compared as bytes, since the Sentinel-1 pixels include a NaN.
        assert sample["image"].numpy().tobytes() == expected.tobytes()


def test_bigearthnet_order_of_modalities_can_be_chosen(data):
    """Bands follow the order of the modalities; a dictionary assigns bands to modalities."""
    one = BigEarthNet(data.store, data.metadata, bands=S1 + S2)
    other = BigEarthNet(
        data.store, data.metadata, modalities=["s2", "s1"], bands={"s1": "VH", "s2": "rgb"}
    )
    assert other.entries["image"].bands == ("B04", "B03", "B02", "VH")
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a["image"][1].view(torch.int32), b["image"][3].view(torch.int32))
        assert torch.equal(a["image"][2], b["image"][2])
    every = BigEarthNet(data.store, data.metadata)
    assert len(every.entries["image"].bands) == 14


def test_bigearthnet_masks_are_classes_of_the_reference_map(data):
    """Each mask pixel is the class of the map's code, or the index to ignore."""
    spec = registry()["bigearthnet"]
    numbers = {patch.key: patch.number for patch in corpus.patches(spec, spec.modality("s2"), 20)}
    options = {"modalities": ["s2"], "bands": "B02", "labels": "mask"}
    for classes, ignore in ((CLASSES, -100), (NOMENCLATURE, 255)):
        dataset = BigEarthNet(
            data.store, data.metadata, classes=classes, ignore_index=ignore, **options
        )
        for sample in dataset:
            assert set(sample) == {"image", "mask", "key"}
            codes = labelled.codes(numbers[sample["key"]])
            expected = class_indexes(codes, classes, ignore)
            assert sample["mask"].dtype == torch.int64
            assert np.array_equal(sample["mask"].numpy(), expected)
            assert set(np.unique(expected)) == {*range(19), ignore}


def test_bigearthnet_masks_follow_the_size(data):
    """Masks are resampled with nearest neighbours to the size of the images."""
    options = {"modalities": "s2", "bands": "B02", "labels": "mask"}
    small = BigEarthNet(data.store, data.metadata, size=60, resampling="bilinear", **options)
    whole = BigEarthNet(data.store, data.metadata, **options)
    for one, other in zip(small, whole, strict=True):
        assert one["image"].shape == (1, 60, 60)
        assert torch.equal(one["mask"], other["mask"][::2, ::2])


def test_bigearthnet_both_kinds_of_labels_or_none(data):
    """Samples hold the requested kinds of labels: both or none."""
    common = {"modalities": "s2", "bands": "B02"}
    both = BigEarthNet(data.store, data.metadata, labels="multi-hot+mask", **common)
    assert set(both[0]) == {"image", "label", "mask", "key"}
    without = BigEarthNet(data.store, data.metadata, labels=None, **common)
    assert set(without[0]) == {"image", "key"}


def test_bigearthnet_snow_and_clouds_are_added(data):
    """A second table adds its patches to those of the first."""
    plain = BigEarthNet(data.store, data.metadata, None)
    whole = BigEarthNet(data.store, data.metadata, None, snow_cloud=data.snow_cloud)
    extra = {row.patch_id for row in data.snow_rows}
    assert set(whole.keys) == set(plain.keys) | extra
    assert len(whole) == len(plain) + len(extra)
    assert not set(plain.keys) & extra


def test_bigearthnet_sentinel_1_alone(data, stored):
    """A dataset of Sentinel-1 alone has the keys of S1 patches and the labels of their pairs."""
    dataset = BigEarthNet(data.store, data.metadata, "test", ["s1"], dtype=None)
    rows = {row.s1_name: row for row in data.rows if row.split == "test"}
    assert set(dataset.keys) == set(rows)
    for sample in dataset:
        patch = stored[sample["key"]]
        expected = np.stack([patch["VH"], patch["VV"]])
        assert sample["image"].numpy().tobytes() == expected.tobytes()
        assert sample["label"].tolist() == multi_hot(rows[sample["key"]].labels).tolist()


def test_bigearthnet_resolutions_can_stay_apart(data, stored):
    """Grouped, bands keep their resolution and, by band, S1 and S2 keep their dtypes."""
    dataset = BigEarthNet(data.store, data.metadata, modalities=["s2"], grouped=True)
    for sample in dataset:
        patch = stored[sample["key"]]
        for name, entry in dataset.entries.items():
            if name.startswith("image"):
                expected = np.stack([patch[band] for band in entry.bands])
                assert sample[name].dtype == torch.uint16
                assert np.array_equal(sample[name].numpy(), expected)
    with pytest.raises(UsageError, match=r"image_120x120: .* float32 .* uint16"):
        BigEarthNet(data.store, data.metadata, grouped=True)
    both = BigEarthNet(data.store, data.metadata, grouped="band", labels="multi-hot+mask")
    s1_of = {row.patch_id: row.s1_name for row in data.rows}
    for sample in both:
        assert sample["label"].shape == (19,)
        assert sample["mask"].shape == (120, 120)
        patch = stored[s1_of[sample["key"]]] | stored[sample["key"]]
        for band, pixels in patch.items():
            assert sample[f"image_{band}"].numpy().tobytes() == pixels.tobytes()


def test_bigearthnet_missing_patches_are_counted(data, tmp_path):
    """Patches in the table but not in the store are counted in an error, or skipped."""
    gone_s1, gone_map = data.rows[1].s1_name, f"{data.rows[3].patch_id}_reference_map"
    store = shutil.copytree(data.store, tmp_path / "lacking")
    with lmdb.open(str(store), map_size=2**30) as env, env.begin(write=True) as txn:
        assert all(txn.delete(key.encode()) for key in (gone_s1, gone_map))
    arguments = (store, data.metadata, None)
    message = f"split|metadata.parquet: 1 of 12 s1, such as {gone_s1}"
    with pytest.raises(StoreError, match=message) as caught:
        BigEarthNet(*arguments)
    assert "missing='skip'" in caught.value.hint
    with pytest.warns(MissingPatchesWarning, match="1 of 12 s1, 1 of 12 reference-maps.*10 s"):
        dataset = BigEarthNet(*arguments, labels="multi-hot+mask", missing="skip")
    left = {r.patch_id for r in data.rows} - {data.rows[1].patch_id, data.rows[3].patch_id}
    assert set(dataset.keys) == left
    labels = {row.patch_id: row.labels for row in data.rows}
    for sample in dataset:
        assert sample["label"].tolist() == multi_hot(labels[sample["key"]]).tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BigEarthNet(*arguments, modalities=["s2"], missing="skip")
    with pytest.raises(StoreError, match="12 of 12 s2") as caught:
        other = converted("eurosat-multi-spectral", tmp_path / "other", 2)
        BigEarthNet(other, data.metadata, None, ["s2"], missing="skip")
    assert "skip" not in caught.value.hint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modalities": ["s3"]}, "modalities=['s3'], expected 's1', 's2' or both"),
        ({"modalities": []}, "modalities=[]"),
        ({"labels": "one-hot"}, "labels='one-hot', expected 'multi-hot'"),
        ({"bands": "rgb"}, "bands='rgb' does not say to which modality"),
        ({"bands": ["VV", "B02", "VH"]}, "expected bands of s1, followed by bands of s2"),
        ({"bands": ["VV"]}, "expected bands of s1, followed by bands of s2"),
        ({"bands": {"s2": None}}, "['s2'], expected ['s1', 's2']"),
        ({"split": "training"}, "no split is called 'training'"),
        ({"classes": CLASSES[1:]}, "18 names"),
        ({"missing": "ignore"}, "missing='ignore', expected 'error' or 'skip'"),
    ],
)
def test_bigearthnet_options_that_mean_nothing_are_errors(data, options, message):
    """Invalid options are errors that state the allowed values."""
    with pytest.raises(UsageError, match=re.escape(message)):
        BigEarthNet(data.store, data.metadata, **options)


def test_bigearthnet_loaders_and_workers_agree(data):
    """Our loader and PyTorch's DataLoader with workers return the same samples."""
    dataset = BigEarthNet(data.store, data.metadata, None, labels="multi-hot+mask")
    again = pickle.loads(pickle.dumps(dataset))
    with loader(dataset, 5, n_threads=2) as ours:
        theirs = DataLoader(again, 5, num_workers=2, multiprocessing_context="spawn")
        for batch, other in zip(ours, theirs, strict=True):
            assert batch["key"] == other["key"]
            for name in ("image", "label", "mask"):
                assert batch[name].numpy().tobytes() == other[name].numpy().tobytes()


def test_eurosat_has_the_classes_of_its_keys(tmp_path):
    """A sample's label is the index of its folder's class, in alphabetical order."""
    store = converted("eurosat-multi-spectral", tmp_path, 23)
    dataset = EuroSAT(store, bands="rgb")
    assert len(dataset) == 23
    for sample in dataset:
        assert EuroSAT.classes[sample["label"]] == sample["key"].split("_")[0]
    assert dataset.classes == EUROSAT_CLASSES
    split = tmp_path / "eurosat-val.txt"
    split.write_text("River_1.jpg\nAnnualCrop_2.jpg\n")
    chosen = EuroSAT(store, split, ["B8A"], dtype="float32")
    assert [(s["key"], int(s["label"])) for s in chosen] == [("River_1", 8), ("AnnualCrop_2", 0)]
    stored = arrays(store)
    assert np.array_equal(chosen[0]["image"][0].numpy(), stored["River_1"]["B08A"])


def test_uc_merced_has_one_size(tmp_path):
    """Patches that deviate from 256 x 256 are resampled, so they fit into batches."""
    store = converted("uc-merced", tmp_path, 22)
    stored = arrays(store)
    odd = [key for key, patch in stored.items() if patch["Red"].shape != (256, 256)]
    assert len(odd) == 1
    dataset = UCMerced(store)
    with loader(dataset, 22) as batches:
        (batch,) = batches
    assert batch["image"].shape == (22, 3, 256, 256)
    for key, image, label in zip(batch["key"], batch["image"], batch["label"], strict=True):
        assert UC_MERCED_CLASSES[label] == key.rstrip("0123456789")
        bands = np.stack([stored[key][band] for band in ("Red", "Green", "Blue")])
        if key in odd:
            columns = np.floor(np.arange(256) * bands.shape[2] / 256).astype(int)
            bands = bands[:, :, columns]
        assert np.array_equal(image.numpy(), bands)


def test_hyspecnet_reads_the_publishers_splits(tmp_path):
    """A split file decides patches and order; images hold the 202 usable bands."""
    store = converted("hyspecnet-11k", tmp_path, 3)
    stored = arrays(store)
    keys = sorted(stored)[::-1][:2]
    split = tmp_path / "splits" / "easy" / "train.csv"
    split.parent.mkdir(parents=True)
    split.write_text("".join(f"{key[:49]}/{key}/{key}-DATA.npy\n" for key in keys))
    dataset = HySpecNet(store, split)
    dropped = {*range(127, 142), *range(161, 168)}
    bands = [f"B{i}" for i in range(1, 225) if i not in dropped]
    assert dataset.entries["image"].bands == tuple(bands)
    for key, sample in zip(keys, dataset, strict=True):
        assert sample["key"] == key
        assert np.array_equal(sample["image"].numpy(), np.stack([stored[key][b] for b in bands]))
    assert HySpecNet(store, bands=None).entries["image"].shape == (224, 128, 128)


def test_split_that_names_missing_patches(tmp_path):
    """Patches in a split file but not in the store are counted in an error, or skipped."""
    store = converted("eurosat-multi-spectral", tmp_path, 12)
    split = tmp_path / "train.txt"
    split.write_text("River_1.jpg\nRiver_9999.jpg\nForest_1.jpg\n")
    message = r"lacks patches of .*train\.txt: 1 of 3 patches, such as River_9999"
    with pytest.raises(StoreError, match=message):
        EuroSAT(store, split)
    with pytest.warns(MissingPatchesWarning, match=message + "; 2 samples are left"):
        dataset = EuroSAT(store, split, missing="skip")
    assert [(s["key"], int(s["label"])) for s in dataset] == [("River_1", 8), ("Forest_1", 1)]
    split.write_text("River_9999.jpg\n")
    with pytest.raises(StoreError, match="1 of 1 patches"):
        EuroSAT(store, split, missing="skip")
    with pytest.raises(SourceError, match="absent"):
        EuroSAT(store, tmp_path / "absent.txt")
