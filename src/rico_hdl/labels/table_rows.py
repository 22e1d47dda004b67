"""What the rows of a label table mean: the keys of patches, a label, a split.

In: rows, and what the spec says about their table. Out: rows of a `Collector`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from rico_hdl.errors import SourceError
from rico_hdl.labels.collecting import Collector
from rico_hdl.labels.table_files import TableRow, column_name
from rico_hdl.spec import DatasetSpec, Labels, LabelTable, Modality, Template
from rico_hdl.spec.labels import LabelKind, split_name

Keys = tuple[list[str], int]
"""The key in each modality, empty if there is none, and the position of the modality that names
the sample."""
_N_SHOWN: Final = 60
_N_CHECKED: Final = 100
"""Rows at the beginning of each file whose keys are compared with the form of keys."""
_GIVEN: Final = frozenset({"folder", "file", "row"})
"""Columns that rows of archives have in addition to their own."""


class TableRows:
    """Reads the rows of one table of a spec into a collector.

    Args:
        spec: The dataset.
        table: The table.
        collector: Receives the rows.
    """

    def __init__(self, spec: DatasetSpec, table: LabelTable, collector: Collector) -> None:
        self.table = table
        """What the spec says about the table."""
        self.n_unlabelled = 0
        """Rows whose column with the label is empty."""
        self._spec = spec
        self._labels = spec.labels or Labels(tables=(table,))
        self._collector = collector
        self._row = Template.parse(table.row).at_any_depth() if table.row else None
        self._mapping = {one.name: one.becomes for one in self._labels.mapping}
        self._known: dict[str, str] = {}  # classes of values met before
        self._label = [column_name(name) for name in table.label]
        self._split = column_name(table.split)
        self._makers = [
            _maker(spec.modalities, form.name, Template.parse(form.template))
            for form in table.key_forms
        ] or [_keys_of_fields(spec.modalities)]

    def read(self, place: str, rows: Iterable[TableRow], fields: Mapping[str, str]) -> int:
        """Add all rows of a file; returns their number.

        Args:
            place: The file, for errors.
            rows: Its rows.
            fields: The fields of its path.

        Raises:
            SourceError: A row has no key, lacks a column, or has a value that can't be used.
        """
        collector = self._collector
        if not self.table.is_record or not collector.places or collector.places[-1] != place:
            collector.places.append(place)
        file = len(collector.places) - 1
        n = 0
        for row in rows:
            values = {**fields, **row.values}
            if self._row is not None:
                values.update(self._parsed(place, row))
            keys, anchor = self._keys(place, row.number, values)
            if n < _N_CHECKED:
                self._check(place, row.number, keys)
            label = self._label_of(place, row.number, values)
            self.n_unlabelled += bool(self._label) and label is None
            split = self._split_of(place, row.number, values)
            number = 0 if self.table.is_record else row.number
            collector.add(keys, anchor, label, split, (file, number))
            n += 1
        return n

    def _check(self, place: str, number: int, keys: Sequence[str]) -> None:
        """Check that keys are such as the modalities have, so no other dataset's table is used."""
        for modality, key in zip(self._spec.modalities, keys, strict=True):
            if key and modality.keys.match(key) is None:
                raise SourceError(
                    f"{place}, row {number}: {key!r} is not the key of a patch of {modality.name}, "
                    f"which has the form {modality.key}, with fields as in "
                    f"{modality.files.description}",
                    "Correct keys or row of the table in the spec, or check that the file belongs "
                    "to this dataset.",
                )

    def _parsed(self, place: str, row: TableRow) -> dict[str, str]:
        """The columns that the table's template finds in one of the row's columns."""
        own = sorted(row.values, key=lambda name: name in _GIVEN)  # given columns come last
        column = column_name(self.table.column) or next(iter(own), "")
        text = str(_value(place, row.number, row.values, column)).replace("\\", "/")
        found = self._row.match(text.lstrip("/")) if self._row else None
        if found is None:
            raise SourceError(
                f"{place}, row {row.number}: {column} is {_short(text)}, expected {self._row}",
                "Correct the row, or row = of the table in the spec.",
            )
        return found

    def _keys(self, place: str, number: int, values: Mapping[str, Any]) -> Keys:
        """The keys of a row."""
        keys, anchor = [""] * len(self._spec.modalities), -1
        for make in self._makers:
            try:
                found = make(values)
            except KeyError as error:
                if self.table.is_record:
                    continue  # files of different patches may differ in what they say
                raise _missing(place, number, str(error.args[0]), values) from None
            for position, key in found.items():
                anchor = position if anchor < 0 else anchor
                keys[position] = keys[position] or key
        if anchor < 0:
            forms = ", ".join(str(one.key) for one in self._spec.modalities)
            raise SourceError(
                f"{place}, row {number}: names no patch, expected the fields of a key: {forms}; "
                f"found the columns {', '.join(values)}",
                "Say in the spec how keys are made of columns, such as "
                f'keys = {{{self._spec.modalities[0].name} = "{{{next(iter(values), "name")}}}"}}.',
            )
        return keys, anchor

    def _split_of(self, place: str, number: int, values: Mapping[str, Any]) -> str:
        if not self._split:
            return ""
        value = _value(place, number, values, self._split)
        return "" if value is None else split_name(str(value))

    def _label_of(
        self, place: str, number: int, values: Mapping[str, Any]
    ) -> float | list[str] | None:
        """The label of a row, None if it has none."""
        if not self._label:
            return None
        found = [_value(place, number, values, name) for name in self._label]
        value: Any = found if len(found) > 1 or self.table.is_hot else found[0]
        if self.table.is_hot:
            return self._hot(place, number, value)
        if value is None or value == "":
            return None
        if self.table.separator and isinstance(value, str):
            value = [part for text in value.split(self.table.separator) if (part := text.strip())]
        kind = self._collector.settle(self._labels.kind or _kind(value, self._labels))
        if kind == "number":
            return _number(place, number, self._label[0], value)
        known = self._known
        names = []
        for one in value if isinstance(value, list) else (value,):
            name = known.get(one) if isinstance(one, str) else None
            if name is None:
                name = self._class(place, number, one)
                if isinstance(one, str):
                    known[one] = name
            names.append(name)
        if kind == "single" and len(names) > 1:
            raise SourceError(
                f"{place}, row {number}: has the labels {', '.join(names)}, expected one",
                'If patches have several labels, say so in the spec: kind = "multi".',
            )
        names = [name for name in names if name]
        return names if names or kind == "multi" else None

    def _hot(self, place: str, number: int, value: Any) -> list[str] | None:  # noqa: ANN401
        """The classes whose numbers are not 0."""
        classes = self._labels.classes
        if len(value) == 1 and isinstance(value[0], list):
            value = value[0]
        if len(value) != len(classes):
            raise SourceError(
                f"{place}, row {number}: has {len(value)} numbers, expected one for each of "
                f"{len(classes)} classes",
                "Correct the list of classes in the spec.",
            )
        numbers = [_number(place, number, self._label[0], one) for one in value]
        kind = self._collector.settle(self._labels.kind or "multi")
        names = [name for name, one in zip(classes, numbers, strict=True) if one]
        if kind == "single" and len(names) != 1:
            raise SourceError(
                f"{place}, row {number}: {len(names)} numbers are not 0, expected one",
                'If patches have several labels, say so in the spec: kind = "multi".',
            )
        return names

    def _class(self, place: str, number: int, value: object) -> str:
        """The name of a class, from a name, an index, or a list that begins with one."""
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise SourceError(
                f"{place}, row {number}: a label is {_short(value)}, expected a name or an index",
                "Name the right column in the spec: label = ...",
            )
        if isinstance(value, float):
            value = int(value) if value.is_integer() else value
        name = str(value)
        classes = self._labels.classes
        if isinstance(value, int) and classes and name not in self._mapping:
            if not 0 <= value < len(classes):
                raise SourceError(
                    f"{place}, row {number}: class {value} is unknown, expected 0 to "
                    f"{len(classes) - 1}",
                    "Correct the row, or the list of classes in the spec.",
                )
            return classes[value]
        return self._mapping.get(name, name)


def _kind(value: object, labels: Labels) -> LabelKind:
    """The kind of labels that a value seems to be."""
    if isinstance(value, list):
        return "multi"
    return "number" if isinstance(value, float) and not labels.classes else "single"


def _number(place: str, number: int, column: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise SourceError(
            f"{place}, row {number}: {column} is {_short(value)}, expected a number",
            "Correct the row, or name the right column in the spec.",
        ) from None


def _value(place: str, number: int, values: Mapping[str, Any], column: str) -> Any:  # noqa: ANN401
    try:
        return values[column]
    except KeyError:
        raise _missing(place, number, column, values) from None


def _missing(place: str, number: int, column: str, values: Mapping[str, Any]) -> SourceError:
    return SourceError(
        f"{place}, row {number}: has no column {column!r}, found {', '.join(values)}",
        "Columns are called by their names in lower case, with _ for other characters. "
        "Name the right one in the spec.",
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _N_SHOWN else f"{text[:_N_SHOWN]}…"


def _format(template: Template) -> str:
    """The template as a format string of its fields by position."""
    places = {field: f"{{{i}}}" for i, field in enumerate(template.fields)}
    return template.format(places)


def _maker(
    modalities: tuple[Modality, ...], name: str, template: Template
) -> Callable[[Mapping[str, Any]], dict[int, str]]:
    """A function that gives the keys of a row, by the modality's position, from one template."""
    chosen = [i for i, one in enumerate(modalities) if name in ("", one.name)]
    fields, form = template.fields, _format(template)

    def make(values: Mapping[str, Any]) -> dict[int, str]:
        found = [values[field] for field in fields]
        if None in found or "" in found:
            return {}  # the sample has no such patch
        key = form.format(*found)
        return {i: key for i in chosen if name or modalities[i].keys.match(key)}

    return make


def _keys_of_fields(
    modalities: tuple[Modality, ...],
) -> Callable[[Mapping[str, Any]], dict[int, str]]:
    """A function that gives the keys of a row from those keys' own fields."""
    forms = [(one.key.fields, _format(one.key), one) for one in modalities]

    def make(values: Mapping[str, Any]) -> dict[int, str]:
        keys = {}
        for i, (fields, form, modality) in enumerate(forms):
            found = [values.get(field) for field in fields]
            if None not in found and "" not in found:
                key = form.format(*found)
                # Only modalities with patterns in their keys may have equal forms of keys.
                if not modality.files.patterns or modality.keys.match(key):
                    keys[i] = key
        return keys

    return make
