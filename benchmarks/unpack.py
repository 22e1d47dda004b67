"""Unpack an archive with ``tar``, ``unzip`` or, for parquet, pyarrow.

In: an archive or a folder of archives, and a target folder. Out: the files in that folder.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pyarrow import parquet

from rico_hdl.sources.opening import archives_in, parts_of


def main() -> None:
    """Unpack the archives that the command line names."""
    place, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True)
    for path in archives_in(place) if place.is_dir() else [place]:
        if path.suffix == ".parquet":
            _parquet(path, folder)
        elif path.suffix == ".zip":
            subprocess.run(["unzip", "-q", str(path), "-d", str(folder)], check=True)
        else:
            _tar([str(part) for part in parts_of(path)], folder)


def _tar(parts: list[str], folder: Path) -> None:
    name = parts[0]
    program = "zstd -dc" if ".zst" in name else "gzip -dc" if ".gz" in name else "cat"
    cat = subprocess.Popen(["cat", *parts], stdout=subprocess.PIPE)
    unpacked = subprocess.Popen(program.split(), stdin=cat.stdout, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-xf", "-", "-C", str(folder)], stdin=unpacked.stdout, check=True)


def _parquet(path: Path, folder: Path) -> None:
    file = parquet.ParquetFile(path)
    for i in range(file.num_row_groups):
        (row,) = file.read_row_group(i).to_pylist()
        cell = row["grid_cell"]
        product = folder / cell.partition("_")[0] / cell / row["product_id"]
        product.mkdir(parents=True)
        for name, value in row.items():
            if isinstance(value, bytes):
                (product / f"{name}.tif").write_bytes(value)


if __name__ == "__main__":
    main()
