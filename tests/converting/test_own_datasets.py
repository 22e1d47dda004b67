"""Datasets that users describe: from a TOML file to a store that describes itself."""

import json
import shutil

import numpy as np
import pytest
import tifffile

import rico_hdl
from rico_hdl.spec import Band, DatasetSpec, Modality, Template
from tests.support.running import run

MASKS = """
name = "chips"

[[modality]]
name = "image"
files = "{country}/{id}_image.tif"
key = "{country}_{id}_image"
bands = ["Red", "Green", "Blue"]
presets = {rgb = ["Red", "Green", "Blue"]}

[[modality]]
name = "mask"
files = "{country}/{id}_mask.tif"
key = "{country}_{id}_mask"
bands = ["mask"]
"""
CHANGE = """
name = "change"

[[modality]]
name = "before"
folder = "A"
files = "{id}.tif"
key = "{id}_before"
bands = ["Red", "Green", "Blue"]

[[modality]]
name = "after"
folder = "B"
files = "{id}.tif"
key = "{id}_after"
bands = ["Red", "Green", "Blue"]
"""


def write(path, n_bands, start):
    """Write an image and return its pixels."""
    pixels = np.arange(start, start + 6 * 5 * n_bands, dtype=np.uint16).reshape(n_bands, 6, 5)
    path.parent.mkdir(parents=True, exist_ok=True)
    planar = {"planarconfig": "separate"} if n_bands > 1 else {}
    tifffile.imwrite(path, pixels if n_bands > 1 else pixels[0], photometric="minisblack", **planar)
    return pixels


@pytest.fixture
def masks(tmp_path):
    """A spec of images with masks, their folder, and the pixels by key."""
    (tmp_path / "chips.toml").write_text(MASKS, encoding="utf-8")
    pixels = {}
    for i in range(6):
        for name, n_bands in (("image", 3), ("mask", 1)):
            path = tmp_path / "chips" / "north" / f"{i}_{name}.tif"
            pixels[f"north_{i}_{name}"] = write(path, n_bands, 100 * i + n_bands)
    return tmp_path / "chips.toml", tmp_path / "chips", pixels


@pytest.fixture
def change(tmp_path):
    """A spec of image pairs with the same bands and names, their folder, and the pixels by key."""
    (tmp_path / "change.toml").write_text(CHANGE, encoding="utf-8")
    pixels = {}
    for i in range(5):
        for folder, name in (("A", "before"), ("B", "after")):
            path = tmp_path / "pairs" / folder / f"{i}.tif"
            pixels[f"{i}_{name}"] = write(path, 3, 1000 * (name == "after") + i)
    return tmp_path / "change.toml", tmp_path / "pairs", pixels


def assert_stored(target, pixels):
    """Check that a store holds exactly these pixels."""
    with rico_hdl.open(target) as store:
        assert set(store.keys()) == pixels.keys()
        for key, expected in pixels.items():
            assert np.array_equal(store.read(key), expected)


def test_a_dataset_described_by_a_file(tmp_path, masks):
    """A TOML file and a folder suffice to convert, inspect, verify, compare and read a dataset."""
    spec, folder, pixels = masks
    target = tmp_path / "store"
    done = run("convert", spec, "--dataset-dir", folder, "--target-dir", target)
    assert done.returncode == 0, done.stderr
    assert_stored(target, pixels)
    spec.unlink()  # the store describes itself
    info = run("info", target).stdout
    assert "chips" in info
    assert "mask: 6 patches" in info
    assert run("verify", target).returncode == 0
    assert run("verify", target, "--sources").returncode == 0
    with rico_hdl.open(target) as store:
        assert (store.dataset, store.modalities) == ("chips", ("image", "mask"))
        assert store.bands("image") == ("Red", "Green", "Blue")
        assert store.presets("image")["rgb"] == ("Red", "Green", "Blue")
        assert list(store.keys("mask")) == sorted(k for k in pixels if k.endswith("_mask"))
    moved = tmp_path / "moved"
    shutil.move(folder, moved)
    again = run("verify", target, "--sources", "--image-dir", moved, "--mask-dir", moved)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("journal", [True, False])
def test_modalities_that_share_their_bands(tmp_path, change, journal):
    """Images before and after an event are told apart by their keys, also without a journal."""
    spec, folder, pixels = change
    target = tmp_path / "store"
    assert rico_hdl.convert(spec, folder, target).complete
    assert_stored(target, pixels)
    if not journal:
        (target / "rico-hdl.journal").unlink()
    with rico_hdl.open(target) as store:
        assert store.modalities == ("before", "after")
        for name in store.modalities:
            assert list(store.keys(name)) == [f"{i}_{name}" for i in range(5)]
    info = rico_hdl.inspect(target)
    assert {name: one.n_patches for name, one in info.modalities.items()} == {
        "before": 5,
        "after": 5,
    }
    again = rico_hdl.convert(spec, folder, target)
    assert (again.n_present, again.complete) == ({"before": 5, "after": 5}, True)
    (folder / "B" / "3.tif").unlink()
    (finding,) = rico_hdl.compare_with_sources(target).findings
    assert (finding.kind, finding.key) == ("extra", "3_after")


def test_a_store_is_never_taken_for_another_dataset(tmp_path, masks):
    """A store that says what it is keeps its names, though a built-in dataset has its bands."""
    spec, folder, _ = masks
    images = rico_hdl.load_spec(spec).modality("image")
    mine = DatasetSpec("uc-merced", "Mine", "", "", "", (images,))  # even if it has its name
    rico_hdl.convert(mine, {"image": folder}, tmp_path / "store")
    with rico_hdl.open(tmp_path / "store") as store:
        assert store.modalities == ("image",)
        assert len(store.keys("image")) == 6
    assert [*rico_hdl.inspect(tmp_path / "store").modalities] == ["image"]
    assert rico_hdl.compare_with_sources(tmp_path / "store").findings == []


@pytest.mark.parametrize("classes", ["", 'classes = ["river", "lake", "river1"]'])
def test_labels_that_keys_name(tmp_path, classes):
    """The class of a patch is a field of its key; listed classes decide where the field ends."""
    spec = f"""
name = "waters"
[[modality]]
name = "image"
files = "{{class}}/{{class}}{"" if classes else "_"}{{number:d}}.tif"
key = "{{class}}{"" if classes else "_"}{{number}}_image"
bands = ["a"]
[[modality]]
name = "mask"
role = "mask"
classes = ["land", "water"]
ignore = 255
files = "masks/{{number:d}}.tif"
key = "{{number}}_mask"
bands = ["mask"]
[labels]
field = "class"
{classes}
"""
    (tmp_path / "waters.toml").write_text(spec, encoding="utf-8")
    names = ["river12", "lake3", "river11"] if classes else ["river_12", "lake_3", "sea_1"]
    for name in names:
        write(tmp_path / "waters" / name.rstrip("0123456789").rstrip("_") / f"{name}.tif", 1, 7)
    write(tmp_path / "waters" / "masks" / "1.tif", 1, 7)
    assert rico_hdl.convert(tmp_path / "waters.toml", tmp_path / "waters", tmp_path / "s").complete
    with rico_hdl.open(tmp_path / "s") as store:
        keys = [f"{name}_image" for name in names]
        found = [store.classes[i] for i in store.labels(keys)]
        assert found == (["river", "lake", "river"] if classes else ["river", "lake", "sea"])
        assert store.classes == (
            ("river", "lake", "river1") if classes else ("lake", "river", "sea")
        )
        assert store.labels([]).shape == (0,)
        mask = store.spec.modality("mask")
        assert (mask.role, mask.classes, mask.ignore) == ("mask", ("land", "water"), 255)
        with pytest.raises(rico_hdl.UsageError, match="'1_mask' names no class"):
            store.labels(["1_mask"])


def test_stores_without_labels(tmp_path, change):
    """A store whose keys name no class has no classes, and says what to do for labels."""
    spec, folder, _ = change
    rico_hdl.convert(spec, folder, tmp_path / "store")
    with rico_hdl.open(tmp_path / "store") as store:
        assert store.classes == ()
        with pytest.raises(rico_hdl.UsageError, match="name no classes"):
            store.labels(store.keys())


def test_one_source_for_all_modalities(tmp_path, masks):
    """One place serves all modalities that it holds; the others are skipped, with a note."""
    spec, folder, pixels = masks
    for path in folder.rglob("*_mask.tif"):
        path.unlink()
    target = tmp_path / "store"
    done = run("convert", spec, "--dataset-dir", folder, "--target-dir", target)
    assert done.returncode == 0
    assert "holds no mask patches" in done.stderr
    assert_stored(target, {k: v for k, v in pixels.items() if k.endswith("_image")})
    (warning,) = rico_hdl.convert(spec, folder, tmp_path / "other").warnings
    assert "mask is skipped" in warning
    shutil.rmtree(folder / "north")
    (folder / "readme.txt").write_text("x")
    nothing = run("convert", spec, "--dataset-dir", folder, "--target-dir", tmp_path / "none")
    assert nothing.returncode == 3
    assert "{country}/{id}_image.tif" in nothing.stderr


def test_an_archive_for_all_modalities(tmp_path, masks):
    """An archive with the files of all modalities is read once for each."""
    spec, folder, pixels = masks
    archive = shutil.make_archive(str(tmp_path / "chips"), "gztar", folder)
    target = tmp_path / "store"
    done = run("convert", spec, "--dataset-dir", archive, "--target-dir", target)
    assert done.returncode == 0, done.stderr
    assert_stored(target, pixels)


def test_built_in_datasets_take_one_source_too(tmp_path, bigearthnet):
    """A built-in dataset finds its modalities below one folder, by the publisher's names."""
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    for name, folder in (("s1", "BigEarthNet-S1"), ("s2", "BigEarthNet-S2")):
        shutil.copytree(bigearthnet[name], downloads / folder)
    done = run(
        *("convert", "bigearthnet", "--dataset-dir", downloads),
        *("--target-dir", tmp_path / "store", "--json"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {n for n, count in found["n_written"].items() if count} == {"s1", "s2"}
    assert "reference" in done.stderr


def test_unknown_datasets_and_files(tmp_path):
    """A name that is neither a dataset nor a file is an error that says what is expected."""
    for name in ("nothing", tmp_path / "missing.toml"):
        done = run("convert", name, "--dataset-dir", tmp_path, "--target-dir", tmp_path / "x")
        assert done.returncode in {2, 3}
        assert str(name) in done.stderr
        assert "Traceback" not in done.stderr
    assert "TOML" in run("convert", "--help").stdout


def test_keys_of_modalities_must_differ():
    """A dataset whose modalities may have the same key is refused, with an example."""
    bands = (Band("a"),)
    modalities = [
        Modality(
            name=name,
            title=name,
            option=f"--{name}-dir",
            files=Template.parse(f"{name}/{{id}}.tif"),
            key=Template.parse(key),
            bands=bands,
            example=f"{name}/x.tif",
            folder="",
        )
        for name, key in (("image", "{id}"), ("mask", "{id}_mask"))
    ]
    with pytest.raises(rico_hdl.RicoError, match="image and mask may have the same key"):
        DatasetSpec("x", "X", "", "", "", tuple(modalities))
