"""Parquet parts for tests, in the layout of Major-TOM Core and in other layouts."""

import pyarrow as pa
import pyarrow.parquet as pq

from rico_hdl.datasets import get
from rico_hdl.sources.parquet.archive import ParquetArchive
from rico_hdl.spec import Columns, KeyColumn, Template

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


IMAGES = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""How `datasets` of Hugging Face writes its feature ``Image``."""
BY_ROW = Columns((KeyColumn("file"), KeyColumn("row")), files="image")
"""Images that are called after the table and the row."""


def write_images(path, contents, *, kind=IMAGES, names=None, rows_per_group=100, **options):
    """Write a table of images with labels, as `datasets` does.

    Args:
        path: The table.
        contents: The bytes of each image; None for a cell without an image.
        kind: `IMAGES`, or the type of plain bytes.
        names: The name of each image's file; None for cells without a struct.
        rows_per_group: The rows of a row group.
        options: Those of `pq.write_table`.
    """
    names = names or [f"{i}.tif" for i in range(len(contents))]
    images = contents
    if kind == IMAGES:
        images = [
            None if name is None else {"bytes": content, "path": name}
            for content, name in zip(contents, names, strict=True)
        ]
    table = pa.table(
        {
            "image": pa.array(images, kind),
            "id": pa.array([100 + i for i in range(len(contents))], pa.int32()),
            "label": pa.array([i % 3 for i in range(len(contents))], pa.int64()),
        }
    )
    pq.write_table(table, path, row_group_size=rows_per_group, **options)
    return path


def open_images(path, columns=BY_ROW, template="{file}/{row}.tif"):
    """A table of images as an archive."""
    return ParquetArchive([path], columns, Template.parse(template))
