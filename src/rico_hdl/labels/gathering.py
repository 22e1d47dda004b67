"""Gathering the labels of a dataset from everything that has some.

In: files that users give, files in and next to the sources, members of archives that are read for
their patches, and the paths of patches. Out: `SampleTable`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rico_hdl.errors import ArchiveError, MemoryLimitError, RicoError, SourceError, UsageError
from rico_hdl.labels.collecting import Collector
from rico_hdl.labels.table_files import MAX_JSON_BYTES, MAX_RECORD_BYTES, TableRow, rows_of
from rico_hdl.labels.table_rows import TableRows
from rico_hdl.sources import Archive, Member
from rico_hdl.sources.files import read_regular
from rico_hdl.sources.label_files import files_given, files_in
from rico_hdl.sources.protocol import HasRows
from rico_hdl.spec import DatasetSpec, Labels, LabelTable, Modality
from rico_hdl.spec.labels import split_name

if TYPE_CHECKING:
    from rico_hdl.labels.samples import SampleTable

MAX_TABLE_BYTES: Final = MAX_JSON_BYTES
"""Largest table that is read from an archive, where it is held in memory."""
_N_READERS: Final = 8
"""Threads that read files of one row each: on a network mount each read waits for an answer."""
_N_AHEAD: Final = 32
"""Such files that are held at most."""


class Gathering:
    """Collects the labels of a dataset.

    Args:
        spec: The dataset.
    """

    def __init__(self, spec: DatasetSpec) -> None:
        self.warnings: list[str] = []
        """Anything unusual, a sentence each."""
        self.problem: RicoError | None = None
        """Why members of an archive could not be read as labels; None if they could."""
        self._spec = spec
        self._labels = spec.labels or Labels(field=spec.modalities[0].key.fields[0])
        self._begin()

    def _begin(self) -> None:
        spec, labels = self._spec, self._labels
        names = [modality.name for modality in spec.modalities]
        self._collector = Collector(names, labels.kind, labels.classes)
        self._readers = [TableRows(spec, table, self._collector) for table in labels.tables]
        self._owners: dict[str, str] = {}
        self._paths: dict[str, Callable[[str, str], None] | None] = {
            modality.name: self._reader_of_paths(i, modality)
            for i, modality in enumerate(spec.modalities)
        }

    def __len__(self) -> int:
        """The number of rows so far."""
        return len(self._collector)

    # Files

    def read_given(self, paths: Iterable[Path]) -> None:
        """Read the files, folders and archives that a user names.

        Raises:
            UsageError: The dataset has no tables, or no table has such a name.
            SourceError: A file can't be read, or its rows can't be used.
        """
        tables = self._labels.tables
        for path in paths:
            if not tables:
                raise UsageError(
                    f"{path}: nothing says how it labels the patches of {self._spec.name}",
                    "In the TOML file of your own dataset, add [[labels.table]].",
                )
            n_before = len(self)
            for table, place, content, fields in files_given(self._spec.name, path, tables):
                self._read(table, place, content, fields)
            if len(self) == n_before:
                raise SourceError(
                    f"{path}: has no rows, expected labels of {self._spec.title}",
                    f"Expected files: {', '.join(table.file for table in tables)}.",
                )

    def read_found(self, inside: Iterable[Path], beside: Iterable[Path]) -> None:
        """Read the files that are in the sources, or else next to them.

        A file next to a source that can't be used is reported as a warning: it may be of another
        dataset.

        Args:
            inside: The folders of the sources.
            beside: The folders that hold the sources.

        Raises:
            SourceError: A file in a source can't be read, or its rows can't be used.
        """
        inside = list(dict.fromkeys(inside))
        beside = [place for place in dict.fromkeys(beside) if place not in inside]
        for reader in self._readers:
            table, n_before = reader.table, len(self)
            for folder in inside:
                for path, content, fields in _contents(table, files_in(folder, table)):
                    self._read(table, str(path), content, fields)
            if len(self) > n_before:
                continue
            for folder in beside:
                for path, content, fields in _contents(table, files_in(folder, table)):
                    self._try(table, path, content, fields)

    def read_rows(self, archives: Iterable[Archive]) -> None:
        """Read what archives say about their samples.

        An archive that is damaged there is reported as a warning: it may have patches all the same,
        and the conversion itself says which ones it can't read.

        Raises:
            SourceError: A row can't be used.
        """
        for reader in self._readers:
            if reader.table.file:
                continue
            for archive in archives:
                if isinstance(archive, HasRows):
                    mark = self._collector.mark()
                    rows = (TableRow(i, values) for i, values in enumerate(archive.rows(), 1))
                    try:
                        reader.read(archive.location, rows, {})
                    except ArchiveError as error:
                        self._collector.go_back(mark)
                        self.warnings.append(f"labels were not read: {error.message}")

    def _read(
        self, table: LabelTable, place: str, content: Path | bytes, fields: dict[str, str]
    ) -> None:
        reader = self._readers[self._labels.tables.index(table)]
        reader.read(place, rows_of(table, place, content), fields)

    def _try(
        self, table: LabelTable, path: Path, content: Path | bytes, fields: dict[str, str]
    ) -> None:
        """Read a file that may be of another dataset."""
        mark = self._collector.mark()
        try:
            self._read(table, str(path), content, fields)
        except RicoError as error:
            self._collector.go_back(mark)
            self.warnings.append(f"labels were not read: {error.message}. {error.hint}".strip())

    # Archives, and paths of patches

    def wants(self, path: str) -> bool:
        """Whether a member of an archive is a table."""
        return any(reader.table.fields_of(path) is not None for reader in self._readers)

    def take(self, location: str, member: Member, modality: str) -> None:
        """Read a member of an archive that is a table; a problem is noted in `problem`.

        Args:
            location: The archive.
            member: The member.
            modality: The modality that the archive is read for; if it is read for several, tables
                are read the first time.

        Raises:
            ArchiveError: The archive is damaged there.
        """
        path = member.path
        is_first = self._owners.setdefault(location, modality) == modality
        if self.problem is not None or not is_first:
            return
        place = f"{location}/{path}"
        try:
            if member.n_bytes > MAX_TABLE_BYTES:
                raise SourceError(
                    f"{place}: has {member.n_bytes:,} bytes, and at most {MAX_TABLE_BYTES:,} of a "
                    "table in an archive are read",
                    "Unpack it, and give it with --labels.",
                )
            data = member.read()
            if not isinstance(data, bytes):
                return
            for reader in self._readers:
                fields = reader.table.fields_of(path)
                if fields is not None:
                    reader.read(place, rows_of(reader.table, place, data), fields)
                    return
        except ArchiveError:
            raise
        except RicoError as error:
            self.problem = error

    def meet(self, modality: Modality, key: str, path: str) -> None:
        """Note what the path of a patch says about it.

        Args:
            modality: The modality.
            key: The patch's key.
            path: One of its files.
        """
        read = self._paths[modality.name]
        if read is not None and self.problem is None:
            try:
                read(key, path)
            except RicoError as error:
                self.problem = error

    def _reader_of_paths(
        self, position: int, modality: Modality
    ) -> Callable[[str, str], None] | None:
        """A function that notes what paths say and keys don't; None if there is nothing."""
        labels, collector = self._labels, self._collector
        known = {*modality.patch_fields} - {*modality.key.fields}
        field = labels.field if labels.field in known else ""
        split = labels.split if labels.split in known else ""
        if not field and not split:
            return None
        mapping = {one.name: one.becomes for one in labels.mapping}
        place = len(collector.places)
        collector.places.append(f"the paths of {modality.name}")

        def read(key: str, path: str) -> None:
            values = modality.fields_of(path) or {}
            keys = [""] * len(self._spec.modalities)
            keys[position] = key
            name = mapping.get(values[field], values[field]) if field else ""
            if name:
                collector.settle("single")
            where = split_name(values[split]) if split else ""
            collector.add(keys, position, [name] if name else None, where, (place, 0))

        return read

    # The result

    def samples(self) -> SampleTable:
        """All labels so far; the rows are released.

        Raises:
            SourceError: Rows contradict each other.
        """
        from rico_hdl.labels.joining import joined  # noqa: PLC0415 - takes numpy

        found, n_repeated = joined(self._collector, self._labels.classes)
        for reader in self._readers:
            if reader.n_unlabelled:
                place = reader.table.file or "the archives"
                self.warnings.append(f"{reader.n_unlabelled} rows of {place} have no label")
        if n_repeated:
            self.warnings.append(f"{n_repeated} rows with labels only repeat others")
        self._begin()
        return found

    def merged(self, new: SampleTable, stored: SampleTable) -> SampleTable:
        """New labels, together with those that a store has.

        Raises:
            SourceError: They are of different kinds.
        """
        from rico_hdl.labels.joining import merged  # noqa: PLC0415 - takes numpy

        return merged(new, stored, self._collector.modalities, self._labels.classes)


def _contents(
    table: LabelTable, files: Iterable[tuple[Path, dict[str, str]]]
) -> Iterator[tuple[Path, Path | bytes, dict[str, str]]]:
    """The files of a table; if each is only a row, with their bytes, which threads read ahead."""
    if not table.is_record:
        yield from ((path, path, fields) for path, fields in files)
        return
    waiting = iter(files)
    with ThreadPoolExecutor(_N_READERS, "rico-hdl-labels") as pool:
        while some := list(islice(waiting, _N_AHEAD)):
            # A file that can't be read is given as a path, to raise the error in its turn.
            for (path, fields), data in zip(some, pool.map(_bytes_of, some), strict=True):
                yield path, path if data is None else data, fields


def _bytes_of(file: tuple[Path, dict[str, str]]) -> bytes | None:
    try:
        return read_regular(file[0], MAX_RECORD_BYTES)
    except (OSError, MemoryLimitError):
        return None
