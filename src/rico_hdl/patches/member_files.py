"""The files of a patch in an archive.

In: members of an archive, or their contents. Out: what a patch is read from.
"""

from __future__ import annotations

from pathlib import Path

from rico_hdl.errors import MemoryLimitError, SourceError
from rico_hdl.sources import MAX_MEMBER_BYTES, Content, Member


class MemberFiles:
    """The files of one patch: in memory if the archive is sequential, otherwise read on request.

    Args:
        location: The archive's location.
        files: Each file, by path: its content, or a member to read.
        n_bytes_held: Total bytes of the contents.
    """

    __slots__ = ("_files", "location", "n_bytes_held")

    def __init__(
        self, location: str, files: dict[str, Content | Member], n_bytes_held: int = 0
    ) -> None:
        self.location = location
        self.n_bytes_held = n_bytes_held
        self._files = files

    def read(self, path: str, max_bytes: int = MAX_MEMBER_BYTES) -> Content:
        """See `Reads.read`.

        Raises:
            ArchiveError: The file is damaged.
            MemoryLimitError: See `Reads.read`.
        """
        file = self._files[path]
        if not isinstance(file, Member):
            return file
        if file.n_bytes > max_bytes:
            raise MemoryLimitError(file.n_bytes)
        return file.read()

    def check(self) -> None:
        """See `Reads.check`."""
        place = Path(self.location)
        if not place.is_dir() and not any(path.is_file() for path in (place, *place.parents)):
            raise SourceError(
                f"{self.location}: no such file (any more)",
                "Check that the disk or network share is mounted.",
            )
