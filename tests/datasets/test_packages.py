"""Datasets that installed packages add."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import corpus
import rico_hdl
from rico_hdl.cli.commands import root
from rico_hdl.datasets import built_in
from rico_hdl.datasets._packages import COMMANDS
from rico_hdl.spec.toml_form import load_spec
from tests.support.reading import records

TOML = """
name = "flowers"
title = "Wild Flowers"
summary = "Drone images of 64 x 64 pixels with meadows in bloom."
topic = "Drone images"
keywords = ["botany"]
[[modality]]
name = "rgb"
files = "meadow_{place}/flower_{number:d}.tif"
key = "{place}_{number}"
bands = ["Red", "Green", "Blue"]
dtype = "uint8"
example = "meadow_north/flower_1.tif"
"""
LOAD = """
from pathlib import Path
from rico_hdl import load_spec
FILE = Path(__file__).with_name("flowers.toml")
TEXT = str(FILE)
def function(): return FILE
SPEC = load_spec(FILE)
"""
FORMS = ["SPEC", "FILE", "TEXT", "function"]


class Packages:
    """A folder of installed packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = dict(os.environ)
        paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment["PYTHONPATH"] = os.pathsep.join(paths)

    def install(self, package: str, code: str, offers: str, toml: str = TOML) -> Path:
        """Install a package as pip does: its module, and the folder with its metadata."""
        module = self.folder / package
        metadata = self.folder / f"{package}-1.0.dist-info"
        for new in (module, metadata):
            new.mkdir(parents=True)
        (module / "__init__.py").write_text(code)
        (module / "flowers.toml").write_text(toml)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        (metadata / "entry_points.txt").write_text(f"[rico_hdl.datasets]\n{offers}\n")
        return module / "flowers.toml"

    def rico(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run the command line, which must not end with a traceback."""
        return self.python("-m", "rico_hdl", *map(str, arguments))

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        assert "mistake in rico-hdl" not in done.stderr
        return done


@pytest.fixture
def packages(tmp_path):
    """An empty folder of installed packages."""
    return Packages(tmp_path / "site")


@pytest.mark.parametrize("form", FORMS)
def test_a_package_may_describe_its_dataset_in_any_form(packages, form):
    """An entry point is a spec, the path of a TOML file, or a function that returns one of them."""
    packages.install("meadows", LOAD, f"flowers = meadows:{form}")
    assert packages.rico("datasets", "flowers").stdout.startswith("flowers: Wild Flowers\n")


def test_a_package_adds_a_dataset(packages, tmp_path):
    """A dataset of a package has a command like a built-in one."""
    toml = packages.install("meadows", LOAD, "flowers = meadows:function")
    source = corpus.generate(load_spec(toml), tmp_path / "source", 5)["rgb"]
    target = tmp_path / "target"
    done = packages.rico("flowers", "--dataset-dir", source, "--target-dir", target)
    assert (done.returncode, "5 written" in done.stdout) == (0, True)
    assert len(records(target)) == 5
    again = packages.rico("convert", "flowers", "--dataset-dir", source, "--target-dir", target)
    assert (again.returncode, "5 already there" in again.stdout) == (0, True)
    assert packages.rico("verify", target, "--sources").returncode == 0


def test_a_dataset_of_a_package_is_in_all_listings(packages):
    """Help, list, search, JSON, page and suggestions contain it like a built-in one."""
    packages.install("meadows", LOAD, "flowers = meadows:SPEC")
    assert "flair, flowers, fmow-sentinel" in packages.rico("--help").stdout
    listed = packages.rico("datasets").stdout
    assert "\nDrone images\n  flowers " in listed
    assert "Drone images with meadows in bloom\n" in listed
    found = packages.rico("datasets", "botany", "meadow")
    assert (found.stdout.count("\n  "), "flowers" in found.stdout) == (1, True)
    (row,) = json.loads(packages.rico("datasets", "botany", "--json").stdout)
    assert (row["name"], row["topic"]) == ("flowers", "Drone images")
    assert packages.rico("flowers", "--help").stdout.startswith("Usage: rico-hdl flowers ")
    assert "Did you mean flowers?" in packages.rico("flower").stderr
    assert "Did you mean flowers?" in packages.rico("convert", "flower").stderr


def test_a_dataset_of_a_package_is_recognised(packages, tmp_path):
    """A wrong folder whose files fit a package's dataset is recognised in the hint."""
    toml = packages.install("meadows", LOAD, "flowers = meadows:SPEC")
    source = corpus.generate(load_spec(toml), tmp_path / "source", 2)["rgb"]
    done = packages.rico("hydro", "--dataset-dir", source, "--target-dir", tmp_path / "target")
    assert done.returncode == 3
    assert f"It looks like Wild Flowers: rico-hdl flowers --dataset-dir {source}" in done.stderr


def test_a_package_takes_no_store_from_a_built_in_dataset(packages, tmp_path):
    """Records without a description remain those of a built-in dataset that they fit."""
    code = """
from dataclasses import replace
from rico_hdl.datasets import get
SPEC = replace(get("biomassters"), name="twin", title="Twin")
"""
    packages.install("twins", code, "twin = twins:SPEC")
    spec = built_in()["biomassters"]
    assert not spec.is_original
    sources = corpus.generate(spec, tmp_path / "source", 2)
    rico_hdl.convert(spec, sources, tmp_path / "store")
    for path in (tmp_path / "store").iterdir():
        if path.name not in {"data.mdb", "lock.mdb"}:
            path.unlink()
    found = json.loads(packages.rico("info", tmp_path / "store", "--json").stdout)
    assert found["dataset"] == "biomassters"


def test_python_finds_a_dataset_of_a_package(packages, tmp_path):
    """`rico_hdl.convert` takes its name, and the store's description suffices to read it."""
    toml = packages.install("meadows", LOAD, "flowers = meadows:SPEC")
    corpus.generate(load_spec(toml), tmp_path / "source", 2)
    code = (
        "import sys, rico_hdl; "
        "print(rico_hdl.convert('flowers', sys.argv[1], sys.argv[2]).n_written)"
    )
    done = packages.python("-c", code, str(tmp_path / "source"), str(tmp_path / "target"))
    assert (done.stdout, done.stderr) == ("{'rgb': 2}\n", "")
    code = "import sys, rico_hdl; print(rico_hdl.open(sys.argv[1]).read('north_1').shape)"
    read = packages.python(
        "-c", f"{code}; assert 'meadows' not in sys.modules", str(tmp_path / "target")
    )
    assert (read.stdout, read.stderr) == ("(3, 64, 64)\n", "")


BROKEN = {
    "absent": ("import absent_library", "SPEC", "ModuleNotFoundError: No module named"),
    "syntax": ("SPEC = (", "SPEC", "SyntaxError"),
    "exit": ("import sys; sys.exit(5)", "SPEC", "SystemExit: 5"),
    "attribute": (LOAD, "OTHER", "AttributeError"),
    "kind": ("SPEC = 5", "SPEC", "it is int, expected a DatasetSpec, the path of a TOML file"),
    "function": ("def SPEC(): raise KeyError('flowers')", "SPEC", "KeyError: 'flowers'"),
    "other-name": (LOAD, "SPEC", "called 'flowers' in its spec, expected 'other-name'"),
    "no-file": ("FILE = '/no/where.toml'", "FILE", "/no/where.toml: can't be read"),
}
"""The code of a package, its object, and what is wrong, by the name of the dataset."""


def test_a_broken_package_is_reported_when_used(packages):
    """Its dataset is an error that names the package; help and other datasets are not affected."""
    for name, (code, value, _) in BROKEN.items():
        package = f"{name.replace('-', '_')}_package"
        packages.install(package, code, f"{name} = {package}:{value}")
    for arguments in (["--help"], ["hydro", "--help"]):
        done = packages.rico(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
    listed = packages.rico("datasets")
    assert (listed.returncode, listed.stderr.count("warning: ")) == (0, len(BROKEN))
    assert f"\n{len(built_in())} datasets." in listed.stdout
    for name, (_, _, reason) in BROKEN.items():
        done = packages.rico(name)
        package = f"{name.replace('-', '_')}_package"
        assert (done.returncode, done.stdout) == (3, "")
        assert f"error: the dataset {name!r} of the package {package!r}" in done.stderr
        assert reason in done.stderr
        assert f"pip uninstall {package}" in done.stderr
        assert done.stderr.removeprefix("error: ") in listed.stderr


def test_any_use_of_a_broken_package_is_the_same_error(packages):
    """A conversion and a page of its dataset fail as its command does."""
    packages.install("meadows", "import absent_library", "flowers = meadows:SPEC")
    for arguments in (["convert", "flowers"], ["datasets", "flowers"]):
        done = packages.rico(*arguments)
        assert (done.returncode, "can't be loaded: ModuleNotFoundError" in done.stderr) == (3, True)


@pytest.mark.parametrize("command", ["rico-hdl ", "rico-hdl convert "])
def test_a_broken_package_spoils_no_completion(packages, command):
    """A shell completes the names of all other datasets."""
    packages.install("meadows", "import absent_library", "flowers = meadows:SPEC")
    n = command.count(" ")
    packages.environment |= {"COMP_WORDS": f"{command}fl", "COMP_CWORD": str(n)}
    packages.environment["_RICO_HDL_COMPLETE"] = "bash_complete"
    assert packages.rico().stdout.split() == ["plain,flair"]


def test_a_broken_package_spoils_no_hint(packages, tmp_path):
    """Searching for the dataset that files belong to skips those of broken packages."""
    packages.install("meadows", "import absent_library", "flowers = meadows:SPEC")
    source = corpus.generate(built_in()["uc-merced"], tmp_path / "source", 2)["rgb"]
    done = packages.rico("hydro", "--dataset-dir", source, "--target-dir", tmp_path / "target")
    assert (done.returncode, "rico-hdl uc-merced" in done.stderr) == (3, True)


def test_a_name_of_a_built_in_dataset_is_refused(packages, tmp_path):
    """The built-in dataset is used, and a warning names the package that offers the other."""
    packages.install("meadows", "raise ValueError", "uc-merced = meadows:SPEC")
    expected = (
        "warning: the package 'meadows' offers a dataset 'uc-merced', which rico-hdl has itself: "
        "the built-in one is used\n"
    )
    listed = packages.rico("datasets")
    assert (listed.returncode, listed.stderr) == (0, expected)
    source = corpus.generate(built_in()["uc-merced"], tmp_path / "source", 2)["rgb"]
    command = ["uc-merced", "--dataset-dir", source, "--target-dir", tmp_path / "target"]
    done = packages.rico(*command)
    assert (done.returncode, done.stderr.startswith(expected)) == (0, True)
    assert packages.rico("--help").stderr == ""


@pytest.mark.parametrize("name", ["verify", "Flowers", "my.toml", "a flower"])
def test_an_impossible_name_is_refused(packages, name):
    """A dataset can't have a name that the command line gives another meaning."""
    packages.install("meadows", LOAD, f"{name} = meadows:SPEC")
    listed = packages.rico("datasets")
    assert (listed.returncode, f"offers a dataset {name!r}, which can't be" in listed.stderr) == (
        0,
        True,
    )
    assert f"\n{len(built_in())} datasets." in listed.stdout
    assert packages.rico("verify", "--help").stdout.startswith("Usage: rico-hdl verify ")


def test_two_packages_with_one_name_are_refused(packages):
    """Neither is used, and the message names both."""
    for package in ("meadows", "gardens"):
        packages.install(package, LOAD, f"flowers = {package}:SPEC")
    expected = (
        "the package 'gardens' and the package 'meadows' offer a dataset 'flowers': uninstall all "
        "but one of them\n"
    )
    for arguments in (["flowers"], ["convert", "flowers"], ["datasets", "flowers"]):
        done = packages.rico(*arguments)
        assert (done.returncode, done.stderr.startswith(f"error: {expected}")) == (2, True)
    assert packages.rico("datasets").stderr == f"warning: {expected}"


def test_damaged_metadata_is_reported(packages):
    """Metadata that is not text prevents no command."""
    packages.install("meadows", LOAD, "flowers = meadows:SPEC")
    (metadata,) = packages.folder.glob("*.dist-info")
    with (metadata / "entry_points.txt").open("ab") as file:
        file.write(b"\xff\n")
    assert packages.rico("--help").returncode == 0
    listed = packages.rico("datasets")
    assert listed.returncode == 0
    assert "warning: installed packages can't be searched for datasets: Unicode" in listed.stderr


def test_help_imports_no_package(packages):
    """Help lists a package's dataset without importing it, whatever it would cost."""
    packages.install("meadows", "raise ValueError", "aa-first = meadows:SPEC")
    done = packages.rico("--help")
    assert (done.returncode, "aa-first, aid" in done.stdout) == (0, True)


def test_help_does_not_import_the_library_for_metadata_in_vain(packages):
    """Where no package adds a dataset, help does not pay for `importlib.metadata`."""
    code = (
        "import sys; from rico_hdl.cli.commands import root; "
        "root.main(['--help'], standalone_mode=False); print('importlib.metadata' in sys.modules)"
    )
    assert packages.python("-c", code).stdout.endswith("\nFalse\n")
    packages.install("meadows", LOAD, "flowers = meadows:SPEC")
    assert packages.python("-c", code).stdout.endswith("\nTrue\n")


def test_all_commands_are_reserved():
    """No dataset can have the name of a command."""
    assert set(root.list_commands(None)) - set(built_in()) <= COMMANDS
