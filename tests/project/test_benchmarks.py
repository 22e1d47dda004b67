"""The reading benchmark's judge: accepted and rejected samples, and its report."""

import subprocess
import sys

import numpy as np
import pytest

from tests.support.documents import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

from formats.corpora import make
from formats.outcome import Outcome
from formats.protocol import Order
from formats.tasks import NATIVE_T2, NEEDED, Corpus, WrongPixelsError, pick


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    """A corpus of three patches."""
    folder = tmp_path_factory.mktemp("corpus")
    make(folder, 3)
    return Corpus.load(folder)


def groups(patches, task, index):
    """The arrays of a patch that a task needs, by resolution."""
    return {name: patches.groups[name][index] for name in NEEDED[task]}


@pytest.mark.parametrize("task", ["T1", "T2", "T3"])
def test_judge_accepts_the_batches_of_all_formats(patches, task):
    """Samples made from the plain arrays of a patch are accepted, for that patch alone."""
    for index in range(3):
        patches.check(task, index, pick(groups(patches, task, index), task))
    with pytest.raises(WrongPixelsError, match=f"{task} of {patches.keys[1]}.*pixels differ"):
        patches.check(task, 1, pick(groups(patches, task, 2), task))


def test_judge_rejects_swapped_bands_and_other_dtypes(patches):
    """A wrong order of bands, a wrong dtype, a lost row and a lost band are all rejected."""
    rgb = pick(groups(patches, "T1", 0), "T1")
    native = {band: p for band, p in patches.expected("T3", 0).items() if band != "B8A"}
    for task, sample in [
        ("T1", rgb[::-1]),
        ("T1", rgb.astype(np.float32)),
        ("T3", native),
        ("T3", rgb),
    ]:
        with pytest.raises(WrongPixelsError):
            patches.check(task, 0, sample)
    with pytest.raises(WrongPixelsError, match="2 patches came as"):
        patches.check_batch("T1", [0, 1], rgb[None])


def test_judge_knows_bands_by_name_and_by_resolution(patches):
    """Bands are accepted one by one or stacked by resolution, and in batches."""
    patches.check("T3", 0, patches.expected("T3", 0))
    stacked = {name: np.asarray(array[:2]) for name, array in patches.groups.items()}
    patches.check_batch("T3", [0, 1], stacked)
    patches.check_batch(NATIVE_T2, [0, 1], {name: stacked[name] for name in ("10m", "20m")})
    with pytest.raises(WrongPixelsError):
        patches.check_batch("T3", [1, 0], stacked)


def test_order_holds_every_patch_once_per_permutation():
    """The endless order consists of whole permutations, which the seed determines."""
    order = Order(10, 4, seed=3)
    blocks = [block for block, _ in zip(order, range(5), strict=False)]
    flat = [index for block in blocks for index in block]
    assert sorted(flat[:10]) == sorted(flat[10:]) == list(range(10))
    assert blocks == [block for block, _ in zip(Order(10, 4, seed=3), range(5), strict=False)]
    assert flat[:10] != flat[10:]


def test_outcome_compares_within_rounds():
    """A ratio is the median of the rounds' ratios; a reader that fails once has no figure."""
    mine, yours = Outcome("rico-hdl"), Outcome("recipe")
    for number, (rate, other) in enumerate([(10, 5), (40, 10), (90, 10)]):
        note = {"mode": "sample", "task": "T1"}
        list(mine.note(number, [note | {"patches_per_second": rate}]))
        list(yours.note(number, [note | {"patches_per_second": other}]))
    assert mine.ratio(("sample", "T1"), yours) == 4
    assert mine.rate(("sample", "T1")) == 40
    list(mine.note(3, [{"mode": "sample", "task": "T1", "wrong": "pixels differ"}]))
    assert mine.rate(("sample", "T1")) is None
    assert mine.ratio(("sample", "T1"), yours) is None


def test_a_missing_library_stops_nothing(tmp_path):
    """The benchmark names a reader whose library is missing, and measures the others."""
    blocked = tmp_path / "blocked"
    (blocked / "h5py").mkdir(parents=True)
    (blocked / "h5py" / "__init__.py").write_text("raise ImportError('no h5py here')\n")
    work, output = tmp_path / "work", tmp_path / "results.md"
    command = [sys.executable, str(ROOT / "benchmarks" / "bench_read.py")]
    command += ["--readers", "hdf5", "geotiff", "--tasks", "T1", "--modes", "sample"]
    command += ["--patches", "3", "--rounds", "1", "--seconds", "0.01"]
    command += ["--work-dir", str(work), "--output", str(output)]
    environment = {"PATH": "", "PYTHONPATH": str(blocked), "HOME": str(tmp_path)}
    for _ in range(2):
        subprocess.run(command, check=True, capture_output=True, env=environment)
        text = output.read_text(encoding="utf-8")
        assert "raw GeoTIFFs, rasterio |" in text
        assert "* HDF5:" in text
        assert "no h5py here" in text
