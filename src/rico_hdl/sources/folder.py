"""A folder on disk as a source.

In: a path. Out: listings and file contents. Links are followed; no file is written or kept open.
"""

from __future__ import annotations

import os
from pathlib import Path

from rico_hdl.errors import MemoryLimitError, SourceError
from rico_hdl.sources.protocol import MAX_MEMBER_BYTES, FolderEntry

# O_BINARY exists on Windows, where text mode would end a file at its first 0x1a.
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


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
                FolderEntry(item.name, item.is_dir())
                for item in found
                if not (item.is_symlink() and _leads_back(path, item.path))
            ]
        entries.sort()
        return entries

    def names(self, folder: str) -> list[str]:
        """See `Source.names`."""
        return sorted(os.listdir(self._prefix + folder))  # noqa: PTH208 - a third of the time

    def read(self, path: str, max_bytes: int = MAX_MEMBER_BYTES) -> bytes:
        """See `Source.read`."""
        file = os.open(self._prefix + path, _READ)
        try:
            # Requesting the exact size is cheaper than requesting more: no buffer is touched twice.
            n_bytes = os.fstat(file).st_size
            if n_bytes > max_bytes:
                raise MemoryLimitError(n_bytes)
            data = os.read(file, n_bytes)
            if len(data) < n_bytes:
                data = _read_on(file, data)
        finally:
            os.close(file)
        return data

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
            raise SourceError(
                f"{self._root}: can't be listed: {error.strerror}",
                "Check the permissions, and that the disk or network share is mounted.",
            ) from None


def _read_on(file: int, data: bytes) -> bytes:
    """Read the rest of a file after a short read, as signals and network file systems cause."""
    chunks = [data]
    while chunk := os.read(file, 2**20):
        chunks.append(chunk)
    return b"".join(chunks)


def _leads_back(folder: str, link: str) -> bool:
    real, target = os.path.realpath(folder), os.path.realpath(link)
    return os.path.join(real, "").startswith(os.path.join(target, ""))  # noqa: PTH118


def _nearest(path: Path) -> str:
    """Describe the nearest existing folder above a missing path, and its contents."""
    parent = next(p for p in path.parents if p.exists())
    try:
        names = sorted(item.name for item in parent.iterdir())
    except OSError:
        return f"{parent} exists but can't be listed."
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"{parent} exists and contains: {shown or 'nothing'}."
