"""The README's commands, code, tables and trees, each compared with what really happens."""

import io
import math
import re
import shlex
import subprocess
import sys
from collections import Counter
from contextlib import redirect_stderr
from pathlib import Path, PurePath
from typing import get_args

import pytest
from documents import README, Section, run_section, section, sections, tree_files
from reading import arrays, records
from safetensors.numpy import load

import corpus
import rico_hdl
from corpus.archives import publish
from rico_hdl.cli import run
from rico_hdl.cli.commands import root
from rico_hdl.cli.text import bytes_text
from rico_hdl.datasets import registry
from rico_hdl.verification import Kind

RUNNABLE = [s for s in sections(README) if any(block.can_run for block in s.blocks)]
PAGE_BYTES = 4096


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Runs a section's code once, and gives the folder where it ran and what was run."""
    done = {}

    def play(part):
        if part.title not in done:
            folder = tmp_path_factory.mktemp("readme")
            done[part.title] = folder, run_section(part, folder)
        return done[part.title]

    return play


def target_of(folder, ran):
    """The store that a command wrote, which ran in a folder."""
    return folder / ran.arguments[ran.arguments.index("--target-dir") + 1]


def names_in(cell):
    """The bands of a table's cell, where ``B1 to B224`` stands for all of them."""
    match = re.fullmatch(r"([A-Z]+)(\d+) to \1(\d+)", cell)
    if match:
        return [f"{match[1]}{i}" for i in range(int(match[2]), int(match[3]) + 1)]
    return cell.split(", ")


def bands_by_key(part: Section):
    """What a dataset's section says: for each key, (shape, dtype) by band."""
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


def told(patch):
    """What the README tells of a patch: (shape, dtype) by band."""
    return {name: (array.shape, array.dtype.name) for name, array in patch.items()}


@pytest.mark.parametrize("part", RUNNABLE, ids=lambda part: part.title)
def test_section_runs(part, played):
    """A section's commands and code blocks run as printed, in order, and print what it says."""
    played(part)


def test_dataset_has_a_section(spec):
    """Each dataset has a section with its summary, publisher, notes, options and folders."""
    part = section(README, spec.title)
    text = " ".join(part.text.replace("`", "").split())
    assert spec.summary in text
    assert spec.url in text
    missing = [note for note in spec.notes if note not in text]
    assert not missing
    commands = [command for block in part.blocks for command in block.commands]
    sources = [word for m in spec.modalities for word in (m.option, m.folder)]
    assert [command[1:-2] for command in commands] == [[spec.name, *sources]]


def test_table_is_what_conversion_gives(spec, played):
    """The keys, bands, shapes and dtypes of a dataset's section are those of its store."""
    part = section(README, spec.title)
    folder, (ran,) = played(part)
    stored = arrays(target_of(folder, ran))
    expected = bands_by_key(part)
    assert {key: told(stored[key]) for key in expected} == expected
    described = {frozenset(bands) for bands in expected.values()}
    assert described == {frozenset(modality.band_names) for modality in spec.modalities}


def test_table_of_downloads_has_every_dataset():
    """Each dataset has a row that names the archives of the spec, and a line for its command."""
    (table,) = section(README, "From the downloaded archives").tables()
    assert [row["dataset"] for row in table] == [spec.title for spec in registry().values()]
    for row, spec in zip(table, registry().values(), strict=True):
        shown = re.findall(r"[\w./-]+\.(?:tar|zip|z\d\d|parquet)[\w.]*", row["published as"])
        names = [download.name for m in spec.modalities for download in m.downloads]
        assert all(any(PurePath(name).match(known) for known in names) for name in shown), row
        assert bool(shown) == bool(names) == bool(row["the line that converts it"])


def test_lines_for_downloads_give_the_folders_records(spec, tmp_path):
    """The line for a dataset's downloads stores what the unpacked folders would give."""
    (table,) = section(README, "From the downloaded archives").tables()
    (line,) = [row["the line that converts it"] for row in table if row["dataset"] == spec.title]
    if not line:
        pytest.skip(f"the archives of {spec.title} are not known")
    sources = corpus.generate(spec, tmp_path / "source", 2)
    publish(spec, sources, tmp_path / "downloads")
    command = [sys.executable, "-m", *shlex.split(line.replace("rico-hdl", "rico_hdl", 1))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rico_hdl.convert(spec, sources, tmp_path / "theirs")
    assert records(tmp_path / command[-1]) == records(tmp_path / "theirs")


def test_table_holds_for_real_files(spec, samples, tmp_path):
    """The keys, bands, shapes and dtypes of a dataset's section are those of real files."""
    folders = {path.name.lower(): path for path in samples.glob("*/")}
    folders |= {path.name.lower(): path for path in samples.glob("*/*/")}
    sources = {
        modality.name: folders[modality.folder.lower()]
        for modality in spec.modalities
        if modality.folder.lower() in folders and modality.encoding == "geotiff"
    }
    if not sources:
        pytest.skip(f"no real files of {spec.title}")
    rico_hdl.convert(spec, sources, tmp_path)
    stored, expected = arrays(tmp_path), bands_by_key(section(README, spec.title))
    known = {key: told(stored[key]) for key in expected if key in stored}
    assert len(known) == len(sources)
    assert known == {key: expected[key] for key in known}


def test_tree_is_what_is_converted(spec, played):
    """The files of a dataset's tree are there, and those not marked as left out are used."""
    part = section(README, spec.title)
    folder, (ran,) = played(part)
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
    assert shown == {path: "" if path in used else "left out" for path in shown}


def test_overview_lists_every_dataset():
    """The table of datasets has each one's title, command, modalities and number of patches."""
    (table,) = section(README, "Datasets").tables()
    shown = {
        row["command"]: (row["dataset"].split("]")[0][1:], row["modalities"].split(", "))
        for row in table
    }
    assert shown == {
        spec.name: (spec.title, [m.name for m in spec.modalities]) for spec in registry().values()
    }
    for row in table:
        modalities = registry()[row["command"]].modalities
        (n,) = {modality.n_published for modality in modalities}
        each = " each" if len(modalities) > 1 else ""
        assert row["published patches"] == (f"{n:,}{each}" if n else "not stated")


def test_overview_tells_the_size_of_a_store(spec, played):
    """A store's size in the table of datasets follows from its records and the published number."""
    (table,) = section(README, "Datasets").tables()
    (row,) = [row for row in table if row["command"] == spec.name]
    part = section(README, spec.title)
    folder, (ran,) = played(part)
    stored = records(target_of(folder, ran))
    n_bytes = 0
    for key in bands_by_key(part):
        names = tuple(load(stored[key]))
        (modality,) = [m for m in spec.modalities if set(m.band_names) == set(names)]
        pages = math.ceil((len(stored[key]) + 16) / PAGE_BYTES)  # 16: LMDB's page header
        n_bytes += pages * PAGE_BYTES * (modality.n_published or 0)
    assert row["store, about"] == (bytes_text(n_bytes) if n_bytes else "not stated")


def test_lines_of_the_original_get_a_notice(played):
    """Each line of the original's documentation works, with one notice on stderr."""
    part = section(README, "Moving from the original rico-hdl")
    _, ran = played(part)
    notices = [line for done in ran for line in done.stderr.splitlines() if "note:" in line]
    assert len(notices) == len(ran) == 2


def test_modality_is_added_later(played):
    """After the two commands that add one modality to another, the store holds both."""
    part = section(README, "Continue, repair, add")
    folder, ran = played(part)
    (target,) = {target_of(folder, done) for done in ran}
    assert Counter(map(len, arrays(target).values())) == {2: 2, 12: 2}


def flip(folder, offsets):
    """Change the lowest bit at some places of a folder's data.mdb."""
    path = folder / "data.mdb"
    data = bytearray(path.read_bytes())
    for offset in offsets:
        data[offset] ^= 1
    path.write_bytes(data)


def test_findings_look_as_shown(tmp_path):
    """Wrong pixels are reported in the lines that the README shows, with exit code 1."""
    (shown,) = [b for b in section(README, "Verify").blocks if b.language == "text"]
    sources = corpus.generate(registry()["uc-merced"], tmp_path, 2)
    rico_hdl.convert("uc-merced", sources, tmp_path / "store")
    flip(tmp_path / "store", range(100_000, 100_003))
    for line, options in zip(shown.text.splitlines(), ([], ["--sources"]), strict=True):
        command = [sys.executable, "-m", "rico_hdl", "verify", str(tmp_path / "store"), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        pattern = re.escape(line).replace("…", r"[0-9a-f]{32}")
        assert re.fullmatch(pattern, done.stdout.splitlines()[0])


def test_kinds_of_findings_are_listed():
    """The README's table of findings has the kinds that there are."""
    (table,) = [t for t in section(README, "Verify").tables() if "finding" in t[0]]
    assert tuple(row["finding"] for row in table) == get_args(Kind)


def test_stores_of_the_original_are_verified_and_continued(tmp_path):
    """What the README says of a store of the original holds: info, verify, continue, --sources."""
    spec = registry()["uc-merced"]
    sources = corpus.generate(spec, tmp_path, 3)
    rico_hdl.convert(spec, sources, tmp_path / "store")
    for name in ("rico-hdl.json", "rico-hdl.journal", "lock.mdb"):
        (tmp_path / "store" / name).unlink()
    before = (tmp_path / "store" / "data.mdb").read_bytes()
    convert = [spec.name, "--dataset-dir", str(sources["rgb"]), "--target-dir", "store"]

    def rico(*arguments):
        command = [sys.executable, "-m", "rico_hdl", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert spec.name in rico("info", "store").stdout
    assert "3 records" in rico("verify", "store").stdout
    assert rico("verify", "store", "--sources").returncode == 4
    assert rico(*convert, "--overwrite").returncode == 4
    assert rico(*convert).returncode == 0
    assert (tmp_path / "store" / "data.mdb").read_bytes() == before
    assert rico("verify", "store", "--sources").returncode == 0
    flip(tmp_path / "store", [100_000])
    assert rico("verify", "store").returncode == 1


def test_example_spec_becomes_a_command(tmp_path):
    """The example of a new dataset is all that its command needs."""
    (block,) = section(README, "Adding a dataset").blocks
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
    subprocess.run([sys.executable, "-c", start, *arguments], cwd=tmp_path, check=True)
    stored = arrays(tmp_path / "store")
    assert set(stored) == {patch.key for patch in corpus.patches(spec, spec.modalities[0], 3)}


def test_source_folder_one_level_off_is_suggested(tmp_path):
    """A source folder given one level too high or too low: the error says which one to give."""
    spec = registry()["bigearthnet"]
    source = corpus.generate(spec, tmp_path, 1, modalities=["s2"])["s2"]
    option = spec.modality("s2").option
    for wrong in (tmp_path, next(source.iterdir())):
        stderr = io.StringIO()
        with redirect_stderr(stderr):
            code = run(root, [spec.name, option, str(wrong), "--target-dir", str(tmp_path / "t")])
        assert code == 3
        assert f"{option} {source}\n" in stderr.getvalue()


def test_first_python_block_is_the_reading_snippet():
    """The first Python block reads a patch with numpy: `make demo` runs it on its result."""
    (first,) = [b for b in section(README, "The main job").blocks if b.language == "python"][:1]
    assert "safetensors.numpy" in first.text
    assert first.text == re.search(r"```python\n(.*?)```", Path(README).read_text(), re.DOTALL)[1]
