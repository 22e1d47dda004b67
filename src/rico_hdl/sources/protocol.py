"""The abilities of sources: listing folders, reading files, iterating over an archive's members."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final, NamedTuple, Protocol, runtime_checkable

from rico_hdl.decoding.raster import Raster

MAX_MEMBER_BYTES: Final = 2**30
"""Largest file or member of an archive that is read: twice the largest image that is decoded. A
member that claims to be larger is damaged, or a decompression bomb."""


class FolderEntry(NamedTuple):
    """A file or a folder in a listing."""

    name: str
    """Its name in its folder. A name that is not UTF-8 contains surrogates (PEP 383)."""
    is_folder: bool
    """Whether it can be listed in turn; links are followed."""


Content = bytes | Raster | tuple[Raster, ...]
"""The content of a file: its bytes, or, if the source has already decoded it, a single band, or all
bands of a patch in the order of the spec."""


class Lists(Protocol):
    """Folders that can be listed. Implementations are safe to use from several threads at once."""

    @property
    def location(self) -> str:
        """Where it is, as a user would write it: an absolute path."""

    def entries(self, folder: str) -> list[FolderEntry]:
        """The entries of a folder, sorted by name.

        Args:
            folder: Path below the source with ``/`` between names; empty for the source itself.

        Raises:
            OSError: The folder can't be listed.
        """

    def names(self, folder: str) -> list[str]:
        """The names in a folder, sorted: cheaper than `entries`, but without the kinds.

        Raises:
            OSError: The folder can't be listed.
        """


class Reads(Protocol):
    """Files that can be read. Implementations are safe to use from several threads at once."""

    @property
    def location(self) -> str:
        """Where it is, as a user would write it: an absolute path."""

    @property
    def n_bytes_held(self) -> int:
        """Bytes of its files that are in memory already; 0 if they are read on request."""

    def read(self, path: str, max_bytes: int = MAX_MEMBER_BYTES) -> Content:
        """Read a whole file.

        Args:
            path: Path below the source with ``/`` between names.
            max_bytes: The memory that reading may take, in bytes.

        Raises:
            OSError: The file can't be read.
            MemoryLimitError: Reading would take more memory. Nothing was read.
            ArchiveError: The file is a damaged member of an archive.
        """

    def check(self) -> None:
        """Check that the source itself still exists, after a file could not be read.

        Raises:
            SourceError: The source as a whole can't be used (any more).
        """


class Source(Lists, Reads, Protocol):
    """Files in folders that can be listed and read in any order."""


class Member(NamedTuple):
    """A file in an archive. Folders are omitted."""

    path: str
    """Its path in the archive, with ``/`` between names; never absolute, without ``.`` and ``..``.
    A name that is not UTF-8 contains surrogates (PEP 383)."""
    read: Callable[[], Content]
    """Reads the whole member. In a sequential archive it must be called before the next member is
    requested, or not at all; otherwise it may be called at any time, from any thread.

    Raises:
        MemberError: The member can't be read, and the archive goes on behind it.
        ArchiveError: The member is damaged, or can't be read. Other members may be fine.
    """
    problem: str = ""
    """Why the member can't be read, if that is known in advance: it is a link, say, or too large.
    If set, `read` must not be called."""
    n_bytes: int = 0
    """The memory that reading it takes, in bytes; 0 if unknown."""


class Archive(Protocol):
    """The members of an archive, or of anything that is used like one, in archive order.

    The archive is opened when iteration over its members starts, and closed when it ends.
    """

    @property
    def location(self) -> str:
        """The absolute path of the archive's file; if there are several, of the one that names it.

        That is the first part of a split archive, or the last volume of a zip archive, ``x.zip``.
        """

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that make up the archive, in order: more than one if it is split."""

    @property
    def sequential(self) -> bool:
        """Whether members must be read one after another, as in a compressed stream."""

    @property
    def n_bytes_read(self) -> int:
        """Bytes of `files` up to the last member that was yielded, for progress."""

    def members(self) -> Generator[Member]:
        """Yield all members, each once. Only `Member.read` reads a whole member into memory.

        A member with an absolute path or ``..`` has a `Member.problem`, and a path without those
        parts.

        Raises:
            SourceError: The archive can't be opened, or is of another kind.
            IncompleteArchiveError: All members were yielded and are intact as far as the format can
                tell, but some bytes belong to no member, or the headers of some members contradict
                the archive's other records of them: members may be missing.
            ArchiveError: The archive is damaged; the message gives the offset or the member. Later
                members can't be read, or all were yielded but their content is in doubt.
        """


@runtime_checkable
class HasRows(Protocol):
    """An archive that has a table about its samples, in addition to pixels."""

    def rows(self) -> Generator[dict[str, object]]:
        """Yield what the archive says about each of its samples, in order.

        That is text, numbers, or lists of them, by column; `file` is the archive's name without its
        extension. Columns have names of lower-case letters, digits and ``_``.

        Raises:
            ArchiveError: The archive is damaged.
        """
