"""JSON objects from files that may be damaged, read field by field with checked types.

In: text. Out: values of known types, and the remaining fields. Every error is a `FieldError` that
says where, what was expected and what was found.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 32
"""Levels below an unknown field that is only kept; the manifest itself needs four."""
MAX_COUNT: Final = 2**63 - 1
"""The largest number of patches or bytes; no file system holds more."""

_KINDS: Final = {
    dict: "an object",
    list: "an array",
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


class FieldError(ValueError):
    """JSON that is damaged or not as expected."""


def load(text: str) -> object:
    """Parse JSON strictly, without the exceptions that Python's parser makes.

    Raises:
        ValueError: It is not JSON, holds NaN or Infinity, has a name twice in one object, or has
            more levels than Python can read.
    """
    try:
        return json.loads(text, object_pairs_hook=_without_twins, parse_constant=_refused)
    except RecursionError:
        raise FieldError("it has too many levels") from None


def _refused(name: str) -> NoReturn:
    raise FieldError(f"it holds {name}, which is not valid JSON")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise FieldError(f"it has the field {_shown(twice)} twice in one object")
    return found


class Fields:
    """The fields of a JSON object.

    Args:
        value: The parsed JSON.
        place: A name for it, used in messages.

    Raises:
        ValueError: It is not an object.
    """

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise FieldError(f"{place} is {_KINDS[type(value)]}, expected an object")
        self._values: dict[str, Any] = dict(value)
        self.place = place

    def _take(self, name: str, *types: type, default: object = ...) -> Any:  # noqa: ANN401 - JSON
        value = self._values.pop(name, default)
        if value is ...:
            raise FieldError(f"{self.place} lacks {name!r}")
        if type(value) not in types:
            expected = " or ".join(_KINDS[kind] for kind in types)
            found = _KINDS[type(value)]
            raise FieldError(f"{name!r} of {self.place} is {found}, expected {expected}")
        return value

    def text(self, name: str) -> str:
        """A text."""
        return self._checked(name, self._take(name, str))

    def text_or_none(self, name: str) -> str | None:
        """A text, or None if it is null or absent."""
        value = self._take(name, str, type(None), default=None)
        return None if value is None else self._checked(name, value)

    def texts(self, name: str, default: object = ...) -> list[str]:
        """An array of texts."""
        values: list[str] = self._take(name, list, default=default)
        for value in values:
            if type(value) is not str:
                found = _KINDS[type(value)]
                raise FieldError(f"{name!r} of {self.place} holds {found}, expected text")
            self._checked(name, value)
        return values

    def count(self, name: str) -> int:
        """A whole number from 0 to `MAX_COUNT`."""
        value: int = self._take(name, int)
        if not 0 <= value <= MAX_COUNT:
            raise FieldError(f"{name!r} of {self.place} is not between 0 and {MAX_COUNT}")
        return value

    def flag(self, name: str, default: object = ...) -> bool:
        """True or false."""
        value: bool = self._take(name, bool, default=default)
        return value

    def items(self, name: str, what: str) -> list[Fields]:
        """An array of objects; messages call each of them ``what``."""
        values = self._take(name, list)
        return [Fields(value, f"{what} {i + 1}") for i, value in enumerate(values)]

    def parts(self, name: str, what: str) -> dict[str, Fields]:
        """An object of objects; messages call each of them ``what``."""
        values = self._take(name, dict)
        return {
            self._checked(name, key): Fields(value, f"{what} {_shown(key)}")
            for key, value in values.items()
        }

    def texts_by_name(self, name: str) -> dict[str, str]:
        """An object of texts."""
        values = Fields(self._take(name, dict), f"{name!r} of {self.place}")
        return {self._checked(name, key): values.text(key) for key in list(values._values)}

    def anything(self, name: str) -> dict[str, Any] | None:
        """An object of any form, or None if it is null or absent."""
        value: dict[str, Any] | None = self._take(name, dict, type(None), default=None)
        _check(value, f"{name!r} of {self.place}", MAX_DEPTH)
        return value

    def rest(self) -> dict[str, Any]:
        """The fields that have not been read, checked so that they can be written again."""
        _check(self._values, self.place, MAX_DEPTH)
        return self._values

    def _checked(self, name: str, value: str) -> str:
        _check_text(value, f"{name!r} of {self.place}")
        return value


def _check(value: object, place: str, depth: int) -> None:
    """Make sure that a value of unknown meaning can be written as JSON again."""
    if depth < 0:
        raise FieldError(f"{place} has more than {MAX_DEPTH} levels")
    if isinstance(value, str):
        _check_text(value, place)
    elif isinstance(value, float) and not math.isfinite(value):
        raise FieldError(f"{place} holds a number that is too large")
    elif isinstance(value, list):
        for item in value:
            _check(item, place, depth - 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_text(name, place)
            _check(item, place, depth - 1)


def _check_text(value: str, place: str) -> None:
    """Make sure that a text can be printed and written."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise FieldError(f"{place} holds half a character (a surrogate)") from None


def _shown(name: str) -> str:
    """A name as messages show it: in ASCII, and of limited length."""
    text = ascii(name)
    return text if len(text) <= 60 else f"{text[:57]}…"
