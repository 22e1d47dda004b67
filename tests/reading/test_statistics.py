"""Statistics of whole stores, with numpy on all pixels as the judge."""

from __future__ import annotations

import sys
import threading
from functools import reduce

import numpy as np
import pytest
from safetensors.numpy import save

import corpus
import rico_hdl
from rico_hdl.datasets import registry
from rico_hdl.errors import InterruptedRunError, StoreError, UnknownKeyError, UsageError
from rico_hdl.observer import Observer
from rico_hdl.reading import counting
from rico_hdl.reading.records import MappedRecords
from rico_hdl.reading.statistics import chosen_keys
from rico_hdl.reading.statistics import counted as counted_modalities
from rico_hdl.statistics import Statistics
from rico_hdl.statistics.counting import BandCounter
from tests.reading.test_protocol import Joined
from tests.statistics.test_band import DTYPES, PERCENTAGES, counted, valid, values_of
from tests.support.labelled import bigearthnet
from tests.support.running import measured, run
from tests.support.stores import converted, s2_patch, s2_patches, store_of, write
from tests.support.writing import SIDES, N, begin, key_of, patch, writer


def expected_of(patches, band):
    """All pixels of a band, patch after patch."""
    return np.concatenate([patch[band].reshape(-1) for patch in patches.values() if band in patch])


def check(statistics, patches, nodata=None):
    """Compare the statistics of all bands with numpy on all pixels."""
    assert statistics.n_patches == len(patches)
    for i, (name, band) in enumerate(statistics.bands.items()):
        pixels = expected_of(patches, name)
        kept = valid(pixels, nodata).astype(np.float64)
        assert band.n_pixels == len(pixels)
        assert band.n_valid == statistics.n_valid[i] == len(kept)
        assert band == counted(pixels, nodata)
        assert statistics.mean[i] == pytest.approx(kept.mean(), rel=1e-12)
        assert statistics.std[i] == pytest.approx(kept.std(), rel=1e-9)
        assert (statistics.minimum[i], statistics.maximum[i]) == (kept.min(), kept.max())
        if np.dtype(band.dtype).itemsize <= 2:
            expected = np.percentile(kept, PERCENTAGES)
            np.testing.assert_array_equal(statistics.percentile(PERCENTAGES)[i], expected)


def test_every_dtype_is_counted(tmp_path):
    """A store with a band of each dtype, with NaN, infinities and zeros, and sizes that differ."""
    patches = {
        f"patch_{i:02}": {
            dtype: values_of(dtype, (40 + i) * (30 + i % 3), seed=i).reshape(40 + i, -1)
            for dtype in DTYPES
        }
        for i in range(14)
    }
    # float64 spans hundreds of orders of magnitude in values_of: numpy overflows, we don't.
    with rico_hdl.open(store_of(tmp_path / "store", patches)) as store:
        for n_workers in (1, 3):
            found = store.statistics(n_workers=n_workers)
            assert found.modality == "unknown"
            assert {*found.names} == {*DTYPES}
            check(found, patches)
        check(store.statistics(nodata=7), patches, 7)


@pytest.mark.parametrize("chunk", [1, 5_000, 2**30])
def test_chunks_and_bands_are_counted_once(tmp_path, monkeypatch, chunk):
    """However records and bands are shared out among threads, each pixel is counted once."""
    monkeypatch.setattr(counting, "_CHUNK_BYTES", chunk)
    monkeypatch.setattr(counting, "_FEWEST_PIXELS", min(chunk, 2**19))
    monkeypatch.setattr(counting, "_MAX_BANDS", 5)
    patches = s2_patches(23)
    with rico_hdl.open(store_of(tmp_path / "store", patches)) as store:
        check(store.statistics("s2", n_workers=4), patches)


def test_patches_of_unusual_sizes_and_records_in_leaf_pages_are_counted(tmp_path):
    """Sizes that vary, and records too small for pages of their own, are no exception."""
    patches = {
        f"patch_{i:03}": {"B1": np.full((1 + i % 7, 3), i, np.uint16), "B2": np.eye(3 + i % 5)}
        for i in range(200)
    }
    with rico_hdl.open(store_of(tmp_path / "store", patches)) as store:
        check(store.statistics(), patches)


def test_order_of_records_in_the_file_does_not_matter(tmp_path):
    """Records that were written in a random order have irregular distances."""
    numbers = np.random.default_rng(0).permutation(60).tolist()
    patches = {f"S2A_patch_{i:03}": s2_patch(i) for i in numbers}
    folder = tmp_path / "store"
    for key, bands in patches.items():
        write(folder, {key: save(bands)})
    with rico_hdl.open(folder) as store:
        check(store.statistics("s2"), patches)
        chosen = list(patches)[:7]  # in no order
        check(store.statistics("s2", keys=chosen), {key: patches[key] for key in chosen})


def test_modalities_are_counted_on_their_own(tmp_path):
    """Each modality has its own bands, in the publisher's order; None needs a single one."""
    target = converted("bigearthnet", tmp_path, 3)
    with rico_hdl.open(target) as store:
        for modality in store.modalities:
            found = store.statistics(modality)
            assert found.names == store.bands(modality)
            assert (found.modality, found.dataset, found.split) == (modality, "bigearthnet", None)
            assert found.is_mask == (modality == "reference-maps")
            check(found, {key: store[key] for key in store.keys(modality)})
        with pytest.raises(UsageError, match="several modalities, and none was named"):
            store.statistics()
        with pytest.raises(UsageError, match="no such modality: 's3'"):
            store.statistics("s3")
        with pytest.raises(UsageError, match="no patches to count"):
            store.statistics("s1", keys=store.keys("s2"))
        with pytest.raises(UnknownKeyError):
            store.statistics("s1", keys=["S1_nothing"])
        with pytest.raises(UsageError, match="n_workers"):
            store.statistics("s1", n_workers=0)
        with pytest.raises(UsageError, match="both a split and keys"):
            store.statistics("s1", split="train", keys=[])


def test_records_of_no_modality_are_not_forgotten(tmp_path):
    """Records with other bands are counted as unknown, whatever else the store holds."""
    patches = s2_patches(300)  # more than a sample
    others = {f"S2A_patch_15{i}": {"X": np.full((4, 4), i, np.uint8)} for i in (70, 80)}
    with rico_hdl.open(store_of(tmp_path / "store", patches | others)) as store:
        found = counted_modalities(store, chosen_keys(store))
        assert [one.n_patches for one in found.values()] == [300, 2]
        assert list(found["unknown"].bands) == ["X"]


def test_labels_are_counted(tmp_path):
    """The patches of each class are counted, also those of a choice."""
    target = converted("uc-merced", tmp_path, 45)
    with rico_hdl.open(target) as store:
        found = store.statistics()
        labels = store.labels(store.keys())
        assert found.labels == {
            name: int((labels == i).sum()) for i, name in enumerate(store.classes)
        }
        assert sum(found.labels.values()) == 45
        assert sum(store.statistics(keys=store.keys()[:5]).labels.values()) == 5
        assert found.n_unlabelled == 0


def test_several_labels_of_a_patch_are_counted(tmp_path):
    """A patch counts for each of its labels, and patches without labels are reported."""
    made = bigearthnet(tmp_path, 9, 2)
    done = run("bigearthnet", "--labels", made.metadata, "--target-dir", made.store)
    assert done.returncode == 0, done.stderr
    with rico_hdl.open(made.store) as store:
        found = store.statistics("s2")
        assert (found.n_patches, found.n_unlabelled) == (11, 2)
        expected = dict.fromkeys(store.classes, 0)
        for row in made.rows:
            for name in row.labels:
                expected[name] += 1
        assert found.labels == expected
        train = store.statistics("s2", split="train")
        assert train.n_patches == sum(row.split == "train" for row in made.rows)
        assert train.n_unlabelled == 0


def test_pixels_of_classes_are_counted_without_those_to_be_ignored(tmp_path):
    """A mask's classes have names, and the class to be ignored is nodata."""
    sources = corpus.generate(registry()["loveda"], tmp_path, 4)
    rico_hdl.convert("loveda", sources, tmp_path / "store")
    with rico_hdl.open(tmp_path / "store") as store:
        (name,) = [name for name in store.modalities if "mask" in name]
        found = store.statistics(name)
        modality = store.spec.modality(name)
        pixels = expected_of({key: store[key] for key in store.keys(name)}, found.names[0])
        counts = np.bincount(pixels, minlength=256)
        band = found.bands[found.names[0]]
        assert band.nodata == modality.ignore == 0
        assert band.n_nodata == counts[0] > 0
        assert store.statistics(name, nodata=1).bands[found.names[0]].n_nodata == counts[1]
        classes = found.class_pixels()
        for value in range(1, 256):
            label = found.classes[value] if value < len(found.classes) else str(value)
            assert classes.get(label, 0) == counts[value]
        stored = found.to_dict()
        assert stored["class_pixels"] == classes
        assert sum(stored["class_shares"].values()) == pytest.approx(1)
    with pytest.raises(UsageError, match="not a mask"):
        Statistics("s2", 0, {}).class_pixels()


def test_splits_need_a_store_that_has_them(tmp_path):
    """Asking for a split of a store without splits is an error that says so."""
    with (
        rico_hdl.open(converted("uc-merced", tmp_path, 2)) as store,
        pytest.raises(UsageError, match="no split 'train': it has no splits"),
    ):
        store.statistics(split="train")


def test_splits_are_counted_and_add_up(tmp_path):
    """The statistics of the splits are those of their patches, and add up to those of all."""
    with rico_hdl.open(converted("loveda", tmp_path, 6)) as store:
        name = store.modalities[0]
        parts = [store.statistics(name, split=split) for split in store.splits]
        assert [part.split for part in parts] == list(store.splits)
        for part in parts:
            check(part, {key: store[key] for key in store.keys(name, split=part.split)})
        assert reduce(Statistics.merge, parts).bands == store.statistics(name).bands


def test_parts_add_up_to_the_whole(tmp_path):
    """The statistics of two choices of keys add up to those of all, also after storing them."""
    with rico_hdl.open(converted("uc-merced", tmp_path, 30)) as store:
        keys = store.keys()
        whole = store.statistics()
        one, two = (store.statistics(keys=keys[part]) for part in (slice(0, 11), slice(11, None)))
        assert one.merge(two) == two.merge(one) == whole
        stored = Statistics.from_dict(one.to_dict())
        assert stored == one
        assert stored.merge(Statistics.from_dict(two.to_dict())) == whole
        assert whole.select(["Blue", "Red"]).names == ("Blue", "Red")
        assert whole.select(["Blue"]).mean[0] == whole.mean[2]
        with pytest.raises(UsageError, match="no statistics of the band 'NIR'"):
            whole.select(["NIR"])
        with pytest.raises(UsageError, match="names"):
            one.merge(two.select(["Red"]))


def test_dtypes_that_differ_are_refused(tmp_path):
    """A band with two dtypes has no statistics; those of a choice of keys exist."""
    patches = {f"p{i}": {"B": np.full((3, 3), i, f"u{1 + i % 2}")} for i in range(4)}
    with rico_hdl.open(store_of(tmp_path / "store", patches)) as store:
        with pytest.raises(StoreError, match="band 'B' has uint16 pixels, expected uint8"):
            store.statistics()
        check(store.statistics(keys=["p0", "p2"]), {key: patches[key] for key in ("p0", "p2")})


def test_damaged_records_are_an_error(tmp_path):
    """A record that is none is named, with a hint; nothing is counted instead of it."""
    records = {key: save(bands) for key, bands in s2_patches(12).items()}
    records["S2A_patch_007"] = b"\xff" * len(records["S2A_patch_007"])
    with (
        rico_hdl.open(write(tmp_path / "store", records)) as store,
        pytest.raises(StoreError, match=r"S2A_patch_007.*can't be read(?s:.*)rico-hdl verify"),
    ):
        store.statistics("s2")


def test_closed_and_empty_stores_are_errors(tmp_path):
    """Neither has statistics."""
    store = rico_hdl.open(store_of(tmp_path / "store", s2_patches(2)))
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.statistics("s2")
    with (
        rico_hdl.open(store_of(tmp_path / "empty", {})) as empty,
        pytest.raises(UsageError, match="no records"),
    ):
        empty.statistics()


def test_several_shards_are_counted_as_one_store(tmp_path):
    """Statistics know the protocol only, so records may be in several files."""
    patches = s2_patches(20)
    folders = [
        store_of(
            tmp_path / str(i),
            {key: patch for n, (key, patch) in enumerate(patches.items()) if n % 2 == i},
        )
        for i in range(2)
    ]
    store = rico_hdl.open(folders[0])
    store.records = Joined(*map(MappedRecords, folders))
    with store:
        check(store.statistics("s2"), patches)


def test_progress_counts_all_records_and_bytes(tmp_path):
    """An observer is told of every record once, in the calling thread, and of all bytes."""

    class Counts(Observer):
        n_total = n_records = n_bytes = 0

        def on_start(self, n_records):
            self.n_total += n_records

        def on_records(self, n_records, n_bytes):
            assert threading.current_thread() is threading.main_thread()
            self.n_records += n_records
            self.n_bytes += n_bytes

    patches = s2_patches(40)
    counts = Counts()
    with rico_hdl.open(store_of(tmp_path / "store", patches)) as store:
        store.statistics("s2", observer=counts)
    n_bytes = sum(band.nbytes for patch in patches.values() for band in patch.values())
    assert (counts.n_total, counts.n_records, counts.n_bytes) == (40, 40, n_bytes)


def test_an_interruption_ends_it(tmp_path):
    """An exception in the observer, as of Ctrl-C, ends the count without waiting for the rest."""

    class Impatient(Observer):
        def on_records(self, *_):
            raise InterruptedRunError("enough")

    with rico_hdl.open(store_of(tmp_path / "store", s2_patches(40))) as store:
        with pytest.raises(InterruptedRunError):
            store.statistics("s2", observer=Impatient())
        assert not [one for one in threading.enumerate() if "rico-hdl-stats" in one.name]


def test_threads_do_not_lose_counts():
    """Counters that many threads add at the same time are all in the result."""
    values = np.arange(60_000, dtype=np.uint16)
    counts = counting.BandCounts(["B"], None)

    def add():
        for _ in range(40):
            counter = BandCounter("uint16")
            counter.count([values[None]])
            counts.add({"B": counter}, "here")

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=add) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    (found,) = counts.finish().values()
    assert found.n_pixels == found.n_valid == 8 * 40 * 60_000
    assert found.counts.tolist() == [320] * 60_000


@pytest.mark.parametrize("side", SIDES)
def test_patches_that_are_replaced_meanwhile_are_counted_whole(tmp_path, side):
    """While another process replaces patches, each is counted once, in one of its versions."""
    begin(tmp_path / "store", SIDES[side])
    numbers = {key_of(number): number for number in range(N)}
    first = {key: {"B1": patch(number, 0, SIDES[side])["B1"]} for key, number in numbers.items()}
    with (
        writer("replace", tmp_path / "store", SIDES[side]),
        rico_hdl.open(tmp_path / "store") as store,
    ):
        keys = store.keys()
        for _ in range(2):
            found = store.statistics(keys=keys, n_workers=2).select(["B1"])
            check(found, first)  # the first band is the same in all versions


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_threads_share_the_histograms(tmp_path):
    """Bands take the memory of one histogram each, with any number of threads."""
    random = np.random.default_rng(0)
    patches = {
        f"p{i:02}": {
            f"B{band:03}": random.integers(-(2**15), 2**15, (64, 64)).astype(np.int16)
            for band in range(224)
        }
        for i in range(24)
    }
    store_of(tmp_path / "store", patches)
    code = """
import rico_hdl
from rico_hdl.reading import open
before = peak()
with open(sys.argv[1]) as store:
    store.statistics(n_workers=16)
print(peak() - before)
"""
    histograms = 224 * 2**16 * 8
    allowed = histograms + 16 * 8 * 2**20 + 24 * 224 * 64 * 64 * 2 + 40 * 2**20
    assert int(measured(code, tmp_path / "store")) * 1024 < allowed < 16 * histograms / 4
