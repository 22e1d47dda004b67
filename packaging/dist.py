"""Build the sdist, and the wheel from it, into ``dist/``, and check their contents.

It uses the environment's hatchling and downloads nothing. The same working tree gives the same
bytes. A file that is not meant to be published is an error.

    .venv/bin/python packaging/dist.py
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

import project

_FOLDER: Final = project.ROOT / "dist"


def main() -> None:
    """Build both, and print their names."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else _FOLDER
    try:
        project.run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder)
    except project.ProcessError as error:
        sys.exit(str(error))
    names = project.names(project.version())
    wheel, sdist = folder / names["wheel"], folder / names["sdist"]
    if strange := [*strange_in_wheel(wheel), *strange_in_sdist(sdist)]:
        sys.exit(f"not to be published: {', '.join(strange)}")
    for path in (wheel, sdist):
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def strange_in_wheel(path: Path) -> list[str]:
    """Files that are neither the package's sources nor metadata, and missing files."""
    with zipfile.ZipFile(path) as wheel:
        found = set(wheel.namelist())
    package = project.ROOT / "src"
    expected = {
        file.relative_to(package).as_posix()
        for file in (package / "rico_hdl").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    metadata = {name for name in found if name.split("/")[0].endswith(".dist-info")}
    return sorted(found - metadata ^ expected)


def strange_in_sdist(path: Path) -> list[str]:
    """Files that git does not track, except the metadata; none without git."""
    with tarfile.open(path) as sdist:
        found = {member.name.partition("/")[2] for member in sdist.getmembers()}
    try:
        listed = project.run("git", "ls-files", "-z", "-c", "-o", "--exclude-standard")
    except (project.ProcessError, FileNotFoundError):
        return []
    return sorted(found - {*listed.split("\0"), "PKG-INFO"})


if __name__ == "__main__":
    main()
