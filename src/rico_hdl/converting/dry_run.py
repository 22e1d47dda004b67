"""Forecasting a conversion without writing anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

from rico_hdl.converting.converter import PatchConverter
from rico_hdl.converting.sizes import published_in, stored_bytes
from rico_hdl.datasets import resolve
from rico_hdl.patches.folders import Plan
from rico_hdl.patches.opening import Named, Opened, StrPath, named_sources, open_all
from rico_hdl.patches.supply import Supply, archived
from rico_hdl.spec import DatasetSpec
from rico_hdl.values import (
    ArchiveFailure,
    Failure,
    Patch,
    PatchFailure,
    SourceRead,
    json_ready,
    place_of,
)

N_SAMPLES: Final = 3
"""Number of patches to convert per modality; their sizes hardly differ."""


@dataclass
class ModalityForecast:
    """What a conversion would write for one modality."""

    source: str
    """Where its patches come from: a folder, or the first archive."""
    archives: list[str]
    """The archives that hold it."""
    n_patches: int | None
    """Number of patches; None if counting them takes reading a whole archive."""
    n_published: int | None
    """Number of patches that the publisher states."""
    first_keys: list[str] = field(default_factory=list)
    """The first keys."""


@dataclass
class DryRun:
    """What a conversion would do."""

    dataset: str
    """The spec's name."""
    target: str
    """The target, as given."""
    modalities: dict[str, ModalityForecast] = field(default_factory=dict)
    """What would be written, by modality."""
    n_bytes_expected: int | None = 0
    """Approximate bytes of ``data.mdb``; for an archive whose patches can't be counted without
    reading all of it, by the publisher's number of patches. None if that is unknown, too."""
    n_bytes_free: int = 0
    """Free bytes on the target's disk."""
    failures: list[Failure] = field(default_factory=list)
    """Failures found so far, sorted by key: patches that would be left out, damaged archives."""
    warnings: list[str] = field(default_factory=list)
    """Anything unusual that is not a failure: files that belong to no patch, copies of patches."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        failures = [failure.to_dict() for failure in self.failures]
        return json_ready(asdict(self) | {"failures": failures})


def dry_run(
    dataset: StrPath | DatasetSpec, sources: Mapping[str, Named] | StrPath, target: StrPath
) -> DryRun:
    """Examine the sources of a conversion, and convert a few patches without storing them.

    Folders are listed. Archives that can only be read from beginning to end are read up to the
    first patches.

    Args:
        dataset: As for `rico_hdl.convert`.
        sources: As for `rico_hdl.convert`.
        target: As for `rico_hdl.convert`, but nothing is created.

    Raises:
        UsageError: An argument can't be used.
        SourceError: A source can't be used.
    """
    spec = resolve(dataset)
    sources, _ = named_sources(spec, sources)
    supply = Supply(spec, open_all(spec, sources))
    result = DryRun(spec.name, str(target))
    result.n_bytes_free = shutil.disk_usage(_existing(Path(target).expanduser().absolute())).free
    samples = {one.modality.name: _Samples() for one in supply.opened}
    result.failures = [failure for plan in supply.plans for failure in plan.failures]
    result.warnings = list(_copies(supply.plans))
    for plan in supply.plans:
        result.warnings += chain.from_iterable(plan.warnings.values())
    _look_into_folders(supply, samples, result.failures)
    for one in supply.opened:
        name, tried = one.modality.name, samples[one.modality.name]
        if one.folder is not None:
            n_patches: int | None = sum(plan.n_patches[name] for plan in supply.plans)
        else:
            n_patches = _look_into_archives(supply, one, tried, result)
        places = one.locations
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        result.modalities[name] = ModalityForecast(
            source=places[0] + more,
            archives=[archive.location for archive in one.archives],
            n_patches=n_patches,
            n_published=one.modality.n_published,
            first_keys=tried.keys,
        )
        if n_patches is None:
            n_bytes = tried.n_bytes(published_in(one.modality, one.archives))
        else:
            n_bytes = tried.n_bytes(n_patches)
        if n_bytes is None or result.n_bytes_expected is None:
            result.n_bytes_expected = None
        else:
            result.n_bytes_expected += n_bytes
    result.failures.sort(key=place_of)
    return result


class _Samples:
    """The first patches of a modality."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._sizes: list[int] = []  # of their records in the store
        self._converter = PatchConverter()

    @property
    def are_enough(self) -> bool:
        """Whether no further patch needs to be converted."""
        return len(self.keys) == N_SAMPLES

    def take(self, patch: Patch) -> PatchFailure | None:
        """Convert a patch.

        Returns:
            Why it can't be converted, if so.
        """
        self.keys.append(patch.key)
        found = self._converter.convert_one(patch)
        if isinstance(found, PatchFailure):
            return found
        self._sizes.append(stored_bytes(len(found.data)))
        return None

    def n_bytes(self, n_patches: int | None) -> int | None:
        """Bytes that a number of patches takes in the store, by the average of the samples."""
        if n_patches is None or not self._sizes:
            return None if n_patches is None else 0
        return round(sum(self._sizes) / len(self._sizes) * n_patches)


def _look_into_folders(
    supply: Supply, samples: Mapping[str, _Samples], failures: list[Failure]
) -> None:
    """Convert the first patches of each folder."""
    n_left = sum(min(N_SAMPLES, n) for plan in supply.plans for n in plan.n_patches.values())
    for patch in chain.from_iterable(supply.plans) if n_left else ():
        tried = samples[patch.modality.name]
        if tried.are_enough:
            continue
        failure = tried.take(patch)
        failures += [failure] if failure else []
        n_left -= 1
        if n_left == 0:
            return


def _copies(plans: Iterable[Plan]) -> Iterator[str]:
    """A warning for each plan that holds patches more than once."""
    for plan in plans:
        if plan.n_copies:
            copies = (repeated for _, repeated in plan.with_copies() if repeated is not None)
            one = next(copies)
            yield (
                f"{plan.n_copies} patches are further copies of others, such as {one.path} of "
                f"{one.first}: a conversion compares them, and copies that differ are failures"
            )


def _look_into_archives(supply: Supply, one: Opened, tried: _Samples, result: DryRun) -> int | None:
    """Convert the first patches in archives.

    Returns:
        The number of patches; None if counting them takes reading a whole archive.
    """
    n_found = 0
    siblings = supply.spec.modalities
    for archive in one.archives:
        with closing(archived(one.modality, archive, siblings=siblings)) as items:
            for item in items:
                if isinstance(item, PatchFailure | ArchiveFailure):
                    result.failures.append(item)
                elif isinstance(item, SourceRead):
                    result.warnings += item.warnings
                elif isinstance(item, Patch):
                    n_found += 1
                    if not tried.are_enough:
                        failure = tried.take(item)
                        result.failures += [failure] if failure else []
                    elif archive.sequential:
                        return None
    return n_found


def _existing(path: Path) -> Path:
    """The path itself, or the nearest existing folder above it."""
    return next(p for p in (path, *path.parents) if p.is_dir())
