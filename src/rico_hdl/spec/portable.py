"""Specs as JSON and back, so a store can describe itself.

In: a spec. Out: dictionaries, lists, strings and numbers, from which the same spec can be built.
Fields that a later version adds are ignored here, and kept when a manifest is rewritten.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, Final, TypeVar

from rico_hdl.errors import SpecError
from rico_hdl.spec.arrays import Arrays, Axis
from rico_hdl.spec.bands import Band
from rico_hdl.spec.columns import Columns, KeyColumn
from rico_hdl.spec.labels import KeyForm, Labels, LabelTable, MappedValue
from rico_hdl.spec.model import (
    DatasetSpec,
    Download,
    Modality,
    Preset,
)
from rico_hdl.spec.template import Template

Value = (
    Arrays
    | Axis
    | Band
    | Columns
    | DatasetSpec
    | Download
    | KeyColumn
    | KeyForm
    | LabelTable
    | Labels
    | MappedValue
    | Modality
    | Preset
)
_T = TypeVar("_T", bound=Value)
_C = TypeVar("_C")

_NESTED: Final[dict[str, type[Value]]] = {
    "arrays": Arrays,
    "axes": Axis,
    "bands": Band,
    "columns": Columns,
    "downloads": Download,
    "key_forms": KeyForm,
    "keys": KeyColumn,
    "labels": Labels,
    "mapping": MappedValue,
    "modalities": Modality,
    "presets": Preset,
    "tables": LabelTable,
}
"""The fields that hold values of these classes."""
_PLAIN: Final = frozenset({Axis, Preset})
"""Classes in which fields of these names are texts: a preset's ``bands``, an axis's ``labels``."""
_SINGLE: Final = frozenset({"arrays", "columns", "labels"})
"""Those that hold one value or none; the others hold any number of values."""
_TEMPLATES: Final = frozenset({"files", "key"})
_PATTERNS: Final = "patterns"
"""The name under which a modality has the patterns of its files' template, which are not part of
the template's text."""


def as_rows(value: Value) -> dict[str, object]:
    """A spec value as a JSON-ready dictionary: templates as text, nested values as dictionaries."""

    def plain(item: object) -> object:
        if isinstance(item, Template):
            return str(item)
        if isinstance(item, Value):
            return as_rows(item)
        if isinstance(item, tuple):
            return [plain(part) for part in item]
        return item

    rows = {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Modality):
        rows[_PATTERNS] = [{"name": n, "pattern": p} for n, p in value.files.patterns]
    return rows


def from_rows(rows: object) -> DatasetSpec:
    """The spec that these rows describe.

    Raises:
        SpecError: The rows don't have the form of a spec, or contradict themselves.
    """
    return _load(DatasetSpec, rows, "the spec")


def _load(kind: type[_T], rows: object, place: str) -> _T:
    if not isinstance(rows, dict):
        raise SpecError(f"{place} is {type(rows).__name__}, expected an object")
    values: dict[str, Any] = {}
    for one in fields(kind):
        if one.name in rows:
            values[one.name] = _value(kind, one.name, rows[one.name], f"{one.name} of {place}")
        elif one.default is MISSING and one.default_factory is MISSING:
            raise SpecError(f"{place} lacks {one.name!r}")
    if kind is Modality and rows.get(_PATTERNS):
        patterns = _patterns(rows[_PATTERNS], f"{_PATTERNS} of {place}")
        values["files"] = Template.parse(str(values["files"]), **patterns)
    if kind is DatasetSpec:
        values["stored"] = True
    return kind(**values)


def _patterns(rows: object, place: str) -> dict[str, str]:
    """The patterns of a template, by field."""
    found = {}
    for row in _checked(rows, list, place):
        texts = _checked(row, dict, place)
        name, pattern = (_checked(texts.get(key), str, place) for key in ("name", "pattern"))
        found[name] = pattern
    return found


def _load_each(kind: type[_T], rows: object, place: str) -> tuple[_T, ...]:
    numbered = enumerate(_checked(rows, list, place), 1)
    return tuple(_load(kind, row, f"{kind.__name__.lower()} {i} of {place}") for i, row in numbered)


def _value(kind: type, name: str, value: object, place: str) -> object:
    """The value of a field, from its JSON."""
    if value is None and (name in _OPTIONAL or (kind is Labels and name == "kind")):
        return None
    if kind is Modality and name in _TEMPLATES:
        return Template.parse(_checked(value, str, place))
    if name in _NESTED and kind not in _PLAIN:
        nested = _NESTED[name]
        return _load(nested, value, place) if name in _SINGLE else _load_each(nested, value, place)
    if name == "shape":
        sides = tuple(_checked(side, int, place) for side in _checked(value, list, place))
        if len(sides) != 2:
            raise SpecError(f"{place} has {len(sides)} sides, expected rows and columns")
        return sides
    if name in _TEXTS:
        return tuple(_checked(text, str, place) for text in _checked(value, list, place))
    return value is True if name in _FLAGS else _checked(value, _plain_kind(name), place)


def _plain_kind(name: str) -> type[int | str]:
    return int if name in _NUMBERS else str


_TEXTS: Final = frozenset(
    {
        *("aliases", "bands", "classes", "colours", "companions", "header", "keywords", "label"),
        *("notes", "other_tokens", "pairs_by", "splits"),
    }
)
_OPTIONAL: Final = frozenset({"shape", "dtype", "ignore", "n_published", *_SINGLE})
_FLAGS: Final = frozenset(
    {
        *("archive_names_folder", "is_hot", "is_json", "is_original", "is_record", "on_request"),
        *("pinned", "stem"),
    }
)
_NUMBERS: Final = frozenset({"ignore", "index", "n_published"})


def _checked(value: Any, kind: type[_C], place: str) -> _C:  # noqa: ANN401 - JSON
    if not isinstance(value, kind) or isinstance(value, bool):
        raise SpecError(f"{place} is {type(value).__name__}, expected {kind.__name__}")
    return value


def combined(old: dict[str, Any] | None, new: dict[str, object]) -> dict[str, Any]:
    """A spec's rows, plus the fields that only another version of the same spec has.

    Args:
        old: The rows in a manifest.
        new: The rows of the current spec, which take precedence.

    Returns:
        The new rows, with the unknown fields of the old ones at every level. Modalities that the
        new spec lacks are kept, since the store may hold them; bands, presets and downloads are
        those of the new spec.
    """
    if old is None or old.get("name") != new["name"]:
        return dict(new)
    found: dict[str, Any] = _combined(old, new)
    stored = old["modalities"] if isinstance(old.get("modalities"), list) else []
    known = {modality["name"] for modality in found["modalities"]}
    found["modalities"] += [
        modality
        for modality in stored
        if isinstance(modality, dict) and modality.get("name") not in known
    ]
    return found


def _combined(old: object, new: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(old, dict) and isinstance(new, dict):
        known = {name: _combined(old.get(name), value) for name, value in new.items()}
        return known | {name: value for name, value in old.items() if name not in new}
    if isinstance(old, list) and isinstance(new, list):
        before = {
            row["name"]: row
            for row in old
            if isinstance(row, dict) and isinstance(row.get("name"), str)
        }
        return [
            _combined(before.get(row.get("name")), row) if isinstance(row, dict) else row
            for row in new
        ]
    return new
