"""The first 200 bytes of a tortilla, and the place of its footer.

In: the bytes from where a tortilla starts, in a file or in another tortilla. Out: where its footer
is, or why it can't be one.

There is no specification of this version; the layout is that of the programs that write and read it
(tacofoundation on GitHub): `pytortilla/create/main.py` in tortilla-python writes ``#y``, the
footer's offset and length, the number of parts, and zeros; `tacotoolbox/v1/create.py` in
taco-toolbox makes it a TACO: ``WX``, and after the number of parts the offset and the length of a
collection in JSON, which it appends. `tacoreader/v1/loader_dataframe.py` and `loader_metadata.py`
read both. Offsets count from the start of the tortilla. All numbers have 8 bytes, little-endian.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from rico_hdl.errors import ArchiveError

HEADER_BYTES: Final = 200
"""The first sample follows the header."""
MAX_PARTS: Final = 10_000
"""Largest number of parts that a header may state; the names of parts have four digits."""

TORTILLA: Final = b"#y"
TACO: Final = b"WX"
_NUMBERS: Final = struct.Struct("<2s5Q")
_TORTILLA_USED: Final = 26
"""Bytes before the zeros of a tortilla's header; a TACO uses 16 more."""


class TortillaHeader(NamedTuple):
    """What the header of a tortilla says."""

    footer_start: int
    """Offset of the footer, in bytes from the tortilla's start."""
    footer_bytes: int
    n_parts: int
    """Into how many files the samples were divided, this one included."""
    collection_start: int
    """Offset of a TACO's collection, from the tortilla's start; the footer's end if it has none."""
    collection_bytes: int
    n_unknown: int
    """Number of bytes that are not zero where the format has zeros."""

    @property
    def stop(self) -> int:
        """The offset at which the tortilla ends."""
        return self.collection_start + self.collection_bytes


def is_one(head: bytes) -> bool:
    """Whether bytes begin like a tortilla or a TACO. Two letters alone are not enough to tell.

    Args:
        head: The first `HEADER_BYTES` bytes, or more.
    """
    try:
        parse_header(head[:HEADER_BYTES])
    except ArchiveError:
        return False
    return True


def parse_header(data: bytes) -> TortillaHeader:
    """Parse the header of a tortilla or a TACO.

    Args:
        data: `HEADER_BYTES` bytes; fewer if the file ends.

    Raises:
        ArchiveError: It is none. The message doesn't name it.
    """
    if len(data) < HEADER_BYTES:
        raise ArchiveError(f"ends after {len(data)} bytes, within the header of {HEADER_BYTES}")
    magic, start, n_bytes, n_parts, other_start, other_bytes = _NUMBERS.unpack_from(data)
    if magic not in {TORTILLA, TACO}:
        raise ArchiveError(
            f"is not a tortilla: it begins with {data[:8].hex(' ')}, expected "
            f"{TORTILLA.hex(' ')} or {TACO.hex(' ')}"
        )
    is_taco = magic == TACO
    if not 1 <= n_parts <= MAX_PARTS:
        raise ArchiveError(_about_parts(data[18:42], n_parts))
    stop = start + n_bytes
    if start < HEADER_BYTES or (is_taco and other_start != stop):
        raise ArchiveError(
            f"has a damaged header: its footer is at byte {start:,} and takes {n_bytes:,} bytes"
            + (f", and its collection is at byte {other_start:,}" if is_taco else "")
        )
    n_used = _NUMBERS.size if is_taco else _TORTILLA_USED
    return TortillaHeader(
        start,
        n_bytes,
        n_parts,
        stop,
        other_bytes if is_taco else 0,
        HEADER_BYTES - n_used - data.count(0, n_used, HEADER_BYTES),
    )


def _about_parts(field: bytes, n_parts: int) -> str:
    """What is wrong with the number of parts."""
    name = field.rstrip().decode("ascii", "replace")
    if name.isalnum():
        # As `pytortilla/compile/main.py` wrote it: a name, padded to 24 bytes.
        return (
            f"was written by an early pytortilla, which put the format {name!r} where the number "
            "of parts is now; such files are not supported"
        )
    return f"has a damaged header: it states {n_parts:,} parts, expected 1 to {MAX_PARTS:,}"
