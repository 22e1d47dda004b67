"""What every source offers to the stages behind it."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """A file or a folder in a listing."""

    name: str
    """Its name in its folder. A name that is not UTF-8 holds surrogates (PEP 383)."""
    is_folder: bool
    """Whether it can be listed in turn; links are followed."""


class Source(Protocol):
    """Files in folders. Implementations are safe to use from several threads at once."""

    @property
    def location(self) -> str:
        """Where it is, as a user would write it: an absolute path."""

    def entries(self, folder: str) -> list[Entry]:
        """The entries of a folder, sorted by name.

        Args:
            folder: Path below the source with ``/`` between names; empty for the source itself.

        Raises:
            OSError: It can't be listed.
        """

    def names(self, folder: str) -> list[str]:
        """The names in a folder, sorted: like `entries`, cheaper, but without what is a folder.

        Raises:
            OSError: It can't be listed.
        """

    def read(self, path: str) -> bytes:
        """A whole file.

        Args:
            path: Path below the source with ``/`` between names.

        Raises:
            OSError: It can't be read.
        """

    def check(self) -> None:
        """Tell a source that is gone from a file that can't be read.

        Raises:
            SourceError: The source as a whole can't be used (any more).
        """
