"""What a modality offers besides its patches: files to download, and choices of bands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Download:
    """A file that a publisher offers."""

    name: str
    """Its name, with ``*`` for parts that vary, such as the number of a part. It includes folders
    if files of the same name are published in several folders."""
    md5: str = ""
    """Its published MD5 sum (hex); empty if none is known, or if several files match the name."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A named selection of bands."""

    name: str
    """The name that readers request, such as ``rgb``."""
    bands: tuple[str, ...]
    """The safetensors keys, in the order in which they are read."""
