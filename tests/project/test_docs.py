"""The documents: links, options, exit codes, and the format that they specify."""

import json
import re
import struct
import zlib
from importlib import import_module
from pathlib import Path
from shutil import copyfile, copytree

import click
import numpy as np
import pytest
import tifffile
import xxhash
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.numpy import save

import corpus
import rico_hdl
from rico_hdl import errors
from rico_hdl.cli.commands import root
from rico_hdl.datasets import registry
from tests.support.documents import (
    DOCS,
    DOCUMENTS,
    ROOT,
    anchors,
    links,
    run_command,
    run_section,
    section,
)
from tests.support.label_files import spec_with, write_images
from tests.support.reading import records

CONVERT = ROOT / "docs" / "convert.md"
FORMAT = ROOT / "docs" / "format.md"
VERIFY = ROOT / "docs" / "verify.md"
RELIABILITY = ROOT / "docs" / "reliability.md"


def name_of(path: Path) -> str:
    """A document's name in the list of tests."""
    return path.relative_to(ROOT).as_posix()


def options_of(*names):
    """Every option that a command's help lists, in all its spellings."""
    text = CliRunner().invoke(root, [*names, "--help"]).output
    rows = re.findall(r"^  (-[-\w]+)(?:, (--[-\w]+))?", text, re.MULTILINE)
    return {option for row in rows for option in row if option}


def documented_options(document=CONVERT, title="Options"):
    """The options in a section's table, in all their spellings."""
    (table,) = [table for table in section(document, title).tables() if "option" in table[0]]
    return {option for row in table for option in re.findall(r"(?<!\w)-[-\w]+", row["option"])}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_resolve(document):
    """Every relative link points to a file, and every anchor to a heading."""
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


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_make_targets_exist(document):
    """Every `make` target that a document names exists."""
    text = document.read_text(encoding="utf-8")
    named = {
        target
        for match in re.findall(r"(?:^|`)make ((?:[a-z]+ ?)+)", text, re.MULTILINE)
        for target in match.split()
    }
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert named <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_help_has_the_options_of_a_conversion(spec):
    """A dataset's help lists the documented options and those of its sources, and no others."""
    assert options_of(spec.name) == documented_options() | {m.option for m in spec.modalities}


@pytest.mark.parametrize(
    ("command", "document", "title"),
    [
        ("info", VERIFY, "Look inside"),
        ("verify", VERIFY, "Verify"),
        ("stats", DOCS / "statistics.md", "Count"),
    ],
)
def test_help_has_the_documented_options(command, document, title):
    """The help of a command lists the documented options, and no others."""
    assert options_of(command) == documented_options(document, title) | {"-h", "--help"}


def test_every_command_is_documented():
    """Every command that the program lists is shown in a document."""
    text = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    names = root.list_commands(click.Context(root))
    assert [name for name in names if f"rico-hdl {name}" not in text] == []


def test_exit_codes_are_documented():
    """The documented exit codes are those of the errors and those of the command line."""
    (table,) = section(CONVERT, "Exit codes").tables()
    cli = import_module("rico_hdl.cli")
    raised = {
        value.exit_code
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.RicoError)
    }
    output = import_module("rico_hdl.cli.output")
    ends = {0, 1, cli.EXIT_USAGE, cli.EXIT_BUG, cli.EXIT_INTERRUPTED}
    ends |= {output.EXIT_OUTPUT, output.EXIT_NO_READER}
    assert [int(row["code"]) for row in table] == sorted(raised | ends)


def test_changelog_has_the_version():
    """The changelog begins with the version in the code, or with Unreleased during development."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## (\S+)", text, re.MULTILINE)
    assert first
    expected = "Unreleased" if ".dev" in rico_hdl.__version__ else rico_hdl.__version__
    assert first[1] == expected


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder with a store called ``store``, in which one patch could not be converted."""
    folder = tmp_path_factory.mktemp("format")
    sources = corpus.generate(registry()["uc-merced"], folder, 3)
    next(sources["rgb"].rglob("*.tif")).write_bytes(b"")
    rico_hdl.convert("uc-merced", sources, folder / "store")
    return folder


def test_content_digest_is_as_specified(store):
    """The code that specifies the content digest computes the one in the manifest."""
    run_section(section(FORMAT, "Content digest"), store)


def test_manifest_is_as_specified(store):
    """The manifest, its modalities, layouts and failures have the fields of the specification."""
    manifest = json.loads((store / "store" / "rico-hdl.json").read_text(encoding="utf-8"))
    fields = [{row["field"] for row in table} for table in section(FORMAT, "Manifest").tables()]
    (failure,) = manifest["failures"]
    modality = manifest["modalities"]["rgb"]
    (layout,) = modality["layouts"]
    manifest.setdefault("labels", None)  # only in stores with labels
    assert [set(manifest), set(modality), set(layout), set(failure)] == fields


def test_files_of_a_store_are_as_specified(store):
    """A target folder holds the files that the guide and the specification list, and no others."""
    (table,) = section(CONVERT, "The target folder").tables()
    found = {path.name for path in (store / "store").iterdir()}
    found |= {"labels.safetensors"}  # only in stores with labels
    assert {row["file"] for row in table} == found
    (table,) = section(FORMAT, "Format of a store").tables()
    drafts = {".rico-hdl.json.part", ".labels.safetensors.part"}
    assert {row["file"] for row in table} == found | drafts


def test_labels_are_as_specified(tmp_path):
    """The tensors and metadata of labels are those of the specification, for each kind."""
    write_images(tmp_path / "chips", 3)
    (specified,) = section(FORMAT, "Labels").tables()
    rows = {row["tensor"].replace("MODALITY", "s2"): row["dtype"] for row in specified}
    names = {"uint8": "U8", "int16": "I16", "int64": "I64", "int32": "I32", "float64": "F64"}
    for kind, label in (("single", '"ice"'), ("multi", '["ice"]'), ("number", "1.5"), ("", "null")):
        row = f'[{{"country": "austria", "id": "000", "c": {label}}}]'
        (tmp_path / "chips" / "a.json").write_text(row, encoding="utf-8")
        spec = spec_with({"table": [{"file": "a.json", "label": "c"}]})
        rico_hdl.convert(spec, tmp_path / "chips", tmp_path / f"store{kind}")
        path = tmp_path / f"store{kind}" / "labels.safetensors"
        with safe_open(path, "numpy") as file:
            texts = file.metadata()
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        assert (texts["format"], texts["kind"], json.loads(texts["splits"])) == ("1", kind, [])
        assert json.loads(texts["modalities"]) == ["s2", "mask"]
        expected = {*rows} - ({"label_ends"} if kind != "multi" else set())
        expected -= set() if kind else {"labels"}
        assert expected <= found.keys()
        for name in expected:
            assert names[str(found[name].dtype)] in rows[name]
        digest = f"xxh3-128:{xxhash.xxh3_128_hexdigest(path.read_bytes())}"
        manifest = json.loads(path.with_name("rico-hdl.json").read_text(encoding="utf-8"))
        assert manifest["labels"]["digests"] == [digest]
        assert {f"`{name}`" for name in {*manifest["labels"]} - {"file"}} <= {
            *re.findall("`[a-z_]+`", section(FORMAT, "Labels").text)
        }


def take(data, place, fields):
    """Read the fields of a table of the specification.

    Returns:
        The values by field, and the offset of the byte after them.
    """
    values = {}
    for name, kind in fields:
        if match := re.fullmatch(r"u(\d+)", kind):
            n_bytes = int(match[1]) // 8
        elif kind == "the rest":
            n_bytes = len(data) - place
        else:
            size = kind.removesuffix(" bytes")
            n_bytes = int(size) if size.isdecimal() else values[size]
        assert place + n_bytes <= len(data)
        taken = data[place : place + n_bytes]
        values[name] = int.from_bytes(taken, "little") if match else taken
        place += n_bytes
    return values, place


def parse_journal(data):
    """The entries of a journal by key, read with the tables of the specification alone."""
    tables = section(FORMAT, "Journal").tables()
    block_fields, content_fields, entry_fields = (
        [(next(iter(row.values())), row["type"]) for row in table] for table in tables
    )
    magic = bytes.fromhex(re.search(r"`((?:[0-9a-f]{2} ){3}[0-9a-f]{2})`", FORMAT.read_text())[1])
    newest, place = {}, 0
    while place < len(data):
        block, stop = take(data, place, block_fields)
        checksum = xxhash.xxh3_64_intdigest(data[place : place + 12] + block["payload"])
        assert (block["magic"], block["checksum"]) == (magic, checksum)
        content, _ = take(zlib.decompress(block["payload"]), 0, content_fields)
        origins, layouts = json.loads(content["table"].decode())
        at = 0
        for _ in range(block["n_entries"]):
            entry, at = take(content["entries"], at, entry_fields)
            entry["origin"] = origins[entry["origin"]]
            entry["layout"] = layouts[entry["layout"]]
            newest[entry["key"]] = entry
        assert at == len(content["entries"])
        place = stop
    return {key: entry for key, entry in newest.items() if not entry["flags"] & 2}


def test_journal_is_as_specified(store):
    """Read as specified, the journal describes the records of the database."""
    path = store / "store" / "rico-hdl.journal"
    known = parse_journal(path.read_bytes())
    stored = records(store / "store")
    assert set(known) == {key.encode() for key in stored}
    for key, value in stored.items():
        entry = known[key.encode()]
        packed = len(key).to_bytes(2, "little") + key.encode() + value
        digest = int.from_bytes(entry["digest"], "big")
        assert digest == xxhash.xxh3_128_intdigest(packed)
        assert entry["n_bytes"] == len(value)
        assert entry["flags"] == 0
        assert entry["origin"] == ["rgb", str(store / "UCMerced_LandUse")]
        bands = [[name, "uint8", [256, 256]] for name in ("Blue", "Green", "Red")]
        assert entry["layout"] == bands


def parse_georef(data):
    """The tags of each patch's files by key, read with the tables of the specification alone."""
    block_fields = [(row["block"], row["type"]) for row in section(FORMAT, "Journal").tables()[0]]
    content_fields, table_fields = section(FORMAT, "Georeferencing").tables()
    found, place = {}, 0
    while place < len(data):
        block, place = take(data, place, block_fields)
        assert block["magic"] == bytes.fromhex("52 47 31 0a")
        content = zlib.decompress(block["payload"])
        columns, table = georef_columns(content, block["n_entries"], content_fields)
        assert table.keys() <= {row["table"] for row in table_fields}
        for i, key in enumerate(columns["keys"]):
            own = columns["places"][i]
            files = []
            for number in table["profiles"][columns["profile"][i]]:
                tags, own = georef_tags(table["files"][number], columns["values"], own)
                files.append(tags)
                own = own or columns["places"][i]
            found[key.decode()] = files
    return found


def georef_columns(content, n, fields):
    """The columns of a block, and its table."""
    columns, at, table = {}, 0, {}
    for row in fields:
        name, kind = row["content"], row["type"]
        if name == "time" and not table.get("times"):
            continue
        if match := re.fullmatch(r"n_entries ([ui])(\d+)", kind):
            pieces = split(content, at, [int(match[2]) // 8] * n)
            signed = match[1] == "i"
            columns[name] = [int.from_bytes(one, "little", signed=signed) for one in pieces]
        elif match := re.fullmatch(r"the sum of (n_\w+) bytes", kind):
            pieces = columns[name] = split(content, at, columns[match[1]])
        elif name == "values":
            pieces = columns[name] = split(content, at, table["values"])
        else:
            size = 4 if kind == "u32" else columns[kind.removesuffix(" bytes")]
            pieces = split(content, at, [size])
            columns[name] = int.from_bytes(pieces[0], "little")
            table = json.loads(pieces[0]) if name == "table" else table
        at += sum(map(len, pieces))
    assert at == len(content)
    return columns, table


def georef_tags(tags, values, own):
    """The values of a file's tags by number, and what is left of its patch's own values."""
    found = {}
    for tag in tags:
        if len(tag) == 4:
            found[tag[0]] = values[tag[3]]
        else:
            size = tag[2] * {1: 1, 2: 1, 3: 2, 4: 4, 12: 8}[tag[1]]
            found[tag[0]], own = own[:size], own[size:]
    return found, own


def split(data, place, lengths):
    """Consecutive pieces of some bytes."""
    pieces = []
    for length in lengths:
        pieces.append(data[place : place + length])
        place += length
    return pieces


@pytest.mark.parametrize("name", ["bigearthnet", "uc-merced", "kuro-siwo"])
def test_georeferencing_is_as_specified(tmp_path, name):
    """Read as specified, the side-car has the tags that tifffile reads from each file."""
    spec = registry()[name]
    sources = corpus.generate(spec, tmp_path / "source", 3)
    rico_hdl.convert(spec, sources, tmp_path / "store")
    known = parse_georef((tmp_path / "store" / "rico-hdl.georef").read_bytes())
    assert known.keys() == records(tmp_path / "store").keys()
    for modality in spec.modalities:
        for patch in corpus.patches(spec, modality, 3):
            files = known[patch.key]
            assert len(files) == len(patch.files)
            for path, tags in zip(patch.files, files, strict=True):
                with tifffile.TiffFile(sources[modality.name] / path) as file:
                    page = file.pages.first
                    assert int.from_bytes(tags[256], "little") == page.imagewidth
                    assert int.from_bytes(tags[257], "little") == page.imagelength
                    for number in (33550, 33922):
                        expected = page.tags[number].value if number in page.tags else ()
                        assert tags.get(number, b"") == struct.pack(f"<{len(expected)}d", *expected)
                    assert (34735 in tags) == (34735 in page.tags)


def test_removals_in_the_journal_are_as_specified(store, tmp_path):
    """Entries without a record are taken back, and constant records are marked."""
    spec = registry()["uc-merced"]
    sources = corpus.generate(spec, tmp_path, 3)
    for path in sources["rgb"].rglob("*.tif"):
        tifffile.imwrite(path, np.full((256, 256, 3), 7, np.uint8), photometric="rgb")
    rico_hdl.convert(spec, sources, tmp_path / "constant")
    path = tmp_path / "constant" / "rico-hdl.journal"
    known = parse_journal(path.read_bytes())
    assert [entry["flags"] for entry in known.values()] == [1, 1, 1]
    # The journal of these, with a database of other records that has two of the same keys.
    other = tmp_path / "other"
    copytree(store / "store", other)
    copyfile(path, other / path.name)
    rico_hdl.convert(spec, {"rgb": store / "UCMerced_LandUse"}, other)
    stored = {key.encode() for key in records(other)}
    assert set(parse_journal((other / path.name).read_bytes())) == stored < set(known)


def test_store_is_copied_to_a_network_as_documented(tmp_path):
    """A store that is converted locally and copied with the documented lines passes `verify`."""
    (block,) = [b for b in section(RELIABILITY, "Network file systems").blocks if b.commands]
    corpus.generate(registry()["uc-merced"], tmp_path, 2)
    lines = block.text.replace("/tmp/", "local/").replace("/network/", "network/")
    assert lines.count("network/") == 2
    (tmp_path / "network" / "Encoded-UC-Merced").mkdir(parents=True)
    assert "2 records" in run_command(["bash", "-e", "-c", lines], tmp_path, block).stdout


def test_named_tests_exist():
    """Each guarantee in docs/reliability.md names tests that exist."""
    (table,) = section(RELIABILITY, "How it is tested").tables()
    missing = []
    for row in table:
        named = row["tested by"].split(", ")
        assert named
        for name in named:
            file, _, function = name.partition("::")
            path = ROOT / "tests" / file
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            there = f"\ndef {function}(" in text if function else bool(text)
            missing += [] if there else [name]
    assert missing == []


def test_order_of_dtypes_is_as_specified():
    """The safetensors library orders tensors by dtype as specified."""
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
