"""A folder on disk as a source.

In: a path. Out: listings and file contents. Links are followed; no file is written or kept open.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from rico_hdl.errors import SourceError
from rico_hdl.sources.files import open_regular, read_regular
from rico_hdl.sources.protocol import MAX_MEMBER_BYTES, FolderEntry

NOWHERE: Final = frozenset({errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR})
"""Errors of paths that lead nowhere, whatever the permissions are."""


class FolderSource:
    """A folder on disk.

    Args:
        path: The folder; a leading ``~`` is expanded.

    Raises:
        SourceError: The path does not exist, is not a folder, or can't be listed.
    """

    n_bytes_held = 0

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # abspath, unlike resolve, keeps links: messages show the path as the user knows it.
        self._root = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100
        self._prefix = os.path.join(self._root, "")  # noqa: PTH118 - Path drops the separator
        self.check()

    @property
    def location(self) -> str:
        """The absolute path."""
        return str(self._root)

    def entries(self, folder: str) -> list[FolderEntry]:
        """See `Source.entries`. Links to the folder itself or to one above it are omitted."""
        path = self._prefix + folder
        with os.scandir(path) as found:
            entries = [
                FolderEntry(item.name, is_below)
                for item in found
                if not ((is_below := is_folder(item)) and item.is_symlink())
                or not self._leads_back(path, item.path)
            ]
        entries.sort()
        return entries

    def names(self, folder: str) -> list[str]:
        """See `Source.names`."""
        return sorted(os.listdir(self._prefix + folder))  # noqa: PTH208 - a third of the time

    def read(self, path: str, max_bytes: int = MAX_MEMBER_BYTES) -> bytes:
        """See `Source.read`."""
        return read_regular(self._prefix + path, max_bytes)

    def read_beginning(self, path: str, n_bytes: int) -> bytes:
        """Read the first bytes of a file: fewer if it is shorter.

        Raises:
            OSError: The file can't be read.
        """
        with os.fdopen(open_regular(self._prefix + path), "rb", 0) as file:
            return file.read(n_bytes)

    def _leads_back(self, folder: str, link: str) -> bool:
        """Whether a link leads to a folder that was passed on the way to it, or above that."""
        target = os.path.join(os.path.realpath(link), "")  # noqa: PTH118
        passed = Path(folder)
        # Links may have been followed on the way, so what is above differs from folder to folder.
        places = [passed, *passed.parents][: len(passed.parts) - len(self._root.parts) + 1]
        return any(
            os.path.join(os.path.realpath(place), "").startswith(target)  # noqa: PTH118
            for place in places
        )

    def check(self) -> None:
        """See `Source.check`."""
        try:
            with os.scandir(self._root):
                pass
        except FileNotFoundError:
            raise SourceError(
                f"{self._root}: no such folder or archive", _nearest(self._root)
            ) from None
        except NotADirectoryError:
            raise SourceError(
                f"{self._root} is a file, expected a folder",
                "Open archives with `rico_hdl.sources.opening.open_archive`.",
            ) from None
        except OSError as error:
            advice = "Check the permissions, and that the disk or network share is mounted."
            if error.errno in NOWHERE:
                advice = "Check the path, and where its links lead."
            raise SourceError(f"{self._root}: can't be listed: {error.strerror}", advice) from None


def is_folder(item: os.DirEntry[str]) -> bool:
    """Whether an entry can be listed.

    If that can't be determined, because a link leads below a folder without permission, say, the
    entry counts as a folder, so listing it raises the error, unless it is called like a file: then
    reading it raises the error.
    """
    try:
        return item.is_dir()
    except OSError as error:
        return error.errno not in NOWHERE and not os.path.splitext(item.name)[1]  # noqa: PTH122


def _nearest(path: Path) -> str:
    """Describe the nearest existing folder above a missing path, and its contents."""
    parent = next(p for p in path.parents if p.exists())
    try:
        names = sorted(item.name for item in parent.iterdir())
    except OSError:
        return f"{parent} exists but can't be listed."
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"{parent} exists and contains: {shown or 'nothing'}."
