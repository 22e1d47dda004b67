"""A patch in an archive that waits for the rest of its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rico_hdl.decoding.raster import Raster
from rico_hdl.sources import Content, Member


@dataclass(slots=True)
class Waiting:
    """A patch that waits for some of its files."""

    key: str
    paths: dict[str, int]
    """The position of each of its files, by path; a file that may be spelled in several ways has
    several paths, of which one is met."""
    n_files: int
    """The number of files that the patch has."""
    files: dict[str, Content | Member] | None
    """The files found so far, by path; None if the patch is passed over."""
    met: set[str] = field(default_factory=set)
    problem: tuple[str, str] | None = None
    """The path of a file that can't be read, and the reason."""
    is_repeated: bool = False
    """Whether its key was found before."""
    n_bytes: int = 0
    """Memory that it takes while it waits."""

    def met_paths(self) -> tuple[str, ...]:
        """The paths of the files that were met, in their order."""
        return tuple(sorted(self.met, key=self.paths.__getitem__))

    def others(self, path: str) -> Iterator[str]:
        """The paths of the same file in other spellings."""
        number = self.paths[path]
        return (other for other, n in self.paths.items() if n == number and other != path)

    def spelled_otherwise(self, path: str) -> str:
        """The path of the same file in another spelling that was met; empty if none was."""
        return next((other for other in self.others(path) if other in self.met), "")


def n_bytes_of(content: Content | Member) -> int:
    """Bytes of a content in memory."""
    if isinstance(content, Member):
        return 0
    if isinstance(content, bytes):
        return len(content)
    rasters = (content,) if isinstance(content, Raster) else content
    return sum(len(raster.data) for raster in rasters)
