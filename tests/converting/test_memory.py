"""Memory: of datasets, of patches that are larger than expected, and of hostile inputs."""

import io
import sys
import tarfile
from functools import cache

import numpy as np
import pytest
import tifffile

import corpus
from corpus.archives import COMPRESSIONS
from rico_hdl.checking.comparison import compare_with_sources
from rico_hdl.converting import pipeline
from rico_hdl.converting.conversion import convert
from rico_hdl.converting.converter import PatchConverter
from rico_hdl.datasets import registry
from rico_hdl.reading import Store
from tests.support.running import measured, run

EUROSAT = registry()["eurosat-multi-spectral"]
N_BANDS = 13
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")

MEASURED = """
import threading, time
from rico_hdl.converting.conversion import convert

most = 0

def sample():
    global most
    while True:
        status = Path("/proc/self/status").read_text()
        most = max(most, int(re.search("RssAnon:\\s*(\\d+)", status)[1]))
        time.sleep(0.02)

threading.Thread(target=sample, daemon=True).start()
convert(sys.argv[1], {sys.argv[2]: sys.argv[3]}, sys.argv[4], n_workers=int(sys.argv[5]))
print(most)
"""
"""Prints the most kilobytes of anonymous memory during a conversion."""


@cache
def image(rows, columns, start):
    """A deflated TIFF with a strip for each band, and its pixels."""
    pixels = np.arange(start, start + N_BANDS * rows * columns).astype(np.uint16)
    pixels = pixels.reshape(N_BANDS, rows, columns)
    file = io.BytesIO()
    options = {"photometric": "minisblack", "planarconfig": "separate", "rowsperstrip": rows}
    tifffile.imwrite(file, pixels, compression="zlib", **options)
    return file.getvalue(), pixels


def eurosat(folder, shapes):
    """A folder with an image of each shape, in this order; and the pixels of each key."""
    (folder / "AnnualCrop").mkdir(parents=True)
    pixels = {}
    for i, shape in enumerate(shapes):
        data, pixels[f"AnnualCrop_{i}"] = image(*shape, start=i if shape[0] < 1000 else 0)
        (folder / "AnnualCrop" / f"AnnualCrop_{i}.tif").write_bytes(data)
    return {"s2": folder}, pixels


@needs_proc
@pytest.mark.parametrize(
    ("dataset", "modality", "n_patches"),
    [("major-tom-core", "s2", 30), ("hyspecnet-11k", "enmap", 40), ("ssl4eo-s12-v1.1", "s2c", 256)],
)
def test_memory_stays_below_400_mb(tmp_path, dataset, modality, n_patches):
    """Products of 13 MB, cubes of 7 MB and chunks of 116 MB on 64 threads need under 400 MB."""
    spec = registry()[dataset]
    sources = corpus.generate(spec, tmp_path, n_patches, modalities=[modality], noise=True)
    place, target = sources[modality], tmp_path / "target"
    kilobytes = int(measured(MEASURED, dataset, modality, place, target, 64))
    assert kilobytes * 1024 < 400e6
    assert (target / "data.mdb").stat().st_size > 200e6


@needs_proc
@pytest.mark.parametrize("n_bytes", [40 * 10**6, 60 * 10**6])
def test_memory_of_members_that_inflate(tmp_path, n_bytes):
    """An archive of 100 kB with many members of tens of megabytes needs under 600 MB."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for i in range(24):
            info = tarfile.TarInfo(f"AnnualCrop/AnnualCrop_{i}.tif")
            info.size = n_bytes
            tar.addfile(info, io.BytesIO(bytes(n_bytes)))
    path = tmp_path / "x.tar.zst"
    path.write_bytes(COMPRESSIONS["tar.zst"](file.getvalue()))
    kilobytes = int(measured(MEASURED, EUROSAT.name, "s2", path, tmp_path / "target", 64))
    assert kilobytes * 1024 < 600e6


@needs_proc
def test_memory_of_images_larger_than_the_first(tmp_path):
    """Large images after a small one, whose size promised little memory, need under 600 MB."""
    sources, _ = eurosat(tmp_path / "source", [(8, 8), *[(1000, 1000)] * 15])
    target = tmp_path / "target"
    kilobytes = int(measured(MEASURED, EUROSAT.name, "s2", sources["s2"], target, 64))
    assert kilobytes * 1024 < 600e6
    assert (target / "data.mdb").stat().st_size > 15 * 26e6


def test_patches_larger_than_expected_are_converted_alone(tmp_path, monkeypatch):
    """Patches that exceed the estimate of their group are stored as well, in the same order."""
    shapes = [(4, 4), (200, 200), (4, 4), (300, 300), *[(5, 5)] * 20, (200, 201)]
    sources, pixels = eurosat(tmp_path / "source", shapes)
    alone = []
    convert_one = PatchConverter.convert_one

    def spy(self, patch, max_bytes):
        alone.append(patch.key)
        return convert_one(self, patch, max_bytes)

    monkeypatch.setattr(PatchConverter, "convert_one", spy)
    summary = convert(EUROSAT, sources, tmp_path / "target", n_workers=4, in_flight_bytes=1)
    assert summary.complete
    assert "AnnualCrop_3" in alone
    assert set(alone) < pixels.keys()
    with Store(tmp_path / "target") as store:
        for key, expected in pixels.items():
            assert np.array_equal(store.read(key), expected)
    assert compare_with_sources(tmp_path / "target", in_flight_bytes=1).findings == []


def test_a_patch_beyond_the_limit_is_left_out(tmp_path, monkeypatch):
    """A patch that needs more memory than one may take is a failure that says how to allow it."""
    monkeypatch.setattr(pipeline, "MAX_PATCH_BYTES", 10**6)
    sources, pixels = eurosat(tmp_path / "source", [(4, 4), (300, 300), (5, 5)])
    target = tmp_path / "target"
    (failure,) = convert(EUROSAT, sources, target, in_flight_bytes=1).failures
    assert failure.key == "AnnualCrop_1"
    assert "--memory" in failure.reason
    assert convert(EUROSAT, sources, target, in_flight_bytes=2**24).complete
    with Store(target) as store:
        assert set(store.keys()) == pixels.keys()


def test_the_option_memory(tmp_path):
    """By default a patch may take 144 MiB; ``--memory`` allows more, also for the comparison."""
    sources, _ = eurosat(tmp_path / "source", [(2400, 1300)])
    target = tmp_path / "target"
    command = (EUROSAT.name, "--dataset-dir", sources["s2"], "--target-dir", target)
    refused = run(*command)
    assert refused.returncode == 1
    assert "144 MiB" in refused.stdout + refused.stderr
    assert run(*command, "--memory", "200M").returncode == 0
    assert run("verify", target, "--sources").returncode == 1
    assert run("verify", target, "--sources", "--memory", "200m").returncode == 0
    assert run("verify", target, "--memory", "200M").returncode == 2
    for wrong in ("0", "much", "-1G", "1.5G"):
        assert run(*command, "--memory", wrong).returncode == 2
