"""The example script that trains on EuroSAT."""

import re
from pathlib import Path

import pytest

from tests.support.running import python

pytest.importorskip("torch", reason="torch is not installed: make test-torch")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "train_eurosat.py"


def test_example_learns_and_says_how_long_it_waited(tmp_path):
    """The example trains for an epoch, classifies other patches, and reports the waiting time."""
    done = python("-W", "error", EXAMPLE, tmp_path)
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(
        r"trained on 800 patches of 13 bands in ([\d.]+) s\n"
        r"waited for data: ([\d.]+) s \([\d.]+%\)\n"
        r"accuracy on 200 other patches: ([\d.]+)%\n",
        done.stdout,
    )
    assert found, done.stdout
    seconds, waited, accuracy = map(float, found.groups())
    assert waited <= seconds
    assert accuracy > 80  # 10 % by chance
    store, splits = tmp_path / "Encoded-EuroSAT", tmp_path / "eurosat-test.txt"
    options = ["--store", store, "--train", splits, "--test", splits]
    again = python("-W", "error", EXAMPLE, tmp_path, *options)
    assert "trained on 200 patches" in again.stdout, again.stderr
