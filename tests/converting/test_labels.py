"""Labels, splits and pairs, from the publishers' files to what readers get."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

import rico_hdl
from rico_hdl.errors import SourceError, StoreError, UsageError
from rico_hdl.store import labelling
from tests.support.image_files import jpeg
from tests.support.label_files import (
    CLASSES,
    FORMS,
    MODALITIES,
    SPLITS,
    N,
    class_of,
    classes_of,
    key_of,
    name_of,
    number_of,
    packed,
    spec_with,
    split_of,
    table_of,
    write_images,
    write_tables,
)
from tests.support.running import driven, measured, run

CSV = {"table": [table_of("csv")]}


@pytest.fixture
def chips(tmp_path):
    """The folder of the chips, without labels."""
    return write_images(tmp_path / "chips")


def check_all(target, n=N):
    """Assert that a store has the labels, splits and pairs of the chips."""
    store = rico_hdl.open(target)
    assert store.classes == CLASSES
    assert store.splits == SPLITS
    for modality in ("s2", "mask"):
        keys = [key_of(i, modality) for i in range(n)]
        labels = store.labels(keys)
        assert labels.dtype == np.int64
        assert [store.classes[i] for i in labels] == [class_of(i) for i in range(n)]
        for split in SPLITS:
            expected = [key for i, key in enumerate(keys) if split_of(i) == split]
            assert sorted(store.keys(modality, split=split)) == sorted(expected)
    pairs = store.pairs("mask", "s2", split="val")
    expected = [i for i in range(n) if split_of(i) == "validation"]
    assert sorted(pairs["s2"]) == sorted(key_of(i) for i in expected)
    assert [key.removesuffix("_s2") for key in pairs["s2"]] == [
        key.removesuffix("_mask") for key in pairs["mask"]
    ]
    result = rico_hdl.verify(target)
    assert (result.findings, result.n_samples, result.n_absent) == ([], n, 0)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_table_in_the_source(chips, tmp_path, form):
    """Every form of table gives the same labels, splits and pairs, and the same file."""
    write_tables(chips, form)
    spec = spec_with({"table": [table_of(form)]})
    summary = rico_hdl.convert(spec, chips, tmp_path / "target")
    assert summary.warnings == []
    assert (summary.n_samples, summary.n_labelled) == (N, N)
    check_all(tmp_path / "target")
    write_tables(chips, "csv")
    rico_hdl.convert(spec_with(CSV), chips, tmp_path / "other")
    names = [tmp_path / name / "labels.safetensors" for name in ("target", "other")]
    assert names[0].read_bytes() == names[1].read_bytes()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_each_form_of_table_in_an_archive(chips, tmp_path, form, kind):
    """Tables among the members of an archive are read in passing."""
    write_tables(chips, form)
    archive = packed(chips, tmp_path / f"chips.{kind}")
    shutil.rmtree(chips)
    spec = spec_with({"table": [table_of(form)]})
    summary = rico_hdl.convert(spec, archive, tmp_path / "target")
    assert summary.warnings == []
    check_all(tmp_path / "target")


@pytest.mark.parametrize("form", FORMS)
def test_each_form_given_later(chips, tmp_path, form):
    """A file, a folder or an archive given later adds the labels, and changes nothing else."""
    spec = spec_with({"table": [table_of(form)]})
    target = tmp_path / "target"
    rico_hdl.convert(spec, chips, target)
    assert rico_hdl.open(target).classes == ()
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in target.iterdir()}
    write_tables(tmp_path / "elsewhere", form)
    files = [tmp_path / "elsewhere" / name for name in FORMS[form][1]]
    places = {
        "files": files if form != "record-files" else [tmp_path / "elsewhere"],
        "folder": [tmp_path / "elsewhere"],
        "archive": [packed(tmp_path / "elsewhere", tmp_path / "labels.tar.gz")],
    }
    contents = set()
    for labels in places.values():
        summary = rico_hdl.convert(spec, {}, target, labels=labels)
        assert (summary.complete, summary.n_samples) == (True, N)
        check_all(target)
        contents.add((target / "labels.safetensors").read_bytes())
    assert len(contents) == 1
    for name in ("data.mdb", "rico-hdl.journal", "lock.mdb"):
        path = target / name
        assert (path.read_bytes(), path.stat().st_mtime_ns) == before[name]


def test_a_table_next_to_the_source(chips, tmp_path):
    """A table is also found next to a folder, and next to an archive."""
    write_tables(tmp_path, "csv")
    rico_hdl.convert(spec_with(CSV), chips, tmp_path / "target")
    check_all(tmp_path / "target")
    archive = packed(chips, tmp_path / "chips.tar.gz")
    rico_hdl.convert(spec_with(CSV), archive, tmp_path / "other")
    check_all(tmp_path / "other")


def test_a_foreign_table_next_to_the_source_is_a_warning(chips, tmp_path):
    """A file that happens to have the name of a table prevents no conversion."""
    rows = "country,id,Land Cover,split\naustria,000,ice,train\nnorth,,rock,test\n"
    (tmp_path / "labels.csv").write_text(rows, encoding="utf-8")
    (chips / "splits.txt").write_text("austria/002\n", encoding="utf-8")
    lists = {"file": "splits.txt", "row": "{country}/{id}", "keys": "{country}_{id}_s2"}
    spec = spec_with({"table": [table_of("csv"), lists]})
    summary = rico_hdl.convert(spec, chips, tmp_path / "target")
    assert (summary.complete, summary.n_samples, summary.n_labelled) == (True, 1, 0)
    (warning,) = summary.warnings
    assert "labels were not read" in warning
    assert f"{tmp_path / 'labels.csv'}, row 3: names no patch" in warning
    store = rico_hdl.open(tmp_path / "target")
    assert (store.classes, store.splits) == ((), ())


def test_a_wrong_table_in_the_source_is_an_error_before_anything_is_written(chips, tmp_path):
    """A table in the source belongs to the dataset, so it must be right."""
    (chips / "labels.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(SourceError, match="row 2: names no patch"):
        rico_hdl.convert(spec_with(CSV), chips, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_wrong_table_in_an_archive_leaves_the_patches(chips, tmp_path):
    """If members of an archive contradict each other, the patches are stored all the same."""
    table = "country,id,Land Cover,split\naustria,000,forest,train\naustria,000,water,train\n"
    (chips / "labels.csv").write_text(table, encoding="utf-8")
    archive = packed(chips, tmp_path / "chips.tar.gz")
    with pytest.raises(SourceError, match=r"row 3: the label of austria_000_s2 is water, but"):
        rico_hdl.convert(spec_with(CSV), archive, tmp_path / "target")
    result = rico_hdl.verify(tmp_path / "target")
    assert (result.findings, result.n_records, result.is_complete) == ([], 2 * N, True)
    assert not (tmp_path / "target" / "labels.safetensors").exists()


@pytest.mark.parametrize(("field", "split"), [("country", ""), ("", "country"), ("kind", "fold")])
def test_labels_and_splits_of_keys_and_paths(tmp_path, field, split):
    """A field of the path suffices, whether or not the key has it."""
    text = MODALITIES.replace("{country}/", "{fold}/{kind}/{country}/")
    (tmp_path / "chips.toml").write_text(
        text
        + "[labels]\n"
        + (f'field = "{field}"\n' if field else "")
        + (f'split = "{split}"\n' if split else ""),
        encoding="utf-8",
    )
    write_images(tmp_path / "chips/val/B")
    write_images(tmp_path / "more")
    for path in (tmp_path / "more").rglob("*.tif"):
        place = tmp_path / "chips/train/A" / path.parent.name / f"1{path.name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)
    source = tmp_path / "chips"
    for place in (source, packed(source, tmp_path / "chips.zip")):
        target = tmp_path / place.name.replace(".", "-")
        target = target.with_name(f"target-{target.name}")
        summary = rico_hdl.convert(tmp_path / "chips.toml", place, target)
        assert summary.complete
        store = rico_hdl.open(target)
        keys = store.keys("s2")
        found = [store.classes[i] for i in store.labels(keys)] if field else []
        if field == "kind":
            assert found == ["A" if "_1" in key else "B" for key in keys]
        elif field:
            assert found == [key.split("_")[0] for key in keys]
        if split == "fold":
            assert store.splits == ("train", "validation")
            assert list(store.keys("s2", split="val")) == [k for k in keys if "_1" not in k]
        elif split:
            assert store.splits == ("austria", "north")
        assert (target / "labels.safetensors").exists() == (field == "kind")
        assert rico_hdl.verify(target).findings == []


def test_several_tables_and_runs_are_one(chips, tmp_path):
    """Labels in one file, splits in another, given in any order and in several runs."""
    labels = "".join(f"{'/'.join(name_of(i))},{class_of(i)}\n" for i in range(N))
    splits = "".join(f"{'/'.join(name_of(i))} {split_of(i)}\n" for i in range(N))
    (tmp_path / "classes.csv").write_text(labels, encoding="utf-8")
    (tmp_path / "splits.txt").write_text(splits, encoding="utf-8")
    spec = spec_with(
        {
            "table": [
                {
                    "file": "classes.csv",
                    "header": ["name", "class"],
                    "row": "{country}/{id}",
                    "label": "class",
                },
                {"file": "splits.txt", "row": "{country}/{id} {part}", "split": "part"},
            ]
        }
    )
    both = [tmp_path / "classes.csv", tmp_path / "splits.txt"]
    rico_hdl.convert(spec, chips, tmp_path / "once", labels=both)
    check_all(tmp_path / "once")
    expected = (tmp_path / "once/labels.safetensors").read_bytes()
    for number, order in enumerate([both, both[::-1]]):
        target = tmp_path / f"twice-{number}"
        rico_hdl.convert(spec, chips, target, labels=order[:1])
        rico_hdl.convert(spec, {}, target, labels=order[1:])
        assert (target / "labels.safetensors").read_bytes() == expected


def test_corrected_labels_replace_those_of_the_store(chips, tmp_path):
    """A table given again takes precedence over what the store has, row by row."""
    write_tables(chips, "csv")
    target, path = tmp_path / "target", tmp_path / "labels.csv"
    rico_hdl.convert(spec_with(CSV), chips, target)
    path.write_text("country,id,Land Cover,split\naustria,000,rock,\n", encoding="utf-8")
    rico_hdl.convert(spec_with(CSV), {}, target, labels=[path])
    store = rico_hdl.open(target)
    assert store.classes == ("cropland", "forest", "rock", "water")
    assert [store.classes[i] for i in store.labels([key_of(i) for i in range(N)])] == [
        "rock",
        *map(class_of, range(1, N)),
    ]
    assert "austria_000_s2" in store.keys("s2", split="train")


# Kinds of labels


def test_several_labels(chips, tmp_path):
    """Several labels are vectors of zeros and ones, also from lists, and from one number each."""
    text = "country,id,classes\n" + "".join(
        f'{",".join(name_of(i))},"{", ".join(classes_of(i))}"\n' for i in range(N)
    )
    lists = [
        {"country": name_of(i)[0], "id": name_of(i)[1], "classes": classes_of(i)} for i in range(N)
    ]
    hot = "country,id,x,y,z\n" + "".join(
        ",".join([*name_of(i), *(str(int(c in classes_of(i))) for c in CLASSES)]) + "\n"
        for i in range(N)
    )
    pairs = {"/".join(name_of(i)): [[name, 0.5] for name in classes_of(i)] for i in range(N)}
    expected = np.array([[c in classes_of(i) for c in CLASSES] for i in range(N)], np.uint8)
    forms = {
        "text.csv": (text, {"label": "classes", "separator": ","}, range(1, 8)),
        "lists.json": (json.dumps(lists), {"label": "classes"}, range(N)),
        "hot.csv": (hot, {"label": ["x", "y", "z"], "hot": True}, range(N)),
        "pairs.json": (json.dumps(pairs), {"label": "value", "row": "{country}/{id}"}, range(N)),
    }
    for name, (content, table, known) in forms.items():
        (chips / name).write_text(content, encoding="utf-8")
        labels = {"table": [{"file": name, **table}], "classes": list(CLASSES)}
        target = tmp_path / f"target-{name}"
        rico_hdl.convert(spec_with(labels), chips, target)
        store = rico_hdl.open(target)
        found = store.labels([key_of(i) for i in known])
        assert (found.dtype, store.classes) == (np.uint8, CLASSES)
        assert np.array_equal(found, expected[list(known)])
        assert len(store.keys("s2", labelled=True)) == len(known)


def test_numbers(chips, tmp_path):
    """Numbers are float64, from text if the spec says so, and from numbers of JSON."""
    text = "country;id;t\n" + "".join(
        ";".join([*name_of(i), str(number_of(i))]) + "\n" for i in range(N)
    )
    rows = [{"country": name_of(i)[0], "id": name_of(i)[1], "t": number_of(i)} for i in range(N)]
    for name, content, more in (
        ("t.csv", text, {"kind": "number"}),
        ("t.json", json.dumps([*rows[:-1], {**rows[-1], "t": None}]), {}),
    ):
        (chips / name).write_text(content, encoding="utf-8")
        table = {"file": name, "label": "t", **({"delimiter": ";"} if name == "t.csv" else {})}
        rico_hdl.convert(spec_with({"table": [table], **more}), chips, tmp_path / name)
        store = rico_hdl.open(tmp_path / name)
        found = store.labels([key_of(i, "mask") for i in range(N - 1)])
        assert found.dtype == np.float64
        assert found.tolist() == [number_of(i) for i in range(N - 1)]
        assert store.classes == ()
        assert len(store.keys("s2", labelled=True)) == N - (name == "t.json")


def test_indexes_and_other_names_of_classes(chips, tmp_path):
    """Whole numbers are indexes into the classes, and other names are mapped to them."""
    rows = [{"country": name_of(i)[0], "id": name_of(i)[1], "c": i % 3} for i in range(N)]
    (chips / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    labels = {"table": [{"file": "a.json", "label": "c"}], "classes": list(CLASSES)}
    rico_hdl.convert(spec_with(labels), chips, tmp_path / "a")
    keys = [key_of(i) for i in range(N)]
    assert rico_hdl.open(tmp_path / "a").labels(keys).tolist() == [i % 3 for i in range(N)]
    write_tables(chips, "csv")
    mapping = {"cropland": "land", "forest": "land", "water": ""}
    labels = {"table": [table_of("csv")], "classes": ["land", "ice"], "mapping": mapping}
    summary = rico_hdl.convert(spec_with(labels), chips, tmp_path / "b")
    assert summary.warnings == ["3 rows of labels.csv have no label"]
    store = rico_hdl.open(tmp_path / "b")
    assert store.classes == ("land", "ice")
    assert store.labels(store.keys("s2", labelled=True)).tolist() == [0] * 6


# Damage and errors


def test_every_damaged_byte_is_found(chips, tmp_path):
    """Whatever byte of the labels changes, verify reports it and reading refuses."""
    write_tables(chips, "csv")
    target = tmp_path / "target"
    rico_hdl.convert(spec_with(CSV), chips, target)
    path = target / "labels.safetensors"
    data = path.read_bytes()
    assert set(load_file(path)) >= {"splits", "labels", "patches.s2", "ends.mask"}
    from rico_hdl.checking.findings import Verification
    from rico_hdl.checking.labels import check_labels
    from rico_hdl.store import Manifest

    manifest = Manifest.read(target)
    for i in range(len(data)):
        path.write_bytes(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])
        result = Verification(str(target))
        check_labels(target, manifest, lambda _: True, result)
        assert [finding.kind for finding in result.findings] == ["damaged"]
        with pytest.raises(StoreError, match="labels"):
            labelling.read_labels(target)
    path.write_bytes(data[:-1])
    assert run("verify", target).returncode == 1
    with pytest.raises(StoreError, match="is damaged"):
        rico_hdl.open(target).labels([])
    path.unlink()
    found = run("verify", target)
    assert (found.returncode, "labels.safetensors is gone" in found.stdout) == (1, True)
    with pytest.raises(StoreError, match="it is missing"):
        rico_hdl.open(target).labels([])
    # The advice works.
    rico_hdl.convert(spec_with(CSV), {}, target, labels=[chips / "labels.csv"])
    check_all(target)


def test_labels_without_a_note_are_neither_read_nor_overwritten(chips, tmp_path):
    """A file that happens to have the name of the labels is somebody else's."""
    write_tables(chips, "csv")
    target = tmp_path / "target"
    rico_hdl.convert(spec_with({"field": "country"}), chips, target)
    (target / "labels.safetensors").write_bytes(b"mine")
    assert [f.kind for f in rico_hdl.verify(target).findings] == ["extra"]
    with pytest.raises(StoreError, match="not mentioned in the manifest"):
        rico_hdl.convert(spec_with(CSV), chips, target)
    assert (target / "labels.safetensors").read_bytes() == b"mine"
    assert rico_hdl.open(target).splits == ()


def test_overwriting_removes_labels(chips, tmp_path):
    """--overwrite starts from scratch, labels included."""
    write_tables(chips, "csv")
    target = tmp_path / "target"
    rico_hdl.convert(spec_with(CSV), chips, target)
    (chips / "labels.csv").unlink()
    rico_hdl.convert(spec_with(CSV), chips, target, overwrite=True)
    assert not (target / "labels.safetensors").exists()
    assert rico_hdl.verify(target).findings == []


def test_labelled_patches_that_are_not_stored_are_counted(chips, tmp_path):
    """Patches that only the labels name are no error."""
    write_tables(chips, "csv")
    (chips / "austria" / "000_s2.tif").unlink()
    target = tmp_path / "target"
    rico_hdl.convert(spec_with(CSV), chips, target)
    result = rico_hdl.verify(target)
    assert (result.findings, result.n_samples, result.n_absent) == ([], N, 1)
    assert "1 patches that they name are not stored" in run("verify", target).stdout
    pairs = rico_hdl.open(target).pairs("s2", "mask")
    assert len(pairs["mask"]) == N - 1
    assert "austria_000_mask" not in pairs["mask"]


def test_labels_of_another_dataset(chips, tmp_path):
    """If the store has none of the labelled patches, nothing is written."""
    target = tmp_path / "target"
    rico_hdl.convert(spec_with(CSV), chips, target)
    path = tmp_path / "labels.csv"
    path.write_text("country,id,Land Cover,split\nspain,7,forest,train\n", encoding="utf-8")
    before = {p.name: p.read_bytes() for p in target.iterdir()}
    with pytest.raises(SourceError, match="none of 2 patches of the labels are in the store"):
        rico_hdl.convert(spec_with(CSV), {}, target, labels=[path])
    assert {p.name: p.read_bytes() for p in target.iterdir()} == before
    summary = rico_hdl.convert(spec_with(CSV), chips, tmp_path / "new", labels=[path])
    assert any("none of 2 patches" in warning for warning in summary.warnings)


ERRORS = {
    "columns": (
        "country,id,Land Cover\naustria,000\n",
        {},
        r"labels.csv, row 2: has 2 columns, expected 3: country, id, land_cover",
    ),
    "no-column": (
        "country,id\naustria,000\n",
        {},
        r"labels.csv, row 2: has no column 'land_cover', found country, id",
    ),
    "no-split": (
        "country,id,Land Cover\naustria,000,water\n",
        {"split": "fold"},
        r"row 2: has no column 'fold'",
    ),
    "no-key-column": (
        "name,Land Cover\nx,water\n",
        {"keys": {"s2": "{patch}"}},
        r"row 2: has no column 'patch', found name, land_cover",
    ),
    "no-patch": ("name,Land Cover\nx,water\n", {}, r"row 2: names no patch, expected the fields"),
    "row": (
        "name,Land Cover\nx-y,water\n",
        {"row": "{country}/{id}.tif"},
        r"row 2: name is 'x-y', expected .*\{country\}/\{id\}.tif",
    ),
    "form": (
        "name,Land Cover\naustria,water\n",
        {"keys": {"s2": "{name}"}},
        r"row 2: 'austria' is not the key of a patch of s2, which has the form \{country\}_",
    ),
    "unknown-class": (
        "country,id,Land Cover\naustria,000,ice\n",
        {"classes": ["water", "forest"]},
        r"row 2: class 'ice' is unknown, expected one of forest, water",
    ),
    "conflict": (
        "country,id,Land Cover\naustria,0,ice\naustria,0,ice\naustria,0,rock\n",
        {},
        r"row 4: the label of austria_0_s2 is rock, but ice in .*labels.csv, row 2",
    ),
    "split-conflict": (
        "country,id,Land Cover,s\naustria,0,ice,train\naustria,0,ice,val\n",
        {"split": "s"},
        r"row 3: the split of austria_0_s2 is validation, but train in",
    ),
    "not-a-number": (
        "country,id,Land Cover\naustria,000,ice\n",
        {"kind": "number"},
        r"row 2: land_cover is 'ice', expected a number",
    ),
    "several": (
        "country,id,Land Cover\naustria,000,ice+rock\n",
        {"separator": "+", "kind": "single"},
        r"row 2: has the labels ice, rock, expected one",
    ),
    "hot": (
        "country,id,Land Cover\naustria,000,1\n",
        {"hot": True, "classes": ["ice", "rock"]},
        r"row 2: has 1 numbers, expected one for each of 2 classes",
    ),
    "twins": ("country,id,Id,Land Cover\na,0,1,ice\n", {}, r"two columns have the same name"),
    "not-text": (b"country,id\n\xff\xfe,0\n", {}, r"labels.csv: is not text in UTF-8"),
    "quotes": ('country,id,Land Cover\n"a,0,ice\n', {}, r"can't be read as a table"),
}


@pytest.mark.parametrize("error", ERRORS)
def test_errors_name_file_row_and_column(chips, tmp_path, error):
    """What is wrong with a table is said with its place, and nothing is written."""
    content, more, message = ERRORS[error]
    path = chips / "labels.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    more = dict(more)
    labels = {name: more.pop(name) for name in ("classes", "kind") if name in more}
    table = {"file": "labels.csv", "label": "Land Cover", **more}
    with pytest.raises(SourceError, match=message) as caught:
        rico_hdl.convert(spec_with({"table": [table], **labels}), chips, tmp_path / "target")
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert not (tmp_path / "target").exists()


JSON_ERRORS = {
    "syntax": (
        '[{"country": "a", "id": 1, "c": 0},',
        "is not valid JSON: Expecting value at line 1, column 36",
    ),
    "behind": ("[] []", "is not valid JSON: Extra data at line 1, column 4"),
    "text": ('"a"', "is not valid JSON: Expected an object or an array"),
    "index": (
        '[{"country": "a", "id": "1", "c": 5}]',
        "row 1: class 5 is unknown, expected 0 to 1",
    ),
    "label": (
        '[{"country": "a", "id": "1", "c": [{}]}]',
        r"row 1: a label is \{\}, expected a name",
    ),
    "levels": ("[" * 100_000, "has too many levels|is not valid JSON"),
}


@pytest.mark.parametrize("error", JSON_ERRORS)
def test_errors_of_json(chips, tmp_path, error):
    """Damaged JSON is an error that names the place."""
    content, message = JSON_ERRORS[error]
    (chips / "labels.json").write_text(content, encoding="utf-8")
    labels = {"table": [{"file": "labels.json", "label": "c"}], "classes": ["ice", "rock"]}
    with pytest.raises(SourceError, match=message):
        rico_hdl.convert(spec_with(labels), chips, tmp_path / "target")


def test_damaged_parquet(chips, tmp_path):
    """A table that is cut short is an error that names the file."""
    write_tables(chips, "parquet")
    path = chips / "labels.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        SourceError, match=r"labels.parquet: can't be read as a table: is cut short"
    ):
        rico_hdl.convert(spec_with({"table": [table_of("parquet")]}), chips, tmp_path / "target")


def test_labels_that_no_table_describes(tmp_path):
    """--labels needs a table in the spec that has this name, and a store."""
    target = tmp_path / "target"
    other = tmp_path / "other.json"
    other.write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="nothing says how it labels"):
        rico_hdl.convert(spec_with({"field": "country"}), {}, target, labels=[other])
    with pytest.raises(UsageError, match="no label table of chips has such a name"):
        rico_hdl.convert(spec_with(CSV), {}, target, labels=[other])
    write_tables(tmp_path, "csv")
    with pytest.raises(StoreError, match="holds no store"):
        rico_hdl.convert(spec_with(CSV), {}, target, labels=[tmp_path / "labels.csv"])
    with pytest.raises(UsageError, match="overwriting takes sources"):
        labels = [tmp_path / "labels.csv"]
        rico_hdl.convert(spec_with(CSV), {}, target, labels=labels, overwrite=True)
    missing = tmp_path / "no" / "labels.csv"
    with pytest.raises(SourceError, match="can't be read: No such file"):
        rico_hdl.convert(spec_with(CSV), {}, target, labels=[missing])
    assert not target.exists()


def test_the_command_line(chips, tmp_path):
    """--labels alone adds labels; info and verify show them; errors have exit codes."""
    (tmp_path / "chips.toml").write_text(
        MODALITIES + '[[labels.table]]\nfile = "labels.csv"\nlabel = "Land Cover"\n'
        'split = "split"\n',
        encoding="utf-8",
    )
    command = ["convert", tmp_path / "chips.toml", "--target-dir", tmp_path / "target"]
    assert run(*command, "--dataset-dir", chips).returncode == 0
    write_tables(tmp_path / "labels", "csv")
    added = run(*command, "--labels", tmp_path / "labels" / "labels.csv", "--json")
    assert (added.returncode, json.loads(added.stdout)["n_labelled"]) == (0, N)
    check_all(tmp_path / "target")
    info = run("info", tmp_path / "target").stdout
    assert f"labels: {N} of {N} samples" in info
    assert "3 classes: cropland, forest, water" in info
    assert "splits: train 3, validation 3, test 3" in info
    assert f"labels: {N} samples as written" in run("verify", tmp_path / "target").stdout
    refused = run(*command, "--labels", "")
    assert (refused.returncode, "--labels is empty" in refused.stderr) == (2, True)
    missing = run(*command, "--labels", tmp_path / "labels.csv")
    assert (missing.returncode, "can't be read" in missing.stderr) == (3, True)


# Kills


@pytest.mark.parametrize(
    ("point", "number"),
    [*(("manifest", number) for number in range(1, 5)), ("draft", 1), ("labels", 1)],
)
@pytest.mark.parametrize("kind", ["folder", "tar.gz"])
def test_killed_while_labels_are_written(chips, tmp_path, point, number, kind):
    """At whatever step a conversion is killed, the store is intact, and continues to the same."""
    write_tables(chips, "csv")
    source = chips if kind == "folder" else packed(chips, tmp_path / "chips.tar.gz")
    (tmp_path / "chips.toml").write_text(
        MODALITIES + '[[labels.table]]\nfile = "labels.csv"\nlabel = "Land Cover"\n'
        'split = "split"\n',
        encoding="utf-8",
    )
    command = ["convert", tmp_path / "chips.toml", "--dataset-dir", source, "--target-dir"]
    assert run(*command, tmp_path / "whole").returncode == 0
    target = tmp_path / "target"
    killed = subprocess.run(driven(point, number, *command, target), check=False)
    assert killed.returncode == -9
    assert rico_hdl.verify(target).findings == []
    assert run(*command, target).returncode == 0
    check_all(target)
    names = [tmp_path / name / "labels.safetensors" for name in ("whole", "target")]
    assert names[0].read_bytes() == names[1].read_bytes()


@pytest.mark.parametrize(
    ("point", "number"), [("manifest", 1), ("draft", 1), ("labels", 1), ("manifest", 2)]
)
def test_killed_while_labels_are_replaced(chips, tmp_path, point, number):
    """If adding labels is killed, the store has the old or the new ones, and verify says so."""
    write_tables(chips, "csv")
    toml = tmp_path / "chips.toml"
    toml.write_text(
        MODALITIES + '[[labels.table]]\nfile = "labels.csv"\nlabel = "Land Cover"\n'
        'split = "split"\n',
        encoding="utf-8",
    )
    command = ["convert", toml, "--target-dir", tmp_path / "target"]
    assert run(*command, "--dataset-dir", chips).returncode == 0
    old = rico_hdl.open(tmp_path / "target").labels([key_of(1)]).tolist()
    path = chips / "labels.csv"
    path.write_text(path.read_text(encoding="utf-8-sig").replace("forest", "ash"), encoding="utf-8")
    killed = subprocess.run(
        driven(point, number, *command, "--labels", path), check=False, stdout=subprocess.DEVNULL
    )
    assert killed.returncode == -9
    assert rico_hdl.verify(tmp_path / "target").findings == []
    store = rico_hdl.open(tmp_path / "target")
    assert store.classes in {CLASSES, ("ash", "cropland", "water"), ("ash", *CLASSES)}
    assert store.classes[store.labels([key_of(1)])[0]] in {CLASSES[old[0]], "ash"}
    assert run(*command, "--labels", path).returncode == 0
    store = rico_hdl.open(tmp_path / "target")
    assert store.classes[store.labels([key_of(1)])[0]] == "ash"


def test_stores_of_earlier_versions(chips, tmp_path):
    """A store without labels works as before, and gains them later."""
    target = tmp_path / "target"
    rico_hdl.convert(spec_with({"field": "country"}), chips, target)
    manifest = json.loads((target / "rico-hdl.json").read_text(encoding="utf-8"))
    for name in ("split", "kind", "tables", "mapping", "colours"):
        del manifest["spec"]["labels"][name]
    for modality in manifest["spec"]["modalities"]:
        del modality["colours"], modality["time"]
    del manifest["spec"]["pairs_by"]
    (target / "rico-hdl.json").write_text(json.dumps(manifest), encoding="utf-8")
    store = rico_hdl.open(target)
    assert (store.classes, store.splits) == (("austria", "north"), ())
    assert store.labels(store.keys("mask")).tolist() == [0] * 5 + [1] * 4
    assert len(store.pairs("s2", "mask")["s2"]) == N
    with pytest.raises(UsageError, match="has no split 'train': it has no splits"):
        store.keys("s2", split="train")
    write_tables(chips, "csv")
    rico_hdl.convert(spec_with(CSV), {}, target, labels=[chips / "labels.csv"])
    check_all(target)


VIEWS = """
name = "views"

[[modality]]
name = "rgb"
files = "{folder}/{file}/{id}.jpg"
key = "{folder}_{file}_{id}"
bands = ["Red", "Green", "Blue"]
columns = {files = "image", fields = {id = {column = "image.path", stem = true}}}

[labels]
classes = ["river", "forest"]

[[labels.table]]
file = ""
row = "{id}.jpg"
column = "image.path"
label = "label"
split = "folder"
"""


def test_labels_in_the_tables_of_the_images(tmp_path):
    """Parquet tables of images, as on Hugging Face, have labels in a column of their own."""
    (tmp_path / "views.toml").write_text(VIEWS, encoding="utf-8")
    image = jpeg(np.full((3, 8, 8), 7, np.uint8))
    for folder in ("train", "test"):
        rows = [
            {"image": {"bytes": image, "path": f"x/view_{i}.jpg"}, "label": i % 2} for i in range(5)
        ]
        (tmp_path / "hub" / folder).mkdir(parents=True)
        table = pa.Table.from_pylist(rows)
        pq.write_table(table, tmp_path / "hub" / folder / "0000.parquet", row_group_size=2)
    rico_hdl.convert(tmp_path / "views.toml", tmp_path / "hub", tmp_path / "target")
    store = rico_hdl.open(tmp_path / "target")
    assert (store.classes, store.splits) == (("river", "forest"), ("train", "test"))
    for split in ("train", "test"):
        keys = store.keys("rgb", split=split)
        assert list(keys) == [f"{split}_0000_view_{i}" for i in range(5)]
        assert store.labels(keys).tolist() == [0, 1, 0, 1, 0]
    assert rico_hdl.verify(tmp_path / "target").findings == []


def test_memory_of_large_tables(chips, tmp_path):
    """A table of 100,000 rows adds a fraction of the memory that a conversion may take."""
    path = tmp_path / "labels.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("country,id,Land Cover,split\n")
        for i in range(100_000):
            number = f"{i:03}_with_a_name_as_long_as_those_of_satellite_products"
            file.write(f"austria,{number if i else '000'},{class_of(i)},{split_of(i)}\n")
    rico_hdl.convert(spec_with(CSV), chips, tmp_path / "target")
    code = (
        "import sys, rico_hdl, numpy\n"
        "from tests.support.label_files import spec_with, table_of\n"
        "spec = spec_with({'table': [table_of('csv')]})\n"
        "before = peak()\n"
        "for _ in range(2):\n"
        "    summary = rico_hdl.convert(spec, {}, sys.argv[1], labels=[sys.argv[2]])\n"
        "assert summary.n_samples == 100_000\n"
        "print(peak() - before)\n"
    )
    n_kilobytes = int(measured(code, tmp_path / "target", path))
    assert n_kilobytes < 80_000
    assert rico_hdl.verify(tmp_path / "target").n_absent == 2 * (100_000 - 1)


def test_no_numpy_without_labels(tmp_path):
    """Converting folders without label files doesn't import numpy, as before."""
    code = (
        "import sys, rico_hdl.datasets as d\n"
        "from rico_hdl.converting.labelling import Labelling\n"
        "from rico_hdl.patches.opening import open_all\n"
        f"spec = d.resolve({str(tmp_path / 'chips.toml')!r})\n"
        f"opened = open_all(spec, {{'s2': {str(tmp_path / 'chips')!r}}})\n"
        "assert Labelling(spec, [], opened).gathering is None\n"
        "assert 'numpy' not in sys.modules\n"
    )
    (tmp_path / "chips.toml").write_text(
        MODALITIES + '[[labels.table]]\nfile = "labels.csv"\nlabel = "Land Cover"\n',
        encoding="utf-8",
    )
    write_images(tmp_path / "chips")
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
