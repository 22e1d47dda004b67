"""Planning which patches in folders a conversion will write, before it writes anything.

In: a spec, and a source for each wanted modality. Out: a `Plan`: the patches sorted by key, and the
failures that can be found without opening a file (missing bands, keys that LMDB can't hold).
Folders are listed; files are neither read nor written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rico_hdl.errors import SourceError, UsageError
from rico_hdl.patches.found import FoundPatch, paths_of
from rico_hdl.patches.hints import explain_no_patches, explain_wrong_modality, suggest
from rico_hdl.patches.unmatched import UnmatchedFiles
from rico_hdl.patches.walking import find
from rico_hdl.sources import Source
from rico_hdl.sources.above import place_of as place_in
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.system.sorting import CompactSorted
from rico_hdl.values import (
    Patch,
    PatchFailure,
    Repeated,
    incomplete,
    place_of,
    printable,
    problem_of_key,
)

_PlannedPatch = tuple[str, int, str, tuple[str, ...]]
"""Key, zero-based position of the modality, prefix, and the values of its fields, followed by the
spellings of its files if they are not the usual ones: see `FoundPatch`."""


@dataclass
class Plan:
    """The patches of some sources, sorted by key; iterate to get them, any number of times."""

    spec: DatasetSpec
    """The dataset."""
    sources: dict[str, Source]
    """The source of each wanted modality, by the modality's name, in the spec's order."""
    failures: list[PatchFailure] = field(default_factory=list)
    """Patches that will not be written, sorted by key."""
    n_patches: Counter[str] = field(default_factory=Counter)
    """Number of patches that will be written, by modality; further copies don't count."""
    n_copies: int = 0
    """Number of further copies: patches whose key occurs before, to be compared with the first."""
    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Anything unusual about a source, by modality, a sentence each."""
    _entries: CompactSorted[_PlannedPatch] = field(default_factory=CompactSorted)

    def __len__(self) -> int:
        return self.n_patches.total()

    def __iter__(self) -> Iterator[Patch]:
        return (patch for patch, repeated in self.with_copies() if repeated is None)

    def with_copies(self) -> Iterator[tuple[Patch, Repeated | None]]:
        """The patches, including further copies of them, each of these with what it repeats."""
        modalities = [self.spec.modality(name) for name in self.sources]
        sources = list(self.sources.values())
        first: Patch | None = None
        for key, position, prefix, values in self._entries:
            modality = modalities[position]
            n = len(modality.patch_fields)
            paths = paths_of(modality, prefix, values[:n], *values[n:])
            patch = Patch(key, modality, sources[position], paths)
            if first is not None and key == first.key:
                yield patch, Repeated(key, _place(patch), is_whole=True, first=_place(first))
            else:
                first = patch
                yield patch, None

    def _count_copies(self) -> None:
        """Count keys that occur before as copies."""
        names = list(self.sources)
        last: str | None = None
        for key, position, _, _ in self._entries:
            if key == last:
                self.n_patches[names[position]] -= 1
                self.n_copies += 1
            last = key


def _place(patch: Patch) -> str:
    return printable(place_in(patch.source, patch.paths[0]))


def check_names(spec: DatasetSpec, sources: Mapping[str, object]) -> None:
    """Check that sources are given, and only for modalities of the dataset.

    Raises:
        UsageError: No source is given, or one for a modality that the spec lacks.
    """
    unknown = sources.keys() - {modality.name for modality in spec.modalities}
    if unknown or not sources:
        options = ", ".join(modality.option for modality in spec.modalities)
        wrong = f"no modality {', '.join(sorted(unknown))}" if unknown else "no source is given"
        raise UsageError(f"{spec.name}: {wrong}", f"Give at least one of: {options}.")


def make_plan(spec: DatasetSpec, sources: Mapping[str, Source]) -> Plan:
    """Find the patches that a conversion will write.

    Args:
        spec: The dataset.
        sources: The source of each wanted modality, by the modality's name.

    Raises:
        UsageError: No source is given, or one for a modality that the spec lacks.
        SourceError: A source holds no patch of its modality, holds patches of another one, or can't
            be listed. The hint says what it seems to hold and what to try.
    """
    check_names(spec, sources)
    wanted = [modality for modality in spec.modalities if modality.name in sources]
    plan = Plan(spec, {modality.name: sources[modality.name] for modality in wanted})
    for position, modality in enumerate(wanted):
        _add(plan, position, modality, sources[modality.name])
    plan._count_copies()  # noqa: SLF001 - the plan is being made here
    plan.failures.sort(key=place_of)
    return plan


def _add(plan: Plan, position: int, modality: Modality, source: Source) -> None:
    """Add one modality's patches to a plan."""
    n_found = 0
    most_missing = True  # most bands of every patch: names that match by coincidence
    failures: list[PatchFailure] = []
    unmatched = UnmatchedFiles(modality, plan.spec.modalities)
    try:
        for found in find(source, modality, unmatched=unmatched):
            if n_found == 0 and (
                error := explain_wrong_modality(plan.spec, modality, source, found)
            ):
                raise error
            n_found += 1
            most_missing &= 2 * len(found.missing) > len(modality.bands)
            key = modality.key.format(dict(zip(modality.patch_fields, found.values, strict=True)))
            problem = problem_of_key(key) or found.problem
            if found.missing or problem:
                path = place_in(source, _path_at_fault(modality, found))
                failures.append(
                    PatchFailure(printable(key), modality.name, printable(path), None, problem)
                    if problem
                    else incomplete(key, modality.name, path, found.missing)
                )
                continue
            values = (*found.values, found.variants) if found.variants else found.values
            plan._entries.add((key, position, found.prefix, values))  # noqa: SLF001
            plan.n_patches[modality.name] += 1
    except OSError as error:
        raise SourceError(
            f"{error.filename}: can't be listed: {error.strerror}",
            "Check the permissions, and that the disk or network share is mounted.",
        ) from error
    if n_found == 0:
        raise explain_no_patches(plan.spec, modality, source)
    if plan.n_patches[modality.name] == 0:
        hint = suggest(plan.spec, modality, source)
        if hint or most_missing:
            raise SourceError(
                f"no complete patch of {modality.title} in {source.location}, "
                f"found first: {failures[0]}",
                hint or f"See the expected folders with: rico-hdl datasets {plan.spec.name}",
            )
    plan.failures += failures
    unmatched.look(source)
    plan.warnings[modality.name] = unmatched.warnings(source.location)


def _path_at_fault(modality: Modality, found: FoundPatch) -> str:
    """The path of the first missing file, or of the first file if none is missing."""
    paths = paths_of(modality, found.prefix, found.values, found.variants)
    files = zip(paths, modality.band_files, strict=True)
    missing = set(found.missing)
    return next((path for path, file in files if missing.intersection(file.names)), paths[0])
