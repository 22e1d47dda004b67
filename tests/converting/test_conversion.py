"""Converting with the library: values, determinism, resuming, failures, bounds."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import lmdb
import numpy as np
import pytest
from safetensors.numpy import save

import corpus
import rico_hdl
from rico_hdl.checking.verification import verify
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import registry
from rico_hdl.observer import Observer
from rico_hdl.sources import FolderSource
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.store import StoreWriter
from rico_hdl.testing.encodings import encoding_of
from rico_hdl.testing.images import kind_of
from tests.support.image_files import by_pillow
from tests.support.reading import arrays, gdal_bands, records, same_bits
from tests.support.running import n_stored
from tests.support.zarr_files import judged

BIGEARTHNET = registry()["bigearthnet"]


@pytest.fixture
def small_commits(monkeypatch):
    """Transactions of a few patches, so that small corpora take many of them."""
    monkeypatch.setitem(StoreWriter.__init__.__kwdefaults__, "commit_bytes", 400_000)


def test_every_value_of_every_dataset_equals_gdal(spec: DatasetSpec, tmp_path):
    """Each band is stored under its name with the dtype, shape and bits that GDAL reads.

    For Zarr stores, the zarr library takes GDAL's place, and for JPEG files, Pillow. Files of
    arrays are compared with what was written to them: other tests have independent readers.
    """
    sources = corpus.generate(spec, tmp_path / "source", 3)
    summary = convert(spec, sources, tmp_path / "target")
    assert verify(tmp_path / "target").findings == []

    stored = arrays(tmp_path / "target")
    expected_keys = set()
    for modality in spec.modalities:
        for patch in corpus.patches(spec, modality, 3):
            expected_keys.add(patch.key)
            bands = judged_bands(spec, modality, sources[modality.name], patch)
            assert set(stored[patch.key]) == set(modality.band_names)
            for name, band in zip(modality.names_in_files, bands, strict=True):
                assert same_bits(stored[patch.key][name], band), (patch.key, name)
                if is_lossy(spec, modality):
                    continue
                # Not just any values: those that the corpus wrote for this band of this patch.
                i = modality.band_names.index(name)
                meant = corpus.pixels(patch.key, i, band.shape, band.dtype.name)
                assert same_bits(stored[patch.key][name], meant), (patch.key, name)
    assert stored.keys() == expected_keys
    assert summary.complete
    assert summary.failures == []
    assert summary.n_written == {modality.name: 3 for modality in spec.modalities}


def judged_bands(
    spec: DatasetSpec, modality: Modality, source: Path, patch: corpus.SamplePatch
) -> list[np.ndarray]:
    """The bands of a patch as GDAL or Pillow reads them, or the zarr library from a store.

    In the order of `Modality.names_in_files`.
    """
    if kind_of(modality) == "jpeg":
        return [band for name in patch.files for band in by_pillow((source / name).read_bytes())]
    if modality.arrays is None:
        return [band for name in patch.files for band in gdal_bands(source / name)]
    if spec.name != "ssl4eo-s12-v1.1" or modality.on_request:
        dtype = encoding_of(spec, modality).dtype
        return [
            corpus.pixels(patch.key, i, corpus.shape_of(spec, modality, band, patch.number), dtype)
            for i, band in enumerate(modality.bands)
        ]
    known = {name: band for path in source.iterdir() for name, band in judged(path).items()}
    bands = [known[name] for name in patch.files]
    return [np.frombuffer(data, dtype).reshape(shape) for dtype, shape, data in bands]


def is_lossy(spec: DatasetSpec, modality: Modality) -> bool:
    """Whether a modality's files are JPEG, or TIFFs with JPEG inside."""
    return kind_of(modality) == "jpeg" or encoding_of(spec, modality).compression == "jpeg"


def test_records_are_the_bytes_of_safetensors(typical_spec: DatasetSpec, tmp_path):
    """Each record is byte for byte what the safetensors library saves for the same arrays."""
    sources = corpus.generate(typical_spec, tmp_path / "source", 2)
    convert(typical_spec, sources, tmp_path / "target")
    for record, patch in zip(
        records(tmp_path / "target").values(), arrays(tmp_path / "target").values(), strict=True
    ):
        assert record == save(patch)


def test_file_is_the_same_for_any_number_of_workers(bigearthnet, tmp_path, small_commits):
    """data.mdb is byte for byte the same with one worker and with many."""
    del small_commits
    files = []
    for n_workers in (1, 2, 7):
        target = tmp_path / f"target-{n_workers}"
        convert(BIGEARTHNET, bigearthnet, target, n_workers=n_workers)
        files.append((target / "data.mdb").read_bytes())
    assert files[0] == files[1] == files[2]


def test_file_is_no_larger_than_its_content(tmp_path, small_commits):
    """data.mdb takes three more pages per transaction than LMDB's own compacted copy.

    They lead to the transaction's records and to its free pages, and are kept since readers may
    refer to them: a branch page, a leaf page, and a page of the list of free pages.
    """
    del small_commits
    sources = corpus.generate(BIGEARTHNET, tmp_path / "source", 60)
    convert(BIGEARTHNET, sources, tmp_path / "target")
    (tmp_path / "compact").mkdir()
    with lmdb.open(str(tmp_path / "target"), readonly=True, lock=False) as env:
        env.copy(str(tmp_path / "compact"), compact=True)
        allowed = 3 * env.stat()["psize"] * env.info()["last_txnid"]
    size, compact = (
        (tmp_path / name / "data.mdb").stat().st_size for name in ("target", "compact")
    )
    assert size <= compact + allowed


def test_one_modality_at_a_time_gives_the_same_content(bigearthnet, tmp_path):
    """Adding sources one by one gives the same records and digest as all at once."""
    whole = convert(BIGEARTHNET, bigearthnet, tmp_path / "whole")
    for name in ("s2", "reference-maps", "s1"):
        last = convert(BIGEARTHNET, {name: bigearthnet[name]}, tmp_path / "parts")
    assert records(tmp_path / "parts") == records(tmp_path / "whole")
    assert last.content_digest == whole.content_digest
    parts = json.loads((tmp_path / "parts" / "rico-hdl.json").read_text())
    assert parts["complete"] is True
    assert {n: m["n_patches"] for n, m in parts["modalities"].items()} == dict.fromkeys(
        ("s1", "s2", "reference-maps"), 6
    )


@pytest.mark.parametrize("lost", ["manifest", "journal", "both", "end of the journal"])
def test_missing_files_are_rebuilt_from_the_records(bigearthnet, tmp_path, lost):
    """Files missing next to data.mdb, as in a store of the original, are rebuilt from it."""
    target = tmp_path / "target"
    whole = convert(BIGEARTHNET, bigearthnet, target)
    path, journal = target / "rico-hdl.json", target / "rico-hdl.journal"
    expected = json.loads(path.read_text())
    if lost in {"manifest", "both"}:
        path.unlink()
    if lost in {"journal", "both"}:
        journal.unlink()
    if lost == "end of the journal":
        journal.write_bytes(journal.read_bytes()[:-10])
    again = convert(BIGEARTHNET, {"s1": bigearthnet["s1"]}, target)
    assert again.n_written == {"s1": 0}
    assert again.content_digest == whole.content_digest
    found = json.loads(path.read_text())
    assert found["n_patches"] == 18
    for name in ("s1", "s2", "reference-maps"):
        for field in ("n_patches", "n_bytes", "bands", "layouts"):
            assert found["modalities"][name][field] == expected["modalities"][name][field]


def _first_s2_file(sources: dict[str, Path], band: int = 1) -> Path:
    patch = corpus.patches(BIGEARTHNET, BIGEARTHNET.modality("s2"), 6)[0]
    return sources["s2"] / patch.files[band]


def _write(data: bytes):
    return lambda path: path.write_bytes(data)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _another_dtype(path: Path) -> None:
    s1 = next(p for p in path.parents[3].glob("BigEarthNet-S1/*/*/*.tif"))
    shutil.copy(s1, path)


def _dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.tif")


def _folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_truncate, "truncated|Read error"),
        (_write(b""), "is empty"),
        (_write(b"\x89PNG\r\n\x1a\n" + b"\0" * 100), "not a TIFF"),
        (_another_dtype, "expected uint16"),
        (_dangling_link, "missing"),
        (_folder_instead, "director"),
        (Path.unlink, "missing band B02"),
    ],
    ids=["truncated", "empty", "png", "dtype", "dangling", "folder", "missing"],
)
def test_a_patch_that_cannot_be_read_is_left_out_whole(bigearthnet, tmp_path, damage, reason):
    """A bad file fails its patch with path and reason; once repaired, the patch is added."""
    whole = convert(BIGEARTHNET, bigearthnet, tmp_path / "whole")
    path = _first_s2_file(bigearthnet)
    good = path.read_bytes()
    damage(path)
    target = tmp_path / "target"
    summary = convert(BIGEARTHNET, bigearthnet, target)
    (failure,) = summary.failures
    key = corpus.patches(BIGEARTHNET, BIGEARTHNET.modality("s2"), 6)[0].key
    assert (failure.key, failure.modality, failure.band) == (key, "s2", "B02")
    assert str(path.parent) in failure.path
    assert re.search(reason, failure.reason)
    assert not summary.complete
    assert key not in records(target)
    assert len(records(target)) == 17
    manifest = json.loads((target / "rico-hdl.json").read_text())
    assert manifest["complete"] is False
    assert [f["key"] for f in manifest["failures"]] == [key]

    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_bytes(good)
    repaired = convert(BIGEARTHNET, bigearthnet, target)
    assert repaired.n_written["s2"] == 1
    assert repaired.complete
    assert repaired.content_digest == whole.content_digest
    assert json.loads((target / "rico-hdl.json").read_text())["failures"] == []


def test_stop_ends_at_the_first_failure(bigearthnet, tmp_path):
    """on_error="stop" stores the patches before the first bad one in key order, but none after."""
    patches = sorted(p.key for p in corpus.patches(BIGEARTHNET, BIGEARTHNET.modality("s1"), 6))
    (bad,) = bigearthnet["s1"].glob(f"*/{patches[3]}/*_VV.tif")
    bad.write_bytes(b"II")
    target = tmp_path / "target"
    summary = convert(BIGEARTHNET, {"s1": bigearthnet["s1"]}, target, n_workers=1, on_error="stop")
    assert [failure.key for failure in summary.failures] == [patches[3]]
    assert list(records(target)) == patches[:3]


def test_failures_of_another_modality_are_kept(bigearthnet, tmp_path):
    """Converting S1 keeps the failures of S2."""
    _first_s2_file(bigearthnet).write_bytes(b"")
    target = tmp_path / "target"
    convert(BIGEARTHNET, {"s2": bigearthnet["s2"]}, target)
    summary = convert(BIGEARTHNET, {"s1": bigearthnet["s1"]}, target)
    assert summary.complete
    manifest = json.loads((target / "rico-hdl.json").read_text())
    assert [failure["modality"] for failure in manifest["failures"]] == ["s2"]
    assert manifest["complete"] is False


class CountingSource(FolderSource):
    """A folder that counts how often each file is read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.n_reads: Counter[str] = Counter()

    def read(self, path: str, max_bytes: int) -> bytes:
        self.n_reads[path] += 1
        return super().read(path, max_bytes)


def test_each_file_is_read_once(folder_spec: DatasetSpec, tmp_path):
    """Each file is read once, however many bands it holds, and no other file is read."""
    folders = corpus.generate(folder_spec, tmp_path / "source", 2)
    sources = {name: CountingSource(folder) for name, folder in folders.items()}
    convert(folder_spec, sources, tmp_path / "target")
    for modality in folder_spec.modalities:
        files = {f for p in corpus.patches(folder_spec, modality, 2) for f in p.files}
        assert sources[modality.name].n_reads == dict.fromkeys(files, 1)


def test_source_that_vanishes_stops_the_conversion(bigearthnet, tmp_path):
    """A mount that disappears is one error about the source; once it is back, the rest is added."""
    hidden, target = tmp_path / "hidden", tmp_path / "target"

    class Vanishing(CountingSource):
        def read(self, path: str, max_bytes: int) -> bytes:
            if sum(self.n_reads.values()) == 5:
                shutil.move(self.location, hidden)
            return super().read(path, max_bytes)

    source = Vanishing(bigearthnet["s1"])
    with pytest.raises(rico_hdl.SourceError, match="no such folder"):
        convert(BIGEARTHNET, {"s1": source}, target, n_workers=1)
    before = n_stored(target)
    assert 0 < before < 6
    assert verify(target).findings == []
    shutil.move(hidden, bigearthnet["s1"])
    summary = convert(BIGEARTHNET, {"s1": bigearthnet["s1"]}, target)
    assert (summary.n_present["s1"], summary.complete) == (before, True)


def test_at_most_the_allowed_bytes_are_in_flight(tmp_path):
    """Patches wait for memory: if it suffices for one, no two are read at the same time."""
    spec = registry()["hydro"]
    folders = corpus.generate(spec, tmp_path / "source", 6)

    class Overlapping(CountingSource):
        n_now = n_most = 0

        def read(self, path: str, max_bytes: int) -> bytes:
            self.n_now += 1
            self.n_most = max(self.n_most, self.n_now)
            data = super().read(path, max_bytes)
            self.n_now -= 1
            return data

    source = Overlapping(folders["s2"])
    convert(spec, {"s2": source}, tmp_path / "target", n_workers=4, in_flight_bytes=1)
    assert source.n_most == 1


def test_wrong_arguments_are_refused(bigearthnet, tmp_path):
    """Unknown datasets or modalities and zero workers are errors before anything is written."""
    with pytest.raises(rico_hdl.UsageError, match="bigearth"):
        convert("bigearth", bigearthnet, tmp_path / "target")
    with pytest.raises(rico_hdl.UsageError, match="no modality s3"):
        convert(BIGEARTHNET, {"s3": bigearthnet["s1"]}, tmp_path / "target")
    with pytest.raises(rico_hdl.UsageError, match="expected 1 or more"):
        convert(BIGEARTHNET, bigearthnet, tmp_path / "target", n_workers=0)
    assert not (tmp_path / "target").exists()


def test_another_dataset_in_the_target_is_refused(bigearthnet, tmp_path):
    """A store holds one dataset: another one is refused, and the store doesn't change."""
    convert(BIGEARTHNET, bigearthnet, tmp_path / "target")
    before = (tmp_path / "target" / "data.mdb").read_bytes()
    hydro = registry()["hydro"]
    sources = corpus.generate(hydro, tmp_path / "hydro", 1)
    with pytest.raises(rico_hdl.StoreError, match="holds bigearthnet, expected hydro"):
        convert(hydro, sources, tmp_path / "target")
    assert (tmp_path / "target" / "data.mdb").read_bytes() == before


def test_observer_counts_everything_once(bigearthnet, tmp_path):
    """The counts that an observer adds up equal the summary."""
    _first_s2_file(bigearthnet).write_bytes(b"")

    class Listening(Observer):
        def __init__(self) -> None:
            self.n, self.n_bytes, self.failures, self.planned = Counter(), 0, [], None

        def on_plan(self, plan):
            self.planned = dict(plan.n_patches)

        def on_patches(self, modality, n_patches, n_bytes):
            self.n[modality] += n_patches
            self.n_bytes += n_bytes

        def on_failure(self, failure):
            self.failures.append(failure)

    observer = Listening()
    summary = convert(BIGEARTHNET, bigearthnet, tmp_path / "target", observer=observer)
    assert observer.planned == {"s1": 6, "s2": 6, "reference-maps": 6}
    assert observer.n == summary.n_written == {"s1": 6, "s2": 5, "reference-maps": 6}
    assert observer.n_bytes == summary.n_bytes
    assert observer.failures == summary.failures
