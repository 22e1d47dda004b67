"""ConfigILM, the reader by the dataset's authors, reads stores of this package.

configilm 0.7.1 requires numpy < 2, lmdb < 2 and libraries that its reader does not use, so it is
installed without dependencies; requirements/torch.txt lists those that the reader needs.
"""

from __future__ import annotations

import pytest

from tests.support import labelled

torch = pytest.importorskip("torch", reason="torch is not installed: make test-torch")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")
configilm = pytest.importorskip(
    "configilm.extra.DataSets.BENv2_DataSet",
    reason="configilm is not installed (requirements/torch.txt)",
    exc_type=ImportError,
)

from configilm.extra.BENv2_utils import STANDARD_BANDS

from rico_hdl.torch import BigEarthNet

CONFIGURATIONS = {2: "S1", 3: "RGB", 4: "10m", 10: "10m_20m", 12: "S1_10m_20m", 14: "ALL"}
"""ConfigILM's bands by number of channels."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A BigEarthNet store with its metadata tables."""
    return labelled.bigearthnet(tmp_path_factory.mktemp("configilm"))


@pytest.fixture
def theirs(data):
    """Create ConfigILM's dataset for a split and a number of channels."""
    made = []

    def make(split, n_channels):
        folders = {
            "images_lmdb": data.store,
            "metadata_parquet": data.metadata,
            "metadata_snow_cloud_parquet": data.snow_cloud,
        }
        dataset = configilm.BENv2DataSet(
            folders, split, img_size=(n_channels, 120, 120), return_extras=True
        )
        made.append(dataset)
        return dataset

    yield make
    for dataset in made:
        dataset.BENv2Loader.env.close()


@pytest.mark.parametrize("n_channels", CONFIGURATIONS)
@pytest.mark.parametrize("split", labelled.SPLITS)
def test_configilm_reads_the_same_tensors(data, theirs, split, n_channels):
    """ConfigILM's samples equal ours bit by bit, with the same labels, in the same order."""
    bands = STANDARD_BANDS[CONFIGURATIONS[n_channels]]
    modalities = [m for m, own in (("s1", "VV"), ("s2", "B02")) if own in bands]
    ours = BigEarthNet(data.store, data.metadata, split, modalities, bands)
    others = theirs(split, n_channels)
    assert len(ours) == len(others) == 4
    for i in range(len(others)):
        image, label, key = others[i]
        sample = ours[i]
        assert sample["image"].shape == (n_channels, 120, 120)
        assert sample["image"].dtype == image.dtype == torch.float32
        assert sample["image"].numpy().tobytes() == image.numpy().tobytes()
        assert sample["label"].tolist() == label.tolist()
        names = {row.patch_id: row.s1_name for row in data.rows}
        assert sample["key"] == (names[key] if modalities == ["s1"] else key)
