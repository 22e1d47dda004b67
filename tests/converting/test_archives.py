"""Converting publishers' downloads without unpacking them."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

import corpus
from corpus.archives import COMPRESSIONS, PUBLISHED, publish, split, tar_of, zip_of
from rico_hdl.converting.conversion import convert
from rico_hdl.datasets import get, registry
from rico_hdl.errors import SourceError, UsageError
from rico_hdl.store import Manifest
from tests.conftest import TYPICAL
from tests.converting.test_golden import SOURCES
from tests.support.reading import assert_same, records

N_PATCHES = {"major-tom-core": 2, "hyspecnet-11k": 4}


@pytest.fixture
def s2(tmp_path) -> Path:
    """The folder of a few BigEarthNet S2 patches."""
    spec = get("bigearthnet")
    return corpus.generate(spec, tmp_path / "source", 8, modalities=["s2"])["s2"]


def converted(tmp_path, named, dataset="bigearthnet", modality="s2"):
    """The target of a complete conversion of one modality."""
    target = tmp_path / f"target-{len(list(tmp_path.glob('target-*')))}"
    summary = convert(dataset, {modality: named}, target)
    assert summary.failures == []
    assert summary.complete
    return target


@pytest.mark.parametrize("name", [spec.name for spec in TYPICAL if spec.name in PUBLISHED])
def test_published_archives_give_the_folders_records(tmp_path, name):
    """Archives in each publisher's form give the same records as the unpacked folder."""
    spec = get(name)
    sources = corpus.generate(spec, tmp_path / "source", N_PATCHES.get(name, 6))
    downloads = publish(spec, sources, tmp_path / "downloads")
    ours = convert(spec, downloads, tmp_path / "ours")
    convert(spec, {name: sources[name] for name in downloads}, tmp_path / "theirs")
    assert ours.failures == []
    assert ours.complete
    assert_same(tmp_path / "ours", tmp_path / "theirs")


@pytest.mark.parametrize("name", SOURCES)
def test_published_archives_of_real_files_give_the_golden_records(samples, tmp_path, name):
    """Archives of real files give the records of the original rico-hdl."""
    golden = json.loads((samples / "golden.json").read_text())[name]
    sources = {modality: samples / folder for modality, folder in SOURCES[name].items()}
    downloads = publish(get(name), sources, tmp_path / "downloads")
    assert convert(get(name), downloads, tmp_path / "target").complete
    found = {key: len(value) for key, value in records(tmp_path / "target").items()}
    assert found == {key: entry["n_bytes"] for key, entry in golden.items()}
    convert(get(name), sources, tmp_path / "folder")
    assert_same(tmp_path / "target", tmp_path / "folder")


def test_modalities_with_known_archives_are_published_here():
    """Archives of all modalities are tested, except those whose archives are unknown."""
    known = {
        name: {m.name for m in spec.modalities if m.downloads} for name, spec in registry().items()
    }
    assert {name: found for name, found in known.items() if found} == {
        name: {*forms} for name, forms in PUBLISHED.items()
    }


@pytest.mark.parametrize("suffix", COMPRESSIONS)
@pytest.mark.parametrize("parts", [1, 3])
def test_every_compression_whole_and_split(tmp_path, s2, suffix, parts):
    """A tar gives the same records plain or compressed, whole or split, given any of its parts."""
    data = COMPRESSIONS[suffix](tar_of(s2, "BigEarthNet-S2"))
    path = tmp_path / f"BigEarthNet-S2.{suffix}"
    named = path
    if parts == 1:
        path.write_bytes(data)
    else:
        named = split(data, path, parts)[1]
    assert_same(converted(tmp_path, named), converted(tmp_path, s2))


@pytest.mark.parametrize("mark", ["", ".", ".part", "-part-", "_"])
@pytest.mark.parametrize("start", ["aa", "00", "000", "001"])
def test_names_of_parts(tmp_path, s2, mark, start):
    """Parts are recognised by the names that ``split`` and similar tools give them."""
    data = COMPRESSIONS["tar.gz"](tar_of(s2))
    step = -(-len(data) // 3)
    parts = []
    for i in range(3):
        number = f"a{'abc'[i]}" if start == "aa" else f"{int(start) + i:0{len(start)}}"
        parts.append(tmp_path / f"x.tar.gz{mark}{number}")
        parts[-1].write_bytes(data[i * step : (i + 1) * step])
    assert_same(converted(tmp_path, parts[-1]), converted(tmp_path, s2))


def test_a_missing_part_is_named(tmp_path, s2):
    """If a part is missing, nothing is converted, and the error names it."""
    parts = split(COMPRESSIONS["tar.gz"](tar_of(s2)), tmp_path / "x.tar.gz.part", 4)
    parts[1].unlink()
    with pytest.raises(SourceError, match="1 parts are missing, the first one is number 2 of"):
        convert("bigearthnet", {"s2": parts[0]}, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_several_archives_by_name(tmp_path):
    """The archives of one modality can be given one by one."""
    spec = get("hyspecnet-11k")
    sources = corpus.generate(spec, tmp_path / "source", 4)
    folder = publish(spec, sources, tmp_path / "downloads")["enmap"]
    named = sorted(folder.glob("hyspecnet-11k-[0-9]*"))
    assert len(named) == 2
    ours = converted(tmp_path, named, spec.name, "enmap")
    assert_same(ours, converted(tmp_path, sources["enmap"], spec.name, "enmap"))
    assert Manifest.read(ours).modalities["enmap"].sources == [str(path) for path in named]


def test_an_archive_without_patches_among_others_is_reported(tmp_path):
    """An archive without patches is a warning if other archives have some."""
    spec = get("hyspecnet-11k")
    sources = corpus.generate(spec, tmp_path / "source", 2)
    folder = publish(spec, sources, tmp_path / "downloads")["enmap"]
    named = [folder / "hyspecnet-11k-01.tar.gz", folder / "hyspecnet-11k-splits.tar.gz"]
    summary = convert(spec, {"enmap": named}, tmp_path / "target")
    assert f"no {spec.modality('enmap').title} in {named[1]}" in summary.warnings


@pytest.mark.parametrize("name", ["bigearthnet", "ssl4eo-s12", "ssl4eo-s12-v1.1"])
def test_a_folder_of_downloads_of_all_modalities(tmp_path, name):
    """One folder with all downloads works for each modality, by the archives' names."""
    spec = get(name)
    sources = corpus.generate(spec, tmp_path / "source", 5)
    downloads = tmp_path / "downloads"
    publish(spec, sources, downloads)
    (downloads / "metadata.parquet").write_bytes(b"PAR1")
    convert(spec, dict.fromkeys(sources, downloads), tmp_path / "ours")
    convert(spec, sources, tmp_path / "theirs")
    assert_same(tmp_path / "ours", tmp_path / "theirs")


def test_stores_of_other_modalities_have_the_same_names(tmp_path):
    """Zarr stores are distinguished by their published folder, unless there is one modality."""
    spec = get("ssl4eo-s12-v1.1")
    sources = corpus.generate(spec, tmp_path / "source", 5)
    downloads = tmp_path / "downloads"
    publish(spec, sources, downloads)
    for part in ("train", "val"):
        shutil.copytree(downloads / part / "S1GRD", downloads / part / "S2RGB")
    assert_same(
        converted(tmp_path, downloads, spec.name, "s2a"),
        converted(tmp_path, sources["s2a"], spec.name, "s2a"),
    )
    shutil.move(sources["s2a"], tmp_path / "somewhere" / "else")
    expected = {patch.key for patch in corpus.patches(spec, spec.modality("s2a"), 5)}
    for named in (tmp_path / "somewhere", [*(tmp_path / "somewhere" / "else").iterdir()]):
        assert records(converted(tmp_path, named, spec.name, "s2a")).keys() == expected
    for part in ("train", "val"):
        shutil.rmtree(downloads / part / "S2L2A")
    with pytest.raises(SourceError, match=r"It holds .*: give it as --s|expected .*, found "):
        convert(spec, {"s2a": downloads}, tmp_path / "target")


def test_folder_in_an_archive(tmp_path):
    """A path that leads into an archive selects a folder there."""
    spec = get("ssl4eo-s12")
    sources = corpus.generate(spec, tmp_path / "source", 3)
    path = tmp_path / "sample.tar"
    path.write_bytes(tar_of(tmp_path / "source", "ssl4eo"))
    ours = {name: path / "ssl4eo" / folder.name for name, folder in sources.items()}
    assert convert(spec, ours, tmp_path / "ours").complete
    convert(spec, sources, tmp_path / "theirs")
    assert_same(tmp_path / "ours", tmp_path / "theirs")


def test_folder_and_archive_together_are_refused(tmp_path, s2):
    """An option accepts a folder or archives, but not both."""
    (tmp_path / "x.tar").write_bytes(tar_of(s2))
    with pytest.raises(UsageError, match="expected one folder, or archives"):
        convert("bigearthnet", {"s2": [s2, tmp_path / "x.tar"]}, tmp_path / "target")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_the_archive_of_another_modality_is_recognised(tmp_path, kind):
    """If S1's archive is given as S2, the error says so before anything is written."""
    spec = get("bigearthnet")
    s1 = corpus.generate(spec, tmp_path / "source", 3, modalities=["s1"])["s1"]
    path = tmp_path / f"x.{kind}"
    path.write_bytes(tar_of(s1) if kind == "tar" else zip_of(s1))
    with pytest.raises(SourceError, match="give it as --bigearthnet-s1-dir"):
        convert(spec, {"s2": path}, tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(("given", "other"), [("s2c", "s2a"), ("s2a", "s2c")])
def test_sibling_modalities_are_distinguished(tmp_path, given, other):
    """L1C and L2A share a layout; the bands of the first patch decide between them."""
    spec = get("ssl4eo-s12")
    folder = corpus.generate(spec, tmp_path / "source", 3, modalities=[other])[other]
    (tmp_path / "x.tar").write_bytes(tar_of(folder))
    with pytest.raises(SourceError, match=r"expected .*found"):
        convert(spec, {given: tmp_path / "x.tar"}, tmp_path / "target")


def test_the_archive_of_another_dataset_is_recognised(tmp_path):
    """If an archive of EuroSAT is given as Hydro, the error names the right command."""
    folder = corpus.generate(get("eurosat-multi-spectral"), tmp_path / "source", 3)["s2"]
    (tmp_path / "x.zip").write_bytes(zip_of(folder))
    with pytest.raises(SourceError, match="rico-hdl eurosat-multi-spectral --dataset-dir"):
        convert("hydro", {"s2": tmp_path / "x.zip"}, tmp_path / "target")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(600)])
def test_files_of_other_kinds_are_refused(tmp_path, content):
    """A file of another kind is an error that lists the supported kinds."""
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(SourceError, match="expected a folder or an archive"):
        convert("hydro", {"s2": tmp_path / "x.bin"}, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_an_empty_archive_holds_nothing(tmp_path):
    """An archive without members is an error before anything is written."""
    with zipfile.ZipFile(tmp_path / "x.zip", "w"):
        pass
    with pytest.raises(SourceError, match="found  nothing, it is empty"):
        convert("hydro", {"s2": tmp_path / "x.zip"}, tmp_path / "target")
    assert not (tmp_path / "target").exists()
