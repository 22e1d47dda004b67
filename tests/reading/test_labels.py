"""Splits, pairs and series of a store, from its labels or from the fields of keys."""

import numpy as np
import pytest
import tifffile

import rico_hdl
from rico_hdl.errors import UsageError
from rico_hdl.reading.joins import joined_by_fields, series_of
from rico_hdl.reading.keys import Keys
from rico_hdl.spec import Band, Modality, Template
from tests.support.label_files import N, key_of, spec_with, table_of, write_images, write_tables

MONTHS = """
name = "chips"
{more}
[[modality]]
name = "s1"
files = "{{chip}}_S1_{{month:d}}.tif"
key = "{{chip}}_S1_{{month:d}}"
time = "month"
bands = ["VV"]

[[modality]]
name = "s2"
files = "{{chip}}_S2_{{month:d}}.tif"
key = "{{chip}}_S2_{{month:d}}"
bands = ["B02"]

[[modality]]
name = "target"
files = "{{chip}}_target.tif"
key = "{{chip}}_target"
bands = ["t"]
"""


@pytest.fixture
def months(tmp_path):
    """Makes a store of chips of several months, and a target for each chip."""

    def make(more=""):
        (tmp_path / "months.toml").write_text(MONTHS.format(more=more), encoding="utf-8")
        names = [f"{c}_S1_{m}" for c in "ba" for m in (10, 2, 1)]
        names += [f"{c}_S2_{m}" for c in "ba" for m in (10, 2)] + ["a_target", "b_target"]
        for name in names:
            (tmp_path / "data").mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / "data" / f"{name}.tif", np.zeros((2, 2), np.uint8))
        rico_hdl.convert(tmp_path / "months.toml", tmp_path / "data", tmp_path / "target")
        return rico_hdl.open(tmp_path / "target")

    return make


def test_pairs_by_the_fields_that_keys_share(months):
    """By default the fields that all keys have join patches; a target may belong to several."""
    store = months()
    pairs = store.pairs("s1", "s2")
    assert [list(pairs[name]) for name in ("s1", "s2")] == [
        [f"{c}_{name}_{m}" for c in "ab" for m in (10, 2)] for name in ("S1", "S2")
    ]
    pairs = store.pairs("s1", "target")
    assert list(pairs["s1"]) == list(store.keys("s1"))
    assert list(pairs["target"]) == ["a_target"] * 3 + ["b_target"] * 3
    assert list(store.read_batch(pairs["target"]).shape) == [6, 1, 2, 2]


def test_pairs_that_nothing_says(months):
    """If several patches of several modalities share the fields, or none do, it is an error."""
    store = months('pairs_by = ["chip"]')
    with pytest.raises(UsageError, match="several patches of s1 and of s2 share chip, such as"):
        store.pairs("s1", "s2")
    assert len(store.pairs("target", "s1")["s1"]) == 6
    with pytest.raises(UsageError, match="Name two or more"):
        store.pairs("s1")
    with pytest.raises(UsageError, match="no modality 's3'"):
        store.pairs("s1", "s3")
    with pytest.raises(UsageError, match="has no split 'train': it has no splits"):
        store.pairs("s1", "target", split="train")


def test_a_store_without_labels(months):
    """Asking for labels that nobody gave is an error that says how to add them."""
    with pytest.raises(UsageError, match="keys name no classes"):
        months().labels(["a_target"])


def test_series(months):
    """Patches of a place are in the order of time; numbers are compared as numbers."""
    store = months()
    series = store.series("s1")
    assert [list(keys) for keys in series] == [[f"{c}_S1_{m}" for m in (1, 2, 10)] for c in "ab"]
    assert (len(series), list(series[-1]), len(series[:1])) == (2, list(series[1]), 1)
    with pytest.raises(IndexError):
        series[2]
    with pytest.raises(UsageError, match=r'add time = "month"'):
        store.series("s2")


def modality(name, key, **more):
    """A modality with one band and keys of this form."""
    return Modality(
        name, name, f"--{name}", Template.parse(f"{key}.tif"), Template.parse(key), (Band("b"),),
        "", "", **more,
    )  # fmt: skip


def keys_of(names):
    """Keys without records."""
    return Keys.of([name.encode() for name in sorted(names)], [(0, 0)] * len(names), None)


def test_times_that_are_text():
    """Times that are not all numbers are in the order of text."""
    one = modality("s2", "{place}_{time}", time="time")
    series = series_of(keys_of(["x_2020-01-10", "x_2019-12-31", "y_9", "y_10"]), one)
    assert [list(keys) for keys in series] == [["x_2019-12-31", "x_2020-01-10"], ["y_10", "y_9"]]


def test_many_keys_are_joined_and_ordered():
    """Pairs and series of many patches take seconds, not minutes."""
    n = 100_000
    ones, others = modality("a", "{place}_a_{time}", time="time"), modality("b", "{place}_b")
    keys = {
        "a": keys_of([f"p{i // 4}_a_{i % 4}" for i in range(n)]),
        "b": keys_of([f"p{i}_b" for i in range(n // 4)]),
    }
    found = joined_by_fields(keys, [ones, others], ())
    assert len(found["a"]) == n
    for i in range(0, n, 997):
        assert keys["a"][found["a"][i]].split("_")[0] == keys["b"][found["b"][i]].split("_")[0]
    series = series_of(keys["a"], ones)
    assert len(series) == n // 4
    assert list(series[5])[3].endswith("_a_3")


def test_no_common_field():
    """Modalities without a common field can't be joined by their keys."""
    pair = [modality("a", "a{x}"), modality("b", "b{y}")]
    with pytest.raises(UsageError, match="have no field in common"):
        joined_by_fields({"a": keys_of(["a1"]), "b": keys_of(["b1"])}, pair, ())


@pytest.fixture
def store(tmp_path):
    """A store with labels of all chips but the last."""
    write_images(tmp_path / "chips", N + 1)
    write_tables(tmp_path / "chips", "csv")
    rico_hdl.convert(
        spec_with({"table": [table_of("csv")]}), tmp_path / "chips", tmp_path / "target"
    )
    return rico_hdl.open(tmp_path / "target")


def test_unlabelled_patches(store):
    """A patch without a label is an error, which says how to leave it out."""
    with pytest.raises(UsageError, match=f"1 of {N + 1} patches have no label, such as") as caught:
        store.labels(store.keys("s2"))
    assert "labelled=True" in caught.value.hint
    keys = store.keys("s2", labelled=True)
    assert len(store.labels(keys)) == len(keys) == N
    assert sum(len(store.keys("s2", split=split)) for split in store.splits) == N
    assert len(store.keys(split="train")) == 6
    with pytest.raises(UsageError, match="has no split 'dev2', only train, validation, test"):
        store.keys("s2", split="dev2")
    assert store.labels([]).shape == (0,)
    assert store.labels([key_of(2), key_of(2, "mask"), key_of(0)]).tolist() == [2, 2, 0]
    with pytest.raises(UsageError, match="1 of 1 patches have no label, such as 'nothing'"):
        store.labels(["nothing"])


def test_a_file_as_split(store, tmp_path):
    """The path of a publisher's split file selects the patches that it names."""
    path = tmp_path / "labels.csv"
    rows = "country,id,Land Cover,split\naustria,004,forest,train\nnorth,007,forest,train\n"
    path.write_text(rows, encoding="utf-8")
    expected = ["austria_004_mask", "north_007_mask"]
    assert list(store.keys("mask", split=str(path))) == expected
    assert list(store.pairs("s2", "mask", split=str(path))["mask"]) == expected
    with pytest.raises(rico_hdl.SourceError, match="can't be read: No such file"):
        store.keys("mask", split=str(tmp_path / "no" / "labels.csv"))


def test_labels_can_be_pickled_with_the_store(store):
    """A store that was used for labels can be passed to other processes."""
    import pickle

    keys = store.keys("s2", labelled=True)
    expected = store.labels(keys)
    other = pickle.loads(pickle.dumps(store))
    assert np.array_equal(other.labels(keys), expected)


def test_samples_that_contradict_each_other(tmp_path):
    """A target of several samples with different labels has no label of its own."""
    write_images(tmp_path / "chips")
    (tmp_path / "chips/labels.csv").write_text(
        "a,b,c\naustria_000_s2,north_001_mask,x\naustria_002_s2,north_001_mask,y\n",
        encoding="utf-8",
    )
    labels = {"table": [{"file": "labels.csv", "keys": {"s2": "{a}", "mask": "{b}"}, "label": "c"}]}
    rico_hdl.convert(spec_with(labels), tmp_path / "chips", tmp_path / "target")
    store = rico_hdl.open(tmp_path / "target")
    assert store.labels(["austria_000_s2", "austria_002_s2"]).tolist() == [0, 1]
    with pytest.raises(UsageError, match="belongs to samples with different labels"):
        store.labels(["north_001_mask"])
    assert list(store.pairs("s2", "mask")["mask"]) == ["north_001_mask"] * 2
