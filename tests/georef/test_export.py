"""Patches are given back as GeoTIFFs that say and hold what the published files do."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

import corpus
import rico_hdl
from rico_hdl.datasets import get
from rico_hdl.exporting.files import export, path_of
from rico_hdl.spec import Band
from rico_hdl.spec.bands import BandFile
from rico_hdl.spec.toml_form import load_spec
from tests.georef.test_georef import SAMPLES, STACK, TOML, UNUSUAL
from tests.support.geotiffs import geotiff, opened, said
from tests.support.reading import records, same_bits
from tests.support.running import run


def check_same(original: Path, exported: Path) -> None:
    """Assert that two files say and hold the same."""
    with opened(original) as before, opened(exported) as after:
        assert said(after) == said(before), original
        assert after.dtypes == before.dtypes
        assert same_bits(after.read(), before.read())
        assert after.photometric == before.photometric
        assert after.colorinterp == before.colorinterp
        if before.colorinterp[0] is ColorInterp.palette:
            assert after.colormap(1) == before.colormap(1)


def exported_path(folder: Path, spec, modality, key: str, number: int) -> Path:
    """The path of an exported file, by its position among those of the patch."""
    above = folder / modality.folder if len(spec.modalities) > 1 else folder
    files = modality.band_files
    return above / path_of(key, modality, files[number], is_split=len(files) > 1)


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_come_back(samples, tmp_path, name):
    """Real files come back with the same pixels, place, nodata, descriptions and metadata."""
    spec = get(name)
    sources = {}
    for modality, (folder, above) in SAMPLES[name].items():
        shutil.copytree(samples / folder, tmp_path / modality / above)
        sources[modality] = tmp_path / modality
    rico_hdl.convert(spec, sources, tmp_path / "store")
    summary = export(tmp_path / "store", tmp_path / "out")
    assert (summary.n_patches, summary.n_unplaced) == (len(records(tmp_path / "store")), 0)
    n_files = 0
    for modality in spec.modalities:
        for path in sorted(sources.get(modality.name, tmp_path / "none").rglob("*")):
            match = modality.files.match(path.relative_to(sources[modality.name]).as_posix())
            if match is None or match.get("band", modality.tokens[0]) not in modality.tokens:
                continue
            number = modality.tokens.index(match.get("band", modality.tokens[0]))
            key = modality.key.format(match)
            check_same(path, exported_path(tmp_path / "out", spec, modality, key, number))
            n_files += 1
    assert n_files == summary.n_files == sum(p.is_file() for p in (tmp_path / "out").rglob("*"))


@pytest.mark.parametrize("compression", ["deflate", "none"])
def test_every_dataset_comes_back(spec, tmp_path, compression):
    """The same holds for the corpus; records of other formats come back as plain files."""
    if compression == "none" and len(spec.modalities) > 3:
        pytest.skip("once is enough for the large ones")
    sources = corpus.generate(spec, tmp_path / "source", 2)
    rico_hdl.convert(spec, sources, tmp_path / "store")
    for modality in spec.modalities:
        folder = tmp_path / "out" / modality.name
        keys = rico_hdl.open(tmp_path / "store").keys(modality.name)
        summary = export(tmp_path / "store", folder, keys, compression=compression)
        is_tiff = modality.suffix.lower() in {".tif", ".tiff"} and modality.arrays is None
        assert summary.n_unplaced == (0 if is_tiff else 2)
        for patch in corpus.patches(spec, modality, 2):
            for number, name in enumerate(patch.files):
                path = exported_path(folder, spec, modality, patch.key, number)
                if is_tiff:
                    check_same(sources[modality.name] / name, path)
            stored = rico_hdl.open(tmp_path / "store")[patch.key]
            with opened(path) as file:
                band = stored[modality.names_in_files[-1]]
                # GDAL reads half floats as floats.
                assert same_bits(file.read(file.count).astype(band.dtype), band)
                assert (file.compression is None) == (compression == "none")


def test_an_export_can_be_converted_again(tmp_path):
    """Exported files with the publisher's names convert to the same records."""
    spec = get("eurosat-multi-spectral")
    sources = corpus.generate(spec, tmp_path / "source", 5)
    rico_hdl.convert(spec, sources, tmp_path / "store")
    export(tmp_path / "store", tmp_path / "out")
    rico_hdl.convert(spec, {"s2": tmp_path / "out"}, tmp_path / "again")
    assert records(tmp_path / "again") == records(tmp_path / "store")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_files_come_back(tmp_path, name):
    """Rotated and self-defined places, and files without one, come back."""
    (tmp_path / "chips.toml").write_text(TOML)
    geotiff(tmp_path / "source" / "1.tif", STACK, **UNUSUAL[name])
    with rasterio.open(tmp_path / "source" / "1.tif", "r+") as file:
        file.descriptions = ("blue & <red>", 'a "ü"')
        file.scales, file.offsets, file.units = (0.1, 1), (-5, 0), ("K", "")
        file.update_tags(text="a & b < c > d \" ' ü", TIFFTAG_SOFTWARE="pencil")
        file.update_tags(1, wavelength="0.49 & more")
    rico_hdl.convert(
        load_spec(tmp_path / "chips.toml"), {"image": tmp_path / "source"}, tmp_path / "store"
    )
    export(tmp_path / "store", tmp_path / "out")
    check_same(tmp_path / "source" / "1.tif", tmp_path / "out" / "1.tif")
    with opened(tmp_path / "out" / "1.tif") as file:
        assert file.tags()["TIFFTAG_SOFTWARE"] == "pencil"


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint64", "float16", "float64", "uint32"])
def test_dtypes_come_back(tmp_path, dtype):
    """Pixels of any dtype come back, compressed or not."""
    (tmp_path / "chips.toml").write_text(TOML)
    (tmp_path / "source").mkdir()
    import tifffile

    stack = np.random.default_rng(1).integers(0, 99, STACK.shape).astype(dtype)
    tifffile.imwrite(
        tmp_path / "source" / "1.tif", stack, planarconfig="separate", photometric="minisblack",
        metadata=None,
    )  # fmt: skip
    rico_hdl.convert(
        load_spec(tmp_path / "chips.toml"), {"image": tmp_path / "source"}, tmp_path / "store"
    )
    for compression in ("deflate", "none"):
        export(tmp_path / "store", tmp_path / compression, compression=compression)
        assert same_bits(tifffile.imread(tmp_path / compression / "1.tif"), stack)


def test_keys_and_modalities_are_chosen(tmp_path):
    """The command writes the named patches, those of a file, or those of a modality."""
    spec = get("bigearthnet")
    sources = corpus.generate(spec, tmp_path / "source", 3)
    rico_hdl.convert(spec, sources, tmp_path / "store")
    keys = rico_hdl.open(tmp_path / "store").keys("s2")
    store, out = tmp_path / "store", tmp_path / "out"
    assert "12 files of 1 patches" in run("export", store, out, keys[0]).stdout
    assert len([*out.rglob("*.tif")]) == 12
    result = run("export", store, out, keys[0])
    assert result.returncode == 2
    assert "exists already" in result.stderr
    assert run("export", store, out, keys[0], "--overwrite", "--quiet").stdout == ""
    (tmp_path / "keys.txt").write_text("\n".join(keys[1:]) + "\n")
    options = ["--keys", tmp_path / "keys.txt", "--modality", "s2", "--compression", "none"]
    assert "24 files of 2 patches" in run("export", store, out, *options).stdout
    result = run("export", store, tmp_path / "s1", "--modality", "s1", "--json")
    assert '"n_patches": 3' in result.stdout
    result = run("export", store, tmp_path / "none", "S2A_nowhere")
    assert result.returncode == 2
    assert "has no patch 'S2A_nowhere'" in result.stderr
    (store / "rico-hdl.georef").unlink()
    result = run("export", store, tmp_path / "plain", keys[0])
    assert "nothing is known about 1 of the patches" in result.stderr
    before = {path: path.read_bytes() for path in store.iterdir()}
    run("georef", store)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("key", ["../up", "a/../../up", "/root", "a//b", "a\\b"])
def test_keys_that_lead_elsewhere_are_refused(key):
    """No file is written outside of the folder."""
    with pytest.raises(rico_hdl.StoreError, match="can't be the path of a file"):
        path_of(key, None, BandFile((Band("B02"),), ("B02",)), is_split=False)


def test_patches_whose_folders_the_keys_lack_stay_apart(tmp_path):
    """If a key doesn't tell a folder in the middle, files are called like keys: none is lost."""
    toml = tmp_path / "views.toml"
    toml.write_text(
        'name = "views"\n[[modality]]\nname = "rgb"\nfiles = "{region}/{sensor}/{name}.tif"\n'
        'key = "{region}_{name}"\nbands = ["R", "G", "B"]\n',
        encoding="utf-8",
    )
    stacks = {region: np.full((3, 8, 8), i, "uint8") for i, region in enumerate(("a", "b"))}
    for region, stack in stacks.items():
        geotiff(tmp_path / "source" / region / "cam" / "1.tif", stack)
    rico_hdl.convert(load_spec(toml), {"rgb": tmp_path / "source"}, tmp_path / "store")
    export(tmp_path / "store", tmp_path / "out", overwrite=True)
    for region, stack in stacks.items():
        with opened(tmp_path / "out" / f"{region}_1.tif") as file:
            assert same_bits(file.read(), stack)
