"""docs/reading.md: its code runs, and its tables match the code."""

from __future__ import annotations

import inspect
from typing import Unpack, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import corpus
import rico_hdl
from rico_hdl import errors
from rico_hdl.datasets import registry
from rico_hdl.reading.options import ON_SIZE, BatchOptions, ReadOptions
from tests.support.documents import ROOT, run_section, section, sections

DOCUMENT = ROOT / "docs" / "reading.md"
WITH_CODE = [
    part for part in sections(DOCUMENT) if any(b.language == "python" for b in part.blocks)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the store that the document uses."""
    folder = tmp_path_factory.mktemp("docs")
    spec = registry()["bigearthnet"]
    sources = corpus.generate(spec, folder, 2)
    keys = {m.name: [p.key for p in corpus.patches(spec, m, 2)] for m in spec.modalities}
    rows = [
        {"patch_id": s2, "s1_name": s1, "labels": ["Pastures"], "split": split}
        for s2, s1, split in zip(keys["s2"], keys["s1"], ("train", "validation"), strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "metadata.parquet")
    labels = [folder / "metadata.parquet"]
    rico_hdl.convert(spec.name, sources, folder / "Encoded-BigEarthNet", labels=labels)
    return folder


@pytest.mark.parametrize("part", WITH_CODE, ids=lambda part: part.title)
def test_code_prints_the_documented_output(part, folder):
    """Each block of code runs, in its own process, and prints what its comments show."""
    run_section(part, folder)


def test_presets_are_those_of_the_specs():
    """The table of presets lists every modality that has presets, and no others."""
    (table,) = section(DOCUMENT, "Presets").tables()
    rows = [(row["dataset"], row["modality"], row["presets"].split(", ")) for row in table]
    assert rows == [
        (spec.name, modality.name, [preset.name for preset in modality.presets])
        for spec in registry().values()
        for modality in spec.modalities
        if modality.presets
    ]


def test_options_are_those_of_the_code():
    """The table lists every option of reading, and each value of on_size is explained."""
    (table,) = section(DOCUMENT, "Arrays").tables()
    named = {row["option"] for row in table}
    assert named == {"out"} | BatchOptions.__optional_keys__
    assert named - {"on_size", "grouped"} == {"out"} | ReadOptions.__optional_keys__
    for method, kind in (
        ("read", ReadOptions),
        ("read_batch", BatchOptions),
        ("reader", BatchOptions),
        ("batches", BatchOptions),
    ):
        hints = get_type_hints(getattr(rico_hdl.Store, method))
        assert hints["options"] == Unpack[kind]
    (table,) = section(DOCUMENT, "Patches of unusual size").tables()
    assert tuple(row["on_size"].strip('"') for row in table) == ON_SIZE


def test_documented_prefetch_is_the_default():
    """The document names the default number of prefetched batches."""
    prefetch = inspect.signature(rico_hdl.Store.batches).parameters["prefetch"].default
    assert f"({prefetch} by default)" in section(DOCUMENT, "Batches").text


def test_errors_are_those_of_the_code():
    """Each error of the table is public and has the base classes that the table names."""
    (table,) = section(DOCUMENT, "Errors").tables()
    for row in table:
        error = getattr(rico_hdl, row["error"])
        assert error is getattr(errors, row["error"])
        assert issubclass(error, rico_hdl.RicoError)
        assert issubclass(error, KeyError) == (row["also a"] == "KeyError")
        is_usage = issubclass(error, rico_hdl.UsageError)
        assert is_usage == (row["error"] != "StoreError")


def test_methods_in_the_table_exist():
    """Every name in the table of the mapping exists, and every public name is in the table."""
    (table,) = section(DOCUMENT, "A store is a mapping").tables()
    named = {
        word.split("(")[0].removeprefix("store.")
        for row in table
        for word in row["use"].split(", ")
        if word.startswith("store.")
    }
    public = {name for name in vars(rico_hdl.Store) if not name.startswith("_")}
    assert public - {"path", "closed", "records"} <= named
    assert all(hasattr(rico_hdl.Store, name) for name in named)
