"""The files of a zipped Zarr v2 store, by path.

In: the zip archive. Out: the bytes of any file, the metadata of an array, and errors where damage
could make a chunk seem missing, since missing chunks have the fill value.
"""

from __future__ import annotations

import json
import math
import re
from contextlib import closing
from operator import ge
from typing import Final, cast

from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.sources.protocol import Member
from rico_hdl.sources.zarr.array import ZarrArray, parse_array
from rico_hdl.sources.zip.archive import ZipArchive

MAX_FILES: Final = 100_000
"""Maximum number of files in a store; published stores have hundreds."""

_AGAIN: Final = "Download it again."
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,8}")


class StoreFiles:
    """The files of a store. Safe to read from several threads at once.

    Args:
        archive: The zip file.

    Raises:
        SourceError: See `Archive.members`; or the store has too many files.
    """

    def __init__(self, archive: ZipArchive) -> None:
        self._members: dict[str, Member] = {}
        self.damage: ArchiveError | None = None
        """The first damage of the archive, if any. A missing chunk is then not the fill value."""
        with closing(archive.members()) as members:
            while len(self._members) <= MAX_FILES:
                try:
                    member = next(members, None)
                    if member is None:
                        return
                    self._meet(member)
                except ArchiveError as error:
                    self.damage = self.damage or error
        raise SourceError(f"{archive.location}: holds more than {MAX_FILES:,} files")

    def _meet(self, member: Member) -> None:
        earlier = self._members.get(member.path)
        self._members[member.path] = member
        # A store written in two steps has some files twice, and the last one counts. A damaged name
        # also makes a duplicate, but hides another chunk: reading finds it.
        for one in (earlier, member) if earlier is not None else ():
            if not one.problem:
                one.read()

    def fetch(self, path: str) -> bytes | None:
        """See `rico_hdl.sources.zarr.array.Fetch`."""
        member = self._members.get(path)
        if member is None:
            if self.damage is not None:
                raise ArchiveError(f"{path} was not found: the archive is damaged", _AGAIN)
            return None
        if member.problem:
            raise ArchiveError(f"{path}: {member.problem}")
        return cast("bytes", member.read())  # as for any member of a zip archive

    def array(self, name: str, n_dimensions: int, *, is_text: bool) -> ZarrArray:
        """The metadata of an array.

        Args:
            name: Its path in the store.
            n_dimensions: The expected number of dimensions.
            is_text: Whether texts are expected, not numbers.

        Raises:
            SourceError: The store has no such array.
            ArchiveError: The metadata is damaged.
        """
        text = self.fetch(f"{name}/.zarray")
        if text is None:
            version = " It is a Zarr v3 store." if "zarr.json" in self._members else ""
            raise SourceError(
                f"it holds no Zarr v2 array called {name}",
                f"Expected a store as written by xarray, with its arrays at the top.{version}",
            )
        array = parse_array(name, text)
        if len(array.shape) != n_dimensions or array.is_text is not is_text:
            raise SourceError(
                f"array {name} has shape {array.shape} and dtype {array.dtype}, expected "
                f"{n_dimensions}-D {'text' if is_text else 'numbers'}"
            )
        return array

    def dimensions(self, name: str) -> list[str] | None:
        """The names of an array's dimensions; None if the store doesn't state them.

        Raises:
            SourceError: They can't be read.
        """
        text = self.fetch(f"{name}/.zattrs")
        try:
            found = json.loads(text or b"{}").get("_ARRAY_DIMENSIONS")
        except (ValueError, AttributeError, RecursionError) as error:
            raise SourceError(f"{name}/.zattrs can't be read: {error}") from error
        is_list = isinstance(found, list) and all(isinstance(one, str) for one in found)
        return found if is_list else None

    def check_dimensions(self, name: str, expected: list[str]) -> None:
        """Refuse an array whose dimensions are not the expected ones.

        Raises:
            SourceError: The dimensions are different, or the store doesn't state them.
        """
        found = self.dimensions(name)
        if found != expected:
            raise SourceError(f"array {name} has the dimensions {found!a}, expected {expected}")

    def check_chunks(self, array: ZarrArray) -> None:
        """Refuse a store in which a damaged name makes a chunk of an array seem missing.

        Raises:
            ArchiveError: A name is damaged.
        """
        below, grid = f"{array.name}/", array.grid
        n_chunks = 0
        others: list[Member] = []
        for path, member in self._members.items():
            if not path.startswith(below):
                others.append(member)
            elif not path.endswith(("/.zarray", "/.zattrs")):
                n_chunks += 1
                parts = path.removeprefix(below).split(array.separator)
                index = [int(part) for part in parts if _NUMBER.fullmatch(part)]
                if len(index) != len(parts) or len(index) != len(grid) or any(map(ge, index, grid)):
                    raise ArchiveError(f"{path!a} is not the name of a chunk", _AGAIN)
        if n_chunks < math.prod(grid) and array.fill_value is not None:
            # Rare, and worth a check: one of the other files may be a chunk with a damaged name.
            for member in others:
                if not member.problem:
                    member.read()
