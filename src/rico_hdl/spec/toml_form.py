"""Specs that users write, as TOML files.

In: a TOML file. Out: a `DatasetSpec`. What the file leaves out gets a default. An error names the
file, the place in it, what was expected and found, and a valid example.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Final, get_args

from rico_hdl.errors import SpecError
from rico_hdl.spec.bands import BAND_FIELD, BAND_FOLDER_FIELD, Band
from rico_hdl.spec.columns import GIVEN_FIELDS, Columns, KeyColumn
from rico_hdl.spec.containers import CONTAINER_SUFFIXES
from rico_hdl.spec.model import (
    DatasetSpec,
    Download,
    Modality,
    Preset,
    Role,
)
from rico_hdl.spec.template import Field, Template
from rico_hdl.spec.toml_arrays import arrays_of, with_places
from rico_hdl.spec.toml_labels import labels_of
from rico_hdl.spec.toml_rules import Rule as _Rule
from rico_hdl.spec.toml_rules import are as _are
from rico_hdl.spec.toml_rules import are_texts as _are_texts
from rico_hdl.spec.toml_rules import check as _check
from rico_hdl.spec.toml_rules import is_count as _is_count
from rico_hdl.spec.toml_rules import is_flag as _is_flag
from rico_hdl.spec.toml_rules import is_integer as _is_integer
from rico_hdl.spec.toml_rules import is_name as _is_name
from rico_hdl.spec.toml_rules import is_shape as _is_shape
from rico_hdl.spec.toml_rules import is_table as _is_table
from rico_hdl.spec.toml_rules import is_table_of as _is_table_of
from rico_hdl.spec.toml_rules import is_text as _is_text

MAX_BYTES: Final = 2**20
"""Largest file that is read: a spec of a thousand bands has less than a tenth of it."""


def _are_bands(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(b, str | dict) for b in value)


def _is_token(value: object) -> bool:
    return _is_text(value) or (_are_texts(value) and bool(value))


def _are_axes(value: object) -> bool:
    is_field = re.compile("[a-z_][a-z0-9_]*").fullmatch
    return _are_texts(value) and len(value) == len({*value}) and all(map(is_field, value))  # type: ignore[arg-type,misc,call-overload]


_TEXT: Final = "text"
_A_NAME: Final = "a name of lower-case letters, digits and hyphens"
DATASET_KEYS: Final = {
    "name": _Rule(_is_name, _A_NAME, 'name = "chips"', required=True),
    "title": _Rule(_is_text, _TEXT, 'title = "Chips of Alpine Lakes"'),
    "summary": _Rule(_is_text, _TEXT, 'summary = "Sentinel-2 chips with water masks."'),
    "url": _Rule(_is_text, _TEXT, 'url = "https://example.org/chips"'),
    "citation": _Rule(_is_text, _TEXT, 'citation = "J. Doe: Chips. 2025."'),
    "notes": _Rule(_are_texts, "a list of texts", 'notes = ["Chips of 2019 lack B09."]'),
    "topic": _Rule(_is_text, "the heading of a list", 'topic = "Hyperspectral"'),
    "keywords": _Rule(_are_texts, "a list of texts", 'keywords = ["SAR", "water"]'),
    "licence": _Rule(_is_text, _TEXT, 'licence = "CC-BY-4.0"'),
    "labels": _Rule(_is_table, "a table", 'labels = {field = "country"}'),
    "pairs_by": _Rule(_are_texts, "a list of fields of keys", 'pairs_by = ["country", "id"]'),
    "modality": _Rule(_are(dict), "tables", "[[modality]]", required=True),
}
"""The keys of a file."""
MODALITY_KEYS: Final = {
    "name": _Rule(_is_name, _A_NAME, 'name = "s2"', required=True),
    "files": _Rule(_is_text, "a template", 'files = "{scene}/{id}_{band}.tif"', required=True),
    "key": _Rule(_is_text, "a template", 'key = "{scene}_{id}"', required=True),
    "bands": _Rule(
        _are_bands,
        "a list of bands",
        'bands = ["B02", {name = "B03", token = "green"}]',
        required=True,
    ),
    "title": _Rule(_is_text, _TEXT, 'title = "Sentinel-2 chips"'),
    "role": _Rule(
        lambda value: value in get_args(Role), "image, mask or auxiliary", 'role = "mask"'
    ),
    "classes": _Rule(
        _are_texts, "the names of a mask's classes", 'classes = ["background", "water"]'
    ),
    "on_request": _Rule(_is_flag, "true or false", "on_request = true"),
    "ignore": _Rule(_is_integer, "a pixel value", "ignore = 255"),
    "colours": _Rule(_are_texts, "the colour of each class", 'colours = ["#ffffff", "#0000ff"]'),
    "time": _Rule(_is_text, "a field of the key", 'time = "date"'),
    "folder": _Rule(_is_text, "the name of a folder", 'folder = "s2"'),
    "archive_names_folder": _Rule(
        _is_flag,
        "whether archives lack the first folder of files, and are called like it",
        "archive_names_folder = true",
    ),
    "dtype": _Rule(_is_text, "the numpy name of a dtype", 'dtype = "uint16"'),
    "example": _Rule(_is_text, "a path", 'example = "north/001_B02.tif"'),
    "patterns": _Rule(
        _is_table_of(_is_text), "a table of patterns, by field", 'patterns = {id = "S2*"}'
    ),
    "presets": _Rule(
        _is_table_of(_are_texts), "a table of lists of bands", 'presets = {rgb = ["B04", "B03"]}'
    ),
    "downloads": _Rule(
        _is_table_of(lambda md5: isinstance(md5, str)),
        "a table of MD5 sums, by the archive's name",
        'downloads = {"chips.zip" = ""}',
    ),
    "n_published": _Rule(_is_count, "a positive number", "n_published = 5000"),
    "axes": _Rule(
        _are_axes,
        f"the axes of the array in its {', '.join(CONTAINER_SUFFIXES)} files, in order",
        'axes = ["band", "y", "x"]',
    ),
    "array": _Rule(
        _is_text, "the name of the array in its .npz, HDF5 or Zarr files", 'array = "image"'
    ),
    "axis_labels": _Rule(
        _is_table_of(_is_text),
        "a table of the arrays that name the places along axes",
        'axis_labels = {sample = "ids"}',
    ),
    "columns": _Rule(
        _is_table, "a table of the columns of parquet files", 'columns = {files = "image"}'
    ),
}
"""The keys of a modality."""
_BAND: Final = {
    "name": _Rule(_is_text, _TEXT, 'name = "B02"', required=True),
    "token": _Rule(
        _is_token, "the band's spelling in paths, or a list of spellings", 'token = "blue"'
    ),
    "index": _Rule(_is_count, "the band's position in its file, from 1 on", "index = 2"),
    "folder": _Rule(_is_text, "the folder of the band's file", 'folder = "10m"'),
    "shape": _Rule(_is_shape, "rows and columns", "shape = [120, 120]"),
    "aliases": _Rule(_are_texts, "a list of texts", 'aliases = ["blue"]'),
}
_COLUMNS: Final = {
    "files": _Rule(_is_text, "the name of the column with the files", 'files = "image"'),
    "fields": _Rule(
        _is_table_of(lambda value: _is_text(value) or _is_table(value)),
        "a table of columns, by field",
        'fields = {id = "image_id"}',
    ),
}
_FIELD: Final = {
    "column": _Rule(_is_text, "the name of a column", 'column = "image.path"', required=True),
    "until": _Rule(_is_text, "the text that ends the value", 'until = "_"'),
    "stem": _Rule(_is_flag, "true or false", "stem = true"),
}


def load_spec(path: str | os.PathLike[str]) -> DatasetSpec:
    """Load a spec from a TOML file.

    Args:
        path: The file; ``docs/your-dataset.md`` explains it.

    Raises:
        SpecError: The file can't be read, or does not describe a dataset.
    """
    place = Path(path).expanduser()
    try:
        with place.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise SpecError(f"{place}: has more than {MAX_BYTES:,} bytes, expected a spec")
        rows = tomllib.loads(data.decode())
    except OSError as error:
        raise SpecError(f"{place}: can't be read: {error.strerror}", "Check the path.") from None
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{place}: byte {error.start} is not UTF-8, expected a TOML file",
            "Save the file as UTF-8.",
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(
            f"{place}: is not valid TOML: {error}", "See https://toml.io; texts need quotes."
        ) from None
    try:
        return spec_of(rows)
    except SpecError as error:
        raise SpecError(f"{place}: {error.message}", error.hint) from None


def spec_of(rows: dict[str, Any]) -> DatasetSpec:
    """The spec that the parsed content of a TOML file describes.

    Raises:
        SpecError: It does not describe a dataset.
    """
    _check(rows, DATASET_KEYS, "")
    tables = rows["modality"]
    names = [table.get("name") for table in tables]
    modalities = []
    for number, table in enumerate(tables, 1):
        where = f"modality {number}" + (f" ({names[number - 1]})" if names[number - 1] else "")
        option = "--dataset-dir" if len(tables) == 1 else f"--{names[number - 1]}-dir"
        modalities.append(_modality(table, where, option))
    return DatasetSpec(
        name=rows["name"],
        title=rows.get("title", rows["name"]),
        summary=rows.get("summary", ""),
        url=rows.get("url", ""),
        citation=rows.get("citation", ""),
        modalities=tuple(modalities),
        labels=labels_of(rows.get("labels"), names),
        pairs_by=tuple(rows.get("pairs_by", ())),
        notes=tuple(rows.get("notes", ())),
        topic=rows.get("topic", ""),
        keywords=tuple(rows.get("keywords", ())),
        licence=rows.get("licence", ""),
    )


def _modality(table: dict[str, Any], where: str, option: str) -> Modality:
    _check(table, MODALITY_KEYS, where)
    arrays = arrays_of(table, where)
    files = Template.parse(with_places(table, arrays), **table.get("patterns", {}))
    has_one_file = BAND_FIELD not in files.fields
    bands = tuple(
        _band(band, index if has_one_file else 1, f"{where}, band {index}")
        for index, band in enumerate(table["bands"], 1)
    )
    return Modality(
        name=table["name"],
        title=table.get("title", f"{table['name']} patches"),
        option=option,
        files=files,
        key=Template.parse(table["key"]),
        bands=bands,
        example=table.get("example") or _example(files, bands[0]),
        folder=table.get("folder", ""),
        role=table.get("role", "image"),
        classes=tuple(table.get("classes", ())),
        ignore=table.get("ignore"),
        on_request=table.get("on_request", False),
        colours=tuple(table.get("colours", ())),
        time=table.get("time", ""),
        dtype=table.get("dtype"),
        columns=_columns(table.get("columns"), files, where),
        archive_names_folder=table.get("archive_names_folder", False),
        arrays=arrays,
        n_published=table.get("n_published"),
        downloads=tuple(Download(name, md5) for name, md5 in table.get("downloads", {}).items()),
        presets=tuple(Preset(n, tuple(bands)) for n, bands in table.get("presets", {}).items()),
    )


def _columns(table: dict[str, Any] | None, files: Template, where: str) -> Columns | None:
    """The columns of a modality: fields that the table leaves out are called as their columns."""
    if table is None:
        return None
    _check(table, _COLUMNS, f"{where}, columns")
    named: dict[str, str | dict[str, Any]] = dict(table.get("fields", {}))
    for name in files.fields:
        if name != BAND_FIELD:
            named.setdefault(name, {} if name in GIVEN_FIELDS else name)
    keys = []
    for name, value in named.items():
        row = {"column": value} if isinstance(value, str) else value
        if row:
            _check(row, _FIELD, f"{where}, columns, field {name}")
        keys.append(KeyColumn(name, **row))
    return Columns(tuple(keys), table.get("files", ""), pinned=True)


def _band(band: str | dict[str, Any], index: int, where: str) -> Band:
    table: dict[str, Any] = {"name": band} if isinstance(band, str) else band
    _check(table, _BAND, where)
    shape, token = table.get("shape"), table.get("token", "")
    tokens = [token] if isinstance(token, str) else token
    return Band(
        name=table["name"],
        token=tokens[0],
        other_tokens=tuple(tokens[1:]),
        folder=table.get("folder", ""),
        index=table.get("index", index),
        shape=(shape[0], shape[1]) if shape else None,
        aliases=tuple(table.get("aliases", ())),
    )


def _example(files: Template, band: Band) -> str:
    """A path that a template matches, with the names of its fields as their values."""
    parts = [p for segment in files.segments for p in segment.parts if isinstance(p, Field)]
    values = {part.name: _value(part) for part in parts}
    return files.format(values | {BAND_FIELD: band.token, BAND_FOLDER_FIELD: band.folder})


def _value(field: Field) -> str:
    """A value that a field may have, for an example."""
    tries = [field.name, *("1" * n for n in range(1, 16))]
    return next((value for value in tries if re.fullmatch(field.pattern, value)), field.name)
