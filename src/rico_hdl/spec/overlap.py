"""Whether two templates can give the same text, as two modalities' keys must not.

In: two templates. Out: a text that both match, if there is one. A template is a sequence of sets of
characters, some of which repeat; a search over pairs of positions finds the shortest common text.
A field that recurs is treated as if its values could differ, so the answer errs on the safe side.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from rico_hdl.spec.template import Template

_PREFERRED: Final = "axyz019ABXYZ_-."
"""Characters of examples, the most readable ones first; any other character comes after them."""
_TOKEN: Final = re.compile(
    r"(?:\(\?!/\))?(\\.|\[(?:\\.|[^]\\])+\]|[^\\\[])(\*|\+|\{(\d+)\})?", re.DOTALL
)


class _Step(NamedTuple):
    """A character of a text, or any number of them."""

    matches: re.Pattern[str]
    """Matches the character."""
    repeats: bool
    """Whether it may occur any number of times, also none."""


def common_text(one: Template, other: Template) -> str | None:
    """The shortest text that both templates match, as far as can be told; None if there is none.

    Args:
        one: A template without a leading ``**/``.
        other: Another one.
    """
    first, second = _steps(one), _steps(other)
    characters = _characters(one, other)
    start = (0, 0)
    found: dict[tuple[int, int], str] = {start: ""}
    waiting = deque([start])
    while waiting:
        at = waiting.popleft()
        i, j = at
        if i == len(first) and j == len(second):
            return found[at]
        for after, character in _next(first, second, i, j, characters):
            if after not in found:
                found[after] = found[at] + character
                # Steps without a character first, so that the shortest text is found.
                (waiting.append if character else waiting.appendleft)(after)
    return None


def _next(
    first: list[_Step], second: list[_Step], i: int, j: int, characters: str
) -> Iterator[tuple[tuple[int, int], str]]:
    """The pairs of positions that can follow one, each with the character that leads there."""
    if i < len(first) and first[i].repeats:
        yield (i + 1, j), ""
    if j < len(second) and second[j].repeats:
        yield (i, j + 1), ""
    if i < len(first) and j < len(second):
        both = (first[i].matches, second[j].matches)
        character = next((c for c in characters if all(m.fullmatch(c) for m in both)), None)
        if character is not None:
            yield (i if first[i].repeats else i + 1, j if second[j].repeats else j + 1), character


def _steps(template: Template) -> list[_Step]:
    """The characters that a template's texts consist of."""
    steps: list[_Step] = []
    for number, segment in enumerate(template.segments):
        parts = (["/"] if number else []) + list(segment.parts)
        for part in parts:
            expression = re.escape(part) if isinstance(part, str) else part.pattern
            for token in _TOKEN.finditer(expression):
                one = _Step(re.compile(token[1], re.DOTALL), repeats=False)
                if token[2] != "*":
                    steps += [one] * int(token[3] or 1)
                if token[2] in {"*", "+"}:
                    steps.append(one._replace(repeats=True))
    return steps


def _characters(*templates: Template) -> str:
    """Characters such that any set in the templates has a member among them, if it has any."""
    literal = "".join(
        part if isinstance(part, str) else part.pattern
        for template in templates
        for segment in template.segments
        for part in segment.parts
    )
    printable = "".join(map(chr, range(32, 127)))
    return "".join(dict.fromkeys(_PREFERRED + printable + literal))
