"""rico-hdl stats: what it prints and writes, and how it ends."""

from __future__ import annotations

import json
import shutil
import signal
import sys

import numpy as np
import pytest
from safetensors.numpy import save as record_of

import rico_hdl
from rico_hdl.statistics import load
from tests.support.running import python, run, started
from tests.support.stores import converted, s2_patches, store_of, write


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of three modalities that tests must not change."""
    return converted("bigearthnet", tmp_path_factory.mktemp("stats"), 6)


def done(*arguments, code=0):
    """A finished command with the expected exit code, and without a traceback."""
    result = run("stats", *arguments)
    assert "Traceback" not in result.stderr
    assert result.returncode == code, result.stderr
    return result


def test_tables_show_each_band(store):
    """Each modality has a table with a row for each band."""
    lines = done(store, "--nodata", 0).stdout.splitlines()
    assert lines[0] == "s1: 6 patches"
    assert lines[1].split() == [
        "band",
        "mean",
        "std",
        "min",
        "2",
        "%",
        "50",
        "%",
        "98",
        "%",
        "max",
        "nodata",
        "NaN",
    ]
    assert [line.split()[0] for line in lines[5:18]][1:] == list(rico_hdl.open(store).bands("s2"))
    with rico_hdl.open(store) as opened:
        mean = opened.statistics("s2", nodata=0).mean[0]
    assert lines[6].split()[:2] == ["B01", f"{mean:.6g}"]


def test_json_is_the_library_s(store, tmp_path):
    """--json prints what the library returns, and --output writes it to a file."""
    file = tmp_path / "stats.json"
    result = done(store, "--json", "--output", file, "--progress", "none", "--num-workers", 1)
    assert result.stderr == ""
    found = json.loads(result.stdout, parse_constant=pytest.fail)
    with rico_hdl.open(store) as opened:
        assert load(file) == {name: opened.statistics(name) for name in opened.modalities}
    assert found == json.loads(file.read_text())
    band = found["modalities"]["s2"]["bands"]["B02"]
    assert {*band} == {
        "dtype", "nodata", "n_pixels", "n_valid", "mean", "std", "minimum", "maximum",
        "percentiles", "share_nodata", "share_nan", "share_zero", "n_nodata", "n_nan",
        "n_positive_infinite", "n_negative_infinite", "n_zero", "exact",
    }  # fmt: skip
    assert list(band["percentiles"]) == ["1", "2", "25", "50", "75", "98", "99"]
    assert band["n_pixels"] == 6 * 120 * 120


def test_modalities_and_keys_are_chosen(store, tmp_path):
    """--modality and --keys count only what they name."""
    with rico_hdl.open(store) as opened:
        keys = opened.keys("s2")[1:4]
        expected = opened.statistics("s2", keys=keys)
    (tmp_path / "keys.txt").write_text("\n".join(keys))
    for options in ([], ["--modality", "s2"]):
        result = done(store, "--keys", tmp_path / "keys.txt", "--json", *options)
        assert json.loads(result.stdout)["modalities"] == {"s2": expected.to_dict()}
    found = json.loads(done(store, "--json", "--modality", "s2", "--modality", "s1").stdout)
    assert list(found["modalities"]) == ["s2", "s1"]


def test_quiet_prints_nothing(store, tmp_path):
    """--quiet leaves only the files."""
    result = done(store, "--quiet", "--output", tmp_path / "s.txt", "--modality", "s1")
    assert (result.stdout, result.stderr) == ("", "")
    assert np.genfromtxt(tmp_path / "s-means.txt").shape == (2,)


def test_progress_is_shown(store):
    """Progress goes to stderr: all records, in the stage of counting."""
    last = json.loads(done(store, "--progress", "json").stderr.splitlines()[-1])
    assert last["stage"] == "counting"
    counts = last["modalities"]["records"]
    assert (counts["n_done"], counts["n_total"]) == (18, 18)
    assert counts["n_bytes"] > 10**6


def test_classes_are_shown(tmp_path):
    """Labels have a row for each class, and a mask's classes their share of the pixels."""
    lines = done(converted("uc-merced", tmp_path / "labels", 42)).stdout.splitlines()
    assert "  airplane           2 patches, 4.76%" in lines
    lines = done(converted("loveda", tmp_path / "masks", 4)).stdout.splitlines()
    assert any(line.split()[0] == "background" and " pixels, " in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{store}", "--modality", "s3"], 2, "no modality 's3'\nIt has: s1, s2, reference-maps."),
        (["{store}", "--split", "train"], 2, "split"),
        (["{store}", "--split", "train", "--keys", "{keys}"], 2, "both a split and keys"),
        (["{store}", "--keys", "{keys}"], 2, "has no patch 'nothing'"),
        (["{store}", "--keys", "{keys}.txt"], 3, "can't be read"),
        (["{store}", "--output", "stats.csv"], 2, ".json, .yaml, .yml, .txt"),
        (["{store}", "--output", "nowhere/stats.json"], 2, "can't be written"),
        (["{store}", "--num-workers", "0"], 2, "--num-workers"),
        (["{store}", "--nodata", "none"], 2, "--nodata"),
        (["{store}-2"], 4, "no such folder"),
        ([], 2, "TARGET"),
    ],
)
def test_wrong_usage_says_what_to_do(store, tmp_path, arguments, code, message):
    """Each mistake has an exit code and a message, and nothing is printed as a result."""
    keys = tmp_path / "keys"
    keys.write_text("nothing\n")
    result = done(*(one.format(store=store, keys=keys) for one in arguments), code=code)
    assert message in result.stderr
    assert result.stdout == ""


def test_a_damaged_store_is_an_error(tmp_path):
    """A record that can't be read ends the count with exit code 4 and the key; no file is left."""
    records = {key: record_of(bands) for key, bands in s2_patches(9).items()}
    records["S2A_patch_004"] = bytes(len(records["S2A_patch_004"]))
    target = write(tmp_path / "store", records)
    result = done(target, "--output", tmp_path / "stats.json", code=4)
    assert "S2A_patch_004" in result.stderr
    assert "rico-hdl verify" in result.stderr
    assert not (tmp_path / "stats.json").exists()


def test_stores_of_other_tools_are_counted(tmp_path):
    """A store without a manifest has statistics, too."""
    result = done(store_of(tmp_path / "store", {"a": {"B": np.eye(4, dtype=np.float32)}}))
    assert result.stdout.splitlines()[2].split() == ["B", "0.25", "0.433013", "0", "0", "0", "1",
                                                     "1", "75%"]  # fmt: skip


@pytest.mark.usefixtures("interruptible")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_at_once(tmp_path, number, code):
    """Ctrl-C ends a count within two seconds, whatever is still to be counted."""
    target = store_of(tmp_path / "store", {f"p{i:03}": _slow(i) for i in range(8)})
    script = (
        "import sys, time\n"
        "from rico_hdl.statistics import counting\n"
        "from rico_hdl.cli import main\n"
        "count = counting.BandCounter.count\n"
        "def slow(self, parts):\n"
        "    print('begun', flush=True); time.sleep(0.2); count(self, parts)\n"
        "counting.BandCounter.count = slow\n"
        "main()\n"
    )
    arguments = ["stats", target, "--num-workers", "2", "--output", tmp_path / "stats.json"]
    process = started("-c", script, *arguments)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=5)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert not (tmp_path / "stats.json").exists()


def _slow(i):
    """A patch with many bands, each of which a test makes slow."""
    return {f"B{band:02}": np.full((800, 800), i, np.uint16) for band in range(12)}


def test_nothing_is_written_to_the_store(store, tmp_path):
    """Counting leaves every file of the store as it is."""
    copy = shutil.copytree(store, tmp_path / "store")
    before = {file.name: file.read_bytes() for file in copy.iterdir()}
    for file in copy.iterdir():
        file.chmod(0o444)
    done(copy)
    assert {file.name: file.read_bytes() for file in copy.iterdir()} == before


def test_help_needs_no_numpy():
    """The command's help does not pay for numpy or lmdb."""
    code = (
        "import sys; sys.argv[1:] = ['stats', '--help']\n"
        "from rico_hdl.cli import main\n"
        "try: main()\n"
        "finally: print({'numpy', 'lmdb'} & {*sys.modules}, file=sys.stderr)\n"
    )
    assert python("-c", code).stderr.strip() == "set()"
