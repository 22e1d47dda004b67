"""Tortilla and TACO files, written without the code under test.

In: samples, each with an id, a format, its bytes and any metadata. Out: the bytes of a file as
pytortilla and tacotoolbox write it (tacofoundation on GitHub), with pyarrow for the footer.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

HEADER_BYTES: Final = 200
_LABELS: Final = {"labels": ["Pastures"], "species_labels": ["Pinus"]}
"""Columns of labels, as BENv2 and TreeSatAI of GEO-Bench-2 have them."""


@dataclass(frozen=True)
class Piece:
    """A sample."""

    id: str
    data: bytes
    format: str = "GTiff"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Further columns of the footer."""


def footer_of(pieces: Sequence[Piece], **options: Any) -> bytes:  # noqa: ANN401 - of pyarrow
    """The table of some samples that follow each other after a header."""
    import pyarrow as pa  # noqa: PLC0415 - only these files need it
    import pyarrow.parquet as pq  # noqa: PLC0415

    text, number = pa.string(), pa.int64()
    kinds = {"id": text, "file_format": text, "offset": number, "length": number}
    kinds["data_split"] = text  # is always there, and null if samples have no split
    offsets = list(accumulate((len(piece.data) for piece in pieces), initial=HEADER_BYTES))
    rows = [
        {
            "tortilla:id": piece.id,
            "tortilla:file_format": piece.format,
            "tortilla:offset": offset,
            "tortilla:length": len(piece.data),
            **piece.metadata,
        }
        for piece, offset in zip(pieces, offsets, strict=False)
    ]
    names = dict.fromkeys([*(f"tortilla:{name}" for name in kinds), *(n for r in rows for n in r)])
    columns = {}
    for name in names:
        kind = kinds.get(name.removeprefix("tortilla:"))
        columns[name] = pa.array([row.get(name) for row in rows], kind)
    table = pa.table(columns)
    buffer = io.BytesIO()
    usual = {"compression": "zstd", "use_dictionary": False}
    pq.write_table(table, buffer, **{**usual, **options})
    return buffer.getvalue()


def tortilla_of(
    pieces: Sequence[Piece],
    n_parts: int = 1,
    collection: Mapping[str, Any] | None = None,
    footer: bytes | None = None,
) -> bytes:
    """A tortilla; a TACO if it has a collection.

    Args:
        pieces: Its samples, in order.
        n_parts: The number of files that its header states.
        collection: The description of a TACO.
        footer: The footer, if not that of the samples.
    """
    data = b"".join(piece.data for piece in pieces)
    footer = footer_of(pieces) if footer is None else footer
    start = HEADER_BYTES + len(data)
    header = struct.pack("<2s3Q", b"#y", start, len(footer), n_parts)
    text = b""
    if collection is not None:
        text = json.dumps(collection).encode()
        header = b"WX" + header[2:] + struct.pack("<2Q", start + len(footer), len(text))
    return header.ljust(HEADER_BYTES, b"\0") + data + footer + text


def nested(id_: str, pieces: Sequence[Piece], **metadata: Any) -> Piece:  # noqa: ANN401 - any
    """A sample that is itself a tortilla."""
    return Piece(id_, tortilla_of(pieces), "TORTILLA", metadata)


def write_parts(
    path: Path, groups: Sequence[Sequence[Piece]], collection: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write a set of tortillas, one for each group of samples, under the names of its parts."""
    written = []
    for i, pieces in enumerate(groups):
        part = path.with_suffix(f".{i:04}.part{path.suffix}")
        part.write_bytes(tortilla_of(pieces, len(groups), collection))
        written.append(part)
    return written


def of_folder(folder: Path, paths: Sequence[Path]) -> list[Piece]:
    """Samples with the files of a folder, by their paths in it: ``sample_1/s2.tif``."""
    files: dict[str, list[Piece]] = {}
    for path in paths:
        *above, name = path.parts
        piece = Piece(Path(name).stem, (folder / path).read_bytes())
        files.setdefault("/".join(above), []).append(piece)
    return [
        nested(name, pieces, **_LABELS) if name else pieces[0] for name, pieces in files.items()
    ]
