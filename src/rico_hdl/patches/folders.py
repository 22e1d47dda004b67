"""Planning which patches in folders a conversion will write, before it writes anything.

In: a spec, and a source for each wanted modality. Out: a `Plan`: the patches sorted by key, and the
failures that can be found without opening a file (missing bands, duplicates, keys that LMDB can't
hold). Folders are listed; files are neither read nor written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rico_hdl.errors import SourceError, UsageError
from rico_hdl.patches.hints import explain_no_patches, explain_wrong_modality, suggest
from rico_hdl.patches.walking import find, paths_of
from rico_hdl.sources import Source
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.system.sorting import CompactSorted
from rico_hdl.values import Patch, PatchFailure, incomplete, place_of, printable, problem_of_key

_PlannedPatch = tuple[str, int, str, tuple[str, ...]]
"""Key, zero-based position of the modality, prefix, field values."""


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
    """Number of patches that will be written, by modality."""
    _entries: CompactSorted[_PlannedPatch] = field(default_factory=CompactSorted)
    _left_out: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return self.n_patches.total()

    def __iter__(self) -> Iterator[Patch]:
        modalities = [self.spec.modality(name) for name in self.sources]
        sources = list(self.sources.values())
        for key, position, prefix, values in self._entries:
            if key not in self._left_out:
                modality = modalities[position]
                paths = paths_of(modality, prefix, values)
                yield Patch(key, modality, sources[position], paths)

    def _find_duplicates(self) -> None:
        """Leave out keys that belong to several patches: it is unclear which one is meant."""
        modalities = [self.spec.modality(name) for name in self.sources]
        sources = list(self.sources.values())
        before: _PlannedPatch | None = None
        for entry in self._entries:
            if before is not None and entry[0] == before[0]:
                places = [
                    (f"{sources[p].location}/{paths_of(modalities[p], prefix, values)[0]}", p)
                    for _, p, prefix, values in (before, entry)
                ]
                (first, first_position), (second, second_position) = places
                if entry[0] not in self._left_out:
                    self._left_out.add(entry[0])
                    self.n_patches[modalities[first_position].name] -= 1
                self.n_patches[modalities[second_position].name] -= 1
                reason = f"two patches have this key: the other one is at {printable(first)}"
                name = modalities[second_position].name
                self.failures.append(PatchFailure(entry[0], name, printable(second), None, reason))
            before = entry


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
    plan._find_duplicates()  # noqa: SLF001 - the plan is being made here
    plan.failures.sort(key=place_of)
    return plan


def _add(plan: Plan, position: int, modality: Modality, source: Source) -> None:
    """Add one modality's patches to a plan."""
    n_found = 0
    most_missing = True  # most bands of every patch: names that match by coincidence
    failures: list[PatchFailure] = []
    try:
        for found in find(source, modality):
            if n_found == 0 and (
                error := explain_wrong_modality(plan.spec, modality, source, found)
            ):
                raise error
            n_found += 1
            most_missing &= 2 * len(found.missing) > len(modality.bands)
            key = modality.key.format(dict(zip(modality.patch_fields, found.values, strict=True)))
            problem = problem_of_key(key)
            if found.missing or problem:
                path = f"{source.location}/{paths_of(modality, found.prefix, found.values)[0]}"
                failures.append(
                    PatchFailure(printable(key), modality.name, printable(path), None, problem)
                    if problem
                    else incomplete(key, modality.name, path, found.missing)
                )
                continue
            plan._entries.add((key, position, found.prefix, found.values))  # noqa: SLF001
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
