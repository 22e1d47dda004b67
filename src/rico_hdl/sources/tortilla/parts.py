"""The files of a set of tortillas.

In: any file of a set, such as ``x.0001.part.tortilla``. Out: all of them, in order. pytortilla
divides samples into files of up to 20 GB (`pytortilla/create/main.py`): each is a tortilla with a
footer of its own, and each header states into how many files the samples were divided.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.sources.tortilla.header import HEADER_BYTES, parse_header
from rico_hdl.sources.volumes import Volumes

SUFFIXES: Final = (".tortilla", ".taco")
_PART: Final = re.compile(
    r"(?P<stem>.+)\.(?P<number>[0-9]{4})\.part(?P<suffix>\.tortilla|\.taco)", re.IGNORECASE
)
_N_SHOWN: Final = 5


def stem_of(path: Path) -> str:
    """The name of a tortilla, or of the set that it belongs to, without extensions."""
    match = _PART.fullmatch(path.name)
    return path.stem if match is None else match["stem"]


def set_of(path: Path) -> tuple[str, str] | None:
    """The stem and the suffix that the names of all files of a set share; None for other names."""
    match = _PART.fullmatch(path.name)
    return None if match is None else (match["stem"], match["suffix"])


def parts_of(path: Path) -> tuple[Path, ...]:
    """The files of the set that a tortilla belongs to, in order; itself if it is complete.

    Raises:
        SourceError: Files of the set are missing.
    """
    match = _PART.fullmatch(path.name)
    n_parts = _n_parts(path)
    if match is None:
        return (path,)
    found = {}
    for other in path.parent.iterdir():
        of_other = _PART.fullmatch(other.name)
        if of_other is not None and set_of(other) == set_of(path):
            found[int(of_other["number"])] = other
    n_parts = max(n_parts, max(found) + 1)
    missing = [
        f"{match['stem']}.{number:04}.part{match['suffix']}"
        for number in range(n_parts)
        if number not in found
    ]
    if missing:
        shown = ", ".join(missing[:_N_SHOWN]) + (", …" if len(missing) > _N_SHOWN else "")
        raise SourceError(
            f"{path}: {len(missing)} of {n_parts} parts are missing: {shown}",
            "Download them into the same folder.",
        )
    return tuple(found[number] for number in range(n_parts))


def _n_parts(path: Path) -> int:
    """The number of parts that a file's header states; 1 if it is damaged."""
    try:
        with Volumes([path]) as volumes:
            return parse_header(volumes.pread(0, HEADER_BYTES)).n_parts
    except (ArchiveError, SourceError, OSError):
        return 1  # reading it will say what is wrong
