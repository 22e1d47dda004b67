"""Processing the results of a conversion.

In: records, failures, and reports on the sources. Out: records in the store, the manifest, a
summary. A record only replaces another one that may be wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rico_hdl.converting.repairs import Repairs
from rico_hdl.converting.report import Report
from rico_hdl.converting.settled import Settled
from rico_hdl.converting.sizes import published_in
from rico_hdl.converting.summary import Summary
from rico_hdl.errors import SourceError
from rico_hdl.observer import Observer
from rico_hdl.patches.supply import Supplied, Supply
from rico_hdl.spec import Modality
from rico_hdl.store import Manifest, StoreWriter
from rico_hdl.store.manifest import ModalityState
from rico_hdl.values import (
    ArchiveFailure,
    Failure,
    PatchFailure,
    Position,
    Record,
    Repeated,
    SourceRead,
    place_of,
)


class Ledger:
    """Keeps the books of one conversion.

    Args:
        supply: The patches to convert.
        writer: The store.
        manifest: The store's manifest; `save` brings it up to date.
        observer: Receives progress.
    """

    def __init__(
        self, supply: Supply, writer: StoreWriter, manifest: Manifest, observer: Observer
    ) -> None:
        self._supply = supply
        self._writer = writer
        self._manifest = manifest
        self._observer = observer
        self._modalities = [one.modality for one in supply.opened]
        self._origins = supply.origins
        self._repairs = Repairs(writer, self._origins, manifest.failures)
        planned = [one.modality.name for one in supply.opened if one.folder is not None]
        self._settled = Settled(writer, self._repairs.trusted, self._repairs.doubted, planned)
        self.wants = self._settled.wants
        """See `Supply.items`."""
        self._report = Report(self._modalities, writer, observer)
        self._repeated: dict[bytes, Repeated] = {}  # of records that follow
        self._differing: set[str] = set()  # modalities whose source holds other values
        self._n_unproven: Counter[str] = Counter()  # records without a valid note, by modality
        self._n_archives = Counter(modality.name for modality, _ in supply.archives)
        self._fruitless: list[SourceRead] = []  # archives without a patch

    @property
    def sums_in_doubt(self) -> set[tuple[str, str]]:
        """See `Supply.items`."""
        return self._repairs.sums_in_doubt

    @property
    def failures(self) -> list[Failure]:
        """The failures so far."""
        return self._report.failures

    def begin(self, absent: Sequence[str] = ()) -> None:
        """Warn of anything unusual, and write a manifest in which nothing is complete.

        Args:
            absent: The names of modalities that were looked for and that the source doesn't hold.
        """
        n_planned: Counter[str] = Counter()
        for plan in self._supply.plans:
            n_planned += plan.n_patches
        for one in self._supply.opened:
            name = one.modality.name
            state = self._manifest.modalities.get(name)
            if state is None or not state.complete:
                n_planned[name] += published_in(one.modality, one.archives) or 0
        self._report.begin(n_planned, self._supply.archives)
        self.save(finished=False)
        for name in absent:
            title = self._supply.spec.modality(name).title
            self._report.warn(f"the source holds no {title}: {name} is skipped")
        for one in self._supply.opened:
            if one.n_ignored:
                self._report.warn(
                    f"{one.locations[0]} holds patches, so the {one.n_ignored} archives next to "
                    "them are not read: name the archives to convert them"
                )

    def warn(self, *messages: str) -> None:
        """Report anything unusual."""
        for message in messages:
            self._report.warn(message)

    def take(self, item: Record | Supplied) -> None:
        """Store a record, or note any other item.

        Raises:
            SourceError: None of a modality's archives holds a patch.
        """
        if isinstance(item, Record):
            self._take_record(item)
        elif isinstance(item, Position):
            if item.n_passed:
                self._report.present(item.modality, item.n_passed)
            if item.n_bytes:
                self._observer.on_archive(
                    item.modality, item.location, item.n_bytes_read, item.n_bytes
                )
        elif isinstance(item, PatchFailure | ArchiveFailure):
            self._report.fail(item)
        elif isinstance(item, Repeated):
            if item.is_whole:
                self._repeated[item.key.encode()] = item
            else:
                self._report.warn(
                    f"{item.path}: some files of this patch appear again later in the archives: "
                    "the first ones are used"
                )
        elif isinstance(item, SourceRead):
            self._take_source(item)

    def _take_record(self, record: Record) -> None:
        repeated = self._repeated.pop(record.key, None)
        if repeated is None and record.key not in self._settled.elsewhere:
            self._writer.put(record)
            self._report.written(record)
            return
        there = self._settled.elsewhere.pop(record.key, None)
        verdict = self._repairs.settle(record, there)
        name = record.origin.modality
        if verdict == "equal":
            if there is not None or repeated is None:
                self._report.present(name)
        elif verdict == "different":
            place = record.origin.location
            if there is None:
                reason = "two patches have this key but different values: the first one is stored"
                if repeated is not None:
                    place = repeated.path
                    reason += f" ({repeated.first})" if repeated.first else ""
            else:
                self._differing.add(name)
                where = f"{there.location} ({there.modality})"
                reason = f"this key is stored with other values, from {where}: they are kept"
            self._report.fail(PatchFailure(record.key.decode(), name, place, None, reason))
        else:
            self._report.n_repaired += verdict == "repaired"
            self._report.written(record)

    def _take_source(self, source: SourceRead) -> None:
        name, location = source.origin
        if source.has_unknown_sum:
            self._report.warn(f"{location} was not checked: no MD5 sum is known for it")
        else:
            self._repairs.was_read(source.origin)
        if source.n_unread:
            self._report.warn(
                f"{source.n_unread} members of {location} were not read: they are links or "
                "devices, too large, or lead out of the archive"
            )
        for message in source.warnings:
            self._report.warn(message)
        if source.n_found == 0 and self._n_archives[name]:
            self._fruitless.append(source)
            self._check_fruitless(self._supply.spec.modality(name))

    def _check_fruitless(self, modality: Modality) -> None:
        """Refuse the archives of a modality if none of them holds a patch."""
        places = [s.origin.location for s in self._fruitless if s.origin.modality == modality.name]
        if len(places) == self._n_archives[modality.name]:
            raise SourceError(
                f"no {modality.title} in {', '.join(places)}: expected {modality.files}",
                f"See the expected files with: rico-hdl datasets {self._supply.spec.name}",
            )

    def save(self, *, finished: bool) -> None:
        """Commit, and write the manifest, which may only state what is safely on disk."""
        self._writer.commit()
        self._writer.sync()
        if finished:
            for source in self._fruitless:
                title = self._supply.spec.modality(source.origin.modality).title
                self._report.warn(f"no {title} in {source.origin.location}")
            self._report.end()
        self._n_unproven = self._writer.provenance.unproven()
        if finished and self._n_unproven:
            self._report.warn(
                f"{self._n_unproven.total()} records have lost their note in the journal and are "
                "in no source of this run: they can't be verified, and the store is not complete"
            )
        earlier = self._repairs.unresolved(self.failures)
        if finished:
            self._warn_of_archives(earlier)
        self.failures.sort(key=place_of)
        self._describe(earlier, finished=finished)
        self._manifest.failures = sorted([*earlier, *self.failures], key=place_of)
        self._manifest.describe(self._writer.totals, self._supply.spec)
        self._manifest.write(self._writer.target)

    def _warn_of_archives(self, earlier: list[Failure]) -> None:
        """Warn of archives that are still in doubt, and say what to do."""
        names = {modality.name for modality in self._modalities}
        for failure in earlier:
            if isinstance(failure, ArchiveFailure) and failure.modality in names:
                advice = (
                    "were compared with an intact copy: get one and run the same command, which "
                    "adds missing patches and repairs those that differ"
                )
                if failure.kind == "unsupported":
                    advice = f"are in another source: {failure}"
                self._report.warn(
                    f"{failure.path} was {failure.state} when it was converted, and not all of its "
                    f"records {advice}"
                )
                return

    def _describe(self, earlier: list[Failure], *, finished: bool) -> None:
        """Bring the manifest's modalities up to date."""
        names = {modality.name for modality in self._modalities}
        failed = {failure.modality for failure in [*self.failures, *earlier]}
        for values in self._manifest.other_failures:  # kinds that only a later version can resolve
            failed |= {name} if isinstance(name := values.get("modality"), str) else names
        for modality in self._modalities:
            name = modality.name
            state = self._manifest.modalities.setdefault(name, ModalityState())
            unproven = self._n_unproven[name] + self._n_unproven[""]
            state.complete = finished and name not in failed and not unproven
            state.bands = list(modality.band_names)
            if not state.sources or self._contributed(name):
                own = {origin.location for origin in self._origins if origin.modality == name}
                state.sources = sorted({*state.sources, *own})

    def _contributed(self, name: str) -> bool:
        """Whether the stored patches of a modality are those of its source, as far as known."""
        seen = self._report.n_written[name] + self._report.n_present[name]
        return seen > 0 and name not in self._differing

    def summary(self, *, finished: bool, seconds: float) -> Summary:
        """The result of the conversion."""
        names = [modality.name for modality in self._modalities]
        return Summary(
            dataset=self._supply.spec.name,
            target=str(self._writer.target),
            n_written={name: self._report.n_written[name] for name in names},
            n_present={name: self._report.n_present[name] for name in names},
            failures=self.failures,
            warnings=self._report.warnings,
            n_mended=self._report.n_repaired,
            n_bytes=self._report.n_bytes,
            seconds=seconds,
            complete=finished and not self.failures and not self._n_unproven,
            content_digest=self._manifest.content_digest,
        )
