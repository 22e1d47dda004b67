"""What GDAL writes about a file and its bands: descriptions, scales, offsets, units, nodata.

In: the texts of the tags GDAL_METADATA (42112, XML) and GDAL_NODATA (42113). Out: values, as GDAL
reads them. Text that is not of this form counts as absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import unescape
from typing import Final
from xml.etree import ElementTree as ET  # limits below

from rico_hdl.decoding.geotags import GDAL_METADATA, GDAL_NODATA, FileTags

_NUMBERS: Final = {"scale": 1.0, "offset": 0.0}


@dataclass(frozen=True, slots=True)
class GdalMetadata:
    """The items of a file's GDAL_METADATA."""

    items: dict[str, dict[str, str]] = field(default_factory=dict)
    """The items of the file by domain and name; the default domain is the empty text."""
    band_items: dict[int, dict[str, str]] = field(default_factory=dict)
    """The items of bands by zero-based position and name, in the default domain."""
    roles: dict[tuple[int, str], str] = field(default_factory=dict)
    """The texts with a role (``description``, ``scale``, ``offset``, ``unittype``), by zero-based
    position of the band and role."""

    def text(self, band: int, role: str) -> str:
        """A band's text with a role; empty if it has none."""
        return self.roles.get((band, role), "")

    def number(self, band: int, role: str) -> float:
        """A band's ``scale`` or ``offset``; 1 or 0 if it has none."""
        text = self.text(band, role)
        try:
            return float(text) if text else _NUMBERS[role]
        except ValueError:
            return _NUMBERS[role]


def text_of(file: FileTags, number: int) -> str:
    """The text of a tag; empty if the file doesn't have it."""
    for tag in file.tags:
        if tag.number == number and tag.type == 2 and tag.value is not None:
            return tag.value.partition(b"\0")[0].decode(errors="replace")
    return ""


def metadata_of(file: FileTags) -> GdalMetadata:
    """What GDAL_METADATA says."""
    found = GdalMetadata()
    text = text_of(file, GDAL_METADATA)
    # GDAL writes no document type; entities that expand without end would need one.
    if not text or "<!" in text:
        return found
    try:
        root = ET.fromstring(text)  # noqa: S314 - no document type, at most a mebibyte
    except ET.ParseError:
        return found
    for item in root.iter("Item"):
        name, domain = item.get("name", ""), item.get("domain", "")
        sample, role = item.get("sample", ""), item.get("role", "")
        value = item.text or ""
        if sample.isdecimal() and role:
            # GDAL escapes these texts twice: "&" becomes "&amp;amp;".
            found.roles.setdefault((int(sample), role), unescape(value))
        elif sample.isdecimal():
            if not domain:
                found.band_items.setdefault(int(sample), {})[name] = unescape(value)
        else:
            found.items.setdefault(domain, {})[name] = unescape(value)
    return found


def nodata_of(file: FileTags) -> float | int | None:
    """The value that stands for no data; None if there is none.

    Integers are ``int``, as they may be too large for a float.
    """
    text = text_of(file, GDAL_NODATA).strip()
    if not text:
        return None
    try:
        whole = int(text)
    except ValueError:
        pass
    else:
        return whole if whole or not text.startswith("-") else -0.0
    try:
        found = float(text)
    except ValueError:
        return None
    return int(found) if found.is_integer() and found else found
