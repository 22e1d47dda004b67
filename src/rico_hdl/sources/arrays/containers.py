"""Files on disk that hold many patches each, as one archive.

In: files, and the modality that they hold. Out: a member for each patch: its path is that of the
file, followed by the patch's fields, and its content are all its bands. Nothing but the chunks of
requested patches is read.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rico_hdl.errors import (
    ArchiveError,
    IncompleteArchiveError,
    RicoError,
    SourceError,
)
from rico_hdl.sources.arrays.patches import ContainerReader
from rico_hdl.sources.arrays.rows import rows_of
from rico_hdl.sources.arrays.stored import StoredFile
from rico_hdl.sources.files import hint_for
from rico_hdl.sources.folder import FolderSource
from rico_hdl.sources.leftovers import is_leftover
from rico_hdl.sources.protocol import Member
from rico_hdl.spec import Modality, Template

_N_NAMED: Final = 5
"""Files that an error names."""


class ContainerFiles:
    """Files in a folder, or one file, as an archive of the patches that they hold.

    Args:
        location: The folder, or the file.
        root: The folder that the paths of members begin at.
        names: The paths of the files below it, with ``/`` between names.
        modality: The modality that they hold.
    """

    sequential = False

    def __init__(
        self, location: Path, root: Path, names: Sequence[str], modality: Modality
    ) -> None:
        self._location = location
        self._root = root
        self._names = tuple(names)
        self._modality = modality
        self._n_bytes_read = 0

    @property
    def location(self) -> str:
        """See `Archive.location`: the folder, or the file if there is one."""
        return str(self._location)

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Archive.files`."""
        return tuple(self._root / name for name in self._names)

    @property
    def n_bytes_read(self) -> int:
        """See `Archive.n_bytes_read`: in proportion to the patches of each file."""
        return self._n_bytes_read

    def members(self) -> Generator[Member]:
        """See `Archive.members`. A file that can't be opened is left out, and named at the end."""
        self._n_bytes_read = n_before = 0
        reader = ContainerReader(self._modality)
        unread: list[_Unread] = []
        for name in self._names:
            stored = StoredFile(self._root / name)
            try:
                n_bytes = stored.n_bytes
                for member, share in reader.members(stored, name):
                    self._n_bytes_read = n_before + int(share * n_bytes)
                    yield member
                n_before += n_bytes
                self._n_bytes_read = n_before
            except (RicoError, OSError) as error:
                unread.append(_Unread.because(self._root / name, error))
        if unread:
            raise _failure(self.location, unread, len(self._names))

    def rows(self) -> Generator[dict[str, object]]:
        """See `HasRows.rows`: of HDF5 files, the arrays next to the pixels."""
        reader = ContainerReader(self._modality)
        for name in self._names:
            yield from rows_of(reader, StoredFile(self._root / name), name)


class _Unread(NamedTuple):
    """A file that can't be read. Not its error, which would keep what was opened alive."""

    message: str
    hint: str
    is_damaged: bool = False

    @classmethod
    def because(cls, path: Path, error: RicoError | OSError) -> _Unread:
        """A file at a path that can't be read because of an error."""
        if isinstance(error, RicoError):
            is_named = error.message.startswith(str(path))
            message = error.message if is_named else f"{path}: {error.message}"
            return cls(message, error.hint, isinstance(error, ArchiveError))
        return cls(f"{path}: can't be read: {error.strerror or error}", hint_for(error))


def _failure(location: str, unread: Sequence[_Unread], n_files: int) -> RicoError:
    """The error for files that can't be read."""
    reasons = "; ".join(one.message for one in unread[:_N_NAMED])
    reasons += f"; and {len(unread) - _N_NAMED} more" if len(unread) > _N_NAMED else ""
    if len(unread) < n_files:
        return IncompleteArchiveError(
            f"{location}: {len(unread)} of {n_files} files can't be read, so their patches are "
            f"missing: {reasons}",
            "Download them again.",
        )
    if any(one.is_damaged for one in unread):
        return ArchiveError(reasons, unread[0].hint or "Download it again.")
    return SourceError(
        reasons,
        unread[0].hint or "Check the array and its axes in the description of the dataset.",
    )


def container_at(path: Path, modality: Modality) -> ContainerFiles:
    """One file that holds patches of a modality.

    Raises:
        SourceError: Its name is not that of such a file.
    """
    template = modality.container
    names = path.parts[-len(template.segments) :] if template is not None else ()
    name = "/".join(names)
    if template is None or template.at_any_depth().match(name) is None:
        raise SourceError(
            f"{path}: its name does not tell the patches in it, expected {template}",
            "Give the file its published name.",
        )
    return ContainerFiles(path, path.parents[len(names) - 1], [name], modality)


def container_archives(folder: Path, modality: Modality) -> tuple[ContainerFiles, ...]:
    """The files below a folder that hold patches of a modality, as archives.

    Files that the publisher offers one by one are archives of their own, with their own sums;
    others are one archive. A folder that can't be listed holds none: opening it raises the error.
    """
    try:
        names = containers_below(folder, modality)
    except OSError:
        return ()
    paths = [folder / name for name in names]
    if all(any(path.match(one.name) for one in modality.downloads) for path in paths):
        return tuple(container_at(path, modality) for path in paths)
    return (ContainerFiles(folder, folder, names, modality),)


def containers_below(folder: Path, modality: Modality) -> list[str]:
    """The paths of files below a folder that hold patches of a modality, sorted.

    Raises:
        OSError: A folder can't be listed.
        SourceError: The folder itself can't be listed.
    """
    template = modality.container
    return [] if template is None else sorted(_found(FolderSource(folder), template, "", {}))


def _found(
    source: FolderSource, template: Template, folder: str, bound: dict[str, str], depth: int = 0
) -> Iterator[str]:
    """The files below one folder, which is at a depth of the template."""
    last = len(template.segments) - 1
    for name, is_folder in source.entries(folder):
        path = os.path.join(folder, name) if folder else name  # noqa: PTH118 - below the source
        if is_leftover(name):
            continue
        if template.any_depth:
            if is_folder:
                yield from _found(source, template, path, bound)
            elif template.match(path) is not None:
                yield path
            continue
        values = template.segments[depth].match(name, bound)
        if values is None or is_folder is (depth == last):
            continue
        if is_folder:
            yield from _found(source, template, path, bound | values, depth + 1)
        else:
            yield path
