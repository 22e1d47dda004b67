"""docs: the guides' commands and code run, and their tables match the program."""

import re
import tomllib
from typing import get_args

import numpy as np
import pytest
import tifffile

import corpus
import rico_hdl
from rico_hdl.checking.verification import Kind
from rico_hdl.datasets import registry
from rico_hdl.spec.toml_form import DATASET_KEYS, MODALITY_KEYS, load_spec
from rico_hdl.spec.toml_labels import LABELS_KEYS, TABLE_KEYS
from tests.support.array_files import hdf5
from tests.support.documents import DOCS, DOCUMENTS, README, merged, run_section, section, sections
from tests.support.image_files import jpeg
from tests.support.parquet_files import write_images
from tests.support.reading import arrays
from tests.support.running import python, run
from tests.support.stores import converted

ADDING = DOCS / "adding-a-dataset.md"
CONVERT = DOCS / "convert.md"
MOVING = DOCS / "moving.md"
NETWORK = DOCS / "network.md"
START = DOCS / "start.md"
SUBSETS = DOCS / "subsets.md"
VERIFY = DOCS / "verify.md"
YOUR = DOCS / "your-dataset.md"

RUN_BY = {
    DOCS / "format.md": "test_docs.py",
    DOCS / "lightning.md": "torch/test_docs.py",
    DOCS / "pytorch.md": "torch/test_docs.py",
    DOCS / "reading.md": "test_reading_docs.py",
    DOCS / "reliability.md": "test_docs.py",
    README: "test_readme.py",
}
"""The documents whose code other tests run; datasets/test_pages.py runs those of the datasets."""
ON_THEIR_OWN = {ADDING, START, NETWORK, SUBSETS, YOUR}
"""Documents whose code needs more than `run_section` generates; see below."""
LABELS = section(CONVERT, "Labels and splits")
"""The same of a section."""
RUNNABLE = [
    part
    for path in DOCUMENTS
    if path.parent == DOCS and path not in RUN_BY and path not in ON_THEIR_OWN
    for part in sections(path)
    if any(block.can_run for block in part.blocks) and part != LABELS
]


@pytest.mark.parametrize("part", RUNNABLE, ids=lambda part: f"{part.document.stem}: {part.title}")
def test_section_runs(part, tmp_path):
    """A section's commands and code blocks run as printed, in order, and print what it shows."""
    run_section(part, tmp_path)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_block_runs_or_says_why_not(document):
    """Each block of code has something that a test runs, or says why it has not."""
    code = [
        block
        for part in sections(document)
        for block in part.blocks
        if block.language in {"bash", "console", "python", "sh", ""}
    ]
    assert [block.line for block in code if not block.can_run and not block.skip] == []


def test_five_minutes_run_from_the_archive_to_a_patch(tmp_path):
    """The page for beginners runs as a whole, its last section only where PyTorch is installed."""
    run_section(merged(sections(START)), tmp_path)


def test_a_store_on_a_network_is_read_as_shown(tmp_path):
    """The code that reads a store on a network file system returns a batch."""
    spec = registry()["bigearthnet"]
    sources = corpus.generate(spec, tmp_path, 2)
    rico_hdl.convert(spec, sources, tmp_path / "Encoded-BigEarthNet")
    run_section(section(NETWORK, "Read"), tmp_path)


def test_labels_are_added_to_a_store_as_shown(tmp_path):
    """Lists of splits that are given after a conversion become part of the store."""
    (tmp_path / "eurosat-train.txt").write_text("AnnualCrop_1.jpg\n", encoding="utf-8")
    (tmp_path / "eurosat-val.txt").write_text("Forest_1.jpg\n", encoding="utf-8")
    run_section(LABELS, tmp_path)
    with rico_hdl.open(tmp_path / "Encoded-EuroSAT-RGB") as store:
        assert [*store.keys(split="train")] == ["AnnualCrop_1"]
        assert [*store.keys(split="validation")] == ["Forest_1"]


def test_parts_of_a_store_are_selected_and_merged_as_shown(tmp_path):
    """The page about parts of a store runs from its first command to its last."""
    spec = registry()["bigearthnet"]
    sources = corpus.generate(spec, tmp_path, 8)
    rico_hdl.convert(spec, sources, tmp_path / "Encoded-BigEarthNet")
    with rico_hdl.open(tmp_path / "Encoded-BigEarthNet") as store:
        (tmp_path / "keys.txt").write_text("\n".join(store.keys("s1")[:2]), encoding="utf-8")
    run_section(merged(sections(SUBSETS)), tmp_path)
    assert len(arrays(tmp_path / "Encoded-Mine")) == 2
    assert len(arrays(tmp_path / "Encoded-Whole")) == 24


@pytest.mark.parametrize(
    ("title", "files"),
    [
        ("Chips with masks", {"chips/austria/1_s2.tif": 10, "chips/austria/1_mask.tif": 1}),
        ("Images before and after an event", {"change/A/1.tif": 3, "change/B/1.tif": 3}),
        ("A file for each band", {f"scenes/x/00123/2020-01_B{i}.tif": 1 for i in (2, 3)}),
        (
            "Several bands in several files",
            {"seasons/fall/a_10m_RGB.tif": 3, "seasons/fall/a_10m_IR.tif": 1},
        ),
        (
            "A folder for each band",
            {f"debris/s/{path}_1.tif": 1 for path in ("60/s_442", "10/s_492")},
        ),
        ("An archive for each region", {"fields/austria/images/1.tif": 4}),
        ("Folders of any depth", {"scenes/train/land/grass/meadow/1.tif": 3}),
    ],
)
def test_own_datasets_are_converted_as_shown(title, files, tmp_path):
    """Each description of a user's dataset, and the commands below it, work on such files."""
    part = section(YOUR, title)
    (described,) = [block.text for block in part.blocks if block.language == "toml"]
    (tmp_path / f"{tomllib.loads(described)['name']}.toml").write_text(described, encoding="utf-8")
    for path, n_bands in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shape = (n_bands, 8, 8) if n_bands > 1 else (8, 8)
        data = np.ones(shape, "uint16")
        tifffile.imwrite(tmp_path / path, data, photometric="minisblack", planarconfig="separate")
    run_section(part, tmp_path)


def test_own_labels_are_converted_and_read_as_shown(tmp_path):
    """From files and a table of labels to a training loop, as the guide shows."""
    part = section(YOUR, "Labels, splits and a training loop")
    described, examples = (b.text for b in part.blocks if b.language == "toml")
    first = section(YOUR, "Chips with masks")
    (before,) = [block.text for block in first.blocks if block.language == "toml"]
    (tmp_path / "chips.toml").write_text(before, encoding="utf-8")
    for i in (1, 2):
        for name, n_bands in (("s2", 10), ("mask", 1)):
            path = tmp_path / f"chips/austria/{i:04}_{name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            data = np.ones((n_bands, 8, 8) if n_bands > 1 else (8, 8), "uint16")
            tifffile.imwrite(path, data, photometric="minisblack", planarconfig="separate")
    run_section(first, tmp_path)
    (tmp_path / "chips.toml").write_text(described, encoding="utf-8")
    (table,) = [b.text for b in part.blocks if b.language == "text" and "forest" in b.text]
    (tmp_path / "chips/labels.csv").write_text(table, encoding="utf-8")
    run_section(part, tmp_path)
    modality = described.partition("[[labels.table]]")[0]
    radar = modality[modality.index("[[modality]]") : modality.index("[[modality]]", 60)]
    more = tmp_path / "more.toml"
    more.write_text(f"{modality}{radar.replace('s2', 's1')}{examples}", encoding="utf-8")
    assert len(load_spec(more).labels.tables) == 4


def test_own_arrays_are_converted_as_shown(tmp_path):
    """The description of a dataset of HDF5 files, and the commands below it, work on such files."""
    part = section(YOUR, "Arrays of numpy and HDF5")
    (described,) = [block.text for block in part.blocks if block.language == "toml"]
    (tmp_path / "slides.toml").write_text(described, encoding="utf-8")
    for name, shape in (("img", (8, 8, 4)), ("mask", (8, 8))):
        path = tmp_path / "slides" / "train" / name / f"{'image' if name == 'img' else name}_1.h5"
        path.parent.mkdir(parents=True)
        path.write_bytes(hdf5({name: np.ones(shape)}))
    run_section(part, tmp_path)
    assert set(arrays(tmp_path / "Encoded-Slides")) == {"image_train_1", "mask_train_1"}


def test_own_files_of_many_patches_are_converted_as_shown(tmp_path):
    """The description of files that hold many patches, and the command below it, work on them."""
    part = section(YOUR, "Many patches in one file")
    (described,) = [block.text for block in part.blocks if block.language == "toml"]
    (tmp_path / "series.toml").write_text(described, encoding="utf-8")
    for folder in ("series", "events"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    np.save(tmp_path / "data" / "series" / "S2_10000.npy", np.ones((2, 3, 8, 8)))
    (tmp_path / "data" / "train.h5").write_bytes(hdf5({"images": np.ones((2, 8, 8, 3))}))
    groups = {"x/post_fire": np.ones((8, 8, 3)), "y/pre_fire": np.ones((8, 8, 3))}
    (tmp_path / "data" / "events" / "fires.h5").write_bytes(hdf5(groups))
    run_section(part, tmp_path)
    assert set(arrays(tmp_path / "Encoded-Series")) == {
        *("S2_10000_00", "S2_10000_01", "train_000000", "train_000001", "x_after"),
    }


def test_own_tables_are_converted_as_shown(tmp_path):
    """The description of a dataset of parquet tables, and the commands below it, work on such."""
    part = section(YOUR, "Tables with images")
    (described,) = [block.text for block in part.blocks if block.language == "toml"]
    (tmp_path / "views.toml").write_text(described, encoding="utf-8")
    (tmp_path / "views").mkdir()
    for split in ("train", "test"):
        path = tmp_path / "views" / f"{split}-00000-of-00001.parquet"
        write_images(path, [jpeg(np.ones((3, 8, 8), "u1"))] * 2)
    run_section(part, tmp_path)
    assert set(arrays(tmp_path / "Encoded-Views")) == {
        f"{split}-00000-of-00001_{i}_{i}" for split in ("train", "test") for i in range(2)
    }


def test_keys_of_own_datasets_are_those_of_the_code():
    """The tables of a description's keys have every key that is read, and no other."""
    text = YOUR.read_text(encoding="utf-8").partition("## What the file may say")[2]
    documented = {
        key
        for row in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
        for key in re.findall(r"`\[*(.+?)\]*`", row)
    }
    assert documented == {*DATASET_KEYS, *MODALITY_KEYS, *LABELS_KEYS, *TABLE_KEYS} - {"table"} | {
        "labels.table"
    }


def test_lines_of_the_original_get_a_notice(tmp_path):
    """Each command of the original's documentation works, with one notice on stderr."""
    part = section(MOVING, "Moving from the original rico-hdl")
    ran = run_section(part, tmp_path)
    notices = [line for done in ran for line in done.stderr.splitlines() if "note:" in line]
    assert len(notices) == len(ran) == 2


def flip(folder, offsets):
    """Flip the lowest bit at some offsets of a folder's data.mdb."""
    path = folder / "data.mdb"
    data = bytearray(path.read_bytes())
    for offset in offsets:
        data[offset] ^= 1
    path.write_bytes(data)


def test_findings_look_as_shown(tmp_path):
    """Wrong pixels are reported as the guide shows, with exit code 1."""
    (shown,) = [b for b in section(VERIFY, "Verify").blocks if b.language == "text"]
    converted("uc-merced", tmp_path, 2)
    flip(tmp_path / "store", range(100_000, 100_003))
    for line, options in zip(shown.text.splitlines(), ([], ["--sources"]), strict=True):
        done = run("verify", tmp_path / "store", *options)
        assert done.returncode == 1
        pattern = re.escape(line).replace("…", r"[0-9a-f]{32}")
        assert re.fullmatch(pattern, done.stdout.splitlines()[0])


def test_kinds_of_findings_are_listed():
    """The table of findings lists every kind of finding."""
    (table,) = [t for t in section(VERIFY, "Verify").tables() if "finding" in t[0]]
    assert tuple(row["finding"] for row in table) == get_args(Kind)


def test_stores_of_the_original_are_verified_and_continued(tmp_path):
    """A store of the original is inspected, verified and continued as the guide says."""
    spec = registry()["uc-merced"]
    sources = corpus.generate(spec, tmp_path, 3)
    store = tmp_path / "store"
    rico_hdl.convert(spec, sources, store)
    for name in ("rico-hdl.json", "rico-hdl.journal", "lock.mdb"):
        (store / name).unlink()
    before = (store / "data.mdb").read_bytes()
    convert = [spec.name, "--dataset-dir", sources["rgb"], "--target-dir", store]
    assert spec.name in run("info", store).stdout
    assert "3 records" in run("verify", store).stdout
    assert run("verify", store, "--sources").returncode == 4
    assert run(*convert, "--overwrite").returncode == 4
    assert run(*convert).returncode == 0
    assert (store / "data.mdb").read_bytes() == before
    assert run("verify", store, "--sources").returncode == 0
    flip(store, [100_000])
    assert run("verify", store).returncode == 1


def test_example_spec_becomes_a_command(tmp_path):
    """The example of a new dataset is enough for its command to work."""
    (block,) = section(ADDING, "Adding a dataset").blocks
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "my_dataset.py").write_text(block.text, encoding="utf-8")
    namespace: dict[str, object] = {}
    exec(block.text, namespace)
    spec = namespace["SPEC"]
    sources = corpus.generate(spec, tmp_path, 3)
    start = (
        "import rico_hdl.datasets; rico_hdl.datasets.__path__.append('specs');"
        "from rico_hdl.cli import main; main()"
    )
    option = spec.modalities[0].option
    arguments = [spec.name, option, str(sources["optical"]), "--target-dir", "store"]
    assert python("-c", start, *arguments, cwd=tmp_path).returncode == 0
    stored = arrays(tmp_path / "store")
    assert set(stored) == {patch.key for patch in corpus.patches(spec, spec.modalities[0], 3)}


def test_example_package_adds_a_dataset(tmp_path):
    """The example of a package is enough to convert its dataset by name, and its test passes."""
    project, module, test = section(ADDING, "In a package of your own").blocks
    points = tomllib.loads(project.text)["project"]["entry-points"]
    ((group, ((name, value),)),) = [(g, tuple(named.items())) for g, named in points.items()]
    package = tmp_path / value.partition(":")[0]
    metadata = tmp_path / f"{package.name}-1.0.dist-info"
    package.mkdir()
    metadata.mkdir()
    (package / "__init__.py").write_text(module.text, encoding="utf-8")
    chips = section(YOUR, "Chips with masks").blocks
    (described,) = [block.text for block in chips if block.language == "toml"]
    toml = package / f"{name}.toml"
    toml.write_text(described.replace('"chips"', f'"{name}"', 1), encoding="utf-8")
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package.name}\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
    corpus.generate(load_spec(toml), tmp_path / "files", 3)
    start = "import sys; sys.path.insert(0, '.'); from rico_hdl.cli import main; main()"
    arguments = [name, "--dataset-dir", "files", "--target-dir", "store"]
    assert python("-c", start, *arguments, cwd=tmp_path).returncode == 0
    assert len(arrays(tmp_path / "store")) == 6
    (tmp_path / "test_spec.py").write_text(test.text, encoding="utf-8")
    done = python("-m", "pytest", "-p", "no:cacheprovider", "test_spec.py", cwd=tmp_path)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout


def test_example_reader_passes_its_contract(tmp_path):
    """The example of a reader inherits the whole suite and passes; a wrong order of bands fails."""
    (block,) = section(ADDING, "Formats and readers of your own").blocks
    path = tmp_path / "test_reader.py"
    for order, codes in (("bands]", {0}), ("sorted(bands)]", {1})):
        path.write_text(block.text.replace("bands]", order), encoding="utf-8")
        done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", path.name, cwd=tmp_path)
        assert done.returncode in codes, done.stdout
        n_passed = int(re.search(r"([0-9]+) passed", done.stdout)[1])
        assert n_passed >= 30 if codes == {0} else "order_and_repetition" in done.stdout
