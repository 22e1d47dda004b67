"""Parquet parts keep the promises of every archive."""

import random

import pyarrow.parquet as pq

from rico_hdl.spec import Columns, KeyColumn
from rico_hdl.testing.contracts.archives import ArchiveContract, all_bytes
from tests.support.parquet_files import open_images, open_part, write_images, write_part

PATHS = Columns((KeyColumn("name", "image.path"), KeyColumn("row")), files="image")
BANDS = ("thumbnail", "B01", "B02", "B8A", "cloud_mask")


class TestParquet(ArchiveContract):
    """A part as it is published, each product a row group of its own, with checksums."""

    sequential = True
    rows_per_group = 1

    def write(self, folder):
        rng = random.Random(0)
        products = []
        for i in range(4):
            files = {name: rng.randbytes(rng.randrange(1, 900)) for name in BANDS}
            products.append((f"{i // 3}U_{199 + i}R", f"S2A_MSIL2A_{i:03}", files))
        products[-1][2]["B01"] = b""
        path = folder / "part_00001.parquet"
        write_part(path, products, self.rows_per_group, write_page_checksum=True)
        contents = {
            f"{cell[:2]}/{cell}/{product}/{name}.tif": data
            for cell, product, files in products
            for name, data in files.items()
        }
        return [path], contents

    def open(self, files):
        (path,) = files
        return open_part(path)

    def write_hostile(self, folder, outside):
        odd = [("0U_1R", str(outside)), ("0U_1R", "../../outside"), (str(outside.parent), "p")]
        products = [(cell, product, {"B02": b"abc"}) for cell, product in odd]
        return [write_part(folder / "x.parquet", products)], len(products)

    def checked_bytes(self, files):
        # The table of contents at the end has no checksum.
        end = files[0].read_bytes()[-8:-4]
        footer = files[0].stat().st_size - 8 - int.from_bytes(end, "little")
        return all_bytes(files, lambda i: i < footer)

    def damage_member(self, files):
        (path,) = files
        column = pq.read_metadata(path).row_group(1).column(4)
        start = column.dictionary_page_offset or column.data_page_offset
        data = bytearray(path.read_bytes())
        data[start : start + 40] = bytes(40)
        path.write_bytes(data)
        return {f"0U/0U_200R/S2A_MSIL2A_001/{BANDS[1]}.tif"}


class TestOneGroup(TestParquet):
    """All products in one row group."""

    rows_per_group = 100
    damage_member = ArchiveContract.damage_member  # it would cost a column of all products


class TestStructs(TestParquet):
    """Images in structs, as in tables of Hugging Face."""

    damage_member = ArchiveContract.damage_member

    def write(self, folder):
        rng = random.Random(0)
        contents = [rng.randbytes(rng.randrange(1, 900)) for _ in range(8)]
        path = folder / "train-00000-of-00001.parquet"
        write_images(path, contents, rows_per_group=3, write_page_checksum=True)
        return [path], {f"{path.stem}/{i}.tif": data for i, data in enumerate(contents)}

    def open(self, files):
        (path,) = files
        return open_images(path)

    def write_hostile(self, folder, outside):
        names = [str(outside), "../../outside", "..", "a/../..", "a\0b"]
        path = write_images(folder / "x.parquet", [b"abc"] * len(names), names=names)
        self.open = lambda files: open_images(files[0], PATHS, "{name}/{row}.tif")
        return [path], len(names)
