"""The rules for keys and values of users' TOML files.

In: tables of a file, and rules. Out: errors that name the place, what was expected and found, and a
valid example.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rico_hdl.errors import SpecError
from rico_hdl.spec.model import NAME


class Rule(NamedTuple):
    """What a key of the file may be."""

    is_valid: Callable[[Any], bool]
    expected: str
    """What is valid, in words."""
    example: str
    """A valid line."""
    required: bool = False


def is_text(value: object) -> bool:
    """Whether a value is text, and not empty."""
    return isinstance(value, str) and bool(value.strip())


def is_count(value: object) -> bool:
    """Whether a value is a positive whole number."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_integer(value: object) -> bool:
    """Whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_flag(value: object) -> bool:
    """Whether a value is true or false."""
    return isinstance(value, bool)


def is_table(value: object) -> bool:
    """Whether a value is a table."""
    return isinstance(value, dict)


def are_texts(value: object) -> bool:
    """Whether a value is a list of texts, none of them empty."""
    return isinstance(value, list) and all(map(is_text, value))


def is_table_of(is_valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A test of tables whose values pass another test."""
    return lambda value: isinstance(value, dict) and all(map(is_valid, value.values()))


def is_name(value: object) -> bool:
    """Whether a value is a name of a dataset or a modality."""
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def is_shape(value: object) -> bool:
    """Whether a value is a number of rows and one of columns."""
    return isinstance(value, list) and len(value) == 2 and all(map(is_count, value))


def are(kind: type) -> Callable[[Any], bool]:
    """A test of lists of values of a kind, at least one."""
    return lambda value: (
        isinstance(value, list) and bool(value) and all(isinstance(one, kind) for one in value)
    )


def check(table: Mapping[str, Any], rules: Mapping[str, Rule], where: str) -> None:
    """Check the keys and values of a table.

    Raises:
        SpecError: A key is unknown or missing, or its value is invalid.
    """
    place = f"{where}: " if where else ""
    for key, value in table.items():
        if key not in rules:
            near = difflib.get_close_matches(key, rules, 1)
            raise SpecError(
                f"{place}{key!r} is unknown, expected one of {', '.join(rules)}",
                f"Did you mean: {rules[near[0]].example}" if near else "",
            )
        rule = rules[key]
        if not rule.is_valid(value):
            raise SpecError(
                f"{place}{key} is {value!r}, expected {rule.expected}", f"Write: {rule.example}"
            )
    for key, rule in rules.items():
        if rule.required and key not in table:
            raise SpecError(f"{place}{key} is missing", f"Add: {rule.example}")
