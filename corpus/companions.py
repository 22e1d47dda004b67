"""The other files next to the patches in real releases, by dataset and modality."""

from __future__ import annotations

from functools import cache

import numpy as np

from rico_hdl.testing.companions import COMPANIONS, Files
from rico_hdl.testing.encodings import Encoding
from rico_hdl.testing.tiff import encoded

# Only the beginnings of files, which is enough for code that checks names or first bytes.
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"


def _mask(shape: tuple[int, int, int], encoding: Encoding) -> bytes:
    return encoded(np.ones(shape, encoding.dtype), encoding)


@cache
def _label_file() -> Files:
    return {"{patch}_labels_metadata.json": b'{"labels": ["Sea and ocean"]}\n'}


@cache
def _quality_layers() -> Files:
    lzw = Encoding(compression="lzw", rows_per_strip=6, dtype="uint8")
    deflate = Encoding(
        compression="adobe_deflate", planar="separate", rows_per_strip=6, dtype="uint8"
    )
    return {
        "{patch}-QL_PIXELMASK.TIF": _mask((224, 128, 128), deflate),
        "{patch}-QL_QUALITY_CLOUD.TIF": _mask((1, 128, 128), lzw),
        "{patch}-QL_VNIR.TIF": _mask((4, 128, 128), deflate),
        "{patch}-THUMBNAIL.jpg": _JPEG,
    }


@cache
def _thumbnail() -> Files:
    return {"thumbnail.png": _PNG}


@cache
def _metadata_file() -> Files:
    return {"metadata.json": b'{"type": "Image"}\n'}


@cache
def _info_file() -> Files:
    return {"info.json": b"{}\n"}


@cache
def _resource_fork() -> Files:
    # The beginning of a resource fork, which macOS adds to copies of files.
    return {"._{event}_{chip}_S1Hand.tif": b"\x00\x05\x16\x07"}


COMPANIONS |= {
    ("bigearthnet-v1", "s1"): _label_file,
    ("bigearthnet-v1", "s2"): _label_file,
    ("hyspecnet-11k", "enmap"): _quality_layers,
    ("major-tom-core", "s2"): _thumbnail,
    ("kuro-siwo", "ms1"): _info_file,
    ("sen1floods11", "s1-hand"): _resource_fork,
    **{
        ("ssl4eo-l", name): _metadata_file
        for name in ("tm-toa", "etm-toa", "etm-sr", "oli-tirs-toa", "oli-sr")
    },
    ("ssl4eo-s12", "s1"): _metadata_file,
    ("ssl4eo-s12", "s2c"): _metadata_file,
    ("ssl4eo-s12", "s2a"): _metadata_file,
}
