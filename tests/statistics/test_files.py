"""Files of statistics are read by those that they are for."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from rico_hdl.errors import StoreError, UsageError
from rico_hdl.statistics import Statistics, load, save
from tests.statistics.test_band import counted


def statistics_of(modality, n_bands, seed=0, **options):
    """Statistics of bands of noise."""
    random = np.random.default_rng(seed)
    bands = {
        f"B{i:02}": counted(random.integers(0, 10_000, 500).astype(np.uint16))
        for i in range(n_bands)
    }
    return Statistics(modality, 5, bands, **options)


S1, S2 = statistics_of("s1", 2), statistics_of("s2", 12, 1, labels={"River": 3}, split="train")


def test_json_is_loaded_as_it_was(tmp_path):
    """A JSON file holds everything."""
    file = tmp_path / "stats.json"
    assert save(file, {"s1": S1, "s2": S2}) == [file]
    assert load(file) == {"s1": S1, "s2": S2}
    assert list(tmp_path.iterdir()) == [file]


def test_yaml_has_means_and_deviations(tmp_path):
    """YAML has lists of floats, by modality if there are several."""
    yaml = pytest.importorskip("yaml")
    save(tmp_path / "one.yaml", {"s2": S2})
    found = yaml.safe_load((tmp_path / "one.yaml").read_text())
    assert found == {"bands": list(S2.names), "means": S2.mean.tolist(), "stds": S2.std.tolist()}
    save(tmp_path / "two.yml", {"s1": S1, "s2": S2})
    found = yaml.safe_load((tmp_path / "two.yml").read_text())
    assert found["means"] == {"s1": S1.mean.tolist(), "s2": S2.mean.tolist()}
    assert found["stds"]["s2"] == S2.std.tolist()


def test_text_is_read_by_numpy(tmp_path):
    """TerraTorch reads paths given as means and stds with numpy.genfromtxt (terratorch.io.file)."""
    files = save(tmp_path / "s2.txt", {"s2": S2})
    assert [file.name for file in files] == ["s2-means.txt", "s2-stds.txt"]
    assert [np.genfromtxt(file).tolist() for file in files] == [S2.mean.tolist(), S2.std.tolist()]
    files = save(tmp_path / "all.txt", {"s1": S1, "s2": S2})
    assert files[2].name == "all-s2-means.txt"
    assert np.genfromtxt(files[2]).tolist() == S2.mean.tolist()


@pytest.mark.parametrize("name", ["stats", "stats.csv", "nowhere/stats.json", "folder.json"])
def test_other_files_are_refused(tmp_path, name):
    """An unknown extension, or a file that can't be written, is an error before anything else."""
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(UsageError, match=name):
        save(tmp_path / name, {"s1": S1})


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    """If writing fails, the file that was there stays, and nothing else is left."""
    file = tmp_path / "stats.json"
    file.write_text("before")
    monkeypatch.setattr("rico_hdl.statistics.files.os.getpid", lambda: "full")
    (tmp_path / ".stats.json.full").symlink_to("/dev/full")
    with pytest.raises(StoreError, match="No space left"):
        save(file, {"s1": S1})
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "holds no statistics"),
        ("[]", "holds no statistics"),
        ("{}", "modalities"),
        ('{"modalities": {"s1": 1}}', "format None"),
        ('{"modalities": {"s1": {"format": 2}}}', "format 2, expected 1"),
        ('{"modalities": {"s1": {"format": 1}}}', "modality"),
    ],
)
def test_other_contents_are_refused(tmp_path, text, problem):
    """A file of another form is an error that names it."""
    file = tmp_path / "stats.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=rf"stats\.json.*{problem}"):
        load(file)


def test_missing_files_are_errors(tmp_path):
    """A file that does not exist is an error."""
    with pytest.raises(UsageError, match="can't be read"):
        load(tmp_path / "stats.json")


def test_merging_needs_the_same_modality():
    """Statistics of other modalities can't be added; labels and patches are."""
    with pytest.raises(UsageError, match="modality s1 and s2"):
        S1.merge(S2)
    other = statistics_of("s2", 12, 1, labels={"River": 1, "Forest": 2}, split="test")
    both = S2.merge(other)
    assert both.labels == {"River": 4, "Forest": 2}
    assert (both.n_patches, both.split) == (10, None)
    assert json.loads(json.dumps(both.to_dict()))["labels"] == both.labels
