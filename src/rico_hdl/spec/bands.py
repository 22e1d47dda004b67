"""Bands, and the files that hold them.

In: the bands of a modality, and the template of its files. Out: the files that each patch has, in
the order in which they are read. A band names its file by up to two texts: its token, for
``{band}``, and its folder, for ``{band_folder}``. Bands that name the same file are in it together.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rico_hdl.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rico_hdl.spec.template import Template

BAND_FIELD: Final = "band"
"""The template field for a band's token."""
BAND_FOLDER_FIELD: Final = "band_folder"
"""The template field for a band's folder, if that is called by something else than the band."""
BAND_FIELDS: Final = frozenset({BAND_FIELD, BAND_FOLDER_FIELD})
"""The template fields in which the files of a patch differ."""


@dataclass(frozen=True, slots=True)
class Band:
    """One named 2-D raster of a patch."""

    name: str
    """The safetensors key under which the band is stored."""
    token: str = ""
    """The spelling of its file in paths, where the template has ``{band}``; the name if empty.
    Bands with the same token are in one file."""
    index: int = 1
    """One-based position in its file; 1 if it has the file to itself."""
    shape: tuple[int, int] | None = None
    """(rows, columns) as published, for documentation; None if it varies. Never enforced."""
    aliases: tuple[str, ...] = ()
    """Other names under which readers find it, such as its names in other datasets."""
    other_tokens: tuple[str, ...] = ()
    """Other spellings of its file: a patch has a file for exactly one of all spellings."""
    folder: str = ""
    """The name of its folder, where the template has ``{band_folder}``."""

    def __post_init__(self) -> None:
        if not self.token:
            object.__setattr__(self, "token", self.name)

    @property
    def contract(self) -> list[object]:
        """Everything that decides where its pixels are, JSON-ready."""
        contract: list[object] = [self.name, self.token, self.index]
        if self.other_tokens or self.folder:
            contract += [list(self.other_tokens), self.folder]
        return contract


@dataclass(frozen=True, slots=True)
class BandFile:
    """One of the files that each patch has."""

    bands: tuple[Band, ...]
    """Its bands, in the order of the file."""
    tokens: tuple[str, ...]
    """The spellings of ``{band}``, of which a patch has one; one empty text without that field."""
    folder: str = ""
    """The value of ``{band_folder}``."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its bands, in the order of the file."""
        return tuple(band.name for band in self.bands)

    @property
    def only_band(self) -> str | None:
        """The name of the only band in one of several files; None otherwise."""
        return self.bands[0].name if self.tokens[0] and len(self.bands) == 1 else None


def files_of(bands: Sequence[Band], template: Template) -> tuple[BandFile, ...]:
    """The files that each patch has, in the order of the first band of each."""
    if BAND_FIELD not in template.fields:
        return (BandFile(tuple(bands), ("",)),)
    groups: dict[tuple[str, str], list[Band]] = {}
    for band in bands:
        groups.setdefault((band.folder, band.token), []).append(band)
    return tuple(
        BandFile(
            tuple(sorted(group, key=lambda band: band.index)),
            tuple(dict.fromkeys((token, *(t for band in group for t in band.other_tokens)))),
            folder,
        )
        for (folder, token), group in groups.items()
    )


def spellings_of(files: Sequence[BandFile]) -> dict[tuple[str, str], tuple[int, int]]:
    """The zero-based positions of a file and of its spelling, by folder and token."""
    return {
        (file.folder, token): (number, variant)
        for number, file in enumerate(files)
        for variant, token in enumerate(file.tokens)
    }


def check_bands(
    modality: str, bands: Sequence[Band], files: Sequence[BandFile], template: Template
) -> None:
    """Check that each band has one place, of its own.

    Args:
        modality: The modality's name.
        bands: Its bands.
        files: The files that hold them.
        template: The template of their paths.

    Raises:
        SpecError: Bands share a name or a place, places are left out, or spellings of files
            contradict the template or each other.
    """
    place = f"modality {modality!r}"
    is_split = BAND_FIELD in template.fields
    texts = [(band.folder, band.token) if is_split else () for band in bands]
    places = {(*text, band.index) for text, band in zip(texts, bands, strict=True)}
    _check_spellings(place, bands, files, template)
    if not bands or len({band.name for band in bands}) != len(bands) or len(places) != len(bands):
        raise SpecError(f"{place}: bands need unique names and places")
    for file in files:
        indexes = [band.index for band in file.bands]
        if indexes != list(range(1, len(indexes) + 1)):
            raise SpecError(
                f"{place}: band indexes {indexes}, expected {list(range(1, len(indexes) + 1))}"
                + f" in the file of {file.tokens[0]}" * is_split,
                "Number the bands of each file from 1 on, without a gap.",
            )


def _check_spellings(
    place: str, bands: Sequence[Band], files: Sequence[BandFile], template: Template
) -> None:
    """Check that the spellings of files fit the template, and name one file each.

    Raises:
        SpecError: They don't.
    """
    has_folders = BAND_FOLDER_FIELD in template.fields
    if has_folders and BAND_FIELD not in template.fields:
        raise SpecError(
            f"{place}: {template} has {{band_folder}}, but no {{band}}",
            "If folders alone tell bands apart, write {band} there.",
        )
    for band in bands:
        if bool(band.folder) != has_folders:
            raise SpecError(
                f"{place}: band {band.name} has the folder {band.folder!r}, and the files are "
                f"{template}",
                "Each band needs a folder if the template has {band_folder}, and none otherwise.",
            )
        texts = (band.token, *band.other_tokens, band.folder)
        if BAND_FIELD in template.fields and any("/" in text for text in texts):
            raise SpecError(
                f"{place}: band {band.name} has a token or folder with a slash",
                "Folders belong into the template: {band_folder}/{id}_{band}.tif, say.",
            )
        if band.other_tokens and BAND_FIELD not in template.fields:
            raise SpecError(
                f"{place}: band {band.name} has several tokens, and {template} has no {{band}}",
                "Tokens are spellings of bands in paths: write {band} where they are.",
            )
    named = Counter((file.folder, token) for file in files for token in file.tokens)
    if twice := sorted(token for (_, token), n in named.items() if n > 1):
        raise SpecError(
            f"{place}: tokens of several files: {', '.join(twice)}",
            "Bands of one file have the same first token, and files have no token in common.",
        )


def alternatives(texts: Sequence[str]) -> str:
    """A regular expression that matches each of some texts, and nothing else."""
    return f"(?:{'|'.join(re.escape(text) for text in sorted({*texts}, key=len, reverse=True))})"


def expressions_of(files: Sequence[BandFile], template: Template) -> Mapping[str, str]:
    """Regular expressions that the fields of `BAND_FIELDS` match, where they need any.

    A token with a separator, as in ``{id}_10m_RGB.tif``, would otherwise be split: the field before
    it takes as much as it can, and any folder would be taken for a band's. Tokens of letters and
    digits in file names are found without, and faster.
    """
    if BAND_FIELD not in template.fields:
        return {}
    tokens = [token for file in files for token in file.tokens]
    is_in_folder = any(BAND_FIELDS & segment.fields for segment in template.segments[:-1])
    if all(map(str.isalnum, tokens)) and not is_in_folder:
        return {}
    return {
        BAND_FIELD: alternatives(tokens),
        BAND_FOLDER_FIELD: alternatives([file.folder for file in files]),
    }
