"""Parquet parts for tests, in the layout of Major-TOM Core and in other layouts."""

import pyarrow as pa
import pyarrow.parquet as pq

from rico_hdl.datasets import get
from rico_hdl.sources.parquet.archive import ParquetArchive

BYTES = pa.binary()


def table_of(products, kind=BYTES, names=None):
    """A table with the published columns.

    Args:
        products: For each row, the grid cell, the product's name, and the content of each column of
            bytes by its name. The first row determines the columns.
        kind: The type of the columns with bytes.
        names: The type of the columns with names; text if None.
    """
    names = names or pa.string()
    columns = {
        "product_id": pa.array([product for _, product, _ in products], pa.string()).cast(names),
        "grid_cell": pa.array([cell for cell, _, _ in products], pa.string()).cast(names),
        "product_datetime": pa.array(["2022-07-06T08:56:11Z"] * len(products)),
    }
    for name in products[0][2]:
        contents = pa.array([files[name] for _, _, files in products], pa.binary())
        columns[name] = contents.cast(kind)
    return pa.table(columns)


def write_part(path, products, rows_per_group=1, kind=BYTES, names=None, **options):
    """Write a part; by default each product is its own row group, as published."""
    table = table_of(products, kind, names)
    pq.write_table(table, path, row_group_size=rows_per_group, **options)
    return path


def open_part(path):
    """A part as an archive of the files that Major-TOM Core has."""
    modality = get("major-tom-core").modality("s2")
    return ParquetArchive([path], modality.columns, modality.files)
