"""Users' datasets of unusual layouts: the stored pixels are those of the files, from any source."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile

import lmdb
import numpy as np
import pytest
import tifffile
from safetensors.numpy import load

import corpus
import rico_hdl
from corpus.archives import publish
from rico_hdl.datasets import registry
from rico_hdl.errors import SourceError
from rico_hdl.spec.toml_form import spec_of
from rico_hdl.testing import check_spec
from tests.support.reading import assert_same
from tests.support.running import driven, run


def modality(files, key, bands, **options):
    """The table of a modality called x."""
    return {"name": "x", "files": files, "key": key, "bands": bands, **options}


RGB = [{"name": name, "token": "10m_RGB", "index": i} for i, name in enumerate(("R", "G", "B"), 1)]
FILES = modality("{season}/{id}_{band}.tif", "{season}_{id}", [*RGB[::-1], "IR"])
FOLDERS = modality("{scene}/tiles/{band}/{id}_{band}.tif", "{scene}_{id}", ["VV", "VH"])
SPELLED = modality(
    "{scene}/{band_folder}/{scene}_{band}_{n:d}.tif",
    "{scene}_{n:d}",
    [
        {"name": "B1", "token": ["443", "442"], "folder": "60"},
        {"name": "B2", "token": "492", "folder": "10"},
    ],
)
SPANNED = modality("train/{class:*}/{id}.tif", "{id}", ["grey"])
REGIONS = modality(
    "{country}/images/{id}.tif", "{country}_{id}", ["a", "b"], archive_names_folder=True
)
ANCHORED = modality("s2/60m/{id}.tif", "{id}", ["a"])
TREES = {
    "several bands in several files": (
        FILES,
        {
            f"{season}/{n}_{token}.tif": (f"{season}_{n}", names)
            for season in ("fall", "snow")
            for n in (1, 2)
            for token, names in {"10m_RGB": "RGB", "IR": ["IR"]}.items()
        },
    ),
    "folders of bands": (
        FOLDERS,
        {
            f"{scene}/tiles/{band}/{n}_{band}.tif": (f"{scene}_{n}", [band])
            for scene in ("s1", "s2")
            for n in (1, 2, 3)
            for band in ("VV", "VH")
        },
    ),
    "several spellings": (
        SPELLED,
        {
            f"{scene}/{path}_{n}.tif": (f"{scene}_{n}", [band])
            for scene, b1 in {"s1": "443", "s2": "442"}.items()
            for n in (1, 2)
            for path, band in {f"60/{scene}_{b1}": "B1", f"10/{scene}_492": "B2"}.items()
        },
    ),
    "spanned folders": (
        SPANNED,
        {
            f"train/{folder}/P{n}.tif": (f"P{n}", ["grey"])
            for n, folder in enumerate(("a", "a/b", "c/d/e"))
        },
    ),
    "regions": (
        REGIONS,
        {
            f"{country}/images/{n}.tif": (f"{country}_{n}", "ab")
            for country in ("austria", "south_africa")
            for n in (0, 1)
        },
    ),
    "a folder with a name": (ANCHORED, {f"s2/60m/{n}.tif": (str(n), "a") for n in range(3)}),
}


def spec_for(table):
    """The spec with that modality."""
    return spec_of({"name": "own", "modality": [table]})


def write(root, tree):
    """Write the files of a tree; returns the bands of each patch by key."""
    expected = {}
    for number, (path, (key, names)) in enumerate(tree.items()):
        shape = (len(names), 4, 5)
        data = np.random.default_rng(number).integers(0, 60_000, shape).astype("uint16")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        options = {"planarconfig": "separate"} if len(names) > 1 else {}
        pixels = data if len(names) > 1 else data[0]
        tifffile.imwrite(root / path, pixels, photometric="minisblack", **options)
        expected.setdefault(key, {}).update(zip(names, data, strict=True))
    return expected


def assert_stored(target, expected):
    """Check with lmdb and safetensors that a store holds exactly these bands."""
    with lmdb.open(str(target), readonly=True, lock=False) as env, env.begin() as txn:
        found = {key.decode(): load(value) for key, value in txn.cursor()}
    assert found.keys() == expected.keys()
    for key, bands in expected.items():
        assert found[key].keys() == bands.keys()
        for name, pixels in bands.items():
            assert np.array_equal(found[key][name], pixels), (key, name)


def pack(root, path, *, top=""):
    """Pack a folder's files as a tar or a zip, by the name's extension."""
    files = sorted(file for file in root.rglob("*") if file.is_file())
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, top + file.relative_to(root).as_posix())
    else:
        with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
            for file in files:
                archive.add(file, top + file.relative_to(root).as_posix())
    return path


@pytest.fixture(params=sorted(TREES))
def tree(request, tmp_path):
    """A spec, the folder with its files, and the bands of each patch by key."""
    table, files = TREES[request.param]
    return spec_for(table), tmp_path / "source", write(tmp_path / "source", files)


@pytest.mark.parametrize("form", ["folder", "tar", "zip", "tar.gz below a folder"])
def test_pixels_are_those_of_the_files(tree, tmp_path, form):
    """Every layout gives the pixels of its files, and they compare equal with the sources."""
    spec, source, expected = tree
    place = source
    if form != "folder":
        suffix, _, below = form.partition(" ")
        place = pack(source, tmp_path / f"x.{suffix}", top="top/" if below else "")
    assert rico_hdl.convert(spec, {"x": place}, tmp_path / "store").complete
    assert_stored(tmp_path / "store", expected)
    assert rico_hdl.verify(tmp_path / "store").findings == []
    found = rico_hdl.compare_with_sources(tmp_path / "store")
    assert (found.findings, found.n_records) == ([], len(expected))
    again = rico_hdl.convert(spec, {"x": place}, tmp_path / "store")
    assert (again.n_written, again.n_present, again.complete) == (
        {"x": 0},
        {"x": len(expected)},
        True,
    )


@pytest.mark.parametrize("title", sorted(TREES))
def test_samples_pass_the_test_for_any_spec(title, tmp_path):
    """Samples of such specs are generated, converted and compared, as for built-in datasets."""
    check_spec(spec_for(TREES[title][0]), tmp_path)


def test_a_patch_with_two_spellings_is_left_out(tmp_path):
    """A patch with two files for a band is a failure that names both; others are stored."""
    spec = spec_for(SPELLED)
    expected = write(tmp_path / "source", TREES["several spellings"][1])
    shutil.copy(tmp_path / "source/s1/60/s1_443_2.tif", tmp_path / "source/s1/60/s1_442_2.tif")
    summary = rico_hdl.convert(spec, tmp_path / "source", tmp_path / "folder")
    (failure,) = summary.failures
    assert failure.key == "s1_2"
    assert "two files for band B1, named 443 and 442" in failure.reason
    del expected["s1_2"]
    assert_stored(tmp_path / "folder", expected)
    for suffix in ("tar", "zip"):
        archive = pack(tmp_path / "source", tmp_path / f"x.{suffix}")
        summary = rico_hdl.convert(spec, {"x": archive}, tmp_path / suffix)
        assert [failure.key for failure in summary.failures] == ["s1_2"]
        assert "two files for band B1" in summary.failures[0].reason
        assert not summary.complete


def test_the_number_of_bands_of_each_file_is_checked(tmp_path):
    """A file with another number of bands than the spec names costs its patch."""
    spec = spec_for(FILES)
    expected = write(tmp_path / "source", TREES["several bands in several files"][1])
    write(tmp_path / "source", {"fall/1_10m_RGB.tif": ("x", "RG")})
    summary = rico_hdl.convert(spec, tmp_path / "source", tmp_path / "store")
    (failure,) = summary.failures
    assert (failure.key, failure.path) == (
        "fall_1",
        str(tmp_path / "source/fall/1_10m_RGB.tif"),
    )
    assert failure.reason == "the file has 2 bands, expected 3"
    del expected["fall_1"]
    assert_stored(tmp_path / "store", expected)


def regions(tmp_path, *, suffix=".zip"):
    """An archive for each country, without its folder; returns their folder and the bands."""
    expected = write(tmp_path / "source", TREES["regions"][1])
    (tmp_path / "downloads").mkdir()
    for folder in (tmp_path / "source").iterdir():
        pack(folder, tmp_path / "downloads" / f"{folder.name}{suffix}")
    return tmp_path / "downloads", expected


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_archives_are_called_like_the_folder_that_they_lack(tmp_path, suffix):
    """Archives in a folder, one of them, or a part of a split one give the keys of folders."""
    spec = spec_for(REGIONS)
    downloads, expected = regions(tmp_path, suffix=suffix)
    assert rico_hdl.convert(spec, downloads, tmp_path / "all").complete
    assert_stored(tmp_path / "all", expected)
    assert rico_hdl.compare_with_sources(tmp_path / "all").findings == []
    one = downloads / f"south_africa{suffix}"
    rico_hdl.convert(spec, {"x": [one]}, tmp_path / "one")
    southern = {key: bands for key, bands in expected.items() if key.startswith("south_africa")}
    assert_stored(tmp_path / "one", southern)
    if suffix != ".zip":
        data = one.read_bytes()
        for i, part in enumerate((data[:700], data[700:])):
            (tmp_path / f"south_africa{suffix}.part-a{'ab'[i]}").write_bytes(part)
        rico_hdl.convert(
            spec, {"x": tmp_path / f"south_africa{suffix}.part-ab"}, tmp_path / "split"
        )
        assert_stored(tmp_path / "split", southern)
    done = run(
        *("convert", toml_of(tmp_path, REGIONS), "--dataset-dir", downloads),
        *("--target-dir", tmp_path / "none", "--dry-run"),
    )
    assert done.returncode == 0, done.stderr
    assert "austria_0" in done.stdout
    assert "problems: none found" in done.stdout


def toml_of(tmp_path, table):
    """The TOML file of a spec with a modality of plain values."""
    lines = ['name = "own"', "[[modality]]"]
    for name, value in table.items():
        text = str(value).lower() if isinstance(value, bool) else repr(value)
        lines.append(f"{name} = {text}")
    (tmp_path / "own.toml").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "own.toml"


def test_archives_with_the_folder_inside_give_the_same(tmp_path):
    """If an archive has the folder after all, its own name does not matter."""
    expected = write(tmp_path / "source", TREES["regions"][1])
    archive = pack(tmp_path / "source", tmp_path / "all countries.zip")
    rico_hdl.convert(spec_for(REGIONS), {"x": archive}, tmp_path / "store")
    assert_stored(tmp_path / "store", expected)


def test_a_single_region_is_named_by_its_folder(tmp_path):
    """The folder of a single region gives its name; failures name files where they are."""
    spec = spec_for(REGIONS)
    expected = write(tmp_path / "source", TREES["regions"][1])
    austria = {key: bands for key, bands in expected.items() if key.startswith("austria")}
    (tmp_path / "source/austria/images/2.tif").write_bytes(b"damaged")
    for n, place in enumerate(("austria", "austria/images")):
        folder, target = tmp_path / "source" / place, tmp_path / f"store{n}"
        summary = rico_hdl.convert(spec, folder, target)
        assert_stored(target, austria)
        (failure,) = summary.failures
        assert failure.path == str(tmp_path / "source/austria/images/2.tif")
    (tmp_path / "source/austria/images/2.tif").unlink()
    assert rico_hdl.convert(spec, tmp_path / "source/austria", tmp_path / "store0").complete
    assert rico_hdl.compare_with_sources(tmp_path / "store0").findings == []
    (tmp_path / "link").symlink_to(tmp_path / "source/austria")
    rico_hdl.convert(spec, tmp_path / "link", tmp_path / "linked")
    assert_stored(tmp_path / "linked", {f"link_{k[8:]}": v for k, v in austria.items()})


@pytest.mark.parametrize("place", ["", "s2", "s2/60m"])
def test_a_source_may_be_a_folder_that_the_template_begins_with(tmp_path, place):
    """Folders and archives may be named at each of the folders that the template names."""
    spec = spec_for(ANCHORED)
    expected = write(tmp_path / "data", TREES["a folder with a name"][1])
    rico_hdl.convert(spec, tmp_path / "data" / place, tmp_path / "store")
    assert_stored(tmp_path / "store", expected)
    assert rico_hdl.compare_with_sources(tmp_path / "store").findings == []
    for suffix in ("zip", "tar"):
        archive = pack(tmp_path / "data", tmp_path / f"x.{suffix}")
        rico_hdl.convert(spec, {"x": archive / place}, tmp_path / suffix)
        assert_stored(tmp_path / suffix, expected)
        assert rico_hdl.compare_with_sources(tmp_path / suffix).findings == []


def test_a_folder_of_another_name_is_refused(tmp_path):
    """Files in a folder that is called otherwise are not taken for those of the template."""
    write(tmp_path / "data", {"s2/10m/1.tif": ("1", "a")})
    for place in (tmp_path / "data/s2/10m", tmp_path / "data/s2"):
        with pytest.raises(SourceError, match="no own"):
            rico_hdl.convert(spec_for(ANCHORED), place, tmp_path / "store")


def test_fields_of_paths_are_known_for_each_patch(tmp_path):
    """A patch gives the fields of its path that its key lacks, also in archives."""
    from rico_hdl.patches.opening import open_all
    from rico_hdl.patches.supply import Supply
    from rico_hdl.values import Patch

    spec = spec_for(SPANNED)
    write(tmp_path / "source", TREES["spanned folders"][1])
    archive = pack(tmp_path / "source", tmp_path / "x.zip", top="top/train/")
    for place, above in ((tmp_path / "source", ""), (archive, "train/")):
        items = Supply(spec, open_all(spec, {"x": place})).items()
        found = {item.key: item.fields["class"] for item in items if isinstance(item, Patch)}
        # Folders that may belong to the class do.
        assert found == {"P0": f"{above}a", "P1": f"{above}a/b", "P2": f"{above}c/d/e"}


@pytest.mark.parametrize("name", ["ftw", "mados", "million-aid", "seasonet"])
@pytest.mark.parametrize("form", ["folders", "archives"])
def test_killed_and_continued(tmp_path, name, form):
    """A conversion that was killed after some commits continues, and stores the same records."""
    spec = registry()[name]
    sources = corpus.generate(spec, tmp_path / "source", 6)
    places = sources if form == "folders" else publish(spec, sources, tmp_path / "downloads")
    options = [part for m in spec.modalities for part in (m.option, places[m.name])]
    target = tmp_path / "store"
    killed = subprocess.run(
        driven("journal", 1, spec.name, *options, "--target-dir", target), check=False
    )
    assert killed.returncode == -9
    summary = rico_hdl.convert(spec, places, target)
    assert (summary.failures, summary.complete) == ([], True)
    rico_hdl.convert(spec, sources, tmp_path / "whole")
    assert_same(target, tmp_path / "whole")
    assert rico_hdl.compare_with_sources(target).findings == []


def test_archives_of_all_splits_are_read(tmp_path):
    """Archives whose published names have no wildcard belong together."""
    table = modality("{split}/{id}.tif", "{split}_{id}", ["a"])
    table["downloads"] = {"train.zip": "", "val.zip": ""}
    expected = {}
    (tmp_path / "downloads").mkdir()
    for split in ("train", "val", "other"):
        files = {f"{split}/1.tif": (f"{split}_1", "a")}
        written = write(tmp_path / split, files)
        expected |= written if split != "other" else {}
        pack(tmp_path / split, tmp_path / "downloads" / f"{split}.zip")
    rico_hdl.convert(spec_for(table), tmp_path / "downloads", tmp_path / "store")
    assert_stored(tmp_path / "store", expected)
