"""The counts, failures and warnings of a conversion, for its observer and its summary."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection

from rico_hdl.converting.sizes import nominal_bytes, stored_bytes
from rico_hdl.observer import Observer
from rico_hdl.sources import Archive
from rico_hdl.spec import Modality
from rico_hdl.store import StoreWriter
from rico_hdl.values import Failure, Record


class Report:
    """Counts patches, collects failures and warnings, and passes them on to the observer.

    Args:
        modalities: The modalities to convert.
        writer: The store.
        observer: Receives progress.
    """

    def __init__(
        self, modalities: Collection[Modality], writer: StoreWriter, observer: Observer
    ) -> None:
        self.n_written: Counter[str] = Counter()
        """Number of patches written, by modality."""
        self.n_present: Counter[str] = Counter()
        """Number of patches that were already stored, by modality."""
        self.n_repaired = 0
        """Number of written patches that replace a record with other values."""
        self.n_bytes = 0
        """Bytes of the written records."""
        self.failures: list[Failure] = []
        self.warnings: list[str] = []
        self._modalities = modalities
        self._writer = writer
        self._observer = observer
        self._n_planned: Counter[str] = Counter()
        self._space_warning = ""
        self._record_bytes = {
            modality.name: n_bytes
            for modality in modalities
            if (n_bytes := nominal_bytes(modality)) is not None
        }

    def begin(
        self, n_planned: Counter[str], archives: Collection[tuple[Modality, Archive]]
    ) -> None:
        """Warn of anything unusual before the conversion.

        Args:
            n_planned: Number of patches by modality, as far as it is known: those in folders, and
                those that the publisher states for archives.
            archives: The archives, each with its modality.
        """
        for message in self._writer.survey.messages():
            self.warn(message)
        self._n_planned = n_planned
        # Archives of which less is known have at least their own size once they are records.
        unknown = {
            path
            for modality, archive in archives
            if not (n_planned[modality.name] and modality.name in self._record_bytes)
            for path in archive.files
            if path.exists()
        }
        n_bytes = sum(path.stat().st_size for path in unknown)
        self._check_space(n_bytes if not self._writer.n_entries else 0)

    def _check_space(self, n_more: int = 0) -> None:
        """Warn once if the disk is too small, as far as the sizes of records are known."""
        n_needed = n_more + sum(
            stored_bytes(n_bytes) * max(0, self._n_planned[name] - self.n_stored(name))
            for name, n_bytes in self._record_bytes.items()
        )
        n_free = shutil.disk_usage(self._writer.target).free
        if n_needed > n_free and not self._space_warning:
            least = "at least" if n_more else "about"
            self._space_warning = (
                f"{self._writer.target} may run out of space: {least} {_megabytes(n_needed)} are "
                f"still needed, {_megabytes(n_free)} are free. If the disk becomes full, the "
                "conversion stops; free some space and run the same command to continue"
            )
            self.warn(self._space_warning)

    def n_stored(self, name: str) -> int:
        """Number of patches of a modality in the store."""
        part = self._writer.totals.modalities.get(name)
        return part.n_patches if part else 0

    def warn(self, message: str) -> None:
        """Report something unusual."""
        self.warnings.append(message)
        self._observer.on_warning(message)

    def fail(self, failure: Failure) -> None:
        """Report a patch that is left out, or an archive that can't be trusted."""
        self.failures.append(failure)
        self._observer.on_failure(failure)

    def present(self, name: str, n: int = 1) -> None:
        """Count patches of a modality that are already stored."""
        self.n_present[name] += n
        self._observer.on_patches(name, n, 0)

    def written(self, record: Record) -> None:
        """Count a written record."""
        name, n_bytes = record.origin.modality, len(record.data)
        if name not in self._record_bytes:
            self._record_bytes[name] = n_bytes
            self._check_space()
        self.n_written[name] += 1
        self.n_bytes += n_bytes
        self._observer.on_patches(name, 1, n_bytes)

    def end(self) -> None:
        """Note anything unusual about the store after the conversion."""
        if self._space_warning:
            self.warnings.remove(self._space_warning)  # the space has sufficed
        for modality in self._modalities:
            name = modality.name
            part = self._writer.totals.modalities.get(name)
            if part and part.n_constant:
                self.warnings.append(
                    f"{part.n_constant} of {part.n_patches} {name} patches are constant: all "
                    "pixels of a band have the same value"
                )
            n_stored = self.n_stored(name)
            if modality.n_published is not None and n_stored != modality.n_published:
                self.warnings.append(
                    f"{n_stored} {name} patches are stored, {modality.n_published} were published"
                )


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
