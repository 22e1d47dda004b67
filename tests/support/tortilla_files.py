"""Places in tortillas, found without the code under test."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HEADER_BYTES = 200


def tables(data: bytes, start: int = 0) -> Iterator[tuple[int, int, list[dict]]]:
    """Start, footer and rows of a tortilla, and of those in it."""
    footer, n_bytes = struct.unpack_from("<2Q", data, start + 2)
    table = pq.read_table(pa.BufferReader(data[start + footer : start + footer + n_bytes]))
    rows = table.to_pylist()
    yield start, start + footer, rows
    for row in rows:
        if row["tortilla:file_format"] == "TORTILLA":
            yield from tables(data, start + row["tortilla:offset"])


def header_bytes(path: Path) -> list[int]:
    """Offsets of the bytes of all headers."""
    starts = [start for start, _, _ in tables(path.read_bytes())]
    return [start + i for start in starts for i in range(HEADER_BYTES)]


def leaves(path: Path) -> dict[str, tuple[int, int]]:
    """Offset and length of all leaves that are GeoTIFFs, by path."""
    data = path.read_bytes()
    found = {}

    def add(start: int, folder: str) -> None:
        rows = next(tables(data, start))[2]
        for row in rows:
            place = start + row["tortilla:offset"]
            if row["tortilla:file_format"] == "TORTILLA":
                add(place, f"{folder}{row['tortilla:id']}/")
            else:
                found[f"{folder}{row['tortilla:id']}.tif"] = place, row["tortilla:length"]

    add(0, "")
    return found
