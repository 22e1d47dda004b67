"""docs/datasets: each page's commands, code, table and tree match what a conversion does."""

import math
import re
import subprocess
import sys
from pathlib import Path, PurePath

import pytest
from safetensors.numpy import load

import corpus
import rico_hdl
from corpus.archives import publish
from corpus.shapes import USUAL_SHAPES
from rico_hdl.cli.text import bytes_text
from rico_hdl.datasets import registry
from tests.support.documents import (
    DATASETS,
    DOCS,
    README,
    Section,
    merged,
    run_section,
    section,
    sections,
    tree_files,
)
from tests.support.reading import arrays, records

OVERVIEW = DOCS / "datasets.md"
FROM_ARCHIVES = "From the archives"
PAGE_BYTES = 4096


def page_of(spec):
    """The file of a dataset's page."""
    return DATASETS / f"{spec.name}.md"


def part_of(spec):
    """A dataset's page as one section, without the part about archives."""
    return merged([s for s in sections(page_of(spec)) if s.title != FROM_ARCHIVES])


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Runs a page's code once, and gives the folder where it ran, and the command that ran."""
    done = {}

    def play(spec):
        if spec.name not in done:
            folder = tmp_path_factory.mktemp("dataset")
            done[spec.name] = folder, run_section(part_of(spec), folder)
        folder, (ran,) = done[spec.name]
        return folder, ran

    return play


def target_of(folder, ran):
    """The store that a command wrote, which ran in a folder."""
    return folder / ran.arguments[ran.arguments.index("--target-dir") + 1]


def names_in(cell):
    """The bands in a table's cell, with ``B1 to B224`` expanded."""
    match = re.fullmatch(r"([A-Z]+)(\d+) to \1(\d+)", cell)
    if match:
        return [f"{match[1]}{i}" for i in range(int(match[2]), int(match[3]) + 1)]
    return cell.split(", ")


def bands_by_key(part: Section):
    """The table of a dataset's page: for each key, (shape, dtype) by band."""
    (table,) = part.tables()
    found, key = {}, ""
    for row in table:
        key = row["key"] or key
        shape = tuple(int(side) for side in row["shape"].split(" x "))
        bands = found.setdefault(key, {})
        for name in names_in(row["bands"]):
            assert name not in bands, f"{key} has {name} twice"
            bands[name] = (shape, row["dtype"])
    return found


def described(patch):
    """A patch as its page describes it: (shape, dtype) by band."""
    return {name: (array.shape, array.dtype.name) for name, array in patch.items()}


def test_dataset_has_a_page(spec):
    """Each dataset has a page with its publisher, options and folders."""
    part = part_of(spec)
    assert spec.url in part.text
    commands = [command for block in part.blocks for command in block.commands]
    sources = [word for m in spec.modalities for word in (m.option, m.folder)]
    assert [command[1:-2] for command in commands] == [[spec.name, *sources]]


def test_table_matches_a_conversion(spec, played):
    """The keys, bands, shapes and dtypes on a dataset's page are those of its store."""
    part = part_of(spec)
    folder, ran = played(spec)
    stored = arrays(target_of(folder, ran))
    expected = bands_by_key(part)
    assert {key: described(stored[key]) for key in expected} == expected
    found = {frozenset(bands) for bands in expected.values()}
    assert found == {frozenset(modality.band_names) for modality in spec.modalities}


def test_every_page_is_a_datasets():
    """There is a page for each dataset, with its title, and no other page."""
    titles = {path.stem: sections(path)[1].title for path in DATASETS.glob("*.md")}
    assert titles == {spec.name: spec.title for spec in registry().values()}


def test_archives_are_those_of_the_spec(spec):
    """A page names archives that its spec lists, and none if the spec lists none."""
    part = section(page_of(spec), FROM_ARCHIVES)
    shown = re.findall(r"`([\w ./-]+\.(?:tar|zip|z\d\d|parquet|tortilla|taco)[\w.]*)`", part.text)
    known = [download.name for m in spec.modalities for download in m.downloads]
    assert all(any(PurePath(name).match(pattern) for pattern in known) for name in shown)
    assert bool(shown) == bool(known) == any(block.commands for block in part.blocks)


def test_archives_give_the_folders_records(spec, tmp_path):
    """The command for a dataset's archives stores the same records as the unpacked folders."""
    commands = [c for block in section(page_of(spec), FROM_ARCHIVES).blocks for c in block.commands]
    if not commands:
        pytest.skip(f"the archives of {spec.title} are not known")
    sources = corpus.generate(spec, tmp_path / "source", 2)
    published = publish(spec, sources, tmp_path / "downloads")
    ((_, *arguments),) = commands
    command = [sys.executable, "-m", "rico_hdl", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rico_hdl.convert(spec, {name: sources[name] for name in published}, tmp_path / "theirs")
    assert records(tmp_path / command[-1]) == records(tmp_path / "theirs")


def test_table_holds_for_real_files(spec, samples, tmp_path):
    """The keys, bands, shapes and dtypes on a dataset's page are those of real files."""
    folders = {path.name.lower(): path for path in samples.glob("*/")}
    folders |= {path.name.lower(): path for path in samples.glob("*/*/")}
    sources = {
        modality.name: folders[modality.folder.lower()]
        for modality in spec.modalities
        if modality.folder.lower() in folders and modality.arrays is None
    }
    if not sources:
        pytest.skip(f"no real files of {spec.title}")
    rico_hdl.convert(spec, sources, tmp_path)
    stored, expected = arrays(tmp_path), bands_by_key(part_of(spec))
    known = {key: described(stored[key]) for key in expected if key in stored}
    assert len(known) == len(sources)
    assert known == {key: expected[key] for key in known}


def test_tree_matches_the_converted_files(spec, played):
    """The files of a page's tree exist, and those not marked as skipped are converted."""
    part = part_of(spec)
    folder, ran = played(spec)
    (tree,) = [block for block in part.blocks if block.language == "text"]
    shown = tree_files(tree.text)
    assert [path for path in shown if not (folder / path).is_file()] == []
    found = rico_hdl.inspect(target_of(folder, ran)).modalities.values()
    used = {Path(source).relative_to(folder).as_posix() for m in found for source in m.sources}
    used |= {
        f"{modality.folder}/{path}"
        for modality in spec.modalities
        for patch in corpus.patches(spec, modality, 2)
        for path in patch.files
    }
    assert shown == {path: "" if path in used else "skipped" for path in shown}


def test_overview_lists_every_dataset():
    """The table of datasets has each one's title, command, modalities and number of patches."""
    (table,) = section(OVERVIEW, "Datasets").tables()
    shown = {
        row["command"]: (row["dataset"].split("]")[0][1:], row["modalities"].split(", "))
        for row in table
    }
    assert shown == {
        spec.name: (spec.title, [m.name for m in spec.modalities]) for spec in registry().values()
    }
    for row in table:
        modalities = registry()[row["command"]].modalities
        numbers = [modality.n_published or 0 for modality in modalities]
        low, high = min(numbers), max(numbers)
        each = " each" if len(modalities) > 1 else ""
        stated = f"{low:,}{each}" if low == high else f"{low:,} to {high:,}"
        assert row["published patches"] == (stated if low else "not stated")


def test_readme_shows_rows_of_the_overview():
    """The README's shorter table has rows of the overview, which it links, in their order."""
    part = section(README, "Datasets")
    (table,), (whole,) = part.tables(), section(OVERVIEW, "Datasets").tables()
    rows = [{**row, "dataset": row["dataset"].replace("(docs/", "(")} for row in table]
    assert rows == [row for row in whole if row in rows]
    assert f"{len(registry())} datasets" in part.text
    assert "docs/datasets.md" in part.text


def test_overview_has_the_size_of_a_store(spec, played):
    """A store's size in the overview follows from its records and the published number.

    Without the modalities that are converted on request.
    """
    (table,) = section(OVERVIEW, "Datasets").tables()
    (row,) = [row for row in table if row["command"] == spec.name]
    part = part_of(spec)
    folder, ran = played(spec)
    stored = records(target_of(folder, ran))
    n_bytes = 0
    for key in bands_by_key(part):
        names = set(load(stored[key]))
        alike = [m for m in spec.modalities if set(m.band_names) == names]
        (modality,) = alike if len(alike) == 1 else [m for m in alike if m.may_have(key)]
        pages = math.ceil((len(stored[key]) + 16) / PAGE_BYTES)  # 16: LMDB's page header
        if not modality.on_request:
            n_bytes += pages * PAGE_BYTES * (modality.n_published or 0)
    sized = [
        band.shape or band.name in USUAL_SHAPES.get((spec.name, m.name), {})
        for m in spec.modalities
        for band in m.bands
    ]
    stated = all(sized) and all(modality.n_published for modality in spec.modalities)
    assert row["store, about"] == (bytes_text(n_bytes) if stated else "not stated")
