"""The manifest ``rico-hdl.json``: what a store holds, where it came from, and what is missing.

In: the state of a store. Out: a JSON file beside ``data.mdb``, replaced as a whole. It says nothing
that would differ between two conversions of the same sources, except where the sources lie.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rico_hdl import digest
from rico_hdl._version import __version__
from rico_hdl.errors import StoreError
from rico_hdl.patch import ArchiveFailure, Failure, PatchFailure
from rico_hdl.spec import DatasetSpec
from rico_hdl.store.totals import ModalityTotals, Totals

MANIFEST_NAME: Final = "rico-hdl.json"
FORMAT: Final = 1
"""The version of the manifest's own format."""
MAX_LAYOUTS: Final = 10
"""Layouts of a modality that the manifest lists: more than one is rare, and dozens are noise."""


@dataclass
class LayoutCount:
    """How many records of a modality look alike."""

    bands: dict[str, str]
    """Band name to dtype and shape, such as ``uint16 120x120``, in band order."""
    n_patches: int
    """Records that are laid out so."""


@dataclass
class ModalityState:
    """One modality's part of a store."""

    sources: list[str] = field(default_factory=list)
    """Where its records were converted from: absolute paths, sorted."""
    bands: list[str] = field(default_factory=list)
    """The safetensors keys of its records, in band order."""
    n_patches: int = 0
    """Records of this modality."""
    n_bytes: int = 0
    """Bytes of these records."""
    n_constant: int = 0
    """Records whose bands each have one value in all pixels: usually a defect of the release."""
    layouts: list[LayoutCount] = field(default_factory=list)
    """The most frequent layouts, most frequent first, at most `MAX_LAYOUTS`."""
    complete: bool = False
    """Whether the last run went through to its end and left out no patch."""


@dataclass
class Manifest:
    """The state of a store."""

    dataset: str | None = None
    """The spec's name; None where the store holds records of no known dataset."""
    spec_fingerprint: str | None = None
    """The spec's fingerprint."""
    tool: str = f"rico-hdl {__version__}"
    """What wrote the store last."""
    format: int = FORMAT
    """The version of this file's format."""
    modalities: dict[str, ModalityState] = field(default_factory=dict)
    """The state of each modality that was converted, by name."""
    failures: list[Failure] = field(default_factory=list)
    """Patches that were left out, sorted by key."""
    content_digest: str = field(default_factory=lambda: digest.to_text(0))
    """See `rico_hdl.digest`; of all records, known or not."""
    n_patches: int = 0
    """All records."""

    @property
    def complete(self) -> bool:
        """Whether every modality is."""
        return bool(self.modalities) and all(m.complete for m in self.modalities.values())

    def to_json(self) -> str:
        """The file's text."""
        values = dataclasses.asdict(self)
        values["failures"] = [failure.to_dict() for failure in self.failures]
        return json.dumps(values | {"complete": self.complete}, indent=2, ensure_ascii=False) + "\n"

    def describe(self, totals: Totals, spec: DatasetSpec) -> None:
        """Say what a store holds, according to its journal."""
        self.dataset, self.spec_fingerprint = spec.name, spec.fingerprint
        self.tool = f"rico-hdl {__version__}"
        self.content_digest = digest.to_text(totals.digest)
        self.n_patches = totals.n_records
        known = {modality.name: modality for modality in spec.modalities}
        for name, part in totals.modalities.items():
            if name not in known or not part.n_patches:
                continue
            state = self.modalities.setdefault(name, ModalityState())
            state.bands = list(known[name].band_names)
            state.sources = sorted({*part.locations} - {""} | {*state.sources})
            state.n_patches, state.n_bytes = part.n_patches, part.n_bytes
            state.n_constant = part.n_constant
            state.layouts = layouts_of(part, known[name].band_names)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read the file's text.

        Raises:
            ValueError: It is no manifest, or one of a later format.
        """
        values: Any = json.loads(text)
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise ValueError(f"not a manifest of format {FORMAT}")
        values.pop("complete", None)
        try:
            modalities = {}
            for name, state in values.pop("modalities").items():
                layouts = [LayoutCount(**layout) for layout in state.pop("layouts")]
                modalities[name] = ModalityState(layouts=layouts, **state)
            failures = [_failure_from(failure) for failure in values.pop("failures")]
            digest.from_text(values["content_digest"])
            return cls(modalities=modalities, failures=failures, **values)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not a manifest of format {FORMAT}: {error}") from error

    def write(self, target: Path) -> None:
        """Replace the manifest in a target folder: readers see the old one or the new one, whole.

        Raises:
            StoreError: It can't be written; the old one is still there.
        """
        path = target / MANIFEST_NAME
        draft = target / f".{MANIFEST_NAME}.part"
        try:
            with draft.open("w", encoding="utf-8") as file:
                file.write(self.to_json())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            _sync_folder(target)
        except OSError as error:
            raise StoreError(
                f"{path}: the manifest can't be written: {error.strerror}",
                "The records are stored. Free some space, check the permissions, and run the same "
                "command again: it writes what is missing.",
            ) from error

    @classmethod
    def read(cls, target: Path) -> Manifest | None:
        """The manifest of a target folder, or None where there is none.

        Raises:
            StoreError: There is one, and it can't be read.
        """
        path = target / MANIFEST_NAME
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError(
                f"{path}: the manifest can't be read: {error}",
                "It may be of a newer rico-hdl: update. If it is damaged, move it away: it is made "
                "anew from data.mdb, which is not touched.",
            ) from error


def layouts_of(part: ModalityTotals, band_names: Sequence[str]) -> list[LayoutCount]:
    """The most frequent layouts of a modality, with bands in band order."""
    place = {name: i for i, name in enumerate(band_names)}
    found = sorted(part.layouts.items(), key=lambda item: (-item[1], item[0]))
    return [
        LayoutCount(
            {
                name: f"{dtype} {'x'.join(map(str, shape))}"
                for name, dtype, shape in sorted(layout, key=lambda band: place.get(band[0], -1))
            },
            n,
        )
        for layout, n in found[:MAX_LAYOUTS]
    ]


def check_same_dataset(manifest: Manifest, spec: DatasetSpec, target: Path) -> None:
    """Make sure that a store is of this dataset.

    Raises:
        StoreError: It holds another dataset, or was made from another version of the spec.
    """
    if manifest.dataset not in (None, spec.name):
        raise StoreError(
            f"{target} holds {manifest.dataset}, expected {spec.name} or an empty folder",
            "Choose another --target-dir: one store holds one dataset.",
        )
    if manifest.spec_fingerprint not in (None, spec.fingerprint):
        raise StoreError(
            f"{target} was made by {manifest.tool} with other keys or bands for {spec.name}",
            "Choose another --target-dir, or continue with the version that began it.",
        )


_CHECKSUM_REASON_OF_0_1: Final = "its MD5 sum"
"""How version 0.1.0 began the reason of a wrong MD5 sum, in manifests without a kind."""


def _failure_from(values: dict[str, Any]) -> Failure:
    """A failure of a manifest; version 0.1.0 noted archives as patches without a key."""
    kind = values.pop("kind", None)
    if kind == "patch" or (kind is None and values["key"]):
        return PatchFailure(**values)
    reason = values["reason"]
    if kind is None:
        kind = "checksum" if reason.startswith(_CHECKSUM_REASON_OF_0_1) else "damaged"
    return ArchiveFailure(kind, values["modality"], values["path"], reason)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows can't open folders and needs no such thing."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
