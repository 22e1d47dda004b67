"""Parquet tables in other layouts: columns that a spec names, structs with images, metadata."""

import random
from contextlib import suppress
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rico_hdl.errors import ArchiveError, MemberError, SourceError
from rico_hdl.sources.parquet import cells
from rico_hdl.sources.parquet import rows as rows_module
from rico_hdl.sources.parquet.archive import ParquetArchive
from rico_hdl.spec import Columns, KeyColumn, Template
from tests.support.parquet_files import BY_ROW, IMAGES, open_images, write_images

BYTES = pa.binary()
LAYOUTS = {
    "datasets": {},
    "small groups": {"rows_per_group": 2},
    "version 2": {"data_page_version": "2.0", "compression": "zstd"},
    "plain": {"use_dictionary": False, "compression": "none"},
    "small pages": {"use_dictionary": False, "data_page_size": 100},
    "checksums": {"write_page_checksum": True},
}


def contents_of(n=9, seed=0):
    """The bytes of some images."""
    rng = random.Random(seed)
    return [rng.randbytes(rng.randrange(1, 500)) for _ in range(n)]


def read(archive):
    """The content of each member by path, or its error."""
    found = {}
    for member in archive.members():
        assert member.path not in found
        try:
            found[member.path] = member.problem or member.read()
        except ArchiveError as error:
            found[member.path] = error
    return found


@pytest.mark.parametrize("kind", [IMAGES, BYTES, pa.large_binary()], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_images_in_one_column(tmp_path, layout, kind):
    """A column of structs or bytes holds the files, which are called after table and row."""
    contents = contents_of()
    path = write_images(tmp_path / "train-0.parquet", contents, kind=kind, **LAYOUTS[layout])
    expected = {f"train-0/{i}.tif": data for i, data in enumerate(contents)}
    assert list(read(open_images(path)).items()) == list(expected.items())


@pytest.mark.parametrize(
    ("keys", "template", "expected"),
    [
        ([KeyColumn("id", "id")], "{id}.tif", "103.tif"),
        ([KeyColumn("id", "image.path", stem=True)], "{id}.tif", "a.b_3.tif"),
        ([KeyColumn("id", "image.path", until="_", stem=True), KeyColumn("row")],
         "{id}/{row}.tif", "a.b/3.tif"),
        ([KeyColumn("folder"), KeyColumn("id", "id"), KeyColumn("label", "label")],
         "{folder}/{label}/{id}.tif", "train/0/103.tif"),
    ],
)  # fmt: skip
def test_columns_that_make_a_path(tmp_path, keys, template, expected):
    """Fields come from text, integers, the names in structs, and the table's folder."""
    (tmp_path / "train").mkdir()
    contents = contents_of(4)
    path = tmp_path / "train" / "x.parquet"
    write_images(path, contents, names=[f"dir/a.b_{i}.jpg" for i in range(4)], rows_per_group=2)
    found = read(open_images(path, Columns(tuple(keys), files="image"), template))
    assert len(found) == 4
    assert list(found.items())[3] == (expected, contents[3])


def test_integers_are_those_of_the_table(tmp_path):
    """Integers of any width and sign make the same text as in Python."""
    values = {
        pa.int8(): [-128, 127],
        pa.uint16(): [0, 65_535],
        pa.int32(): [-(2**31), 2**31 - 1],
        pa.uint32(): [0, 2**32 - 1],
        pa.int64(): [-(2**63), 2**63 - 1],
        pa.uint64(): [1, 2**64 - 1],
    }
    columns = Columns((KeyColumn("id", "id"),), files="image")
    for kind, ids in values.items():
        table = pa.table({"image": [b"a", b"b"], "id": pa.array(ids, kind)})
        pq.write_table(table, tmp_path / "x.parquet")
        found = read(open_images(tmp_path / "x.parquet", columns, "{id}.tif"))
        assert found == {f"{ids[0]}.tif": b"a", f"{ids[1]}.tif": b"b"}
        rows = ParquetArchive([tmp_path / "x.parquet"], columns, Template.parse("{id}.tif")).rows()
        assert [row["id"] for row in rows] == ids


def test_a_band_for_each_column_of_structs(tmp_path):
    """If each band has a column, its cells may be structs."""
    table = pa.table(
        {
            "id": ["x", "y"],
            "red": pa.array([{"bytes": b"r0"}, {"bytes": b"r1"}], IMAGES),
            "nir": pa.array([{"bytes": b"n0"}, {"bytes": b"n1"}], IMAGES),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    columns = Columns((KeyColumn("id", "id"),))
    assert read(open_images(tmp_path / "x.parquet", columns, "{id}/{band}.tif")) == {
        "x/red.tif": b"r0",
        "x/nir.tif": b"n0",
        "y/red.tif": b"r1",
        "y/nir.tif": b"n1",
    }


@pytest.mark.parametrize("rows_per_group", [1, 100])
def test_cells_without_an_image_fail_alone(tmp_path, rows_per_group):
    """A cell without bytes or without a struct is an error of its own; others are read."""
    contents = contents_of(6)
    contents[1] = contents[4] = None
    names = ["0.jpg", "1.jpg", None, "3.jpg", None, "5.jpg"]
    path = tmp_path / "x.parquet"
    write_images(path, contents, names=names, rows_per_group=rows_per_group)
    found = read(open_images(path))
    errors = {name: found.pop(f"x/{name}.tif") for name in (1, 2, 4)}
    assert found == {f"x/{i}.tif": contents[i] for i in (0, 3, 5)}
    assert all(isinstance(error, MemberError) for error in errors.values())
    assert errors[1].message == (
        f"{path}/x/1.tif: its cell is empty, and only names a file: '1.jpg'"
    )
    assert errors[4].message == f"{path}/x/4.tif: its cell is empty"
    with_names = Columns((KeyColumn("id", "image.path"), KeyColumn("row")), files="image")
    with pytest.raises(ArchiveError, match=r"row 3 has no image\.path, and 1 more"):
        read(open_images(path, with_names, "{id}/{row}.tif"))


@pytest.mark.parametrize(
    ("columns", "table", "expected"),
    [
        (
            BY_ROW,
            {"img": [b"x"], "id": [1]},
            ["column image of bytes", "found the columns img, id"],
        ),
        (BY_ROW, {"image": [[b"x"]]}, ["column image of bytes", "found the columns image"]),
        (BY_ROW, {"image": ["x"], "b": [b"x"]}, ["column image of bytes", "columns image, b"]),
        (
            Columns((KeyColumn("file"), KeyColumn("row", "id")), files="image"),
            {"image": [b"x"], "id": [[1]]},
            ["expected the columns id, each once", "found the columns image, id"],
        ),
    ],
)
def test_columns_that_a_table_lacks(tmp_path, columns, table, expected):
    """A table without a column that the spec names is an error that lists what it has."""
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    with pytest.raises(SourceError) as caught:
        read(open_images(tmp_path / "x.parquet", columns))
    assert [part for part in expected if part not in caught.value.message] == []


def test_a_table_without_any_bytes_holds_no_images(tmp_path):
    """A list of all images next to the tables with them has no members."""
    pq.write_table(pa.table({"id": [1, 2]}), tmp_path / "x.parquet")
    assert read(open_images(tmp_path / "x.parquet")) == {}


# What tables say about their rows

TEXT = st.text(max_size=5)
VALUES = {
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.dictionary(pa.int32(), pa.string()): TEXT,
    pa.int8(): st.integers(-(2**7), 2**7 - 1),
    pa.uint32(): st.integers(0, 2**32 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.float32(): st.floats(allow_nan=False, width=32),
    pa.bool_(): st.booleans(),
    pa.list_(pa.string()): st.lists(st.none() | TEXT, max_size=4),
    pa.list_(pa.int64()): st.lists(st.none() | st.integers(-9, 9), max_size=4),
    pa.list_(pa.bool_()): st.lists(st.booleans(), max_size=9),
    pa.list_(pa.float64(), 3): st.lists(st.floats(-9, 9), min_size=3, max_size=3),
}


@st.composite
def columns(draw):
    """The type and the values of some columns of equal length."""
    n = draw(st.integers(1, 20))
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4))
    may_lack = draw(st.booleans())
    return [
        (kind, draw(st.lists(one | st.none() if may_lack else one, min_size=n, max_size=n)))
        for kind, one in ((kind, VALUES[kind]) for kind in kinds)
    ]


@given(columns(), st.integers(1, 7), st.booleans(), st.sampled_from(["1.0", "2.0"]))
@settings(max_examples=60)
def test_rows_are_those_that_pyarrow_wrote(
    tmp_path_factory, drawn, rows_per_group, use_dictionary, version
):
    """Text, numbers, booleans and lists of them are read as pyarrow wrote them, row by row."""
    table = pa.table({f"c{i}": pa.array(values, kind) for i, (kind, values) in enumerate(drawn)})
    path = tmp_path_factory.mktemp("rows") / "labels.parquet"
    options = {"data_page_version": version, "data_page_size": 30, "write_batch_size": 3}
    pq.write_table(
        table, path, row_group_size=rows_per_group, use_dictionary=use_dictionary, **options
    )
    found = list(open_images(path).rows())
    given = {"folder": path.parent.name, "file": "labels"}
    assert found == [given | {"row": i} | row for i, row in enumerate(table.to_pylist())]


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.integers(0, 2**32 - 1),
            st.none() | st.text("ab", max_size=9),
            st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
        ),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from(("DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY")),
    st.integers(1, 60),
)
@settings(max_examples=30)
def test_delta_encodings(tmp_path_factory, rows, of_text, n_times):
    """Differences of integers, lengths and beginnings are those that pyarrow wrote."""
    kinds = {"a": pa.int64(), "b": pa.uint32(), "c": pa.string(), "d": pa.list_(pa.int32())}
    table = pa.table(
        {
            name: pa.array([row[i] for row in rows] * n_times, kind)
            for i, (name, kind) in enumerate(kinds.items())
        }
    )
    filler = [f"{i:08}" for i in range(len(table))]  # a table has no more rows than bytes
    path = tmp_path_factory.mktemp("delta") / "x.parquet"
    encodings = dict.fromkeys(("a", "b", "d.list.element"), "DELTA_BINARY_PACKED") | {"c": of_text}
    whole = table.append_column("filler", pa.array(filler))
    pq.write_table(whole, path, use_dictionary=False, column_encoding=encodings, compression="none")
    found = [{name: row[name] for name in kinds} for row in open_images(path).rows()]
    assert found == table.to_pylist()


def test_a_bomb_of_differences(tmp_path):
    """A page of a few bytes that claims many equal differences is refused, or is as written."""
    path = tmp_path / "x.parquet"
    table = pa.table({"a": pa.array([5] * 10)})
    encodings = {"a": "DELTA_BINARY_PACKED"}
    pq.write_table(table, path, use_dictionary=False, column_encoding=encodings, compression="none")
    data = bytearray(path.read_bytes())
    for at in range(4, 60):
        for change in (0x01, 0x10, 0x7F, 0x80, 0xFF):
            data[at] ^= change
            path.write_bytes(data)
            data[at] ^= change
            with suppress(ArchiveError):
                assert len(list(open_images(path).rows())) == 10


def test_names_of_columns(tmp_path):
    """Names become fields of templates, and no two are equal; other columns are omitted."""
    image = {"bytes": b"x", "path": "0.jpg"}
    table = pa.Table.from_pylist(
        [
            {
                "image": image,
                "Label Name": "a",
                "label-name": "b",
                "row": 9,
                "2020": True,
                "objects": [{"id": 1, "Area": 0.5}, {"id": 2, "Area": 1.5}],
                "when": datetime(2020, 1, 1, tzinfo=UTC),
                "box": [[1, 2], [3]],
                "raw": b"x",
            }
        ]
    )
    pq.write_table(table, tmp_path / "train.parquet")
    (row,) = open_images(tmp_path / "train.parquet").rows()
    assert row == {
        "folder": tmp_path.name,
        "file": "train",
        "row": 0,
        "image_path": "0.jpg",
        "label_name": "a",
        "label_name_2": "b",
        "row_2": 9,
        "_2020": True,
        "when": "2020-01-01T00:00:00",
    }


def test_rows_of_required_values(tmp_path):
    """Columns that can't lack a value, in which parquet stores no levels, are read as well."""
    fields = [
        pa.field("a", pa.int64(), nullable=False),
        pa.field("b", pa.bool_(), nullable=False),
        pa.field("c", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
    ]
    rows = [{"a": 1, "b": True, "c": []}, {"a": 2, "b": False, "c": ["x", "y"]}]
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields)), tmp_path / "x.parquet")
    found = list(open_images(tmp_path / "x.parquet").rows())
    assert [{name: row[name] for name in "abc"} for row in found] == rows


def test_damaged_rows_are_an_error(tmp_path):
    """A damaged page of a column is an error that names it, after the rows before it."""
    path = tmp_path / "x.parquet"
    write_images(path, contents_of(9), rows_per_group=3, write_page_checksum=True)
    chunk = pq.read_metadata(path).row_group(1).column(3)
    assert chunk.path_in_schema == "label"
    data = bytearray(path.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data[start : start + 40] = bytes(40)
    path.write_bytes(data)
    rows = []
    with pytest.raises(ArchiveError, match="column label of row group 2 can't be read"):
        rows.extend(open_images(path).rows())
    rows = []
    with pytest.raises(ArchiveError):
        for row in open_images(path).rows():
            rows.append(row["label"])
    assert rows == [0, 1, 2]


def test_large_pages_of_rows_are_refused(tmp_path, monkeypatch):
    """Pages of several columns that exceed the limit together are an error."""
    monkeypatch.setattr(rows_module, "MAX_PAGE_BYTES", 4 * 10**6)
    table = pa.table({"text": ["a" * 3 * 10**6], "other": ["b" * 2 * 10**6]})
    pq.write_table(table, tmp_path / "x.parquet", compression="zstd", use_dictionary=False)
    with pytest.raises(ArchiveError, match="pages of its columns take more than 4,000,000"):
        list(open_images(tmp_path / "x.parquet").rows())


def test_flipped_bytes_give_no_wrong_rows(tmp_path):
    """Damage to the content of pages with checksums gives right rows, up to an error."""
    path = tmp_path / "x.parquet"
    table = pa.table({"a": [1, None, 3], "b": [["x"], [], ["y", "z"]], "c": [True, False, None]})
    pq.write_table(table, path, row_group_size=2, write_page_checksum=True, use_dictionary=False)
    expected = list(open_images(path).rows())
    data = bytearray(path.read_bytes())
    n_errors = 0
    for column in range(3):
        chunk = pq.read_metadata(path).row_group(1).column(column)
        stop = chunk.data_page_offset + chunk.total_compressed_size
        for at in range(stop - 4, stop):
            data[at] ^= 0x01
            path.write_bytes(data)
            data[at] ^= 0x01
            found = []
            with pytest.raises(ArchiveError):
                for row in open_images(path).rows():
                    found.append(row)  # noqa: PERF402 - those before an error
            assert found == expected[:2]
            n_errors += 1
    assert n_errors == 12


def test_damaged_headers_end_no_process(tmp_path):
    """Whatever a page's header says, its rows are values or an error of ours."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [1, None, 3]}), path, use_dictionary=False)
    data = bytearray(path.read_bytes())
    for at in range(4, 40):
        for change in (1 << bit for bit in range(8)):
            data[at] ^= change
            path.write_bytes(data)
            data[at] ^= change
            with suppress(ArchiveError):
                list(open_images(path).rows())


def test_a_page_that_claims_more_cells_is_damaged(tmp_path):
    """A page whose header claims more cells than its levels have is an error."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [["x"], ["y"], ["z"]]}), path, use_dictionary=False)
    data = path.read_bytes()
    start = pq.read_metadata(path).row_group(0).column(0).data_page_offset
    at = data.index(b"\x15\x06", start)  # the field for the number of values: 3, zigzag
    assert at < start + 40
    path.write_bytes(data[: at + 1] + b"\x08" + data[at + 2 :])
    with pytest.raises(ArchiveError, match="3 cells in a page that claims 4"):
        list(open_images(path).rows())


@pytest.mark.parametrize(
    "options", [{}, {"data_page_version": "2.0"}, {"write_page_checksum": True}]
)
def test_large_pages_that_are_not_compressed(tmp_path, monkeypatch, options):
    """The cells of a page above the limit are read one by one if it is not compressed."""
    monkeypatch.setattr(cells, "MAX_PAGE_BYTES", 600)
    contents = contents_of(40)
    contents[3] = contents[17] = None
    path = tmp_path / "x.parquet"
    write_images(path, contents, use_dictionary=False, compression="none", **options)
    found = read(open_images(path))
    assert len(found) == 40
    for i, content in enumerate(contents):
        if content is None:
            assert isinstance(found[f"x/{i}.tif"], MemberError)
        else:
            assert found[f"x/{i}.tif"] == content
    few = {m.path: m.read() for m in open_images(path).members() if "5.tif" in m.path}
    assert few == {f"x/{i}.tif": contents[i] for i in (5, 15, 25, 35)}
    same = [b"a" * 500] * 40  # version 2 leaves what can't be compressed as it is
    write_images(path, same, use_dictionary=False, compression="snappy", **options)
    assert all("a page of" in error.message for error in read(open_images(path)).values())


def test_a_cell_above_the_limit_is_not_read(tmp_path, monkeypatch):
    """A cell that is larger than a page may be is an error, as is a length beyond the page."""
    monkeypatch.setattr(cells, "MAX_PAGE_BYTES", 600)
    path = tmp_path / "x.parquet"
    options = {"use_dictionary": False, "compression": "none", "write_statistics": False}
    write_images(path, [b"a" * 500, b"b" * 700], **options)
    found = read(open_images(path))
    assert found["x/0.tif"] == b"a" * 500
    assert "a value of 700 bytes, expected at most 600" in found["x/1.tif"].message
    data = bytearray(path.read_bytes())
    at = data.index(b"b" * 700) - 4
    data[at : at + 4] = (70_000).to_bytes(4, "little")
    path.write_bytes(data)
    assert "a value of 70,000 bytes at byte" in read(open_images(path))["x/1.tif"].message


def test_damage_in_a_large_page_is_noticed(tmp_path, monkeypatch):
    """The checksum of a page that is read cell by cell is verified before its first cell."""
    monkeypatch.setattr(cells, "MAX_PAGE_BYTES", 600)
    path = tmp_path / "x.parquet"
    options = {"use_dictionary": False, "compression": "none", "write_statistics": False}
    options["write_page_checksum"] = True
    write_images(path, [bytes([65 + i]) * 500 for i in range(4)], **options)
    data = bytearray(path.read_bytes())
    data[data.index(b"D" * 500) + 100] ^= 1
    path.write_bytes(data)
    found = read(open_images(path))
    assert all(isinstance(error, ArchiveError) for error in found.values())
    assert "doesn't match its checksum" in found["x/0.tif"].message
