"""The labels in a user's TOML file.

In: the table ``labels`` and its tables ``table``. Out: `Labels`.
"""

from __future__ import annotations

from typing import Any, Final, get_args

from rico_hdl.errors import SpecError
from rico_hdl.spec.labels import (
    TABLE_SUFFIXES,
    KeyForm,
    LabelKind,
    Labels,
    LabelTable,
    MappedValue,
)
from rico_hdl.spec.toml_rules import (
    Rule,
    are,
    are_texts,
    check,
    is_flag,
    is_table_of,
    is_text,
)


def _is_text_or_texts(value: object) -> bool:
    return is_text(value) or are_texts(value)


LABELS_KEYS: Final = {
    "field": Rule(is_text, "the name of a field of the key", 'field = "country"'),
    "classes": Rule(are_texts, "a list of texts", 'classes = ["Forest", "River"]'),
    "colours": Rule(are_texts, "the colour of each class", 'colours = ["#00ff00", "#0000ff"]'),
    "kind": Rule(
        lambda value: value in get_args(LabelKind), "single, multi or number", 'kind = "multi"'
    ),
    "split": Rule(is_text, "the name of a field of the key", 'split = "split"'),
    "mapping": Rule(
        is_table_of(lambda value: isinstance(value, str)),
        "a table of classes, by the names in the tables",
        'mapping = {"Sea and ocean" = "Marine waters"}',
    ),
    "table": Rule(are(dict), "tables", "[[labels.table]]"),
}
"""The keys of ``labels``."""
TABLE_KEYS: Final = {
    "file": Rule(
        lambda value: isinstance(value, str),
        f"the path of a file that ends in {', '.join(TABLE_SUFFIXES)}",
        'file = "labels.csv"',
        required=True,
    ),
    "keys": Rule(
        lambda value: is_text(value) or is_table_of(is_text)(value),
        "a key with columns as fields, or a table of them by modality",
        'keys = {s2 = "{patch_id}", s1 = "{s1_name}"}',
    ),
    "label": Rule(_is_text_or_texts, "the name of a column, or a list", 'label = "class"'),
    "separator": Rule(
        lambda value: isinstance(value, str) and bool(value), "text", 'separator = ","'
    ),
    "hot": Rule(is_flag, "true or false", "hot = true"),
    "split": Rule(is_text, "the name of a column", 'split = "split"'),
    "header": Rule(are_texts, "the names of the columns", 'header = ["image", "mask"]'),
    "delimiter": Rule(
        lambda value: isinstance(value, str) and len(value) == 1, "a character", 'delimiter = ";"'
    ),
    "row": Rule(is_text, "a template", 'row = "{country}/{id}_s2.tif"'),
    "column": Rule(is_text, "the name of a column", 'column = "image"'),
    "record": Rule(is_flag, "true or false", "record = true"),
    "splits": Rule(are_texts, "a list of texts", 'splits = ["fold1", "fold2"]'),
    "json": Rule(is_flag, "true or false", "json = true"),
}
"""The keys of a label table."""


def labels_of(table: dict[str, Any] | None, modalities: list[Any]) -> Labels | None:
    """The labels that the table ``labels`` describes; None without one.

    Args:
        table: The table.
        modalities: The names of all modalities.

    Raises:
        SpecError: A key is unknown or has an invalid value.
    """
    if table is None:
        return None
    check(table, LABELS_KEYS, "labels")
    tables = tuple(
        _table(one, f"labels, table {number}", modalities)
        for number, one in enumerate(table.get("table", ()), 1)
    )
    return Labels(
        table.get("field", ""),
        tuple(table.get("classes", ())),
        table.get("kind"),
        tables,
        table.get("split", ""),
        tuple(MappedValue(name, becomes) for name, becomes in table.get("mapping", {}).items()),
        tuple(table.get("colours", ())),
    )


def _table(table: dict[str, Any], where: str, modalities: list[Any]) -> LabelTable:
    check(table, TABLE_KEYS, where)
    keys, label = table.get("keys", {}), table.get("label", [])
    forms = {"": keys} if isinstance(keys, str) else keys
    if unknown := [name for name in forms if name and name not in modalities]:
        raise SpecError(
            f"{where}: keys has the modality {unknown[0]!r}, expected one of "
            f"{', '.join(map(str, modalities))}",
            f"Write: {TABLE_KEYS['keys'].example}",
        )
    return LabelTable(
        file=table["file"],
        key_forms=tuple(KeyForm(name, form) for name, form in forms.items()),
        label=(label,) if isinstance(label, str) else tuple(label),
        separator=table.get("separator", ""),
        is_hot=table.get("hot", False),
        split=table.get("split", ""),
        header=tuple(table.get("header", ())),
        delimiter=table.get("delimiter", ""),
        row=table.get("row", ""),
        column=table.get("column", ""),
        is_record=table.get("record", False),
        splits=tuple(table.get("splits", ())),
        is_json=table.get("json", False),
    )
