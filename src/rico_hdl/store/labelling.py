"""The labels of a store: the file ``labels.safetensors``, next to ``data.mdb``.

In: the bytes of the file. Out: the file, replaced as a whole, and its digest in the manifest. The
manifest names the digests of both the old and the new file before the file is replaced, so that a
kill at any time leaves a file that the manifest knows.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import xxhash

from rico_hdl.errors import StoreError
from rico_hdl.sources.files import open_regular
from rico_hdl.store.manifest import Manifest
from rico_hdl.system.durable import sync_folder

LABELS_NAME: Final = "labels.safetensors"
LABELS_DRAFT_NAME: Final = f".{LABELS_NAME}.part"
_PREFIX: Final = "xxh3-128:"
_N_ATTEMPTS: Final = 3
_PIECE: Final = 2**22


def replace_labels(
    target: Path, manifest: Manifest, chunks: Iterable[bytes], about: dict[str, Any]
) -> bool:
    """Replace the labels of a store, unless they are the same already.

    The caller holds the lock of the journal.

    Args:
        target: The store.
        manifest: Its manifest, which is written with the new labels.
        chunks: The bytes of the file.
        about: What the manifest says about the file, in addition to its digest.

    Returns:
        Whether anything was written.

    Raises:
        StoreError: The file can't be written; the old one is unchanged.
    """
    path, draft = target / LABELS_NAME, target / LABELS_DRAFT_NAME
    try:
        draft.unlink(missing_ok=True)
        new = _write(draft, chunks)
        old = digest_of(path) if path.exists() else None
        if old == new and manifest.labels == {**about, "digests": [new]}:
            draft.unlink()
            return False
        manifest.labels = {**about, "digests": [old, new]}
        manifest.write(target)
        draft.replace(path)
        sync_folder(target)
    except OSError as error:
        raise StoreError(
            f"{path}: the labels can't be written: {error.strerror}",
            "The records are stored. Free some space, check the permissions, and run the same "
            "command again.",
        ) from error
    manifest.labels = {**about, "digests": [new]}
    manifest.write(target)
    return True


def _write(path: Path, chunks: Iterable[bytes]) -> str:
    """Write a new file to disk; returns its digest."""
    state = xxhash.xxh3_128()
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
            state.update(chunk)
        file.flush()
        os.fsync(file.fileno())
    return f"{_PREFIX}{state.hexdigest()}"


def digest_of(path: Path) -> str:
    """The digest of a file.

    Raises:
        OSError: It can't be read.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        return digest_of_chunks(iter(lambda: file.read(_PIECE), b""))


def digest_of_chunks(chunks: Iterable[bytes]) -> str:
    """The digest of a file, given its bytes in pieces."""
    state = xxhash.xxh3_128()
    for chunk in chunks:
        state.update(chunk)
    return f"{_PREFIX}{state.hexdigest()}"


def known_digests(manifest: Manifest | None) -> list[str | None]:
    """The digests that the labels may have, with None for no file; empty if there are no labels."""
    digests = (manifest.labels or {}).get("digests") if manifest else None
    return digests if isinstance(digests, list) else []


def mapped_labels(target: Path) -> memoryview | None:
    """The bytes of a store's labels, mapped; None if it has none.

    Raises:
        OSError: The file can't be read.
    """
    try:
        descriptor = open_regular(target / LABELS_NAME)
    except FileNotFoundError:
        return None
    try:
        if os.fstat(descriptor).st_size == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
    finally:
        os.close(descriptor)


def read_labels(target: Path) -> memoryview | None:
    """The bytes of a store's labels, after a comparison with their digest; None if it has none.

    Raises:
        StoreError: The file is missing, damaged, or can't be read.
    """
    reason = ""
    for _ in range(_N_ATTEMPTS):
        digests = known_digests(Manifest.read(target))
        if not digests:
            return None
        try:
            data = mapped_labels(target)
        except OSError as error:
            raise StoreError(f"{target / LABELS_NAME} can't be read: {error.strerror}") from error
        if data is None and None in digests:
            return None
        if data is not None:
            found = f"{_PREFIX}{xxhash.xxh3_128(data).hexdigest()}"
            if found in digests:
                return data
            reason = f"its digest is {found}, expected {' or '.join(map(str, digests))}"
        else:
            reason = "it is missing"
    # Several attempts, since a conversion may have replaced it meanwhile.
    raise StoreError(
        f"{target / LABELS_NAME} is damaged: {reason}",
        "Restore it from a copy; or remove it, and run the conversion's command again with "
        "--labels.",
    )


def check_labels_are_ours(target: Path, manifest: Manifest) -> None:
    """Check that labels that would be replaced are those of the store.

    Raises:
        StoreError: The manifest doesn't know the file.
    """
    path = target / LABELS_NAME
    if path.exists() and manifest.labels is None:
        raise StoreError(
            f"{path} is not mentioned in the manifest, so it is not overwritten",
            "Move it away, or choose another --target-dir.",
        )
