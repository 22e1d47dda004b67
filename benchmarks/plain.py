"""The plain conversion: a typical script with rasterio, a process pool, safetensors and LMDB.

In: a dataset's source folders. Out: an LMDB. It opens a file for each band, as the original
rico-hdl does, and writes transactions of 512 patches with LMDB's default durability. It shares no
code with this project, so it also judges the project's records.
"""

from __future__ import annotations

import argparse
import warnings
from itertools import islice
from multiprocessing import Pool
from pathlib import Path
from typing import TYPE_CHECKING

import lmdb
import rasterio
import safetensors.numpy
from layouts import LAYOUTS, Layout
from rasterio.errors import NotGeoreferencedWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

Task = tuple[str, list[tuple[str, Path, int]]]
"""A patch's key, and the name, the file and the one-based index in the file of each band."""

_MAP_SIZE_BYTES = 1 << 40
_PATCHES_PER_TRANSACTION = 512
_PATCHES_PER_TASK = 8
"""Patches handed to a process at once, if there are enough for every process."""


def main() -> None:
    """Read the command line and convert."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", choices=LAYOUTS)
    parser.add_argument("--source", action="append", metavar="OPTION=FOLDER", required=True)
    parser.add_argument("--target-dir", type=Path, required=True)
    parser.add_argument("--num-workers", type=int, required=True)
    arguments = parser.parse_args()
    layouts = LAYOUTS[arguments.dataset]
    sources = [source.partition("=")[::2] for source in arguments.source]
    tasks = [task for option, folder in sources for task in find(layouts[option], Path(folder))]
    arguments.target_dir.mkdir(parents=True)
    with Pool(arguments.num_workers) as pool:
        n_each = max(1, min(_PATCHES_PER_TASK, len(tasks) // (4 * arguments.num_workers)))
        records = pool.imap_unordered(convert, tasks, chunksize=n_each)
        write(records, arguments.target_dir)


def find(layout: Layout, source: Path) -> Iterator[Task]:
    """The patches below a source folder."""
    for path in source.glob(layout.glob):
        names = {"name": path.name, "stem": path.stem, "parent": path.parent.name}
        files = [path / layout.file.format(**names, band=band) for band in layout.bands]
        if not layout.file:
            files = [path] * len(layout.bands)
        indexes = [1 if layout.file else index for index in range(1, len(layout.bands) + 1)]
        bands = list(zip(layout.bands, files, indexes, strict=True))
        yield layout.key.format(**names), bands


def convert(task: Task) -> tuple[str, bytes]:
    """The key and the record of a patch."""
    key, bands = task
    arrays = {}
    # UC Merced has no georeferencing, which is irrelevant here.
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    for name, path, index in bands:
        with rasterio.open(path) as file:
            arrays[name] = file.read(index)
    return key, safetensors.numpy.save(arrays)


def write(records: Iterator[tuple[str, bytes]], target: Path) -> None:
    """Put the records into an LMDB."""
    with lmdb.open(str(target), map_size=_MAP_SIZE_BYTES) as environment:
        while block := list(islice(records, _PATCHES_PER_TRANSACTION)):
            with environment.begin(write=True) as transaction:
                for key, record in block:
                    transaction.put(key.encode(), record)


if __name__ == "__main__":
    main()
