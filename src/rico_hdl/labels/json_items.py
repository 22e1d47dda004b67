"""The items of a JSON file, one at a time.

In: the text of a file whose value is an object or an array. Out: its items, so that only one of
them is held in addition to the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from typing import Any, Final

FEATURES: Final = "features"
"""The name under which GeoJSON has its items (RFC 7946, section 3.3)."""
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DECODER: Final = json.JSONDecoder()


def items_of(text: str) -> Generator[tuple[str | None, Any]]:
    """Yield the items of the outermost object or array; of GeoJSON, its features.

    Args:
        text: The whole file.

    Returns:
        For each, its name, or None in an array, and its value.

    Raises:
        ValueError: The text is not valid JSON, or neither an object nor an array.
    """
    at = yield from _items(text, _after(text, 0), may_have_features=True)
    if (end := _after(text, at)) != len(text):
        raise json.JSONDecodeError("Extra data", text, end)


def _items(
    text: str, at: int, *, may_have_features: bool
) -> Generator[tuple[str | None, Any], None, int]:
    """Yield the items of the value at an offset; returns the offset behind the value."""
    begin = text[at : at + 1]
    if begin not in {"{", "["}:
        raise json.JSONDecodeError("Expected an object or an array", text, at)
    end = "}" if begin == "{" else "]"
    at = _after(text, at + 1)
    if text[at : at + 1] == end:
        return at + 1
    while True:
        name = None
        if begin == "{":
            name, at = _DECODER.raw_decode(text, at)
            if not isinstance(name, str):
                raise json.JSONDecodeError("Expected a name", text, at)
            at = _after(text, at)
            if text[at : at + 1] != ":":
                raise json.JSONDecodeError("Expected ':'", text, at)
            at = _after(text, at + 1)
        if may_have_features and name == FEATURES and text[at : at + 1] == "[":
            at = yield from _items(text, at, may_have_features=False)
        else:
            value, at = _DECODER.raw_decode(text, at)
            yield name, value
        at = _after(text, at)
        found = text[at : at + 1]
        if found == end:
            return at + 1
        if found != ",":
            raise json.JSONDecodeError(f"Expected ',' or '{end}'", text, at)
        at = _after(text, at + 1)


def _after(text: str, at: int) -> int:
    """The offset after white space."""
    found = _SPACE.match(text, at)
    return found.end() if found else at
