"""The folder that becomes the squashfs: Debian's Python with its C library, rico-hdl, its wheels.

In: Debian's archive through mmdebstrap, the package index through pip, the project's lock files.
Out: a folder that can be run at any path, with the licences of everything in it.
"""

from __future__ import annotations

import gzip
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import requires
from pathlib import Path
from typing import Final

from native import INTERPRETER, LINKED, build_launcher
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from steps import StepError, run

_ROOT: Final = Path(__file__).resolve().parents[2]
SUITE: Final = "trixie"
"""Debian's release whose Python is bundled."""

_DEBIAN: Final = ("python3.13", "libstdc++6", "libgcc-s1")
_PYTHON: Final = "usr/lib/python3.13"
_PACKAGES: Final = "usr/lib/python3/dist-packages"
"""Where Debian's Python searches, relative to its prefix."""

_LIBRARIES: Final = "usr/lib/x86_64-linux-gnu"
_LOADER: Final = "ld-linux-x86-64.so.2"
_PROJECT: Final = "rico-hdl"

LOCKS: Final = tuple(
    _ROOT / "requirements" / name for name in ("runtime.txt", "runtime-extras.txt", "dev.txt")
)
"""The lock files. For each package, the first existing one that pins it counts."""

_PIN: Final = r"^[A-Za-z0-9].*\n(?:[ \t].*\n)*"
"""A package with its version, its marker and, in the following lines, its hashes."""

_MARKERS: Final = {"python_version": "3.13", "python_full_version": "3.13.0"}

_UNUSED: Final = (
    # From the standard library: tests, graphical programs, installing and building packages.
    *(f"{_PYTHON}/{name}" for name in ("test", "idlelib", "turtledemo", "tkinter", "ensurepip")),
    *(f"{_PYTHON}/{name}" for name in ("config-*", "EXTERNALLY-MANAGED")),
    # Modules that require libraries of terminals or databases, which nothing here imports.
    *(f"{_PYTHON}/lib-dynload/{name}*" for name in ("_curses", "readline", "_dbm", "_gdbm")),
    *(
        f"{_PYTHON}/lib-dynload/{name}*"
        for name in ("_sqlite3", "_test", "_ctypes_test", "_xxtest")
    ),
    # From the wheels: headers, tests, type information, scripts.
    *(f"{_PACKAGES}/{name}" for name in ("bin", "**/tests", "**/*.pyi", "**/*.pyx", "**/*.pxd")),
    *(f"{_PACKAGES}/numpy/{name}" for name in ("_core/include", "_core/lib", "f2py")),
    # States the wheel's path on the building machine.
    f"{_PACKAGES}/*.dist-info/direct_url.json",
)


CODECS: Final = frozenset(
    {"blosc", "brotli", "deflate", "jpeg8", "lz4", "lzf", "png", "snappy", "tiff", "zstd"}
)
"""The codecs of imagecodecs that rico-hdl uses; each is a module with its libraries."""

_TRIAL: Final = f"""
import h5py
import rico_hdl.cli
from imagecodecs import {", ".join(f"{codec}_decode" for codec in sorted(CODECS))}
"""


def build_appdir(appdir: Path, work: Path) -> None:
    """Fill an empty folder, with `work` for intermediate files."""
    root = work / "debian"
    unpack_debian(root, work)
    copy_python(root, appdir)
    for name in ("AppRun", "usr/bin/python3"):
        build_launcher(appdir / name, "rico_hdl")
    add_libraries(appdir, root)
    install_wheels(appdir, work)
    prune(appdir)
    prune_codecs(appdir)
    add_libraries(appdir, root)
    compile_modules(appdir)
    run(appdir / "usr/bin/python3", "-W", "error", "-c", _TRIAL)
    copy_licences(root, appdir)


def unpack_debian(root: Path, work: Path) -> None:
    """Download Debian's Python and its dependencies; none of their scripts run."""
    archive = work / "debian.tar"
    run(
        *("mmdebstrap", "--variant=extract", f"--include={','.join(_DEBIAN)}"),
        *("--architectures=amd64", SUITE, archive),
    )
    root.mkdir()
    kept_out = [f"--exclude=./{folder}" for folder in ("dev", "etc", "var")]
    run("tar", "--extract", "--file", archive, "--directory", root, "--no-same-owner", *kept_out)


def copy_python(root: Path, appdir: Path) -> None:
    """Copy the interpreter and its standard library."""
    # A link to the machine's /etc, from which nothing may be run here.
    left_out = shutil.ignore_patterns("sitecustomize.py")
    shutil.copytree(root / _PYTHON, appdir / _PYTHON, symlinks=True, ignore=left_out)
    (appdir / "usr/bin").mkdir()
    shutil.copy2(root / "usr/bin/python3.13", appdir / INTERPRETER.lstrip("/"))
    (appdir / _LIBRARIES).mkdir()
    shutil.copy2(root / _LIBRARIES / _LOADER, appdir / _LIBRARIES)


def install_wheels(appdir: Path, work: Path) -> None:
    """Install rico-hdl and its dependencies, as wheels for the bundled interpreter."""
    wheels = work / "wheels"
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, _ROOT)
    locked = work / "requirements.txt"
    locked.write_text("".join(pins(closure(_PROJECT))))
    bundled = (*pip, "--python", appdir / "usr/bin/python3", "install", "--no-compile", "--no-deps")
    target = ("--only-binary", ":all:", "--target", appdir / _PACKAGES)
    run(*bundled, *target, "--require-hashes", "--requirement", locked)
    run(*bundled, *target, *wheels.glob("*.whl"))


def closure(project: str, extras: Iterable[str] = ("",)) -> set[str]:
    """The names of all dependencies of an installed project, on Linux with the bundled Python."""
    names: set[str] = set()
    for text in requires(project) or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker and not any(marker.evaluate({**_MARKERS, "extra": extra}) for extra in extras):
            continue
        names |= {canonicalize_name(requirement.name)}
        names |= closure(requirement.name, requirement.extras or ("",))
    return names


def pins(names: set[str]) -> Iterator[str]:
    """The lines of the lock files that pin packages, with their hashes.

    Raises:
        StepError: A package is not pinned in any of them.
    """
    locked: dict[str, str] = {}
    for lock in [lock for lock in LOCKS if lock.exists()]:
        here: dict[str, str] = {}
        for block in re.findall(_PIN, lock.read_text(), re.MULTILINE):
            name = canonicalize_name(re.split(r"[=;\[ ]", block)[0])
            # A name may have one version per range of Pythons; pip evaluates the markers.
            here[name] = here.get(name, "") + block
        locked = here | locked
    missing = names - locked.keys()
    if missing:
        raise StepError(f"no lock file pins {', '.join(sorted(missing))}: make lock")
    return (locked[name] for name in sorted(names))


def prune(appdir: Path) -> None:
    """Remove files that are not needed at run time."""
    for path in [path for pattern in _UNUSED for path in appdir.glob(pattern)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def prune_codecs(appdir: Path) -> None:
    """Remove unused codecs of imagecodecs, and their libraries."""
    used = {f"_{codec}" for codec in CODECS}
    folder = appdir / _PACKAGES / "imagecodecs"
    for module in folder.glob("_*.so"):
        if module.name.partition(".")[0] not in used and not module.name.startswith("_shared"):
            module.unlink()
    libraries = {file.name: file for file in folder.with_name("imagecodecs.libs").iterdir()}
    wanted, files = set[str](), list(folder.glob("*.so"))
    while files:
        found = (needed(files) & libraries.keys()) - wanted
        wanted |= found
        files = [libraries[name] for name in found]
    for name in libraries.keys() - wanted:
        libraries[name].unlink()


def add_libraries(appdir: Path, root: Path) -> None:
    """Copy the required shared libraries, and those that they require, from Debian's packages.

    Libraries that an earlier call copied for files that have been pruned since are removed.

    Raises:
        StepError: A library is neither in the packages nor in a wheel.
    """
    for file in (appdir / _LIBRARIES).iterdir():
        if file.name != _LOADER:
            file.unlink()
    files = [appdir / INTERPRETER.lstrip("/"), *appdir.rglob("*.so"), *appdir.rglob("*.so.*")]
    # Wheels contain their own libraries, and find them themselves.
    present = {file.name for file in files}
    while files:
        missing = needed(files) - present
        present |= missing
        files = [appdir / _LIBRARIES / name for name in sorted(missing)]
        for file in files:
            source = root / _LIBRARIES / file.name
            if not source.exists():
                raise StepError(f"{file.name} is needed, and not in the packages {_DEBIAN}")
            shutil.copy2(source.resolve(), file)


def needed(files: Iterable[Path]) -> set[str]:
    """The names of the shared libraries that executables and libraries are linked with."""
    said = run(
        "readelf", "--dynamic", "--wide", *files, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    )
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", said))


def compile_modules(appdir: Path) -> None:
    """Compile all modules; the interpreter does not compare them with their sources."""
    # -f: running pip left modules that are compared with the times of their sources.
    options = ("-q", "-f", "-s", appdir, "--invalidation-mode", "unchecked-hash")
    for folder in (_PYTHON, _PACKAGES):
        run(appdir / "usr/bin/python3", "-m", "compileall", *options, appdir / folder)


def copy_licences(root: Path, appdir: Path) -> None:
    """Copy the licences of everything except wheels, which contain their own, and list versions."""
    documents = appdir / "usr/share/doc"
    documents.mkdir(parents=True)
    shutil.copy2(_ROOT / "LICENSE", documents)
    versions = []
    for folder in sorted(root.glob("usr/share/doc/*/")):
        if (folder / "copyright").exists():
            (documents / folder.name).mkdir()
            shutil.copy2(folder / "copyright", documents / folder.name)
        # Debian's native packages have no other changelog.
        names = ("changelog.Debian.gz", "changelog.gz")
        for changes in [folder / name for name in names if (folder / name).exists()][:1]:
            # The first line describes the newest version: name (version) suite; urgency
            with gzip.open(changes, "rt", encoding="utf-8") as lines:
                versions.append(f"{folder.name}: {lines.readline().partition(';')[0]}\n")
    (documents / "debian-packages.txt").write_text("".join(versions))
    for package in LINKED:
        target = documents / "linked" / package
        target.mkdir(parents=True)
        licence = Path("/usr/share/doc", package, "copyright")
        if licence.exists():  # other distributions keep them elsewhere
            shutil.copy2(licence, target)
