"""Checking the labels of a store.

In: a target folder, its manifest, and a way to look up keys. Out: findings and counts, added to a
`Verification`. The digest in the manifest proves every byte; the form is checked in addition.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rico_hdl.checking.findings import Finding, Verification
from rico_hdl.store import LABELS_NAME, Manifest
from rico_hdl.store.labelling import digest_of, known_digests, mapped_labels


def check_labels(
    target: Path, manifest: Manifest | None, has: Callable[[bytes], bool], result: Verification
) -> None:
    """Check the labels of a store.

    Args:
        target: The store.
        manifest: Its manifest.
        has: Whether the store has a key.
        result: Receives findings and counts.
    """
    path = target / LABELS_NAME
    expected = known_digests(manifest)
    if manifest is None or manifest.labels is None:
        if manifest is not None and path.exists():
            reason = f"{LABELS_NAME} is in the store, but its manifest doesn't mention it"
            result.findings.append(Finding("extra", "", reason))
        return
    try:
        data = mapped_labels(target)
        if data is None:
            if None not in expected:
                result.findings.append(Finding("missing", "", f"{LABELS_NAME} is gone"))
            return
        found = digest_of(path)
    except OSError as error:
        reason = f"{LABELS_NAME} can't be read: {error.strerror}"
        result.findings.append(Finding("damaged", "", reason))
        return
    if found not in expected:
        known = " or ".join(str(one) for one in expected if one is not None) or "none"
        reason = f"{LABELS_NAME}: its digest is {found}, but the manifest says {known}"
        result.findings.append(Finding("damaged", "", reason))
        return
    from rico_hdl.labels.stored import load  # noqa: PLC0415 - numpy, for stores with labels only

    try:
        samples = load(data)
    except ValueError as error:
        result.findings.append(Finding("damaged", "", f"{LABELS_NAME}: {error}"))
        return
    result.n_samples = len(samples)
    converted = {name for name, state in manifest.modalities.items() if state.n_patches}
    for name, names in samples.names.items():
        if name in converted:
            result.n_absent += sum(1 for key in names if key and not has(key))
