"""Compare rico-hdl's own parquet reader with pyarrow and arro3, in alternating runs.

In: nothing; parts as Major-TOM Core publishes them are generated. Out: for each reader and layout,
the median of the ratios of its time to rico-hdl's in neighbouring runs, and its peak memory
(in addition to its imports); then the outcomes of reading damaged parts. arro3 is
measured if it is installed, for example in an environment of its own:

    python -m venv /tmp/arro3 && /tmp/arro3/bin/pip install arro3-core arro3-io pyarrow . rich
    PYTHONPATH=.:src /tmp/arro3/bin/python benchmarks/ablation_parquet.py
"""

# ruff: noqa: PLC0415 - each process imports only the library that it measures
from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any, Final

N_ROWS: Final = 12
BYTES_OF_BANDS: Final = {f"B{i:02}": 1_900_000 if i < 4 else 500_000 for i in range(12)}
LAYOUTS: Final[dict[str, dict[str, Any]]] = {
    "a row group for each row, as published": {"row_group_size": 1},
    "one row group": {"row_group_size": N_ROWS},
    "one row group, zstd, small pages": {
        "row_group_size": N_ROWS,
        "compression": "zstd",
        "use_dictionary": False,
        "write_batch_size": 1,
    },
}
KEYS: Final = ("grid_cell", "product_id")
OUTCOMES: Final = ("error", "process ended", "wrong cells", "all cells right")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--damaged", type=int, default=60, help="how many damaged parts are read")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(*arguments.measure)
        return
    readers = [name for name in READERS if name == "rico-hdl" or find_spec(name.partition(" ")[0])]
    with tempfile.TemporaryDirectory() as folder:
        print("| layout | reader | time / rico-hdl's | seconds | peak memory, MB |")
        print("|---|---|--:|--:|--:|")
        for layout, options in LAYOUTS.items():
            path = write(Path(folder) / "part.parquet", BYTES_OF_BANDS, options)
            rounds = [[run(name, path) for name in readers] for _ in range(arguments.pairs)]
            for i, name in enumerate(readers):
                ratio = statistics.median(found[i][0] / found[0][0] for found in rounds)
                seconds, peak = (statistics.median(f[i][j] for f in rounds) for j in (0, 1))
                print(f"| {layout} | {name} | {ratio:.2f} | {seconds:.3f} | {peak / 1e6:.0f} |")
        print(f"\n{arguments.damaged} parts, each with one byte of a page changed:")
        print(f"\n| checksums | reader | {' | '.join(OUTCOMES)} |")
        print("|---|---|--:|--:|--:|--:|")
        for checksums in (True, False):
            parts = list(damaged(Path(folder), arguments.damaged, checksums=checksums))
            for name in readers:
                whole = [sys.executable, __file__, "--measure", name, str(parts[0])]
                printed = subprocess.run(whole, check=True, capture_output=True, text=True).stdout
                counts = [outcome(name, part, printed.split()[2]) for part in parts[1:]]
                found = " | ".join(str(counts.count(kind)) for kind in OUTCOMES)
                print(f"| {'yes' if checksums else 'no'} | {name} | {found} |")


def write(path: Path, bands: dict[str, int], options: dict[str, Any]) -> Path:
    """A part with random bytes in its cells."""
    import pyarrow as pa
    from pyarrow import parquet

    rng = random.Random(0)
    columns = {
        "product_id": [f"S2A_MSIL2A_{i}" for i in range(N_ROWS)],
        "grid_cell": [f"{i}U_199R" for i in range(N_ROWS)],
        **{name: [rng.randbytes(n) for _ in range(N_ROWS)] for name, n in bands.items()},
    }
    parquet.write_table(pa.table(columns), path, **options)
    return path


def damaged(folder: Path, n: int, *, checksums: bool) -> Iterator[Path]:
    """A small part, and copies of it with a byte of a page changed in each."""
    rng = random.Random(0)
    options = {"row_group_size": 4, "write_page_checksum": checksums}
    whole = write(folder / "small.parquet", dict.fromkeys(("B01", "B02"), 40), options).read_bytes()
    yield folder / "small.parquet"
    end = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for i in range(n):
        data = bytearray(whole)
        data[rng.randrange(4, end)] ^= rng.choice([0x01, 0x20, 0x80, 0xFF])
        path = folder / f"damaged-{i}.parquet"
        path.write_bytes(data)
        yield path


def run(reader: str, path: Path) -> list[float]:
    """Seconds and peak bytes of one pass, in a process of its own."""
    command = [sys.executable, __file__, "--measure", reader, str(path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(number) for number in printed.split()[:2]]


def outcome(reader: str, path: Path, intact: str) -> str:
    """The outcome of reading a damaged part: an error, right or wrong cells, a signal."""
    command = [sys.executable, __file__, "--measure", reader, str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        return OUTCOMES[1] if done.returncode < 0 else OUTCOMES[0]
    return OUTCOMES[3] if done.stdout.split()[2] == intact else OUTCOMES[2]


def measure(reader: str, path: str) -> None:
    """Read all cells once; print seconds and peak bytes."""
    cells = READERS[reader](path)
    next(cells)  # imports
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the peak
    before, start = memory(), perf_counter()
    checksum = 0
    for cell in cells:
        checksum = zlib.crc32(cell, checksum)
    print(perf_counter() - start, memory("VmHWM") - before, checksum)


def memory(what: str = "VmRSS") -> int:
    """Bytes of memory that the process has, or had at most (``VmHWM``)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{what}:")[2].split()[0]) * 1024


def _rico_hdl(path: str) -> Iterator[bytes]:
    import imagecodecs  # noqa: F401
    import numpy as np  # noqa: F401

    from rico_hdl.datasets import get
    from rico_hdl.errors import ArchiveError
    from rico_hdl.sources.opening import open_archive

    yield b""
    failures = []
    for member in open_archive(Path(path), get("major-tom-core").modality("s2")).members():
        try:
            content = member.read()
        except ArchiveError as error:
            failures.append(error)
        else:
            assert isinstance(content, bytes)
            yield content
    if failures:
        raise failures[0]


def _pyarrow(path: str) -> Iterator[bytes]:
    from pyarrow import parquet

    yield b""
    options: dict[str, Any] = {"page_checksum_verification": True, "pre_buffer": False}
    file = parquet.ParquetFile(path, buffer_size=2**20, **options)
    for batch in file.iter_batches(batch_size=1, use_threads=False):
        for row, name in product(range(batch.num_rows), batch.schema.names):
            if name not in KEYS:
                yield batch.column(name)[row].as_py()


def _arro3(path: str) -> Iterator[bytes]:
    from arro3.io import read_parquet

    yield b""
    for batch in read_parquet(path, batch_size=1):
        for row, name in product(range(batch.num_rows), batch.column_names):
            if name not in KEYS:
                yield batch[name][row].as_py()


READERS: Final = {"rico-hdl": _rico_hdl, "pyarrow": _pyarrow, "arro3": _arro3}


if __name__ == "__main__":
    main()
