"""Batches: their pixels, order, memory and threads."""

from __future__ import annotations

import gc
import threading
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rico_hdl
from rico_hdl.errors import SizeError, UnknownBandError, UnknownKeyError, UsageError
from rico_hdl.reading import array_plan
from tests.support.reading import same_bits
from tests.support.stores import S2_SIDES, numbered, s2_patch, s2_patches, stacked, store_of

N = 23
KEYS = [f"S2A_patch_{i:03}" for i in range(N)]
SIX = ["B05", "B06", "B07", "B8A", "B11", "B12"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of 23 BigEarthNet patches, open."""
    folder = store_of(tmp_path_factory.mktemp("batches") / "s2", s2_patches(N))
    with rico_hdl.open(folder) as store:
        yield store


def threads():
    """The live threads of batches."""
    return [t for t in threading.enumerate() if t.name.startswith("rico-hdl batches")]


band_lists = st.lists(st.sampled_from(list(S2_SIDES)), min_size=1, max_size=6)
key_lists = st.lists(st.sampled_from(KEYS), min_size=1, max_size=9)
sizes = st.sampled_from([None, 120, 60, (60, 120), 33, (7, 240)])


@given(
    keys=key_lists,
    bands=band_lists,
    size=sizes,
    resampling=st.sampled_from(["nearest", "bilinear", "bicubic"]),
    dtype=st.sampled_from([None, "float32", "float64", "int32", "int64"]),
    located=st.booleans(),
)
@settings(max_examples=150)
def test_batch_equals_stacked_patches(store, *, keys, bands, size, resampling, dtype, located):
    """A batch equals its patches read one by one, whatever the keys and options."""
    options = {"bands": bands, "size": size, "resampling": resampling, "dtype": dtype}
    wanted = store.locate(keys) if located else keys
    try:
        single = [store.read(key, **options) for key in keys]
    except SizeError:
        assert len({S2_SIDES[name] for name in bands}) > 1
        with pytest.raises(SizeError):
            store.read_batch(wanted, **options)
        return
    batch = store.read_batch(wanted, **options)
    assert same_bits(batch, np.stack(single))
    out = np.full_like(batch, 77)
    assert store.read_batch(wanted, **options, out=out) is out
    assert same_bits(out, batch)
    # Memory that is not contiguous is filled, too.
    wide = np.full((2, *batch.shape[1:], 3, len(keys)), 77, batch.dtype)
    view = np.moveaxis(wide, -1, 1)[0][..., 1]
    assert not view.flags.c_contiguous or view.size == 1
    store.read_batch(wanted, **options, out=view)
    assert same_bits(np.ascontiguousarray(view), batch)
    assert (wide[1] == 77).all()


@pytest.mark.parametrize("block_bytes", [400_000, 2_000_000, 10**9])
@pytest.mark.parametrize(
    "options",
    [
        {"bands": "rgb"},
        {"bands": ["B12", "B02", "B8A"], "size": (120, 60), "dtype": "float32"},
        {"bands": "all", "size": 61, "resampling": "bicubic"},
        {"grouped": True},
    ],
    ids=str,
)
def test_blocks_of_any_length_read_the_same(store, monkeypatch, block_bytes, options):
    """The number of records that are resampled at a time changes no pixel."""
    monkeypatch.setattr(array_plan, "_BLOCK_BYTES", block_bytes)
    wanted = KEYS[::-1] + KEYS[5:9]
    with rico_hdl.open(store.path) as other:
        reader = other.reader(**options)
        for _ in range(2):  # the second batch uses what the first one looked up
            images = reader.read_batch(wanted).images
            single = [reader.read(key) for key in wanted]
            if isinstance(images, dict):
                for name, array in images.items():
                    assert same_bits(array, np.stack([image[name] for image in single]))
            else:
                assert same_bits(images, np.stack(single))


@given(keys=key_lists, bands=band_lists, dtype=st.sampled_from([None, "float32"]))
@settings(max_examples=60)
def test_groups_hold_each_resolution_as_it_is(store, keys, bands, dtype):
    """Grouped by resolution, each array holds its bands in the requested order."""
    found = store.read_batch(keys, bands=bands, grouped=True, dtype=dtype)
    expected = {}
    for side in dict.fromkeys(S2_SIDES[name] for name in bands):
        names = [name for name in bands if S2_SIDES[name] == side]
        array = np.stack([stacked(s2_patch(KEYS.index(key)), names) for key in keys])
        expected[f"{side}x{side}"] = array if dtype is None else array.astype(dtype)
    assert list(found) == list(expected)
    assert all(same_bits(found[name], expected[name]) for name in expected)


def test_reader_describes_its_arrays(store):
    """A reader describes shape, dtype and bands in advance, and allocates memory that fits."""
    reader = store.reader(bands="20m+rgb", size=(60, 30), dtype="float32")
    spec = reader.describe(KEYS[0])
    assert spec == ((9, 60, 30), np.dtype("float32"), (*SIX, "B04", "B03", "B02"))
    out = reader.empty(KEYS[0], 4)
    batch = reader.read_batch(KEYS[:4], out)
    assert batch.images is out
    assert tuple(batch.keys) == tuple(KEYS[:4])
    assert reader.fits(KEYS[0], out)
    assert not reader.fits(KEYS[0], out.astype("float64"))
    assert not reader.fits(KEYS[0], {"": out})
    grouped = store.reader(bands="10m+20m", grouped=True)
    specs = grouped.describe(KEYS[0])
    assert {name: spec.shape for name, spec in specs.items()} == {
        "120x120": (4, 120, 120),
        "60x60": (6, 60, 60),
    }
    out = grouped.empty(KEYS[0], 2)
    assert grouped.fits(KEYS[0], out)
    assert not grouped.fits(KEYS[0], {"120x120": out["120x120"]})
    assert grouped.read_batch(KEYS[:2], out).images["60x60"] is out["60x60"]
    image = grouped.read(KEYS[1])
    assert all(same_bits(image[name], out[name][1]) for name in specs)
    single = {name: np.empty_like(array) for name, array in image.items()}
    assert grouped.read(KEYS[1], single) is single
    assert same_bits(single["60x60"], image["60x60"])


@pytest.mark.parametrize(
    "out",
    [
        np.empty((2, 3, 120, 121), np.uint16),
        np.empty((3, 3, 120, 120), np.uint16),
        np.empty((3, 120, 120), np.uint16),
        np.empty((2, 3, 120, 120), np.int16),
        {"": np.empty((2, 3, 120, 120), np.uint16)},
        {"120x120": np.empty((2, 3, 120, 120), np.uint16)},
        [[1]],
    ],
)
def test_memory_that_does_not_fit_is_refused(store, out):
    """An array of the wrong shape, dtype or kind is an error that states the expected one."""
    before = out.tobytes() if isinstance(out, np.ndarray) else None
    with pytest.raises(UsageError, match=r"expected an? (writeable|array|dictionary)") as caught:
        store.reader(bands="rgb").read_batch(KEYS[:2], out)
    assert "PatchReader.empty" in caught.value.hint
    assert before is None or out.tobytes() == before


def test_read_only_memory_is_refused(store):
    """A read-only array is an error."""
    out = np.empty((1, 3, 120, 120), np.uint16)
    out.flags.writeable = False
    with pytest.raises(UsageError, match="expected a writeable array"):
        store.read_batch(KEYS[:1], bands="rgb", out=out)


def test_array_given_decides_the_dtype(store):
    """Without a dtype, reads of one or several patches use that of the array to fill."""
    out = np.empty((1, 3, 120, 120), np.float32)
    store.read_batch(KEYS[:1], bands="rgb", out=out)
    image = np.empty((3, 120, 120), np.float64)
    store.read(KEYS[0], bands="rgb", out=image)
    assert (out[0] == image).all()
    assert same_bits(out[0], store.read(KEYS[0], bands="rgb", dtype="float32"))


def test_no_keys_and_one_key_are_refused(store):
    """An empty list of keys and a single string are errors, not empty batches."""
    with pytest.raises(UsageError, match="no keys"):
        store.read_batch([], bands="rgb")
    with pytest.raises(UsageError, match="is one key"):
        store.read_batch(KEYS[0], bands="rgb")


def test_batches_that_no_memory_holds_are_refused(store):
    """A batch that exceeds the memory is an error that states the size of a patch."""
    reader = store.reader(bands="all", size=60000, dtype="float64")
    with pytest.raises(UsageError, match=r"patches of 345600000000 bytes") as caught:
        reader.empty(KEYS[0], 10**6)
    assert "fewer" in caught.value.hint


def test_unknown_key_leaves_memory_untouched(store):
    """A batch with a missing key raises before anything is written."""
    out = np.full((2, 3, 120, 120), 9, np.uint16)
    with pytest.raises(UnknownKeyError):
        store.read_batch([KEYS[0], "x"], bands="rgb", out=out)
    assert (out == 9).all()


def test_batches_of_two_modalities_are_refused(tmp_path):
    """A batch of two modalities is an error that names a key of each."""
    patches = {"a": {"VV": numbered(0, 0, (5, 5))}, "b": {"VH": numbered(0, 1, (5, 6))}}
    with rico_hdl.open(store_of(tmp_path, patches)) as store:
        with pytest.raises(SizeError, match="'a' and 'b' don't fit into one batch"):
            store.read_batch(["a", "b"])
        with pytest.raises(SizeError, match="VV uint16 5x5 and VH uint16 5x6"):
            store.read_batch(["a", "b"], grouped="band")
        with pytest.raises(UnknownBandError, match="'b' has no band 'VV'"):
            store.read_batch(["a", "b"], bands="VV")


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("prefetch", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 4, 23, 100])
def test_batches_are_all_patches_in_order(store, batch_size, prefetch, n_threads):
    """Batches hold each patch once, in store order, for any number of threads."""
    options = {"prefetch": prefetch, "n_threads": n_threads, "bands": "rgb"}
    batches = store.batches(batch_size=batch_size, **options)
    assert len(batches) == -(-N // batch_size)
    keys = []
    for batch in batches:
        assert same_bits(batch.images, store.read_batch(batch.keys, bands="rgb"))
        keys += batch.keys
    assert keys == KEYS
    assert not threads()
    full = store.batches(batch_size=batch_size, drop_last=True, **options)
    assert len(full) == N // batch_size
    assert [len(batch.keys) for batch in full] == [batch_size] * (N // batch_size)


def test_order_follows_from_the_seed_alone(store):
    """The order of shuffled batches depends on the seed alone."""

    def order(**options):
        batches = store.batches(batch_size=4, shuffle=True, bands="B01", **options)
        return [key for batch in batches for key in batch.keys]

    first = order(seed=3)
    assert sorted(first) == KEYS
    assert first == order(seed=3, n_threads=7, prefetch=4)
    assert first == order(seed=3, keys=KEYS)
    assert first == order(seed=3, keys=store.locate(KEYS))
    assert len({tuple(order(seed=seed)) for seed in range(5)} | {tuple(KEYS)}) == 6
    # numpy promises that RandomState's numbers never change, so every version has this order.
    assert first == [KEYS[i] for i in np.random.RandomState(3).permutation(N)]


@pytest.mark.parametrize("prefetch", [1, 2, 4])
@pytest.mark.parametrize("grouped", [False, True])
def test_batch_is_valid_until_prefetch_more_are_requested(store, prefetch, grouped):
    """A batch keeps its pixels until `prefetch` more batches are requested."""
    held = []
    options = {"bands": "20m+B01" if grouped else "20m", "grouped": grouped}
    for batch in store.batches(batch_size=2, prefetch=prefetch, n_threads=4, **options):
        held = [*held, batch][-prefetch:]
        for one in held:
            expected = store.read_batch(one.keys, **options)
            if grouped:
                assert all(same_bits(one.images[name], expected[name]) for name in expected)
            else:
                assert same_bits(one.images, expected)


def test_memory_is_used_again(store):
    """Batches reuse a few buffers; with `copy`, each has its own and keeps its pixels."""

    def starts(**options):
        batches = list(islice(store.batches(KEYS * 8, batch_size=4, bands="rgb", **options), 40))
        return {batch.images.__array_interface__["data"][0] for batch in batches}, batches

    assert len(starts(prefetch=2)[0]) <= 4
    addresses, batches = starts(copy=True)
    assert len(addresses) == 40
    for batch in batches:
        assert same_bits(batch.images, store.read_batch(batch.keys, bands="rgb"))


@pytest.mark.parametrize("end", ["break", "close", "with", "raise", "collected"])
def test_threads_end_with_their_batches(store, end):
    """However a loop over batches ends, its threads end, and the last batch stays valid."""
    assert not threads()
    batches = store.batches(KEYS * 20, batch_size=2, bands="rgb", n_threads=3, prefetch=3)
    batch = next(batches)
    assert len(threads()) == 3
    if end == "break":
        for batch in batches:  # noqa: B007 - the last one is looked at
            break
        del batches
    elif end == "close":
        batches.close()
        batches.close()
        assert list(batches) == []
    elif end == "with":
        with batches:
            next(batches)
    elif end == "raise":

        def fail(batches):
            for _ in batches:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail(batches)
        del batches
    else:
        circle = [batches]
        circle.append(circle)
        del batches, circle
    gc.collect()
    assert not threads()
    assert same_bits(batch.images, store.read_batch(batch.keys, bands="rgb"))


def test_error_comes_where_its_batch_is(store):
    """A missing key raises at its batch, after the batches before it."""
    wanted = [*KEYS[:6], "nothing", *KEYS[6:]]
    batches = store.batches(wanted, batch_size=2, bands="rgb", n_threads=3, prefetch=4)
    assert [next(batches).keys for _ in range(3)] == [tuple(KEYS[i : i + 2]) for i in (0, 2, 4)]
    with pytest.raises(UnknownKeyError, match="nothing"):
        next(batches)
    assert not threads()
    assert list(batches) == []


def test_options_that_make_no_sense_are_refused_at_once(store):
    """Invalid options of batches raise before a thread starts."""
    for options in ({"batch_size": 0}, {"batch_size": 2, "prefetch": 0}):
        with pytest.raises(UsageError, match="Give at least 1"):
            store.batches(**options)
    with pytest.raises(UsageError, match="names no bands"):
        store.batches(batch_size=2, bands=[])
    assert not threads()


def test_several_batches_at_once(tmp_path, store):
    """Several loops over batches, of one store or two, can run side by side."""
    other_patches = {f"x{i}": {"VV": numbered(i, 0, (9, 9), "float32")} for i in range(9)}
    with rico_hdl.open(store_of(tmp_path, other_patches)) as other:
        runs = zip(
            store.batches(batch_size=3, bands="B02"),
            other.batches(batch_size=3),
            store.batches(batch_size=3, bands="B03", shuffle=True),
            strict=False,
        )
        n = 0
        for first, second, third in runs:
            n += 1
            assert same_bits(first.images[2, 0], s2_patch(int(first.keys[2][-3:]))["B02"])
            assert same_bits(second.images[1, 0], other_patches[second.keys[1]]["VV"])
            assert same_bits(third.images[0, 0], s2_patch(int(third.keys[0][-3:]))["B03"])
    assert n == 3


def test_closing_a_store_ends_its_batches(tmp_path):
    """Closing a store ends its batches with an error, not a crash."""
    store = rico_hdl.open(store_of(tmp_path, s2_patches(5)))
    keys = list(store) * 200
    batches = store.batches(keys, batch_size=2, bands="rgb", prefetch=1)
    first = next(batches)
    store.close()
    with pytest.raises(rico_hdl.StoreError, match="is closed"):
        for _ in batches:
            pass
    assert same_bits(first.images[0, 0], s2_patch(0)["B04"])
    assert not threads()
