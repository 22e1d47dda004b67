"""Decompress archives without writing anything: no conversion of them can be faster.

Tars are decompressed as one stream with the libraries that rico-hdl uses, in one thread, without
parsing members. Members of zips are read and decompressed in as many threads as the
conversion has, cells of parquet in one.
"""

from __future__ import annotations

import bz2
import io
import lzma
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Final

from isal import igzip

from rico_hdl.datasets import get
from rico_hdl.sources import Archive, Member
from rico_hdl.sources.opening import archives_in, is_stream, open_archive, parts_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_CHUNK_BYTES: Final = 2**20
_OPENERS: Final[dict[str, Callable[[Any], Any]]] = {
    ".gz": igzip.open,
    ".zst": zstd.open,
    ".xz": lzma.open,
    ".bz2": bz2.open,
}


class _Joined(io.RawIOBase):
    """The parts of a split archive as one file to read."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._files = [path.open("rb", buffering=0) for path in paths]

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - anything with a buffer
        """Read the next bytes into a buffer."""
        while self._files:
            if n_bytes := self._files[0].readinto(buffer):
                return n_bytes
            self._files.pop(0).close()
        return 0


def main() -> None:
    """Read all archives that the command line names."""
    n_workers = int(sys.argv[1])
    modality = get(sys.argv[2]).modality(sys.argv[3])
    for place in map(Path, sys.argv[4:]):
        for path in archives_in(place) if place.is_dir() else [place]:
            archive = open_archive(path, modality)
            if is_stream(archive):
                _stream(path)
            elif archive.sequential:
                for member in archive.members():
                    _read(member)
            else:
                _members(archive, n_workers)


def _stream(path: Path) -> None:
    name = path.name.rpartition(".part")[0] or path.name
    opener = next((opener for suffix, opener in _OPENERS.items() if name.endswith(suffix)), None)
    raw: Any = _Joined(parts_of(path))
    file = raw if opener is None else opener(raw)
    while file.read(_CHUNK_BYTES):
        pass


def _members(archive: Archive, n_workers: int) -> None:
    members = archive.members()
    with ThreadPoolExecutor(n_workers) as pool:
        while group := list(islice(members, 64 * n_workers)):
            for _ in pool.map(_read, group):
                pass


def _read(member: Member) -> int:
    return 0 if member.problem else len(member.read())


if __name__ == "__main__":
    main()
