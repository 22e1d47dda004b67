"""A folder in an archive, as an archive of its own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from rico_hdl.sources.protocol import Archive, Member


class InnerFolder:
    """A folder in an archive, as an archive of its own.

    Args:
        archive: The archive.
        folder: The folder's path in it.
    """

    def __init__(self, archive: Archive, folder: str) -> None:
        self._archive = archive
        self._folder = folder.strip("/") + "/"

    @property
    def location(self) -> str:
        """The archive's path, and the folder's behind it."""
        return f"{self._archive.location}/{self._folder[:-1]}"

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Archive.files`."""
        return self._archive.files

    @property
    def sequential(self) -> bool:
        """See `Archive.sequential`."""
        return self._archive.sequential

    @property
    def n_bytes_read(self) -> int:
        """See `Archive.n_bytes_read`."""
        return self._archive.n_bytes_read

    def members(self) -> Generator[Member]:
        """The members below the folder, with their paths from there."""
        with closing(self._archive.members()) as members:
            for member in members:
                if member.path.startswith(self._folder):
                    yield member._replace(path=member.path[len(self._folder) :])
