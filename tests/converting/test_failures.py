"""Failures of patches and archives: separate types, with kinds instead of message texts."""

import json
from pathlib import Path

import pytest

import corpus
import rico_hdl
from corpus.archives import tar_of
from rico_hdl import ArchiveFailure, PatchFailure
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import get
from rico_hdl.store import Manifest
from tests.support.archives import published
from tests.support.running import run

SPEC = get("bigearthnet")
FIELDS_OF_0_1 = {"key", "modality", "path", "band", "reason"}


@pytest.fixture
def s2(tmp_path) -> Path:
    """The folder of some BigEarthNet S2 patches."""
    return corpus.generate(SPEC, tmp_path / "source", 6, modalities=["s2"], noise=True)["s2"]


@pytest.fixture
def damaged(tmp_path, s2) -> Path:
    """A tar of these patches that is cut in the middle of one of them."""
    data = tar_of(s2)
    path = tmp_path / "x.tar"
    path.write_bytes(data[: len(data) // 2])
    return path


def test_reports_keep_the_fields_of_0_1(tmp_path, damaged):
    """Scripts for 0.1.0 can still read failures from JSON, the report and the manifest."""
    target, report = tmp_path / "target", tmp_path / "report.json"
    command = ["bigearthnet", "--bigearthnet-s2-dir", damaged, "--target-dir", target]
    result = run(*command, "--json", "--report", report)
    assert result.returncode == 1
    for text in (result.stdout, report.read_text(), (target / "rico-hdl.json").read_text()):
        failures = json.loads(text)["failures"]
        assert [(f["kind"], bool(f["key"]), f["band"]) for f in failures] == [
            ("damaged", False, None),
            ("patch", True, None),
        ]
        assert all(set(failure) == FIELDS_OF_0_1 | {"kind"} for failure in failures)
    dry = json.loads(run(*command, "--dry-run", "--json").stdout)
    assert all(set(failure) == FIELDS_OF_0_1 | {"kind"} for failure in dry["failures"])


def test_python_scripts_for_0_1_ask_each_failure_for_its_key(tmp_path, damaged):
    """Code for 0.1.0, which recognises archives by their empty key, still finds them."""
    archive, patch = convert(SPEC, {"s2": damaged}, tmp_path / "target").failures
    assert isinstance(archive, ArchiveFailure)
    assert isinstance(patch, PatchFailure)
    assert isinstance(archive, rico_hdl.Failure)
    assert isinstance(patch, rico_hdl.Failure)
    assert (archive.key, archive.band) == ("", None)
    assert patch.key


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_wrong_sum_survives_other_damage_of_the_archive(tmp_path, s2, order):
    """A wrong MD5 sum is checked again, whether it was found before or after other damage."""
    right = tar_of(s2)
    wrong = bytearray(right)
    wrong[wrong.index(b"_B02.tif", 200_000) + 15_000] ^= 1
    spec = published(right)
    path, target = tmp_path / "x.tar", tmp_path / "target"
    states = [(bytes(wrong), True), (bytes(wrong[: len(wrong) // 2]), False)]
    for i in order:
        data, check = states[i]
        path.write_bytes(data)
        assert not convert(spec, {"s2": path}, target, check_archives=check).complete
    path.write_bytes(wrong)
    convert(spec, {"s2": path}, target)
    assert not Manifest.read(target).complete
    kinds = [failure.kind for failure in Manifest.read(target).failures]
    assert kinds == ["checksum"]
    path.write_bytes(right)
    convert(spec, {"s2": path}, target)
    assert Manifest.read(target).complete
