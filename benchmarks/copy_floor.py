"""The copy floor: read every patch's file whole, write as many bytes as the store has, sync.

No conversion can be faster than this on the same machine, unless it does less. One process, one
reused buffer, plain system calls; no decoding, no keys.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUFFER_BYTES = 4 << 20
_NOT_PATCHES = ("-QL_", "-THUMBNAIL", "cloud_mask", "thumbnail", "metadata.json")
"""Parts of the names of files that are next to patches and are not converted."""


def main() -> None:
    """Read the command line and copy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", help="file to write")
    parser.add_argument("n_bytes", type=int, help="its size")
    parser.add_argument("sources", nargs="+", help="folders to read")
    arguments = parser.parse_args()
    copy((path for source in arguments.sources for path in walk(source)), arguments)


def walk(folder: str) -> Iterator[str]:
    """The files of patches in a folder, at any depth."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from walk(entry.path)
            elif not any(part in entry.name for part in _NOT_PATCHES):
                yield entry.path


def copy(paths: Iterator[str], arguments: argparse.Namespace) -> None:
    """Read all files and write `n_bytes`, as evenly as reading fills the buffer."""
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    out = os.open(arguments.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    left, filled = arguments.n_bytes, 0
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        while n_read := os.readv(file, [buffer[filled:]]):
            filled += n_read
            if filled == len(buffer):
                left -= write(out, buffer[: min(filled, left)])
                filled = 0
        os.close(file)
    while left:
        left -= write(out, buffer[: min(len(buffer), left)])
    os.fsync(out)
    os.close(out)


def write(out: int, data: memoryview) -> int:
    """Write all of `data`, and return its number of bytes."""
    written = 0
    while written < len(data):
        written += os.write(out, data[written:])
    return written


if __name__ == "__main__":
    main()
