"""The values that describe a dataset: bands, modalities, the dataset itself.

They are immutable, hold the facts of a publisher's documentation, and are read by every stage.
Nothing here opens a file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Literal, get_args

from rico_hdl.errors import SpecError
from rico_hdl.spec.arrays import Arrays, check_array_files
from rico_hdl.spec.bands import BAND_FIELD as BAND_FIELD  # noqa: PLC0414 - used with modalities
from rico_hdl.spec.bands import (
    BAND_FIELDS,
    BAND_FOLDER_FIELD,
    Band,
    BandFile,
    check_bands,
    expressions_of,
    files_of,
    spellings_of,
)
from rico_hdl.spec.columns import Columns, check_columns
from rico_hdl.spec.containers import check_containers, container_of, suffix_of
from rico_hdl.spec.labels import Labels, check_colours
from rico_hdl.spec.overlap import common_text
from rico_hdl.spec.path_checks import check_first_folder, check_key
from rico_hdl.spec.template import Template

ALL_BANDS = "all"
"""Requests every band of a modality, in band order; no band or preset has this name."""
JOINT = "+"
"""Joins bands and presets that are read together, as in ``10m+20m``; no name contains it."""
NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
"""The names that users and packages may give to datasets and modalities."""

Role = Literal["image", "mask", "auxiliary"]
"""The roles of modalities in training."""


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
    """The paths of its files below the source folder. With ``{band}``, a patch has a file for each
    token of a band; without it, one file holds all bands. If files hold many patches, their paths
    go on with the places of patches, as in ``{split}.h5/{sample:d}``."""
    key: Template
    """How a patch's key is made from the fields of ``files``."""
    bands: tuple[Band, ...]
    """The bands; if one file holds all, in the order in which it does."""
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
    archive_names_folder: bool = False
    """Whether archives lack the first folder of ``files``, and are called like it."""
    colours: tuple[str, ...] = ()
    """The colour of each of these classes, such as ``#00ff00``."""
    time: str = ""
    """The field of the key that orders the patches of a place; the place is all other fields."""

    def __post_init__(self) -> None:
        check_containers(self.name, self.files, self.arrays, tuple(one.name for one in self.bands))
        check_key(self.name, self.files, self.key)
        if self.archive_names_folder:
            check_first_folder(self.name, self.files)
        check_bands(self.name, self.bands, self.band_files, self.files)
        check_colours(f"modality {self.name!r}", self.colours, self.classes)
        if self.time and self.time not in self.key.fields:
            raise SpecError(
                f"modality {self.name!r}: its time is the field {self.time!r}, which {self.key} "
                "lacks",
                f"Name one of the key's fields: {', '.join(self.key.fields)}.",
            )
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
    def is_split(self) -> bool:
        """Whether a patch may have several files, which differ in their bands."""
        return BAND_FIELD in self.files.fields

    @cached_property
    def one_file_per_band(self) -> bool:
        """Whether each band has a file of its own."""
        return self.is_split and len(self.band_files) == len(self.bands)

    @cached_property
    def band_files(self) -> tuple[BandFile, ...]:
        """The files that each patch has, in the order in which they are read."""
        return files_of(self.bands, self.files)

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The first spelling of ``{band}`` for each of the files."""
        return tuple(file.tokens[0] for file in self.band_files)

    @cached_property
    def has_band_folders(self) -> bool:
        """Whether ``{band_folder}`` tells files apart in addition to ``{band}``."""
        return BAND_FOLDER_FIELD in self.files.fields

    @cached_property
    def names_in_files(self) -> tuple[str, ...]:
        """The names of the bands in the order in which the files hold them."""
        return tuple(name for file in self.band_files for name in file.names)

    @cached_property
    def has_variants(self) -> bool:
        """Whether a file may have one of several spellings."""
        return any(len(file.tokens) > 1 for file in self.band_files)

    @cached_property
    def paths(self) -> Template:
        """The template of files, whose fields of bands match nothing but those of the bands."""
        return self.files.narrowed(expressions_of(self.band_files, self.files))

    @cached_property
    def paths_anywhere(self) -> Template:
        """The same below any number of folders, as in archives."""
        return self.paths.at_any_depth()

    @cached_property
    def _spellings(self) -> dict[tuple[str, str], tuple[int, int]]:
        return spellings_of(self.band_files)

    def file_of(self, values: Mapping[str, str]) -> tuple[int, int] | None:
        """The file that a path belongs to.

        Args:
            values: The values of the path's fields.

        Returns:
            The zero-based positions of the file and of its spelling; None if no band is in it.
        """
        return self._spellings.get((values.get(BAND_FOLDER_FIELD, ""), values.get(BAND_FIELD, "")))

    def fields_of(self, path: str) -> dict[str, str] | None:
        """The values of the fields that identify a patch, from the path of one of its files.

        Fields that the key lacks are among them. None if it is no such path.
        """
        values = self.paths_anywhere.match(path)
        if values is None or self.file_of(values) is None:
            return None
        return {name: values[name] for name in self.patch_fields}

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
        """The template fields that identify a patch: all except those of bands."""
        return tuple(name for name in self.files.fields if name not in BAND_FIELDS)

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
        bands = [band.contract for band in self.bands]
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
    """The labels and splits of its patches, if it has any."""
    pairs_by: tuple[str, ...] = ()
    """The fields of keys that patches of one sample share; if empty, those that the keys of the
    wanted modalities have in common."""
    stored: InitVar[bool] = False
    """Whether the spec is read from a store, whose keys are known to differ."""

    def __post_init__(self, stored: bool) -> None:
        for attribute in ("name", "option"):
            values = [getattr(modality, attribute) for modality in self.modalities]
            if len(set(values)) != len(values):
                raise SpecError(f"dataset {self.name!r}: modalities share a {attribute}: {values}")
        self._check_fields()
        # The keys of an existing store have not met, whatever later versions know about keys.
        for one, other in () if stored else combinations(self.modalities, 2):
            if (key := common_text(one.keys, other.keys)) is not None:
                raise SpecError(
                    f"dataset {self.name!r}: patches of {one.name} and {other.name} may have the "
                    f"same key, such as {key!r}: {one.key} and {other.key}",
                    "Put different texts into the keys, such as {id}_image and {id}_mask, or give "
                    "fields patterns that can't both match.",
                )

    def _check_fields(self) -> None:
        """Check that the fields of labels and pairs exist."""
        keys = f"Keys: {', '.join(str(modality.key) for modality in self.modalities)}."
        known = {name for one in self.modalities for name in (*one.key.fields, *one.patch_fields)}
        labels = self.labels or Labels(next(iter(known)))
        for name in filter(None, (labels.field, labels.split)):
            if name not in known:
                raise SpecError(
                    f"dataset {self.name!r}: no key has the field {name!r} of its labels", keys
                )
        for name in self.pairs_by:
            if not any(name in one.key.fields for one in self.modalities):
                raise SpecError(
                    f"dataset {self.name!r}: no key has the field {name!r} of pairs_by", keys
                )

    @property
    def labelled(self) -> list[Modality]:
        """The modalities whose keys name a class."""
        if self.labels is None or not self.labels.field:
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
