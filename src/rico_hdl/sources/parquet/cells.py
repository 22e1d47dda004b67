"""Single cells of a parquet file, without the rest of it.

In: a parquet file. Out: the names of its rows, and the bytes of one cell at a time, to any thread.
Of row groups with one row, as published, a cell takes one read of nothing but its bytes. Of larger
ones a column is read forwards, row by row, and what was read is kept for a while: whoever asks in
about the order of rows has nothing read twice.

pyarrow is imported on first use: it is optional.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple

from rico_hdl.errors import ArchiveError, SourceError
from rico_hdl.sources.protocol import MAX_MEMBER_BYTES

MAX_FOOTER_BYTES: Final = 2**26
"""The largest table of contents that is read: of some 15,000 row groups with 17 columns."""
MAX_ROW_BYTES: Final = MAX_MEMBER_BYTES
"""The most that a row may take. A file can lie about it: pages, which are decoded whole, may be as
large as the format allows, which is 2 GiB."""
_MAX_HELD_BYTES: Final = 2**29
"""What may be held of row groups with several rows. Writers put many cells into one page, up to all
of a column, and pages can only be decoded whole."""
_MAX_KEPT_BYTES: Final = 2**24
"""What is kept of each column of them for threads that are some rows behind."""
_BUFFER_BYTES: Final = 2**20

_MAGIC: Final = b"PAR1"
_AGAIN: Final = "Download it again."


class Column(NamedTuple):
    """A column that is not nested."""

    name: str
    """Its name."""
    holds: str
    """``text``, ``bytes`` or ``other``."""


class Cells:
    """An open parquet file.

    It can be read by several threads at once, also after `close`: each read opens it anew then.

    Args:
        path: The file.

    Raises:
        SourceError: It is no parquet file, or can't be opened, or pyarrow is not installed.
        ArchiveError: It is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.n_bytes = _check_ends(path)
        """Bytes of the file."""
        self._path = path
        self._arrow, self._parquet = _import_pyarrow()
        self._lock = Lock()
        self._closed = False
        self._idle: list[Any] = []
        self._cursors: OrderedDict[tuple[int, str], _Cursor] = OrderedDict()
        self._metadata: Any = None
        try:
            with self._errors("its table of contents can't be read"), self._reader() as reader:
                # For a thousand row groups this takes 13 ms; opening without it takes 0.04 ms.
                self._metadata = reader.metadata
                self.columns = tuple(_columns(reader.schema_arrow, self._arrow.types))
                """Its columns, in the order of the file, without nested ones."""
                # Columns of row groups are not asked: where their statistics are damaged, pyarrow
                # ends the process.
                n = self._metadata.num_row_groups
                groups = [self._metadata.row_group(i) for i in range(n)]
                self.n_rows = tuple(group.num_rows for group in groups)
                """The number of rows of each row group."""
                self._n_bytes_of_groups = tuple(group.total_byte_size for group in groups)
        except ArchiveError as error:
            raise ArchiveError(f"{path}: {error.message}", _AGAIN) from error
        if sum(self.n_rows) > self.n_bytes or min(self.n_rows, default=0) < 0:
            self.close()
            raise ArchiveError(
                f"{path}: says that {self.n_bytes:,} bytes hold {sum(self.n_rows):,} rows", _AGAIN
            )
        self._turns = {column.name: Lock() for column in self.columns}

    def names(self, group: int, columns: Sequence[Column]) -> Iterator[tuple[str | None, ...]]:
        """The values of columns with text, row by row; None where there is none.

        Raises:
            ArchiveError: They can't be read; the message does not say in which file.
        """
        n_bytes, n_rows = self._n_bytes_of_groups[group], self.n_rows[group]
        if n_bytes > n_rows * MAX_ROW_BYTES:
            raise ArchiveError(
                f"row group {group + 1} says that its {n_rows:,} rows take {n_bytes:,} bytes; at "
                f"most {MAX_ROW_BYTES:,} are read of a row"
            )
        n_told = 0
        with self._errors(f"row group {group + 1} can't be read"), self._reader() as reader:
            for table in self._tables(reader, group, [column.name for column in columns]):
                values = [table.column(column.name).to_pylist() for column in columns]
                for row in zip(*values, strict=True):
                    n_told += 1
                    if n_told > n_rows:
                        break
                    yield tuple(map(_text, row))
        if n_told != n_rows:
            more = "more" if n_told > n_rows else f"{n_told}"
            raise ArchiveError(f"row group {group + 1} has {more} rows, expected {n_rows}")

    def read(self, group: int, row: int, column: Column) -> bytes:
        """A cell with bytes.

        Args:
            group: Zero-based number of the row group.
            row: Zero-based position of the row in it.
            column: The column.

        Raises:
            ArchiveError: It can't be read; the message does not say which it is.
        """
        with self._errors("can't be read"):
            if self.n_rows[group] == 1:
                value = self._read_alone(group, column.name)
            else:
                value = self._read_forwards(group, row, column)
        if value is None:
            raise ArchiveError("its cell is empty")
        if len(value) > MAX_MEMBER_BYTES:
            raise ArchiveError(
                f"holds {len(value):,} bytes, more than the {MAX_MEMBER_BYTES:,} that are read"
            )
        return value

    def close(self) -> None:
        """Close the file; for threads that are reading it as soon as they are done."""
        with self._lock:
            self._closed = True
            unused = [*self._idle, *self._cursors.values()]
            self._idle.clear()
            self._cursors.clear()
        for reader in unused:
            reader.close()

    def _tables(self, reader: Any, group: int, names: list[str]) -> Iterator[Any]:  # noqa: ANN401
        """The rows of a row group, one at a time if there are several: a value may be large."""
        if self.n_rows[group] == 1:
            yield reader.read_row_group(group, columns=names, use_threads=False)
        else:
            yield from reader.iter_batches(
                batch_size=1, row_groups=[group], columns=names, use_threads=False
            )

    def _read_alone(self, group: int, name: str) -> bytes | None:
        """The cell of a row group with one row."""
        with self._reader() as reader:
            table = reader.read_row_group(group, columns=[name], use_threads=False)
        if table.num_rows != 1:
            raise ArchiveError(f"is damaged: {table.num_rows} cells, expected one")
        return _bytes(table.column(name)[0].as_py())

    def _read_forwards(self, group: int, row: int, column: Column) -> bytes | None:
        """A cell of a row group with several rows."""
        key = (group, column.name)
        with self._turns[column.name]:
            with self._lock:
                cursor = self._cursors.pop(key, None)
            if cursor is None:
                n_bytes = self._n_bytes_of_groups[group] // len(self.columns)
                cursor = _Cursor(self._open(_BUFFER_BYTES), group, column.name, n_bytes)
            try:
                value = cursor.read(row)
            except BaseException:
                cursor.close()
                raise
            self._hold(key, cursor)
        return value

    def _hold(self, key: tuple[int, str], cursor: _Cursor) -> None:
        """Keep a cursor for the next row, and close those that were not used for longest."""
        dropped = []
        with self._lock:
            self._cursors[key] = cursor
            n_held = sum(held.n_bytes for held in self._cursors.values())
            while self._cursors and (self._closed or n_held > _MAX_HELD_BYTES):
                dropped.append(self._cursors.popitem(last=False)[1])
                n_held -= dropped[-1].n_bytes
        for old in dropped:
            old.close()

    @contextmanager
    def _reader(self) -> Iterator[Any]:
        """A reader of the file for one thread: one that is idle, or else a new one."""
        with self._lock:
            reader = self._idle.pop() if self._idle else None
        if reader is None:
            reader = self._open(0)
        is_sound = False
        try:
            yield reader
            is_sound = True
        finally:
            with self._lock:
                is_kept = is_sound and not self._closed
                if is_kept:
                    self._idle.append(reader)
            if not is_kept:
                reader.close()

    def _open(self, buffer_bytes: int) -> Any:  # noqa: ANN401 - pyarrow has no types
        return self._parquet.ParquetFile(
            self._path,
            metadata=self._metadata,
            buffer_size=buffer_bytes,
            memory_map=False,  # a file that ends early would end the process
            pre_buffer=False,  # it would read all columns of a row group ahead
            page_checksum_verification=True,  # where the writer left checksums
        )

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn what pyarrow raises into an ArchiveError of one line."""
        try:
            yield
        except (self._arrow.ArrowException, OSError, ValueError, LookupError) as error:
            raise ArchiveError(f"{what}: {' '.join(str(error).split())}") from error


class _Cursor:
    """A column of a row group, read forwards; for one thread at a time.

    Args:
        reader: The file, which nobody else uses.
        group: Zero-based number of the row group.
        name: The column.
        n_bytes: What it is taken to hold, on the average of columns.
    """

    def __init__(self, reader: Any, group: int, name: str, n_bytes: int) -> None:  # noqa: ANN401
        self.n_bytes = n_bytes
        self._reader = reader
        self._group = group
        self._name = name
        self._restart()

    def _restart(self) -> None:
        self._batches = self._reader.iter_batches(
            batch_size=1, row_groups=[self._group], columns=[self._name], use_threads=False
        )
        self._kept: deque[bytes | None] = deque()
        self._n_kept_bytes = 0
        self._n_read = 0

    def read(self, row: int) -> bytes | None:
        """The cell of a row; of a row that is not kept any more from the beginning."""
        if row < self._n_read - len(self._kept):
            self._restart()
        while self._n_read <= row:
            batch = next(self._batches, None)
            if batch is None:
                raise ArchiveError(f"is damaged: the row group ends after {self._n_read} rows")
            for value in batch.column(self._name).to_pylist():
                self._keep(_bytes(value))
        return self._kept[row - self._n_read]

    def _keep(self, value: bytes | None) -> None:
        self._n_read += 1
        self._kept.append(value)
        self._n_kept_bytes += len(value or b"")
        while len(self._kept) > 1 and self._n_kept_bytes > _MAX_KEPT_BYTES:
            self._n_kept_bytes -= len(self._kept.popleft() or b"")

    def close(self) -> None:
        """Close the file."""
        self._batches = iter(())
        self._kept.clear()
        self._reader.close()


def _import_pyarrow() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet."""
    try:
        import pyarrow  # noqa: PLC0415, ICN001 - optional, and half a second to import
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise SourceError(
            f"parquet files need pyarrow, which can't be imported: {error}",
            "Install it: pip install 'rico-hdl[parquet]'",
        ) from error
    return pyarrow, pyarrow.parquet


def _check_ends(path: Path) -> int:
    """Check the first and last bytes of a parquet file; returns its size in bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
            n_bytes = file.seek(0, 2)
            file.seek(max(0, n_bytes - 8))
            tail = file.read(8)
    except OSError as error:
        raise SourceError(
            f"{path}: can't be read: {error.strerror}",
            "Check the path, the permissions, and that the disk or network mount is there.",
        ) from error
    if not head.startswith(_MAGIC):
        found = f"it begins with {head.hex(' ')}" if head else "it is empty"
        raise SourceError(f"{path}: is no parquet file: {found}", _AGAIN)
    if n_bytes < 12 or not tail.endswith(_MAGIC):
        raise ArchiveError(
            f"{path}: is cut short at byte {n_bytes}: its table of contents is missing", _AGAIN
        )
    n_footer = int.from_bytes(tail[:4], "little")
    if n_footer > min(MAX_FOOTER_BYTES, n_bytes - 12):
        raise ArchiveError(
            f"{path}: says that its table of contents takes {n_footer:,} of {n_bytes:,} bytes; "
            f"at most {MAX_FOOTER_BYTES:,} are read",
            _AGAIN,
        )
    return n_bytes


def _columns(schema: Any, types: Any) -> Iterator[Column]:  # noqa: ANN401 - pyarrow has no types
    for field in schema:
        kind = field.type
        if kind.num_fields == 0:
            kind = kind.value_type if types.is_dictionary(kind) else kind
            is_text = types.is_string(kind) or types.is_large_string(kind)
            is_text = is_text or types.is_string_view(kind)
            is_bytes = types.is_binary(kind) or types.is_large_binary(kind)
            is_bytes = is_bytes or types.is_binary_view(kind) or types.is_fixed_size_binary(kind)
            yield Column(field.name, "text" if is_text else "bytes" if is_bytes else "other")


def _bytes(value: object) -> bytes | None:
    """A cell's value; what is neither bytes nor missing is not what the file promised."""
    if value is None or isinstance(value, bytes):
        return value
    raise ArchiveError(f"is damaged: holds {type(value).__name__}, expected bytes")


def _text(value: object) -> str | None:
    """A name; some writers store names as bytes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return None if value is None else str(value)
