"""Grouping the files of a sample into modalities.

In: a sample. Out: groups of files that have the same number of bands and the same dtype, and whose
names differ only in what tells patches apart. Files belong to different groups if

- the end of their names differs in a word, and most patches have a file for each ending;
- they are in folders with different contents, or in folders that are named like modalities.

Words for bands, such as ``B02``, don't separate files of one band: these are the bands of a patch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from rico_hdl.drafting.sampling import MAX_EXAMINED, Facts, Sample
from rico_hdl.drafting.words import NUMBER, is_band, kind, may_be_variant, variant, words

BAND_MARK: Final = "\0"
"""Stands for the band's word in the name of a file; occurs in no path."""
ANY: Final = "*"
"""Stands for the names of a folder that belong to one group."""
_MAX_ENDINGS: Final = 12
_COMPLETE: Final = 0.6
"""How many of the endings the average patch must have."""
_KINDS_OF_A_LEVEL: Final = (1000, 24, 12, 6, 3, 1)


@dataclass(frozen=True)
class SampledFile:
    """The path of an image, in parts."""

    path: str
    folders: tuple[str, ...]
    """The names of its folders; `BAND_MARK` replaces one that is called like the band."""
    stem: str
    """The file's name without extension; `BAND_MARK` replaces the band's word."""
    extension: str
    band: str = ""
    """The band's word; empty if the file has none."""
    ending: str = ""
    """The end of the stem that tells it from other files of its patch; empty if none does."""


class Content(NamedTuple):
    """What must agree in a modality."""

    n_bands: int
    dtype: str
    """Empty for files of single bands."""
    bands: frozenset[str]
    """The words of bands in file names."""


@dataclass
class Group:
    """Files of one modality."""

    levels: tuple[str, ...]
    """For each folder, the kind of its name, or `ANY` if names differ."""
    ending: str
    """The kind of the files' `SampledFile.ending`."""
    files: list[SampledFile] = field(default_factory=list)
    facts: Facts | None = None
    """Those of one of its files; None if none could be examined."""
    notes: list[str] = field(default_factory=list)
    """What the user should look at."""

    is_exact: bool = False
    """Whether other files differ only in words that all files of this group share."""

    @property
    def content(self) -> Content | None:
        """What must agree; None if it is unknown."""
        if self.facts is None:
            return None
        bands = frozenset(file.band for file in self.files if file.band)
        return Content(self.facts.n_bands, "" if bands else self.facts.dtype, bands)


def groups_of(sample: Sample) -> list[Group]:
    """The groups of a sample's images, in the order of their paths."""
    files = _with_endings(_with_bands([_split(path) for path in sorted(sample.images)]))
    for limit in _KINDS_OF_A_LEVEL:
        signatures = _by_signature(files, limit)
        if len(signatures) <= MAX_EXAMINED:
            break
    groups = []
    for (levels, _, ending, _, _), members in signatures.items():
        group = Group(levels, ending, members)
        group.facts = sample.facts_of_any([file.path for file in members])
        if members[0].band and group.facts is not None and group.facts.n_bands > 1:
            group.files = [_with_own_stem(file) for file in members]
        groups.append(group)
    return sorted(_merged(groups), key=lambda group: group.files[0].path)


def _split(path: str) -> SampledFile:
    *folders, name = path.split("/")
    stem, dot, extension = name.rpartition(".")
    return SampledFile(path, tuple(folders), stem, dot + extension)


def _with_own_stem(file: SampledFile) -> SampledFile:
    """The same file as one that is not of a single band."""
    folders = tuple(file.band if name == BAND_MARK else name for name in file.folders)
    return replace(file, folders=folders, stem=file.stem.replace(BAND_MARK, file.band), band="")


def _with_bands(files: list[SampledFile]) -> list[SampledFile]:
    """Replace words for bands, where files differ in nothing else: in their names, or folders."""
    return _with_bands_in_folders(_with_bands_in_names(files))


def _with_bands_in_folders(files: list[SampledFile]) -> list[SampledFile]:
    """Replace the names of folders that are called like bands, where files differ in nothing else.

    The band's word may be in the file's name as well.
    """
    rests: dict[tuple[object, ...], set[str]] = defaultdict(set)
    options = []
    for file in files:
        levels = () if file.band else reversed(range(len(file.folders)))
        level = next((at for at in levels if is_band(file.folders[at])), None)
        if level is None:
            options.append(file)
            continue
        band = file.folders[level]
        folders = (*file.folders[:level], BAND_MARK, *file.folders[level + 1 :])
        stem = "".join(BAND_MARK if word == band else word for word in words(file.stem))
        options.append(replace(file, folders=folders, stem=stem, band=band))
        rests[folders, stem, file.extension].add(band)
    return [
        option if len(rests[option.folders, option.stem, option.extension]) > 1 else file
        for file, option in zip(files, options, strict=True)
    ]


def _with_bands_in_names(files: list[SampledFile]) -> list[SampledFile]:
    """Replace words for bands in the names of files."""
    rests: dict[tuple[object, ...], set[str]] = defaultdict(set)
    options: list[list[SampledFile]] = []
    for file in files:
        pieces = words(file.stem)
        found = []
        for at in reversed(range(len(pieces))):
            if is_band(pieces[at]):
                rest = "".join([*pieces[:at], BAND_MARK, *pieces[at + 1 :]])
                rests[file.folders, rest, file.extension].add(pieces[at])
                found.append(replace(file, stem=rest, band=pieces[at]))
        options.append(found)
    return [
        next((o for o in found if len(rests[o.folders, o.stem, o.extension]) > 1), file)
        for file, found in zip(files, options, strict=True)
    ]


def _with_endings(files: list[SampledFile]) -> list[SampledFile]:
    """Find the ends of names in which files of a patch differ."""
    heads: dict[tuple[object, ...], set[str]] = defaultdict(set)
    cuts = []
    for file in files:
        found = _cuts(file)
        cuts.append(found)
        for head, ending in found:
            heads[file.folders, head].add(kind(ending) + file.extension)
    chosen: dict[int, tuple[tuple[object, ...], str]] = {}
    for number, (file, found) in enumerate(zip(files, cuts, strict=True)):
        shared = [(head, ending) for head, ending in found if len(heads[file.folders, head]) > 1]
        # Names of patches mostly end in a number.
        shared.sort(key=lambda cut: not any(c.isdigit() for c in words(cut[0] or "-")[-1]))
        for head, ending in shared[:1]:
            if head or (
                NUMBER not in kind(ending) and len(heads[file.folders, head]) <= _MAX_ENDINGS
            ):
                chosen[number] = ((file.folders, head), ending)
    accepted = _recurring({place: heads[place] for place, _ in chosen.values()})
    return [
        replace(file, ending=chosen[number][1])
        if number in chosen and kind(chosen[number][1]) + file.extension in accepted
        else file
        for number, file in enumerate(files)
    ]


def _cuts(file: SampledFile) -> list[tuple[str, str]]:
    """The ways to cut a stem in two at a separator, the longest head first.

    The tail starts with a word that is no number. It is empty in the first cut.
    """
    pieces = words(file.stem)
    found = [(file.stem, "")]
    for at in reversed(range(len(pieces))):
        word, before = pieces[at], pieces[at - 1] if at else ""
        is_start = not at or (len(before) == 1 and not before.isalnum())
        if is_start and (BAND_MARK in word or (word.isalnum() and not word.isdecimal())):
            head = "".join(pieces[: max(0, at - 1)])
            found.append((head, file.stem[len(head) :]))
    return found


def _recurring(endings_of: dict[tuple[object, ...], set[str]]) -> set[str]:
    """The endings that most patches have, or that say what they are."""
    counts: dict[str, int] = defaultdict(int)
    for endings in endings_of.values():
        for ending in endings:
            counts[ending] += 1
    often = {e for e, n in counts.items() if n > 1 or variant(e.rpartition(".")[0])}
    often = {e for e in often if 2 * counts[e] >= max(counts.values())}
    shares = [len(endings & often) for endings in endings_of.values()]
    n_average = sum(shares) / max(1, len(shares))
    if len(often) > _MAX_ENDINGS or n_average < _COMPLETE * len(often):
        return set()
    return often


_Signature = tuple[tuple[str, ...], str, str, str, bool]


def _by_signature(files: list[SampledFile], limit: int) -> dict[_Signature, list[SampledFile]]:
    """Files by the kinds of their folders' names, of their own, and of their ending.

    Args:
        files: The files.
        limit: If the names of a level are of more kinds, they are not told apart.
    """
    kinds: dict[tuple[int, int], set[str]] = defaultdict(set)
    for file in files:
        for level, name in enumerate((*file.folders, file.stem)):
            kinds[len(file.folders), level].add(kind(name))
    found: dict[_Signature, list[SampledFile]] = defaultdict(list)
    for file in files:
        depth = len(file.folders)
        *levels, stem = (
            kind(name) if len(kinds[depth, level]) <= limit else ANY
            for level, name in enumerate((*file.folders, file.stem))
        )
        ending = kind(file.ending)
        found[tuple(levels), stem, ending, file.extension, bool(file.band)].append(file)
    return found


def _merged(groups: list[Group]) -> list[Group]:
    """The groups with those of the same form and content merged, unless they are modalities."""
    families: dict[tuple[object, ...], dict[Content | None, list[Group]]] = defaultdict(dict)
    for group in groups:
        first = group.files[0]
        form = (len(group.levels), group.ending, first.extension, bool(first.band))
        families[form].setdefault(_like(group.content, families[form]), []).append(group)
    merged: list[Group] = []
    for by_content in families.values():
        unknown = by_content.pop(None, [])
        if unknown and len(by_content) == 1:
            next(iter(by_content.values())).extend(unknown)
        for family in by_content.values():
            levels = [n for n in range(len(family[0].levels)) if _are_modalities(family, n)]
            parts: dict[tuple[str, ...], list[Group]] = defaultdict(list)
            for group in family:
                names = (group.levels[level] for level in levels)
                parts[tuple(variant(name) or name for name in names)].append(group)
            merged += map(_one_of, parts.values())
    return merged


def _like(content: Content | None, known: Iterable[Content | None]) -> Content | None:
    """One of some contents that has mostly the same bands, or else the content itself."""
    if content is None or not content.bands:
        return content
    for other in known:
        if other is not None and 2 * len(content.bands & other.bands) > len(
            content.bands | other.bands
        ):
            return other
    return content


def _one_of(family: list[Group]) -> Group:
    levels = tuple(
        names[0] if len(set(names)) == 1 else ANY
        for names in zip(*(group.levels for group in family), strict=True)
    )
    files = sorted((f for group in family for f in group.files), key=lambda file: file.path)
    facts = next((group.facts for group in family if group.facts is not None), None)
    return Group(levels, family[0].ending, files, facts)


def _are_modalities(family: list[Group], level: int) -> bool:
    """Whether folders with the same content are called like modalities."""
    names = {group.levels[level] for group in family}
    if len(names) == 1:
        return False
    if all(map(variant, names)):
        return True
    if not all(map(may_be_variant, names)):
        return False
    rests: dict[str, set[object]] = defaultdict(set)
    for group in family:
        rests[group.levels[level]] |= {
            (*f.folders[:level], *f.folders[level + 1 :], f.stem) for f in group.files
        }
    first, *others = rests.values()
    return all(first & other for other in others)


def split_at(group: Group, level: int) -> list[Group]:
    """A group as one for each kind of a folder's name, or of the file's own.

    Args:
        group: The group.
        level: The zero-based position of the folder in paths; the number of folders for the file.
    """
    found: dict[str, Group] = {}
    for file in group.files:
        name = kind((*file.folders, file.stem)[level])
        if name not in found:
            levels = (*group.levels[:level], name, *group.levels[level + 1 :])
            found[name] = replace(
                group, levels=levels[: len(group.levels)], files=[], notes=[], is_exact=True
            )
        found[name].files.append(file)
    return list(found.values())
