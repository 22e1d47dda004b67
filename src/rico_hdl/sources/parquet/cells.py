"""The cells of one column of a row group, page by page.

In: a row group of a parquet file, and a column of text or bytes. Out: its cells in order. Only the
headers of pages are read, and the pages whose cells are requested.

No library is used (``benchmarks/RESULTS-libraries.md``): pyarrow takes 170 MB on disk, about as
much as rico-hdl with all its dependencies, 1.7 times as long for published parts, and 89 MB of
memory instead of 9. arro3 takes 34 MB on disk, 47 MB of memory and 0.85 times as long, but reads
all columns and row groups, verifies no checksums, and ends the process on some damaged pages.

Format: https://parquet.apache.org/docs/file-format/data-pages/
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice, pairwise, repeat
from typing import Any, BinaryIO, Final, NamedTuple, TypeVar

from rico_hdl.errors import ArchiveError
from rico_hdl.sources.parquet import thrift
from rico_hdl.sources.parquet.codecs import UNCOMPRESSED, decompressed
from rico_hdl.sources.parquet.delta import delta_values
from rico_hdl.sources.parquet.stored import StoredPage
from rico_hdl.sources.parquet.table import MAGIC, Leaf, ParquetTable, RowGroup

MAX_PAGE_BYTES: Final = 96 * 2**20
"""Largest page that is read, decompressed. Pages can only be decompressed whole, and writers put
many cells into one page, up to a whole column of a row group."""

_HEADER_BYTES: Final = 1024
"""Bytes of a page's header that are read first; with statistics, a header may be longer."""
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
"""Page types."""
_NUMBERS_OF: Final = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}
"""The field of a page's header that is specific to its type."""
PLAIN, _PLAIN_DICTIONARY, RLE, _RLE_DICTIONARY = 0, 2, 3, 8
"""Encodings; the two dictionary encodings are the same for cells."""
_MAX_WIDTH: Final = 32
"""Largest width of a packed number, in bits."""
_LENGTH: Final = struct.Struct("<I")
"""The prefix of a value: its length in bytes."""
_GROUPS: Final = 4096
"""Number of groups of eight packed numbers that are unpacked at a time."""

MAX_DICTIONARY: Final = 2**20
"""Maximum number of values read from a dictionary. Writers abandon one at about a megabyte."""

_T = TypeVar("_T")


class Page(NamedTuple):
    """The location of a page, and the fields of its header."""

    kind: int
    start: int
    """Offset of its header in the file."""
    n_header_bytes: int
    n_stored_bytes: int
    """Bytes that follow the header."""
    n_bytes: int
    """Bytes of the page when it is decompressed."""
    crc: int | None
    """The CRC-32 of the stored bytes; None if the writer omitted it."""
    more: thrift.Struct
    """The fields that are specific to its kind of page."""

    @property
    def n_values(self) -> int:
        """Number of cells, or of values of a dictionary."""
        n: int = self.more[1]
        return n

    @property
    def stop(self) -> int:
        """Offset after its last byte."""
        return self.start + self.n_header_bytes + self.n_stored_bytes


class Cells:
    """The cells of one column of a row group, read in order.

    Args:
        table: The file.
        group: The row group.
        column: The column.
    """

    def __init__(self, table: ParquetTable, group: RowGroup, column: Leaf) -> None:
        self._file = table.file
        self._n_file_bytes = table.n_bytes
        self._group = group
        self._column = column
        self._pages = self._walk()
        self._page: Page | None = None
        self._dictionary: Page | None = None
        self._cells: Iterator[bytes | None] | None = None
        self._next = self._stop = 0
        self.n_held_bytes = 0
        """Bytes of the page that is held, and of its dictionary."""

    def read(self, row: int) -> bytes | None:
        """Read a cell of a column without lists; None if it has no value.

        Args:
            row: Its zero-based position in the row group, after that of the cell read before. The
                pages between the two are not read.

        Raises:
            ArchiveError: The cell can't be read. The message doesn't name it.
        """
        while row >= self._stop:
            self.release()
            self._page = next(self._pages, None)
            if self._page is None:
                raise ArchiveError(f"is damaged: the row group ends after {self._stop} rows")
            self._stop += self._page.n_values
        with damage():
            if self._cells is None and self._page is not None:
                self._cells = self._cells_of(self._page)
                self._next = self._stop - self._page.n_values
            value = next(islice(self._cells or (), row - self._next, None))
        self._next = row + 1
        if self._next == self._stop:
            self.release()
        return value

    def release(self) -> None:
        """Release the page that is held; it is read again when its next cell is requested."""
        self._cells, self.n_held_bytes = None, 0

    def rows(self) -> list[Any]:
        """Read all cells of a column of text. No cell may have been read before.

        Returns:
            For each row, a string, a list of strings, or None if it has no value.

        Raises:
            ArchiveError: The cells can't be read. The message doesn't name the column.
        """
        values: list[str] = []
        repetitions: list[int] = []
        definitions: list[int] = []
        top = self._column.n_definitions
        with damage():
            for page in self._pages:
                decoded, repeated, defined = self._decoded(page, text_of)
                levels = list(defined)
                values += islice(decoded, levels.count(top))
                definitions += levels
                repetitions += islice(repeated, len(levels))
            if len(values) < definitions.count(top):
                raise ValueError("it has too few values")
            rows: list[Any] = values
            if self._column.n_repetitions:
                rows = self._lists(values, repetitions, definitions)
            elif len(values) < len(definitions):
                present = iter(values)
                rows = [next(present) if level == top else None for level in definitions]
            if len(rows) != self._group.n_rows:
                raise ValueError(f"{len(rows):,} rows, expected {self._group.n_rows:,}")
        return rows

    def _lists(
        self, values: list[str], repetitions: list[int], definitions: list[int]
    ) -> list[list[str] | None]:
        """The values of each row, for a column with lists."""
        import numpy as np  # noqa: PLC0415 - see `_runs`

        levels = np.array(definitions)
        starts = np.flatnonzero(np.array(repetitions) == 0)
        n_before = np.concatenate([[0], np.cumsum(levels == self._column.n_definitions)])
        bounds = n_before[[*starts, len(levels)]].tolist()
        rows: list[list[str] | None] = [values[start:stop] for start, stop in pairwise(bounds)]
        for i in np.flatnonzero(levels[starts] == 0) if self._column.may_lack else ():
            rows[i] = None
        return rows

    def _walk(self) -> Iterator[Page]:
        """Yield the pages with cells."""
        with damage():
            meta = self._group.columns[self._column.position][3]
            self._codec: int = meta[4]
            at = min(meta[number] for number in (9, 11) if meta.get(number))
            stop = at + meta[7]
            if not len(MAGIC) <= at <= stop <= self._n_file_bytes:
                raise ValueError(f"its pages can't be at bytes {at:,} to {stop:,} of the file")
            while at < stop:
                page = _page_at(self._file, at, stop)
                if page.kind == _DICTIONARY:
                    self._dictionary = page
                elif page.kind in _NUMBERS_OF:
                    yield page
                at = page.stop

    def _decoded(
        self, page: Page, convert: Callable[[memoryview], _T]
    ) -> tuple[Iterator[_T], Iterator[int], Iterator[int]]:
        """The values of a page, and the repetition and definition level of each of its cells."""
        n_bytes = self._column.n_bytes
        repetitions, definitions, data = self._parts(page)
        self.n_held_bytes = len(data)
        encoding = self._encoding(page)
        values: Iterator[_T]
        if encoding == PLAIN:
            values = map(convert, _plain(data, n_bytes))
        elif encoding in {_PLAIN_DICTIONARY, _RLE_DICTIONARY} and self._dictionary is not None:
            content = self._content(self._dictionary)
            self.n_held_bytes += len(content)
            known = list(islice(_plain(content, n_bytes), MAX_DICTIONARY))
            numbers = packed_numbers(data[1:], data[0]) if data else iter(())
            if convert is text_of:  # convert each value only once; they are small
                values = map([convert(value) for value in known].__getitem__, numbers)
            else:
                values = (convert(known[number]) for number in numbers)
        elif (deltas := delta_values(encoding, data, n_bytes, page.n_values)) is not None:
            values = map(convert, deltas)
        else:
            raise ValueError(f"its encoding is {encoding}, expected plain, delta or a dictionary")
        return values, islice(repetitions, page.n_values), islice(definitions, page.n_values)

    def _cells_of(self, page: Page) -> Iterator[bytes | None]:
        """The cells of a page, for a column without lists."""
        top = self._column.n_definitions
        values: Iterator[bytes]
        is_stored = self._codec == UNCOMPRESSED or page.more.get(7, True) is False
        is_plain = self._encoding(page) == PLAIN and self._column.n_bytes is None
        if page.n_bytes <= MAX_PAGE_BYTES or not is_stored or not is_plain:
            values, _, definitions = self._decoded(page, bytes)
        else:
            read, start = partial(_bytes_at, self._file), page.start + page.n_header_bytes
            stored = StoredPage(read, start, page.stop, MAX_PAGE_BYTES)
            if page.crc is not None and stored.crc() != page.crc:
                raise ValueError(f"the page at byte {page.start:,} doesn't match its checksum")
            n, at = (page.more[5], page.more[6]) if page.kind == _DATA_V2 else (0, 0)
            if top and page.kind != _DATA_V2:
                n, at = int.from_bytes(stored.part(0, _LENGTH.size), "little"), _LENGTH.size
            levels = memoryview(stored.part(at, n))
            definitions = packed_numbers(levels, top.bit_length()) if top else repeat(0)
            definitions, values = islice(definitions, page.n_values), stored.values(at + n)
        return (next(values) if level == top else None for level in definitions)

    def _encoding(self, page: Page) -> int:
        found: int = page.more[4 if page.kind == _DATA_V2 else 2]
        return found

    def _parts(self, page: Page) -> tuple[Iterator[int], Iterator[int], memoryview]:
        """Repetition levels, definition levels and values of a page."""
        levels: list[Iterator[int]] = []
        tops = (self._column.n_repetitions, self._column.n_definitions)
        is_v2 = page.kind == _DATA_V2
        data = self._content(page)
        for top, encoding, size in zip(tops, (4, 3), (6, 5), strict=True):
            n = page.more[size] if is_v2 else 0
            if top and not is_v2:
                n, data = int.from_bytes(data[:4], "little"), data[4:]
                if page.more[encoding] != RLE:
                    raise ValueError(f"levels in encoding {page.more[encoding]}, expected {RLE}")
            if not 0 <= n <= len(data):
                raise ValueError(f"{n:,} bytes of levels in a page with {len(data):,} bytes left")
            levels.append(packed_numbers(data[:n], top.bit_length()) if top else repeat(0))
            data = data[n:]
        return levels[0], levels[1], data

    def _content(self, page: Page) -> memoryview:
        """The content of a page, decompressed."""
        if max(page.n_bytes, page.n_stored_bytes) > MAX_PAGE_BYTES:
            raise ValueError(
                f"a page of {max(page.n_bytes, page.n_stored_bytes):,} bytes, expected at most "
                f"{MAX_PAGE_BYTES:,}"
            )
        stored = _bytes_at(self._file, page.start + page.n_header_bytes, page.stop)
        if page.crc is not None and zlib.crc32(stored) != page.crc:
            raise ValueError(f"the page at byte {page.start:,} doesn't match its checksum")
        # In pages of version 2, the levels come first and are not compressed.
        n_levels = page.more[5] + page.more[6] if page.kind == _DATA_V2 else 0
        data = stored[n_levels:]
        found: bytes | bytearray = data
        if self._codec != UNCOMPRESSED and page.more.get(7, True) is not False and data:
            found = decompressed(self._codec, data, page.n_bytes - n_levels)
        if n_levels + len(found) != page.n_bytes:
            raise ValueError(f"{n_levels + len(found):,} bytes, expected {page.n_bytes:,}")
        return memoryview(stored[:n_levels] + found if n_levels else found)


def text_of(value: memoryview) -> str:
    """A value as text."""
    return str(value, "utf-8")


def _plain(data: memoryview, n_bytes: int | None) -> Iterator[memoryview]:
    """Values one after another, each preceded by its length unless all have the same length."""
    if n_bytes is not None and n_bytes < 1:
        raise ValueError(f"values of {n_bytes} bytes, expected at least 1")
    at, end, length = 0, len(data), n_bytes or 0
    while at < end:
        if n_bytes is None:
            (length,) = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size
        if at + length > end:
            raise ValueError(f"a value of {length:,} bytes at byte {at:,} of {end:,}")
        yield data[at : at + length]
        at += length


def packed_numbers(data: memoryview, width: int) -> Iterator[int]:
    """Packed numbers of ``width`` bits, in parquet's hybrid of runs and groups of eight."""
    if width > _MAX_WIDTH:
        raise ValueError(f"numbers of {width} bits, expected at most {_MAX_WIDTH}")
    return chain.from_iterable(_runs(data, width))


def _runs(data: memoryview, width: int) -> Iterator[Iterable[int]]:
    import numpy as np  # noqa: PLC0415 - a tenth of a second that other sources never need

    at = 0
    while at < len(data):
        head = shift = 0
        while True:
            head |= (data[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 0x80 or shift > 63:
                break
        n = head >> 1
        if not head & 1:
            value = int.from_bytes(data[at : at + -(-width // 8)], "little")
            at += -(-width // 8)
            yield repeat(value, n)
            continue
        if not width:
            yield repeat(0, 8 * n)
            continue
        stop = min(at + n * width, len(data))
        for start in range(at, stop, _GROUPS * width):
            part = data[start : min(start + _GROUPS * width, stop)]
            bits = np.unpackbits(np.frombuffer(part, np.uint8), bitorder="little")
            numbers = bits[: len(bits) // width * width].reshape(-1, width)
            yield (numbers @ (1 << np.arange(width))).tolist()
        at = stop


def _page_at(file: BinaryIO, start: int, stop: int) -> Page:
    """Parse the header of a page.

    Args:
        file: The file.
        start: Offset of the page.
        stop: The largest offset at which the page may end.
    """
    n = _HEADER_BYTES
    while True:
        reader = thrift.ThriftReader(_bytes_at(file, start, min(start + n, stop)))
        try:
            header = reader.struct()
            break
        except IndexError:
            if start + n >= stop:
                raise
            n *= 8
    kind, n_bytes, n_stored = (header[number] for number in (1, 2, 3))
    crc = header[4] & 0xFFFFFFFF if 4 in header else None
    more = header[_NUMBERS_OF[kind]] if kind in _NUMBERS_OF else {1: 0}
    if not isinstance(more, dict):
        raise ValueError(f"the page at byte {start:,} has no fields")  # noqa: TRY004 - damage
    page = Page(kind, start, reader.position, n_stored, n_bytes, crc, more)
    if min(n_bytes, n_stored, page.n_values) < 0 or page.stop > stop:
        raise ValueError(f"the page at byte {start:,} claims {n_stored:,} bytes")
    return page


def _bytes_at(file: BinaryIO, start: int, stop: int) -> bytes:
    file.seek(start)
    found = file.read(stop - start)
    if len(found) < stop - start:
        raise ValueError(f"the file ends at byte {start + len(found):,}")
    return found


@contextmanager
def damage() -> Iterator[None]:
    """Turn the errors that a damaged file causes into an ArchiveError."""
    try:
        yield
    except StopIteration:
        raise ArchiveError("can't be read: it has too few values") from None
    except (
        ArithmeticError,
        LookupError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        reason = error if isinstance(error, (OSError, RuntimeError, ValueError)) else repr(error)
        raise ArchiveError(f"can't be read: {reason}") from error
