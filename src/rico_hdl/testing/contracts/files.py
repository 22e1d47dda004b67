"""Files that are damaged or left open."""

from __future__ import annotations

from pathlib import Path


def flip(path: Path, offset: int, change: int = 1) -> None:
    """Change bits of one byte of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ change]))


def open_files(folder: Path) -> list[str]:
    """Files below a folder that this process has open."""
    links = (path for path in Path("/proc/self/fd").iterdir() if path.is_symlink())
    return [path for link in links if (path := str(link.readlink())).startswith(str(folder))]
