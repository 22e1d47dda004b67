"""Parquet files with an image in each cell, as archives of files.

In: a parquet file with one row for each product, the product's name and grid cell, and a column of
bytes for each band, each cell of it a whole GeoTIFF. Out: the same files that the unpacked form
consists of, ``<row of the grid>/<grid cell>/<product>/<column>.tif``, in the order of rows. Cells
are read when they are asked for, and nothing else.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.sources.parquet.cells import Cells, Column
from rico_hdl.sources.protocol import Member

_KEYS: Final = ("grid_cell", "product_id")
_ENDINGS: Final = {"thumbnail": ".png"}
_AGAIN: Final = "Download it again."


class ParquetArchive:
    """A parquet file with the files of products in its cells. Each part is an archive of its own.

    Args:
        files: The file, alone.
    """

    sequential = False

    def __init__(self, files: Sequence[Path]) -> None:
        (self._path,) = files
        self._n_bytes_read = 0

    @property
    def location(self) -> str:
        """See `Archive.location`."""
        return str(self._path)

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Archive.files`."""
        return (self._path,)

    @property
    def n_bytes_read(self) -> int:
        """See `Archive.n_bytes_read`; all rows count as equally large."""
        return self._n_bytes_read

    def members(self) -> Generator[Member]:
        """See `Archive.members`.

        There are none where no column holds bytes, as in the table that lists all products. Rows
        whose names can't be read are reported when all others were told of.
        """
        self._n_bytes_read = 0
        lost: list[str] = []
        with closing(Cells(self._path)) as cells:
            keys = self._keys(cells)
            bands = [c for c in cells.columns if c.holds == "bytes" and c not in keys]
            n_rows, n_told = sum(cells.n_rows), 0
            for group in range(len(cells.n_rows)):
                try:
                    for row, names in enumerate(cells.names(group, keys)):
                        n_told += 1
                        self._n_bytes_read = cells.n_bytes * n_told // n_rows
                        if None in names:
                            lost.append(f"row {n_told} has no {_KEYS[names.index(None)]}")
                            continue
                        for band in bands:
                            yield self._member(cells, group, row, band, names)
                except ArchiveError as error:
                    lost.append(error.message)
                    n_told = sum(cells.n_rows[: group + 1])
            self._n_bytes_read = cells.n_bytes
        if lost:
            more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise ArchiveError(f"{self._path}: {lost[0]}{more}", _AGAIN)

    def _keys(self, cells: Cells) -> list[Column]:
        """The columns with the names of rows."""
        names = [column.name for column in cells.columns]
        found = [c for key in _KEYS for c in cells.columns if c.name == key and c.holds != "other"]
        if len(found) != len(_KEYS) or len(set(names)) < len(names):
            shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
            raise SourceError(
                f"{self._path}: expected the columns {' and '.join(_KEYS)} with names, once each, "
                f"found the columns {shown or '(none)'}",
                "Name the parts that hold the images, or the folder that they lie in.",
            )
        return found

    def _member(
        self, cells: Cells, group: int, row: int, band: Column, names: tuple[str | None, ...]
    ) -> Member:
        cell, product = (str(name) for name in names)
        file = band.name + _ENDINGS.get(band.name, ".tif")
        parts = [cell.partition("_")[0], cell, product, file]
        bad = [part for part in parts if part in {"", ".", ".."} or set("/\\\0") & set(part)]
        path = "/".join(map(_clean, parts))
        problem = f"{bad[0]!r} is no name of a file or folder" if bad else ""
        return Member(path, partial(self._read, cells, group, row, band, path), problem)

    def _read(self, cells: Cells, group: int, row: int, band: Column, path: str) -> bytes:
        """The content of a cell; see `Member.read`."""
        try:
            return cells.read(group, row, band)
        except ArchiveError as error:
            raise ArchiveError(f"{self._path}/{path}: {error.message}", _AGAIN) from error


def _clean(part: str) -> str:
    """A name without what would lead out of its folder."""
    for character in "/\\\0":
        part = part.replace(character, "_")
    return "_" if part in {"", ".", ".."} else part
