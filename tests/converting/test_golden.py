"""Records of real files are those of the original rico-hdl."""

from __future__ import annotations

import hashlib
import json
import shutil

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


MORE = {
    "bigearthnet-v1": {"s2": ("BigEarthNet-v1.0", "")},
    "copernicus-pretrain": {"s2": ("Copernicus-Pretrain", "images/0235_0_0/0_0_0/")},
    "s2-100k": {"s2": ("S2-100K/images", "")},
    "sen1floods11": {
        "s1-hand": ("Sen1Floods11/S1Hand", ""),
        "s2-hand": ("Sen1Floods11/S2Hand", ""),
        "label-hand": ("Sen1Floods11/LabelHand", ""),
    },
}
"""The folder of each modality's samples, and the folders above them that the samples lack."""


@pytest.mark.parametrize("name", MORE)
def test_pixels_equal_gdals(samples, tmp_path, name):
    """Every band of real files has the dtype, shape and pixels that GDAL reads."""
    spec = get(name)
    golden = json.loads((samples / "golden-more.json").read_text())
    sources = {}
    for modality, (folder, above) in MORE[name].items():
        sources[modality] = tmp_path / modality
        shutil.copytree(samples / folder, sources[modality] / above)
    assert convert(spec, sources, tmp_path / "out").complete
    stored = arrays(tmp_path / "out")
    found = {}
    for modality, (folder, above) in MORE[name].items():
        meant = spec.modality(modality)
        for path in [path for path in golden if path.startswith(f"{folder}/")]:
            values = meant.files.match(above + path.removeprefix(f"{folder}/"))
            patch = stored[meant.key.format(values)]
            mine = [
                band.name for band in meant.bands if values.get("band", band.token) == band.token
            ]
            found[path] = described([patch[band] for band in mine])
    assert found == {
        path: (row["dtype"], row["shape"], row["sha256"])
        for path, row in golden.items()
        if any(path.startswith(f"{folder}/") for folder, _ in MORE[name].values())
    }
    assert len(found) == len(list(tmp_path.glob("*/**/*.tif")))


def described(bands):
    """The dtype, the shape and the hash of each band, as golden-more.json has them."""
    (dtype,), (shape,) = {band.dtype.name for band in bands}, {band.shape for band in bands}
    sums = [hashlib.sha256(band.tobytes()).hexdigest() for band in bands]
    return dtype, [len(bands), *shape], sums
