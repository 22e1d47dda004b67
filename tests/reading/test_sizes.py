"""Patches that deviate from the usual size of their modality."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rico_hdl
from rico_hdl.errors import SizeError
from tests.support.reading import same_bits
from tests.support.stores import converted, numbered, s2_patch, s2_patches, store_of

SHAPES = [(6, 8)] * 9 + [(7, 8), (6, 5), (5, 9), (8, 10), (2, 3), (6, 9)]
KEYS = [f"p{i:02}" for i in range(len(SHAPES))]
ODD = KEYS[9:]
LARGER = ["p09", "p12", "p14"]
SMALLER = ["p10", "p13"]
BOTH = ["p11"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of patches with two bands of 6 x 8 pixels, except for six of other sizes."""
    patches = {
        key: {"a": numbered(i, 0, shape), "b": numbered(i, 1, shape)}
        for i, (key, shape) in enumerate(zip(KEYS, SHAPES, strict=True))
    }
    with rico_hdl.open(store_of(tmp_path_factory.mktemp("sizes") / "s", patches)) as store:
        yield store


def fitted(key, name):
    """A band that is cropped or padded with zeros at the bottom and on the right."""
    band = numbered(KEYS.index(key), "ab".index(name), SHAPES[KEYS.index(key)])
    wide = np.zeros((20, 20), np.uint16)
    wide[: band.shape[0], : band.shape[1]] = band
    return wide[:6, :8]


def test_deviating_patches_are_an_error_that_names_them(store):
    """Patches of other sizes in a batch are an error with their keys, sizes and a hint."""
    with pytest.raises(SizeError) as caught:
        store.read_batch(KEYS)
    assert caught.value.keys == tuple(ODD)
    first, hint = str(caught.value).split("\n", 1)
    assert "6 of 15 patches deviate from the usual size" in first
    assert "'p09' (a is 7x8, usually 6x8)" in first
    assert first.endswith("and 1 more")
    assert all(word in hint for word in ("skip", "pad", "crop", "keep"))
    with pytest.raises(SizeError, match="1 of 1 patches"):
        store.read_batch([ODD[0]])
    with pytest.raises(SizeError, match="1 of 1 patches"):
        store.reader().read(ODD[0])


def test_deviating_patches_are_found_beforehand(store):
    """`deviating` lists deviating patches among all or some keys, in the order of the keys."""
    assert store.deviating() == ODD
    assert store.deviating(["p12", "p03", "p09"]) == ["p12", "p09"]
    assert store.deviating(KEYS[:9], bands="a") == []


def test_single_patches_are_read_as_they_are(store):
    """A single patch is read at its own size, or resampled to any other."""
    for key, shape in zip(KEYS, SHAPES, strict=True):
        number = KEYS.index(key)
        expected = np.stack([numbered(number, band, shape) for band in (0, 1)])
        assert same_bits(store.read(key), expected)
        assert same_bits(store[key]["b"], expected[1])
        assert store.read(key, size=(4, 4)).shape == (2, 4, 4)


def test_skipped_patches_are_left_out(store):
    """With skip, a batch holds only patches of the usual size, and lists their keys."""
    reader = store.reader(on_size="skip")
    wanted = ["p09", "p01", "p13", "p00", "p01"]
    out = np.full((5, 2, 6, 8), 7, np.uint16)
    batch = reader.read_batch(wanted, out)
    assert batch.keys == ("p01", "p00", "p01")
    expected = np.stack([[fitted(key, name) for name in "ab"] for key in batch.keys])
    assert same_bits(batch.images, expected)
    assert np.shares_memory(batch.images, out)
    assert (out[3:] == 7).all()
    assert same_bits(store.read_batch(wanted, on_size="skip"), expected)
    assert store.read_batch(ODD, on_size="skip").shape == (0, 2, 6, 8)


def test_batches_without_any_patch_are_left_out(store):
    """Batches without any patch left are not yielded, and their buffers are reused."""
    wanted = [*ODD, *KEYS[:2], *ODD, *ODD, KEYS[2], KEYS[3]]
    batches = store.batches(wanted, batch_size=2, on_size="skip", prefetch=1)
    assert [tuple(batch.keys) for batch in batches] == [("p00", "p01"), ("p02", "p03")]
    assert list(store.batches(ODD, batch_size=2, on_size="skip")) == []


@pytest.mark.parametrize(
    ("on_size", "allowed"),
    [("crop", LARGER), ("pad", SMALLER), ("pad+crop", [*LARGER, *SMALLER, *BOTH])],
)
@pytest.mark.parametrize("grouped", [False, True])
def test_patches_are_padded_and_cropped(store, on_size, allowed, grouped):
    """Extra rows and columns are cropped and missing ones are zero, each only if allowed."""
    wanted = [*allowed, *KEYS[:3]]
    images = store.read_batch(wanted, on_size=on_size, bands=["b", "a"], grouped=grouped)
    expected = np.stack([[fitted(key, name) for name in "ba"] for key in wanted])
    assert same_bits(images["6x8"] if grouped else images, expected)
    for key in set(ODD) - set(allowed):
        with pytest.raises(SizeError, match=key):
            store.read_batch([KEYS[0], key], on_size=on_size)


@given(key=st.sampled_from(KEYS), size=st.tuples(st.integers(1, 20), st.integers(1, 20)))
@settings(max_examples=80)
def test_patches_are_fitted_before_they_are_resampled(store, key, size):
    """A deviating patch is cropped and padded before it is resampled, so pixels stay aligned."""
    options = {"on_size": "pad+crop", "size": size, "dtype": "float32"}
    for method in ("nearest", "bilinear"):
        found = store.read_batch([KEYS[0], key], resampling=method, **options)[1]
        patch = np.stack([fitted(key, name) for name in "ab"])
        # In a store of its own, this patch has the usual size.
        alone = store_of(store.path.parent / key, {"x": dict(zip("ab", patch, strict=True))})
        with rico_hdl.open(alone) as other:
            assert same_bits(found, other.read("x", size=size, resampling=method, dtype="float32"))


def test_kept_sizes_must_agree(store):
    """With keep, patches of the same unusual size form a batch; different sizes are an error."""
    assert store.read_batch(["p09", "p09"], on_size="keep").shape == (2, 2, 7, 8)
    with pytest.raises(SizeError, match=r"'p09' and 'p10' don't fit into one batch: uint16 2x7x8"):
        store.read_batch(["p09", "p10"], on_size="keep")
    images = store.read_batch(ODD, on_size="keep", size=5)
    expected = np.stack([store.read(key, size=5) for key in ODD])
    assert same_bits(images, expected)
    grouped = store.read_batch(["p09"], on_size="keep", grouped=True)
    assert list(grouped) == ["7x8"]


def test_usual_size_is_that_of_the_modality(tmp_path):
    """The usual size does not depend on the batch: a single odd patch is an error, too."""
    folder = converted("uc-merced", tmp_path, 12)
    manifest = json.loads((folder / "rico-hdl.json").read_text())
    layouts = manifest["modalities"]["rgb"]["layouts"]
    assert len(layouts) > 1, "the corpus has patches of other sizes"
    with rico_hdl.open(folder) as store:
        odd = store.deviating()
        assert len(odd) == 12 - layouts[0]["n_patches"]
        for key in odd:
            assert store[key]["Red"].shape != (256, 256)
            with pytest.raises(SizeError):
                store.read_batch([key], bands="rgb")
        regular = sorted(set(store) - set(odd))
        assert store.read_batch(regular, bands="rgb").shape == (len(regular), 3, 256, 256)
        assert store.read_batch(list(store), bands="rgb", on_size="pad+crop").shape[0] == 12


def test_bands_deviate_each_in_its_own_resolution(tmp_path):
    """A patch with extra rows and columns is cropped at each resolution, and stays aligned."""
    patches = s2_patches(6) | {"S2A_patch_odd": s2_patch(77, extra=1)}
    with rico_hdl.open(store_of(tmp_path, patches)) as store:
        assert store.deviating() == ["S2A_patch_odd"]
        found = store.read_batch(
            ["S2A_patch_000", "S2A_patch_odd"], bands="all", on_size="crop", grouped=True
        )
        odd = patches["S2A_patch_odd"]
        assert odd["B02"].shape == (122, 122)
        tens = [odd[name][:120, :120] for name in ("B02", "B03", "B04", "B08")]
        assert same_bits(found["120x120"][1], np.stack(tens))
        assert same_bits(found["20x20"][1, 0], odd["B01"][:20, :20])
        image = store.read_batch(["S2A_patch_odd"], bands="B05", size=120, on_size="crop")
        assert same_bits(image[0, 0], odd["B05"][:60, :60].repeat(2, 0).repeat(2, 1))
