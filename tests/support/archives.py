"""Archives of patches: published with a sum, or with a long tail."""

from __future__ import annotations

import hashlib
import io
import lzma
import sys
import tarfile
import zlib
from dataclasses import replace

from rico_hdl.datasets import get
from rico_hdl.spec import DatasetSpec, Download

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def published(data: bytes, name: str = "x.tar", modality: str = "s2") -> DatasetSpec:
    """BigEarthNet with one modality alone, and the published MD5 sum of its archive's bytes."""
    spec = get("bigearthnet")
    downloads = (Download(name, hashlib.md5(data, usedforsecurity=False).hexdigest()),)
    return replace(spec, modalities=(replace(spec.modality(modality), downloads=downloads),))


def long_zstd(data: bytes) -> bytes:
    """Data compressed with zstd and marked as needing a window of 2 GiB, as ``zstd --long=31``."""
    compressor = zstd.ZstdCompressor()
    frame = bytearray(compressor.compress(data) + compressor.flush())
    assert not frame[4] & 0x20  # a window is stated: RFC 8878, 3.1.1.1.1
    frame[5] = 21 << 3
    return bytes(frame)


def long_xz(data: bytes, code: int = 36) -> bytes:
    """Data compressed with xz and marked as needing a dictionary, by default of 1 GiB.

    Args:
        data: The data.
        code: The size of the dictionary: The .xz File Format 1.1.0, 5.3.1.
    """
    stream = bytearray(lzma.compress(data, preset=0))
    stop = 12 + 4 * (stream[12] + 1) - 4  # of the block header: The .xz File Format 1.1.0, 3.1
    at = stream.index(b"\x21\x01", 12, stop)
    stream[at + 2] = code
    stream[stop : stop + 4] = zlib.crc32(stream[12:stop]).to_bytes(4, "little")
    return bytes(stream)


def with_filler(tar: bytes) -> bytes:
    """A tar with a long tail after the patches, so that they are stored before its end is read."""
    buffer = io.BytesIO(tar)
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        info = tarfile.TarInfo("filler")
        info.size = 32 * 2**20
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    return buffer.getvalue()
