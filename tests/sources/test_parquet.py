"""Parquet parts: the members of intact ones, and the errors of others."""

import itertools
import random
import re
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.sources.parquet import archive, table
from rico_hdl.sources.parquet.cells import Cells
from rico_hdl.sources.parquet.columns import read_columns
from tests.support.documents import ROOT
from tests.support.parquet_files import open_part, table_of, write_part

BANDS = ("thumbnail", "B01", "B02", "B8A", "cloud_mask")

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")


def some_products(n=7, seed=0, max_bytes=3000):
    """Grid cell, name and files of products; the files differ in size, and one is empty."""
    rng = random.Random(seed)
    products = []
    for i in range(n):
        files = {name: rng.randbytes(rng.randrange(max_bytes)) for name in BANDS}
        products.append((f"{i // 3}U_{199 + i}R", f"S2A_MSIL2A_{i:03}", files))
    products[-1][2]["B01"] = b""
    return products


def contents_of(products):
    """The content of each file by its path in the unpacked form."""
    return {
        f"{cell.split('_')[0]}/{cell}/{product}/{name}.tif": data
        for cell, product, files in products
        for name, data in files.items()
    }


def read(path):
    """The content of each member by path, or its problem."""
    found = [(m.path, m.problem or m.read()) for m in open_part(path).members()]
    assert len(dict(found)) == len(found)
    return dict(found)


def outcome(path):
    """The readable members as (path, content), the errors of others, and the final error."""
    contents, failures = [], []
    try:
        for member in open_part(path).members():
            if member.problem:
                failures.append(member.problem)
                continue
            try:
                contents.append((member.path, member.read()))
            except ArchiveError as error:
                failures.append(str(error))
    except (ArchiveError, SourceError) as error:
        return contents, failures, str(error)
    return contents, failures, ""


LAYOUTS = {
    "published": {},
    "one group": {"rows_per_group": 100},
    "groups of three": {"rows_per_group": 3},
    "large": {"kind": pa.large_binary(), "names": pa.large_string()},
    "large, one group": {"kind": pa.large_binary(), "rows_per_group": 100},
    "names as bytes": {"names": pa.binary()},
    "names in a dictionary": {"names": pa.dictionary(pa.int32(), pa.string())},
    "bytes in a dictionary": {"kind": pa.dictionary(pa.int32(), pa.binary())},
    "dictionaries, one group": {
        "kind": pa.dictionary(pa.int32(), pa.binary()),
        "names": pa.dictionary(pa.int32(), pa.string()),
        "rows_per_group": 100,
    },
    "plain": {"use_dictionary": False, "compression": "none"},
    "zstd": {"compression": "zstd", "data_page_version": "2.0", "rows_per_group": 4},
    "gzip": {"compression": "gzip"},
    "brotli": {"compression": "brotli", "rows_per_group": 2},
    "lz4": {"compression": "lz4", "data_page_version": "2.0"},
    "small pages": {"use_dictionary": False, "data_page_size": 100, "rows_per_group": 100},
    "checksums": {"write_page_checksum": True},
    "no schema of arrow": {"store_schema": False},
    "delta": {"use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"},
    "delta of lengths": {
        "use_dictionary": False,
        "column_encoding": "DELTA_LENGTH_BYTE_ARRAY",
        "data_page_version": "2.0",
        "rows_per_group": 100,
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout):
    """Members have the paths and bytes of the unpacked form, in row order."""
    products = some_products()
    path = write_part(tmp_path / "part_00001.parquet", products, **LAYOUTS[layout])
    expected = contents_of(products)
    assert list(read(path).items()) == list(expected.items())


@given(
    st.lists(
        st.lists(st.none() | st.binary(max_size=300), min_size=2, max_size=2),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 5),
    st.sampled_from([pa.binary(), pa.large_binary(), pa.dictionary(pa.int8(), pa.binary())]),
    st.booleans(),
)
@settings(max_examples=50)
def test_round_trip(tmp_path_factory, rows, rows_per_group, kind, use_dictionary):
    """Any values written by pyarrow are read back, and a null cell is an error of its own."""
    products = [
        (f"{i}U_1R", "p", dict(zip(["a", "b"], row, strict=True))) for i, row in enumerate(rows)
    ]
    path = tmp_path_factory.mktemp("parquet") / "x.parquet"
    options = {} if pa.types.is_dictionary(kind) else {"use_dictionary": use_dictionary}
    write_part(path, products, rows_per_group, kind, **options)
    contents, failures, error = outcome(path)
    expected = {path: data for path, data in contents_of(products).items() if data is not None}
    assert dict(contents) == expected
    assert len(contents) + len(failures) == 2 * len(rows)
    assert all(f"{path}/" in failure and "its cell is empty" in failure for failure in failures)
    assert error == ""


def test_real_products(samples, tmp_path):
    """Files in a real part equal those of the unpacked form."""
    root = samples / "Major-TOM-Core" / "S2L2A"
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.tif")}
    products = {}
    for name, data in files.items():
        _, cell, product, file = name.split("/")
        products.setdefault((cell, product), {})[file.split(".")[0]] = data
    rows = [(*key, columns) for key, columns in products.items()]
    assert read(write_part(tmp_path / "part.parquet", rows)) == files


def test_other_columns(tmp_path):
    """Columns of numbers, text and nested values are ignored."""
    products = some_products(3)
    table = table_of(products)
    nested = [{"B02": b"1", "x": [1, 2]}] * 3
    table = table.add_column(0, "B03", pa.array(nested))
    table = table.add_column(0, "list", pa.array([[b"1"], [b"2", b"3"], []]))
    table = table.append_column("cloud_cover", pa.array([1.5, 2.5, None]))
    table = table.append_column("crs", pa.array(["EPSG:32633"] * 3))
    table = table.append_column("B02.x", pa.array([b"dot0", b"dot1", b"dot2"], pa.binary()))
    table = table.append_column("fixed", pa.array([b"abc"] * 3, pa.binary(3)))
    for rows_per_group in (1, 3):
        path = tmp_path / "x.parquet"
        pq.write_table(table, path, row_group_size=rows_per_group)
        for i, (_, _, files) in enumerate(products):
            files |= {"B02.x": b"dot%d" % i, "fixed": b"abc"}
        assert read(path) == contents_of(products)


def test_a_table_without_bytes(tmp_path):
    """The table of all products, published next to the parts, has no members."""
    path = tmp_path / "metadata.parquet"
    pq.write_table(table_of(some_products()).drop_columns(list(BANDS)), path)
    assert read(path) == {}


@pytest.mark.parametrize("rows_per_group", [1, 50])
def test_only_the_asked_cell_is_read(tmp_path, rows_per_group):
    """A cell can be read even if the bytes of all other columns are destroyed."""
    products = some_products(5)
    path = write_part(tmp_path / "x.parquet", products, rows_per_group, use_dictionary=False)
    metadata = pq.read_metadata(path)
    data = bytearray(path.read_bytes())
    for i in range(metadata.num_row_groups):
        for j in range(metadata.num_columns):
            chunk = metadata.row_group(i).column(j)
            if chunk.path_in_schema not in {"product_id", "grid_cell", "B02"}:
                start = chunk.data_page_offset
                data[start : start + chunk.total_compressed_size] = (
                    b"\xff" * chunk.total_compressed_size
                )
    path.write_bytes(data)
    contents, failures, error = outcome(path)
    expected = contents_of(products)
    assert dict(contents) == {path: data for path, data in expected.items() if "B02" in path}
    assert len(failures) == len(expected) - len(contents)
    assert error == ""


@pytest.mark.parametrize("held_bytes", [0, 50_000, 10**6])
def test_pages_of_many_rows(tmp_path, monkeypatch, held_bytes):
    """Each page is decoded once, except pages above the limit, which only take longer."""
    monkeypatch.setattr(archive, "MAX_HELD_BYTES", held_bytes)
    decoded = []
    decode = Cells._decoded
    monkeypatch.setattr(
        Cells,
        "_decoded",
        lambda self, page, convert: decoded.append(page.start) or decode(self, page, convert),
    )
    products = some_products(30)
    path = write_part(tmp_path / "x.parquet", products, 100)
    assert read(path) == contents_of(products)
    if held_bytes == 10**6:
        assert len(set(decoded)) == len(decoded)
    else:
        assert len(set(decoded)) < len(decoded)


def test_pages_of_stored_patches_are_skipped(tmp_path, monkeypatch):
    """Pages without requested cells are not decoded, except those with names."""
    products = some_products(6)
    path = write_part(tmp_path / "x.parquet", products, 2)
    decoded = []
    decode = Cells._decoded
    monkeypatch.setattr(
        Cells,
        "_decoded",
        lambda self, page, convert: (
            decoded.append(self._column.name) or decode(self, page, convert)
        ),
    )
    wanted = list(contents_of(products))[-4]  # B01 of the last product
    found = [m.read() for m in open_part(path).members() if m.path == wanted]
    assert found == [contents_of(products)[wanted]]
    assert sorted(decoded) == ["B01", *["grid_cell"] * 3, *["product_id"] * 3]


def peak_after(code, *arguments):
    """The memory (RssAnon, bytes) that code adds at its peak."""
    start = (
        "import sys; from pathlib import Path; from tests.support.parquet_files import open_part\n"
        "import imagecodecs, numpy; imagecodecs.zstd_decode\n"
        "def memory():\n"
        "    status = Path('/proc/self/status').read_text()\n"
        "    return int(status.split('RssAnon:')[1].split()[0]) * 1024\n"
        "before = peak = memory()\n"
    )
    command = [sys.executable, "-c", start + code + "print(peak - before)", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return int(done.stdout)


READ_ALL = (
    "for member in open_part(Path(sys.argv[1])).members():\n"
    "    assert len(member.read()) == int(sys.argv[2])\n"
    "    peak = max(peak, memory())\n"
)


@needs_proc
def test_memory_of_large_row_groups(tmp_path):
    """Only some cells of a row group with many rows are in memory at once."""
    rng = random.Random(0)
    products = [(f"{i}U_1R", "p", {"a": rng.randbytes(10**6)}) for i in range(40)]
    options = {"use_dictionary": False, "data_page_size": 1, "write_batch_size": 1}
    path = write_part(tmp_path / "x.parquet", products, 100, **options)
    assert path.stat().st_size > 40 * 10**6
    assert peak_after(READ_ALL, path, 10**6) < 20 * 10**6


# Names


@pytest.mark.parametrize(
    ("cell", "product", "path"),
    [
        ("0U_1R", "../../etc", "0U/0U_1R/.._.._etc/B02.tif"),
        ("0U_1R", "..", "0U/0U_1R/_/B02.tif"),
        ("0U_1R", "", "0U/0U_1R/_/B02.tif"),
        ("/etc", "p", "_etc/_etc/p/B02.tif"),
        ("..", "p", "_/_/p/B02.tif"),
        ("_x", "p", "_/_x/p/B02.tif"),
        ("0U_1R", "a\\b", "0U/0U_1R/a_b/B02.tif"),
        ("0U_1R", "a\0b", "0U/0U_1R/a_b/B02.tif"),
    ],
)
def test_names_that_lead_elsewhere(tmp_path, cell, product, path):
    """A name that can't be a file name has a problem, under a path that is safe."""
    products = [("0U_0R", "p", {"B02": b"1"}), (cell, product, {"B02": b"2"})]
    found = read(write_part(tmp_path / "x.parquet", products))
    assert list(found) == ["0U/0U_0R/p/B02.tif", path]
    assert found["0U/0U_0R/p/B02.tif"] == b"1"
    assert "is not a valid file or folder name" in found[path]


def test_odd_names(tmp_path):
    """Names without a separator, not in ASCII or not in UTF-8 are kept."""
    products = [("cell", "ñ", {"ä b": b"1"}), ("0U_1R_x", "...", {"ä b": b"2"})]
    path = write_part(tmp_path / "x.parquet", products)
    assert read(path) == {"cell/cell/ñ/ä b.tif": b"1", "0U/0U_1R_x/.../ä b.tif": b"2"}
    table = table_of(products).set_column(0, "product_id", pa.array([b"\xe4", b"x"], pa.binary()))
    pq.write_table(table, path, row_group_size=1)
    assert list(read(path)) == ["cell/cell/\udce4/ä b.tif", "0U/0U_1R_x/x/ä b.tif"]


@pytest.mark.parametrize("rows_per_group", [1, 10])
def test_rows_without_names(tmp_path, rows_per_group):
    """Rows without a name are an error after all others are yielded."""
    products = some_products(5)
    products[1] = (None, *products[1][1:])
    products[3] = (products[3][0], None, products[3][2])
    path = write_part(tmp_path / "x.parquet", products, rows_per_group)
    contents, failures, error = outcome(path)
    assert dict(contents) == contents_of([products[0], products[2], products[4]])
    assert failures == []
    assert f"{path}: row 2 has no grid_cell, and 1 more" in error


# Errors


def test_missing_columns(tmp_path):
    """Without the columns of names, the error lists the expected and the existing ones."""
    for drop in (["product_id"], ["grid_cell"], ["product_id", "grid_cell"]):
        path = tmp_path / "x.parquet"
        pq.write_table(table_of(some_products()).drop_columns(drop), path)
        with pytest.raises(SourceError) as caught:
            list(open_part(path).members())
        assert f"{path}: expected the columns grid_cell and product_id" in caught.value.message
        assert "product_datetime, thumbnail, B01" in caught.value.message
        assert drop[0] not in caught.value.message.split("found")[1]
    pq.write_table(pa.table({"product_id": [1.5], "grid_cell": ["0U_1R"]}), path)
    with pytest.raises(SourceError, match="each once and with names"):
        list(open_part(path).members())


def test_a_duplicate_column(tmp_path):
    """Two columns of the same name are an error, not a choice between them."""
    table = table_of(some_products())
    table = table.append_column("B02", table["B02"])
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="each once"):
        list(open_part(tmp_path / "x.parquet").members())


@pytest.mark.parametrize(
    ("data", "kind", "what"),
    [
        (b"", SourceError, "is not a parquet file: it is empty"),
        (b"PK\3\4" + bytes(99), SourceError, "is not a parquet file: it begins with 50 4b 03 04"),
        (b"PAR1", ArchiveError, "is cut short at byte 4"),
        (b"PAR1PAR1", ArchiveError, "is cut short at byte 8"),
        (b"PAR1" + bytes(99), ArchiveError, "is cut short at byte 103"),
        (b"PAR1" + bytes(99) + b"\xff\xff\xff\xffPAR1", ArchiveError, "takes 4,294,967,295 of 111"),
        (b"PAR1" + bytes(99) + b"\x10\0\0\0PAR1", ArchiveError, "its table of contents can't be"),
    ],
)
def test_no_parquet_file(tmp_path, data, kind, what):
    """A file that is truncated or not parquet is an error with its name and the reason."""
    path = tmp_path / "x.parquet"
    path.write_bytes(data)
    with pytest.raises(kind, match=re.escape(f"{path}: ") + ".*" + re.escape(what)):
        list(open_part(path).members())
    path.unlink()
    with pytest.raises(SourceError, match=r"x\.parquet: can't be read: No such file"):
        list(open_part(path).members())


def test_other_encodings(tmp_path):
    """Cells in an unsupported encoding are errors that name it, never other bytes."""
    encodings = dict.fromkeys(BANDS, "BYTE_STREAM_SPLIT")
    options = {"use_dictionary": False, "column_encoding": encodings}
    products = [
        (cell, product, dict.fromkeys(BANDS, b"12345678")) for cell, product, _ in some_products(2)
    ]
    contents, failures, error = outcome(
        write_part(tmp_path / "x.parquet", products, kind=pa.binary(8), **options)
    )
    assert (contents, error) == ([], "")
    assert len(failures) == 2 * len(BANDS)
    assert all("its encoding is 9, expected plain, delta or a dictionary" in f for f in failures)


def test_a_huge_table_of_contents_is_not_read(tmp_path):
    """A footer that claims to exceed the limit is not read."""
    path = tmp_path / "x.parquet"
    with path.open("wb") as file:
        file.write(b"PAR1")
        file.truncate(2**27)
        file.seek(2**27)
        file.write((table.MAX_FOOTER_BYTES + 1).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(ArchiveError, match="claims that its table of contents takes 67,108,865 of"):
        list(open_part(path).members())


def test_every_truncation(tmp_path):
    """A truncated part is an ArchiveError, since it lacks its footer."""
    path = write_part(tmp_path / "x.parquet", some_products(2, max_bytes=50))
    data = path.read_bytes()
    for n in range(4, len(data), 13):
        path.write_bytes(data[:n])
        contents, failures, error = outcome(path)
        assert (contents, failures) == ([], [])
        assert f"{path}: is cut short at byte {n}" in error
        assert "Download it again" in error


def test_flipped_bytes(tmp_path):
    """No damage ends the process, and damage to data with checksums is never silent."""
    products = [(f"{i}U_1R", f"p{i}", {"B01": b"abc" * 20, "B02": bytes([i])}) for i in range(2)]
    path = write_part(tmp_path / "x.parquet", products, 1, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    expected = set(contents_of(products).items())
    n_damaged = 0
    for at, change in itertools.product(range(0, len(data), 4), (0x01, 0x80, 0xFF)):
        data[at] ^= change
        path.write_bytes(data)
        data[at] ^= change
        contents, failures, error = outcome(path)
        if at < footer:
            assert set(contents) <= expected, at
            assert len(contents) == len(expected) or failures or error, at
        n_damaged += set(contents) != expected
    assert n_damaged > footer / 4


def test_damage_stays_where_it_is(tmp_path):
    """Damaged names lose their rows; a damaged cell loses only itself."""
    products = some_products(6)
    path = write_part(tmp_path / "x.parquet", products, 1, write_page_checksum=True)
    metadata = pq.read_metadata(path)
    data = bytearray(path.read_bytes())
    for group, column in ((1, 0), (4, 4)):
        chunk = metadata.row_group(group).column(column)
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        data[start : start + 40] = bytes(40)
    path.write_bytes(data)
    contents, failures, error = outcome(path)
    lost = {*contents_of(products[1:2]), next(p for p in contents_of(products[4:5]) if "B01" in p)}
    assert dict(contents) == {p: d for p, d in contents_of(products).items() if p not in lost}
    assert len(failures) == 1
    assert f"{path}/1U/1U_203R/S2A_MSIL2A_004/B01.tif: can't be read: " in failures[0]
    assert f"{path}: row group 2 can't be read: " in error


@needs_proc
def test_a_bomb(tmp_path):
    """A cell that claims to exceed the limit is not read."""
    bomb = bytes(3 * 10**7)
    products = [("0U_1R", "a", {"B02": b"1"}), ("0U_2R", "b", {"B02": bomb})]
    path = write_part(tmp_path / "x.parquet", products, compression="zstd", use_dictionary=False)
    assert path.stat().st_size < 20_000
    code = (
        "from rico_hdl.errors import ArchiveError; from rico_hdl.sources.parquet import cells\n"
        "cells.MAX_PAGE_BYTES = 10**6\n"
        "first, second = [], ''\n"
        "for member in open_part(Path(sys.argv[1])).members():\n"
        "    try: first.append(member.read())\n"
        "    except ArchiveError as error: second = str(error)\n"
        "    peak = max(peak, memory())\n"
        "assert first == [b'1'], first\n"
        "assert 'a page of 30,000,0' in second, second\n"
    )
    assert peak_after(code, path) < 10**7


@needs_proc
def test_a_bomb_of_equal_cells(tmp_path):
    """A large value that is stored once for hundreds of cells is in memory only a few times."""
    products = [(f"{i}U_1R", "p", {"B02": bytes(10**6)}) for i in range(100)]
    path = write_part(tmp_path / "x.parquet", products, 1000, compression="zstd")
    assert path.stat().st_size < 20_000
    assert peak_after(READ_ALL, path, 10**6) < 10**7


def test_more_rows_than_bytes(tmp_path):
    """A file that claims more rows than bytes is refused as damaged or a bomb."""
    n = 500_000
    table = pa.table({"product_id": ["p"] * n, "grid_cell": ["0U_1R"] * n, "B02": [b""] * n})
    path = tmp_path / "x.parquet"
    pq.write_table(table, path, compression="zstd")
    with pytest.raises(ArchiveError, match="claims to hold 500,000 rows"):
        list(open_part(path).members())


NESTED = [
    lambda v: [v],
    lambda v: {"content": v},
    lambda v: [{"bytes": v}],
    lambda v: {"image": {"bytes": v}},
]


@pytest.mark.parametrize("wrap", NESTED, ids=["list", "struct", "structs", "nested"])
def test_bytes_that_are_parts_of_cells_are_named(tmp_path, wrap):
    """Bytes in lists, or in structs of another kind, are no files; the error names them."""
    rows = [
        {"product_id": "p", "grid_cell": "0U_1R", "B02": wrap(b"x"), "B03": wrap(b"y")},
        {"product_id": "q", "grid_cell": "0U_1R", "B02": wrap(b"x"), "B03": wrap(b"y")},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "part.parquet")
    with pytest.raises(SourceError, match=r"in other structs, lists or maps: B02[a-z.]*, B03"):
        list(open_part(tmp_path / "part.parquet").members())


@pytest.mark.parametrize("use_dictionary", [False, True])
@pytest.mark.parametrize("n_groups", [0, 1, 3])
def test_no_rows_are_no_damage(tmp_path, use_dictionary, n_groups):
    """A table without rows is empty, however many row groups it has."""
    path = tmp_path / "part.parquet"
    empty = table_of([("0U_1R", "p", {"B02": b"x"})]).slice(0, 0)
    with pq.ParquetWriter(path, empty.schema, use_dictionary=use_dictionary) as writer:
        for _ in range(n_groups):
            writer.write_table(empty)
    assert pq.ParquetFile(path).num_row_groups == n_groups
    assert list(open_part(path).members()) == []
    assert read_columns(path, ["product_id", "grid_cell"]) == {"product_id": [], "grid_cell": []}
