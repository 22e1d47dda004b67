"""Tar archives, compressed or not, whole or split, read from beginning to end.

In: files. Out: the members in archive order, one at a time, and every byte of the files for
checksums. Nothing is unpacked and no link is followed. Only one header, of bounded size, or one
requested member is in memory at a time.

This module follows the blocks itself because `tarfile` mistakes a damaged header, or an archive
that was cut off between two members, for the end, and takes 25 to 45 µs per member; BigEarthNet has
eight million. The files are read to their end: concatenated archives are read as one, and bytes
that belong to no member are an error after the last member.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from tarfile import HeaderError
from typing import Final

from rico_hdl.errors import ArchiveError, IncompleteArchiveError, SourceError
from rico_hdl.sources.content import Stream
from rico_hdl.sources.protocol import MAX_MEMBER_BYTES, Member
from rico_hdl.sources.tar.header import (
    BLOCK_BYTES,
    FILES,
    FOLDERS,
    LABEL,
    SPARSE,
    TarHeader,
    parse,
)
from rico_hdl.sources.tar.headers import Headers

_PROBLEMS: Final = {
    b"1": "it is a hard link: its content is that of another member",
    b"2": "it is a symbolic link",
    b"3": "it is a device",
    b"4": "it is a device",
    b"6": "it is a named pipe",
    SPARSE: "it is a sparse file, as stored by tar --sparse",
}

_AGAIN: Final = "Download it again, and compare its size with the published one."


class TarArchive:
    """A tar archive: uncompressed, or compressed with gzip, zstd, xz or bzip2.

    Args:
        files: The archive, or its parts, in order; read as if they were one file.
        on_raw: Called with all bytes of the files, in order, by the thread that reads them, while
            members are read. After the last member, it has received every byte.
    """

    sequential = True

    def __init__(
        self, files: Sequence[Path], *, on_raw: Callable[[bytes], object] | None = None
    ) -> None:
        self._files = tuple(files)
        self._on_raw = on_raw
        self._content: Stream | None = None

    @property
    def location(self) -> str:
        """See `Archive.location`."""
        return str(self._files[0])

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Archive.files`."""
        return self._files

    @property
    def n_bytes_read(self) -> int:
        """See `Archive.n_bytes_read`."""
        return 0 if self._content is None else self._content.n_bytes_read

    def members(self) -> Generator[Member]:
        """See `Archive.members`."""
        with closing(Stream(self._files, on_raw=self._on_raw)) as content:
            self._content = content
            self._refuse(content)
            yield from self._found(content)

    def _found(self, content: Stream) -> Generator[Member]:
        headers = Headers(content)
        try:
            while (header := headers.next()) is not None:
                name, _, n_bytes = header
                start = content.tell()
                if not _is_folder(header):
                    path, problem = _path_of(name)
                    if not headers.name_is_certain:
                        problem = "the header before it, which may hold its name, is damaged"
                    read = partial(self._read, content, path, start, n_bytes)
                    yield Member(path, read, problem or _problem_of(header), n_bytes)
                if not content.seek(start + n_bytes + -n_bytes % BLOCK_BYTES):
                    _refuse_short(name, content.tell() - start, n_bytes)
        except ArchiveError as error:
            # Messages of decompression start with the part of the archive that failed.
            where = "" if error is content.failure else f"{self.location}: "
            before = f"; before that, {headers.damage}" if headers.damage else ""
            message = f"{where}{error.message}; {headers.last}{before}"
            raise type(error)(message, error.hint or _AGAIN) from error
        if headers.damage:
            raise self._damaged(headers)

    def _damaged(self, headers: Headers) -> ArchiveError:
        """The error to raise after the last member for bytes outside of members and padding."""
        message = f"{self.location}: {headers.damage}"
        if headers.n_lost:
            message += f"; {headers.n_lost:,} bytes can't be accounted for"
        if headers.is_certain:
            # Failures in reports have no hint, so the message itself says what to do.
            message += "; remove the data appended to it, or get an intact copy"
            return IncompleteArchiveError(message)
        return ArchiveError(message, _AGAIN)

    def _read(self, content: Stream, path: str, start: int, n_bytes: int) -> bytes:
        """Read the content of a member; see `Member.read`."""
        if content.tell() != start:
            raise RuntimeError(f"{path!r} must be read once, before the next member is requested")
        try:
            data = content.read(n_bytes)
        except ArchiveError as error:
            message = f"{error.message}; in the middle of {path!r}"
            raise type(error)(message, error.hint) from error
        if len(data) < n_bytes:
            _refuse_short(f"{self.location}/{path}", len(data), n_bytes)
        return data

    def _refuse(self, content: Stream) -> None:
        """Refuse a file that is not a tar archive."""
        block = content.peek(BLOCK_BYTES)
        try:
            if len(block) == BLOCK_BYTES:
                parse(block)
                return
        except HeaderError:
            if block[257:262] == b"ustar":  # a damaged header
                return
        raise SourceError(
            f"{self.location}: is not a tar archive: "
            + (f"it begins with {block[:8].hex(' ')}" if block else "it is empty"),
            _AGAIN,
        )


def _is_folder(header: TarHeader) -> bool:
    """Whether a header describes no file. Before POSIX, a trailing slash marked a folder."""
    name, kind, n_bytes = header
    if kind in FILES:
        return n_bytes == 0 and name.endswith("/")
    return kind in FOLDERS or kind == LABEL


def _path_of(name: str) -> tuple[str, str]:
    """The path of a member in the archive, and the problem with its name, if any."""
    if name[:1] not in "./" and not ("/." in name or "//" in name or "\0" in name):
        return name, ""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    path = "/".join(part for part in parts if part != "..")
    if name.startswith("/"):
        return path, f"its path is absolute: {name!r}"
    if ".." in parts:
        return path, f"its path leads out of the archive: {name!r}"
    if "\0" in name or not path:
        return path.replace("\0", ""), f"its name is damaged: {name!r}"
    return path, ""


def _problem_of(header: TarHeader) -> str:
    """Why a member can't be read; empty if it can."""
    _, kind, n_bytes = header
    if kind not in FILES:
        return _PROBLEMS.get(kind, f"its kind is unknown: {kind!r}")
    if n_bytes > MAX_MEMBER_BYTES:
        return f"it has {n_bytes} bytes, expected at most {MAX_MEMBER_BYTES}"
    return ""


def _refuse_short(name: str, n_found: int, n_bytes: int) -> None:
    if n_found < n_bytes:
        raise ArchiveError(
            f"{name!r} is cut short: only {n_found} of its {n_bytes} bytes are present", _AGAIN
        )
