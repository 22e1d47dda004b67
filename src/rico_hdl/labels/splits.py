"""Split files: which patches are for training, validation and test.

In: a text file with one path or name in each row, as publishers provide them. Out: keys of the
store, in the order of the rows. It never decides which patch belongs where.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from rico_hdl.errors import SourceError


def file_stem(row: str) -> str:
    """``River/River_12.jpg`` is key ``River_12``: EuroSAT, UC Merced, Hydro."""
    return PurePosixPath(row).stem


def folder_name(row: str) -> str:
    """``<tile>/<patch>/<patch>-DATA.npy`` is key ``<patch>``: HySpecNet-11k."""
    return PurePosixPath(row).parent.name


def folder_and_file(row: str) -> str:
    """``0000102/00000.tif`` is key ``0000102_00000.tif``: SpectralEarth."""
    return "_".join(PurePosixPath(row).parts[-2:])


def read_split(path: str | os.PathLike[str], key_of: Callable[[str], str] = file_stem) -> list[str]:
    """The keys that a split file names, in its order.

    Args:
        path: A text file; empty rows don't count, and of a row with commas the first field does.
        key_of: Makes a key of a row.

    Raises:
        SourceError: The file can't be read, names no patch, or names one twice; or a row makes no
            key.
    """
    try:
        rows = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: the split file can't be read: {error}") from error
    keys: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        name = row.split(",")[0].strip().strip('"').replace("\\", "/")
        if not name:
            continue
        key = key_of(name)
        if not key or key in keys:
            what = f"names {key!r} as row {keys[key]} does" if key else f"{name!r} makes no key"
            raise SourceError(f"{path}, row {number}: {what}", "Is this the publisher's file?")
        keys[key] = number
    if not keys:
        raise SourceError(f"{path}: the split file names no patch")
    return list(keys)
