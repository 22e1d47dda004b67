"""The words of file and folder names, and those that mean something in remote sensing."""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"[^_\-. ]+|[_\-. ]")
_SEPARATORS: Final = "_-. "
ID_DIGITS: Final = 5
"""A name with so many digits identifies one of many, even if a sample has no other."""
NUMBER: Final = "#"
"""Stands for a word of digits in the kind of a name."""

_BAND: Final = re.compile(
    r"b[0-9]{1,3}[a-z]?|band[0-9]{1,3}|[vh][vh]|red|green|blue|nir[0-9]?|swir[0-9]?|rededge[0-9]?"
    r"|pan|tir[0-9]?|coastal|cirrus",
    re.IGNORECASE,
)
_MASK: Final = re.compile(
    r"masks?|msk|labels?|lbl|gt|groundtruth|lc|lulc|landcover|seg|segmentation|annotations?|targets?"
    r"|cls?|classes|conf|reference|truth|building|qa|scl|worldcover|esaworldcover|cdl|nlcd",
    re.IGNORECASE,
)
_VARIANT: Final = re.compile(
    r"images?|imgs?|im|s1[a-z]*|s2[a-z]*|s3[a-z]*|l[4-9]|sar|optical|opt|rgb|ms|hsi|dem|dsm|lidar"
    r"|aerial|pre|post|before|after|sentinel-?[123]|landsat-?[4-9]",
    re.IGNORECASE,
)
_WEAK_VARIANT: Final = re.compile(
    r"[ab]|[12]|t[12]|im(age)?-?[12ab]|time-?[12]|[0-9]+m|hr|lr", re.IGNORECASE
)
_SPLIT: Final = re.compile(r"train(ing|val)?|val(id|idation)?|test(ing)?", re.IGNORECASE)
_CLASS: Final = re.compile(r"[^\W\d_][^\d/{}*]*")


def words(name: str) -> list[str]:
    """The words of a name and the separators between them, in order."""
    return _WORD.findall(name)


def kind(name: str) -> str:
    """A name whose words of digits are replaced by `NUMBER`."""
    return "".join(NUMBER if word.isdecimal() else word for word in words(name))


def is_band(word: str) -> bool:
    """Whether a word is a common name of a band."""
    return _BAND.fullmatch(word) is not None


def is_mask(name: str) -> bool:
    """Whether a name has a word for masks and labels."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return any(_MASK.fullmatch(part) for part in parts)


def is_split(name: str) -> bool:
    """Whether a name is that of a split."""
    return _SPLIT.fullmatch(name) is not None


def is_class(name: str) -> bool:
    """Whether a name could be that of a class: it has letters and no digits."""
    return _CLASS.fullmatch(name) is not None and not is_split(name)


def variant(name: str) -> str:
    """The part of a name that tells an image from others of its place; empty if there is none.

    It begins with the first word for a sensor, a mask, or the like: ``s2_cloudy`` in
    ``spring_s2_cloudy``.
    """
    pieces = words(name)
    for at, piece in enumerate(pieces):
        if _VARIANT.fullmatch(piece) or is_mask(piece):
            part = "".join(pieces[at:])
            return part if sum(c.isdigit() or c == NUMBER for c in part) < ID_DIGITS else ""
    return ""


def may_be_variant(name: str) -> bool:
    """Whether a name is one of an image among others, or only looks like that, such as ``A``."""
    return bool(variant(name)) or is_band(name) or _WEAK_VARIANT.fullmatch(name) is not None


def slug(text: str) -> str:
    """A text as the name of a dataset or modality: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
