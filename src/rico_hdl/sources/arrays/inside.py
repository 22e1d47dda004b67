"""Members of an archive that hold many patches each.

In: an archive whose members are array files or zipped Zarr stores. Out: an archive of the patches
in them. One such member is in memory at a time, so members must be read in turn.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Final, NoReturn

from rico_hdl.errors import ArchiveError, DecodingError, IncompleteArchiveError, RicoError
from rico_hdl.sources.arrays.patches import ContainerReader
from rico_hdl.sources.arrays.stored import StoredFile
from rico_hdl.sources.protocol import Archive, Content, Member
from rico_hdl.spec import Modality

MAX_HELD_BYTES: Final = 128 * 2**20
"""Largest member of an archive that is held in memory for the patches in it."""
_N_NAMED: Final = 5
"""Members that an error names."""


class ContainersInArchive:
    """The patches in the members of an archive; other members are passed on.

    Args:
        archive: The archive.
        modality: The modality to look for.
    """

    sequential = True

    def __init__(self, archive: Archive, modality: Modality) -> None:
        self._archive = archive
        self._modality = modality

    @property
    def location(self) -> str:
        """See `Archive.location`."""
        return self._archive.location

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Archive.files`."""
        return self._archive.files

    @property
    def n_bytes_read(self) -> int:
        """See `Archive.n_bytes_read`."""
        return self._archive.n_bytes_read

    def members(self) -> Generator[Member]:
        """See `Archive.members`. Members that can't be read are left out, and named at the end."""
        reader = ContainerReader(self._modality)
        template = reader.container.at_any_depth()
        unread: list[str] = []
        turn = _Turn()
        try:
            with closing(self._archive.members()) as outer:
                for member in outer:
                    if template.match(member.path) is None:
                        yield turn.passed_on(member)
                        continue
                    stored = None
                    try:
                        stored = StoredFile(Path(member.path), _content_of(member))
                        for patch, _ in reader.members(stored, member.path):
                            yield turn.passed_on(patch)
                    except (RicoError, OSError) as error:
                        unread.append(_reason(member.path, error))
                    finally:
                        if stored is not None:
                            reader.forget(stored)
        except ArchiveError as error:
            _raise_both(self.location, error, unread)
        finally:
            turn.end()
        if unread:
            more = f"; and {len(unread) - _N_NAMED} more" if len(unread) > _N_NAMED else ""
            raise IncompleteArchiveError(
                f"{self.location}: {len(unread)} members can't be read, so their patches are "
                f"missing: {'; '.join(unread[:_N_NAMED])}{more}",
                "Download it again, or unpack it and give the folder.",
            )


class _Turn:
    """Lets a member be read until the next one is requested."""

    def __init__(self) -> None:
        self._number = 0

    def end(self) -> None:
        """End the turn of the last member."""
        self._number += 1

    def passed_on(self, member: Member) -> Member:
        """A member that can be read now."""
        self.end()
        number = self._number

        def read() -> Content:
            if number != self._number:
                raise RuntimeError(f"{member.path!r} must be read before the next member")
            return member.read()

        return member._replace(read=read)


def _content_of(member: Member) -> bytes:
    """The bytes of a member that holds patches.

    Raises:
        ArchiveError: It can't be read.
        DecodingError: It is too large.
    """
    if member.problem:
        raise ArchiveError(member.problem)
    if member.n_bytes > MAX_HELD_BYTES:
        raise DecodingError(
            f"takes {member.n_bytes:,} bytes, expected at most {MAX_HELD_BYTES:,} of a file in an "
            "archive; unpack the archive, and give the folder"
        )
    content = member.read()
    if not isinstance(content, bytes):
        raise DecodingError("is no file")
    return content


def _reason(path: str, error: Exception) -> str:
    reason = error.message if isinstance(error, RicoError) else str(error)
    return reason if path in reason else f"{path}: {reason}"


def _raise_both(location: str, error: ArchiveError, unread: list[str]) -> NoReturn:
    """Raise an error of the archive that also says which members could not be read."""
    if not unread:
        raise error
    raise type(error)(
        f"{error.message}; moreover, {len(unread)} of its members can't be read: "
        f"{'; '.join(unread[:_N_NAMED])}",
        error.hint or f"Download {location} again.",
    ) from error
