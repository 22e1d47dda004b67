"""docs/pytorch.md and lightning.md: their code runs, and their tables match the code."""

from __future__ import annotations

import inspect
from importlib.util import find_spec

import pytest

import corpus
import rico_hdl
from rico_hdl.datasets import registry
from rico_hdl.labels import CLASSES, CODES
from tests.support import labelled
from tests.support.documents import DOCS, merged, run_section, section, sections

pytest.importorskip("torch", reason="torch is not installed: make test-torch")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")

from rico_hdl.reading.options import SampleOptions
from rico_hdl.torch import PatchDataset, loader
from rico_hdl.torch.loading import MAX_THREADS

DOCUMENT = DOCS / "pytorch.md"
WITH_CODE = [
    part
    for path in (DOCUMENT, DOCS / "lightning.md")
    for part in sections(path)
    if any(b.language == "python" for b in part.blocks)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the stores and files that the documentation uses."""
    folder = tmp_path_factory.mktemp("docs")
    labelled.bigearthnet(folder)
    for name, target, n in (
        ("eurosat-multi-spectral", "Encoded-EuroSAT", 10),
        ("uc-merced", "Encoded-UC-Merced", 2),
        ("hyspecnet-11k", "Encoded-HySpecNet", 2),
    ):
        spec = registry()[name]
        rico_hdl.convert(spec, corpus.generate(spec, folder, n), folder / target)
    (folder / "eurosat-train.txt").write_text("River_1.jpg\nForest_1.jpg\n")
    key = rico_hdl.open(folder / "Encoded-HySpecNet").keys()[1]
    (folder / "splits" / "easy").mkdir(parents=True)
    (folder / "splits" / "easy" / "train.csv").write_text(f"{key[:49]}/{key}/{key}-DATA.npy\n")
    return folder


@pytest.mark.parametrize("part", WITH_CODE, ids=lambda part: part.title)
def test_code_prints_the_documented_output(part, folder):
    """Each code block runs in its own process and prints the output in its comments."""
    needs = {block.needs for block in part.blocks if block.needs}
    missing = [name for name in needs if find_spec(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed (requirements/torch.txt)")
    run_section(part, folder)


def test_five_minutes_end_with_a_batch(tmp_path):
    """The beginners' page runs from the archive to the training loop."""
    run_section(merged(sections(DOCS / "start.md")), tmp_path)


def test_images_are_normalised_as_documented(tmp_path):
    """The page on statistics shows a loader that normalises."""
    run_section(section(DOCS / "statistics.md", "Normalise"), tmp_path)


def test_classes_are_those_of_the_code():
    """The table of classes lists the codes of each class, in label order."""
    (table,) = section(DOCUMENT, "BigEarthNet").tables()
    rows = [
        (row["class"], tuple(map(int, row["its codes in CORINE Land Cover"].split(", "))))
        for row in table
    ]
    assert rows == [(name, CODES[name]) for name in CLASSES]


@pytest.mark.parametrize(
    ("title", "column", "function", "left_out"),
    [
        ("Samples", "argument", PatchDataset.__init__, {"self", "options"}),
        ("Batches", "option", loader, {"dataset"}),
    ],
)
def test_options_are_those_of_the_code(title, column, function, left_out):
    """The tables of options list every argument and no others."""
    (table,) = section(DOCUMENT, title).tables()
    named = [name for row in table for name in row[column].split(", ")]
    parameters = inspect.signature(function).parameters
    options = SampleOptions.__optional_keys__ if "options" in left_out else set()
    assert sorted(named) == sorted((set(parameters) - left_out) | options)
    if "default" in table[0]:
        defaults = {row[column]: row["default"] for row in table}
        assert defaults["batch_size"] == str(parameters["batch_size"].default)
        assert defaults["n_threads"] == f"processors, at most {MAX_THREADS}"
