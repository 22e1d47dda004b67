"""The books of one conversion: what is stored, what was left out, what is unusual.

In: records and failures. Out: puts in the store, counts, warnings, the manifest. A record is put
once, never over another one. It reads no source.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import PurePath
from typing import Final

from rico_hdl.converting.estimate import nominal_bytes, stored_bytes
from rico_hdl.observer import Observer
from rico_hdl.patches.folders import Plan
from rico_hdl.spec import DatasetSpec
from rico_hdl.store import UNPROVEN, Manifest, StoreWriter
from rico_hdl.store.manifest import ModalityState
from rico_hdl.values import (
    ArchiveFailure,
    ArchiveFailureKind,
    Failure,
    Origin,
    Patch,
    PatchFailure,
    Record,
    place_of,
)

_NO_ORIGIN: Final = (None, None)


class Ledger:
    """Puts records, and keeps count.

    Args:
        spec: The dataset.
        origins: Where the records of each modality that takes part come from.
        writer: The store.
        manifest: What was known of the store; brought up to date by `save`.
        observer: Is told what happens.
    """

    def __init__(
        self,
        spec: DatasetSpec,
        origins: Collection[Origin],
        writer: StoreWriter,
        manifest: Manifest,
        observer: Observer,
    ) -> None:
        self.n_written: Counter[str] = Counter()
        self.n_present: Counter[str] = Counter()
        self.n_bytes = 0
        self.n_mended = 0
        """Records of an archive that was found damaged before, now put anew with other values."""
        self.n_unproven = 0
        """Records whose notes were lost, and that were not compared with a source yet."""
        self.failures: list[Failure] = []
        self.warnings: list[str] = []
        self.spec = spec
        self._origins = set(origins)
        self._names = {origin.modality for origin in origins}
        self._writer = writer
        self._manifest = manifest
        self._observer = observer
        self._expected_bytes = {
            name: n_bytes
            for name in self._names
            if (n_bytes := nominal_bytes(spec.modality(name))) is not None
        }
        self._n_planned: Counter[str] = Counter()
        self._stored_from: dict[bytes, Origin] = {}  # of patches in flight that are there already
        # Archives that an earlier run could not trust: what they gave is compared, and repaired.
        self._doubtful: dict[Origin, set[ArchiveFailureKind]] = {}
        for failure in manifest.failures:
            if isinstance(failure, ArchiveFailure):
                origin = Origin(failure.modality, failure.path)
                self._doubtful.setdefault(origin, set()).add(failure.kind)
        # An incomplete archive lacks something, but what it gave is as sound as from any other.
        self._uncertain = {o for o, kinds in self._doubtful.items() if kinds != {"incomplete"}}
        # There, a record of unknown origin may have come from one of these.
        self._doubted = {origin.modality for origin in self._doubtful}
        self._unproven: Counter[str] = Counter()  # records without a valid note, by modality
        self._sound: set[Origin] = set()  # sources that were read to their end in this run
        self._in_conflict: set[str] = set()  # modalities whose source holds other values
        self._earlier_failures = list(manifest.failures)
        self._elsewhere: dict[int, Origin] | None = None  # by the keys' hashes
        self._met: set[int] = set()  # hashes of keys that archives held until now
        self._twice: set[bytes] = set()  # keys that archives hold more than once
        self._is_empty: bool | None = None  # the store, before the first archive

    def look_around(self, plan: Plan, archive_bytes: int) -> None:
        """Tell what is unusual before anything is converted.

        Args:
            plan: The patches in folders.
            archive_bytes: The size of all archives.
        """
        for message in self._writer.survey.messages():
            self.warn(message)
        self._n_planned = plan.n_patches
        self._check_space(archive_bytes if not self._writer.n_entries else 0)

    def _check_space(self, n_more: int = 0) -> None:
        """Announce that the disk is too small, as far as the sizes of records are known."""
        n_needed = n_more + sum(
            stored_bytes(n_bytes) * max(0, self._n_planned[name] - self._n_stored(name))
            for name, n_bytes in self._expected_bytes.items()
        )
        n_free = shutil.disk_usage(self._writer.target).free
        if n_needed > n_free:
            least = "at least" if n_more else "about"
            self.warn(
                f"{least} {_megabytes(n_needed)} are still needed in {self._writer.target}, "
                f"{_megabytes(n_free)} are free: when the disk is full the conversion ends, and "
                "the same command continues once there is space"
            )

    def _n_stored(self, name: str) -> int:
        part = self._writer.totals.modalities.get(name)
        return part.n_patches if part else 0

    def warn(self, message: str) -> None:
        """Note something unusual, and tell of it."""
        self.warnings.append(message)
        self._observer.on_warning(message)

    def fail(self, failure: Failure) -> None:
        """Note a patch that is left out or an archive that can't be trusted, and report it."""
        self.failures.append(failure)
        self._observer.on_failure(failure)

    def leave_out(self, failure: PatchFailure) -> None:
        """Note a patch that an archive lacks files of.

        Where the archive held that patch before, whole, these are later copies of some files.
        """
        if failure.key.encode(errors="replace") in self._twice:
            self.warn(f"{failure.path}: some files stand there again, later: the first were taken")
        else:
            self.fail(failure)

    def was_read(self, modality: str, location: str) -> None:
        """Note that a source was read to its end, and is sound as far as that tells."""
        self._sound.add(Origin(modality, location))

    def must_check(self, modality: str, location: str) -> bool:
        """Whether a source must be compared with its published MD5 sum.

        So it is where the sum was wrong before, of this archive or of one with the same name: a
        copy of it may be as wrong, and would be proof of itself.
        """
        name = PurePath(location).name
        return any(
            origin.modality == modality
            and PurePath(origin.location).name == name
            and "checksum" in kinds
            for origin, kinds in self._doubtful.items()
        )

    def present(self, name: str) -> None:
        """Note a patch of a modality that is stored already."""
        self.n_present[name] += 1
        self._observer.on_patches(name, 1, 0)

    def _trusted(self) -> set[Origin]:
        """The sources of this run whose records need not be looked at again."""
        return self._origins - self._uncertain

    def missing(self, plan: Plan) -> Iterator[Patch]:
        """The patches that are not stored, and those that are, but came from somewhere else."""
        if not self._writer.n_entries:
            yield from plan
            return
        elsewhere = self._writer.provenance.elsewhere(self._trusted(), self._doubted)
        key, origin = next(elsewhere, _NO_ORIGIN)
        for patch in plan:
            wanted = patch.key.encode()
            while key is not None and key < wanted:
                key, origin = next(elsewhere, _NO_ORIGIN)
            if origin is not None and key == wanted:
                self._stored_from[wanted] = origin
                yield patch
            elif wanted not in self._writer:
                yield patch
            else:
                self.present(patch.modality.name)

    def is_settled(self, key: str) -> bool:
        """Whether an archive's patch need not be converted: it is stored, and from these sources.

        A key that the archives hold twice is not settled the second time, nor one that came from
        somewhere else: then the values are compared.
        """
        encoded = key.encode()
        number = hash(encoded)
        if number in self._met:
            self._twice.add(encoded)
            return False
        self._met.add(number)
        if self._is_empty is None:
            self._is_empty = not self._writer.n_entries
        if self._is_empty or encoded not in self._writer:
            return False
        if self._elsewhere is None:
            self._writer.commit()  # so that the journal knows all that is stored
            others = self._writer.provenance.elsewhere(self._trusted(), self._doubted)
            self._elsewhere = {hash(other): origin for other, origin in others}
        origin = self._elsewhere.get(number)
        if origin is not None:
            self._stored_from[encoded] = origin
        return origin is None

    def take(self, result: Record | PatchFailure) -> None:
        """Put a record, or note why there is none."""
        if isinstance(result, PatchFailure):
            self.fail(result)
        elif result.key in self._stored_from or result.key in self._twice:
            self._compare(result)
        else:
            self._put(result)

    def _put(self, record: Record) -> None:
        self._writer.put(record)
        self._count(record)

    def _count(self, record: Record) -> None:
        """Count a record that was written."""
        name, n_bytes = record.origin.modality, len(record.data)
        if name not in self._expected_bytes:
            self._expected_bytes[name] = n_bytes
            self._check_space()
        self.n_written[name] += 1
        self.n_bytes += n_bytes
        self._observer.on_patches(name, 1, n_bytes)

    def _is_better(self, origin: Origin, there: Origin) -> bool:
        """Whether a record is to be noted as that of another source that holds the same bytes.

        So it is where it has no valid note, and where an archive was found damaged: then the
        journal says in the end whether all that it gave is what intact sources hold.
        """
        if there == UNPROVEN:
            return True
        return origin.modality in self._doubted and origin not in {there, *self._doubtful}

    def _is_uncertain(self, there: Origin) -> bool:
        """Whether a record from there may hold wrong values."""
        # Those of unknown origin are told apart from others only where that is in doubt.
        may_be = {origin.modality for origin in self._uncertain}
        is_unknown = not there.location and bool(may_be) and there.modality in {"", *may_be}
        return there in self._uncertain or there == UNPROVEN or is_unknown

    def _compare(self, record: Record) -> None:
        """Accept a record that is stored already from another source, if it is the same."""
        name, key = record.origin.modality, record.key.decode()
        there = self._stored_from.pop(record.key, None)
        if record.key not in self._writer:  # what came first could not be converted
            self._put(record)
            return
        again = record.key in self._twice and there is None
        if self._writer.holds(record):
            if not again:
                self.present(name)
            if there is not None and self._is_better(record.origin, there):
                self._writer.confirm(record, there)
            return
        if there is not None and self._is_uncertain(there):
            self._writer.replace(record, there)
            self.n_mended += 1
            self._count(record)
            return
        where = f"{there.location} ({there.modality})" if there else "another source"
        if again:
            reason = "the same key twice, with different values: what came first is stored"
        else:
            self._in_conflict.add(name)
            reason = (
                f"this key is stored already with other values, from {where}: it was not changed"
            )
        self.fail(PatchFailure(key, name, record.origin.location, None, reason))

    def _look_back(self) -> None:
        """Tell what is unusual about what is stored, now that all of it is."""
        for modality in self.spec.modalities:
            name = modality.name
            if name not in self._names:
                continue
            part = self._writer.totals.modalities.get(name)
            if part and part.n_constant:
                self.warnings.append(
                    f"{part.n_constant} of {part.n_patches} {name} patches have one value in all "
                    "pixels of each band"
                )
            n_stored = part.n_patches if part else 0
            if modality.n_published is not None and n_stored != modality.n_published:
                self.warnings.append(
                    f"{n_stored} {name} patches are stored, {modality.n_published} were published"
                )

    def _contributed(self, name: str) -> bool:
        """Whether what is stored of a modality is what this source holds, as far as was seen."""
        seen = self.n_written[name] + self.n_present[name]
        return seen > 0 and name not in self._in_conflict

    def save(self, *, finished: bool) -> None:
        """Commit, and write the manifest: it must not know more than what is safely on disk."""
        self._writer.commit()
        self._writer.sync()
        if finished:
            self._look_back()
        self._unproven = self._writer.provenance.unproven()
        self.n_unproven = self._unproven.total()
        if finished and self.n_unproven:
            self.warn(
                f"{self.n_unproven} records have lost their note in the journal, and no source of "
                "this run holds them: nothing proves them, and the store is not complete"
            )
        manifest = self._manifest
        earlier = self._unresolved(finished=finished)
        failed = {failure.modality for failure in [*self.failures, *earlier]}
        for values in manifest.other_failures:  # of kinds that only a later version can settle
            failed |= {name} if isinstance(name := values.get("modality"), str) else self._names
        for modality in self.spec.modalities:
            name = modality.name
            if name not in self._names:
                continue
            state = manifest.modalities.setdefault(name, ModalityState())
            unproven = self._unproven[name] + self._unproven[""]
            state.complete = finished and name not in failed and not unproven
            state.bands = list(modality.band_names)
            if not state.sources or self._contributed(name):
                own = {origin.location for origin in self._origins if origin.modality == name}
                state.sources = sorted({*state.sources, *own})
        self.failures.sort(key=place_of)
        manifest.failures = sorted([*earlier, *self.failures], key=place_of)
        manifest.describe(self._writer.totals, self.spec)
        manifest.write(self._writer.target)

    def _unresolved(self, *, finished: bool) -> list[Failure]:
        """Failures of earlier runs that this one has neither found again nor made up for."""
        again = set(map(_identity, self.failures))
        again_at = {(f.modality, f.path) for f in self.failures if isinstance(f, ArchiveFailure)}
        failed = {(f.key, f.modality) for f in self.failures if isinstance(f, PatchFailure)}
        left: list[Failure] = []
        archives = []
        for failure in self._earlier_failures:
            if _identity(failure) in again or self._is_resolved(failure):
                continue
            if isinstance(failure, PatchFailure):
                if (failure.key, failure.modality) not in failed:
                    left.append(failure)
            # A wrong MD5 sum counts until a right one is found, whatever else happened since.
            elif failure.kind == "checksum" or (failure.modality, failure.path) not in again_at:
                left.append(failure)
                archives += [failure] if failure.modality in self._names else []
        if finished and archives:
            self.warn(
                f"{archives[0].path} was {_state(archives[0])} when it was converted, and not all "
                "that it gave was compared with an intact copy: give that, and the same command "
                "adds what is missing and repairs what differs"
            )
        return left

    def _is_resolved(self, failure: Failure) -> bool:
        if isinstance(failure, ArchiveFailure):
            return self._is_cleared(failure)
        # Found again where it was, it would be reported again.
        read = any(
            modality == failure.modality and failure.path.startswith(f"{location}/")
            for modality, location in self._sound
        )
        return read or failure.key.encode(errors="replace") in self._writer

    def _is_cleared(self, failure: ArchiveFailure) -> bool:
        """Whether it is known by now that what an archive gave is right."""
        origin = Origin(failure.modality, failure.path)
        name = PurePath(failure.path).name
        if any(m == failure.modality and PurePath(place).name == name for m, place in self._sound):
            return True  # it, or a copy of it, was read to its end
        # Sources that are in doubt themselves prove nothing.
        return self._writer.provenance.is_made_up_for(origin, self._sound)


def _state(failure: ArchiveFailure) -> str:
    """What an archive was found to be."""
    return "incomplete" if failure.kind == "incomplete" else "damaged"


def _identity(failure: Failure) -> tuple[str, ...]:
    """What makes failures of two runs the same: not the wording of the reason."""
    return (failure.kind, *place_of(failure))


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
