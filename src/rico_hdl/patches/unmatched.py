"""Counting the files that look like patches but belong to none.

In: the paths in a source that no patch has. Out: a warning with their number and an example, since
a misspelt name would otherwise lose a patch without a word. What publishers ship next to patches is
no surprise: the spec lists it.
"""

from __future__ import annotations

import fnmatch
import re
from collections import deque
from collections.abc import Sequence
from functools import cached_property
from threading import Lock
from typing import Final

from rico_hdl.sources import Lists
from rico_hdl.sources.leftovers import is_leftover
from rico_hdl.spec import Modality
from rico_hdl.values import printable

_MAX_LISTINGS: Final = 200  # folders listed for files that are too deep or not deep enough


class UnmatchedFiles:
    """Counts a source's files that look like patches of a modality; safe to use from threads.

    Args:
        modality: The modality.
        siblings: The modalities of the same dataset, whose files are expected, too.
    """

    def __init__(self, modality: Modality, siblings: Sequence[Modality] = ()) -> None:
        self.n_files = 0
        """Files with the extension of the modality's files that belong to no patch."""
        self._modality = modality
        self._siblings = [other for other in siblings if other is not modality]
        self._suffixes = _spellings(modality.suffix)
        self._example = ""  # the first in path order
        self._skipped: set[str] = set()  # folders that were not listed
        self._closed: dict[str, str] = {}  # folders that can't be listed, and why
        self._lock = Lock()

    def meet(self, path: str) -> None:
        """Count a file that belongs to no patch, if it looks like one."""
        name = path.rpartition("/")[2]
        if not name.lower().endswith(self._suffixes):
            return
        if is_leftover(name) or self._companions.match(name):
            return
        if not _belongs(path, self._modality) and any(_belongs(path, o) for o in self._siblings):
            return
        with self._lock:
            self.n_files += 1
            self._example = min(self._example or path, path)

    def skip(self, folder: str) -> None:
        """Note a folder that is not listed, since it can't lead to a patch."""
        if len(self._skipped) < _MAX_LISTINGS:
            self._skipped.add(folder)

    def close(self, folder: str, error: OSError) -> None:
        """Note a folder that can't be listed, since its path leads nowhere."""
        self._closed[folder] = error.strerror or str(error)

    def look(self, source: Lists) -> None:
        """List some of the skipped folders: files may be one level too deep."""
        pending = deque(sorted(self._skipped))
        for _ in range(_MAX_LISTINGS):
            if not pending:
                return
            folder = pending.popleft()
            try:
                entries = source.entries(folder)
            except OSError:  # a file, or a folder without permission
                continue
            for name, is_folder in entries:
                if not is_folder:
                    self.meet(f"{folder}/{name}")
                elif not is_leftover(name):
                    pending.append(f"{folder}/{name}")

    def warnings(self, location: str) -> tuple[str, ...]:
        """What a user should know, a sentence each.

        Args:
            location: The source's location.
        """
        found = []
        if self.n_files:
            s, belong = ("", "belongs") if self.n_files == 1 else ("s", "belong")
            found.append(
                f"{self.n_files} {self._modality.suffix} file{s} in {location} {belong} to no "
                f"patch, such as {printable(self._example)}: expected {self._modality.files}"
            )
        if self._closed:
            folder = min(self._closed)
            s = "" if len(self._closed) == 1 else "s"
            found.append(
                f"{len(self._closed)} folder{s} in {location} can't be listed, so patches in there "
                f"are not converted: {self._closed[folder]}, such as {_shortened(folder)}"
            )
        return tuple(found)

    @cached_property
    def _companions(self) -> re.Pattern[str]:
        patterns = [fnmatch.translate(pattern) for pattern in self._modality.companions]
        return re.compile("|".join(patterns) or r"\Z(?<!\Z)", re.IGNORECASE)


def _spellings(suffix: str) -> tuple[str, ...]:
    """The usual forms of an extension, in lower case; none if there is none."""
    if suffix.lower() in {".tif", ".tiff"}:
        return (".tif", ".tiff")
    return (suffix.lower(),) if suffix else ()


def _belongs(path: str, modality: Modality) -> bool:
    """Whether a path below any folder is that of a modality's file."""
    return modality.fields_of(path) is not None


def _shortened(path: str) -> str:
    return printable(path if len(path) <= 100 else f"{path[:60]}…{path[-30:]}")
