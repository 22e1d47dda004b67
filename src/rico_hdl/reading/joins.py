"""Patches that belong together: pairs of modalities, and series of times.

In: keys, and the fields that they consist of. Out: positions of keys. No record is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

import numpy as np

from rico_hdl.errors import UsageError
from rico_hdl.labels.names import Names, Positions
from rico_hdl.reading.keys import Keys
from rico_hdl.spec import Modality, Template

_NONE = "\0"
"""Separates values of fields; no key contains it."""


class TimeSeries(Sequence[Keys]):
    """The patches of each place, in the order of time.

    Args:
        keys: The keys, place by place.
        bounds: The position of the first key of each place, and the number of keys.
    """

    def __init__(self, keys: Keys, bounds: Positions) -> None:
        self.keys = keys
        """All keys, place by place."""
        self.bounds = bounds
        """The position of the first key of each place in `keys`, and the number of keys."""

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @overload
    def __getitem__(self, index: int) -> Keys: ...

    @overload
    def __getitem__(self, index: slice) -> list[Keys]: ...

    def __getitem__(self, index: int | slice) -> Keys | list[Keys]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = range(len(self))[index]
        return self.keys[int(self.bounds[i]) : int(self.bounds[i + 1])]

    def __iter__(self) -> Iterator[Keys]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<{len(self)} series of {len(self.keys)} patches>"


def series_of(keys: Keys, modality: Modality) -> TimeSeries:
    """The patches of each place, ordered by the modality's time.

    Places are in the order of their first keys. Times that are numbers are compared as such, and
    others as text.

    Raises:
        UsageError: Nothing says which field is the time.
    """
    if not modality.time:
        raise UsageError(
            f"nothing says which field of {modality.key} is the time of {modality.name}",
            f'In the description of your own dataset, add time = "{modality.key.fields[-1]}".',
        )
    fields = [name for name in modality.key.fields if name != modality.time]
    places: dict[str, int] = {}
    place_of = np.zeros(len(keys), np.int64)
    times: list[str] = []
    for i, values in enumerate(_values(keys, modality.keys)):
        place = _NONE.join([values[name] for name in fields])
        place_of[i] = places.setdefault(place, len(places))
        times.append(values[modality.time])
    order = np.lexsort([_ranks(times), place_of])
    starts = np.searchsorted(place_of[order], np.arange(len(places) + 1))
    return TimeSeries(keys[order], starts.astype(np.int64))


def _ranks(times: Sequence[str]) -> Positions:
    """The rank of each time."""
    known = sorted({*times})
    if all(time.isdecimal() and time.isascii() for time in known):
        known.sort(key=lambda time: (int(time), time))
    rank = {time: i for i, time in enumerate(known)}
    return np.fromiter((rank[time] for time in times), np.int64, len(times))


def _values(keys: Iterable[str], template: Template) -> Iterator[dict[str, str]]:
    """The values of the fields of each key.

    Raises:
        UsageError: A key has another form.
    """
    for key in keys:
        values = template.match(key)
        if values is None:
            raise UsageError(f"the key {key!r} has not the form {template}")
        yield values


def joined_by_fields(
    keys: Mapping[str, Keys], modalities: Sequence[Modality], pairs_by: Sequence[str]
) -> dict[str, Positions]:
    """The positions of the patches that share the values of some fields.

    One of the modalities may have several patches for the same values, as of several times; the
    patches of the others are repeated then.

    Args:
        keys: The keys of each modality.
        modalities: The modalities.
        pairs_by: The fields; if empty, those that all keys have.

    Returns:
        For each modality, the positions of its keys; all of the same length.

    Raises:
        UsageError: The keys have no field in common, or several modalities have several patches
            with the same values.
    """
    fields = [
        name
        for name in modalities[0].key.fields
        if all(name in one.key.fields for one in modalities) and (not pairs_by or name in pairs_by)
    ]
    forms = " and ".join(str(one.key) for one in modalities)
    if not fields:
        raise UsageError(
            f"nothing says which patches belong together: {forms} have no field in common",
            "Add a label table that names them; or, for your own dataset, pairs_by.",
        )
    values = {
        one.name: Names.of(
            _NONE.join([match[name] for name in fields])
            for match in _values(keys[one.name], one.keys)
        )
        for one in modalities
    }
    several = {name: _shared_twice(values, name) for name in values}
    main = [name for name, i in several.items() if i >= 0]
    if len(main) > 1:
        shown = ", ".join(repr(keys[name][several[name]]) for name in main)
        raise UsageError(
            f"several patches of {' and of '.join(main)} share {', '.join(fields)}, such as "
            f"{shown}",
            "For your own dataset, say in pairs_by which fields join them. Ask for the pairs of "
            "fewer modalities.",
        )
    base = main[0] if main else modalities[0].name
    found = {base: np.arange(len(keys[base]))}
    for name, others in values.items():
        if name != base:
            found[name] = others.find(values[base])
    complete = np.all([rows >= 0 for rows in found.values()], axis=0)
    return {one.name: found[one.name][complete] for one in modalities}


def _shared_twice(values: Mapping[str, Names], name: str) -> int:
    """The position of a value that recurs in a modality and that all others have; or -1."""
    own = values[name]
    recurs = own.find(own) != np.arange(len(own))
    for other, names in values.items():
        if other != name:
            recurs &= names.find(own) >= 0
    return int(np.argmax(recurs)) if recurs.any() else -1
