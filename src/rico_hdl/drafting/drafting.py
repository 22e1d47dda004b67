"""Drafting a spec from what a folder or an archive holds.

In: a path. Out: a `SpecDraft`: the text of a TOML file that loads, and what was found. The first
stage samples paths, the second groups files into modalities, the third makes templates, and this
module checks them against each other and writes the text.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from rico_hdl.drafting.grouping import Group, groups_of, split_at
from rico_hdl.drafting.sampling import Facts, Sample, nothing_to_draft
from rico_hdl.drafting.tables import table_text, tables_in
from rico_hdl.drafting.templates import Draft, claims, draft_of, narrow
from rico_hdl.drafting.toml_text import toml_text
from rico_hdl.drafting.words import ID_DIGITS, is_mask, kind, may_be_variant, slug
from rico_hdl.errors import SpecError
from rico_hdl.spec import DatasetSpec
from rico_hdl.spec.toml_form import spec_of

_MAX_PARTS: Final = 40
"""Most groups that one is split into, to tell it from another."""
_MASK_VALUES: Final = 32
"""A mask of an unknown name has at most so many distinct values."""
_TAKEN: Final = frozenset({"target", "dataset"})
"""Names of modalities whose options would be those of every command."""


@dataclass(frozen=True)
class DraftedModality:
    """A modality of a draft."""

    name: str
    draft: Draft
    bands: tuple[str, ...]
    """The words of bands in file names, or the names of bands in files."""
    bands_from: str
    """Where the names are from, in words; empty if they are made up."""
    is_mask: bool
    dtype: str | None
    examined: tuple[Facts, ...]
    """The facts of its files that were examined."""
    n_patches: int
    """The number of patches in the sample."""


class SpecDraft(NamedTuple):
    """A drafted spec."""

    text: str
    """The TOML file."""
    spec: DatasetSpec
    """The same, loaded."""
    n_images: int
    """The number of images that were looked at."""
    n_patches: dict[str, int]
    """The number of patches that were looked at, by modality."""


def draft_spec(source: str | os.PathLike[str], name: str = "") -> SpecDraft:
    """Draft the spec of the images in a folder, an archive or parquet tables.

    Args:
        source: The folder, the archive, or a folder of archives.
        name: The name of the dataset; made from that of the source if empty.

    Raises:
        SourceError: The source can't be used, or holds no images that can be decoded.
    """
    if tables := tables_in(Path(source)):
        text, n_rows = table_text(slug(name) or _dataset_name(str(source)), Path(source), tables)
        spec = _loaded(str(source), text)
        return SpecDraft(text, spec, n_rows, {one.name: n_rows for one in spec.modalities})
    sample = Sample.of(Path(source))
    groups = [group for group in groups_of(sample) if group.facts is not None and _fits(group)]
    if not groups:
        raise nothing_to_draft(sample)
    drafts = [draft for draft in _disjoint(groups, sample) if draft.fields]
    if not drafts:
        raise nothing_to_draft(sample)
    names = _names(drafts)
    modalities = tuple(
        _modality(draft, one, drafts, sample) for draft, one in zip(drafts, names, strict=True)
    )
    text = toml_text(slug(name) or _dataset_name(sample.location), modalities, sample)
    n_patches = {one.name: one.n_patches for one in modalities}
    return SpecDraft(text, _loaded(sample.location, text), len(sample.images), n_patches)


def _loaded(location: str, text: str) -> DatasetSpec:
    """The spec that a text describes.

    Raises:
        SpecError: It contradicts itself.
    """
    try:
        return spec_of(tomllib.loads(text))
    except SpecError as error:
        raise SpecError(
            f"{location}: no consistent spec can be drafted: {error.message}",
            "Write the spec by hand: see docs/your-dataset.md.",
        ) from error


def _fits(group: Group) -> bool:
    """Whether a modality can describe the files: those of one band hold one patch each."""
    array = None if group.facts is None else group.facts.array
    return array is None or not array.fields or not group.files[0].band


def _disjoint(groups: list[Group], sample: Sample) -> list[Draft]:
    """Templates of which no two match the same file of the sample, as far as possible."""
    done: list[Draft] = []
    pending = list(groups)
    while pending:
        group = pending.pop(0)
        draft = draft_of(group)
        own = {file.path for file in group.files}
        bands = sorted({file.band for file in group.files if file.band})
        claimed = [
            path
            for path in sample.images
            if path not in own
            and claims(draft, path, bands, any_depth=not Path(sample.location).is_dir())
        ]
        if claimed:
            narrow(draft, claimed)
            if not draft.patterns and (parts := _parts(group, claimed)):
                pending = parts + pending
                continue
            if not draft.patterns:
                group.notes.append(f"the template also matches other files, such as {claimed[0]}")
        if all(draft.template != one.template for one in done):
            done.append(draft)
    return done


def _parts(group: Group, claimed: list[str]) -> list[Group]:
    """A group split at the folder by which most other files can be told from it; or nothing."""
    found: list[list[Group]] = []
    for level in range(len(group.levels) + 1):
        kinds = {kind((*file.folders, file.stem)[level]) for file in group.files}
        names = [path.rpartition(".")[0].split("/") for path in claimed]
        others = {kind(row[level]) for row in names if len(row) > level}
        if 1 < len(kinds) <= _MAX_PARTS and not kinds & others:
            found.append(split_at(group, level))
    return min(found, key=len, default=[])


def _names(drafts: list[Draft]) -> list[str]:
    """A name for each modality, from the words by which its paths differ from the others'."""
    texts = [
        [re.sub(r"\{[^}]*\}", " ", segment) for segment in draft.segments[:-1]]
        + [re.sub(r"\{[^}]*\}|\.[A-Za-z]+$", " ", draft.segments[-1])]
        for draft in drafts
    ]
    parts = [[slug(part) for text in row for part in re.split(r"[ _]", text)] for row in texts]
    common = set.intersection(*map(set, parts))
    if len(drafts) == 1:
        facts = drafts[0].group.facts
        is_grey = facts is not None and facts.n_bands == 1 and not drafts[0].group.files[0].band
        return ["grey" if is_grey else "image"]
    tries: list[list[str]] = []
    for row in parts:
        own = list(dict.fromkeys(part for part in row if part and part not in common))
        plain = [part for part in own if sum(c.isdigit() for c in part) < ID_DIGITS] or own
        short = [part for part in plain if may_be_variant(part) and not part.isdecimal()] or plain
        tries.append(["-".join(words[:3])[:32].strip("-") for words in (short, plain, own)])
    names: list[str] = []
    for row in tries:
        unique = (
            text
            for text, column in zip(row, zip(*tries, strict=True), strict=True)
            if text and column.count(text) == 1
        )
        name = next((text for text in unique if text not in names), row[0] or "image")
        name = f"{name}-files" if name in _TAKEN else name
        taken = sum(re.fullmatch(rf"{name}(-[0-9]+)?", known) is not None for known in names)
        names.append(f"{name}-{taken + 1}" if taken else name)
    return names


def _modality(draft: Draft, name: str, drafts: list[Draft], sample: Sample) -> DraftedModality:
    group = draft.group
    examined = tuple(sample.all_facts(file.path for file in group.files))
    facts = group.facts or examined[0]
    mask = _looks_like_mask(draft, facts, drafts)
    bands: tuple[str, ...] = tuple(sorted({file.band for file in group.files if file.band}))
    bands_from = "file names" if bands else ""
    if not bands and len({name.lower() for name in facts.descriptions}) == facts.n_bands:
        bands, bands_from = facts.descriptions, "the descriptions in the files"
    if not bands and facts.n_bands == 1:
        bands, bands_from = ("mask" if mask else name,), "the name of the modality"
    if not bands and facts.n_bands == 3 and facts.dtype == "uint8":
        bands, bands_from = ("red", "green", "blue"), "the number of bands: check them"
    if not bands:
        bands = tuple(f"band{number}" for number in range(1, facts.n_bands + 1))
    dtypes = {one.dtype for one in examined}
    n_patches = len({file.path.replace(file.band, "") for file in group.files})
    if group.files[0].band:
        n_patches = len({(file.folders, file.stem) for file in group.files})
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    return DraftedModality(name, draft, bands, bands_from, mask, dtype, examined, n_patches)


def _looks_like_mask(draft: Draft, facts: Facts, drafts: list[Draft]) -> bool:
    """Whether files hold one band of integers, and are called masks or have few values."""
    if facts.n_bands != 1 or "int" not in facts.dtype or draft.group.files[0].band:
        return False
    literal = re.sub(r"\{[^}]*\}", "_", "/".join(draft.segments))
    is_only = len(drafts) == 1
    few = facts.values is not None and len(facts.values) <= _MASK_VALUES
    return is_mask(literal) or (few and not is_only)


def _dataset_name(location: str) -> str:
    stem = re.split(r"\.(?:tar|zip|t[gbx]z|tzst|parquet)", Path(location).name, maxsplit=1)[0]
    return slug(stem) or "dataset"
