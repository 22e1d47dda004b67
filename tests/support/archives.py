"""Archives of patches: published with a sum, or with a long tail."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import replace

from rico_hdl.datasets import get
from rico_hdl.spec import DatasetSpec, Download


def published(data: bytes, name: str = "x.tar", modality: str = "s2") -> DatasetSpec:
    """BigEarthNet with one modality alone, and the published MD5 sum of its archive's bytes."""
    spec = get("bigearthnet")
    downloads = (Download(name, hashlib.md5(data, usedforsecurity=False).hexdigest()),)
    return replace(spec, modalities=(replace(spec.modality(modality), downloads=downloads),))


def with_filler(tar: bytes) -> bytes:
    """A tar with a long tail after the patches, so that they are stored before its end is read."""
    buffer = io.BytesIO(tar)
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        info = tarfile.TarInfo("filler")
        info.size = 32 * 2**20
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    return buffer.getvalue()
