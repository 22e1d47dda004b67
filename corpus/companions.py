"""The other files next to the patches in real releases, which must be skipped.

In: a spec and a modality. Out: file names with their bytes; `corpus.generate` writes them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from corpus.encodings import Encoding
from corpus.tiff import encoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from corpus.patches import Patch
    from rico_hdl.spec import DatasetSpec, Modality

Files = dict[str, bytes]
"""Names in the patch's folder, with format fields, and contents."""

# Only the beginnings of files, which is enough for code that checks names or first bytes.
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"


def companions(spec: DatasetSpec, modality: Modality, patch: Patch) -> Files:
    """Paths in the source folder, and contents, of the files next to a patch."""
    make = _COMPANIONS.get((spec.name, modality.name), dict)
    files = {name.format(**patch.fields): data for name, data in make().items()}
    return {f"{patch.folder}/{name}".lstrip("/"): data for name, data in files.items()}


def _mask(shape: tuple[int, int, int], encoding: Encoding) -> bytes:
    return encoded(np.ones(shape, encoding.dtype), encoding)


@cache
def _bigearthnet_v1() -> Files:
    return {"{patch}_labels_metadata.json": b'{"labels": ["Sea and ocean"]}\n'}


@cache
def _hyspecnet() -> Files:
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
def _major_tom() -> Files:
    encoding = Encoding(compression="lzw", planar="separate", tile=(1024, 1024), dtype="uint8")
    return {"cloud_mask.tif": _mask((1, 1068, 1068), encoding), "thumbnail.png": _PNG}


@cache
def _ssl4eo() -> Files:
    return {"metadata.json": b'{"type": "Image"}\n'}


@cache
def _kuro_siwo() -> Files:
    return {"info.json": b"{}\n"}


@cache
def _macos() -> Files:
    # The beginning of a resource fork, which macOS adds to copies of files.
    return {"._{event}_{chip}_S1Hand.tif": b"\x00\x05\x16\x07"}


_COMPANIONS: dict[tuple[str, str], Callable[[], Files]] = {
    ("bigearthnet-v1", "s1"): _bigearthnet_v1,
    ("bigearthnet-v1", "s2"): _bigearthnet_v1,
    ("hyspecnet-11k", "enmap"): _hyspecnet,
    ("major-tom-core", "s2"): _major_tom,
    ("kuro-siwo", "ms1"): _kuro_siwo,
    ("sen1floods11", "s1-hand"): _macos,
    **{
        ("ssl4eo-l", name): _ssl4eo
        for name in ("tm-toa", "etm-toa", "etm-sr", "oli-tirs-toa", "oli-sr")
    },
    ("ssl4eo-s12", "s1"): _ssl4eo,
    ("ssl4eo-s12", "s2c"): _ssl4eo,
    ("ssl4eo-s12", "s2a"): _ssl4eo,
}
