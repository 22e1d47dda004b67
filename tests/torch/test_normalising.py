"""Normalised samples and batches, with numpy as the judge."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import rico_hdl
from rico_hdl.errors import UsageError
from rico_hdl.torch import BigEarthNet, Normalize, PatchDataset, UCMerced, loader
from tests.support.labelled import bigearthnet
from tests.support.stores import S2_SIDES, converted, s2_patch, s2_patches, store_of

N = 8


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of Sentinel-2 patches."""
    with rico_hdl.open(
        store_of(tmp_path_factory.mktemp("torch") / "store", s2_patches(N))
    ) as store:
        yield store


def expected(band, i):
    """A band of a patch, normalised by all patches."""
    pixels = np.stack([s2_patch(n)[band] for n in range(N)]).astype(np.float64)
    return ((pixels[i] - pixels.mean()) / pixels.std()).astype(np.float32)


@pytest.mark.parametrize("bands", ["rgb", ["B04", "B02"], ["B8A", "B11", "B05"], "10m"])
def test_channels_are_normalised_in_the_order_in_which_they_are_read(store, bands):
    """Whatever bands or preset are read, each channel gets the numbers of its own band."""
    statistics = store.statistics("s2")
    dataset = PatchDataset(store, bands=bands)
    names = dataset.entries["image"].bands
    for batch in loader(dataset, 3, normalize=statistics):
        assert batch["image"].dtype == torch.float32
        for image, key in zip(batch["image"], batch["key"], strict=True):
            wanted = np.stack([expected(name, int(key[-3:])) for name in names])
            np.testing.assert_allclose(image.numpy(), wanted, rtol=1e-5, atol=1e-5)
    dataset.transform = Normalize(statistics, dataset)
    for i in range(N):
        wanted = np.stack([expected(name, i) for name in names])
        np.testing.assert_allclose(dataset[i]["image"].numpy(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("grouped", [True, "band"])
def test_each_resolution_or_band_is_normalised(store, grouped):
    """Images of different resolutions, or of single bands, are normalised as well."""
    dataset = PatchDataset(store, grouped=grouped)
    (batch,) = loader(dataset, N, normalize=store.statistics("s2"))
    for name, entry in dataset.entries.items():
        for channel, band in enumerate(entry.bands):
            found = batch[name] if grouped == "band" else batch[name][:, channel]
            assert found.shape == (N, S2_SIDES[band], S2_SIDES[band])
            wanted = np.stack([expected(band, i) for i in range(N)])
            np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-5)


def test_normalised_pixels_have_mean_0_and_deviation_1(tmp_path):
    """The pixels of a whole dataset are normalised; labels and keys stay as they are."""
    target = converted("uc-merced", tmp_path, 30)
    dataset = UCMerced(target)
    with rico_hdl.open(target) as opened:
        (batch,) = loader(dataset, 30, normalize=opened.statistics(), transform=dict)
    pixels = batch["image"].double()
    torch.testing.assert_close(pixels.mean((0, 2, 3)), torch.zeros(3).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(pixels.std((0, 2, 3)), torch.ones(3).double(), atol=1e-4, rtol=0)
    assert batch["label"].dtype == torch.int64
    assert len(batch["key"]) == 30


def test_several_modalities_take_several_statistics(tmp_path):
    """Each modality of a pair is normalised by its own statistics; masks are not."""
    made = bigearthnet(tmp_path)
    dataset = BigEarthNet(made.store, made.metadata, None, labels="multi-hot+mask", transform=None)
    with rico_hdl.open(made.store) as opened:
        both = {name: opened.statistics(name) for name in ("s1", "s2")}
    for given in (both, list(both.values())):
        (batch,) = loader(dataset, len(dataset), normalize=given)
        (plain,) = loader(dataset, len(dataset))
        for channel, band in enumerate(dataset.entries["image"].bands):
            one = (both["s1"] if band in both["s1"].bands else both["s2"]).bands[band]
            wanted = (plain["image"][:, channel].double() - one.mean) / one.std
            torch.testing.assert_close(
                batch["image"][:, channel].double(), wanted, rtol=1e-4, atol=1e-4, equal_nan=True
            )
        assert torch.equal(batch["mask"], plain["mask"])
        assert torch.equal(batch["label"], plain["label"])
    with pytest.raises(UsageError, match="0 statistics of the band 'V"):
        loader(dataset, normalize=both["s2"])
    with pytest.raises(UsageError, match="2 statistics of the band 'V"):
        loader(dataset, normalize=[both["s1"], both["s1"], both["s2"]])


def test_constant_bands_become_zero_and_empty_ones_are_refused(tmp_path):
    """A band without deviation is not divided by 0; one without pixels has no mean."""
    patches = {"p": {"A": np.full((4, 4), 7, np.uint8), "B": np.eye(4, dtype=np.uint8)}}
    with rico_hdl.open(store_of(tmp_path / "store", patches)) as store:
        dataset = PatchDataset(store)
        found = Normalize(store.statistics(), dataset)(dataset[0])["image"]
        assert found[0].unique().tolist() == [0]
        with pytest.raises(UsageError, match="'A' has no valid pixel"):
            Normalize(store.statistics(nodata=7), dataset)


def test_it_can_be_pickled(store):
    """Worker processes get a copy that does the same."""
    dataset = PatchDataset(store, bands="rgb")
    normalize = Normalize(store.statistics("s2"), dataset)
    copy = pickle.loads(pickle.dumps(normalize))
    assert torch.equal(copy(dataset[0])["image"], normalize(dataset[0])["image"])
    assert dataset[0]["image"].dtype == torch.uint16  # the sample itself is not changed
