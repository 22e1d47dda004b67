"""The values that describe a dataset: bands, modalities, the dataset itself.

They are immutable, hold the facts of a publisher's documentation, and are read by every stage.
Nothing here opens a file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Literal, get_args

from rico_hdl.errors import SpecError
from rico_hdl.spec.arrays import Arrays, check_array_files
from rico_hdl.spec.columns import Columns, check_columns
from rico_hdl.spec.containers import check_containers, container_of, suffix_of
from rico_hdl.spec.labels import Labels
from rico_hdl.spec.overlap import common_text
from rico_hdl.spec.template import Template

BAND_FIELD = "band"
"""The template field for a band's token; only the last segment may have it."""
ALL_BANDS = "all"
"""Requests every band of a modality, in band order; no band or preset has this name."""
JOINT = "+"
"""Joins bands and presets that are read together, as in ``10m+20m``; no name contains it."""
NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
"""The names that users and packages may give to datasets and modalities."""

Role = Literal["image", "mask", "auxiliary"]
"""The roles of modalities in training."""


@dataclass(frozen=True, slots=True)
class Band:
    """One named 2-D raster of a patch."""

    name: str
    """The safetensors key under which the band is stored."""
    token: str = ""
    """Its spelling in file names, for modalities with one file for each band; the name if empty."""
    index: int = 1
    """One-based position in its file; 1 for modalities with one file for each band."""
    shape: tuple[int, int] | None = None
    """(rows, columns) as published, for documentation; None if it varies. Never enforced."""
    aliases: tuple[str, ...] = ()
    """Other names under which readers find it, such as its names in other datasets."""

    def __post_init__(self) -> None:
        if not self.token:
            object.__setattr__(self, "token", self.name)


@dataclass(frozen=True, slots=True)
class Download:
    """A file that a publisher offers."""

    name: str
    """Its name, with ``*`` for parts that vary, such as the number of a part. It includes folders
    if files of the same name are published in several folders."""
    md5: str = ""
    """Its published MD5 sum (hex); empty if none is known, or if several files match the name."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A named selection of bands."""

    name: str
    """The name that readers request, such as ``rgb``."""
    bands: tuple[str, ...]
    """The safetensors keys, in the order in which they are read."""


@dataclass(frozen=True)
class Modality:
    """Patches of one dataset that share their bands and their layout on disk."""

    name: str
    """Short name in reports and in the manifest, such as ``s2``."""
    title: str
    """A description in a few words."""
    option: str
    """The command-line option that names its source folder, such as ``--s2-dir``."""
    files: Template
    """The paths of its files below the source folder. With ``{band}`` in the last segment, there is
    one file for each band; without it, one file holds all bands. If files hold many patches, their
    paths go on with the places of patches, as in ``{split}.h5/{sample:d}``."""
    key: Template
    """How a patch's key is made from the fields of ``files``."""
    bands: tuple[Band, ...]
    """The bands, in the order in which a multi-band file holds them."""
    example: str
    """The path of a real file below the source folder, for help and documentation."""
    folder: str
    """The publisher's name for the source folder, for help texts and examples."""
    columns: Columns | None = None
    """How parquet tables hold it, if it is published as such."""
    arrays: Arrays | None = None
    """Where its pixels are in array files or Zarr stores, if it is published as such; it then has
    no images."""
    dtype: str | None = None
    """The numpy name of every band's dtype, enforced; None if no real file was checked."""
    n_published: int | None = None
    """The number of patches that the publisher states."""
    downloads: tuple[Download, ...] = ()
    """The archives in which its files are published, most common first."""
    aliases: tuple[str, ...] = ()
    """Other spellings of the option that users paste, accepted with a notice."""
    presets: tuple[Preset, ...] = ()
    """Named selections of bands for readers. They have no effect on keys and records."""
    companions: tuple[str, ...] = ()
    """Names, as glob patterns, of files that the publisher ships next to the patches and that
    belong to none: quality layers, thumbnails, metadata. Other files with the extension of
    ``files`` are counted in a warning."""
    role: Role = "image"
    """The use of its patches in training: input, target, or neither unless asked for."""
    classes: tuple[str, ...] = ()
    """The names of a mask's classes, by pixel value from 0 on."""
    ignore: int | None = None
    """The pixel value of a mask that stands for no class."""
    on_request: bool = False
    """Whether it is converted only if its own source is named, and not from a place that is given
    for all modalities: for files next to the patches that few people need."""

    def __post_init__(self) -> None:
        check_containers(self.name, self.files, self.arrays, self.band_names)
        above = [segment for segment in self.files.segments[:-1] if BAND_FIELD in segment.fields]
        if above:
            raise SpecError(
                f"modality {self.name!r}: {{band}} is in a folder name of {self.files}",
                "Only the file name may contain it: all files of a patch are in one folder.",
            )
        unknown = set(self.key.fields) - set(self.files.fields)
        if unknown or BAND_FIELD in self.key.fields:
            raise SpecError(
                f"modality {self.name!r}: key {self.key} needs fields that {self.files} lacks",
                f"Fields that can be used: {', '.join(self.patch_fields)}.",
            )
        n_names = len({band.name for band in self.bands})
        places = {(band.token if self.one_file_per_band else band.index) for band in self.bands}
        if not self.bands or n_names != len(self.bands) or len(places) != len(self.bands):
            raise SpecError(f"modality {self.name!r}: bands need unique names and places")
        indexes = [band.index for band in self.bands]
        expected = (
            [1] * len(indexes) if self.one_file_per_band else list(range(1, len(indexes) + 1))
        )
        if indexes != expected:
            raise SpecError(f"modality {self.name!r}: band indexes {indexes}, expected {expected}")
        if self.role not in get_args(Role):
            raise SpecError(
                f"modality {self.name!r}: role {self.role!r}, expected image, mask or auxiliary"
            )
        self._check_layouts()
        self._check_names_for_readers()

    def _check_layouts(self) -> None:
        """Check that tables and stores give each field of a path once, and the axes of files."""
        if self.container is None:
            is_split = self.one_file_per_band
            check_array_files(
                self.name, self.suffix, self.arrays, self.band_names, is_split=is_split
            )
        if self.columns is not None:
            check_columns(
                self.name,
                self.columns,
                self.patch_fields,
                str(self.files),
                is_split=self.one_file_per_band,
            )
        if self.arrays is not None and not self.arrays.are_files and self.container is None:
            fields = list(self.arrays.fields)
            if sorted(fields) != sorted(self.files.fields):
                raise SpecError(
                    f"modality {self.name!r}: its arrays give the fields {', '.join(fields)}",
                    f"Expected those of {self.files}: {', '.join(self.files.fields)}.",
                )

    def _check_names_for_readers(self) -> None:
        """Check that each name that readers can request has one meaning."""
        names = [ALL_BANDS, *self.band_names]
        names += [alias for band in self.bands for alias in band.aliases]
        names += [preset.name for preset in self.presets]
        twice = {name for name in names if names.count(name) > 1 or JOINT in name}
        absent = {band for preset in self.presets for band in preset.bands} - {*self.band_names}
        if twice or absent:
            raise SpecError(
                f"modality {self.name!r}: ambiguous names {sorted(twice)}, unknown bands in "
                f"presets {sorted(absent)}"
            )

    @cached_property
    def one_file_per_band(self) -> bool:
        """Whether each band has a file of its own."""
        return BAND_FIELD in self.files.fields

    @cached_property
    def container(self) -> Template | None:
        """The paths of its files if each holds many patches, in arrays; else None."""
        return container_of(self.files)

    @cached_property
    def suffix(self) -> str:
        """The extension of its files, such as ``.tif``; empty if their names end in a field."""
        if self.container is not None:
            return suffix_of(self.container)
        last = self.files.segments[-1].parts[-1]
        _, dot, extension = last.rpartition(".") if isinstance(last, str) else ("", "", "")
        return dot + extension

    @cached_property
    def patch_fields(self) -> tuple[str, ...]:
        """The template fields that identify a patch: all except the band."""
        return tuple(name for name in self.files.fields if name != BAND_FIELD)

    @cached_property
    def band_names(self) -> tuple[str, ...]:
        """The safetensors keys, in band order."""
        return tuple(band.name for band in self.bands)

    @cached_property
    def keys(self) -> Template:
        """The template of keys; its fields match what those of the files' template match."""
        return self.key.narrowed(self.files.expressions)

    def may_have(self, key: str) -> bool:
        """Whether a key has the form of this modality's keys."""
        return self.keys.match(key) is not None

    @property
    def contract(self) -> list[object]:
        """Everything that decides its keys and records, JSON-ready; no titles or presets."""
        bands = [[band.name, band.token, band.index] for band in self.bands]
        contract: list[object] = [self.name, str(self.files), str(self.key), self.dtype, bands]
        if self.arrays is not None and self.arrays.are_files:
            contract.append([self.arrays.path, *self.arrays.axis_names])
        elif self.arrays is not None and self.container is not None:
            axes = [[axis.name, axis.field, axis.labels] for axis in self.arrays.axes]
            contract.append([self.arrays.path, *axes])
        if self.columns is not None and self.columns.pinned:
            contract.append(self.columns.contract)
        return contract

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of `contract`: a store holds patches of one contract for each modality."""
        return _sha256(self.contract)


@dataclass(frozen=True)
class DatasetSpec:
    """A published collection of patches. Its command, help and documentation derive from this."""

    name: str
    """The command's name, such as ``bigearthnet``."""
    title: str
    """The dataset's name as its authors write it."""
    summary: str
    """One sentence: what the patches are."""
    url: str
    """The publisher's page."""
    citation: str
    """The publication to cite, which is also the source of the band order."""
    modalities: tuple[Modality, ...]
    """Its modalities, in the order of their command-line options."""
    notes: tuple[str, ...] = field(default=())
    """Oddities that users should know, a sentence each."""
    topic: str = ""
    """The heading under which ``rico-hdl datasets`` lists it, such as ``Hyperspectral``."""
    keywords: tuple[str, ...] = ()
    """Words to find it by, in addition to those of names, titles and summary."""
    licence: str = ""
    """The licence that the publisher states; empty if unknown."""
    is_original: bool = False
    """Whether the original rico-hdl converts it as well."""
    labels: Labels | None = None
    """The labels of its patches, if their keys name them."""
    stored: InitVar[bool] = False
    """Whether the spec is read from a store, whose keys are known to differ."""

    def __post_init__(self, stored: bool) -> None:
        for attribute in ("name", "option"):
            values = [getattr(modality, attribute) for modality in self.modalities]
            if len(set(values)) != len(values):
                raise SpecError(f"dataset {self.name!r}: modalities share a {attribute}: {values}")
        if self.labels is not None and not self.labelled:
            raise SpecError(
                f"dataset {self.name!r}: no key has the field {self.labels.field!r} of its labels",
                f"Keys: {', '.join(str(modality.key) for modality in self.modalities)}.",
            )
        # The keys of an existing store have not met, whatever later versions know about keys.
        for one, other in () if stored else combinations(self.modalities, 2):
            if (key := common_text(one.keys, other.keys)) is not None:
                raise SpecError(
                    f"dataset {self.name!r}: patches of {one.name} and {other.name} may have the "
                    f"same key, such as {key!r}: {one.key} and {other.key}",
                    "Put different texts into the keys, such as {id}_image and {id}_mask, or give "
                    "fields patterns that can't both match.",
                )

    @property
    def labelled(self) -> list[Modality]:
        """The modalities whose keys name a class."""
        if self.labels is None:
            return []
        return [one for one in self.modalities if self.labels.field in one.key.fields]

    def modality_of(self, key: str, bands: Collection[str]) -> Modality | None:
        """The modality of a record, by the form of its key, or else by its bands; None if unclear.

        Args:
            key: The key.
            bands: The names of the record's bands.
        """
        names = set(bands)
        found = [m for m in self.modalities if set(m.band_names) == names]
        named = [m for m in found if m.may_have(key)]
        return (named or found)[0] if len(named) == 1 or len(found) == 1 else None

    def modality(self, name: str) -> Modality:
        """The modality with that name.

        Raises:
            SpecError: The dataset has no such modality.
        """
        for modality in self.modalities:
            if modality.name == name:
                return modality
        known = ", ".join(modality.name for modality in self.modalities)
        raise SpecError(f"dataset {self.name!r} has no modality {name!r}", f"It has: {known}.")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of everything that decides keys and records; not of titles and notes.

        Version 0.1.0 writes it into its manifests. Later versions write that of each modality.
        """
        return _sha256([self.name, [modality.contract for modality in self.modalities]])


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
