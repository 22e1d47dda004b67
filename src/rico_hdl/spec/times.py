"""The time at which a patch was taken, as names tell it.

In: a key, or the path of a file. Out: the first time in it, in UTC. Publishers name
files after the products that they were cut from, and the agencies' names begin with the start of
the acquisition: ``S2A_MSIL2A_20170613T101031_…``, ``LT05_172034_20100526``, ``2018-01-03``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rico_hdl.spec.model import DatasetSpec

_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_DATE: Final = r"(?P<Y>19[5-9]\d|20\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])"
_TIME: Final = r"(?P<H>[01]\d|2[0-3])(?P<M>[0-5]\d)(?P<S>[0-5]\d)"
_PATTERNS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # Sentinel, EnMAP: 20170613T101031, 20221103T162438Z
        rf"(?<!\d){_DATE}[T_]{_TIME}Z?(?!\d)",
        # HLS: S30.T10SGD.2018257, year and day
        r"(?<=\.)(?P<Y>19[89]\d|20\d\d)(?P<j>[0-2]\d\d|3[0-5]\d|36[0-6])(?!\d)",
        # Landsat and others: 20100526
        rf"(?<!\d){_DATE}(?!\d)",
        # 2018-01-03
        r"(?<!\d)(?P<Y>19[5-9]\d|20\d\d)-(?P<m>0[1-9]|1[0-2])-(?P<d>0[1-9]|[12]\d|3[01])(?!\d)",
    )
)


Forms = tuple[re.Pattern[str], ...]
"""The forms of times that names of a dataset have."""


def forms_in(examples: Iterable[str]) -> Forms:
    """The forms of times to look for in names like these.

    A form without a time of day counts only if an example has it: any eight digits may look like a
    date.

    Args:
        examples: A name of each kind.
    """
    found = [_PATTERNS[0]]
    for text in examples:
        form = next((form for form in _PATTERNS if _first(form, text) is not None), None)
        if form is not None and form not in found:
            found.append(form)
    return tuple(found)


def key_forms(spec: DatasetSpec | None) -> Forms:
    """The forms of times to look for in the keys of a dataset; of an unknown one if it is None."""
    examples = []
    for modality in spec.modalities if spec is not None else ():
        fields = modality.files.match(modality.example)
        if fields is not None:
            examples.append(modality.key.format(fields))
    return forms_in(examples)


def time_in(text: str, forms: Forms) -> int | None:
    """The first time in a name, in milliseconds since 1970 in UTC; None if there is none.

    A date without a time of day is its midnight.
    """
    for form in forms:
        time = _first(form, text)
        if time is not None:
            return time
    return None


def _first(form: re.Pattern[str], text: str) -> int | None:
    for match in form.finditer(text):
        time = _time(match.groupdict())
        if time is not None:
            return (time - _EPOCH) // _MILLISECOND
    return None


def _time(parts: dict[str, str]) -> datetime | None:
    """The time with these parts; None if the calendar has none."""
    numbers = {name: int(value) for name, value in parts.items()}
    try:
        found = datetime(
            numbers["Y"],
            numbers.get("m", 1),
            numbers.get("d", 1),
            numbers.get("H", 0),
            numbers.get("M", 0),
            numbers.get("S", 0),
            tzinfo=UTC,
        )
    except ValueError:  # the 31st of June
        return None
    if "j" not in numbers:
        return found
    dated = found + timedelta(days=numbers["j"] - 1)
    return dated if numbers["j"] and dated.year == found.year else None
