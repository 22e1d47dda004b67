"""How the patches of a dataset are labelled, and which split they belong to.

In: what a publisher's documentation says. Out: immutable values, and the class of a key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, get_args

from rico_hdl.errors import SpecError
from rico_hdl.spec.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LabelKind = Literal["single", "multi", "number"]
"""One class for each patch, any number of classes, or a number."""
TABLE_SUFFIXES: Final = (".csv", ".tsv", ".txt", ".lst", ".json", ".geojson", ".parquet")
"""The extensions of label tables, lower-case."""
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}")
_SPLITS: Final = {"training": "train", "val": "validation", "valid": "validation",
                  "dev": "validation", "testing": "test", "test_gt": "test"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeyForm:
    """How a row of a label table names a patch."""

    name: str
    """The modality of the patch; empty for every modality that has such a key."""
    template: str
    """The patch's key, with columns of the row as fields."""


@dataclass(frozen=True, slots=True)
class MappedValue:
    """A publisher's name of a class, and the class that it belongs to."""

    name: str
    """The value in the table."""
    becomes: str
    """The class; empty if the value belongs to none."""


@dataclass(frozen=True)
class LabelTable:
    """A table whose rows are samples: their patches, label and split.

    Columns are called by their names in lower case, in which every character other than letters
    and digits is ``_``. Columns are also fields of templates.
    """

    file: str
    """The path of the file below the source, next to it, or in an archive, such as
    ``splits/{split}.txt``; its fields are columns of every row. Empty if the archives of patches
    themselves have such rows."""
    key_forms: tuple[KeyForm, ...] = ()
    """How rows name patches; the first one names the sample. If empty, a row names the patch of
    each modality whose key consists of columns."""
    label: tuple[str, ...] = ()
    """The column with the label; several if each is a label of its own."""
    separator: str = ""
    """The text between labels, if the column holds several in one text."""
    is_hot: bool = False
    """Whether the labels are numbers, one for each class, and 0 for those that do not apply."""
    split: str = ""
    """The column with the split."""
    header: tuple[str, ...] = ()
    """The names of the columns, for text files without a header."""
    delimiter: str = ""
    """The text between columns; if empty, a comma in ``.csv`` files, a tab in ``.tsv`` files, and
    none in other text files, where a row is one column."""
    row: str = ""
    """A template that splits a column into further columns, such as ``{class}/{id}.jpg``."""
    column: str = ""
    """The column that it splits; the first one if empty."""
    is_record: bool = False
    """Whether each JSON file is one row, with the names of its object as columns."""
    splits: tuple[str, ...] = ()
    """The names of splits in the path, besides train, validation and test; files of others are not
    of this table."""
    is_json: bool = False
    """Whether the files are JSON, whatever their extension."""

    def __post_init__(self) -> None:
        if self.file and not self.file.lower().endswith(TABLE_SUFFIXES):
            raise SpecError(
                f"label table {self.file!r}: expected the name of a file that ends in one of "
                f"{', '.join(TABLE_SUFFIXES)}",
                'Such as file = "labels.csv". Pickles are never read.',
            )
        for form in self.key_forms:
            Template.parse(form.template)
        if self.row:
            Template.parse(self.row)
        if self.path is not None and self.path.any_depth:
            raise SpecError(
                f"label table {self.file!r} begins with **/",
                "Leave it out: in archives, any folders may come first.",
            )
        if not (self.label or self.split or self.key_forms):
            raise SpecError(
                f"label table {self.file!r} has neither a label nor a split nor keys",
                'Name a column: label = "class" or split = "split".',
            )

    @cached_property
    def path(self) -> Template | None:
        """The template of its path; None if the path has no field."""
        return Template.parse(self.file) if "{" in self.file else None

    def fields_of(self, path: str) -> dict[str, str] | None:
        """The fields of a file's path below any folders; None if it is not of this table."""
        if not self.file:
            return None
        if self.path is None:
            return {} if path == self.file or path.endswith("/" + self.file) else None
        fields = self.path.at_any_depth().match(path)
        return fields if fields is not None and self.accepts(fields) else None

    def accepts(self, fields: Mapping[str, str]) -> bool:
        """Whether a path with these fields is of this table: its split has a known name."""
        name = fields.get(self.split)
        return name is None or name in self.splits or split_name(name) in _USUAL


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of patches and their splits, from keys and paths, or from tables."""

    field: str = ""
    """The field of the key, or else of the files' path, with the name of the class."""
    classes: tuple[str, ...] = ()
    """The names of the classes by index; if empty, those that occur, sorted."""
    kind: LabelKind | None = None
    """What labels are; if None, it follows from the values."""
    tables: tuple[LabelTable, ...] = ()
    """The tables with labels and splits."""
    split: str = ""
    """The field of the key, or else of the files' path, with the split."""
    mapping: tuple[MappedValue, ...] = ()
    """The classes of values that are called differently in the tables."""
    colours: tuple[str, ...] = ()
    """The colour of each class, such as ``#00ff00``."""

    def __post_init__(self) -> None:
        if not (self.field or self.tables or self.split):
            raise SpecError(
                "labels come from nowhere",
                'Name a field of the key, field = "class", or a table, [[labels.table]].',
            )
        if self.kind is not None and self.kind not in get_args(LabelKind):
            raise SpecError(f"labels of kind {self.kind!r}, expected single, multi or number")
        if self.classes and (
            unknown := {one.becomes for one in self.mapping} - {*self.classes, ""}
        ):
            raise SpecError(
                f"labels: the mapping leads to unknown classes: {', '.join(sorted(unknown))}",
                f"Classes: {', '.join(self.classes)}. An empty text stands for none.",
            )
        if any(table.is_hot for table in self.tables) and not self.classes:
            raise SpecError(
                "labels that are one number for each class need the list of classes",
                'Add classes = ["first", "second"], in the order of the numbers.',
            )
        check_colours("labels", self.colours, self.classes)

    def finder(self, keys: Template) -> Callable[[str], str | None]:
        """Return a function that gives the class of a key, or None if it names none.

        Args:
            keys: The template of keys.
        """
        template = keys
        if self.classes:
            # The classes decide where the field ends: {class}{number} of river12 is river and 12.
            one_of_them = f"(?:{'|'.join(map(re.escape, self.classes))})"
            template = keys.narrowed({self.field: one_of_them})

        def find(key: str) -> str | None:
            values = template.match(key)
            return None if values is None else values[self.field]

        return find


def split_name(name: str) -> str:
    """The usual name of a split: ``validation`` for ``val``, say. Others stay as they are."""
    plain = name.strip()
    return _SPLITS.get(plain.lower(), plain.lower() if plain.lower() in _USUAL else plain)


_USUAL: Final = frozenset({"train", "validation", "test"})


def check_colours(place: str, colours: tuple[str, ...], classes: tuple[str, ...]) -> None:
    """Check that colours are written as ``#rrggbb``, one for each class.

    Raises:
        SpecError: They are not.
    """
    wrong = [colour for colour in colours if not _COLOUR.fullmatch(colour)]
    if wrong:
        raise SpecError(
            f"{place}: colour {wrong[0]!r}, expected # and six hexadecimal digits in lower case",
            'Such as colours = ["#0000ff"].',
        )
    if colours and len(colours) != len(classes):
        raise SpecError(f"{place}: {len(colours)} colours for {len(classes)} classes")
