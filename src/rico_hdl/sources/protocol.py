"""What sources can do: list folders, read files, or give the members of an archive in order."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from rico_hdl.decoding.raster import Raster

MAX_MEMBER_BYTES: Final = 2**30
"""The largest member of an archive that is read: twice the largest image that is decoded. What says
that it is larger is damaged, or a bomb."""


class FolderEntry(NamedTuple):
    """A file or a folder in a listing."""

    name: str
    """Its name in its folder. A name that is not UTF-8 holds surrogates (PEP 383)."""
    is_folder: bool
    """Whether it can be listed in turn; links are followed."""


Content = bytes | Raster
"""What a file holds: its bytes, or the one band that a source has decoded already."""


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
            OSError: It can't be listed.
        """

    def names(self, folder: str) -> list[str]:
        """The names in a folder, sorted: like `entries`, cheaper, but without the kinds.

        Raises:
            OSError: It can't be listed.
        """


class Reads(Protocol):
    """Files that can be read. Implementations are safe to use from several threads at once."""

    @property
    def location(self) -> str:
        """Where it is, as a user would write it: an absolute path."""

    def read(self, path: str) -> Content:
        """A whole file.

        Args:
            path: Path below the source with ``/`` between names.

        Raises:
            OSError: It can't be read.
            ArchiveError: It is a damaged member of an archive.
        """

    def check(self) -> None:
        """Tell a source that is gone from a file that can't be read.

        Raises:
            SourceError: The source as a whole can't be used (any more).
        """


class Source(Lists, Reads, Protocol):
    """Files in folders, which can be listed and read in any order."""


class Member(NamedTuple):
    """A file in an archive. Folders are not told of."""

    path: str
    """Its path in the archive, with ``/`` between names; never absolute, without ``.`` and ``..``.
    A name that is not UTF-8 holds surrogates (PEP 383)."""
    read: Callable[[], Content]
    """Reads its content, whole. Of a sequential archive it must be called before the next member
    is asked for, or not at all; of others at any time, from any thread.

    Raises:
        ArchiveError: It is damaged, or can't be read. Other members may be fine.
    """
    problem: str = ""
    """Why it can't be read, if that is known beforehand: it is a link, say, or too large. Then
    `read` must not be called."""


class Archive(Protocol):
    """The members of an archive, or of what is used like one, in the order in which they lie there.

    It is opened when its members are asked for, and closed when they end or are no longer asked
    for.
    """

    @property
    def location(self) -> str:
        """Where it is: the absolute path of the file, of several the one that they are named after.

        That is the first part, or of zip volumes the last one, ``x.zip``.
        """

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it consists of, in order: more than one if it is split."""

    @property
    def sequential(self) -> bool:
        """Whether members must be read one after another, as in a compressed stream."""

    @property
    def n_bytes_read(self) -> int:
        """How many bytes of `files` lie behind the last member that was told of: for progress."""

    def members(self) -> Generator[Member]:
        """All members, each once. Nothing is read into memory whole but what `Member.read` asks.

        A member with an absolute path or ``..`` is told of with a `Member.problem`, under the path
        without those parts.

        Raises:
            SourceError: It can't be opened, or is no archive of this kind.
            IncompleteArchiveError: All members were given, and are as sound as the format can tell,
                but there are bytes that belong to none, or members whose headers contradict what
                the archive says of them elsewhere: others may be missing.
            ArchiveError: It is damaged: the message says at which offset or member. Members that
                follow can't be read, or all were given and their content is in doubt.
        """
