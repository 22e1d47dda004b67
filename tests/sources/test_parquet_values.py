"""Values of parquet columns are those that pyarrow reads, for every type, encoding and page."""

from __future__ import annotations

import datetime as dt
import io
import random
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rico_hdl.errors import ArchiveError
from rico_hdl.sources.parquet.table import ParquetTable
from rico_hdl.sources.parquet.values import ColumnValues, has_values

N_ROWS = 700
UTC = dt.UTC


def some_of(rng, make, n=N_ROWS):
    """ColumnValues, some of which are lacking."""
    return [None if rng.random() < 0.2 else make() for _ in range(n)]


def columns(rng):
    """A column of each kind, with its type."""

    def lists(make):
        return lambda: [None if rng.random() < 0.1 else make() for _ in range(rng.randrange(4))]

    return {
        "text": (pa.string(), lambda: f"wört {rng.randrange(30)}"),
        "int8": (pa.int8(), lambda: rng.randrange(-128, 128)),
        "uint16": (pa.uint16(), lambda: rng.randrange(2**16)),
        "int32": (pa.int32(), lambda: rng.randrange(-(2**31), 2**31)),
        "uint32": (pa.uint32(), lambda: rng.randrange(2**32)),
        "int64": (pa.int64(), lambda: rng.randrange(-(2**63), 2**63)),
        "uint64": (pa.uint64(), lambda: rng.randrange(2**64)),
        "float": (pa.float32(), lambda: rng.randrange(2**20) / 64),
        "double": (pa.float64(), rng.random),
        "truth": (pa.bool_(), lambda: rng.random() < 0.5),
        "nothing": (pa.null(), lambda: None),
        "words": (pa.list_(pa.string()), lists(lambda: f"{rng.randrange(9)}")),
        "shares": (pa.list_(pa.float64()), lists(rng.random)),
        "numbers": (pa.large_list(pa.int64()), lists(lambda: rng.randrange(99))),
        "truths": (pa.list_(pa.bool_()), lists(lambda: rng.random() < 0.5)),
    }


def table_of(seed, **more):
    """A table with a column of each kind."""
    rng = random.Random(seed)
    made = {name: pa.array(some_of(rng, make), kind) for name, (kind, make) in columns(rng).items()}
    return pa.table(made | more)


def written(table, **options):
    """The bytes of a parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def values_of(data):
    """All values by column, as read here."""
    with closing(ParquetTable(Path("table"), data)) as table:
        readable = [leaf for leaf in table.columns if has_values(leaf)]
        found = {leaf.name: [] for leaf in readable}
        for group in table.groups():
            for leaf in readable:
                found[leaf.name] += ColumnValues(table, group, leaf)
        return found


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("use_dictionary", [False, True])
@pytest.mark.parametrize("compression", ["none", "zstd", "snappy"])
def test_values_are_those_of_pyarrow(version, use_dictionary, compression):
    """Each kind of value is read from small pages and groups in either version of the format."""
    table = table_of(f"{version} {use_dictionary} {compression}")
    data = written(
        table,
        data_page_version=version,
        use_dictionary=use_dictionary,
        compression=compression,
        data_page_size=200,
        write_batch_size=16,
        row_group_size=300,
    )
    assert values_of(data) == table.to_pydict()


def test_lacking_columns_and_required_ones():
    """Columns that can't lack a value, and lists that can't either, are read as well."""
    schema = pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("n", pa.int64(), nullable=False),
            pa.field(
                "tags", pa.list_(pa.field("item", pa.int64(), nullable=False)), nullable=False
            ),
            pa.field("more", pa.list_(pa.field("item", pa.string(), nullable=False))),
        ]
    )
    rows = {
        "id": ["a", "b", "c"],
        "n": [1, -2, 3],
        "tags": [[1], [], [2, 3]],
        "more": [None, [], ["x", "y"]],
    }
    table = pa.table(rows, schema)
    assert values_of(written(table)) == rows


def test_times_are_iso_8601():
    """Dates and times of any unit are text, with fractions of seconds only where there are any."""
    at = dt.datetime(2018, 5, 29, 11, 54, 1, 250_000, tzinfo=UTC)
    before = dt.datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)
    made = {
        unit: pa.array([at, before, None], pa.timestamp(unit, "UTC")) for unit in ("ms", "us", "ns")
    }
    made["local"] = pa.array([at.replace(tzinfo=None), None, None], pa.timestamp("us"))
    made["date"] = pa.array([at.date(), before.date(), None], pa.date32())
    found = values_of(written(pa.table(made)))
    text = ["2018-05-29T11:54:01.25", "1969-12-31T23:59:59", None]
    assert found == {
        **dict.fromkeys(("ms", "us", "ns"), text),
        "local": [text[0], None, None],
        "date": ["2018-05-29", "1969-12-31", None],
    }


def test_other_kinds_are_left_out():
    """Structs, maps, lists of lists, bytes and decimals have no values here."""
    table = pa.table(
        {
            "struct": [{"a": 1, "b": "x"}],
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
            "nested": [[[1]]],
            "structs": [[{"a": 1}]],
            "bytes": [b"x"],
            "decimal": pa.array([1], pa.decimal128(5, 2)),
            "time": pa.array([dt.time(1)], pa.time64("us")),
            "id": ["kept"],
        }
    )
    assert values_of(written(table)) == {"id": ["kept"]}


@pytest.mark.parametrize("name", ["text", "int64", "truth", "words"])
def test_damage_is_an_error_or_changes_only_values(name):
    """A changed byte never shifts rows: there are as many as before, or an error."""
    table = table_of(0).select([name]).slice(0, 60)
    data = bytearray(written(table, compression="none", use_dictionary=False))
    n_changed = n_errors = 0
    for i in range(len(data)):
        data[i] ^= 0x41
        try:
            found = values_of(bytes(data))
            n_changed += 1
            assert name not in found or len(found[name]) == 60
        except Exception as error:
            if type(error).__module__ != "rico_hdl.errors":
                raise
            n_errors += 1
        data[i] ^= 0x41
    assert n_changed
    assert n_errors


def test_a_column_that_ends_too_early_is_an_error():
    """A row group that claims more rows than its pages hold is damaged."""
    data = written(pa.table({"n": [1, 2, 3]}), compression="none")
    with closing(ParquetTable(Path("table"), data)) as table:
        (group,) = table.groups()
        with pytest.raises(ArchiveError, match="3 rows, expected 4"):
            list(ColumnValues(table, group._replace(n_rows=4), table.columns[0]))
