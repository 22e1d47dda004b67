"""Manifests of other versions: older ones are read, newer ones kept or refused, specs carried."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import corpus
import rico_hdl
from corpus.archives import tar_of
from rico_hdl import Band, DatasetSpec, Template
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import get, registry
from rico_hdl.errors import SpecError, StoreError
from rico_hdl.spec.portable import as_rows, from_rows
from rico_hdl.store import Manifest
from rico_hdl.store.format_1 import FINGERPRINTS
from tests.support.array_files import spec_of
from tests.support.manifests import FINGERPRINTS_OF_0_1, MODALITIES_OF_0_1, load, make_0_1, save
from tests.support.running import run

SPEC = get("bigearthnet")
N_PATCHES = 4


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, Path]:
    """The folders of a small BigEarthNet."""
    return corpus.generate(SPEC, tmp_path_factory.mktemp("source"), N_PATCHES)


@pytest.fixture(scope="module")
def made(tmp_path_factory, sources) -> Path:
    """A store with its Sentinel-2 patches but one, and a failure of a damaged archive."""
    root = tmp_path_factory.mktemp("made")
    s2 = shutil.copytree(sources["s2"], root / "s2")
    next(s2.rglob("*_B02.tif")).write_bytes(b"")
    convert(SPEC, {"s2": s2}, root / "store")
    data = tar_of(sources["reference-maps"])
    (root / "x.tar").write_bytes(data[: len(data) * 2 // 3])
    convert(SPEC, {"reference-maps": root / "x.tar"}, root / "store")
    return root / "store"


@pytest.fixture
def store(tmp_path, made) -> Path:
    """A copy of that store."""
    return shutil.copytree(made, tmp_path / "store")


def with_modality(spec: DatasetSpec, name: str) -> DatasetSpec:
    """The same dataset with another modality."""
    first = spec.modalities[0]
    more = replace(
        first,
        name=name,
        option=f"--{name}-dir",
        files=Template.parse("{scene}/{patch}_new_{band}.tif"),
        key=Template.parse("new_{patch}"),
    )
    return replace(spec, modalities=(*spec.modalities, more))


def with_other_bands(spec: DatasetSpec, name: str) -> DatasetSpec:
    """The same dataset with another band in one of its modalities."""
    modality = spec.modality(name)
    index = 1 if modality.one_file_per_band else len(modality.bands) + 1
    changed = replace(modality, bands=(*modality.bands, Band("B99", "B99", index)))
    return replace(spec, modalities=tuple(changed if m == modality else m for m in spec.modalities))


# Specs


def test_a_spec_survives_as_json(spec):
    """Every dataset's spec is unchanged after writing and reading it as JSON."""
    found = from_rows(json.loads(json.dumps(as_rows(spec))))
    assert found == spec
    assert found.fingerprint == spec.fingerprint


def test_a_spec_of_array_files_survives_as_json():
    """The names and axes of arrays in files are in the manifest."""
    spec = spec_of(".h5", "y x band", "a/b")
    found = from_rows(json.loads(json.dumps(as_rows(spec))))
    assert found == spec
    assert found.modalities[0].fingerprint == spec.modalities[0].fingerprint


def test_a_spec_from_before_layouts_is_read():
    """A manifest that says `encoding`, and no layouts of tables and arrays or patterns, is read."""
    rows = json.loads(json.dumps(as_rows(SPEC)))
    for modality in rows["modalities"]:
        del modality["arrays"], modality["columns"], modality["patterns"]
        modality["encoding"] = "geotiff"
    found = from_rows(rows)
    assert found.fingerprint == SPEC.fingerprint
    assert [m.files.patterns for m in found.modalities] == [()] * len(SPEC.modalities)


def test_a_store_carries_its_spec(store):
    """The spec that a store was made with can be read from its manifest alone."""
    assert from_rows(load(store)["spec"]) == SPEC


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.pop("modalities"),
        lambda rows: rows.update(modalities=["s2"]),
        lambda rows: rows["modalities"][0].update(files="{"),
        lambda rows: rows["modalities"][0].update(arrays={"path": "bands", "axes": [{}]}),
        lambda rows: rows["modalities"][0].update(columns={"keys": []}),
        lambda rows: rows["modalities"][0].update(patterns=[{"name": "patch"}]),
        lambda rows: rows["modalities"][0].update(patterns={"patch": "S1*"}),
        lambda rows: rows["modalities"][0].update(patterns=[{"name": "x", "pattern": "S1*"}]),
        lambda rows: rows["modalities"][0]["bands"][0].update(shape=[1]),
        lambda rows: rows["modalities"][0]["bands"].pop("name", 0),
    ],
)
def test_a_damaged_spec_is_refused(change):
    """JSON that is not a spec is an error that says where."""
    rows = json.loads(json.dumps(as_rows(SPEC)))
    try:
        change(rows)
    except TypeError:
        rows["modalities"][0]["bands"][0].pop("name")
    with pytest.raises(SpecError):
        from_rows(rows)


# Fingerprints


@pytest.mark.parametrize("name", FINGERPRINTS_OF_0_1)
def test_fingerprints_of_0_1_cover_modalities(name):
    """The fingerprint that 0.1.0 stored for a dataset covers its present modalities."""
    expected = {m: get(name).modality(m).fingerprint for m in MODALITIES_OF_0_1[name]}
    assert FINGERPRINTS[FINGERPRINTS_OF_0_1[name]] == expected


@pytest.mark.parametrize("old", [False, True])
def test_another_modality_leaves_stores_valid(store, sources, old):
    """A dataset that gains a modality can continue its stores, including those of 0.1.0."""
    if old:
        make_0_1(store)
    spec = with_modality(SPEC, "new")
    assert convert(spec, {"s1": sources["s1"]}, store).n_written == {"s1": N_PATCHES}
    # And back: a version that does not know the new modality keeps its spec.
    convert(SPEC, {"s1": sources["s1"]}, store)
    names = [modality["name"] for modality in load(store)["spec"]["modalities"]]
    assert names == ["s1", "s2", "reference-maps", "new"]


@pytest.mark.parametrize("old", [False, True])
def test_other_bands_end_stores_with_that_modality_alone(store, sources, old):
    """A store is refused only if a modality that it holds has changed in the spec."""
    if old:
        make_0_1(store)
    before = {path: path.read_bytes() for path in store.iterdir()}
    with pytest.raises(StoreError, match="different keys or bands for bigearthnet's s2"):
        convert(with_other_bands(SPEC, "s2"), {"s1": sources["s1"]}, store)
    assert {path: path.read_bytes() for path in store.iterdir()} == before
    other = with_other_bands(SPEC, "s1")
    assert convert(other, {"reference-maps": sources["reference-maps"]}, store).complete


def test_a_users_spec_of_0_1_must_be_the_same(store, sources):
    """A 0.1.0 fingerprint of a user's own spec is accepted only for exactly that spec."""
    mine = with_modality(SPEC, "mine")
    make_0_1(store, mine.fingerprint)
    with pytest.raises(StoreError, match="different keys or bands for bigearthnet"):
        convert(SPEC, {"s1": sources["s1"]}, store)
    assert convert(mine, {"s1": sources["s1"]}, store).complete
    assert convert(SPEC, {"s1": sources["s1"]}, store).complete


# Version 0.1.0


def test_a_store_of_0_1_is_read_and_then_upgraded(store, sources):
    """Reading a manifest of 0.1.0 does not change it, and the first conversion replaces it."""
    expected = Manifest.read(store)
    info = run("info", store).stdout
    make_0_1(store)
    before = (store / "rico-hdl.json").read_bytes()
    found = Manifest.read(store)
    assert found.failures == expected.failures
    assert found.modalities == expected.modalities
    assert run("info", store).stdout == info
    assert run("verify", store).returncode == 0
    with rico_hdl.open(store) as opened:
        assert opened.modalities == ("s2", "reference-maps")
    assert (store / "rico-hdl.json").read_bytes() == before
    convert(SPEC, {"s1": sources["s1"]}, store)
    values = load(store)
    assert values["format"] == 2
    assert values["modalities"].keys() == {"s1", "s2", "reference-maps"}
    assert [f["kind"] for f in values["failures"]] == [f.kind for f in expected.failures]
    for name, state in values["modalities"].items():
        assert state["spec_fingerprint"] == SPEC.modality(name).fingerprint


def test_labels_are_added_to_a_store_of_0_1(store, tmp_path):
    """Labels alone upgrade the manifest of a store of 0.1.0, which can then be continued."""
    make_0_1(store)
    keys = list(rico_hdl.open(store).keys("s2"))
    rows = [
        {"patch_id": key, "s1_name": f"S1A_IW_GRDH_{i}", "labels": ["Pastures"], "split": "train"}
        for i, key in enumerate(keys)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "metadata.parquet")
    before = (store / "data.mdb").read_bytes()
    convert(SPEC, {}, store, labels=[tmp_path / "metadata.parquet"])
    values = load(store)
    assert (values["format"], values["labels"]["n_samples"]) == (2, len(keys))
    assert values["modalities"]["s2"]["spec_fingerprint"] == SPEC.modality("s2").fingerprint
    assert (store / "data.mdb").read_bytes() == before
    assert list(rico_hdl.open(store).keys("s2", split="train")) == keys
    assert rico_hdl.verify(store).findings == []


LABELS = [({}, True), ({"digests": None}, True), ({"digests": [1, {}], "splits": []}, False)]


@pytest.mark.parametrize(("labels", "are_none"), LABELS)
def test_labels_of_any_form_are_no_crash(store, labels, are_none):
    """Whatever an object with labels holds, readers and reports don't crash."""
    save(store, {**load(store), "labels": labels})
    assert run("info", store).returncode == 0
    assert run("verify", store).returncode == 1
    if are_none:
        assert rico_hdl.open(store).splits == ()
        return
    with pytest.raises(StoreError, match=r"labels.safetensors is damaged: it is missing"):
        _ = rico_hdl.open(store).splits


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("its MD5 sum is 0, expected 1 as published: it is damaged", "checksum"),
        ("its MD5 sum can't be told: Input/output error", "checksum"),
        ("/x.tar: is cut short at byte 3", "damaged"),
        ("its MD5", "damaged"),
    ],
)
def test_archives_of_0_1_get_a_kind(store, reason, kind):
    """A failure without a key, as 0.1.0 noted archives, gets its kind from its reason."""
    values = make_0_1(store)
    (archive,) = [failure for failure in values["failures"] if not failure["key"]]
    archive["reason"] = reason
    save(store, values)
    failure, *_ = Manifest.read(store).failures
    assert (failure.kind, failure.reason) == (kind, reason)


# Later versions


def test_unknown_fields_are_kept(store, sources):
    """Fields of a later version survive this one, at every level of the manifest."""
    values = load(store)
    thing = {"a": [1, 2.5, None, {"b": "ü"}]}
    values["selection"] = thing
    for state in values["modalities"].values():
        state["role"] = "image"
        for layout in state["layouts"]:
            layout["new"] = thing
    for failure in values["failures"]:
        failure["since"] = "2026"
    values["spec"]["splits"] = thing
    modality = values["spec"]["modalities"][1]
    modality["pairs_by"] = ["tile"]
    modality["bands"][3]["unit"] = "1"
    presets, modality["presets"] = modality["presets"], []
    save(store, values)
    convert(SPEC, {"s1": sources["s1"]}, store)
    modality["presets"] = presets  # a field that this version knows is its own
    found = load(store)
    assert "role" not in found["modalities"].pop("s1")
    assert from_rows(found["spec"]) == SPEC
    for field in ("selection", "modalities", "failures", "spec"):
        assert found[field] == values[field]


def test_failures_of_unknown_kinds_are_kept_and_keep_a_modality_incomplete(store, sources):
    """A failure that only a later version can settle is never settled by this one."""
    convert(SPEC, {"s1": sources["s1"]}, store)
    values = load(store)
    assert values["modalities"]["s1"]["complete"]
    strange = {"kind": "label", "modality": "s1", "table": {"row": 3}}
    values["failures"].append(strange)
    save(store, values)
    assert "left out" in run("info", store).stdout
    convert(SPEC, {"s1": sources["s1"]}, store)
    found = load(store)
    assert strange in found["failures"]
    assert not found["modalities"]["s1"]["complete"]


@pytest.mark.parametrize("command", ["info", "verify", "convert", "open"])
@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"format": 3}, "has format 3"),
        ({"format": 0}, "has format 0"),
        ({"requires_to_read": ["tiles"]}, "requires 'tiles' of every program that reads"),
    ],
)
def test_a_store_of_a_later_version_is_refused(store, sources, command, change, what):
    """A manifest that only a later version understands is refused; the error names the version."""
    save(store, load(store) | change | {"tool": "rico-hdl 9.8.7"})
    before = {path: path.read_bytes() for path in store.iterdir()}
    if command == "open":
        with pytest.raises(StoreError, match=what) as caught:
            _ = rico_hdl.open(store).modalities
        text = str(caught.value)
    else:
        conversion = ["bigearthnet", "--bigearthnet-s1-dir", sources["s1"], "--target-dir", store]
        result = run(*(conversion if command == "convert" else [command, store]))
        assert (result.returncode, result.stdout) == (4, "")
        text = result.stderr
    assert what in text
    assert "rico-hdl 9.8.7" in text
    assert {path: path.read_bytes() for path in store.iterdir()} == before


def test_a_feature_that_writers_must_know_stops_writers_alone(store, sources):
    """A store that may be read but not written to is read, but no conversion continues it."""
    save(store, load(store) | {"requires_to_write": ["selection"], "tool": "rico-hdl 9.8.7"})
    assert run("info", store).returncode == 0
    assert run("verify", store).returncode == 0
    before = {path: path.read_bytes() for path in store.iterdir()}
    with pytest.raises(StoreError, match=r"(?s)'selection'.*rico-hdl 9\.8\.7"):
        convert(SPEC, {"s1": sources["s1"]}, store)
    assert {path: path.read_bytes() for path in store.iterdir()} == before
    assert convert(SPEC, {"s1": sources["s1"]}, store, overwrite=True).complete


def test_specs_of_all_datasets_have_fingerprints_of_their_own():
    """Modalities of different datasets have different fingerprints."""
    found = [m.fingerprint for spec in registry().values() for m in spec.modalities]
    assert len(set(found)) == len(found)
