"""Files and folders that operating systems and tools leave in a dataset.

They are ignored in every kind of source. Some hold copies of patches, as recycle bins and snapshots
do, or files with the names of patches and other contents, as ``._B02.tif`` on a Mac.
"""

from __future__ import annotations

from typing import Final

_NAMES: Final = frozenset(
    {
        *("__macosx", "icon\r"),  # macOS
        *("$recycle.bin", "recycler", "system volume information"),  # Windows
        *("thumbs.db", "ehthumbs.db", "desktop.ini"),
        "lost+found",  # file systems of Linux
        *("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),  # Synology, QNAP
        "__pycache__",
    }
)
"""In lower case."""
_SUFFIXES: Final = (".aux.xml", ".ovr")  # GDAL's statistics and overviews


def is_leftover(name: str) -> bool:
    """Whether a file or folder of this name is no part of a dataset.

    Hidden names are among them: ``.DS_Store``, ``._B02.tif``, ``.Trash-1000``, ``.snapshot``,
    ``.zfs``, ``.ipynb_checkpoints``, and unfinished files of rsync.
    """
    return name.startswith(".") or name.lower() in _NAMES or name.endswith(_SUFFIXES)


def is_in_leftover(folder: str) -> bool:
    """Whether any of a path's folders is a leftover.

    Args:
        folder: Path with ``/`` between names; may be empty.
    """
    return any(map(is_leftover, folder.split("/")))


class LeftoverPaths:
    """Recognises leftovers among files whose names may be those of patches; for one thread."""

    def __init__(self) -> None:
        self._folder = ""  # of the last path: files of a folder follow each other
        self._is_in_leftover = False

    def have(self, path: str) -> bool:
        """Whether a file is hidden, or in a folder that is a leftover."""
        start = path.rfind("/") + 1
        folder = path[:start]
        if folder != self._folder:
            self._folder, self._is_in_leftover = folder, is_in_leftover(folder)
        return self._is_in_leftover or path.startswith(".", start)
