"""Check the wheel and the sdist: install them in fresh environments, and use what is installed.

In: ``dist/``, the Pythons of this machine, a package index. Out: a line for each way of installing
that works; exit code 1 and the output if one fails; 77 if no package index can be reached. Ways
that can't be tried here are reported as skipped. Environments are created in a temporary folder and
removed.

    .venv/bin/python packaging/check_install.py
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Final

import project
import pythons

_DIST: Final = project.ROOT / "dist"
_REQUIREMENTS: Final = project.ROOT / "requirements"
_CHECK: Final = project.ROOT / "packaging" / "check.py"
_TORCH: Final = project.ROOT / ".venv-torch" / "bin" / "python"

_LOWEST: Final = ("3.11.", "3.12.")
"""Pythons for which the lowest versions are published as wheels."""

_PUBLISH: Final = """
import sys
from pathlib import Path
import corpus
from corpus.archives import publish
from rico_hdl.datasets import registry
spec, folder = registry()["major-tom-core"], Path(sys.argv[1])
sources = corpus.generate(spec, folder / "files", 2, modalities=["s2"])
print(publish(spec, sources, folder / "downloads")["s2"])
"""
"""Generates a sample of Major-TOM Core as published: parquet parts."""

_Case = Callable[[Path], None]
"""A way of installing: a function that tries it in its own folder."""


class Environment:
    """A fresh virtual environment."""

    def __init__(self, python: Path, folder: Path) -> None:
        project.run(python, "-m", "venv", folder / "venv")
        self.folder = folder
        self.bin = folder / "venv" / "bin"

    def pip(self, *arguments: str | Path) -> None:
        """Run pip."""
        project.run(self.bin / "python", "-m", "pip", *arguments)

    def install(self, *arguments: str | Path) -> None:
        """Install with pip."""
        self.pip("install", "--quiet", "--disable-pip-version-check", *arguments)

    def check(self) -> None:
        """Convert and verify a sample with the installed package, away from its sources."""
        self.pip("check")
        work = self.folder / "work"
        program = self.bin / "rico-hdl"
        project.run(sys.executable, _CHECK, "--work", work, "--", program)
        parts = project.run(sys.executable, "-c", _PUBLISH, self.folder / "parquet").strip()
        convert = ("major-tom-core", "--s2-dir", parts, "--target-dir", work / "parquet")
        found = json.loads(project.run(program, *convert, "--json", "--quiet"))
        if not found["complete"] or not found["n_written"]["s2"]:
            raise project.ProcessError(f"the parquet parts were not converted: {found}")

    def check_extras(self) -> None:
        """Use the extras: compare the sample's store by GDAL."""
        program, work = self.bin / "rico-hdl", self.folder / "work"
        verify = ("verify", work / "target", "--sources", "--decoder", "gdal", "--json")
        found = json.loads(project.run(program, *verify))
        if found["findings"] or not found["n_records"]:
            raise project.ProcessError(f"GDAL found otherwise: {found}")


def main() -> None:
    """Try every way of installing, a few at a time, and print a line for each."""
    found = pythons.find()
    if not found:
        project.skip("no Python 3.11 or newer that can create virtual environments was found")
    names = project.names(project.version())
    wheel, sdist = _DIST / names["wheel"], _DIST / names["sdist"]
    project.ask_index()
    cases = _cases(wheel, sdist, found)
    with (
        TemporaryDirectory(prefix="rico-hdl-install-") as folder,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        results = [
            threads.submit(_tried, name, case, Path(folder, str(number)))
            for number, (name, case) in enumerate(cases.items())
        ]
    sys.exit(not all(result.result() for result in results))


def _cases(wheel: Path, sdist: Path, found: dict[str, Path]) -> dict[str, _Case]:
    """The ways to try, by name; those that can't be tried are reported."""
    newest = list(found.values())[-1]
    cases: dict[str, _Case] = {
        f"wheel, locked versions, Python {version}": partial(_locked, wheel, python)
        for version, python in found.items()
    }
    if with_wheels := [python for version, python in found.items() if version.startswith(_LOWEST)]:
        cases["wheel, lowest versions, extras"] = partial(_lowest, wheel, with_wheels[0])
    else:
        project.skip_part("wheel, lowest versions", "this machine has no Python 3.11 or 3.12")
    cases |= {
        "wheel, newest versions, extras": partial(_newest, wheel, newest),
        "sdist, locked versions": partial(_locked, sdist, newest),
        "wheel, uvx": partial(_uvx, wheel),
        "wheel, pipx": partial(_pipx, wheel, newest),
    }
    if _TORCH.exists():
        cases["wheel, extra torch"] = partial(_torch, wheel)
    else:
        # On other machines the extra may download gigabytes, for PyTorch on GPUs.
        project.skip_part(
            "wheel, extra torch", "PyTorch is not installed: `make test-torch` installs it"
        )
    return cases


def _tried(name: str, case: _Case, folder: Path) -> bool:
    """Try one way, and return whether it works."""
    began = time.monotonic()
    folder.mkdir()
    try:
        case(folder)
    except project.ProcessError as error:
        print(f"{name}: FAILED\n{error}", flush=True)
        return False
    finally:
        rmtree(folder)
    print(f"{name}: works, {time.monotonic() - began:.0f} s", flush=True)
    return True


def _locked(artefact: Path, python: Path, folder: Path) -> None:
    environment = Environment(python, folder)
    environment.install("--require-hashes", "--requirement", _REQUIREMENTS / "runtime.txt")
    environment.install("--no-deps", artefact)
    environment.check()


def _lowest(wheel: Path, python: Path, folder: Path) -> None:
    environment = Environment(python, folder)
    environment.install("--require-hashes", "--requirement", _REQUIREMENTS / "lowest.txt")
    # Everything is installed already; pip would report versions that the wheel does not accept.
    environment.install("--no-index", f"{wheel}[gdal,parquet]")
    environment.check()
    environment.check_extras()


def _newest(wheel: Path, python: Path, folder: Path) -> None:
    environment = Environment(python, folder)
    environment.install(f"{wheel}[gdal,parquet]")
    environment.check()
    environment.check_extras()


def _torch(wheel: Path, _folder: Path) -> None:
    # Uses installed packages only, so this fails if the PyTorch here does not satisfy the extra.
    resolve = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--dry-run",
        "--no-index",
    ]
    project.run(_TORCH, *resolve, f"{wheel}[torch]")


def _uvx(wheel: Path, folder: Path) -> None:
    uvx = Path(sys.executable).with_name("uvx")
    settings = ("UV_PYTHON_DOWNLOADS=never", f"UV_TOOL_DIR={folder}", *_index())
    _says_version("env", *settings, uvx, "--quiet", "--from", wheel, "rico-hdl")


def _index() -> list[str]:
    """The setting that tells uv which package index pip uses, if it is not the default one."""
    try:
        url = project.run(sys.executable, "-m", "pip", "config", "get", "global.index-url")
    except project.ProcessError:
        url = os.environ.get("PIP_INDEX_URL", "")
    return [f"UV_DEFAULT_INDEX={url.strip()}"] if url else []


def _pipx(wheel: Path, python: Path, folder: Path) -> None:
    environment = Environment(python, folder)
    environment.install("pipx")
    settings = ("env", f"PIPX_HOME={folder / 'pipx'}")
    _says_version(*settings, environment.bin / "pipx", "run", "--spec", wheel, "rico-hdl")


def _says_version(*command: str | Path) -> None:
    said = project.run(*command, "--version")
    if project.version() not in said:
        raise project.ProcessError(f"{command}: says {said}")


if __name__ == "__main__":
    main()
