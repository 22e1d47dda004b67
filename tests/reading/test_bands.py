"""Batches grouped by band: their pixels, and the memory that they fill."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rico_hdl
from rico_hdl.errors import SizeError, UsageError
from rico_hdl.reading import BandMemory
from rico_hdl.reading.array_plan import ArrayPlan
from rico_hdl.reading.band_memory import BandArrays
from tests.support.reading import same_bits
from tests.support.stores import S2_SIDES, numbered, s2_patch, s2_patches, store_of

N = 9
KEYS = [f"S2A_patch_{i:03}" for i in range(N)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of nine BigEarthNet patches, open."""
    folder = store_of(tmp_path_factory.mktemp("bands") / "s2", s2_patches(N))
    with rico_hdl.open(folder) as store:
        yield store


def expected(keys, bands, dtype=None):
    """The arrays of a batch, computed from the patches that were written."""
    patches = [s2_patch(KEYS.index(key)) for key in keys]
    return {
        band: np.stack([patch[band].astype(dtype or "uint16") for patch in patches])
        for band in bands
    }


def equal(found, wanted):
    """Whether two dictionaries hold the same arrays, in the same order."""
    return list(found) == list(wanted) and all(
        found[name].shape == wanted[name].shape
        and same_bits(np.ascontiguousarray(found[name]), wanted[name])
        for name in wanted
    )


@given(
    keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=9),
    bands=st.lists(st.sampled_from(list(S2_SIDES)), min_size=1, max_size=6),
    dtype=st.sampled_from([None, "float32", "int64"]),
    own=st.booleans(),
)
@settings(max_examples=100)
def test_each_band_equals_its_original(store, keys, bands, dtype, own):
    """Each band equals its original for any keys, bands and dtype, in new or given memory."""
    reader = store.reader(bands=bands, grouped="band", dtype=dtype)
    wanted = expected(keys, dict.fromkeys(bands), dtype)
    for _ in range(2):  # the second batch uses what the first one looked up
        assert equal(reader.read_batch(keys).images, wanted)
    out = reader.empty(KEYS[0], len(keys))
    if own:
        out = {name: np.full_like(array, 7) for name, array in out.items()}
    assert reader.read_batch(keys, out).images is out
    assert equal(out, wanted)
    assert equal(reader.read(keys[0]), {name: array[0] for name, array in wanted.items()})


def test_all_bands_are_one_copy(store, monkeypatch):
    """The bands of a batch share one buffer, and one call copies all records into it."""
    reader = store.reader(grouped="band")
    reader.read_batch(KEYS)
    calls = []
    fill = BandMemory.fill

    def filled(self, data, starts, *arguments):
        calls.append(len(starts))
        return fill(self, data, starts, *arguments)

    monkeypatch.setattr(BandMemory, "fill", filled)
    monkeypatch.setattr(ArrayPlan, "fill_rows", None)
    images = reader.read_batch(KEYS[::-1]).images
    assert calls == [N]
    bases = {id(array.base) for array in images.values()}
    assert len(bases) == 1
    assert all(array[0].flags.c_contiguous for array in images.values())
    assert equal(images, expected(KEYS[::-1], images))


def test_only_pages_of_wanted_bands_are_gathered(store):
    """Band memory holds only pages with wanted bands, and is not used if it can't save work."""
    memory = store.reader(bands=["B02", "B03", "B8A"], grouped="band").memory(KEYS[0])
    assert memory.n_bytes < 1.25 * (2 * 28800 + 7200)
    assert store.reader(bands=["B01", "B8A"], grouped="band").memory(KEYS[0]) is None
    assert store.reader(grouped="band", dtype="float32").memory(KEYS[0]) is None
    assert store.reader(grouped=True).memory(KEYS[0]) is None


def test_a_smaller_batch_fills_any_rows(store):
    """A smaller batch can fill any rows of the memory that a full batch needs."""
    reader = store.reader(bands="all", grouped="band")
    reader.read_batch(KEYS)
    full = reader.empty(KEYS[0], N)
    for array in full.values():
        array[...] = 7
    some = {name: array[2:5] for name, array in full.items()}
    reader.read_batch(KEYS[4:7], some)
    assert equal(some, expected(KEYS[4:7], full))
    assert all((array[:2] == 7).all() and (array[5:] == 7).all() for array in full.values())


@pytest.mark.parametrize("change", ["swap", "one", "elsewhere"])
def test_arrays_that_only_look_like_own_memory_are_filled_one_by_one(store, change):
    """Arrays whose memory is laid out differently still receive the right bands."""
    reader = store.reader(bands=["B02", "B03"], grouped="band")
    reader.read_batch(KEYS)
    out = reader.empty(KEYS[0], 6)
    for array in out.values():
        array[...] = 7
    if change == "swap":
        out["B02"], out["B03"] = out["B03"], out["B02"]
    elif change == "one":
        out["B03"] = np.zeros((6, 120, 120), np.uint16)
    else:
        memory = reader.memory(KEYS[0])
        one, other = memory.places.values()
        out = BandArrays(np.zeros((6, memory.n_bytes), np.uint8), {"B02": other, "B03": one})
    reader.read_batch(KEYS[:6], out)
    assert equal(out, expected(KEYS[:6], ["B02", "B03"]))


@pytest.mark.parametrize("on_size", ["crop", "pad", "pad+crop", "skip"])
def test_unusual_sizes_are_dealt_with(tmp_path, on_size):
    """Cropping, padding and skipping give the same bands as other groupings; else it's an error."""
    patches = s2_patches(6) | {"S2A_patch_odd": s2_patch(6, extra=-1 if "pad" in on_size else 2)}
    with rico_hdl.open(store_of(tmp_path, patches)) as store:
        keys = list(store)
        options = {"bands": "all", "on_size": on_size}
        for _ in range(2):
            found = store.read_batch(keys, **options, grouped="band")
        groups = store.read_batch(keys, **options, grouped=True)
        specs = store.reader(**options, grouped=True).describe(keys[0])
        with pytest.raises(SizeError, match="S2A_patch_odd"):
            store.read_batch(keys, grouped="band")
    for name, spec in specs.items():
        for i, band in enumerate(spec.bands):
            array = np.ascontiguousarray(found[band])
            assert same_bits(array, np.ascontiguousarray(groups[name][:, i]))


def test_batches_use_their_memory_again(store):
    """Batches that are read ahead hold the right bands in the memory of a few batches."""
    bases = set()
    with store.batches(KEYS * 5, batch_size=4, grouped="band", bands="10m+60m") as batches:
        for batch in batches:
            assert equal(
                batch.images, expected(batch.keys, ["B02", "B03", "B04", "B08", "B01", "B09"])
            )
            bases |= {id(array.base) for array in batch.images.values()}
    assert len(bases) <= 4


def test_pickled_reader_describes_its_arrays(store):
    """A reader, pickled or not, describes arrays without a band axis."""
    reader = pickle.loads(pickle.dumps(store.reader(bands="60m+B02", grouped="band")))
    specs = reader.describe(KEYS[0])
    assert {name: spec.shape for name, spec in specs.items()} == {
        "B01": (20, 20),
        "B09": (20, 20),
        "B02": (120, 120),
    }
    assert all(spec.bands == (name,) for name, spec in specs.items())
    places = pickle.loads(pickle.dumps(reader.memory(KEYS[0]))).places
    offsets = sorted((place.offset, np.prod(place.shape) * 2) for place in places.values())
    assert all(one + n <= other for (one, n), (other, _) in pairwise(offsets))


def test_other_groupings_are_refused(store):
    """An unknown grouping, or a size together with grouping by band, is a UsageError."""
    for wrong in ("bands", None, 7.5, np.zeros(2)):
        with pytest.raises(UsageError, match=r"grouped=.* is not known"):
            store.reader(grouped=wrong)
    assert store.reader(grouped=np.True_).describe(KEYS[0]).keys() == {"120x120", "60x60", "20x20"}
    with pytest.raises(UsageError, match=r"grouped='band'.* size="):
        store.reader(grouped="band", size=60)
    with pytest.raises(UsageError, match="out= is"):
        store.read_batch(KEYS[:2], grouped="band", bands="rgb", out={})


def test_small_records_take_no_more_memory(tmp_path):
    """Batches of tiny bands, even one with an empty name, use no more memory than their pixels."""
    patches = {
        f"p{i:02}": {"a": numbered(i, 0, (4, 5)), "": numbered(i, 1, (2, 2))} for i in range(40)
    }
    with rico_hdl.open(store_of(tmp_path, patches)) as store:
        for _ in range(2):
            found = store.read_batch(list(patches), grouped="band")
        assert same_bits(store.reader(grouped="band").read("p03")[""], patches["p03"][""])
    for name, array in found.items():  # the records are on shared pages
        assert same_bits(array, np.stack([patch[name] for patch in patches.values()]))
    assert sum(array.nbytes for array in found.values()) == 40 * 48
    assert all(array.flags.c_contiguous for array in found.values())


def test_memory_that_can_not_be_written_is_not_written(store):
    """Writable views of a read-only buffer are filled like any other arrays."""
    reader = store.reader(grouped="band", bands="20m")
    reader.read_batch(KEYS)
    out = reader.empty(KEYS[0], 3)
    next(iter(out.values())).base.flags.writeable = False
    assert equal(reader.read_batch(KEYS[:3], out).images, expected(KEYS[:3], out))
