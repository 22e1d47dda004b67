"""Zip archives in memory, such as members of other archives."""

from __future__ import annotations

from pathlib import Path

from rico_hdl.sources.volumes import MemoryVolume, Volumes
from rico_hdl.sources.zip.archive import ZipArchive


class ZipInMemory(ZipArchive):
    """A zip archive in memory.

    Args:
        path: Its name, for messages.
        data: Its bytes.
    """

    def __init__(self, path: Path, data: bytes) -> None:
        super().__init__([path])
        self._data = data

    def _volumes(self) -> Volumes:
        return MemoryVolume(self._data)
