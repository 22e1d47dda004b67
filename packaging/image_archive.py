"""Add to an OCI archive the list of layers that every version of docker can load.

In: an archive of one image, as podman and buildah write it. Out: the same, with the list. docker 25
and newer save images in this form. Readers of OCI archives ignore the list.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any


def add_docker_manifest(path: Path, image: str) -> None:
    """Add ``manifest.json``, which names the image, its configuration and its layers.

    Args:
        path: The archive.
        image: The image's name and tag.

    Raises:
        ValueError: The archive does not hold exactly one image.
    """
    with tarfile.open(path) as archive:
        manifests = _json(archive, "index.json")["manifests"]
        if len(manifests) != 1:
            raise ValueError(f"{path}: holds {len(manifests)} images, expected one")
        manifest = _json(archive, _blob(manifests[0]))
    listed = {
        "Config": _blob(manifest["config"]),
        "RepoTags": [image],
        "Layers": [_blob(layer) for layer in manifest["layers"]],
    }
    content = json.dumps([listed]).encode()
    with tarfile.open(path, "a") as archive:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


def _blob(descriptor: dict[str, Any]) -> str:
    return f"blobs/{descriptor['digest'].replace(':', '/')}"


def _json(archive: tarfile.TarFile, name: str) -> Any:  # noqa: ANN401 - any JSON
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file")
    return json.load(file)
