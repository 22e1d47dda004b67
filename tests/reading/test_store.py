"""A store as a mapping: its contents, its arrays and its errors."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path

import lmdb
import numpy as np
import pytest
from safetensors.numpy import load, save

import corpus
import rico_hdl
from rico_hdl.datasets import registry
from rico_hdl.errors import (
    SizeError,
    StoreError,
    UnknownBandError,
    UnknownKeyError,
    UsageError,
)
from tests.support.reading import arrays, same_bits
from tests.support.stores import (
    S2_SIDES,
    converted,
    numbered,
    s2_patch,
    s2_patches,
    store_of,
    write,
)

KEY = "S2A_patch_000"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store of ten BigEarthNet patches, as the original rico-hdl writes it."""
    return store_of(tmp_path_factory.mktemp("store") / "s2", s2_patches(10))


@pytest.fixture
def store(folder):
    """The store of ten BigEarthNet patches, open."""
    with rico_hdl.open(folder) as store:
        yield store


def original(folder):
    """Remove manifest and journal, as if the original rico-hdl had written the store."""
    for name in ("rico-hdl.json", "rico-hdl.journal"):
        (folder / name).unlink()
    return folder


def test_every_dataset_is_read_bit_for_bit(typical_spec, tmp_path):
    """Every patch of every dataset equals what safetensors reads, with bands in published order."""
    folder = converted(typical_spec.name, tmp_path, 4)
    expected = arrays(folder)
    with rico_hdl.open(folder) as store:
        assert list(store) == list(store.keys()) == sorted(expected)
        assert len(store) == len(expected)
        for key, bands in expected.items():
            patch = store[key]
            assert patch.keys() == bands.keys()
            assert all(same_bits(patch[name], bands[name]) for name in bands)


@pytest.mark.parametrize("is_original", [False, True], ids=["ours", "original"])
def test_store_knows_its_dataset(spec, tmp_path, is_original):
    """Dataset, modalities, bands, presets and keys are known, with and without a manifest.

    Without one, they are for the datasets that the original rico-hdl converts.
    """
    if is_original and not spec.is_original:
        pytest.skip("the original writes no store of this dataset")
    folder = converted(spec.name, tmp_path, 4)
    if is_original:
        original(folder)
    with rico_hdl.open(folder) as store:
        assert store.dataset == spec.name
        assert store.modalities == tuple(modality.name for modality in spec.modalities)
        found = []
        for modality in spec.modalities:
            assert store.bands(modality.name) == modality.band_names
            presets = {preset.name: preset.bands for preset in modality.presets}
            assert store.presets(modality.name) == {**presets, "all": modality.band_names}
            keys = store.keys(modality.name)
            assert {tuple(store[key]) for key in keys} == {modality.band_names}
            found += keys
        assert sorted(found) == list(store)


def test_manifest_that_is_out_of_date_is_not_trusted(tmp_path):
    """If the manifest does not count all records, the records are examined instead."""
    spec = registry()["bigearthnet"]
    sources = corpus.generate(spec, tmp_path / "source", 4)
    rico_hdl.convert("bigearthnet", {"s2": sources["s2"]}, tmp_path / "store")
    kept = (tmp_path / "store" / "rico-hdl.json").read_bytes()
    rico_hdl.convert("bigearthnet", {"s1": sources["s1"]}, tmp_path / "store")
    (tmp_path / "store" / "rico-hdl.json").write_bytes(kept)
    with rico_hdl.open(tmp_path / "store") as store:
        assert store.modalities == ("s1", "s2")
        assert len(store.keys("s1")) == len(store.keys("s2")) == 4


def test_store_of_no_known_dataset(tmp_path):
    """Records of an unknown dataset can be read, with bands in natural order."""
    bands = {name: numbered(0, i, (3, 4)) for i, name in enumerate(["B10", "B2", "x"])}
    other = {"y": numbered(1, 9, (2, 2), "float64")}
    with rico_hdl.open(store_of(tmp_path, {"a": bands, "b": other, "c": bands})) as store:
        assert store.dataset is None
        assert sorted(store.modalities) == ["unknown", "unknown-1"]
        assert {store.bands(name) for name in store.modalities} == {("B2", "B10", "x"), ("y",)}
        assert list(store["a"]) == ["B2", "B10", "x"]
        assert same_bits(store.read("c"), np.stack([bands["B2"], bands["B10"], bands["x"]]))
        assert sorted(list(store.keys(name)) for name in store.modalities) == [["a", "c"], ["b"]]


def test_empty_store(tmp_path):
    """A store without records is empty, and its errors say so."""
    with rico_hdl.open(write(tmp_path, {})) as store:
        assert len(store) == 0
        assert list(store) == list(store.keys()) == list(store.batches(batch_size=3)) == []
        assert store.modalities == ()
        with pytest.raises(UsageError, match="no records"):
            store.bands()
        with pytest.raises(UnknownKeyError, match="is empty"):
            store["a"]


def test_same_bands_at_other_sizes_are_another_dataset(tmp_path):
    """Among datasets with the same bands, a store matches the one with its sizes."""
    hydro = {name: numbered(0, i, (256, 256)) for i, name in enumerate(S2_SIDES)}
    assert rico_hdl.open(store_of(tmp_path / "a", {"patch_0": hydro})).dataset == "hydro"
    assert rico_hdl.open(store_of(tmp_path / "b", {KEY: s2_patch(0)})).dataset == "bigearthnet"


def test_store_is_a_mapping(store):
    """A store behaves like a read-only dictionary, but compares by identity."""
    assert isinstance(store, Mapping)
    assert KEY in store
    assert "nothing" not in store
    assert 5 not in store
    assert "\ud800" not in store
    assert store.get("nothing") is None
    assert [key for key, _ in store.items()] == list(store)
    assert len(list(store.values())) == 10
    assert store == store  # noqa: PLR0124 - the operator is what is tested
    assert store != rico_hdl.open(store.path)
    assert len({store, store}) == 1
    assert repr(store) == f"<rico_hdl.Store {str(store.path)!r}>"


def test_keys_are_a_sequence_and_a_set(store):
    """Keys support indexing, slicing, lists of positions and set operations."""
    keys = store.keys()
    names = [f"S2A_patch_{i:03}" for i in range(10)]
    assert list(keys) == names
    assert list(reversed(keys)) == names[::-1]
    assert (keys[0], keys[-1], keys[np.int64(3)]) == (names[0], names[-1], names[3])
    assert list(keys[2:8:3]) == names[2:8:3]
    assert list(keys[[5, 1, 1]]) == [names[5], names[1], names[1]]
    assert list(keys[np.array([], float)]) == list(keys[[]]) == []
    assert keys & {names[4], "other"} == {names[4]}
    assert keys - set(names[1:]) == {names[0]}
    assert keys.index(names[7]) == 7
    assert all(name in some for some in (keys, keys[::-1], keys[[3, 9, 0]]) for name in some)
    assert names[4] not in keys[[3, 9, 0]]
    assert 4 not in keys
    with pytest.raises(IndexError):
        keys[10]
    some = pickle.loads(pickle.dumps(keys[[7, 2]]))
    assert list(some) == [names[7], names[2]]
    assert len(pickle.dumps(keys[:1])) < len(pickle.dumps(keys)) - 9 * len(KEY)
    assert "3 keys" in repr(keys[:3])


@pytest.mark.parametrize("wanted", ["located", "pickled", "stale", "chosen"])
def test_keys_with_places_read_the_same(folder, tmp_path, wanted):
    """Located keys return the same patches, even after the file was replaced."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    with rico_hdl.open(copy) as store:
        names = [f"S2A_patch_{i:03}" for i in (3, 1, 3)]
        keys = store.locate(names)
        if wanted == "pickled":
            keys = pickle.loads(pickle.dumps(keys))
        elif wanted == "chosen":
            keys = store.keys()[[3, 1, 3]]
        elif wanted == "stale":
            store.close()
            patches = {"A_first": s2_patch(99), **s2_patches(10)}
            shutil.rmtree(copy)
            store = rico_hdl.open(store_of(copy, patches))  # noqa: PLW2901 - the same folder
            assert store.keys().fingerprint != keys.fingerprint
        assert list(keys) == names
        batch = store.reader(bands="rgb").read_batch(keys)
        assert tuple(batch.keys) == tuple(names)
        assert isinstance(batch.keys, rico_hdl.Keys)
        assert same_bits(batch.images, np.stack([store.read(key, bands="rgb") for key in names]))


def test_single_bands_and_lists_and_presets(store):
    """Bands can be given by name, list, preset or alias, or several joined with "+"."""
    patch = s2_patch(4)
    key = "S2A_patch_004"
    cases = {
        "B04": ["B04"],
        "rgb": ["B04", "B03", "B02"],
        "10m": ["B02", "B03", "B04", "B08"],
        "20m": ["B05", "B06", "B07", "B8A", "B11", "B12"],
        "rgb+B08": ["B04", "B03", "B02", "B08"],
        "B08A": ["B8A"],
    }
    for wanted, names in cases.items():
        expected = np.stack([patch[name] for name in names])
        assert same_bits(store.read(key, bands=wanted), expected)
        assert same_bits(store.read(key, bands=wanted.split("+")), expected)
        assert same_bits(store.read(key, bands=tuple(names)), expected)
    everything = store.read(key, bands="all", size=120)
    assert same_bits(everything, store.read(key, size=(120, 120)))
    assert same_bits(everything[8], store.read(key, bands="B8A", size=120)[0])


def test_both_names_find_eurosats_narrow_infrared_band(tmp_path):
    """B8A and B08A both select the same EuroSAT band, whatever its name in the file."""
    folder = converted("eurosat-multi-spectral", tmp_path, 4)
    for path in (folder, original(folder)):
        with rico_hdl.open(path) as store:
            key = store.keys()[0]
            band = store.read(key, bands=["B08A"])
            assert same_bits(band, store.read(key, bands="B8A"))
            assert same_bits(band[0], store[key]["B08A"])
            assert "B8A" not in store[key]


def test_hyspecnet_has_its_usable_bands(tmp_path):
    """HySpecNet's preset omits the 22 bands in which water vapour absorbs the light."""
    folder = converted("hyspecnet-11k", tmp_path, 4)
    with rico_hdl.open(folder) as store:
        key = store.keys()[0]
        usable = store.read(key, bands="usable")
        patch = store[key]
        kept = [i for i in range(1, 225) if not (127 <= i <= 141 or 161 <= i <= 167)]
        assert same_bits(usable, np.stack([patch[f"B{i}"] for i in kept]))
        assert usable.shape == (202, 128, 128)


def test_arrays_are_copies_of_their_own(folder):
    """Arrays can be modified, don't affect the store, and outlive it."""
    before = (folder / "data.mdb").read_bytes()
    store = rico_hdl.open(folder)
    patch, image = store[KEY], store.read(KEY, bands="rgb")
    batch = store.read_batch([KEY], bands="rgb")
    store.close()
    del store
    assert same_bits(image, batch[0])
    for array in (*patch.values(), image, batch):
        assert array.flags.writeable
        array[...] = 1
    assert {int(pixel) for array in patch.values() for pixel in array.flat} == {1}
    assert (folder / "data.mdb").read_bytes() == before


def test_records_of_odd_layouts(tmp_path):
    """Any shape, dtype, order and metadata that safetensors can store is read correctly."""
    rng = np.random.default_rng(0)
    shapes = [(), (0,), (3, 0), (5,), (2, 3), (2, 3, 4), (1, 1, 1, 1)]
    dtypes = ["bool", "uint8", "int8", "int16", "uint16", "float16", "int32", "uint32", "float32"]
    dtypes += ["float64", "int64", "uint64"]
    patch = {
        f"{dtype} {i}": np.asarray(rng.integers(0, 2, shape)).astype(dtype)
        for dtype in dtypes
        for i, shape in enumerate(shapes)
    }
    records = {
        "all": save(patch),
        "none": save({}),
        "noted": save({"B1": np.ones((2, 2), np.uint8)}, metadata={"a": "b"}),
        "unnamed": save({"": np.ones((2, 2), np.uint8), "0": np.zeros((2, 3), np.uint8)}),
    }
    with rico_hdl.open(write(tmp_path, records)) as store:
        for key, record in records.items():
            expected, found = load(record), store[key]
            assert found.keys() == expected.keys()
            assert all(same_bits(found[name], expected[name]) for name in expected)
        for name, band in patch.items():
            if band.ndim == 2 and band.size:
                assert same_bits(store.read("all", bands=[name])[0], band)
        with pytest.raises(UsageError, match=r"'all': band uint8 5 has shape \(2, 3, 4\)"):
            store.read("all", bands=["uint8 5"])
        with pytest.raises(UsageError, match="shape"):
            store.read("all", bands=["uint8 2"])


@pytest.mark.parametrize("padding", [0, 1, 2, 3])
def test_misaligned_buffers_are_read(tmp_path, padding):
    """Bands that other tools wrote at unaligned offsets are returned as aligned arrays."""
    b, c = floats = np.arange(2 * 61 * 61, dtype="<f4").reshape(2, 61, 61)
    header = {
        "a": {"dtype": "U8", "shape": [1, 3], "data_offsets": [0, 3]},
        "b": {"dtype": "F32", "shape": [61, 61], "data_offsets": [3, 3 + b.nbytes]},
        "c": {"dtype": "F32", "shape": [61, 61], "data_offsets": [3 + b.nbytes, 3 + floats.nbytes]},
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4 + padding)
    record = len(text).to_bytes(8, "little") + text + b"\1\2\3" + floats.tobytes()
    with rico_hdl.open(write(tmp_path, {"odd": record, "other": record})) as store:
        assert same_bits(store["odd"]["b"], b)
        assert same_bits(store.read("odd", bands=["c", "b"]), floats[::-1])
        assert same_bits(store.read("odd", bands="c", size=122)[0], c.repeat(2, 0).repeat(2, 1))
        for _ in range(2):  # the second batch uses what the first one looked up
            found = store.read_batch(["odd", "other"], bands=["b", "c"], grouped="band")
            for images, wanted in zip(found.values(), floats, strict=True):
                assert images.flags.aligned
                assert same_bits(np.ascontiguousarray(images[1]), wanted)


def test_unknown_key_suggests_similar_keys(store):
    """A missing key is a KeyError that suggests similar keys."""
    with pytest.raises(UnknownKeyError) as caught:
        store["S2A_patch_0000"]
    assert isinstance(caught.value, KeyError)
    assert str(caught.value).splitlines() == [
        f"{store.path} has no patch 'S2A_patch_0000'",
        "Similar: 'S2A_patch_000', 'S2A_patch_009', 'S2A_patch_008'.",
    ]
    for odd in (b"S2A_patch_000", 3, None, "\udcff"):
        with pytest.raises(UnknownKeyError):
            store[odd]
    with pytest.raises(UnknownKeyError, match="'nothing'"):
        store.read_batch([KEY, "nothing"], bands="rgb")


@pytest.mark.parametrize(
    ("bands", "hint"),
    [
        ("B99", "Did you mean B09?"),
        (["B02", "RGB"], "Did you mean rgb?"),
        ("b04", "Did you mean B04?"),
        ("10m+30m", "Presets: rgb, 10m, 20m, 60m, all."),
        ("VH", "It has B01, B02, B03, B04, B05, B06, B07, B08, B8A, B09, B11, B12."),
    ],
)
def test_unknown_band_lists_the_bands(store, bands, hint):
    """A missing band is an error with the patch, its bands and the closest name."""
    with pytest.raises(UnknownBandError, match="'S2A_patch_003' has no band") as caught:
        store.read("S2A_patch_003", bands=bands)
    assert hint in str(caught.value)


def test_many_bands_are_not_all_listed(tmp_path):
    """An error about a hyperspectral patch does not list all its bands."""
    patch = {f"B{i}": np.zeros((2, 2), np.int16) for i in range(1, 225)}
    with (
        rico_hdl.open(store_of(tmp_path, {"a": patch})) as store,
        pytest.raises(UnknownBandError) as caught,
    ):
        store.read("a", bands="B0")
    assert "It has B1, B2, … B224, 224 in all." in str(caught.value)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"bands": []}, "names no bands"),
        ({"bands": ""}, "names no bands"),
        ({"bands": "rgb+"}, "names no bands"),
        ({"bands": [3]}, "names no bands"),
        ({"bands": "rgb", "size": 0}, "size=0"),
        ({"bands": "rgb", "size": (3, 4, 5)}, r"size=\(3, 4, 5\)"),
        ({"bands": "rgb", "size": 12.5}, "size=12.5"),
        ({"bands": "rgb", "resampling": "cubic"}, "Known: nearest, bilinear, bicubic"),
        ({"bands": "rgb", "dtype": "float33"}, "Give an integer or floating-point dtype"),
        ({"bands": "rgb", "dtype": "complex64"}, "Give an integer or floating-point dtype"),
        ({"bands": "rgb", "dtype": ">f4"}, "Give an integer or floating-point dtype"),
        ({"bands": "rgb", "on_size": "stretch"}, "Known: error, skip, pad"),
        ({"size": 120, "grouped": True}, "Give only one of the two"),
    ],
)
def test_options_that_make_no_sense_are_refused(store, options, what):
    """An invalid option is an error that states the allowed values."""
    with pytest.raises(UsageError, match=what):
        store.read_batch([KEY], **options)


def test_bands_of_different_size_need_a_size(store):
    """Bands of different resolutions are an error that names them and suggests options."""
    with pytest.raises(SizeError, match="B04 is 120x120, B05 is 60x60") as caught:
        store.read(KEY, bands=["B04", "B05"])
    assert "size=(120, 120)" in caught.value.hint
    assert "grouped=True" in caught.value.hint


def test_bands_of_different_dtype_need_a_dtype(tmp_path):
    """Bands of different dtypes are an error unless a dtype is given."""
    patch = {"a": np.full((2, 2), 7, np.uint8), "b": np.full((2, 2), 0.5, np.float32)}
    with rico_hdl.open(store_of(tmp_path, {"x": patch})) as store:
        with pytest.raises(UsageError, match="b is float32, a is uint8"):
            store.read("x")
        assert store.read("x", dtype=np.float64)[:, 0, 0].tolist() == [7, 0.5]
        with pytest.raises(UsageError, match="would lose"):
            store.read("x", bands="b", dtype="uint8")


def test_unknown_modality_lists_the_modalities(tmp_path):
    """An unknown modality is an error, and so is omitting it if the store has several."""
    folder = converted("bigearthnet", tmp_path, 4)
    with rico_hdl.open(folder) as store:
        for call in (store.bands, store.presets, store.keys):
            with pytest.raises(UsageError, match=r"It has: s1, s2, reference-maps\."):
                call("s3")
        with pytest.raises(UsageError, match="has 3 modalities, and none was named"):
            store.bands()


def test_opening_nothing_is_an_error_at_once(tmp_path):
    """Opening a folder without a store fails at once, not at the first read."""
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(StoreError, match=r"no data\.mdb|no such folder"):
            rico_hdl.open(path)


def test_relative_and_home_paths(folder, monkeypatch):
    """A path may be relative or begin with a tilde, and is resolved when the store is opened."""
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(folder.parent))
    stores = [rico_hdl.open(path) for path in ("s2", "~/s2", Path("s2"))]
    monkeypatch.chdir("/")
    assert [len(store) for store in stores] == [10, 10, 10]


def test_closed_store_says_so(folder):
    """Every use of a closed store is an error that names it; closing it again is harmless."""
    with rico_hdl.open(folder) as store:
        reader, keys = store.reader(bands="rgb"), store.keys()
        assert KEY in store
    assert store.closed
    uses = [
        lambda: store[KEY],
        lambda: len(store),
        lambda: list(store),
        lambda: KEY in store,
        store.keys,
        lambda: store.read(KEY, bands="rgb"),
        lambda: store.read_batch([KEY], bands="rgb"),
        lambda: reader.read(KEY),
        lambda: reader.read_batch(keys),
        lambda: next(store.batches([KEY], batch_size=1, bands="rgb")),
    ]
    for use in uses:
        with pytest.raises(StoreError, match="s2 is closed"):
            use()
    store.close()
    assert "(closed)" in repr(store)


def test_damaged_record_is_an_error_with_its_key(tmp_path):
    """A damaged record is an error with its key; other records stay readable."""
    records = {key: save(patch) for key, patch in s2_patches(3).items()}
    for damage in (b"", b"xyz", records[KEY][:500], records[KEY][:-1], b"\xff" * 5000):
        broken = {**records, "S2A_patch_001": damage}
        folder = write(tmp_path / f"{len(damage)}", broken)
        with rico_hdl.open(folder) as store:
            for use in (store.__getitem__, lambda key, s=store: s.read(key, bands="rgb")):
                with pytest.raises(
                    StoreError, match=r"'S2A_patch_001' can't be read: (not a|the) record"
                ):
                    use("S2A_patch_001")
            assert same_bits(store["S2A_patch_002"]["B01"], s2_patch(2)["B01"])
            assert store.dataset == "bigearthnet"


def test_records_added_later_are_found(folder, tmp_path):
    """An open store finds records that are committed later."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    with rico_hdl.open(copy) as store:
        assert "new" not in store
        assert same_bits(store[KEY]["B02"], s2_patch(0)["B02"])
        for number in range(20, 30):
            with lmdb.open(str(copy), map_size=2**26) as env, env.begin(write=True) as txn:
                txn.put(f"new_{number}".encode(), save(s2_patch(number)))
            key = f"new_{number}"
            assert len(store) == len(store.keys()) == len(list(store)) == number - 9
            assert same_bits(store[key]["B8A"], s2_patch(number)["B8A"])
            batch = store.read_batch([KEY, key], bands="20m")
            assert same_bits(
                batch[1], np.stack([s2_patch(number)[b] for b in store.presets()["20m"]])
            )


def test_store_can_be_opened_several_times_and_with_lmdb(folder):
    """A process can open a store several times, and with the lmdb library as well."""
    with lmdb.open(str(folder), readonly=True, lock=False) as env, env.begin() as txn:
        stores = [rico_hdl.open(folder) for _ in range(3)]
        for store in stores:
            assert same_bits(store[KEY]["B04"], load(txn.get(KEY.encode()))["B04"])
        stores[0].close()
        assert same_bits(stores[1][KEY]["B04"], stores[2][KEY]["B04"])
    assert rico_hdl.inspect(folder).n_records == 10
    for store in stores:
        store.close()


def test_links_lead_to_the_same_store(folder, tmp_path):
    """A symbolic link to a store or to its data.mdb can be opened as a store."""
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data.mdb").symlink_to(folder / "data.mdb")
    for path in (tmp_path / "link", tmp_path / "other"):
        with rico_hdl.open(path) as store:
            assert store.path == path
            assert same_bits(store[KEY]["B04"], s2_patch(0)["B04"])


@pytest.mark.parametrize(
    ("method", "arguments", "wrong"),
    [
        ("read", ("S2A_patch_000",), "band"),
        ("read", ("S2A_patch_000",), "on_size"),
        ("read_batch", (["S2A_patch_000"],), "n_threads"),
        ("reader", (), "out"),
    ],
)
def test_options_that_a_method_lacks_are_refused(store, method, arguments, wrong):
    """A misspelled or unsupported option is a TypeError that names the method and the option."""
    getattr(store, method)(*arguments, bands="rgb")
    with pytest.raises(TypeError, match=rf"Store\.{method}\(\) got .* argument '{wrong}'"):
        getattr(store, method)(*arguments, bands="rgb", **{wrong: "skip"})


@pytest.mark.parametrize(
    ("dataset", "n_classes"),
    [("eurosat-multi-spectral", 10), ("uc-merced", 21), ("resisc45", None)],
)
def test_classes_of_built_in_datasets(dataset, n_classes, tmp_path):
    """The class of each patch is its folder's name, as an index into the published classes."""
    spec = registry()[dataset]
    ((name, folder),) = corpus.generate(spec, tmp_path / "source", 12).items()
    rico_hdl.convert(spec, {name: folder}, tmp_path / "store")
    with rico_hdl.open(tmp_path / "store") as store:
        found = {key: store.classes[i] for key, i in zip(store, store.labels(store), strict=True)}
        files = {path.stem: path.parent.name for path in folder.rglob("*.*")}
        assert found == {key: files[key] for key in store}
        assert n_classes in {None, len(store.classes)}
