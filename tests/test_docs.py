"""The documents: their links, the options and codes they list, the format they specify."""

import json
import re
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from documents import DOCUMENTS, README, ROOT, anchors, links, run_section, section
from safetensors.numpy import save

import corpus
import rico_hdl
from rico_hdl import errors
from rico_hdl.cli.commands import root
from rico_hdl.datasets import registry

FORMAT = ROOT / "docs" / "format.md"


def name_of(path: Path) -> str:
    """How a document is called in the list of tests."""
    return path.relative_to(ROOT).as_posix()


def options_of(*names):
    """Every option that a command's help lists, in all its spellings."""
    text = CliRunner().invoke(root, [*names, "--help"]).output
    rows = re.findall(r"^  (-[-\w]+)(?:, (--[-\w]+))?", text, re.MULTILINE)
    return {option for row in rows for option in row if option}


def documented_options():
    """The options of the README's table, in all their spellings."""
    (table,) = section(README, "Options").tables()
    return {option for row in table for option in re.findall(r"(?<!\w)-[-\w]+", row["option"])}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_resolve(document):
    """Every relative link leads to a file, and every anchor to a heading."""
    broken = []
    for link in links(document):
        if re.match(r"https?://", link):
            continue
        place, _, anchor = link.partition("#")
        path = (document.parent / place).resolve() if place else document
        there = path.exists() and path.is_relative_to(ROOT)
        if not there or (anchor and anchor not in anchors(path)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if path.parent.name != "benchmarks"], ids=name_of
)
def test_lines_are_wrapped(document):
    """Lines have at most 100 characters, but for those of code, tables and generated documents."""
    code, long = False, []
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        code ^= line.startswith("```")
        if len(line) > 100 and not code and not line.startswith("|"):
            long.append(number)
    assert long == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_make_targets_exist(document):
    """Every target of `make` that a document names is one."""
    text = document.read_text(encoding="utf-8")
    named = {
        target
        for match in re.findall(r"(?:^|`)make ((?:[a-z]+ ?)+)", text, re.MULTILINE)
        for target in match.split()
    }
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert named <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_help_has_every_option_of_the_readme(spec):
    """A dataset's help lists the README's options and its own sources', and no other."""
    assert options_of(spec.name) == documented_options() | {m.option for m in spec.modalities}


def test_readme_names_the_options_of_other_commands():
    """The options of the list of datasets and of the program itself stand below the table."""
    text = " ".join(section(README, "Options").text.split())
    assert options_of("datasets") == {"-h", "--help", "--json"}
    assert "`rico-hdl datasets` takes `--json`" in text
    assert options_of() == {"-h", "--help", "--version"}
    assert "`rico-hdl --version`" in text


def test_every_command_is_documented():
    """Every command that the program lists stands in the README."""
    text = README.read_text(encoding="utf-8")
    names = root.list_commands(click.Context(root))
    assert [name for name in names if f"rico-hdl {name}" not in text] == []


def test_exit_codes_are_documented():
    """The README's exit codes are those that errors have, and those of the program's ends."""
    (table,) = section(README, "Exit codes").tables()
    cli = import_module("rico_hdl.cli")
    raised = {
        value.exit_code
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.RicoError)
    }
    ends = {0, 1, cli.EXIT_USAGE, cli.EXIT_BUG, cli.EXIT_INTERRUPTED}
    assert [int(row["code"]) for row in table] == sorted(raised | ends)


def test_changelog_has_the_version():
    """The changelog's first section is that of the version in the code."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## (\S+)", text, re.MULTILINE)
    assert first
    assert first[1] == rico_hdl.__version__


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder with a store called ``store``, of patches of which one could not be converted."""
    folder = tmp_path_factory.mktemp("format")
    sources = corpus.generate(registry()["uc-merced"], folder, 3)
    next(sources["rgb"].rglob("*.tif")).write_bytes(b"")
    rico_hdl.convert("uc-merced", sources, folder / "store")
    return folder


def test_content_digest_is_as_specified(store):
    """The code that specifies the content digest gives the one in the manifest."""
    run_section(section(FORMAT, "Content digest"), store)


def test_manifest_is_as_specified(store):
    """The manifest, its modalities and its failures have the fields of the specification."""
    manifest = json.loads((store / "store" / "rico-hdl.json").read_text(encoding="utf-8"))
    fields = [{row["field"] for row in table} for table in section(FORMAT, "Manifest").tables()]
    (failure,) = manifest["failures"]
    assert [set(manifest), set(manifest["modalities"]["rgb"]), set(failure)] == fields


def test_files_of_a_store_are_as_specified(store):
    """A target folder holds the files that the README and the specification list, and no other."""
    (table,) = section(README, "The target folder").tables()
    found = {path.name for path in (store / "store").iterdir()}
    assert {row["file"] for row in table} == found
    (table,) = section(FORMAT, "Format of a store").tables()
    assert {row["file"] for row in table} == found | {".rico-hdl.json.part"}


def test_order_of_dtypes_is_as_specified():
    """The safetensors library lays tensors out in the order of dtypes that is specified."""
    text = " ".join(section(FORMAT, "Records").text.split())
    match = re.search(r"order of their dtype \(([^)]*)\)", text)
    assert match
    order = re.findall(r"`(\w+)`", match[1])
    kinds = {"U": "uint", "I": "int", "F": "float"}
    arrays = {code: np.zeros((1, 1), f"{kinds[code[0]]}{code[1:]}") for code in sorted(order)}
    record = save(arrays)
    header = json.loads(record[8 : 8 + int.from_bytes(record[:8], "little")])
    assert sorted(header, key=lambda name: header[name]["data_offsets"]) == order
    assert {name: entry["dtype"] for name, entry in header.items()} == {n: n for n in order}
