"""Templates for the paths of a group of files.

In: a group. Out: a template that matches all its paths, as strict as they allow: names that don't
differ are kept, words of digits become ``{number:d}``, the name of a folder that returns in the
file's name becomes the same field, and everything else a field of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final

from rico_hdl.drafting.grouping import BAND_MARK, Group
from rico_hdl.drafting.words import ID_DIGITS, NUMBER, is_class, is_split, kind, variant, words
from rico_hdl.spec.template import Template

_SEPARATORS: Final = "_-. "
_MAX_NUMBERS: Final = 2
_MIN_RECURRING: Final = 3
"""Shorter names of folders return in other names by chance."""


@dataclass
class Draft:
    """The template of a group, while it is made."""

    group: Group
    segments: list[str] = field(default_factory=list)
    fields: dict[str, list[str]] = field(default_factory=dict)
    """The values of each field, in the order of the group's files."""
    patterns: dict[str, str] = field(default_factory=dict)
    class_field: str = ""
    """The field that looks like a class; empty if none does."""
    _above: list[tuple[list[str], str]] = field(default_factory=list)
    """The names of the folders of each level, and of their fields, with their templates."""

    @property
    def template(self) -> Template:
        """The template."""
        return Template.parse("/".join(self.segments), **self.patterns)

    def field(self, values: list[str], name: str) -> str:
        """A new field, as it is written."""
        if all(value.isdecimal() and value.isascii() for value in values):
            name = "date" if all(_is_date(value) for value in values) else "number"
            text = "{%s:d}"
        else:
            text = "{%s}"
        taken = [known for known in self.fields if known.rstrip("0123456789") == name]
        name += str(len(taken) + 1) if taken else ""
        self.fields[name] = values
        self._above.append((values, text % name))
        return text % name

    def segment(self, values: list[str], name: str, *, is_free: bool = False) -> str:
        """The template of names, or of the same part of some names.

        Args:
            values: The name in each path.
            name: What to call a field of other things than digits.
            is_free: Whether to make names a field that don't differ.
        """
        has_number = name == "id" and NUMBER in kind(values[0])
        is_free |= has_number or sum(c.isdigit() for c in values[0]) >= ID_DIGITS
        if len(set(values)) == 1 and not is_free and not set("{}*") & set(values[0]):
            return values[0]
        for names, text in reversed(self._above):
            if min(map(len, names)) < _MIN_RECURRING or "{" not in text:
                continue
            pairs = list(zip(values, names, strict=True))
            if all(value.startswith(start) for value, start in pairs):
                rests = [value[len(start) :] for value, start in pairs]
                return text + self._separated(rests, name)
        kinds = {kind(value) for value in values}
        pieces = words(next(iter(kinds))) if len(kinds) == 1 else []
        fixed = "".join(pieces)
        is_id = sum(c.isdigit() for c in fixed) >= ID_DIGITS or bool(set("{}*") & set(fixed))
        n_most = 99 if self.group.is_exact else _MAX_NUMBERS
        if 1 <= pieces.count(NUMBER) <= n_most and not is_id:
            columns = list(zip(*map(words, values), strict=True))
            return "".join(
                self.field(list(columns[at]), "number") if piece == NUMBER else piece
                for at, piece in enumerate(pieces)
            )
        end = _common_variant(values)
        if end and end not in values:
            return self.field([v[: len(v) - len(end)] for v in values], name) + end
        return self.field(values, name)

    def _separated(self, values: list[str], name: str) -> str:
        """The template of parts of names that may start or end with a common separator."""
        if not any(values):
            return ""
        first = {value[:1] for value in values}
        start = first.pop() if len(first) == 1 and first <= set(_SEPARATORS) else ""
        rests = [value[len(start) :] for value in values]
        last = {value[-1:] for value in rests}
        end = last.pop() if len(last) == 1 and last <= set(_SEPARATORS) else ""
        rests = [value[: len(value) - len(end)] for value in rests]
        if not all(rests):
            # A field has at least one character: an optional part belongs to the one before it.
            return self.field(values, name) if all(values) else "\n"
        return start + self.segment(rests, name) + end


def _common_variant(values: list[str]) -> str:
    """The end of names, from a separator on, that names a modality and is the same in all."""
    ends = {variant(value) for value in values}
    end = ends.pop()
    before = {value[: len(value) - len(end)][-1:] for value in values}
    if (
        ends
        or not end
        or len(before) > 1
        or not before <= set(_SEPARATORS)
        or set("{}*") & set(end)
    ):
        return ""
    return before.pop() + end


def _is_date(value: str) -> bool:
    return len(value) == 8 and value[:2] in {"19", "20"} and value[4:6] <= "12"


def draft_of(group: Group) -> Draft:
    """The template of a group, matching all its files."""
    draft = _drafted(group)
    if "\n" in "".join(draft.segments):
        draft = _drafted(group, recurs=False)
    return draft


def _drafted(group: Group, *, recurs: bool = True) -> Draft:
    draft = Draft(group)
    depth = len(group.levels)
    for level in range(depth):
        values = [file.folders[level] for file in group.files]
        name = "split" if all(map(is_split, values)) else "folder"
        distinct = set(values)
        if level == depth - 1 and len(distinct) > 1 and all(map(is_class, distinct)):
            name = "class"
            draft.class_field = name
        is_band = set(values) == {BAND_MARK}
        draft.segments.append("{band}" if is_band else draft.segment(values, name))
        draft._above.append((values, draft.segments[-1]))  # noqa: SLF001
    if not recurs:
        draft._above.clear()  # noqa: SLF001
    extension = group.files[0].extension
    heads = [file.stem[: len(file.stem) - len(file.ending)] for file in group.files]
    endings = [file.ending for file in group.files]
    has_number = any(word.isdecimal() for word in words(heads[0]))
    is_free = (not draft.fields or has_number) and BAND_MARK not in heads[0]
    stem = _stem(draft, heads, is_free=is_free)
    stem += _stem(draft, endings, is_free=False)
    if not draft.fields and depth:
        draft.segments[-1] = draft.field([f.folders[-1] for f in group.files], "folder")
    draft.segments.append(stem.replace(BAND_MARK, "{band}") + extension)
    return draft


def _stem(draft: Draft, values: list[str], *, is_free: bool) -> str:
    """The template of stems, of which the band's word is left as it is."""
    if not any(values):
        return ""
    if BAND_MARK not in values[0]:
        if is_free:
            return draft.segment(values, "id", is_free=True)
        return draft._separated(values, "id")  # noqa: SLF001
    lefts, rights = zip(*[value.split(BAND_MARK, 1) for value in values], strict=True)
    left = draft._separated(list(lefts), "id")  # noqa: SLF001
    return left + BAND_MARK + draft._separated(list(rights), "id")  # noqa: SLF001


def claims(draft: Draft, path: str, bands: Sequence[str], *, any_depth: bool) -> bool:
    """Whether the template takes a path for one of its files.

    Args:
        draft: The template.
        path: The path.
        bands: The words of the group's bands, if they are in file names.
        any_depth: Whether files are looked for at any depth, as in archives.
    """
    template = draft.template.at_any_depth() if any_depth else draft.template
    values = template.match(path)
    return values is not None and (not bands or values["band"] in bands)


def narrow(draft: Draft, others: Sequence[str]) -> None:
    """Give the last field a pattern that other paths don't match, if there is a simple one.

    Args:
        draft: The template.
        others: Paths of other groups that the template matches.
    """
    last = next(
        (name for name in reversed(draft.fields) if f"{{{name}}}" in draft.segments[-1]), None
    )
    if last is None:
        return
    values = draft.fields[last]
    matched = [values_of[last] for path in others if (values_of := draft.template.match(path))]
    prefix = _common_start(values)
    reverse = _common_start([value[::-1] for value in values])[::-1]
    ends, other_ends = {v[-1] for v in values}, {v[-1] for v in matched}
    tries = []
    if all(end.isdecimal() for end in ends) and not any(e.isdecimal() for e in other_ends):
        tries.append("*[0-9]")
    if len(set(values)) > 1:
        tries += [f"{_escaped(prefix)}*"] if prefix else []
        tries += [f"*{_escaped(reverse)}"] if reverse else []
    if other_ends.isdisjoint(ends) and not other_ends & set("]!-^"):
        tries.append(f"*[!{''.join(sorted(other_ends))}]")
    for pattern in tries:
        draft.patterns[last] = pattern
        if not any(draft.template.match(path) for path in others):
            return
    draft.patterns.pop(last, None)


def _common_start(texts: Sequence[str]) -> str:
    """The longest text with which all texts start."""
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*texts, strict=False))
    return "".join(column[0] for column in columns)


def _escaped(text: str) -> str:
    """A text as a pattern that matches it only."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in text.replace("]", "?"))
