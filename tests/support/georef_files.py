"""The side-car of a store, read without an index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rico_hdl.decoding.geotags import places_of
from rico_hdl.store.georef import GeorefBlock, scan
from tests.support.reading import records


def entries(target: Path) -> dict[str, Any]:
    """What the side-car says about each stored patch: tags and values of its files, and time."""
    found: dict[bytes, Any] = {}
    for block in scan(target):
        if not isinstance(block, GeorefBlock):
            continue
        for i, key in enumerate(block.keys):
            kept = block.tags(i)
            files = [_values(file, place) for file, place in zip(kept.files, places_of(kept))]  # noqa: B905 - `places_of` checks it
            found[key] = (files, None if block.times is None else block.times[i])
    stored = {key.encode() for key in records(target)}
    return {key.decode(): found[key] for key in sorted(stored & found.keys())}


def _values(file: Any, place: bytes) -> list[tuple[int, int, bytes]]:
    values = []
    for tag in file.tags:
        value = tag.value
        if value is None:
            value, place = place[: tag.n_bytes], place[tag.n_bytes :]
        values.append((tag.number, tag.type, value))
    return values
