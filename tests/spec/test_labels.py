"""What a spec says about labels, splits, pairs and times."""

import pytest

from rico_hdl.datasets import registry
from rico_hdl.errors import SpecError
from rico_hdl.spec import KeyForm, Labels, LabelTable, MappedValue
from rico_hdl.spec.labels import split_name
from rico_hdl.spec.portable import as_rows, combined, from_rows
from tests.support.label_files import spec_with

EVERYTHING = {
    "field": "country",
    "split": "id",
    "classes": ["land", "water"],
    "colours": ["#00ff00", "#0000ff"],
    "kind": "multi",
    "mapping": {"Sea": "water", "Fog": ""},
    "table": [
        {
            "file": "a/{split}.txt",
            "keys": {"s2": "{x}_s2", "mask": "{x}_mask"},
            "label": "Land Cover",
            "separator": ";",
            "split": "split",
            "splits": ["bolivia"],
            "header": ["x", "y"],
            "delimiter": " ",
            "row": "{x}.tif",
            "column": "x",
            "json": True,
        },
        {"file": "{id}.json", "keys": "{id}", "label": ["a", "b"], "hot": True, "record": True},
    ],
}


def test_everything_of_a_file_is_in_the_spec():
    """Each key of the labels in a TOML file has its place in the spec."""
    spec = spec_with(EVERYTHING, pairs_by=["country", "id"])
    assert spec.pairs_by == ("country", "id")
    assert spec.labels == Labels(
        field="country",
        split="id",
        classes=("land", "water"),
        colours=("#00ff00", "#0000ff"),
        kind="multi",
        mapping=(MappedValue("Sea", "water"), MappedValue("Fog", "")),
        tables=(
            LabelTable(
                "a/{split}.txt",
                (KeyForm("s2", "{x}_s2"), KeyForm("mask", "{x}_mask")),
                label=("Land Cover",),
                separator=";",
                split="split",
                splits=("bolivia",),
                header=("x", "y"),
                delimiter=" ",
                row="{x}.tif",
                column="x",
                is_json=True,
            ),
            LabelTable(
                "{id}.json",
                (KeyForm("", "{id}"),),
                label=("a", "b"),
                is_hot=True,
                is_record=True,
            ),
        ),
    )
    assert from_rows(as_rows(spec)) == spec


@pytest.mark.parametrize("name", registry())
def test_labels_survive_the_manifest(name):
    """The labels, pairs and times of every dataset can be written as JSON and read again."""
    spec = registry()[name]
    rows = as_rows(spec)
    found = from_rows(rows)
    assert (found.labels, found.pairs_by) == (spec.labels, spec.pairs_by)
    assert [one.time for one in found.modalities] == [one.time for one in spec.modalities]
    assert combined(rows, rows) == rows


def test_labels_don_t_change_what_is_stored():
    """Labels, pairs, times and colours have no part in fingerprints."""
    plain = spec_with({"field": "country"})
    assert spec_with(EVERYTHING, pairs_by=["id"]).fingerprint == plain.fingerprint


ERRORS = {
    "nothing": ({}, "labels come from nowhere"),
    "field": ({"field": "town"}, "no key has the field 'town' of its labels"),
    "split": ({"split": "town"}, "no key has the field 'town' of its labels"),
    "suffix": (
        {"table": [{"file": "a.pkl", "label": "x"}]},
        "'a.pkl': expected the name of a file",
    ),
    "empty": ({"table": [{"file": "a.csv"}]}, "has neither a label nor a split nor keys"),
    "depth": ({"table": [{"file": "**/{a}.csv", "split": "a"}]}, r"begins with \*\*/"),
    "mapping": (
        {"field": "id", "classes": ["a"], "mapping": {"x": "b"}},
        "the mapping leads to unknown classes: b",
    ),
    "hot": (
        {"table": [{"file": "a.csv", "label": "x", "hot": True}]},
        "need the list of classes",
    ),
    "colour": (
        {"field": "id", "classes": ["a"], "colours": ["red"]},
        "colour 'red', expected # and six",
    ),
    "colours": (
        {"field": "id", "classes": ["a", "b"], "colours": ["#ff0000"]},
        "1 colours for 2 classes",
    ),
    "kind": ({"field": "id", "kind": "many"}, "kind is 'many', expected single, multi or number"),
    "modality": (
        {"table": [{"file": "a.csv", "keys": {"s3": "{a}"}}]},
        "labels, table 1: keys has the modality 's3', expected one of s2, mask",
    ),
    "unknown": (
        {"table": [{"file": "a.csv", "labels": "x"}]},
        "labels, table 1: 'labels' is unknown, expected one of file, keys, label",
    ),
    "template": ({"table": [{"file": "a.csv", "row": "x"}]}, "has no field"),
}


@pytest.mark.parametrize("error", ERRORS)
def test_errors_name_the_place_and_what_is_expected(error):
    """A contradiction in the labels of a spec is an error with an example."""
    labels, message = ERRORS[error]
    with pytest.raises(SpecError, match=message):
        spec_with(labels)


def test_errors_of_pairs():
    """Fields of pairs must be those of a key."""
    with pytest.raises(SpecError, match="no key has the field 'town' of pairs_by"):
        spec_with({"field": "id"}, pairs_by=["town"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("val", "validation"), ("VALID", "validation"), ("Train", "train"), ("fold 1", "fold 1")],
)
def test_usual_names_of_splits(name, expected):
    """Common spellings of the usual splits mean the same split; others stay as they are."""
    assert split_name(name) == expected
