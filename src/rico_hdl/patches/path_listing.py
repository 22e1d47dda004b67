"""Paths as folders that can be listed."""

from __future__ import annotations

from collections.abc import Sequence

from rico_hdl.sources import FolderEntry


class PathListing:
    """A listing of the folders implied by some paths."""

    def __init__(self, location: str, paths: Sequence[str]) -> None:
        self.location = location
        self.paths = paths
        """The paths."""
        self._folders: dict[str, set[FolderEntry]] = {"": set()}
        for path in paths:
            folder, _, name = path.rpartition("/")
            self._folders.setdefault(folder, set()).add(FolderEntry(name, is_folder=False))
            while folder:
                parent, _, name = folder.rpartition("/")
                self._folders.setdefault(parent, set()).add(FolderEntry(name, is_folder=True))
                folder = parent

    def entries(self, folder: str) -> list[FolderEntry]:
        """See `Lists.entries`."""
        return sorted(self._folders.get(folder, ()))

    def names(self, folder: str) -> list[str]:
        """See `Lists.names`."""
        return [entry.name for entry in self.entries(folder)]
