"""The README's commands and code, each compared with what really happens."""

import io
import re
from collections import Counter
from contextlib import redirect_stderr
from pathlib import Path

import pytest

import corpus
from rico_hdl.cli import run
from rico_hdl.cli.commands import root
from rico_hdl.datasets import registry
from tests.support.documents import README, ROOT, run_section, section, sections
from tests.support.reading import arrays

RUNNABLE = [s for s in sections(README) if any(block.can_run for block in s.blocks)]


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


@pytest.mark.parametrize("part", RUNNABLE, ids=lambda part: part.title)
def test_section_runs(part, played):
    """A section's commands and code blocks run as printed, in order, and print what it says."""
    played(part)


def test_modality_is_added_later(played):
    """After the two commands that add one modality to another, the store holds both."""
    part = section(README, "Continue, repair, add")
    folder, ran = played(part)
    (target,) = {target_of(folder, done) for done in ran}
    assert Counter(map(len, arrays(target).values())) == {2: 2, 12: 2}


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


def test_speed_of_reading_is_what_was_measured():
    """The table of reading speed is the one that the benchmark made for it."""
    (table,) = section(README, "Speed").tables()
    (measured,) = section(ROOT / "benchmarks" / "RESULTS-read.md", "For the README").tables()
    assert table == measured
