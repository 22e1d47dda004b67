"""Recognising archives: by their names in a folder, by their first bytes when they are opened.

In: the path of an archive, of any part of a split one, or of a folder in an archive. Out: an
`Archive`. It knows the names that `split`, `zip -s` and publishers give to parts. It reads the
first bytes of a file and nothing more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from rico_hdl.decoding.foreign import HEAD_BYTES, foreign_form
from rico_hdl.errors import SourceError, UnsupportedArchiveError
from rico_hdl.sources.above import archive_from_above
from rico_hdl.sources.files import hint_for, open_regular
from rico_hdl.sources.folder import is_folder
from rico_hdl.sources.inner_folder import InnerFolder
from rico_hdl.sources.leftovers import is_leftover
from rico_hdl.sources.protocol import Archive
from rico_hdl.sources.tortilla import parts as tortillas
from rico_hdl.sources.tortilla.header import is_one as is_tortilla
from rico_hdl.spec import Modality

OnRaw = Callable[[bytes], object]
"""Is given every byte of an archive's files, in order, by whatever thread reads them."""

_SUFFIXES: Final = (
    *(".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.xz", ".txz"),
    *(".tar.bz2", ".tbz2", ".tbz", ".zip", ".tacozip", ".parquet", ".tortilla", ".taco"),
)
_SPLIT: Final = re.compile(
    r"(?P<stem>.+\.(?:tar|zip|tgz|tzst|txz|tbz2?|tar\.(?:gz|zst|xz|bz2)))"
    r"(?P<mark>[._-]?(?:part)?[._-]?)(?P<number>[a-z]{2,3}|[0-9]{1,5})"
    r"(?:(?P<of>[._-]of[._-])(?P<total>[0-9]{1,5}))?",
    re.IGNORECASE,
)
_ZIP_VOLUME: Final = re.compile(r"(?P<stem>.+)\.z[0-9]{2,}", re.IGNORECASE)
_SCATTERED: Final = (".parquet", ".zarr.zip")  # published as thousands of files, some levels down
_N_LEVELS: Final = 4
_MAX_ENTRIES: Final = 64  # folders above such files hold few others; those of patches hold many

_MAGIC: Final = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"PK\x07\x08": "zip",
    b"PAR1": "parquet",
    b"\x1f\x8b": "tar",
    b"\x28\xb5\x2f\xfd": "tar",
    b"\xfd7zXZ\x00": "tar",
    b"BZh": "tar",
}
"""First bytes of the formats: APPNOTE.TXT 4.3, the parquet format, RFC 1952, RFC 8878, the xz file
format 1.1, bzip2."""
_SKIPPABLE: Final = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")  # RFC 8878, 3.1.2: as pzstd begins
_TAR_MAGIC: Final = slice(257, 262)  # "ustar"; tar before 1988 has none, and is known by its name

FORMATS: Final = (
    ".tar, .tar.gz, .tar.zst, .tar.xz, .tar.bz2 (also split), .zip (also in volumes), .parquet, "
    ".tortilla and .taco (also in parts)"
)
_SUPPORTED: Final = f"Archives that can be read: {FORMATS}. Unpack others, and name the folder."


class _PartName(NamedTuple):
    """What the name of a part of a split archive says."""

    stem: str
    mark: str
    end: str
    """What follows the number: the number of parts, as in ``-of-00002``."""
    position: int
    n_parts: int
    """How many parts there are, if the name says so; 0 if not."""


def is_called_archive(path: str | os.PathLike[str]) -> bool:
    """Whether a name is that of an archive, or of a part of one."""
    name = Path(path).name
    return name.lower().endswith(_SUFFIXES) or _part(name) is not None


def is_source(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder, an archive, or an archive that the path leads into."""
    # os.path's functions say no where pathlib's raise: for names that are too long, say.
    place = Path(path)
    return os.path.exists(place) or any(os.path.isfile(p) for p in place.parents)  # noqa: PTH110, PTH113


def open_archive(path: Path, modality: Modality | None, on_raw: OnRaw | None = None) -> Archive:
    """The archive that a path names.

    Args:
        path: An absolute path: of an archive, of any part of a split one, or of a folder in one.
        modality: The modality to look for. It says where tables and arrays hold patches; if None,
            these are refused.
        on_raw: Is given all bytes of an archive that is read from its beginning to its end; those
            of others are read where they are needed, and not given to it.

    Raises:
        SourceError: There is no such file, a part of it is missing, or it is no archive of which it
            is known how it holds the modality's patches.
    """
    for place in (path, *path.parents):
        if os.path.isfile(place):  # noqa: PTH113 - as in `is_source`
            archive = _open(parts_of(place), modality, on_raw)
            inner = path.relative_to(place)
            if place != path:
                archive = InnerFolder(archive, inner.as_posix())
            return archive_from_above(archive, modality, place.name, inner.parts)
    if os.path.lexists(path):
        raise SourceError(
            f"{path} is neither a file nor a folder, or a link that leads nowhere",
            "Name the archive itself: it is read more than once, so it can't be a pipe.",
        )
    raise SourceError(f"{path}: no such file", "Check the path.")


def archives_in(folder: Path) -> list[Path]:
    """Files in a folder that are archives by their names, sorted; of split ones the first part.

    Files that publishers offer by the thousand (parquet, zarr) are found some levels down, too.

    Raises:
        OSError: The folder can't be listed.
    """
    return sorted(_found(folder, _N_LEVELS))


def _found(folder: Path, n_levels: int) -> Iterator[Path]:
    with os.scandir(folder) as scanned:
        entries = [entry for entry in scanned if not is_leftover(entry.name)]
    entries.sort(key=lambda entry: entry.name)
    folders = {entry.name for entry in entries if is_folder(entry)}
    # A pipe or a socket is no archive; a link that leads nowhere stands for one that is missing.
    files = [
        folder / entry.name
        for entry in entries
        if entry.name not in folders and (entry.is_symlink() or entry.is_file())
    ]
    if n_levels == _N_LEVELS:
        yield from first_parts(files)
    else:
        yield from (path for path in files if path.name.endswith(_SCATTERED))
    if n_levels > 1 and len(entries) <= _MAX_ENTRIES:
        for entry in entries:
            if entry.name in folders:
                with suppress(OSError):  # lost+found, say
                    yield from _found(folder / entry.name, n_levels - 1)


def first_parts(files: Iterable[Path]) -> list[Path]:
    """Those files that are archives by their names; one for each split archive.

    Of a split one it is the part that `parts_of` puts first, or the first that is there.
    """
    found: list[Path] = []
    seen: set[tuple[Path, str, str, str]] = set()
    for path in sorted(files, key=lambda path: (path.parent, len(path.name), path.name)):
        part = _part(path.name)
        if (names := tortillas.set_of(path)) is not None:
            found += [path] if (path.parent, *names, "") not in seen else []
            seen.add((path.parent, *names, ""))
        elif path.name.lower().endswith(_SUFFIXES):
            found.append(path)
        elif part is not None and part.position <= 1:
            split = (path.parent, part.stem, part.mark, part.end)
            if split not in seen:
                seen.add(split)
                found.append(path)
    return sorted(found)


def parts_of(path: Path) -> tuple[Path, ...]:
    """The files of the archive that a file belongs to, in order; one if it is not split.

    Raises:
        SourceError: A part of it is missing.
    """
    from rico_hdl.sources.zip.archive import volumes_of  # noqa: PLC0415 - see `_open`

    if path.name.lower().endswith(".zip") or _ZIP_VOLUME.fullmatch(path.name):
        return volumes_of(path)
    if path.name.lower().endswith(tortillas.SUFFIXES):
        return tortillas.parts_of(path)
    part = None if path.name.lower().endswith(_SUFFIXES) else _part(path.name)
    if part is None:
        return (path,)
    parts: dict[int, Path] = {}
    for other in path.parent.iterdir():
        found = _part(other.name)
        if found is not None and found[:3] == part[:3] and len(other.name) == len(path.name):
            parts[found.position] = other
    # `split` counts from aa or 0, other tools from 1; if names give a total, from 0 or 1.
    by_letters = path.name[-1].isalpha()
    start = 0 if by_letters or 0 in parts or max(parts) < part.n_parts else 1
    expected = range(start, max(max(parts) + 1, start + part.n_parts))
    missing = [position for position in expected if position not in parts]
    if missing and len(parts) == 1 and not part.n_parts:
        return (path,)  # the name merely looks like a part's: the bytes decide
    if missing:
        there = ", ".join(parts[position].name for position in sorted(parts)[:5])
        raise SourceError(
            f"{path.parent / (part.stem + part.mark)}…{part.end}: {len(missing)} parts are "
            f"missing, the first one is number {missing[0] - start + 1} of "
            f"{'' if part.n_parts else 'at least '}{len(expected)}; "
            f"found {there}{', …' if len(parts) > 5 else ''}",
            "Download the missing parts into the same folder.",
        )
    return tuple(parts[position] for position in expected)


def _part(name: str) -> _PartName | None:
    match = _SPLIT.fullmatch(name)
    if match is None or name.lower().endswith(_SUFFIXES):
        return None
    number = match["number"]
    if number.isdigit():
        position = int(number)
    else:
        position = 0
        for letter in number.lower():
            position = 26 * position + ord(letter) - ord("a")
    end = (match["of"] or "") + (match["total"] or "")
    return _PartName(match["stem"], match["mark"], end, position, int(match["total"] or 0))


def is_stream(archive: Archive) -> bool:
    """Whether an archive is read from its beginning to its end, each byte once."""
    return _kind(archive.files[0]) == "tar"


def _open(files: Sequence[Path], modality: Modality | None, on_raw: OnRaw | None) -> Archive:
    # Each kind is imported where it is met: they bring libraries that others need not pay for.
    kind = _kind(files[0])
    if kind == "tar":
        from rico_hdl.sources.tar.archive import TarArchive  # noqa: PLC0415

        _check_content(files)
        return TarArchive(files, on_raw=on_raw)
    if kind == "tortilla":
        from rico_hdl.sources.tortilla.archive import TortillaArchive  # noqa: PLC0415

        return TortillaArchive(files, [one.name for one in modality.downloads] if modality else ())
    if kind == "parquet":
        from rico_hdl.sources.parquet.archive import ParquetArchive  # noqa: PLC0415

        if modality is None or modality.columns is None:
            _refuse(files, "a parquet table", modality)
        return ParquetArchive(files, modality.columns, modality.files)
    if files[-1].name.lower().endswith(".zarr.zip"):
        from rico_hdl.sources.zarr.archive import ZarrArchive  # noqa: PLC0415

        arrays = None if modality is None else modality.arrays
        if modality is None or arrays is None or arrays.are_files:
            _refuse(files, "a Zarr store", modality)
        return ZarrArchive(files, arrays, modality.files)
    from rico_hdl.sources.zip.archive import ZipArchive  # noqa: PLC0415

    return ZipArchive(files)


def _check_content(files: Sequence[Path]) -> None:
    """Refuse a compressed file that can't be decompressed here, or whose content is not a tar.

    Only the beginning is examined, and damage is left to the reader.

    Raises:
        SourceError: The file is intact as far as its beginning shows, but in another form.
    """
    from rico_hdl.sources.formats import format_of, peek  # noqa: PLC0415 - see `_open`

    path = files[0]
    outer = format_of(_head(path))
    if outer is None:
        return
    hint = f"Decompress it, and give the result: {shell_command(outer.command, files)}"
    hint += " > RESULT" if len(files) > 1 else ""
    try:
        content = peek(path, HEAD_BYTES)
    except UnsupportedArchiveError as error:
        raise SourceError(f"{path} {error.message}", hint) from error
    except OSError:
        return
    if content[_TAR_MAGIC] == b"ustar":
        return
    if inner := format_of(content):
        raise SourceError(
            f"{path} is compressed twice: with {inner.name}, then with {outer.name}", hint
        )
    kind = next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), "")
    form = foreign_form(content)
    what = f"a {kind} file" if kind in {"zip", "parquet"} else form.what if form else ""
    if what:
        raise SourceError(f"{path} is not a tar: it is {what} compressed with {outer.name}", hint)


def shell_command(command: str, files: Sequence[Path]) -> str:
    """A command line that applies a command to a file, or to the parts of a split one.

    Args:
        command: The command, without the name of the file.
        files: The file, or all its parts.
    """
    part = _part(files[0].name) if len(files) > 1 else None
    if part is None:
        return f"{command} {files[-1].name}"
    return f"cat {part.stem}{part.mark}*{part.end} | {command} -"


def _refuse(files: Sequence[Path], found: str, modality: Modality | None) -> NoReturn:
    if modality is None:
        raise SourceError(
            f"{files[-1]} is {found}, expected image files",
            "Only folders and archives of image files can be looked at.",
        )
    raise SourceError(
        f"{files[-1]} is {found}, and {modality.title} are not published as such",
        "See how they are published with: rico-hdl datasets. For a dataset of your own, the spec "
        "says where tables and arrays hold its patches: docs/your-dataset.md.",
    )


def _kind(path: Path) -> str:
    """Which kind of archive a file is.

    Raises:
        SourceError: It is none that is supported, or can't be read.
    """
    head = _head(path)
    if head[_TAR_MAGIC] == b"ustar" or _SKIPPABLE.match(head):
        return "tar"
    if form := foreign_form(head):
        raise SourceError(
            f"{path} is {form.what}; expected a folder or an archive",
            form.advice.format(name=path.name) or _SUPPORTED,
        )
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if is_tortilla(head) or (head and path.name.lower().endswith(tortillas.SUFFIXES)):
        return "tortilla"
    if head and ".tar" in path.name.lower():
        return "tar"
    if _ZIP_VOLUME.fullmatch(path.name) or path.name.lower().endswith(".zip"):
        return "zip"
    found = f"it begins with {head[:8].hex(' ')}" if head else "it is empty"
    raise SourceError(
        f"{path} is a file, expected a folder or an archive: {found}",
        _SUPPORTED,
    )


def _head(path: Path) -> bytes:
    """The first bytes of a file."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}", hint_for(error)) from error
