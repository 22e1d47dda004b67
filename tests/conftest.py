"""Settings and fixtures that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import corpus
from rico_hdl.datasets import registry
from rico_hdl.spec import DatasetSpec

# The same examples in every run: a failure in CI is a failure at home, and no run is unlucky.
settings.register_profile(
    "rico-hdl",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("rico-hdl")

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "samples"


@pytest.fixture(scope="session")
def samples() -> Path:
    """Real files of seven datasets, where a contributor has them."""
    if not SAMPLES.is_dir():
        pytest.skip("no real sample files: ../shared/samples is not there")
    return SAMPLES


@pytest.fixture(params=list(registry().values()), ids=lambda spec: spec.name)
def spec(request: pytest.FixtureRequest) -> DatasetSpec:
    """Every supported dataset."""
    return request.param


@pytest.fixture(
    params=[
        spec
        for spec in registry().values()
        if all(modality.encoding == "geotiff" for modality in spec.modalities)
    ],
    ids=lambda spec: spec.name,
)
def folder_spec(request: pytest.FixtureRequest) -> DatasetSpec:
    """Every supported dataset whose files can lie in folders; of others there are archives only."""
    return request.param


@pytest.fixture
def bigearthnet(tmp_path: Path) -> dict[str, Path]:
    """The source folders of a small BigEarthNet, by modality; a test may change the files."""
    return corpus.generate(registry()["bigearthnet"], tmp_path / "source", 6)
