"""Whether two templates can give the same text, as two modalities' keys must not.

In: two templates. Out: a text that both match, if there is one. A template is a sequence of sets of
characters, some of which repeat; a search over pairs of positions finds the shortest common text.
A field that recurs is treated as if its values could differ, so the answer errs on the safe side.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, count
from typing import Final, NamedTuple

from rico_hdl.spec.template import Template

_READABLE: Final = "axyz019ABXYZ_-."
"""Characters of examples, the most readable ones first."""
_CHARACTER: Final = r"\\.|[^\\]"
_TOKEN: Final = re.compile(
    rf"(?:\(\?!/\))?(?:\[(?P<other>\^?)(?P<set>(?:\\.|[^]\\])+)\]|(?P<one>{_CHARACTER}))"
    r"(?P<times>\*|\+|\{[0-9]+\})?",
    re.DOTALL,
)
_RANGE: Final = re.compile(rf"({_CHARACTER})(?:-({_CHARACTER}))?", re.DOTALL)


class _Step(NamedTuple):
    """A character of a text, or any number of them."""

    characters: frozenset[str]
    """The characters that it may be, or may not be."""
    is_negated: bool
    """Whether it may be any character but those."""
    repeats: bool = False
    """Whether it may occur any number of times, also none."""


def common_text(one: Template, other: Template) -> str | None:
    """The shortest text that both templates match, as far as can be told; None if there is none.

    Args:
        one: A template without a leading ``**/``.
        other: Another one.
    """
    first, second = _steps(one), _steps(other)
    if _differ(first, second) or _differ(first[::-1], second[::-1]):
        return None
    start = (0, 0)
    found: dict[tuple[int, int], str] = {start: ""}
    waiting = deque([start])
    while waiting:
        at = waiting.popleft()
        if at == (len(first), len(second)):
            return found[at]
        for after, character in _next(first, second, *at):
            if after not in found:
                found[after] = found[at] + character
                # Steps without a character first, so that the shortest text is found.
                (waiting.append if character else waiting.appendleft)(after)
    return None


def _differ(first: list[_Step], second: list[_Step]) -> bool:
    """Whether texts differ in the characters that come first: enough for most templates."""
    for one, other in zip(first, second, strict=False):
        if one.repeats or other.repeats:
            return False
        if not _common_character(one, other):
            return True
    return False


def _next(
    first: list[_Step], second: list[_Step], i: int, j: int
) -> Iterator[tuple[tuple[int, int], str]]:
    """The pairs of positions that can follow one, each with the character that leads there."""
    if i < len(first) and first[i].repeats:
        yield (i + 1, j), ""
    if j < len(second) and second[j].repeats:
        yield (i, j + 1), ""
    if i < len(first) and j < len(second):
        character = _common_character(first[i], second[j])
        if character:
            yield (i if first[i].repeats else i + 1, j if second[j].repeats else j + 1), character


def _common_character(one: _Step, other: _Step) -> str:
    """A character that both may be, empty if there is none."""
    if one.is_negated and other.is_negated:
        excluded = one.characters | other.characters
        # Some character is not excluded, since there are more than any template can list.
        return next(c for c in chain(_READABLE, map(chr, count(33))) if c not in excluded)
    if one.is_negated or other.is_negated:
        listed, excluded_by = (other, one) if one.is_negated else (one, other)
        found = listed.characters - excluded_by.characters
    else:
        found = one.characters & other.characters
    return min(found, key=lambda c: (_READABLE + c).index(c), default="")


@lru_cache(maxsize=256)  # a dataset's keys are compared in pairs
def _steps(template: Template) -> list[_Step]:
    """The characters that a template's texts consist of."""
    steps: list[_Step] = []
    for number, segment in enumerate(template.segments):
        for part in ("/" if number else "", *segment.parts):
            expression = re.escape(part) if isinstance(part, str) else part.pattern
            for token in _TOKEN.finditer(expression):
                inside = token["set"] or token["one"]
                step = _Step(_characters(inside), is_negated=bool(token["other"]))
                times = token["times"] or "{1}"
                if times != "*":
                    steps += [step] * (1 if times == "+" else int(times[1:-1]))
                if times in {"*", "+"}:
                    steps.append(step._replace(repeats=True))
    return steps


def _characters(inside: str) -> frozenset[str]:
    """The characters of a set: single ones and ranges, of which some are escaped."""
    found: set[str] = set()
    for piece in _RANGE.finditer(inside):
        first, last = piece[1][-1], (piece[2] or piece[1])[-1]
        found.update(map(chr, range(ord(first), ord(last) + 1)))
    return frozenset(found)
