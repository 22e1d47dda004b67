"""A bounded sample of the files in a folder or an archive.

In: a path. Out: the paths of image files, spread over the folders, the names of other files, and
the facts of the few images that are examined. However large the source is, at most some hundred
folders are listed, or some thousand members met, and at most `MAX_EXAMINED` files are read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple, TypeVar

from rico_hdl.decoding.formats import IMAGE_FORMATS, TIFF, format_of
from rico_hdl.decoding.tiff.descriptions import band_descriptions
from rico_hdl.drafting.words import is_band
from rico_hdl.errors import ArchiveError, RicoError, SourceError
from rico_hdl.sources import Archive, Content, FolderSource
from rico_hdl.sources.leftovers import is_in_leftover, is_leftover
from rico_hdl.sources.opening import archives_in, open_archive

MAX_EXAMINED: Final = 96
"""Maximum number of files that are read."""
_FOLDERS_OF_A_LEVEL: Final = 64
"""Maximum number of folders that are listed at each depth."""
_N_LEVELS: Final = 10
_FILES_OF_A_FOLDER: Final = 240
_MEMBERS: Final = 5_000
"""Maximum number of an archive's members that are met."""
_ARCHIVE_BYTES: Final = 256 * 2**20
"""Maximum number of bytes of an archive's files that are read, up to the last member."""
_ARCHIVES: Final = 8
"""Maximum number of archives of a folder that are opened."""
_FILE_BYTES: Final = 128 * 2**20
"""Largest file that is examined."""
_DISTINCT_VALUES: Final = 256
"""Up to so many distinct pixel values are kept."""
_SUFFIXES: Final = frozenset(suffix for known in IMAGE_FORMATS for suffix in known.suffixes)
_CODES: Final = {"uint8": "B", "int8": "b", "uint16": "H", "int16": "h", "uint32": "I"}
_CODES_OF_WIDE: Final = {"int32": "i", "uint64": "Q", "int64": "q"}

_T = TypeVar("_T")


class Facts(NamedTuple):
    """What an image file holds."""

    n_bands: int
    dtype: str
    """The numpy name."""
    shape: tuple[int, int]
    """(rows, columns) of the first band."""
    values: frozenset[int] | None
    """The distinct values of a file with one band of integers; None if there are many, or if it is
    another kind of file."""
    descriptions: tuple[str, ...]
    """The descriptions of the bands in the file; empty if one has none."""


class Sample:
    """The paths of some files of a source, and the facts of those that were examined.

    Args:
        location: The source, as a user would write it.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self.images: list[str] = []
        """Paths of image files, with ``/`` between names."""
        self.others: list[str] = []
        """Paths of files of other kinds."""
        self.is_whole = True
        """Whether these are all files."""
        self.problems: list[str] = []
        """Why files that were examined could not be decoded."""
        self._facts: dict[str, Facts] = {}
        self._n_examined = 0
        self._source: FolderSource | None = None

    @classmethod
    def of(cls, path: Path) -> Sample:
        """Sample a folder, an archive, or a folder of archives.

        Raises:
            SourceError: There is nothing that can be read.
        """
        place = path.expanduser().absolute()
        sample = cls(str(place))
        if not place.is_dir():
            sample._meet(open_archive(place, None))
            return sample
        sample._source = FolderSource(place)
        sample._walk(sample._source)
        if not sample.images and (archives := archives_in(place)):
            sample.is_whole &= len(archives) <= _ARCHIVES
            for archive in archives[:_ARCHIVES]:
                sample._meet(open_archive(archive, None))
        return sample

    def facts_of_any(self, paths: Sequence[str], n_tries: int = 3) -> Facts | None:
        """The facts of one of some files, examined if none was before; None if they are unknown."""
        known = next((path for path in paths if path in self._facts), None)
        if known is not None:
            return self._facts[known]
        if self._source is not None:
            for path in paths[:n_tries]:
                if self._n_examined < MAX_EXAMINED:
                    with suppress(OSError):
                        self._examine(path, self._source.read(path, _FILE_BYTES))
                    if path in self._facts:
                        return self._facts[path]
        return None

    def all_facts(self, paths: Iterable[str]) -> list[Facts]:
        """The facts of those of some files that were examined."""
        return [self._facts[path] for path in paths if path in self._facts]

    def _examine(self, path: str, content: Content) -> None:
        self._n_examined += 1
        if not isinstance(content, bytes):
            return
        try:
            self._facts[path] = facts_of(path, content)
        except RicoError as error:
            self.problems.append(f"{path}: {error.message}")

    def _add(self, path: str) -> bool:
        """Add a path, unless it is a leftover or not UTF-8; returns whether it is an image."""
        if is_in_leftover(path) or not path.isprintable():
            return False
        is_image = PurePosixPath(path).suffix.lower() in _SUFFIXES
        (self.images if is_image else self.others).append(path)
        return is_image

    def _walk(self, source: FolderSource) -> None:
        """List folders, level by level."""
        level = [""]
        for _ in range(_N_LEVELS):
            below: list[list[str]] = []
            for folder in level:
                prefix = f"{folder}/" if folder else ""
                try:
                    entries = [e for e in source.entries(folder) if not is_leftover(e.name)]
                except OSError:
                    self.is_whole = False
                    continue
                names = [entry.name for entry in entries if not entry.is_folder]
                for name in self._few(names, _FILES_OF_A_FOLDER):
                    self._add(prefix + name)
                below.append([prefix + entry.name for entry in entries if entry.is_folder])
            # Folders of bands are taken all together, or the draft would lack bands.
            of_bands = [folders for folders in below if _are_of_bands(folders)]
            others = [folders for folders in below if folders and not _are_of_bands(folders)]
            share = max(1, _FOLDERS_OF_A_LEVEL // max(1, len(others)))
            level = self._few([f for folders in others for f in self._few(folders, share)])
            n_patches = max(4, _FOLDERS_OF_A_LEVEL // max(map(len, of_bands), default=1))
            level += [f for folders in self._few(of_bands, n_patches) for f in folders]
        self.is_whole &= not level

    def _few(self, names: list[_T], n: int = _FOLDERS_OF_A_LEVEL) -> list[_T]:
        """Some of the names: runs of neighbours, because files of a patch are next to each other.

        Runs are taken from the beginning, the end, and in between.
        """
        if len(names) <= n:
            return names
        self.is_whole = False
        n_runs = min(4, n)
        size, step = n // n_runs, (len(names) - n // n_runs) / max(1, n_runs - 1)
        starts = [round(run * step) for run in range(n_runs)]
        return [names[i] for i in sorted({start + j for start in starts for j in range(size)})]

    def _meet(self, archive: Archive) -> None:
        """Meet the members of an archive, and examine one of each form of path while it is there.

        Raises:
            ArchiveError: The archive is damaged before its first image.
        """
        forms: dict[tuple[str, ...], int] = defaultdict(int)
        try:
            with closing(archive.members()) as members:
                for number, member in enumerate(members):
                    if number >= _MEMBERS or archive.n_bytes_read > _ARCHIVE_BYTES:
                        self.is_whole = False
                        break
                    if member.problem or not self._add(member.path):
                        continue
                    form = _form(member.path)
                    forms[form] += 1
                    is_small = member.n_bytes <= _FILE_BYTES
                    if forms[form] == 1 and is_small and self._n_examined < MAX_EXAMINED:
                        with suppress(ArchiveError):
                            self._examine(member.path, member.read())
        except ArchiveError:
            if not self.images:
                raise
            self.is_whole = False


def _are_of_bands(folders: Sequence[str]) -> bool:
    """Whether most folders are called like bands."""
    n_bands = sum(is_band(folder.rpartition("/")[2]) for folder in folders)
    return n_bands > 1 and 2 * n_bands > len(folders) and len(folders) <= _FOLDERS_OF_A_LEVEL


def _form(path: str) -> tuple[str, ...]:
    """A path without what numbers it: the names of its folders and the words of its file."""
    *folders, name = path.split("/")
    stem, _, extension = name.rpartition(".")
    words = stem.replace("-", "_").split("_")
    letters = [word for word in words if not any(c.isdigit() for c in word)]
    short = [word for word in words if len(word) <= 4 and not word.isdigit()]
    return (*[f for f in folders if sum(c.isdigit() for c in f) < 5], *letters, *short, extension)


def facts_of(path: str, data: bytes) -> Facts:
    """Decode a file.

    Raises:
        RicoError: It can't be decoded.
    """
    known = format_of(path)
    rasters = known.make_decoder().decode(data)
    first = rasters[0]
    values = None
    code = (_CODES | _CODES_OF_WIDE).get(first.dtype)
    if len(rasters) == 1 and code is not None:
        distinct = frozenset(memoryview(first.data).cast("B").cast(code))  # type: ignore[call-overload]
        values = distinct if len(distinct) <= _DISTINCT_VALUES else None
    texts = band_descriptions(data) if known is TIFF else {}
    descriptions = [texts.get(position, "") for position in range(len(rasters))]
    is_complete = all(descriptions) and len(set(descriptions)) == len(descriptions)
    return Facts(
        len(rasters), first.dtype, first.shape, values, tuple(descriptions) if is_complete else ()
    )


def nothing_to_draft(sample: Sample) -> SourceError:
    """The error for a source without image files that can be decoded."""
    expected = ", ".join(sorted(_SUFFIXES))
    if sample.images:
        problem = sample.problems[0] if sample.problems else sample.images[0]
        return SourceError(
            f"{sample.location}: none of its images could be examined: {problem}",
            "Write the spec by hand: see docs/your-dataset.md.",
        )
    others = sorted({PurePosixPath(path).suffix or path for path in sample.others})[:5]
    found = f"files of the kinds {', '.join(others)}" if others else "no files"
    return SourceError(
        f"{sample.location}: holds no images ({expected}) where they were looked for: {found}",
        "Name the folder or the archive with the images.",
    )
