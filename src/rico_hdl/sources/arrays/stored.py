"""The bytes of a file that holds arrays, on disk or in memory; and what it gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from rico_hdl.sources.arrays.cube import Cube
from rico_hdl.sources.files import open_regular
from rico_hdl.sources.volumes import Volumes


class StoredFile:
    """A file on disk, or one that was read from an archive. It is opened for each read.

    Args:
        path: Its path.
        data: Its bytes, if they are in memory; it is then not on disk.
    """

    def __init__(self, path: Path, data: bytes | None = None) -> None:
        self.path = path
        self.data = data

    @property
    def n_bytes(self) -> int:
        """Its size.

        Raises:
            OSError: It can't be opened, or is not a regular file.
        """
        if self.data is not None:
            return len(self.data)
        descriptor = open_regular(self.path)
        try:
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    def pread(self, offset: int, n_bytes: int) -> bytes:
        """Bytes at an offset; fewer at the end.

        Raises:
            OSError: They can't be read.
            SourceError: The file can't be opened.
        """
        if self.data is not None:
            return self.data[offset : offset + n_bytes]
        with Volumes([self.path]) as volumes:
            return volumes.pread(offset, n_bytes)


class ArrayFile(Protocol):
    """A file of arrays. Implementations are safe to use from several threads at once.

    Every method raises `DecodingError` if the file is intact but lacks what is asked for,
    `ArchiveError` if it is damaged, and `OSError` or `SourceError` if it can't be opened.
    """

    def places(self, path: str) -> Iterator[dict[str, str]]:
        """The values of the fields in a path for which there is an array, sorted.

        Args:
            path: The path of an array, with fields in braces; those that are called ``band`` are
                left as they are.
        """

    def cube(self, path: str) -> Cube:
        """The array at a path."""

    def words(self, path: str, start: int, stop: int) -> list[str]:
        """Some elements of an array with one dimension, of texts or integers, as texts."""

    def n_words(self, path: str) -> int:
        """The length of such an array."""
