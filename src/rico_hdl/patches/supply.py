"""One iterator over all patches of the opened sources.

In: opened sources. Out: patches, failures, and a report at the end of each source. Folders come
first, sorted by key, then archives, each in its own order. Conversions, comparisons with the
sources and dry runs consume the same supply, and none of them needs to know the kinds of sources.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from rico_hdl.patches.archives import (
    MAX_WAITING_BYTES,
    POSITION_SECONDS,
    Assembly,
    Wanted,
    wants_all,
)
from rico_hdl.patches.checksums import Checksum, published_md5
from rico_hdl.patches.folders import Plan, make_plan
from rico_hdl.patches.opening import Opened
from rico_hdl.patches.unmatched import UnmatchedFiles
from rico_hdl.sources import Archive, Source
from rico_hdl.sources.opening import is_stream, open_archive
from rico_hdl.spec import DatasetSpec, Modality
from rico_hdl.system.hashes import HashSet
from rico_hdl.system.processors import frequent_switches
from rico_hdl.values import (
    ArchiveFailure,
    Origin,
    Patch,
    PatchFailure,
    Position,
    Repeated,
    SourceRead,
)

if TYPE_CHECKING:
    from rico_hdl.labels.gathering import Gathering

Supplied = Patch | PatchFailure | ArchiveFailure | Repeated | Position | SourceRead
"""The items of a supply."""


class Supply:
    """The patches of opened sources.

    The constructor lists folders; archives are read when their patches are requested.

    Args:
        spec: The dataset.
        opened: The sources of some modalities. A modality may have several.

    Raises:
        SourceError: A folder holds no patch of its modality, or can't be listed.
    """

    def __init__(self, spec: DatasetSpec, opened: Sequence[Opened]) -> None:
        self.spec = spec
        """The dataset."""
        self.opened = tuple(opened)
        """The sources, by modality."""
        self.plans = tuple(
            make_plan(spec, folders) if folders else Plan(spec, {}) for folders in _groups(opened)
        )
        """The patches in folders: one plan, possibly empty, or more if a modality has several
        folders."""
        self.archives = tuple((one.modality, a) for one in opened for a in one.archives)
        """The archives, each with the modality that it is read for."""

    @property
    def origins(self) -> list[Origin]:
        """The modality and location of each source."""
        return [Origin(one.modality.name, place) for one in self.opened for place in one.locations]

    def items(
        self,
        is_wanted: Wanted = wants_all,
        *,
        check_sums: bool = False,
        sums_in_doubt: Collection[tuple[str, str]] = (),
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        labels: Gathering | None = None,
    ) -> Generator[Supplied]:
        """Yield everything in the sources.

        Each source ends with a `SourceRead`, or with an `ArchiveFailure` that says why it can't be
        trusted.

        Args:
            is_wanted: Whether a patch is wanted; other patches are only counted, in `Position`.
            check_sums: Whether to compare archives with their published MD5 sums.
            sums_in_doubt: Modality and file name of archives to compare in any case.
            max_waiting_bytes: Memory for files of archives that wait for the rest of their patch.
            labels: Is given the path of each patch, and the members of archives that are tables.

        Raises:
            SourceError: A source as a whole is gone.
        """
        yield from self.planned(is_wanted, labels)
        met = HashSet()
        with frequent_switches():
            for modality, archive in self.archives:
                name = Path(archive.location).name
                check = check_sums or (modality.name, name) in sums_in_doubt
                yield from archived(
                    modality,
                    archive,
                    is_wanted,
                    met,
                    siblings=self.spec.modalities,
                    check_sum=check,
                    max_waiting_bytes=max_waiting_bytes,
                    labels=labels,
                )

    def planned(
        self, is_wanted: Wanted = wants_all, labels: Gathering | None = None
    ) -> Generator[Supplied]:
        """Yield everything in folders."""
        for plan in self.plans:
            yield from plan.failures
        for plan in self.plans:
            n_passed: Counter[str] = Counter()
            next_position = 0.0
            for patch, repeated in plan.with_copies():
                if labels is not None:
                    labels.meet(patch.modality, patch.key, patch.paths[0])
                if repeated is not None:
                    yield repeated
                if repeated is not None or is_wanted(patch.key, patch.modality):
                    yield patch
                    continue
                n_passed[patch.modality.name] += 1
                if time.monotonic() > next_position:
                    next_position = time.monotonic() + POSITION_SECONDS
                    yield from self._positions(plan, n_passed)
            yield from self._positions(plan, n_passed)
            for name, source in plan.sources.items():
                origin, warnings = Origin(name, source.location), plan.warnings[name]
                yield SourceRead(origin, plan.n_patches[name], warnings=warnings)

    def _positions(self, plan: Plan, n_passed: Counter[str]) -> list[Position]:
        found = [Position(name, plan.sources[name].location, n) for name, n in n_passed.items()]
        n_passed.clear()
        return found


def archived(  # noqa: PLR0913 - all but two by name or default
    modality: Modality,
    archive: Archive,
    is_wanted: Wanted = wants_all,
    met: HashSet | None = None,
    *,
    siblings: Sequence[Modality] = (),
    check_sum: bool = False,
    max_waiting_bytes: int = MAX_WAITING_BYTES,
    labels: Gathering | None = None,
) -> Generator[Supplied]:
    """Yield everything in one archive.

    Args:
        modality: The modality to look for.
        archive: Where to look.
        is_wanted: See `Supply.items`.
        met: Hashes of the keys in earlier archives; those of this one are added.
        siblings: The modalities of the same dataset; see `UnmatchedFiles`.
        check_sum: Whether to compare the archive with its published MD5 sum.
        max_waiting_bytes: See `Supply.items`.
        labels: See `Supply.items`.
    """
    expected = published_md5(modality, archive) if check_sum else ""
    checksum = Checksum(archive.files[0], archive.location, expected) if expected else None
    if checksum is not None:
        if is_stream(archive):
            archive = open_archive(Path(archive.location), modality, checksum.update)
        else:
            checksum.read_alongside()
    try:
        unmatched = UnmatchedFiles(modality, siblings)
        assembly = Assembly(
            modality,
            archive,
            is_wanted=is_wanted,
            met=met,
            unmatched=unmatched,
            max_waiting_bytes=max_waiting_bytes,
            labels=labels,
        )
        with closing(iter(assembly)) as items:
            yield from items
        failure = assembly.failure
        if failure is None and checksum is not None:
            failure = checksum.failure(modality.name)
        yield failure or SourceRead(
            Origin(modality.name, archive.location),
            assembly.n_found,
            assembly.n_unread,
            has_unknown_sum=check_sum and not expected,
            warnings=unmatched.warnings(archive.location),
        )
    finally:
        if checksum is not None:
            checksum.give_up()


def _groups(opened: Sequence[Opened]) -> list[dict[str, Source]]:
    """The folders by modality; further folders of the same modality go into further groups."""
    groups: list[dict[str, Source]] = [{}]
    for one in opened:
        if one.folder is not None:
            group = next((g for g in groups if one.modality.name not in g), None)
            if group is None:
                groups.append(group := {})
            group[one.modality.name] = one.folder
    return groups
