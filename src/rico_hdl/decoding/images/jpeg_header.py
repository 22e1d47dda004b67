"""The header of a JPEG file: everything before its entropy-coded data.

Format: ITU-T T.81. How components are interpreted (JFIF's and Adobe's markers) is left to libjpeg.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rico_hdl.decoding.foreign import found
from rico_hdl.errors import DecodingError

JPEG_START: Final = b"\xff\xd8\xff"
"""The first bytes of every JPEG file."""

_SOF: Final = {0xC0: "baseline", 0xC1: "extended sequential", 0xC2: "progressive"}
_OTHER_SOF: Final = {
    0xC3: "lossless",
    **dict.fromkeys((0xC5, 0xC6, 0xC7), "hierarchical"),
    **dict.fromkeys((0xC9, 0xCA, 0xCB), "arithmetic-coded"),
    **dict.fromkeys((0xCD, 0xCE, 0xCF), "hierarchical and arithmetic-coded"),
}
_SOS = 0xDA
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, _SOS)})  # TEM, RSTn, SOI, EOI
_FILL: Final = re.compile(rb"\xff+(?=\xff)")
"""Bytes that may precede a marker."""
_N_BANDS: Final = {1: "grey", 3: "colour"}


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What has to be known of a JPEG file before it is decoded."""

    width: int
    """Columns."""
    height: int
    """Rows."""
    n_bands: int
    """1 for grey, 3 for colour."""
    sampling: tuple[int, int]
    """Horizontal and vertical sampling factor of the first component."""
    is_buffered: bool
    """Whether decoders hold all coefficients at once: the file has several scans."""


@dataclass(slots=True)
class _Frame:
    """What the frame header says; empty before it was read."""

    width: int = 0
    height: int = 0
    n_components: int = 0
    sampling: tuple[int, int] = (1, 1)
    progressive: bool = False


def parse_header(data: bytes) -> JpegHeader:
    """Parse the segments up to the first scan.

    Raises:
        DecodingError: The file is not a JPEG, is truncated, or is of a kind that is not supported.
    """
    if not data.startswith(JPEG_START):
        raise DecodingError(f"not a JPEG file: {found(data)}, expected {JPEG_START.hex(' ')}")
    frame = _Frame()
    at = 2
    while True:
        marker, body, at = _segment(data, at)
        if marker == _SOS:
            return _header(frame, body)
        if marker in _SOF:
            if frame.n_components:
                raise DecodingError("the JPEG file is damaged: it has two frames")
            _read_frame(frame, marker, body)
        elif marker in _OTHER_SOF:
            raise DecodingError(
                f"{_OTHER_SOF[marker]} JPEG is not supported, expected {', '.join(_SOF.values())}"
            )


def _segment(data: bytes, at: int) -> tuple[int, bytes, int]:
    """The marker at or after a position, the segment's body, and the position after it."""
    if fill := _FILL.match(data, at):
        at = fill.end()
    marker = data[at + 1] if data[at : at + 1] == b"\xff" and at + 1 < len(data) else None
    if marker is None or marker in _WITHOUT_LENGTH:
        raise DecodingError(
            f"the JPEG file is damaged or cut short: expected a segment at byte {at} of "
            f"{len(data)}, found {data[at : at + 2].hex(' ') or 'the end'}"
        )
    n_bytes = int.from_bytes(data[at + 2 : at + 4], "big")
    stop = at + 2 + n_bytes
    if n_bytes < 2 or stop > len(data):
        raise DecodingError(
            f"the JPEG file is damaged or cut short: its segment at byte {at} claims {n_bytes} "
            f"bytes, the file has {len(data)}"
        )
    return marker, data[at + 4 : stop], stop


def _read_frame(frame: _Frame, marker: int, body: bytes) -> None:
    n_components = body[5] if len(body) >= 6 else 0
    if len(body) != 6 + 3 * n_components or not n_components:
        raise DecodingError("the JPEG file is damaged: the size of its frame header is wrong")
    if body[0] != 8:
        raise DecodingError(f"JPEG of {body[0]}-bit samples is not supported, expected 8-bit")
    if n_components not in _N_BANDS:
        kind = "CMYK" if n_components == 4 else f"{n_components}-component"
        raise DecodingError(f"{kind} JPEG is not supported, expected grey or colour (YCbCr or RGB)")
    frame.height, frame.width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    if not frame.height or not frame.width:
        raise DecodingError(f"the JPEG file claims {frame.width} x {frame.height} pixels")
    frame.n_components = n_components
    frame.sampling = body[7] >> 4, body[7] & 15
    frame.progressive = _SOF[marker] == "progressive"


def _header(frame: _Frame, scan: bytes) -> JpegHeader:
    """The header, given the body of the first scan's segment."""
    if not frame.n_components:
        raise DecodingError("the JPEG file is damaged: it has no frame header before its data")
    return JpegHeader(
        frame.width,
        frame.height,
        frame.n_components,
        frame.sampling,
        is_buffered=frame.progressive or scan[:1] != bytes([frame.n_components]),
    )
