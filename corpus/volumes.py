"""Cutting a zip into volumes, as ``zip -s`` does.

In: the bytes of a zip of one volume. Out: files ``.z01``, ``.z02``, …, ``.zip``. Offsets count from
the start of each volume (APPNOTE.TXT 4.4 and 8).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from pathlib import Path
from typing import Final

_SPLIT_MARK: Final = b"PK\x07\x08"
_END: Final = struct.Struct("<4sHHHHLLH")
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")


def volumes(data: bytes, path: Path, n_volumes: int) -> list[Path]:
    """Write a zip as a set of volumes.

    Args:
        data: A zip that `zipfile` wrote: without zip64 records and comment.
        path: The last volume, ``….zip``.
        n_volumes: The number of volumes; their sizes differ by at most a byte, except the last.

    Returns:
        The volumes in order.
    """
    data = _SPLIT_MARK + data
    end = len(data) - _END.size
    _, _, _, _, n_entries, directory_bytes, directory, _ = _END.unpack_from(data, end)
    directory += len(_SPLIT_MARK)
    # Neither the directory nor a header may be cut: all cuts are in members' data or at their end.
    places = _places(data, directory, n_entries)
    step = directory // n_volumes
    cuts = [0, *(_uncut(i * step, places) for i in range(1, n_volumes))]
    edited = bytearray(data)
    at = directory
    for _ in range(n_entries):
        fields = list(_ENTRY.unpack_from(edited, at))
        offset = fields[16] + len(_SPLIT_MARK)
        disk = bisect_right(cuts, offset) - 1
        fields[13], fields[16] = disk, offset - cuts[disk]
        _ENTRY.pack_into(edited, at, *fields)
        at += _ENTRY.size + fields[10] + fields[11] + fields[12]
    last = n_volumes - 1
    on_last = n_entries
    _END.pack_into(
        edited, end, b"PK\x05\x06", last, last, on_last, n_entries, directory_bytes,
        directory - cuts[last], 0,
    )  # fmt: skip
    names = [path.with_suffix(f".z{i:02}") for i in range(1, n_volumes)] + [path]
    for name, start, stop in zip(names, cuts, [*cuts[1:], len(edited)], strict=True):
        name.write_bytes(edited[start:stop])
    return names


def _places(data: bytes, directory: int, n_entries: int) -> list[tuple[int, int]]:
    """Start and end of each local header."""
    places = []
    at = directory
    for _ in range(n_entries):
        fields = _ENTRY.unpack_from(data, at)
        start = fields[16] + len(_SPLIT_MARK)
        n_name, n_extra = struct.unpack_from("<2H", data, start + 26)
        places.append((start, start + 30 + n_name + n_extra))
        at += _ENTRY.size + fields[10] + fields[11] + fields[12]
    return places


def _uncut(cut: int, places: list[tuple[int, int]]) -> int:
    """The nearest position at or after a cut that is not in a header."""
    for start, stop in places:
        if start < cut < stop:
            return stop
    return cut
