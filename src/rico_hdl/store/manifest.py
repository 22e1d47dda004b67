"""The manifest ``rico-hdl.json``: what a store holds, where it came from, and what is missing.

In: the state of a store. Out: a JSON file next to ``data.mdb``, replaced as a whole. Two
conversions of the same sources give the same manifest, except for the paths of the sources. Fields
that this version doesn't know, such as those of a later one, are kept in their places.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_args

from rico_hdl._version import __version__
from rico_hdl.decoding.formats import format_of
from rico_hdl.errors import StoreError
from rico_hdl.sources.files import open_regular
from rico_hdl.spec import DatasetSpec
from rico_hdl.spec.portable import as_rows, combined
from rico_hdl.store import digest, format_1
from rico_hdl.store.fields import FieldError, Fields, load
from rico_hdl.store.totals import ModalityTotals, Totals
from rico_hdl.system.durable import sync_folder
from rico_hdl.values import (
    ArchiveFailure,
    ArchiveFailureKind,
    Failure,
    PatchFailure,
    place_of,
    printable,
)

MANIFEST_NAME: Final = "rico-hdl.json"
DRAFT_NAME: Final = f".{MANIFEST_NAME}.part"
FORMAT: Final = 2
"""The version of the manifest format that is written."""
FORMATS_READ: Final = (1, FORMAT)
"""The versions of the manifest format that can be read."""
MAX_LAYOUTS: Final = 10
"""Layouts listed for each modality: more than one is rare, and dozens are noise."""

_BAND = re.compile(r"[a-z0-9_]+ ((?:0|[1-9][0-9]{0,18})(?:x(?:0|[1-9][0-9]{0,18}))*)?")
"""A band of a layout: dtype and shape."""
_OWN: Final = "rico-hdl"
_ARCHIVE_KINDS: Final[dict[str, ArchiveFailureKind]] = {
    kind: kind for kind in get_args(ArchiveFailureKind)
}


@dataclass
class LayoutCount:
    """A layout, and the number of a modality's records that have it."""

    bands: dict[str, str]
    """Band name to dtype and shape, such as ``uint16 120x120``, in band order."""
    n_patches: int
    """Records with this layout."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Band name to shape, in band order."""
        return {band: _shape(text) for band, text in self.bands.items()}


@dataclass
class ModalityState:
    """One modality's part of a store."""

    sources: list[str] = field(default_factory=list)
    """The sources that its records were converted from: absolute paths, sorted."""
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
    """Whether the last run reached its end and left out no patch."""
    spec_fingerprint: str | None = None
    """`rico_hdl.Modality.fingerprint` of the spec that it was made with; None if unknown."""
    decoded_by: str | None = None
    """The decoder that defines the pixels of lossy files; None for lossless ones, or if unknown."""


@dataclass
class Manifest:
    """The state of a store."""

    dataset: str | None = None
    """The spec's name; None if the store holds records of no known dataset."""
    tool: str = f"{_OWN} {__version__}"
    """The tool and version that wrote the store last."""
    requires_to_read: list[str] = field(default_factory=list)
    """Features of later versions that a reader must support; this version supports none."""
    requires_to_write: list[str] = field(default_factory=list)
    """Features of later versions that a writer must support; this version supports none."""
    modalities: dict[str, ModalityState] = field(default_factory=dict)
    """The state of each modality that was converted, by name."""
    failures: list[Failure] = field(default_factory=list)
    """Archives that can't be trusted and patches that were left out, sorted by key."""
    other_failures: list[dict[str, Any]] = field(default_factory=list)
    """Failures of kinds that this version doesn't know, as they were read."""
    content_digest: str = field(default_factory=lambda: digest.to_text(0))
    """The digest of all records, of known modalities or not; see `rico_hdl.store.digest`."""
    n_patches: int = 0
    """All records."""
    spec: dict[str, Any] | None = None
    """The spec that the store was made with; see `rico_hdl.spec.portable`."""
    selection: dict[str, Any] | None = None
    """The criteria that its patches meet; None if it holds everything that its sources do."""
    made_of: dict[str, Any] | None = None
    """The stores that it was made of; None for a conversion."""
    labels: dict[str, Any] | None = None
    """What the file with the labels is; see `rico_hdl.store.labelling`. None without labels."""
    whole_fingerprint: str | None = None
    """The fingerprint of the whole dataset in a manifest of version 0.1.0, if it doesn't belong to
    a built-in dataset; None as soon as the store is written to."""
    unknown: dict[tuple[object, ...], dict[str, Any]] = field(default_factory=dict)
    """Fields that this version doesn't know, by their place; see `_unknown_at`."""

    @property
    def complete(self) -> bool:
        """Whether every modality is complete."""
        return bool(self.modalities) and all(m.complete for m in self.modalities.values())

    def to_json(self) -> str:
        """The file's text. The spec, which can be long and is meant for programs, is one line."""
        modalities = {
            name: {**dataclasses.asdict(state), **self._unknown_at("modality", name)}
            for name, state in self.modalities.items()
        }
        for name, state in self.modalities.items():
            modalities[name]["layouts"] = [
                {
                    **dataclasses.asdict(layout),
                    **self._unknown_at("layout", name, *layout.bands.items()),
                }
                for layout in state.layouts
            ]
        failures = [
            {**failure.to_dict(), **self._unknown_at("failure", failure.kind, *place_of(failure))}
            for failure in self.failures
        ]
        values = {
            "format": FORMAT,
            "dataset": self.dataset,
            "tool": self.tool,
            "requires_to_read": self.requires_to_read,
            "requires_to_write": self.requires_to_write,
            "modalities": modalities,
            "failures": [*failures, *self.other_failures],
            "content_digest": self.content_digest,
            "n_patches": self.n_patches,
            "complete": self.complete,
            "selection": self.selection,
            "made_of": self.made_of,
            **({} if self.labels is None else {"labels": self.labels}),
            **self._unknown_at(),
        }
        text = printable(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False))
        spec = json.dumps(self.spec, ensure_ascii=False, allow_nan=False)
        return text.removesuffix("\n}") + f',\n  "spec": {spec}\n}}\n'

    def _unknown_at(self, *place: object) -> dict[str, Any]:
        """The unknown fields of the manifest itself, or of a modality, layout or failure."""
        return self.unknown.get(place, {})

    def describe(self, totals: Totals, spec: DatasetSpec | None) -> None:
        """Fill in what a store holds, according to its journal.

        Args:
            totals: The journal's totals.
            spec: The dataset; None if it is unknown.
        """
        self.tool = f"{_OWN} {__version__}"
        self.content_digest = digest.to_text(totals.digest)
        self.n_patches = totals.n_records
        if spec is None:
            return
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
        self.describe_spec(spec)

    def describe_spec(self, spec: DatasetSpec) -> None:
        """Fill in the dataset, and the tool that writes."""
        self.dataset, self.spec = spec.name, combined(self.spec, as_rows(spec))
        self.tool = f"{_OWN} {__version__}"
        for modality in spec.modalities:
            if state := self.modalities.get(modality.name):
                state.spec_fingerprint = modality.fingerprint
                state.decoded_by = format_of(str(modality.files)).decoded_by
        self.whole_fingerprint = None

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Parse the file's text.

        Raises:
            ValueError: It is not a manifest; the message says where.
            StoreError: It was written by a later version.
        """
        values = load(text)
        if not isinstance(values, dict) or type(version := values.get("format")) is not int:
            raise FieldError("it is not an object with a whole number as its 'format'")
        if version not in FORMATS_READ:
            known = " and ".join(map(str, FORMATS_READ))
            raise newer_error(values, f"has format {version}, but only formats {known} can be read")
        if version == 1:
            values = format_1.upgraded(values)
        fields = Fields(values, "the manifest")
        del values
        fields.count("format")
        fields.flag("complete", default=False)  # it follows from the modalities
        found = cls(
            dataset=fields.text_or_none("dataset"),
            tool=fields.text_or_none("tool") or "",
            requires_to_read=fields.texts("requires_to_read", default=[]),
            requires_to_write=fields.texts("requires_to_write", default=[]),
            content_digest=fields.text("content_digest"),
            n_patches=fields.count("n_patches"),
            spec=fields.anything("spec"),
            selection=fields.anything("selection"),
            made_of=fields.anything("made_of"),
            labels=fields.anything("labels"),
            whole_fingerprint=fields.text_or_none(format_1.WHOLE_FINGERPRINT),
        )
        digest.from_text(found.content_digest)
        if found.requires_to_read:
            raise newer_error({"tool": found.tool}, needs("reads", found.requires_to_read))
        for name, state in fields.parts("modalities", "modality").items():
            found.modalities[name] = found._state_from(name, state)
        for failure in fields.items("failures", "failure"):
            found._add_failure(failure)
        found._keep((), fields)
        return found

    def _keep(self, place: tuple[object, ...], fields: Fields) -> None:
        if rest := fields.rest():
            self.unknown[place] = rest

    def _state_from(self, name: str, fields: Fields) -> ModalityState:
        state = ModalityState(
            sources=fields.texts("sources"),
            bands=fields.texts("bands"),
            n_patches=fields.count("n_patches"),
            n_bytes=fields.count("n_bytes"),
            n_constant=fields.count("n_constant"),
            complete=fields.flag("complete"),
            spec_fingerprint=fields.text_or_none("spec_fingerprint"),
            decoded_by=fields.text_or_none("decoded_by"),
        )
        for item in fields.items("layouts", f"{fields.place}, layout"):
            layout = LayoutCount(item.texts_by_name("bands"), item.count("n_patches"))
            for band, text in layout.bands.items():
                if not _BAND.fullmatch(text):
                    raise FieldError(
                        f"{item.place}: band {band!a} is {text!a}, expected a dtype and shape "
                        "such as 'uint16 120x120'"
                    )
            state.layouts.append(layout)
            self._keep(("layout", name, *layout.bands.items()), item)
        self._keep(("modality", name), fields)
        return state

    def _add_failure(self, fields: Fields) -> None:
        kind = fields.text("kind")
        if kind != PatchFailure.kind and kind not in _ARCHIVE_KINDS:
            self.other_failures.append({"kind": kind, **fields.rest()})
            return
        key, band = fields.text_or_none("key") or "", fields.text_or_none("band")
        modality, path = fields.text("modality"), fields.text("path")
        reason = fields.text("reason")
        failure: Failure
        if kind == PatchFailure.kind:
            failure = PatchFailure(key, modality, path, band, reason)
        else:
            failure = ArchiveFailure(_ARCHIVE_KINDS[kind], modality, path, reason)
        self.failures.append(failure)
        self._keep(("failure", kind, *place_of(failure)), fields)

    def write(self, target: Path) -> None:
        """Replace the manifest in a target folder; readers see either the old one or the new one.

        Raises:
            StoreError: It can't be written; the old one is unchanged.
        """
        path = target / MANIFEST_NAME
        draft = target / DRAFT_NAME
        try:
            # A killed conversion may have left one; "x" writes through nothing that appears since.
            draft.unlink(missing_ok=True)
            with draft.open("x", encoding="utf-8") as file:
                file.write(self.to_json())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            sync_folder(target)
        except OSError as error:
            raise StoreError(
                f"{path}: the manifest can't be written: {error.strerror}",
                "The records are stored. Free some space, check the permissions, and run the same "
                "command again: it writes the manifest.",
            ) from error

    @classmethod
    def read(cls, target: Path) -> Manifest | None:
        """The manifest of a target folder, or None if there is none.

        Raises:
            StoreError: It can't be read, is damaged, or was written by a later version.
        """
        path = target / MANIFEST_NAME
        try:
            with os.fdopen(open_regular(path), encoding="utf-8") as file:
                return cls.from_json(file.read())
        except FileNotFoundError:
            return None
        except StoreError as error:
            raise StoreError(f"{path}: the manifest {error.message}", error.hint) from error
        except OSError as error:
            raise StoreError(
                f"{path}: the manifest can't be read: {error.strerror}",
                "Check the permissions, and that the disk or network mount is available.",
            ) from error
        except ValueError as error:
            raise StoreError(
                f"{path}: the manifest is damaged: {error}",
                "Restore it from a copy. Without a copy, move it away and run the conversion's "
                "command again: it writes a new manifest from data.mdb, which it does not change. "
                "Only the manifest knows which archives were damaged, so check the store with "
                "rico-hdl verify --sources afterwards.",
            ) from error


def newer_error(values: dict[str, Any], what: str) -> StoreError:
    """The error for a manifest that only a later version understands."""
    tool = values.get("tool")
    writer = tool if isinstance(tool, str) and tool.isprintable() else "a later rico-hdl"
    return StoreError(
        f"{what} by this rico-hdl, version {__version__}",
        f"The store was written by {writer}: use that version or a later one. Do not remove the "
        "manifest: it holds information that no other file of the store has.",
    )


def needs(verb: str, features: list[str]) -> str:
    """What a store requires of programs, for an error."""
    names = ", ".join(map(ascii, features))
    return f"requires {names} of every program that {verb} the store, which is not supported"


def _shape(text: str) -> tuple[int, ...]:
    sides = text.rpartition(" ")[2]
    return tuple(int(side) for side in sides.split("x")) if sides else ()


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
