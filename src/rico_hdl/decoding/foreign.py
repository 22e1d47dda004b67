"""Files in forms that are not read, recognised by their first bytes.

In: the first bytes of a file that is not of the expected format. Out: what it is, and which command
helps. An intact file is then not called damaged, and not downloaded again.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

HEAD_BYTES: Final = 512
"""How many bytes of a file are needed."""


class ForeignForm(NamedTuple):
    """A form of files that is not read."""

    what: str
    """What the file is, such as ``a 7z archive``; follows "is"."""
    advice: str
    """What to do, with ``{name}`` for the name of the file; empty if there is nothing to do."""


def _packed(with_what: str, command: str) -> ForeignForm:
    return ForeignForm(
        f"compressed with {with_what}, which is not supported",
        f"Decompress it, and give the result: {command} {{name}}",
    )


def _archive(kind: str, command: str) -> ForeignForm:
    return ForeignForm(
        f"{kind}, which is not supported", f"Unpack it, and give the folder: {command} {{name}}"
    )


def _answer(kind: str) -> ForeignForm:
    return ForeignForm(
        f"{kind}, which was saved instead of the download",
        "Read what the server says in it (head -c 1000 {name}), then download the file again.",
    )


_BINARY: Final = (
    (rb"\x04\x22\x4d\x18|\x02\x21\x4c\x18", _packed("lz4", "lz4 -d")),
    # Properties, dictionary size, size or -1, and the first byte of the range coder: LZMA SDK.
    (rb"\x5d\0\0..(?:\xff{8}|.{5}\0{3})\0", _packed("lzma", "unlzma")),
    (rb"LZIP[\x00\x01]", _packed("lzip", "lzip -d")),
    (rb"\x89LZO\0\r\n\x1a\n", _packed("lzop", "lzop -d")),
    (rb"\x1f[\x9d\xa0]", _packed("compress", "uncompress")),
    (rb"7z\xbc\xaf\x27\x1c", _archive("a 7z archive", "7z x")),
    (rb"Rar!\x1a\x07", _archive("a rar archive", "unrar x")),
    (rb"MSCF\0{4}", _archive("a cabinet archive", "cabextract")),
    (rb"xar!", _archive("a xar archive", "xar -xf")),
    (rb"hsqs|sqsh", _archive("a SquashFS image", "unsquashfs")),
    (rb"0707(?:01|02|07)|\xc7\x71", _archive("a cpio archive", "cpio -id <")),
    (rb"\x89HDF\r\n\x1a\n", ForeignForm("an HDF5 file", "")),
    (rb"\x93NUMPY", ForeignForm("a numpy array", "")),
    (rb"\x89PNG\r\n\x1a\n", ForeignForm("a PNG image", "")),
    (rb"\xff\xd8\xff", ForeignForm("a JPEG image", "")),
    (rb"II[*+]\0|MM\0[*+]", ForeignForm("a TIFF image", "Name the folder of the images.")),
)
_TEXT: Final = (
    (
        rb"version https://git-lfs\.github\.com/spec/",
        ForeignForm(
            "a Git LFS pointer, in place of the file",
            "Get the file itself, in the folder of the repository: git lfs pull",
        ),
    ),
    (rb"<!doctype html|<html|<head|<body", _answer("an HTML page")),
    (rb"<\?xml|<error", _answer("an XML document")),
    (rb"[\[{]\s*[\"\[{]", _answer("a JSON document")),
)
_SPACE: Final = b"\xef\xbb\xbf \t\r\n"  # including the mark of UTF-8
_IN_BINARY: Final = tuple((re.compile(p, re.DOTALL), form) for p, form in _BINARY)
_IN_TEXT: Final = tuple((re.compile(p, re.IGNORECASE), form) for p, form in _TEXT)


def foreign_form(head: bytes) -> ForeignForm | None:
    """Recognise a form of files that is not read; None if it is none of those known.

    Args:
        head: The first `HEAD_BYTES` bytes of the file.
    """
    for pattern, form in _IN_BINARY:
        if pattern.match(head):
            return form
    if b"\0" not in head:  # as the name of an old tar's first member would be
        text = head.lstrip(_SPACE)
        for pattern, form in _IN_TEXT:
            if pattern.match(text):
                return form
    return None


def form_of_file(path: Path) -> ForeignForm | None:
    """See `foreign_form`.

    Raises:
        OSError: The file can't be read.
    """
    with path.open("rb") as file:
        return foreign_form(file.read(HEAD_BYTES))


def found(data: bytes) -> str:
    """What a file is or how it begins, with advice if there is any, for an error in one line."""
    if not data:
        return "is empty"
    form = foreign_form(data[:HEAD_BYTES])
    if form is None:
        return f"begins with {data[:4].hex(' ')}"
    advice = f" ({form.advice.format(name='FILE')})" if form.advice else ""
    return f"is {form.what}{advice}"
