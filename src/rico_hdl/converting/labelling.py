"""The labels of a store: gathering them during a conversion, or adding them afterwards.

In: tables in the sources or given by the user. Out: ``labels.safetensors`` in the store. Nothing is
imported for datasets without labels, since reading tables takes numpy.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rico_hdl.converting.summary import Summary
from rico_hdl.errors import SourceError, StoreError, UsageError
from rico_hdl.patches.opening import Opened, StrPath
from rico_hdl.sources.label_files import files_in
from rico_hdl.spec import DatasetSpec
from rico_hdl.store import LABELS_NAME, Manifest, Pages, mapped_labels
from rico_hdl.store.continuing import check_same_dataset
from rico_hdl.store.labelling import (
    check_labels_are_ours,
    digest_of_chunks,
    known_digests,
    replace_labels,
)
from rico_hdl.store.target import DATA_NAME, check_target, open_journal

if TYPE_CHECKING:
    from rico_hdl.labels.gathering import Gathering
    from rico_hdl.labels.samples import SampleTable

_N_TRIED: Final = 1000
"""Keys that are looked for in the store, to notice the labels of another dataset."""


class Labelling:
    """The labels of one conversion.

    Args:
        spec: The dataset.
        given: The files that the user names.
        opened: The sources.

    Raises:
        UsageError: A file is given, and the dataset has no such table.
        SourceError: A table can't be read, or its rows can't be used.
    """

    def __init__(
        self, spec: DatasetSpec, given: Sequence[StrPath], opened: Sequence[Opened]
    ) -> None:
        self.gathering: Gathering | None = None
        """Is given what is met in the sources; None if the dataset has no labels there."""
        self._samples: SampleTable | None = None
        inside = [Path(one.folder.location) for one in opened if one.folder is not None]
        archives = [archive for one in opened for archive in one.archives]
        beside = [folder.parent for folder in inside]
        beside += [archive.files[0].parent for archive in archives]
        if not _is_worthwhile(spec, given, [*inside, *beside], has_archives=bool(archives)):
            return
        from rico_hdl.labels.gathering import Gathering  # noqa: PLC0415 - see above

        self.gathering = Gathering(spec)
        self.gathering.read_given([Path(path) for path in given])
        if not given:
            self.gathering.read_found(inside, beside)
        self.gathering.read_rows({archive.location: archive for archive in archives}.values())
        self._gather()

    def _gather(self) -> None:
        """Join the rows so far.

        Raises:
            SourceError: They contradict each other.
        """
        if self.gathering is not None and len(self.gathering):
            self._samples = self.gathering.samples()

    def apply(self, target: Path, manifest: Manifest) -> list[str]:
        """Write what was gathered so far into the store, whose journal is locked.

        Returns:
            Warnings.

        Raises:
            SourceError: Rows contradict each other, or members of archives can't be used.
            StoreError: The labels can't be written, or those in the store are damaged.
        """
        gathering = self.gathering
        if gathering is None:
            return []
        if gathering.problem is not None:
            raise gathering.problem
        self._gather()
        if (samples := self.merged(target, manifest)) is not None:
            write_labels(target, manifest, samples)
            self._samples = None
        warnings, gathering.warnings = gathering.warnings, []
        return warnings

    def merged(self, target: Path, manifest: Manifest) -> SampleTable | None:
        """The labels that were gathered so far, with those of the store; None if there are none.

        Raises:
            SourceError: They are of different kinds.
            StoreError: Those in the store are damaged.
        """
        new, gathering = self._samples, self.gathering
        if new is None or gathering is None:
            return None
        check_labels_are_ours(target, manifest)
        from rico_hdl.labels.stored import chunks_of  # noqa: PLC0415 - takes numpy

        # Mostly, the same tables are met again; comparing them takes much less memory than merging.
        if digest_of_chunks(chunks_of(new)) in known_digests(manifest):
            return new
        stored = stored_labels(target, manifest)
        return new if stored is None else gathering.merged(new, stored)

    def doubt(self, target: Path, manifest: Manifest, has: Callable[[bytes], bool]) -> str:
        """Why the labels can't be those of the patches in the store; empty if they can."""
        if self.gathering is None:
            return ""
        samples = stored_labels(target, manifest)
        return "" if samples is None else _doubt(samples, manifest, has)


def _is_worthwhile(
    spec: DatasetSpec, given: Sequence[StrPath], folders: Sequence[Path], *, has_archives: bool
) -> bool:
    """Whether there may be labels for the store."""
    labels = spec.labels
    if given or labels is None:
        return bool(given)
    for modality in spec.modalities:
        hidden = {*modality.patch_fields} - {*modality.key.fields}
        if hidden & {labels.field, labels.split}:
            return True
    if has_archives:
        return bool(labels.tables)
    return any(next(files_in(f, table), None) for table in labels.tables for f in folders)


def add_labels(
    spec: DatasetSpec, labels: Sequence[StrPath], target: StrPath
) -> tuple[Manifest, list[str]]:
    """Add labels to a store, or replace them, without any source.

    Neither ``data.mdb`` nor the journal is changed.

    Args:
        spec: The dataset.
        labels: The files with labels.
        target: The store.

    Returns:
        The manifest, and warnings.

    Raises:
        UsageError: The dataset has no such table.
        SourceError: A table can't be read, its rows can't be used, or they name no patch in the
            store.
        StoreError: There is no store of this dataset, or it can't be written.
    """
    folder = Path(os.path.abspath(Path(target).expanduser()))  # noqa: PTH100 - keeps links
    labelling = Labelling(spec, labels, [])
    check_target(folder)
    if not (folder / DATA_NAME).is_file():
        raise StoreError(
            f"{folder} holds no store, so no labels can be added",
            "Give the sources in addition, or the folder of a store as --target-dir.",
        )
    with open_journal(folder):
        manifest = Manifest.read(folder)
        if manifest is None:
            raise StoreError(
                f"{folder} has no manifest, so no labels can be added",
                "Run the conversion's command with its sources first: it writes the manifest.",
            )
        check_same_dataset(manifest, spec, folder)
        samples = labelling.merged(folder, manifest)
        if samples is None or labelling.gathering is None:
            raise UsageError("no label file is given", "Give at least one with --labels.")
        pages = Pages(folder)
        doubt = _doubt(samples, manifest, lambda key: pages.search(key) is not None)
        if doubt:
            raise SourceError(doubt, "Check that the file belongs to this dataset.")
        manifest.describe_spec(spec)
        write_labels(folder, manifest, samples)
    return manifest, labelling.gathering.warnings


def count_labels(summary: Summary, manifest: Manifest) -> None:
    """Add the numbers of a store's samples and labels to a summary."""
    about = manifest.labels
    numbers = [(about or {}).get(name) for name in ("n_samples", "n_labelled")]
    if all(isinstance(number, int) for number in numbers):
        summary.n_samples, summary.n_labelled = numbers[0], numbers[1] or 0


def stored_labels(target: Path, manifest: Manifest) -> SampleTable | None:
    """The labels that a store has; None if it has none.

    Raises:
        StoreError: They are damaged.
    """
    from rico_hdl.labels.stored import load  # noqa: PLC0415 - takes numpy

    if not known_digests(manifest):
        return None
    try:
        data = mapped_labels(target)
        return None if data is None else load(data)
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{target / LABELS_NAME} is damaged: {error}",
            "Restore it from a copy; or remove it, and run the same command again with all label "
            "files.",
        ) from error


def write_labels(target: Path, manifest: Manifest, samples: SampleTable) -> None:
    """Write labels into a store, whose journal is locked, and into its manifest.

    Raises:
        StoreError: They can't be written.
    """
    from rico_hdl.labels.stored import chunks_of  # noqa: PLC0415 - takes numpy

    replace_labels(target, manifest, chunks_of(samples), _about(samples))


def _about(samples: SampleTable) -> dict[str, Any]:
    """What the manifest says about labels."""
    counts = Counter(samples.split.tolist())
    return {
        "file": LABELS_NAME,
        "n_samples": len(samples),
        "n_labelled": int(samples.is_labelled.sum()),
        "kind": samples.kind,
        "classes": list(samples.classes),
        "splits": {name: counts[i] for i, name in enumerate(samples.splits)},
        "modalities": {
            name: int((names.ends > names.begins).sum()) for name, names in samples.names.items()
        },
    }


def _doubt(samples: SampleTable, manifest: Manifest, has: Callable[[bytes], bool]) -> str:
    """Why labels can't be those of a store: it has none of their patches."""
    tried = 0
    for name, names in samples.names.items():
        state = manifest.modalities.get(name)
        if state is None or not state.n_patches:
            continue
        step = max(1, len(names) // _N_TRIED)
        for i in range(0, len(names), step):
            if key := names[i]:
                tried += 1
                if has(key):
                    return ""
    if not tried:
        return ""
    found = next(key for names in samples.names.values() for key in names if key)
    return (
        f"none of {tried} patches of the labels are in the store, such as "
        f"{found.decode(errors='replace')}"
    )
