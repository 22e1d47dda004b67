"""How tests run: skipped tests, leftover files, and how to repeat a random failure."""

from __future__ import annotations

import ast
import os
import re
import signal
from itertools import groupby
from pathlib import Path

import pytest

from tests.plugins import fast
from tests.support.running import python

ROOT = Path(__file__).resolve().parents[2]

SUITE = """
import os, signal
import pytest
from hypothesis import given, strategies as st

@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    (folder / "file").write_bytes(bytes(1000))
    return folder

def test_passes(tmp_path, shared):
    (tmp_path / "file").write_bytes(bytes(1000))

def test_may_die(tmp_path, shared):
    (tmp_path / "file").write_bytes(bytes(1000))
    if os.environ.get("DIE"):
        os.kill(os.getpid(), signal.SIGKILL)

@given(st.integers(0, 10**12))
def test_property(number):
    with open(os.environ["NUMBERS"], "a") as file:
        print(number, file=file)
    assert number < 1000 or not os.environ.get("FAIL")

@pytest.mark.fuzz
def test_rounds(rounds, seed):
    with open(os.environ["NUMBERS"], "a") as file:
        print("seed", seed, len(list(rounds(3))), file=file)
"""


@pytest.fixture
def suite(tmp_path):
    """Runs a small suite with the plugins and settings of this suite."""
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "test_suite.py").write_text(SUITE)
    (tmp_path / "tmp").mkdir()

    # Without this run's own settings, and without libraries' plugins, which are slow to import.
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    outer |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    names = ["xdist.plugin", "_hypothesis_pytestplugin"]
    names += [f"tests.plugins.{name}" for name in ("fast", "leftovers", "rounds")]
    plugins = [word for name in names for word in ("-p", name)]

    outer |= {"TMPDIR": str(tmp_path / "tmp"), "NUMBERS": str(tmp_path / "numbers")}

    def run(*options, **variables):
        command = ["-m", "pytest", "-c", ROOT / "pyproject.toml", *plugins, "--rootdir", folder]
        command += ["-p", "no:cacheprovider", *options, folder]
        return python(*command, cwd=ROOT, env=outer | variables)

    return run


def left_by(tmp_path):
    """The files in the folder for temporary files."""
    return {path.name for path in (tmp_path / "tmp").rglob("*") if path.is_file()}


def test_files_of_a_killed_run_are_removed_by_the_next(suite, tmp_path):
    """A run removes its own files and those of a killed run, but not those of another project."""
    assert suite("-k", "die", DIE="1").returncode == -signal.SIGKILL
    assert {"file", "rico-hdl.lock"} <= left_by(tmp_path)
    (folder,) = (tmp_path / "tmp").glob("pytest-of-*")
    (folder / "pytest-50").mkdir()
    (folder / "pytest-50" / ".lock").touch()  # pytest's own, as long as a run lasts
    done = suite("-n", "2")
    assert "3 passed" in done.stdout, done.stdout
    assert left_by(tmp_path) == {".lock"}


def test_seeds_are_fixed_unless_fresh_ones_are_asked_for(suite, tmp_path):
    """Two runs with the same seed draw the same examples, and other seeds draw others."""
    ordinary, drawn = ["-m", "hypothesis or fuzz"], []
    for options in ([], [], ["--hypothesis-seed=1"], ["--hypothesis-seed=2"],
                    ["--hypothesis-seed=1"]):  # fmt: skip
        fresh = ["--hypothesis-profile=fuzz"] if options else []
        assert "2 passed" in suite(*ordinary, *fresh, *options).stdout
        drawn.append((tmp_path / "numbers").read_text().splitlines())
        (tmp_path / "numbers").unlink()
    assert drawn[0] == drawn[1]
    assert drawn[2] == drawn[4]
    assert len({tuple(lines) for lines in drawn}) == 3
    assert len({lines[-1] for lines in drawn}) == 3  # the seeds of the fuzzer


def test_a_random_failure_says_how_it_is_repeated(suite):
    """A failure with fresh seeds prints the example and the command that repeats it."""
    options = ["-m", "hypothesis or fuzz", "--hypothesis-profile=fuzz", "--hypothesis-seed=5"]
    done = suite(*options, FAIL="1")
    assert re.search(r"make fuzz SEED=5 TEST='.*::test_property'", done.stdout)
    assert "number=1000" in done.stdout
    assert "@reproduce_failure(" in done.stdout


def test_tests_that_are_listed_as_slow_exist():
    """Each line of tests/slow.txt names a test function, once, in order."""
    names = fast.listed()
    assert names == sorted(set(names))
    for file, group in groupby(names, lambda name: name.partition("::")[0]):
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        kinds = ast.FunctionDef | ast.ClassDef  # methods may be inherited from a contract
        there = {node.name for node in tree.body if isinstance(node, kinds)}
        gone = [name for name in group if name.split("::")[1] not in there]
        assert gone == [], "remove these lines"
