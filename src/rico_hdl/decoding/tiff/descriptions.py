"""The descriptions of bands that GDAL writes into TIFF files.

In: the bytes of a file. Out: a text for each band that has one. GDAL keeps them as XML in the tag
GDAL_METADATA (42112), as its GTiff driver documents; they affect no pixel, so anything unexpected
counts as no description.
"""

from __future__ import annotations

import html
import re
import struct
from typing import Final

_GDAL_METADATA: Final = 42112
_ASCII: Final = 2
_MAX_BYTES: Final = 2**20
_ITEM: Final = re.compile(r"<Item\b([^>]*)>([^<]*)</Item>")
_ATTRIBUTE: Final = re.compile(r'(\w+)="([^"]*)"')


def band_descriptions(data: bytes) -> dict[int, str]:
    """The descriptions of bands, by zero-based position; empty if there are none.

    Args:
        data: The whole file.
    """
    try:
        text = _metadata(data)
    except struct.error:  # cut short
        return {}
    found = {}
    for item in _ITEM.finditer(text):
        attributes = dict(_ATTRIBUTE.findall(item[1]))
        sample = attributes.get("sample", "")
        if attributes.get("role") == "description" and sample.isdecimal():
            # GDAL escapes these texts twice: "&" becomes "&amp;amp;".
            found[int(sample)] = html.unescape(html.unescape(item[2])).strip()
    return found


def _metadata(data: bytes) -> str:
    """The text of the tag; empty if it is missing."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    version = struct.unpack_from(f"{order}H", data, 2)[0] if order else 0
    if version == 42:
        offset, n_format, entry = "I", "H", struct.Struct(f"{order}HHI4s")
        (start,) = struct.unpack_from(f"{order}I", data, 4)
    elif version == 43:
        offset, n_format, entry = "Q", "Q", struct.Struct(f"{order}HHQ8s")
        (start,) = struct.unpack_from(f"{order}Q", data, 8)
    else:
        return ""
    (n_entries,) = struct.unpack_from(f"{order}{n_format}", data, start)
    start += struct.calcsize(n_format)
    for number in range(min(n_entries, 4096)):
        tag, kind, n_bytes, value = entry.unpack_from(data, start + number * entry.size)
        if tag == _GDAL_METADATA and kind == _ASCII and n_bytes <= _MAX_BYTES:
            (where,) = struct.unpack(f"{order}{offset}", value)
            return data[where : where + n_bytes].rstrip(b"\0").decode(errors="replace")
    return ""
