"""The files of a set of tortillas.

In: any file of a set, such as ``x.0001.part.tortilla``. Out: all of them, in order, and whether any
are missing. pytortilla divides samples into files of up to 20 GB (`pytortilla/create/main.py`):
each is a tortilla with a footer of its own, so it can be read without the others, and each header
states into how many files the samples were divided.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

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
    """The files of the set that a tortilla belongs to which are there, in order."""
    if set_of(path) is None:
        return (path,)
    found = [other for other in path.parent.iterdir() if set_of(other) == set_of(path)]
    return tuple(sorted(found, key=_number))


def problem_of(
    files: Sequence[Path], n_parts: Mapping[Path, int], published: Collection[str]
) -> str:
    """Why a set is not complete; empty if it is.

    Args:
        files: Its files.
        n_parts: For each file whose header is intact, the number of parts that it states.
        published: The names of published files. Those of the same set are all that there are,
            whatever headers state: a publisher may offer some parts only.
    """
    first = files[0]
    expected = {name for name in published if set_of(first) == set_of(Path(name)) is not None}
    if not expected:
        for file, n in n_parts.items():
            if set_of(file) is None and n > 1:
                return f"{file}: is one of {n} parts, of which its name says nothing"
            if n < len(files):
                return f"{file}: is one of {n} part{'s' * (n > 1)}, found {len(files)}"
        if set_of(first) is None:
            return ""
        stem, suffix = set_of(first) or ("", "")
        n = max([_number(files[-1]) + 1, *n_parts.values()])
        expected = {f"{stem}.{number:04}.part{suffix}" for number in range(n)}
    missing = sorted(expected - {file.name for file in files})
    if not missing:
        return ""
    shown = ", ".join(missing[:_N_SHOWN]) + (", …" if len(missing) > _N_SHOWN else "")
    return f"{first}: {len(missing)} of {len(expected)} parts are missing: {shown}"


def _number(path: Path) -> int:
    match = _PART.fullmatch(path.name)
    return 0 if match is None else int(match["number"])
