"""Records of real files are those of the original rico-hdl."""

from __future__ import annotations

import hashlib
import json

import pytest

from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import get
from tests.support.reading import arrays, records

SOURCES = {
    "bigearthnet": {
        "s1": "BigEarthNet/BigEarthNet-S1",
        "s2": "BigEarthNet/BigEarthNet-S2",
        "reference-maps": "BigEarthNet/Reference_Maps",
    },
    "eurosat-multi-spectral": {"s2": "EuroSAT_MS"},
    "hydro": {"s2": "Hydro"},
    "hyspecnet-11k": {"enmap": "HySpecNet-11k"},
    "major-tom-core": {"s2": "Major-TOM-Core/S2L2A"},
    "ssl4eo-s12": {"s1": "SSL4EO-S12/s1", "s2c": "SSL4EO-S12/s2c", "s2a": "SSL4EO-S12/s2a"},
    "uc-merced": {"rgb": "UCMerced_LandUse"},
}


def test_all_golden_datasets_are_covered(samples):
    """All datasets of golden.json are tested here."""
    assert SOURCES.keys() == json.loads((samples / "golden.json").read_text()).keys()


@pytest.mark.parametrize("name", SOURCES)
def test_records_equal_the_originals(samples, tmp_path, name):
    """Keys and bytes are those of the original rico-hdl, for publishers' real files."""
    golden = json.loads((samples / "golden.json").read_text())[name]
    sources = {modality: samples / folder for modality, folder in SOURCES[name].items()}
    convert(get(name), sources, tmp_path)
    found = {
        key: (hashlib.sha256(value).hexdigest(), len(value))
        for key, value in records(tmp_path).items()
    }
    assert found == {key: (entry["sha256"], entry["n_bytes"]) for key, entry in golden.items()}


def test_pixels_of_bigearthnet_v1_equal_gdals(samples, tmp_path):
    """Every band of a real patch of BigEarthNet v1.0 has the pixels that GDAL reads."""
    spec = get("bigearthnet-v1")
    s2 = spec.modality("s2")
    convert(spec, {"s2": samples / s2.folder}, tmp_path)
    expected = {
        path: (row["dtype"], *row["shape"][1:], *row["sha256"])
        for path, row in json.loads((samples / "golden-more.json").read_text()).items()
        if path.startswith(f"{s2.folder}/")
    }
    found = {
        f"{s2.folder}/{key}/{key}_{band}.tif": (
            array.dtype.name,
            *array.shape,
            hashlib.sha256(array.tobytes()).hexdigest(),
        )
        for key, patch in arrays(tmp_path).items()
        for band, array in patch.items()
    }
    assert found == expected
