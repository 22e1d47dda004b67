"""Drafting specs: they load, and convert what they were drafted from."""

import hashlib
import shutil
from collections import Counter

import numpy as np
import pytest
import tifffile

import corpus
import rico_hdl
from rico_hdl.datasets import registry
from rico_hdl.drafting import sampling
from rico_hdl.drafting.drafting import draft_spec
from rico_hdl.errors import SourceError
from tests.support import image_files
from tests.support.container_files import write_hdf5
from tests.support.reading import arrays
from tests.support.running import run

_DATASETS = [
    *("bigearthnet", "bigearthnet-v1", "eurosat-multi-spectral", "fmow-sentinel", "flair"),
    *("hls-burn-scars", "hyspecnet-11k", "levir-cd", "loveda", "marida", "oscd", "sen12ms-cr"),
    *("sen12ms", "sen1floods11", "ssl4eo-l", "ssl4eo-s12", "treesatai", "uc-merced"),
    *("ftw", "million-aid", "seco"),
]
"""Datasets of different layouts."""


def bits(array):
    """A digest of pixels, shape and dtype."""
    return hashlib.sha1(repr((array.shape, array.dtype.str)).encode() + array.tobytes()).digest()


def patches(store):
    """The patches of a store, each as the digests of its bands, without their names."""
    return Counter(tuple(sorted(map(bits, patch.values()))) for patch in arrays(store).values())


def bands(store):
    """The digests of all bands of a store."""
    return Counter(bits(band) for patch in arrays(store).values() for band in patch.values())


def converted(draft, source, target):
    """The store that a drafted spec gives, without failures."""
    target.with_suffix(".toml").write_text(draft.text, encoding="utf-8")
    loaded = rico_hdl.load_spec(target.with_suffix(".toml"))
    assert loaded == draft.spec
    assert rico_hdl.convert(target.with_suffix(".toml"), source, target).failures == []
    return target


@pytest.mark.parametrize("name", _DATASETS)
def test_drafts_convert_supported_datasets(name, tmp_path):
    """The draft of a supported dataset's files stores every patch with the same pixels."""
    spec = registry()[name]
    sources = corpus.generate(spec, tmp_path / "source", 3)
    made = converted(draft_spec(tmp_path / "source"), tmp_path / "source", tmp_path / "drafted")
    rico_hdl.convert(spec, sources, tmp_path / "expected")
    assert patches(tmp_path / "expected") - patches(made) == Counter()


@pytest.mark.parametrize("name", ["mados", "satlaspretrain", "seasonet"])
def test_drafts_lose_no_band(name, tmp_path):
    """If files of a patch have several bands, or other names, the draft still stores every band."""
    spec = registry()[name]
    sources = corpus.generate(spec, tmp_path / "source", 3)
    made = converted(draft_spec(tmp_path / "source"), tmp_path / "source", tmp_path / "drafted")
    rico_hdl.convert(spec, sources, tmp_path / "expected")
    assert bands(tmp_path / "expected") - bands(made) == Counter()


def write(root, files):
    """Write TIFF, PNG or JPEG files: ``{path: (n_bands, dtype)}``."""
    for number, (path, (n_bands, dtype)) in enumerate(files.items()):
        shape = (n_bands, 16, 16) if n_bands > 1 else (16, 16)
        high = 3 if n_bands == 1 else 250
        data = np.random.default_rng(number).integers(0, high, shape).astype(dtype)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        stack = data.reshape(n_bands, 16, 16)
        if path.endswith(".png"):
            (root / path).write_bytes(image_files.png(stack))
        elif path.endswith(".jpg"):
            (root / path).write_bytes(image_files.jpeg(stack))
        else:
            options = {"planarconfig": "separate"} if n_bands > 1 else {}
            tifffile.imwrite(root / path, data, photometric="minisblack", **options)


IMAGE, GREY = (3, "uint8"), (1, "uint8")
TREES = {
    "the same names in images and masks": (
        {
            f"{folder}/{n}.png": kind
            for n in (1, 2, 3)
            for folder, kind in {"images": IMAGE, "masks": GREY}.items()
        },
        {"images/{number:d}.png": "image", "masks/{number:d}.png": "mask"},
    ),
    "before, after and label, in splits": (
        {
            f"{split}/{folder}/{split}_{n}.png": kind
            for split in ("train", "val", "test")
            for n in (1, 2)
            for folder, kind in {"A": IMAGE, "B": IMAGE, "label": GREY}.items()
        },
        {
            "{split}/A/{split}_{number:d}.png": "image",
            "{split}/B/{split}_{number:d}.png": "image",
            "{split}/label/{split}_{number:d}.png": "mask",
        },
    ),
    "folders of classes": (
        {f"{c}/{c}_{n}.jpg": IMAGE for c in ("Forest", "River", "SeaLake") for n in (1, 2)},
        {"{class}/{class}_{number:d}.jpg": "image"},
    ),
    "a folder of band files for each patch": (
        {f"p_{n}/{b}.tif": (1, "uint16") for n in (1, 2) for b in ("B02", "B03", "B8A")},
        {"p_{number:d}/{band}.tif": "image"},
    ),
    "a folder for each band": (
        {
            f"{scene}/tiles/{band}/{scene}_{n}_{band}.png": GREY
            for scene in ("florence", "nebraska")
            for n in (1, 2)
            for band in ("vv", "vh")
        },
        {"{folder}/tiles/{band}/{folder}_{number:d}_{band}.png": "image"},
    ),
    "images and masks in one folder": (
        {
            f"chips/{country}/{n:04}_{end}.tif": kind
            for country in ("austria", "france")
            for n in (1, 2)
            for end, kind in {"s2": (10, "uint16"), "mask": GREY}.items()
        },
        {
            "chips/{class}/{number:d}_mask.tif": "mask",
            "chips/{class}/{number:d}_s2.tif": "image",
        },
    ),
    "a suffix for masks only": (
        {
            f"{n}{end}.tif": kind
            for n in ("a1", "b2", "c3")
            for end, kind in {"": (4, "uint16"), "_gt": GREY}.items()
        },
        {"{id}.tif": "image", "{id}_gt.tif": "mask"},
    ),
    "one file": ({"scene.tif": (4, "uint16")}, {"{id}.tif": "image"}),
    "numbered files": (
        {f"{n}.tif": (4, "float32") for n in range(4)},
        {"{number:d}.tif": "image"},
    ),
}


@pytest.mark.parametrize("title", TREES)
def test_drafts_convert_common_trees(title, tmp_path):
    """The draft of a common layout has the expected modalities, and stores every file."""
    files, expected = TREES[title]
    write(tmp_path / "source", files)
    draft = draft_spec(tmp_path / "source")
    assert {str(m.files): m.role for m in draft.spec.modalities} == expected
    made = converted(draft, tmp_path / "source", tmp_path / "drafted")
    assert bands(made).total() == sum(n_bands for n_bands, _ in files.values())


@pytest.mark.parametrize("form", ["zip", "gztar"])
def test_archives_are_drafted_like_folders(form, tmp_path):
    """The draft of an archive has the templates of the unpacked folder, and converts it."""
    files, expected = TREES["images and masks in one folder"]
    write(tmp_path / "source", files)
    archive = shutil.make_archive(str(tmp_path / "data"), form, tmp_path / "source")
    draft = draft_spec(archive)
    assert {str(m.files): m.role for m in draft.spec.modalities} == expected
    made = converted(draft, archive, tmp_path / "drafted")
    assert bands(made).total() == sum(n_bands for n_bands, _ in files.values())


def test_a_folder_of_archives_is_drafted(tmp_path):
    """The draft of a folder that holds only archives describes the files in them."""
    files, expected = TREES["folders of classes"]
    write(tmp_path / "source", files)
    (tmp_path / "archives").mkdir()
    shutil.make_archive(str(tmp_path / "archives" / "data"), "zip", tmp_path / "source")
    draft = draft_spec(tmp_path / "archives")
    assert {str(m.files): m.role for m in draft.spec.modalities} == expected
    converted(draft, tmp_path / "archives", tmp_path / "drafted")


def test_classes_become_labels(tmp_path):
    """Folders that are called like classes give the labels of the store."""
    files, _ = TREES["folders of classes"]
    write(tmp_path / "source", files)
    made = converted(draft_spec(tmp_path / "source"), tmp_path / "source", tmp_path / "drafted")
    assert rico_hdl.open(made).classes == ("Forest", "River", "SeaLake")


def test_descriptions_of_bands_name_them(tmp_path):
    """Bands are called as GDAL describes them in the files."""
    rasterio = pytest.importorskip("rasterio")
    (tmp_path / "source").mkdir()
    for n, big in enumerate(["NO", "YES"]):
        transform = rasterio.Affine(10, 0, 0, 0, -10, 0)
        profile = {
            "transform": transform,
            "width": 8,
            "height": 8,
            "count": 2,
            "dtype": "uint16",
            "BIGTIFF": big,
        }
        path = tmp_path / "source" / f"{n}.tif"
        with rasterio.open(path, "w", driver="GTiff", **profile) as file:
            file.write(np.ones((2, 8, 8), "uint16"))
            file.descriptions = ("SWIR & 1", "NIR")
    (modality,) = draft_spec(tmp_path / "source").spec.modalities
    assert modality.band_names == ("SWIR & 1", "NIR")


def test_tables_and_leftovers_are_not_described(tmp_path):
    """Tables are mentioned in a comment, and files that systems leave are ignored."""
    files, expected = TREES["numbered files"]
    write(tmp_path / "source", files | {"._1.tif": GREY, ".cache/7.tif": GREY})
    (tmp_path / "source" / "labels.csv").write_text("id,class\n", encoding="utf-8")
    draft = draft_spec(tmp_path / "source")
    assert {str(m.files) for m in draft.spec.modalities} == set(expected)
    assert "labels.csv" in draft.text


def test_large_folders_are_sampled(tmp_path, monkeypatch):
    """However many folders and files there are, few are listed and few are opened."""
    files = {f"{n:03}/{n:03}_{m}.tif": (2, "uint16") for n in range(300) for m in range(2)}
    write(tmp_path, files)
    listed, opened = [], []
    source = sampling.FolderSource
    entries, read = source.entries, source.read
    monkeypatch.setattr(source, "entries", lambda s, f: listed.append(f) or entries(s, f))
    monkeypatch.setattr(source, "read", lambda s, *a: opened.append(a) or read(s, *a))
    draft = draft_spec(tmp_path)
    assert str(draft.spec.modalities[0].files) == "{number:d}/{number:d}_{number2:d}.tif"
    assert len(listed) <= 65
    assert len(opened) <= sampling.MAX_EXAMINED


def test_the_command_writes_a_draft(tmp_path):
    """`rico-hdl new` writes the draft, names the next command, and that command works."""
    files, _ = TREES["the same names in images and masks"]
    write(tmp_path / "source", files)
    done = run("new", tmp_path / "source", "--output", tmp_path / "my.toml")
    assert done.returncode == 0
    command = done.stdout.splitlines()[-1].split()
    assert command[:2] == ["rico-hdl", "convert"]
    assert run(*command[1:]).returncode == 0
    assert rico_hdl.load_spec(tmp_path / "my.toml").name == "my"


def test_nothing_is_overwritten(tmp_path):
    """An existing file is kept, with exit code 2."""
    write(tmp_path / "source", {"1.tif": GREY})
    (tmp_path / "my.toml").write_text("mine", encoding="utf-8")
    done = run("new", tmp_path / "source", "--output", tmp_path / "my.toml")
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert (tmp_path / "my.toml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no images"),
        ({"a.csv": b"x"}, "files of the kinds .csv"),
        ({"a.tif": b"II*\0"}, "none of its images could be examined: a.tif"),
    ],
)
def test_errors_say_what_was_found(files, message, tmp_path):
    """A source without images that can be decoded is an error with exit code 3."""
    (tmp_path / "source").mkdir()
    for name, data in files.items():
        (tmp_path / "source" / name).write_bytes(data)
    done = run("new", tmp_path / "source", "--output", tmp_path / "my.toml")
    assert done.returncode == 3
    assert message in done.stderr
    assert not (tmp_path / "my.toml").exists()


@pytest.mark.parametrize(
    ("name", "modalities"),
    [
        ("pastis-r", ("s2", "s1a", "s1d", "mask")),
        ("landslide4sense", ("image", "mask")),
        ("so2sat", ("sen2",)),
        ("cabuar", ("post",)),
    ],
)
def test_drafts_convert_array_files(name, modalities, tmp_path):
    """The draft of array files guesses their axes; of a file with several arrays, it takes one."""
    spec = registry()[name]
    sources = corpus.generate(spec, tmp_path / "source", 5)
    draft = draft_spec(tmp_path / "source")
    made = converted(draft, tmp_path / "source", tmp_path / "drafted")
    given = {name: sources[name] for name in modalities}
    rico_hdl.convert(spec, given, tmp_path / "expected")
    assert patches(tmp_path / "expected") == patches(made)
    assert "DECIDE: an array has the shape" in draft.text
    others = {"so2sat": "also holds label, sen1", "cabuar": "also holds mask, pre_fire"}
    assert others.get(name, "") in draft.text


def test_arrays_of_other_kinds_are_no_images(tmp_path):
    """Vectors, texts and damaged files are left out, and large files are not read whole."""
    np.save(tmp_path / "vector.npy", np.ones(3))
    np.savez(tmp_path / "names.npz", names=np.array(["a", "b"]))
    write_hdf5(tmp_path / "labels.h5", {"label": np.ones(3), "name": np.array([b"a"])})
    (tmp_path / "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(SourceError, match="none of its images could be examined"):
        draft_spec(tmp_path)
    write_hdf5(tmp_path / "train.h5", {"image": np.ones((2, 3, 8, 8)), "label": np.ones(2)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "_FILE_BYTES", 1000)
        draft = draft_spec(tmp_path)
    (modality,) = draft.spec.modalities
    assert modality.band_names == ("band1", "band2", "band3")
    assert 'array = "image"' in draft.text
    assert "the file also holds label" in draft.text
