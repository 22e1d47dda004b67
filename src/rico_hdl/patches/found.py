"""Which files of a patch are there.

In: the values that the paths of files give to a template's fields. Out: patches, complete or not,
and the paths of their files. A set of files is an integer with a bit for each spelling of each
file, so that a folder with a million patches takes little memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final, NamedTuple

from rico_hdl.spec import Modality
from rico_hdl.spec.bands import BAND_FIELD, BAND_FOLDER_FIELD

_BAND_MARK: Final = "\0"  # can't occur in a path
_FOLDER_MARK: Final = "\ud800"  # nor can half a character, other than U+DC80 and above: PEP 383
MARKS: Final = {BAND_FIELD: _BAND_MARK, BAND_FOLDER_FIELD: _FOLDER_MARK}
"""Stands for the values of bands in a pattern for `spelled`."""
_ZERO: Final = ord("0")

Files = dict[tuple[str, ...], int]
"""The files of patches, as `PatchFiles.bit` numbers them, by the values of their fields."""


class FoundPatch(NamedTuple):
    """A patch found by the template, complete or not."""

    prefix: str
    """The folders before the template's first segment, with a trailing ``/``, or empty."""
    values: tuple[str, ...]
    """The values of the modality's ``patch_fields``, in that order."""
    missing: tuple[str, ...]
    """The names of the bands whose files are missing."""
    variants: str = ""
    """The spelling of each file: ``0`` for its first token, ``1`` for the second, and so on; empty
    if all have their first one."""
    problem: str = ""
    """What is wrong with its files, besides missing ones."""


def paths_of(
    modality: Modality, prefix: str, values: tuple[str, ...], variants: str = ""
) -> tuple[str, ...]:
    """The paths of a patch's files, in the order of the modality's ``band_files``.

    Args:
        modality: The modality.
        prefix: See `FoundPatch`.
        values: See `FoundPatch`.
        variants: See `FoundPatch`.
    """
    bound = dict(zip(modality.patch_fields, values, strict=True))
    if not modality.is_split:
        return (prefix + modality.files.format(bound),)
    pattern = prefix + modality.files.format(bound | MARKS)
    return tuple(spelled(modality, pattern, variants))


def spelled(modality: Modality, pattern: str, variants: str = "") -> list[str]:
    """The texts of a pattern for each file, in the order of the modality's ``band_files``.

    Args:
        modality: The modality.
        pattern: A text that a template gives for the values of a patch and `MARKS`.
        variants: See `FoundPatch`.
    """
    if not variants and not modality.has_band_folders:
        return [pattern.replace(_BAND_MARK, token) for token in modality.tokens]
    files = modality.band_files
    chosen = [ord(variant) - _ZERO for variant in variants] or [0] * len(files)
    return [
        pattern.replace(_FOLDER_MARK, file.folder).replace(_BAND_MARK, file.tokens[variant])
        for file, variant in zip(files, chosen, strict=True)
    ]


def every_path_of(modality: Modality, prefix: str, values: tuple[str, ...]) -> dict[str, int]:
    """All paths that a patch's files may have, each with the position of its file.

    Args:
        modality: The modality.
        prefix: See `FoundPatch`.
        values: See `FoundPatch`.
    """
    n_tokens = [len(file.tokens) for file in modality.band_files]
    found: dict[str, int] = {}
    for variant in range(max(n_tokens)):
        variants = "".join(chr(_ZERO + min(variant, n - 1)) for n in n_tokens)
        paths = paths_of(modality, prefix, values, variants)
        found |= {path: number for number, path in enumerate(paths)}
    return found


class PatchFiles:
    """The files that each patch of a modality has.

    Args:
        modality: The modality.
    """

    def __init__(self, modality: Modality) -> None:
        self._modality = modality
        self._has_folders = modality.has_band_folders
        self._numbers = [
            (number, variant)
            for number, file in enumerate(modality.band_files)
            for variant in range(len(file.tokens))
        ]

    @cached_property
    def _bits(self) -> dict[object, int]:
        """The bit of each spelling, by the token, or by folder and token if folders tell."""
        files = self._modality.band_files
        named = [(files[number].folder, files[number].tokens[v]) for number, v in self._numbers]
        return {
            (name if self._has_folders else name[1]): 1 << bit for bit, name in enumerate(named)
        }

    @cached_property
    def whole(self) -> int:
        """The set of the first spellings of all files."""
        return sum(1 << bit for bit, (_, variant) in enumerate(self._numbers) if variant == 0)

    def bit(self, values: Mapping[str, str]) -> int | None:
        """The bit of the file with these values of its path's fields; None if no band is in it."""
        if self._has_folders:
            return self._bits.get((values[BAND_FOLDER_FIELD], values[BAND_FIELD]))
        return self._bits.get(values[BAND_FIELD])

    def patches(self, prefix: str, files: Files) -> Iterator[FoundPatch]:
        """The patches of some files.

        Args:
            prefix: See `FoundPatch`.
            files: The files.
        """
        whole = self.whole
        for values, there in files.items():
            if there == whole:
                yield FoundPatch(prefix, values, ())
            else:
                yield self._patch(prefix, values, there)

    def _patch(self, prefix: str, values: tuple[str, ...], there: int) -> FoundPatch:
        """A patch that lacks files, or has other spellings."""
        files = self._modality.band_files
        found: list[list[int]] = [[] for _ in files]
        for bit, (number, variant) in enumerate(self._numbers):
            if there >> bit & 1:
                found[number].append(variant)
        pairs = list(zip(files, found, strict=True))
        missing = tuple(name for file, variants in pairs if not variants for name in file.names)
        problem = next(
            (
                two_files(file.names, file.tokens[v[0]], file.tokens[v[1]])
                for file, v in pairs
                if v[1:]
            ),
            "",
        )
        chosen = "".join(chr(_ZERO + (variants or [0])[0]) for variants in found)
        return FoundPatch(prefix, values, missing, chosen if chosen.strip("0") else "", problem)


def two_files(names: tuple[str, ...], one: str, other: str) -> str:
    """The reason why a patch is left out that has two files for the same bands.

    Args:
        names: The names of the bands.
        one: The token of a file.
        other: That of another one.
    """
    s = "" if len(names) == 1 else "s"
    return (
        f"two files for band{s} {', '.join(names)}, named {one} and {other}, expected one of them: "
        "remove the other"
    )
