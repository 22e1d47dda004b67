"""Specs that users write as TOML files."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rico_hdl
from rico_hdl.errors import SpecError
from rico_hdl.spec import Arrays, Axis, Columns, KeyColumn, Preset
from rico_hdl.spec.portable import as_rows, from_rows
from rico_hdl.spec.toml_form import spec_of

CHIPS = """
name = "chips"

[[modality]]
name = "s2"
files = "{country}/{id}_s2.tif"
key = "{country}_{id}_s2"
bands = ["B02", {name = "B03", aliases = ["green"], shape = [64, 64]}]
presets = {both = ["B03", "B02"]}

[[modality]]
name = "mask"
files = "{country}/{id}_mask.tif"
key = "{country}_{id}_mask"
bands = ["mask"]
"""


def load(tmp_path, text):
    """The spec that a file with this text describes."""
    path = tmp_path / "chips.toml"
    path.write_text(text, encoding="utf-8")
    return rico_hdl.load_spec(path)


def test_a_short_file_suffices(tmp_path):
    """Everything that a file leaves out has a default, and what it says is in the spec."""
    spec = load(tmp_path, CHIPS)
    s2, mask = spec.modalities
    assert (spec.name, spec.title) == ("chips", "chips")
    assert (s2.option, mask.option) == ("--s2-dir", "--mask-dir")
    assert [(band.name, band.index) for band in s2.bands] == [("B02", 1), ("B03", 2)]
    assert (s2.bands[1].aliases, s2.bands[1].shape) == (("green",), (64, 64))
    assert s2.presets == (Preset("both", ("B03", "B02")),)
    assert s2.files.match(s2.example) is not None
    assert s2.example == "country/id_s2.tif"


def test_files_of_one_band_each(tmp_path):
    """With {band} in the file name, each band has a file, and may have its own spelling there."""
    text = """
name = "my-bands"
notes = ["Some scenes are cloudy."]
[[modality]]
name = "optical"
files = "**/{scene:7d}_{band}.tif"
key = "{scene}"
bands = [{name = "blue", token = "B2"}, "B3"]
patterns = {}
dtype = "uint16"
downloads = {"my.zip" = ""}
n_published = 12
"""
    (optical,) = load(tmp_path, text).modalities
    assert optical.option == "--dataset-dir"
    assert [(band.name, band.token, band.index) for band in optical.bands] == [
        ("blue", "B2", 1),
        ("B3", "B3", 1),
    ]
    assert (optical.dtype, optical.n_published) == ("uint16", 12)
    assert optical.example == "1111111_B2.tif"


def test_files_of_arrays(tmp_path):
    """The axes of array files are those of the file; a single band has rows and columns."""
    text = CHIPS.replace("_s2.tif", "_s2.h5").replace("_mask.tif", "_mask.npy")
    text = text.replace(
        'presets = {both = ["B03", "B02"]}', 'array = "a/b"\naxes = ["y", "x", "band"]'
    )
    s2, mask = load(tmp_path, text).modalities
    assert s2.arrays == Arrays("a/b", (Axis("y"), Axis("x"), Axis("band")))
    assert mask.arrays == Arrays("", (Axis("y"), Axis("x")))
    split = text.replace('"a/b"\naxes = ["y", "x", "band"]', '"{band}"')
    changed = load(tmp_path, split).modalities[0]
    assert changed.arrays == Arrays("{band}", (Axis("y"), Axis("x")))
    assert changed.fingerprint != s2.fingerprint
    with pytest.raises(SpecError, match=r"axes is \['time'\], expected the axes of the array"):
        load(tmp_path, text.replace('["y", "x", "band"]', '["time"]'))
    with pytest.raises(SpecError, match="its axes are , expected band, x, y"):
        load(tmp_path, text.replace('axes = ["y", "x", "band"]', ""))


COLUMNS = """
name = "hub"
[[modality]]
name = "rgb"
files = "{file}/{row}/{id}_{label}.png"
key = "{file}_{row}_{id}_{label}"
bands = ["a", "b", "c"]
[modality.columns]
files = "image"
fields = {id = {column = "image.path", stem = true, until = "_"}}
"""


def test_columns_of_tables(tmp_path):
    """Fields are the columns that are named, those of the same name, or what tables give."""
    (rgb,) = load(tmp_path, COLUMNS).modalities
    assert rgb.columns == Columns(
        (
            KeyColumn("id", "image.path", until="_", stem=True),
            KeyColumn("file"),
            KeyColumn("row"),
            KeyColumn("label", "label"),
        ),
        files="image",
        pinned=True,
    )
    assert from_rows(
        json.loads(json.dumps(as_rows(rico_hdl.load_spec(tmp_path / "chips.toml"))))
    ) == load(tmp_path, COLUMNS)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('files = "image"', "files = 1", ["modality 1 (rgb), columns: files is 1", '"image"']),
        ('files = "image"', "file = 1", ["'file' is unknown, expected one of files, fields"]),
        ('files = "image"', "", ["no column is named", "Name the column of the files"]),
        ('column = "image.path", ', "", ["field id: column is missing", 'column = "image.path"']),
        ("stem = true", "stem = 1", ["columns, field id: stem is 1, expected true or false"]),
        ("{id = {", "{x = 'a', id = {", ["its columns give the fields x, id, file, row, label"]),
        ("{row}/", "{row}_{band}/", ["column 'image' holds its files, but each band"]),
        ("_{label}.png", "_{label}{band}.png", ["column 'image' holds its files, but each band"]),
    ],
)
def test_errors_in_columns(tmp_path, old, new, expected):
    """An error in the columns says what is wrong in which modality, and what to write."""
    assert old in COLUMNS
    with pytest.raises(SpecError) as caught:
        load(tmp_path, COLUMNS.replace(old, new, 1))
    assert [part for part in expected if part not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('name = "chips"', 'name = "Chips!"', ["name is 'Chips!'", "lower-case", 'name = "chips"']),
        ('name = "chips"', "", ["name is missing", 'name = "chips"']),
        ('name = "chips"', 'nme = "chips"', ["'nme' is unknown", "Did you mean: name"]),
        ('key = "{country}_{id}_s2"', "", ["modality 1 (s2): key is missing", "key = "]),
        ('key = "{country}_{id}_s2"', "key = 3", ["modality 1 (s2): key is 3", "a template"]),
        ('bands = ["mask"]', "bands = []", ["modality 2 (mask): bands is []", "a list of bands"]),
        ('bands = ["mask"]', "bands = [{}]", ["modality 2 (mask), band 1: name is missing"]),
        ('bands = ["mask"]', 'bands = [{name = "m", shape = [1]}]', ["shape is [1]", "[120, 120]"]),
        ('"{country}/{id}_mask.tif"', '"{country/mask.tif"', ["can't parse", "{name}"]),
        ('"{country}_{id}_mask"', '"{country}_{id}_{x}"', ["needs fields that", "country, id"]),
        ('"{country}_{id}_mask"', '"{country}_{id}"', ["the same key", "{id}_mask"]),
        ('"{country}_{id}_mask"', '"{country}_{id}_s2"', ["the same key", "s2 and mask"]),
        ('name = "mask"', 'name = "s2"', ["share a name"]),
        ("[[modality]]", "[[modality]", ["not valid TOML", "line 4"]),
        ('{both = ["B03", "B02"]}', '{both = ["B09"]}', ["B09"]),
    ],
)
def test_errors_say_what_to_write(tmp_path, old, new, expected):
    """An error names the file, the place in it, what was found and a valid example."""
    assert old in CHIPS
    with pytest.raises(SpecError) as caught:
        load(tmp_path, CHIPS.replace(old, new, 1))
    text = str(caught.value)
    assert text.startswith(str(tmp_path / "chips.toml"))
    assert [part for part in expected if part not in text] == []


def test_files_that_are_no_specs(tmp_path):
    """A missing file, a folder, other bytes and huge files are errors that name the file."""
    for make in (
        lambda _: None,
        lambda path: path.mkdir(),
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: path.write_bytes(b"#" * (2**20 + 1)),
        lambda path: path.write_bytes(b""),
    ):
        path = tmp_path / f"{make.__code__.co_firstlineno}.toml"
        make(path)
        with pytest.raises(SpecError, match=path.name):
            rico_hdl.load_spec(path)


VALUES = st.recursive(
    st.one_of(st.text("abc{}_:/d*. ", max_size=12), st.integers(-9, 9), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["name", "token", "x"]), inner)
    ),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["name", "files", "key", "bands", "columns", "fields", "patterns", "shape", "modality", "notes"]
)


@given(rows=st.dictionaries(KEYS, VALUES), table=st.dictionaries(KEYS, VALUES))
def test_any_values_are_a_spec_or_an_error(rows, table):
    """Whatever a file says, it is a spec or a SpecError, never another exception."""
    for one in (rows, {"name": "x", "modality": [table]}, {"name": "x", **rows}):
        try:
            spec_of(one)
        except SpecError:
            continue
