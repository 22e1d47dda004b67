r"""Path and key templates that parse and format.

In: a template such as ``{scene}/{patch}/{patch}_{band}.tif``. Out: the field values of a path, or
the path for given field values. It never touches a file system.

==================  ==============================================================
``{name}``          one or more characters other than ``/``
``{name:d}``        one or more ASCII digits
``{name:7d}``       exactly seven ASCII digits
``{name:*}``        one or more folders: what a folder's name is replaced by
``{name}`` again    the same value as before
leading ``**/``     zero or more folders
==================  ==============================================================

At most one field may span folders; it occurs once, is a folder's whole name, and does not come
first after ``**/``, where it would be unclear which folders belong to it. If folders of a path may
or may not belong to ``**/``, they don't.

A field without a width may have a pattern in addition, as in
``Template.parse("{patch}/{patch}_{band}.tif", patch="S1?_IW_GRDH_*")``. Its values then match that
pattern as a whole. Patterns are not part of the template's text.

==================  ==============================================================
``*``               any number of characters other than ``/``, also none
``?``               one character other than ``/``
``[ab]``            one of these characters; ``[0-9]`` is a range, ``[!ab]`` any other
==================  ==============================================================

If a template matches a path in more than one way, as ``{x}_{y}`` does ``a_b_c``, the leftmost field
takes as much as it can. Formatting the values of a match always gives the same path again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from rico_hdl.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

ANY_DEPTH = "**/"
_FIELD = re.compile(r"\{([a-z_][a-z0-9_]*)(?::(?:([0-9]*)d|(\*)))?\}")
_SPAN = "[^/]+(?:/[^/]+)*"
_DIGITS_OF = {None: "[^/]+", "": "[0-9]+"}
_WILDCARDS = {"*": "[^/]*", "?": "[^/]"}
_PIECE = re.compile(r"[*?]|\[(?P<other>!?)(?P<set>[^]/!][^]/]*)\]|[^][*?/]+")
_ESCAPED = re.compile(r"[\\\[\]^&~|]")
_MAX_WIDTH = 255
"""Digits of a fixed-width field: no file system in use has longer names (POSIX ``NAME_MAX``)."""


@dataclass(frozen=True, slots=True)
class Field:
    """A named part of a path."""

    name: str
    """Its name in the template."""
    pattern: str
    """The regular expression that its whole value matches."""


@dataclass(frozen=True)
class Segment:
    """One folder or file name of a template."""

    parts: tuple[str | Field, ...]
    """Literal strings and fields, in order."""

    @cached_property
    def fields(self) -> frozenset[str]:
        """The names of the fields in this segment."""
        return frozenset(part.name for part in self.parts if isinstance(part, Field))

    def format(self, values: Mapping[str, str]) -> str:
        """The name with every field replaced by its value.

        Raises:
            KeyError: A field has no value.
        """
        return "".join(p if isinstance(p, str) else values[p.name] for p in self.parts)

    def match(self, name: str, bound: Mapping[str, str]) -> dict[str, str] | None:
        """The values of the fields that ``name`` binds in addition, or None if it does not match.

        Args:
            name: One folder or file name, without ``/``.
            bound: The fields bound by the folders above; they must have the same value here.
        """
        known = tuple([field for field in bound if field in self.fields])
        # The bound values go in front of the name, not into the pattern: otherwise a pattern would
        # have to be compiled for each folder, which costs a hundred times as much as the match.
        text = "/".join([*[bound[field] for field in known], name])
        match = _pattern((self,), known).fullmatch(text)
        if match is None:
            return None
        return {field: value for field, value in match.groupdict().items() if field not in known}


@lru_cache(maxsize=1024)
def _pattern(segments: tuple[Segment, ...], bound: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern that matches the bound values and the segments' names, joined by ``/``."""
    seen = set(bound)
    names = [f"(?P<{field}>[^/]*)" for field in bound]
    for segment in segments:
        name = ""
        for part in segment.parts:
            if isinstance(part, str):
                name += re.escape(part)
            elif part.name in seen:
                name += f"(?P={part.name})"
            else:
                seen.add(part.name)
                name += f"(?P<{part.name}>{part.pattern})"
        names.append(name)
    return re.compile("/".join(names))


@dataclass(frozen=True)
class Template:
    """A parsed template; the module's docstring describes the syntax."""

    text: str
    """The template as written."""
    any_depth: bool
    """Whether any number of folders may come first."""
    segments: tuple[Segment, ...]
    """One for each folder and one for the file."""
    patterns: tuple[tuple[str, str], ...] = ()
    """The fields that have a pattern, each with it, sorted by name."""

    @classmethod
    def parse(cls, text: str, /, **patterns: str) -> Template:
        """Parse a template.

        Args:
            text: The template.
            patterns: The patterns of some fields, by the field's name.

        Raises:
            SpecError: The text has an empty segment, a stray brace or ``*``, a field that is
                written in two ways, a width that no name can have, or no field at all; or a pattern
                is invalid, or of a field that is missing or has a width.
        """
        any_depth = text.startswith(ANY_DEPTH)
        body = text.removeprefix(ANY_DEPTH)
        expressions = {name: _expression(name, glob, text) for name, glob in patterns.items()}
        segments = tuple(
            Segment(tuple(_parts(part, text, expressions))) for part in body.split("/")
        )
        _check_spans(text, segments, any_depth=any_depth)
        fields = {p for segment in segments for p in segment.parts if isinstance(p, Field)}
        if not fields:
            raise SpecError(
                f"template {text!r} has no field", "Name at least one, such as {patch}."
            )
        if len({field.name for field in fields}) != len(fields):
            raise SpecError(
                f"template {text!r} writes a field in two ways",
                "A field that recurs has one width: {name:7d} each time, or {name} each time.",
            )
        unused = expressions.items() - {(field.name, field.pattern) for field in fields}
        if unused:
            names = ", ".join(sorted(name for name, _ in unused))
            raise SpecError(
                f"template {text!r} has patterns for {names}, expected fields without a width",
                "Give patterns to fields that are written as {name}.",
            )
        return cls(text, any_depth, segments, tuple(sorted(patterns.items())))

    def __str__(self) -> str:
        return self.text

    @property
    def description(self) -> str:
        """The text, and the patterns of its fields."""
        like = [f"{{{name}}} is like {pattern}" for name, pattern in self.patterns]
        return f"{self.text}, where {' and '.join(like)}" if like else self.text

    def narrowed(self, expressions: Mapping[str, str]) -> Template:
        """The same template, with regular expressions that the values of some fields must match.

        Args:
            expressions: The regular expressions by field; those of other fields are ignored.
        """
        segments = tuple(
            Segment(
                tuple(
                    replace(part, pattern=expressions[part.name])
                    if isinstance(part, Field) and part.name in expressions
                    else part
                    for part in segment.parts
                )
            )
            for segment in self.segments
        )
        return replace(self, segments=segments)

    @cached_property
    def expressions(self) -> dict[str, str]:
        """The regular expression that the value of each field matches."""
        parts = [part for segment in self.segments for part in segment.parts]
        return {part.name: part.pattern for part in parts if isinstance(part, Field)}

    def at_any_depth(self) -> Template:
        """The same template below any number of folders."""
        return self if self.any_depth else replace(self, text=ANY_DEPTH + self.text, any_depth=True)

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The names of all fields, each once, in the order of their first use."""
        found: dict[str, None] = {}
        for segment in self.segments:
            found |= dict.fromkeys(p.name for p in segment.parts if isinstance(p, Field))
        return tuple(found)

    @cached_property
    def span(self) -> str:
        """The field that spans folders; empty if none does."""
        return next((name for name, pattern in self.expressions.items() if pattern == _SPAN), "")

    def format(self, values: Mapping[str, str]) -> str:
        """The path with every field replaced by its value, and without a leading ``**/``.

        Raises:
            KeyError: A field has no value.
        """
        return "/".join([segment.format(values) for segment in self.segments])

    def match(self, path: str) -> dict[str, str] | None:
        """The field values of ``path``, or None if it does not match.

        Args:
            path: Relative, with ``/`` between folders.
        """
        names = path.split("/")
        extra = len(names) - len(self.segments)
        if extra < 0 or (extra and not self.any_depth and not self.span) or "" in names:
            return None
        pattern = _pattern(self.segments, ())
        # Matched as one string, since a field that recurs further down limits its value above.
        if not self.span:
            match = pattern.fullmatch("/".join(names[extra:]))
            return None if match is None else match.groupdict()
        for start in range(extra + 1 if self.any_depth else 1):
            if match := pattern.fullmatch("/".join(names[start:])):
                return match.groupdict()
        return None


def _parts(name: str, template: str, expressions: Mapping[str, str]) -> list[str | Field]:
    """The literals and fields of one segment; some fields have expressions of their own."""
    parts: list[str | Field] = []
    end = 0
    for match in _FIELD.finditer(name):
        if match.start() > end:
            parts.append(name[end : match.start()])
        expression = _DIGITS_OF.get(match[2]) or _fixed_width(match[2], template)
        if match[3]:
            expression = _SPAN
        elif match[2] is None:
            expression = expressions.get(match[1], expression)
        parts.append(Field(match[1], expression))
        end = match.end()
    if end < len(name):
        parts.append(name[end:])
    literals = "".join(part for part in parts if isinstance(part, str))
    if not parts or any(c in literals for c in "{}*"):
        raise SpecError(
            f"template {template!r}: can't parse {name!r}",
            "Write fields as {name}, {name:d} or {name:7d}, any number of folders as {name:*}, and "
            "**/ only at the beginning.",
        )
    return parts


def _check_spans(template: str, segments: tuple[Segment, ...], *, any_depth: bool) -> None:
    """Check the field that spans folders, if there is one.

    Raises:
        SpecError: There are several, or it is not a whole folder, or no folder is left for ``**/``.
    """
    spans = [
        (number, part.name, len(segment.parts))
        for number, segment in enumerate(segments)
        for part in segment.parts
        if isinstance(part, Field) and part.pattern == _SPAN
    ]
    is_file = any(number == len(segments) - 1 for number, _, _ in spans)
    if len(spans) > 1 or is_file or any(n_parts > 1 for _, _, n_parts in spans):
        raise SpecError(
            f"template {template!r}: a field that spans folders is not a folder of its own",
            "Write one such field, once, between slashes, as in train/{class:*}/{name}.jpg.",
        )
    if any_depth and any(number == 0 for number, _, _ in spans):
        raise SpecError(
            f"template {template!r}: {{{spans[0][1]}:*}} spans folders right after **/, so its "
            "value is unclear",
            "Leave out **/, or write the folder above the field.",
        )


def _fixed_width(width: str, template: str) -> str:
    """The pattern of a field with a fixed number of digits."""
    if len(width) > len(str(_MAX_WIDTH)) or not 1 <= int(width) <= _MAX_WIDTH:
        raise SpecError(
            f"template {template!r} has a width of {width} digits, expected 1 to {_MAX_WIDTH}"
        )
    return f"[0-9]{{{int(width)}}}"


def _expression(name: str, pattern: str, template: str) -> str:
    """The regular expression of a field's pattern.

    Raises:
        SpecError: The pattern is invalid, or any value matches it.
    """
    pieces = list(_PIECE.finditer(pattern))
    expression = "".join(_piece(piece) for piece in pieces)
    try:
        re.compile(expression)
        is_valid = "".join(piece[0] for piece in pieces) == pattern and pattern.strip("*") != ""
    except re.error:  # a range that is the wrong way round
        is_valid = False
    if not is_valid:
        raise SpecError(
            f"template {template!r}: can't parse the pattern {pattern!r} of {name}",
            "Write text without /, the wildcards * and ?, and sets such as [0-9] or [!ab].",
        )
    return expression


def _piece(piece: re.Match[str]) -> str:
    """The regular expression of a wildcard, a set, or text."""
    if piece["set"]:
        # A range may span the slash, which no name contains.
        inside = _ESCAPED.sub(r"\\\g<0>", piece["set"])
        return f"(?!/)[{'^' * bool(piece['other'])}{inside}]"
    return _WILDCARDS.get(piece[0]) or re.escape(piece[0])
