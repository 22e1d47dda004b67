"""Folders and archives that are seen from above: their own name begins the paths in them.

A template may begin with a folder that a source lacks, since the source is that folder: ``s2/60m``
in ``s2/60m/{patch}.tif``, or an archive that is called like the folder it should be unpacked to.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from rico_hdl.sources.folder import FolderSource
from rico_hdl.sources.protocol import (
    MAX_MEMBER_BYTES,
    Archive,
    FolderEntry,
    Lists,
    Member,
    Reads,
)
from rico_hdl.spec import Modality

_EXTENSION: Final = re.compile(
    r"(?:\.(?:tar|t?(?:gz|zst|xz|bz2?)|zip|parquet|z[0-9]{2,}|zarr))+"
    r"(?:[._-]?(?:part)?[._-]?(?:[a-z]{2,3}|[0-9]{1,5})(?:[._-]of[._-][0-9]{1,5})?)?\Z",
    re.IGNORECASE,
)
"""The end of an archive's name, as `rico_hdl.sources.opening` knows it."""


class ListingFromAbove:
    """A source's listing, with paths that begin with the names of folders above its content.

    Args:
        source: The source.
        names: The names, of which the last one is the source's own.
    """

    def __init__(self, source: Lists, names: Sequence[str]) -> None:
        self._source = source
        self._names = tuple(names)

    @property
    def location(self) -> str:
        """See `Lists.location`: that of the source itself."""
        return self._source.location

    def entries(self, folder: str) -> list[FolderEntry]:
        """See `Lists.entries`."""
        if (name := self._next(folder)) is not None:
            return [FolderEntry(name, is_folder=True)]
        return self._source.entries(self._inside(folder))

    def names(self, folder: str) -> list[str]:
        """See `Lists.names`."""
        name = self._next(folder)
        return self._source.names(self._inside(folder)) if name is None else [name]

    def _next(self, folder: str) -> str | None:
        """The only name in a folder above the source; None for the source and what is below it."""
        names = tuple(folder.split("/")) if folder else ()
        is_above = len(names) < len(self._names) and names == self._names[: len(names)]
        return self._names[len(names)] if is_above else None

    def _inside(self, path: str) -> str:
        """The path from the source itself.

        Raises:
            FileNotFoundError: It does not lead into the source.
        """
        names, n = path.split("/"), len(self._names)
        if tuple(names[:n]) != self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return "/".join(names[n:])


class FolderFromAbove(ListingFromAbove):
    """A folder on disk, with paths that begin with the names of its last folders.

    Args:
        path: The folder.
        n_folders: The number of folders, of which the last one is the folder itself.
    """

    n_bytes_held = 0

    def __init__(self, path: Path, n_folders: int) -> None:
        self._folder = FolderSource(path)
        super().__init__(self._folder, path.parts[-n_folders:])

    def place_of(self, path: str) -> str:
        """Where a file is on disk."""
        return f"{self.location}/{self._inside(path)}"

    def read(self, path: str, max_bytes: int = MAX_MEMBER_BYTES) -> bytes:
        """See `Source.read`."""
        return self._folder.read(self._inside(path), max_bytes)

    def check(self) -> None:
        """See `Source.check`."""
        self._folder.check()


class ArchiveFromAbove:
    """An archive, or a folder in one, whose members may lack the first folders of a template.

    Args:
        archive: The archive.
        modality: The modality whose files it holds.
        names: The names of the folders above its members, of which the last is the archive's own.
    """

    def __init__(self, archive: Archive, modality: Modality, names: Sequence[str]) -> None:
        self._archive = archive
        self._template = modality.paths_anywhere
        self._starts = [f"{'/'.join(above)}/" for above in above_of(modality, names)]

    @property
    def location(self) -> str:
        """See `Archive.location`."""
        return self._archive.location

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
        """The members. Those whose path does not fit the template begin with the names above.

        That is so for those that fit it neither way, too, since siblings of the modality have the
        same names above.
        """
        with closing(self._archive.members()) as members:
            for member in members:
                path = member.path
                if self._template.match(path) is None:
                    fits = (s for s in self._starts if self._template.match(s + path) is not None)
                    path = next(fits, self._starts[-1]) + path
                yield member if path is member.path else member._replace(path=path)


def archive_from_above(
    archive: Archive, modality: Modality | None, name: str, inner: tuple[str, ...]
) -> Archive:
    """An archive, seen from above if the modality's paths may begin with folders that it lacks.

    Args:
        archive: The archive, or the folder in it.
        modality: The modality.
        name: The name of the archive's file.
        inner: The names of the folders in the archive, of which the last is the source.
    """
    if modality is None:
        return archive
    names = (stem_of(name), *inner) if modality.archive_names_folder else inner
    return ArchiveFromAbove(archive, modality, names) if above_of(modality, names) else archive


def above_of(modality: Modality, names: Sequence[str]) -> list[tuple[str, ...]]:
    """The names above a source that may belong to the first folders of a modality's template.

    Only folders that the template names count, and the first one if archives are called like it:
    other values would be made up.

    Args:
        modality: The modality.
        names: The names of the folders above the source's content, the source itself last.

    Returns:
        Ends of ``names`` that match the template's beginning, the shortest one first.
    """
    found = []
    segments = modality.paths.segments[:-1]
    for n, segment in enumerate(segments, 1):
        if segment.fields and not (n == 1 and modality.archive_names_folder):
            break
        bound: dict[str, str] = {}
        matched = len(names) >= n
        for name, part in zip(names[-n:], segments, strict=False):
            values = part.match(name, bound)
            matched = matched and values is not None
            bound |= values or {}
        if matched:
            found.append(tuple(names[-n:]))
    return found


def stem_of(name: str) -> str:
    """The name of an archive, or of a part of one, without its extensions."""
    return _EXTENSION.sub("", name) or name


def place_of(source: Reads, path: str) -> str:
    """Where a file of a source is, as a user would write it."""
    if isinstance(source, FolderFromAbove):
        return source.place_of(path)
    return f"{source.location}/{path}"
