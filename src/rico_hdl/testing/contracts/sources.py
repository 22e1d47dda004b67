"""The contract of every `rico_hdl.sources.Source`, as tests that each implementation inherits.

There are two abilities, since not every source has both: listing folders, and reading files.
"""

from __future__ import annotations

import random
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from rico_hdl.errors import SourceError
from rico_hdl.sources import FolderEntry, Source

CONTENTS = {
    "b.tif": b"",
    "a/b.tif": b"in a folder",
    "a/b/c.tif": random.Random(0).randbytes(300_000),
    "a/b/ü.tif": b"not ASCII",
    "a/b/\udce4.tif": b"not UTF-8",
    "a b/ .tif": b"blanks",
    "B.tif": b"capital",
    "a/10.tif": b"10",
    "a/9.tif": b"9",
}
"""Files by path: names that sort by code points, prefixes of others, and odd names."""


def write_files(folder: Path, contents: dict[str, bytes]) -> None:
    """Write files without the code under test."""
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


class ListsContract(ABC):
    """The contract of listing folders."""

    @abstractmethod
    def listed(self, folder: Path, contents: dict[str, bytes]) -> Source:
        """A source that holds these files; they may be written to the folder."""

    def test_entries_are_sorted_and_identify_folders(self, tmp_path: Path) -> None:
        """Entries are sorted by name and say whether they are folders."""
        source = self.listed(tmp_path, CONTENTS)
        folders = {str(parent) for path in CONTENTS for parent in Path(path).parents}
        for folder in folders:
            prefix = "" if folder == "." else f"{folder}/"
            below = [p.removeprefix(prefix) for p in CONTENTS if p.startswith(prefix)]
            expected = sorted({FolderEntry(p.partition("/")[0], "/" in p) for p in below})
            assert source.entries(prefix.rstrip("/")) == expected
            assert source.names(prefix.rstrip("/")) == [entry.name for entry in expected]

    def test_a_missing_folder_holds_nothing(self, tmp_path: Path) -> None:
        """Listing a missing folder or a file gives nothing or an OSError."""
        source = self.listed(tmp_path, CONTENTS)
        for folder in ("c", "a/b/d", "a/c.tif", "a/9.tif"):
            for ask in (source.entries, source.names):
                with suppress(OSError):
                    assert ask(folder) == []

    def test_threads_list_at_once(self, tmp_path: Path) -> None:
        """Concurrent threads that list a source get the same as a single one."""
        source = self.listed(tmp_path, CONTENTS)
        folders = ["", "a", "a/b", "a b"] * 20
        expected = [source.entries(folder) for folder in folders]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(source.entries, folders)) == expected


class ReadsContract(ABC):
    """The contract of reading files."""

    @abstractmethod
    def readable(self, folder: Path, contents: dict[str, bytes]) -> Source:
        """A source that holds these files, in the folder or in a file below it."""

    def odd_paths(self) -> Iterable[str]:
        """Paths that don't lead to a file."""
        return ("c.tif", "a", "a/b/c", "a/b/c.tif/d")

    def test_files_are_read_whole(self, tmp_path: Path) -> None:
        """Each file is read completely, for any length and order, and more than once."""
        source = self.readable(tmp_path, CONTENTS)
        paths = [*CONTENTS, *CONTENTS]
        random.Random(0).shuffle(paths)
        for path in paths:
            assert source.read(path) == CONTENTS[path]

    def test_threads_read_at_once(self, tmp_path: Path) -> None:
        """Concurrent threads that read each get their own file."""
        source = self.readable(tmp_path, CONTENTS)
        paths = list(CONTENTS) * 20
        random.Random(0).shuffle(paths)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(source.read, paths))
        assert found == [CONTENTS[path] for path in paths]

    def test_a_missing_file_is_an_error(self, tmp_path: Path) -> None:
        """Reading a path that is not a file never gives the bytes of another."""
        source = self.readable(tmp_path, CONTENTS)
        for path in self.odd_paths():
            with pytest.raises((OSError, KeyError)):
                source.read(path)

    def test_it_knows_when_it_is_gone(self, tmp_path: Path) -> None:
        """The check passes while the source exists; afterwards its error names the source."""
        folder = tmp_path / "holds"
        folder.mkdir()
        source = self.readable(folder, CONTENTS)
        assert Path(source.location).is_relative_to(folder)
        source.check()
        shutil.rmtree(folder)
        with pytest.raises(SourceError, match=re.escape(source.location)):
            source.check()
