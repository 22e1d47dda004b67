import pytest

import corpus
import rico_hdl
from rico_hdl.datasets import registry

BIGEARTHNET = registry()["bigearthnet"]


@pytest.fixture
def sources(tmp_path):
    """The source folders of a small BigEarthNet."""
    return corpus.generate(BIGEARTHNET, tmp_path / "source", 5, modalities=["s1", "s2"])


def test_a_dry_run_predicts_a_conversion(sources, tmp_path):
    """Counts and first keys match the conversion, the size is close, and nothing is created."""
    target = tmp_path / "target"
    found = rico_hdl.dry_run("bigearthnet", sources, target)
    assert not target.exists()
    assert found.failures == []
    assert rico_hdl.convert("bigearthnet", sources, target).complete
    with rico_hdl.open(target) as store:
        for name in ("s1", "s2"):
            keys = list(store.keys(name))
            forecast = found.modalities[name]
            assert (forecast.n_patches, forecast.first_keys) == (len(keys), keys[:3])
            assert forecast.source == str(sources[name])
    size = (target / "data.mdb").stat().st_size
    assert found.n_bytes_expected == pytest.approx(size, rel=0.2)


def test_a_dry_run_lists_the_patches_that_fail(sources, tmp_path):
    """A missing band and a damaged file among the first patches are failures."""
    first, second, *_ = sorted(sources["s2"].glob("*/*/*_B03.tif"))
    first.unlink()
    second.write_bytes(b"no TIFF")
    found = rico_hdl.dry_run("bigearthnet", sources, tmp_path / "target")
    assert [failure.band for failure in found.failures] == ["B03", "B03"]
    assert found.modalities["s2"].n_patches == 4
    assert found.to_dict()["failures"][0]["key"] == found.failures[0].key
