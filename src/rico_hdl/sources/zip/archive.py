"""Zip archives: single files, sets of volumes, and archives that were cut into parts.

In: the files. Out: the members in archive order. Any thread can read a member, with one read of the
file; its size and CRC-32 are verified. Links are never followed, nothing is decrypted, and a member
is never decompressed beyond its stated size.

The directory lists the members, and each member's own header repeats its entry. If the two differ,
or if some bytes belong to neither, an error follows the last member.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from rico_hdl.errors import ArchiveError, IncompleteArchiveError, SourceError
from rico_hdl.sources.protocol import Member
from rico_hdl.sources.volumes import Volumes
from rico_hdl.sources.zip.account import Account
from rico_hdl.sources.zip.directory import (
    SPLIT_SIGNATURE,
    CentralDirectory,
    EndOfDirectory,
    ZipEntry,
    begins_like_one,
    find_end,
)
from rico_hdl.sources.zip.header import name_of, walk_members
from rico_hdl.sources.zip.member import problem_of, read_member, reading_bytes

_VOLUME: Final = re.compile(r"(?P<stem>.+)\.z(?P<number>\d{2,5})", re.IGNORECASE)
_LAST: Final = re.compile(r"(?P<stem>.+)\.zip", re.IGNORECASE)
_CUT: Final = re.compile(r"(?P<stem>.+\.zip)\.(?P<number>\d{3,5})", re.IGNORECASE)

_AGAIN: Final = "Download it again."


class ZipArchive:
    """A zip archive.

    Args:
        files: The archive; or its volumes in order, the one with the directory last; or the parts
            that it was cut into, in order. See `volumes_of`.
    """

    sequential = False

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        self._n_bytes_read = 0

    @property
    def location(self) -> str:
        """See `Archive.location`; for a set of volumes, the one with the directory."""
        return str(self._files[-1] if _LAST.fullmatch(self._files[-1].name) else self._files[0])

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Archive.files`."""
        return self._files

    @property
    def n_bytes_read(self) -> int:
        """See `Archive.n_bytes_read`."""
        return self._n_bytes_read

    def members(self) -> Generator[Member]:
        """See `Archive.members`.

        If the directory at the end is missing or damaged, as after an interrupted download, the
        members that can be found without it are yielded before the error is raised.
        """
        self._n_bytes_read = 0
        with self._volumes() as volumes:
            try:
                yield from self._found(volumes)
            except OSError as error:
                raise ArchiveError(
                    f"{self.location}: can't be read: {error.strerror}",
                    "Check the permissions, and that the disk or network share is mounted.",
                ) from error

    def _volumes(self) -> Volumes:
        return Volumes(self._files)

    def _found(self, volumes: Volumes) -> Iterator[Member]:
        end = find_end(volumes)
        self._refuse(volumes, end)
        if end is None:
            yield from self._members_of(volumes, walk_members(volumes))
            raise ArchiveError(
                f"{self.location}: is cut short: the directory at its end is missing; members were "
                f"found up to byte {self._n_bytes_read} of {volumes.size}",
                f"{_AGAIN} If it is split, check that you have its last part.",
            )
        try:
            directory = CentralDirectory(volumes, end)
        except ArchiveError as error:
            yield from self._members_of(volumes, walk_members(volumes))
            raise ArchiveError(
                f"{self.location}: {error.message}; members were found up to byte "
                f"{self._n_bytes_read} of {volumes.size}",
                _AGAIN,
            ) from error
        account = Account(volumes, directory, end)
        yield from self._members_of(volumes, directory, account)
        self._n_bytes_read = volumes.size
        if directory.damage:
            raise ArchiveError(f"{self.location}: {directory.damage}", _AGAIN)
        if found := account.check():
            raise IncompleteArchiveError(
                f"{self.location}: {found}: members may be missing", _AGAIN
            )

    def _refuse(self, volumes: Volumes, end: EndOfDirectory | None) -> None:
        """Refuse a file that is not a zip archive, or that lacks volumes."""
        n_files = len(self._files)
        if end is None and not begins_like_one(volumes):
            begin = volumes.pread(0, 8)
            raise SourceError(
                f"{self.location}: is not a zip archive: "
                + (f"it begins with {begin.hex(' ')}" if begin else "it is empty"),
                _AGAIN,
            )
        if end is not None and end.n_volumes not in {1, n_files}:
            raise SourceError(
                f"{self.location}: is one of {end.n_volumes} volumes, found {n_files}",
                "Keep all volumes in one folder, under their published names.",
            )

    def _members_of(
        self,
        volumes: Volumes,
        entries: Iterator[ZipEntry] | CentralDirectory,
        account: Account | None = None,
    ) -> Iterator[Member]:
        for i, entry in enumerate(entries):
            name = name_of(entry.raw_name, entry.flags, entry.system)
            path, problem = _path_of(name)
            if name.endswith(("/", "\\")) and entry.n_bytes == 0:
                continue
            self._n_bytes_read = min(entry.limit, entry.min_stop)
            settle = None if account is None else partial(account.settle, i)
            read = partial(self._read, volumes, entry, path, settle)
            yield Member(path, read, problem or problem_of(entry), reading_bytes(entry))

    def _read(
        self, volumes: Volumes, entry: ZipEntry, path: str, settle: Callable[[], None] | None
    ) -> bytes:
        """Read the content of a member; see `Member.read`."""
        try:
            content, is_settled = read_member(volumes, entry)
        except ArchiveError as error:
            raise ArchiveError(f"{self.location}/{path}: {error.message}", _AGAIN) from error
        except OSError as error:
            raise ArchiveError(
                f"{self.location}/{path}: can't be read: {error.strerror}",
                "Check the permissions, and that the disk or network share is mounted.",
            ) from error
        if is_settled and settle is not None:
            settle()
        return content


def volumes_of(path: Path) -> tuple[Path, ...]:
    """The files that make up an archive, in order.

    Args:
        path: Any one of them: the archive, a volume (``x.z01``, ``x.z02``, …, ``x.zip``), or one of
            the parts that it was cut into (``x.zip.001``, ``x.zip.002``, …).

    Raises:
        SourceError: A file is missing.
    """
    if match := _CUT.fullmatch(path.name):
        parts = _numbered(path, _CUT, match["stem"])
        _refuse_gaps(path, parts, max(parts), f"{match['stem']}.{{:03}}")
        return tuple(parts[number] for number in sorted(parts))
    match = _VOLUME.fullmatch(path.name) or _LAST.fullmatch(path.name)
    if match is None:
        return (path,)
    stem = match["stem"]
    is_last = _LAST.fullmatch(path.name) is not None
    last = path if is_last else _last_of(path, stem)
    with Volumes([last]) as volumes:
        try:
            end = find_end(volumes)
            begins_a_set = volumes.pread(0, len(SPLIT_SIGNATURE)) == SPLIT_SIGNATURE
        except OSError as error:
            raise SourceError(f"{last}: can't be read: {error.strerror}") from error
    if end is not None and end.n_volumes > 1 and begins_a_set:
        raise SourceError(
            f"{last}: is made of {end.n_volumes} volumes that were joined byte by byte, so places "
            "in it can't be found",
            f"Name the volumes themselves ({stem}.z01 to {stem}.zip), or join them with: "
            f"zip -s 0 {stem}.zip --out WHOLE.zip",
        )
    if end is not None and end.n_volumes == 1:
        if not is_last:
            raise SourceError(
                f"{path}: does not belong to {last.name}, which is a complete archive by itself"
            )
        return (last,)
    parts = _numbered(path, _VOLUME, stem)
    n = max(parts, default=0) if end is None else end.n_volumes - 1
    _refuse_gaps(path, parts, n, f"{stem}.z{{:02}}")
    return (*(parts[number] for number in range(1, n + 1)), last)


def _last_of(path: Path, stem: str) -> Path:
    """The volume with the directory."""
    for other in sorted(path.parent.iterdir()):
        match = _LAST.fullmatch(other.name)
        if match is not None and match["stem"] == stem:
            return other
    raise SourceError(
        f"{path.parent / stem}.zip: no such file: it is the last volume of {path.name}'s archive, "
        "and holds the directory",
        "Download it into the same folder.",
    )


def _numbered(path: Path, pattern: re.Pattern[str], stem: str) -> dict[int, Path]:
    """The parts of the same archive that exist, by number."""
    matches = ((other, pattern.fullmatch(other.name)) for other in path.parent.iterdir())
    return {int(m["number"]): other for other, m in matches if m is not None and m["stem"] == stem}


def _refuse_gaps(path: Path, parts: dict[int, Path], n: int, name: str) -> None:
    missing = [name.format(number) for number in range(1, n + 1) if number not in parts]
    if missing:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise SourceError(
            f"{path}: {len(missing)} other files of the same archive are missing: {shown}",
            "Download them into the same folder.",
        )


def _path_of(name: str) -> tuple[str, str]:
    """The path of a member in the archive, and the problem with its name, if any."""
    if "/" not in name:
        name = name.replace("\\", "/")  # written by some Windows tools
    parts = [part for part in name.split("/") if part not in {"", "."}]
    is_drive = bool(parts) and re.fullmatch("[A-Za-z]:", parts[0]) is not None
    path = "/".join(part for part in parts[is_drive:] if part != "..")
    if name.startswith("/") or is_drive:
        return path, f"its path is absolute: {name!r}"
    if ".." in parts:
        return path, f"its path leads out of the archive: {name!r}"
    if "\0" in name or not path:
        return path.replace("\0", ""), f"its name is damaged: {name!r}"
    return path, ""
