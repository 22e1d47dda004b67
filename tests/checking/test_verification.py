"""Verification finds any change to a store after it was written."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import lmdb
import pytest
from safetensors.numpy import save

import corpus
from rico_hdl.checking.verification import verify
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from rico_hdl.decoding.tiff import Raster
from rico_hdl.errors import StoreError
from rico_hdl.observer import Observer
from rico_hdl.record import encode
from rico_hdl.store import StoreWriter, digest
from rico_hdl.testing.contracts.files import flip
from rico_hdl.values import Origin, Record
from tests.support.reading import arrays, records

BIGEARTHNET = registry()["bigearthnet"]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    """A small converted BigEarthNet, not to be changed."""
    root = tmp_path_factory.mktemp("pristine")
    convert(BIGEARTHNET, corpus.generate(BIGEARTHNET, root / "source", 4), root / "target")
    return root / "target"


@pytest.fixture
def target(pristine, tmp_path) -> Path:
    """A copy of that store, to be changed."""
    return shutil.copytree(pristine, tmp_path / "target")


def kinds(target: Path) -> dict[str, str]:
    """The kind of each finding by key."""
    return {finding.key: finding.kind for finding in verify(target).findings}


def test_a_fresh_store_is_as_written(typical_spec, tmp_path):
    """Every dataset's store verifies, with every record proven and the manifest's digest."""
    summary = convert(
        typical_spec, corpus.generate(typical_spec, tmp_path / "source", 1), tmp_path / "target"
    )
    result = verify(tmp_path / "target")
    assert (result.findings, result.n_unproven, result.n_unfinished) == ([], 0, 0)
    assert result.dataset == typical_spec.name
    assert result.n_records == sum(summary.n_written.values())
    assert result.n_bytes == summary.n_bytes
    assert result.content_digest == summary.content_digest


@pytest.mark.parametrize("n_workers", [1, 5])
def test_observer_counts_every_record(pristine, n_workers):
    """The counts that an observer receives add up to those of the result."""

    class Listening(Observer):
        def __init__(self):
            self.n_expected = self.n = self.n_bytes = 0

        def on_start(self, n_records):
            self.n_expected = n_records

        def on_records(self, n_records, n_bytes):
            self.n += n_records
            self.n_bytes += n_bytes

    observer = Listening()
    result = verify(pristine, n_workers=n_workers, observer=observer)
    assert observer.n == observer.n_expected == result.n_records == 12
    assert observer.n_bytes == result.n_bytes


def test_every_flipped_bit_of_a_record_is_found(target):
    """A flip anywhere in a record, in its header or pixels, is reported with its key."""
    path, data = target / "data.mdb", (target / "data.mdb").read_bytes()
    for key, value in records(target).items():
        start = data.index(value)
        assert data.find(value, start + 1) < 0
        header = 8 + int.from_bytes(value[:8], "little")
        places = [*range(0, header, 37), header, (header + len(value)) // 2, len(value) - 1]
        for i, place in enumerate(places):
            flip(path, start + place, 1 << i % 8)
            assert kinds(target) == {key: "damaged"}, (key, place)
            flip(path, start + place, 1 << i % 8)
    assert kinds(target) == {}


def test_every_flipped_bit_of_a_key_is_found(target):
    """A flip in a key is found if readers see another key; otherwise the bytes are unused."""
    path, data = target / "data.mdb", (target / "data.mdb").read_bytes()
    keys = _keys(target)
    n_seen = 0
    for key in keys:
        offsets = [i for i in range(len(data)) if data.startswith(key.encode(), i)]
        for offset in offsets:
            for place in (0, len(key) // 2, len(key) - 1):
                flip(path, offset + place)
                seen = _keys(target) != keys
                assert bool(kinds(target)) >= seen, (key, offset, place)
                n_seen += seen
                flip(path, offset + place)
    assert n_seen >= 3 * len(keys)
    assert kinds(target) == {}


def _keys(target: Path) -> list[str]:
    with (
        lmdb.open(str(target), readonly=True, lock=False) as env,
        env.begin() as txn,
        txn.cursor() as cursor,
    ):
        return [key.decode(errors="replace") for key in cursor.iternext(values=False)]


def test_missing_extra_and_exchanged_records_are_found(target):
    """Records that other tools deleted, added, renamed or replaced are reported."""
    content = records(target)
    deleted, exchanged, *_ = content
    with lmdb.open(str(target), map_size=2**30) as env, env.begin(write=True) as txn:
        txn.delete(deleted.encode())
        txn.put(exchanged.encode(), content[deleted])
        txn.put(b"stranger", content[deleted])
        txn.put(b"\xff\xfe", b"no record at all")
    assert kinds(target) == {
        deleted: "missing",
        exchanged: "damaged",
        "stranger": "extra",
        "\ufffd\ufffd": "extra",
    }


def test_flip_in_the_digest_of_the_manifest_is_reported(target):
    """The digest of the records is compared with that in the manifest."""
    path = target / "rico-hdl.json"
    text = path.read_text()
    old = json.loads(text)["content_digest"]
    new = old[:-1] + ("0" if old[-1] != "0" else "1")
    path.write_text(text.replace(old, new))
    (finding,) = verify(target).findings
    assert (finding.kind, finding.key) == ("damaged", "")
    assert new in finding.reason
    assert old in finding.reason


def test_store_of_the_original_is_checked_for_its_form(pristine, tmp_path):
    """Without journal and manifest, records that can't be parsed or are not 2-D are found."""
    stored = arrays(pristine)
    good, flat, broken = list(stored)[:3]
    with lmdb.open(str(tmp_path), map_size=2**30) as env, env.begin(write=True) as txn:
        txn.put(good.encode(), save(stored[good]))
        txn.put(flat.encode(), save({n: a.reshape(-1) for n, a in stored[flat].items()}))
        txn.put(broken.encode(), save(stored[broken])[:-1])
    result = verify(tmp_path)
    assert (result.n_records, result.n_unproven) == (3, 3)
    assert {f.key: f.kind for f in result.findings} == {flat: "unexpected", broken: "damaged"}
    assert "two-dimensional" in next(f.reason for f in result.findings if f.key == flat)


def test_records_that_contradict_the_spec_are_unexpected(pristine, tmp_path):
    """Bands of no modality and bands of another dtype are found although their digest holds."""
    target = shutil.copytree(pristine, tmp_path / "target")
    with StoreWriter(target) as store:
        for key, names, dtype in (
            (b"z-strange", ("X", "Y"), "uint16"),
            (b"z-wide", ("VH", "VV"), "float64"),
        ):
            n_bytes = 2 if dtype == "uint16" else 8
            data = encode(names, [Raster(dtype, (1, 1), bytes(n_bytes))] * 2)
            layout = tuple((name, dtype, (1, 1)) for name in names)
            number = digest.record_digest(key, data)
            store.put(Record(key, Origin("s1", "/x"), data, number, layout, constant=True))
    found = {f.key: f for f in verify(target).findings}
    assert {key: f.kind for key, f in found.items() if key} == {
        "z-strange": "unexpected",
        "z-wide": "unexpected",
    }
    assert "X, Y" in found["z-strange"].reason
    assert "float64, expected float32" in found["z-wide"].reason


def test_truncated_store_is_an_error(target):
    """A data.mdb of half its length is an error that says so, not a crash."""
    path = target / "data.mdb"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StoreError, match="cut short"):
        verify(target)


@pytest.mark.parametrize("what", ["nothing", "folder", "garbage"])
def test_no_store_is_an_error_with_its_path(tmp_path, what):
    """A folder that is missing, empty, or holds something else is an error that names it."""
    target = tmp_path / "target"
    if what != "nothing":
        target.mkdir()
    if what == "garbage":
        (target / "data.mdb").write_bytes(b"garbage" * 10_000)
    with pytest.raises(StoreError, match=str(target)):
        verify(target)
