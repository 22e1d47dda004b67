"""Split files: which patches are for training, validation and test.

In: a publisher's text file with one path or name per row. Out: keys of the store, in the order of
the rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import PurePosixPath

from rico_hdl.errors import MemoryLimitError, SourceError
from rico_hdl.sources.files import read_regular


def file_stem(row: str) -> str:
    """Key ``River_12`` for ``River/River_12.jpg``: EuroSAT, UC Merced, Hydro."""
    return PurePosixPath(row).stem


def folder_name(row: str) -> str:
    """Key ``<patch>`` for ``<tile>/<patch>/<patch>-DATA.npy``: HySpecNet-11k."""
    return PurePosixPath(row).parent.name


def folder_and_file(row: str) -> str:
    """Key ``0000102_00000.tif`` for ``0000102/00000.tif``: SpectralEarth."""
    return "_".join(PurePosixPath(row).parts[-2:])


def read_split(path: str | os.PathLike[str], key_of: Callable[[str], str] = file_stem) -> list[str]:
    """The keys that a split file names, in its order.

    Args:
        path: A text file. Empty rows are skipped; in a row with commas, only the first field
            counts.
        key_of: Makes a key from a row.

    Raises:
        SourceError: The file can't be read, names no patch, names one twice, or has a row that
            gives no key.
    """
    try:
        rows = read_regular(path).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError, MemoryLimitError) as error:
        raise SourceError(f"{path}: the split file can't be read: {error}") from error
    keys: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        name = row.split(",")[0].strip().strip('"').replace("\\", "/")
        if not name:
            continue
        key = key_of(name)
        if not key or key in keys:
            problem = f"{key!r} is already in row {keys[key]}" if key else f"{name!r} gives no key"
            raise SourceError(
                f"{path}, row {number}: {problem}", "Check that this is the publisher's file."
            )
        keys[key] = number
    if not keys:
        raise SourceError(f"{path}: the split file names no patch")
    return list(keys)
