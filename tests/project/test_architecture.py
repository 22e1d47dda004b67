"""The order of layers in docs/architecture.md, and its consequences."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import corpus
from rico_hdl.datasets import registry
from tests.support.documents import ROOT, section

PACKAGE = ROOT / "src" / "rico_hdl"
DOCUMENT = ROOT / "docs" / "architecture.md"
SOURCES = sorted(PACKAGE.rglob("*.py"))
LOCAL = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in SOURCES}


def rows(title, column):
    """The rows of the first table with that column in a section of the document."""
    tables = section(DOCUMENT, title).tables()
    return next(table for table in tables if column in table[0])


def layers():
    """The number of each module's layer, by the module's name below the package."""
    numbers = {}
    for row in rows("Layers", "layer"):
        for module in row["modules"].split(", "):
            assert module not in numbers, f"{module} is in two layers"
            numbers[module] = int(row["layer"])
    return numbers


def module_of(path: Path) -> str:
    """The module or package directly below `rico_hdl` that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The dotted names of all modules that a file imports, anywhere in it, types included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            if node.module == "rico_hdl":
                yield from (f"rico_hdl.{alias.name}" for alias in node.names)
            else:
                yield str(node.module)


def own_imports(path: Path) -> set[str]:
    """The modules directly below `rico_hdl` that a file imports, its own package left out."""
    names = (name.split(".") for name in imported(path))
    return {name[1] for name in names if name[0] == "rico_hdl"} - {module_of(path)}


def libraries(path: Path) -> set[str]:
    """The libraries that a file imports, without the standard library and our own modules."""
    tops = {name.split(".")[0] for name in imported(path)}
    # In the standard library since Python 3.14; the table lists it, whatever runs this.
    standard = sys.stdlib_module_names - {"compression"}
    return {top for top in tops if top != "rico_hdl" and top not in standard}


def module_id(path: Path) -> str:
    """A file's name in the list of tests."""
    return path.relative_to(PACKAGE).as_posix()


def modules_after(code: str, folder: Path) -> set[str]:
    """The modules that a fresh interpreter has loaded after running some code."""
    end = "\nimport sys; open('modules', 'w').write('\\n'.join(sys.modules))"
    subprocess.run([sys.executable, "-c", code + end], cwd=folder, check=True, capture_output=True)
    return set((folder / "modules").read_text().splitlines())


def test_each_class_has_a_name_of_its_own():
    """No two classes of the package share a name, private or not."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES)
    nodes = (node for tree in trees for node in ast.walk(tree))
    names = [node.name.lstrip("_") for node in nodes if isinstance(node, ast.ClassDef)]
    assert sorted(set(names)) == sorted(names)


def test_every_module_has_a_layer():
    """The table of layers names every module and package of the source, and nothing else."""
    assert set(layers()) == LOCAL


@pytest.mark.parametrize("path", SOURCES, ids=module_id)
def test_imports_go_down(path):
    """A module imports only from lower layers, or from its own package."""
    numbers = layers()
    own = numbers[module_of(path)]
    assert {name: numbers[name] for name in own_imports(path) if numbers[name] >= own} == {}


def test_specs_know_errors_only():
    """The model of a dataset depends only on the errors, and the specs only on the model."""
    found = [own_imports(path) for path in SOURCES if module_of(path) == "spec"]
    assert set().union(*found) == {"errors"}
    found = [own_imports(path) for path in SOURCES if module_of(path) == "datasets"]
    assert set().union(*found) == {"errors", "spec"}


def test_dir_lists_the_public_names():
    """Tab completion in an editor or a shell offers exactly the public names."""
    package = import_module("rico_hdl")
    assert dir(package) == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)


def test_no_imports_go_in_circles():
    """The modules of reading and torch can be sorted so that each imports earlier ones only."""
    for folder in ("reading", "torch"):
        needs = {
            f"rico_hdl.{folder}.{path.stem}": {
                name for name in imported(path) if name.startswith(f"rico_hdl.{folder}.")
            }
            for path in (PACKAGE / folder).glob("*.py")
            if path.stem != "__init__"
        }
        assert set(TopologicalSorter(needs).static_order()) >= set(needs)


def test_libraries_stay_in_their_homes():
    """Each library is imported by the modules that the document lists, and by no others."""
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        for library in libraries(path):
            found.setdefault(library, set()).add(module_of(path))
    listed = {
        library: set(row["imported by"].split(", "))
        for row in rows("Layers", "library")
        for library in row["library"].split(", ")
    }
    assert found == listed


def words_of(spec):
    """The names by which code could single out a dataset."""
    options = {word for m in spec.modalities for word in (m.option, *m.aliases)}
    options -= {"--dataset-dir"}  # that of every dataset
    return {spec.name, module_for(spec), spec.title, *options}


def module_for(spec):
    """The name of the module that describes a dataset."""
    return re.sub(r"[-.]", "_", spec.name)


@pytest.mark.parametrize("path", SOURCES, ids=module_id)
def test_datasets_are_named_in_their_own_module_only(path):
    """No string or name outside a dataset's module names the dataset or one of its options."""
    if path.parent.name == "datasets" and path.name != "__init__.py":
        others = [spec for spec in registry().values() if module_for(spec) != path.stem]
    else:
        others = list(registry().values())
    # Options such as --s2-dir may be shared by the datasets that have them.
    mine = [spec for spec in registry().values() if spec not in others]
    own = {word for spec in mine for word in words_of(spec)}
    # A dataset and its benchmark may have one title and publication, and names in their pages.
    known = {text for spec in mine for text in (spec.title, spec.citation, spec.url)}
    words = {re.escape(word) for spec in others for word in words_of(spec) - own}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    found = []
    for node in ast.walk(tree):
        said = ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in texts:
            said = "" if node.value in known else node.value
        elif isinstance(node, ast.Name | ast.Attribute):
            said = node.id if isinstance(node, ast.Name) else node.attr
        found += [word for word in words if re.search(rf"(?<![\w-]){word}(?![\w-]|\.\w)", said)]
    assert found == []


def stem_of(spec):
    """How a dataset is called in identifiers: the first words of its title, without separators."""
    stem = ""
    for word in re.findall(r"[^\W_]+", spec.title):
        stem += word.lower()
        if len(stem) > 5:
            break
    return stem


def endings(name):
    """The words of an identifier from each of them on, in lower case, without separators."""
    words = [word.lower() for word in re.split(r"[\W_]+|(?<=[a-z\d])(?=[A-Z])", name)]
    return ["".join(words[i:]) for i in range(len(words))]


def names_in(path):
    """All identifiers of a module, and its own name."""
    yield path.stem
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for attribute in ("id", "attr", "name", "asname", "arg", "module"):
            found = getattr(node, attribute, None)
            if isinstance(found, str):
                yield from found.split(".")


CLASSES = {"EUROSAT_CLASSES", "UC_MERCED_CLASSES"}
PUBLIC_SINCE_0_1 = {
    "labels": CLASSES,
    "torch": CLASSES | {"BigEarthNet", "EuroSAT", "HySpecNet", "UCMerced", "bigearthnet"},
}
"""Identifiers that name a dataset, by package; version 0.1.0 made them public."""


@pytest.mark.parametrize("path", SOURCES, ids=module_id)
def test_no_identifier_names_a_dataset(path):
    """Code for one dataset has no class, function or module outside of the dataset's own."""
    if path.parent.name == "datasets" and path.name != "__init__.py":
        pytest.skip("a dataset's own module")
    stems = {stem_of(spec) for spec in registry().values()}
    found = {
        name
        for name in names_in(path)
        if any(words.startswith(stem) for stem in stems for words in endings(name))
    }
    assert found - PUBLIC_SINCE_0_1.get(module_of(path), set()) == set()


def words_of_layouts():
    """The words of publishers' layouts in specs: columns, arrays, dimensions, path literals."""
    for modality in (m for spec in registry().values() for m in spec.modalities):
        if modality.columns is not None:
            yield from (key.column for key in modality.columns.keys)
        if modality.arrays is not None:
            yield modality.arrays.path
            yield from (word for axis in modality.arrays.axes for word in (axis.name, axis.labels))
        for segment in modality.files.segments:
            yield from (part for part in segment.parts if isinstance(part, str))


@pytest.mark.parametrize("path", [p for p in SOURCES if module_of(p) == "sources"], ids=module_id)
def test_sources_know_no_layout(path):
    """No string of a source is a publisher's column, array, dimension or part of a path."""
    known = set(words_of_layouts()) - {"", "_", "."}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {value for value in constants if isinstance(value, str)} & known == set()


@pytest.mark.parametrize("line", ["--help", "hydro --help", "datasets", "--version"])
def test_help_needs_no_large_library(line, tmp_path):
    """Help texts and the list of datasets import none of numpy, codecs, lmdb and rich."""
    code = "from rico_hdl.cli import run; from rico_hdl.cli.commands import root"
    loaded = modules_after(f"{code}; run(root, {line.split()})", tmp_path)
    assert "rico_hdl.cli.commands" in loaded
    assert loaded & {"numpy", "imagecodecs", "lmdb", "rich", "safetensors", "xxhash"} == set()


def test_uncompressed_patches_need_no_codec(tmp_path):
    """Converting uncompressed BigEarthNet patches imports neither imagecodecs nor numpy."""
    spec = registry()["bigearthnet"]
    sources = corpus.generate(spec, tmp_path, 2, modalities=["s1", "s2"])
    folders = {name: str(folder) for name, folder in sources.items()}
    code = f"import rico_hdl; assert rico_hdl.convert({spec.name!r}, {folders}, 'store').complete"
    loaded = modules_after(code, tmp_path)
    assert "lmdb" in loaded
    assert loaded & {"imagecodecs", "numpy"} == set()


def test_documented_limits_are_those_of_the_code():
    """The limits in the document are the constants' values."""
    for row in rows("Memory", "limit"):
        module, _, name = row["limit"].rpartition(".")
        number, _, unit = row["value"].partition(" ")
        value = getattr(import_module(f"rico_hdl.{module}"), name)
        assert value == int(number) * {"": 1, "MiB": 2**20}[unit], row["limit"]
