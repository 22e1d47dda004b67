"""Decompression in background threads.

In: files that are read one after another as one stream: a compressed archive, or the parts of a
split one. Out: the decompressed bytes in chunks, in bounded memory. The first bytes determine the
format, never the name. All of the format's checksums are verified, and a premature end is an error.
This module never writes, and never looks into the data that it decompresses.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Final, NamedTuple, TypeVar

from rico_hdl.errors import ArchiveError, SourceError, UnsupportedArchiveError
from rico_hdl.sources.files import hint_for, open_regular
from rico_hdl.sources.formats import (
    MAGIC_BYTES,
    Decompressor,
    Format,
    format_of,
    needs_too_much,
)

_PIECE_BYTES: Final = 4 * 2**20
"""Bytes read and decompressed at once. Between two pieces a thread waits for Python's lock, which
takes milliseconds while other threads are busy: pieces of 1 MiB took a third longer then."""
_CHUNK_BYTES: Final = 6 * 2**20
"""The largest chunk. Buffers up to 8 MiB are reused, see `rico_hdl.system.memory`."""
_CROWDED_BYTES: Final = 2**16
"""Bytes decompressed at once in the rest of a piece after a stream has ended in it. In archives of
many small streams (bgzip), the rest of the piece would otherwise be copied for each stream."""
_N_AHEAD: Final = 3
"""Maximum number of pieces, and of chunks, at any time."""

_AGAIN: Final = "Download it again, and compare its size with the published one."

_T = TypeVar("_T")


class Chunk(NamedTuple):
    """Decompressed bytes."""

    data: bytes
    """The bytes after those of the previous chunk; empty only at the end."""
    n_bytes_read: int
    """Number of bytes of the files that the decompressor has received so far."""


class _Piece(NamedTuple):
    """Raw bytes of a file."""

    path: Path
    offset: int
    """Zero-based offset of the first byte in the file."""
    data: bytes


def decompress(
    files: Sequence[Path], *, on_raw: Callable[[bytes], object] | None = None
) -> Generator[Chunk]:
    """Decompress some files, in chunks.

    One thread reads and another decompresses, both a few steps ahead. The threads end, and the
    files are closed, when the generator finishes, raises an error or is closed.

    Args:
        files: The files, in order; read as if they were one. Data that is not compressed in a known
            format is passed through unchanged.
        on_raw: Called with all bytes of the files, in order, by the thread that reads them. It has
            received every byte once the generator has finished by itself.

    Raises:
        SourceError: A file can't be opened.
        ArchiveError: A file can't be read, is damaged, or ends too early; or decompressing it would
            take too much memory. The message names the file and the position. All data before the
            error is intact as far as its format can tell.
    """
    return _ahead(_decompressed(_ahead(_pieces(files, on_raw))))


def _pieces(files: Sequence[Path], on_raw: Callable[[bytes], object] | None) -> Generator[_Piece]:
    """Read the raw bytes of some files."""
    for path in files:
        try:
            file = os.fdopen(open_regular(path), "rb", buffering=0)
        except OSError as error:
            reason = f"{path}: can't be opened: {error.strerror}"
            raise SourceError(reason, hint_for(error)) from error
        with file:
            offset = 0
            while data := _read(path, file.read, offset):
                if on_raw is not None:
                    on_raw(data)
                yield _Piece(path, offset, data)
                offset += len(data)


def _read(path: Path, read: Callable[[int], bytes | None], offset: int) -> bytes:
    try:
        return read(_PIECE_BYTES) or b""
    except OSError as error:
        raise ArchiveError(
            f"{path}: can't be read from byte {offset} on: {error.strerror}",
            "Check that the disk or network share is mounted and free of errors.",
        ) from error


def _decompressed(pieces: Generator[_Piece]) -> Generator[Chunk]:
    with closing(pieces):
        head: list[_Piece] = []
        for piece in pieces:
            head.append(piece)
            if sum(len(piece.data) for piece in head) >= MAGIC_BYTES:
                break
        magic = b"".join(piece.data for piece in head)[:MAGIC_BYTES]
        known = format_of(magic)
        streams = None if known is None else _Streams(known)
        n_bytes_read = 0
        for piece in chain(head, pieces):
            n_bytes_read += len(piece.data)
            for data in [piece.data] if streams is None else streams.decompress(piece):
                yield Chunk(data, n_bytes_read)
        if streams is not None:
            streams.end()
        yield Chunk(b"", n_bytes_read)


class _Streams:
    """Decompresses consecutive streams of one format.

    Zeros between two streams, or after the last one, are padding.
    """

    def __init__(self, known: Format) -> None:
        self._format = known
        self._decompressor: Decompressor | None = None  # none between two streams
        self._error: type[Exception] = OSError
        self._n_streams = 0
        self._path = Path()
        self._offset = 0  # in that file: of the data being decompressed, then of the data after it
        self._foreign_offset: int | None = None  # in that file: of data that has no stream's magic

    def decompress(self, piece: _Piece) -> Generator[bytes]:
        """Decompress the next piece, in chunks.

        Raises:
            ArchiveError: The piece is damaged, or decompressing it would take too much memory.
        """
        self._path = piece.path
        rest, step = memoryview(piece.data), _PIECE_BYTES
        while rest:
            self._offset = piece.offset + len(piece.data) - len(rest)
            if self._decompressor is not None or rest[0] != 0:
                given = rest[:step]
                decompressor = self._decompressor or self._begin(rest)
                yield from self._feed(decompressor, given)
                rest = rest[step:]
                if decompressor.eof:
                    self._decompressor, step = None, _CROWDED_BYTES
                    n_left = len(rest) + len(decompressor.unused_data)
                    rest = memoryview(piece.data)[len(piece.data) - n_left :]
            else:
                rest = rest[len(rest) - len(bytes(rest).lstrip(b"\0")) :]
        self._offset = piece.offset + len(piece.data)

    def end(self) -> None:
        """Check that the last stream is complete at the end of the files.

        Raises:
            ArchiveError: The stream is incomplete.
        """
        if self._decompressor is None:
            return
        if self._foreign_offset is not None:
            raise self._wrong(0, "it is too short")
        raise ArchiveError(
            f"{self._path}: is cut short: it ends at byte {self._offset}, in the middle of its "
            f"{self._format.name} stream",
            f"{_AGAIN} If the archive is split, check that you have its last part.",
        )

    def _begin(self, rest: memoryview) -> Decompressor:
        decompressor, self._error = self._format.make()
        looks_right = self._n_streams == 0 or self._format.magic.match(rest)
        self._foreign_offset = None if looks_right else self._offset
        self._decompressor = decompressor
        self._n_streams += 1
        return decompressor

    def _feed(self, decompressor: Decompressor, given: memoryview) -> Generator[bytes]:
        """Decompress the given bytes up to the end of the stream."""
        while True:
            try:
                data = decompressor.decompress(given, _CHUNK_BYTES)
            except (self._error, EOFError, ValueError) as error:
                raise self._wrong(len(given), error) from error
            if data:
                self._foreign_offset = None
                yield data
            if decompressor.eof or decompressor.needs_input:
                return
            given = given[:0]

    def _wrong(self, n_bytes: int, reason: Exception | str) -> ArchiveError:
        """The error to raise when some bytes can't be decompressed."""
        name, stop = self._format.name, self._offset + n_bytes
        if isinstance(reason, Exception) and (needed := needs_too_much(self._format, reason)):
            command = f"{self._format.command} {self._path.name}"
            return UnsupportedArchiveError(
                f"{self._path} {needed} ({command} decompresses it), in the stream that starts "
                f"between bytes {self._offset} and {stop}",
                "Decompress it, and give the result.",
            )
        if self._foreign_offset is not None:
            return ArchiveError(
                f"{self._path}: is damaged: the data after its {name} stream, at byte "
                f"{self._foreign_offset}, is not another one ({reason})",
                _AGAIN,
            )
        return ArchiveError(
            f"{self._path}: its {name} stream is damaged, as detected between bytes {self._offset} "
            f"and {stop} ({reason})",
            _AGAIN,
        )


class _Last(NamedTuple):
    """Follows a thread's last item: the error that ended the thread, if any."""

    error: BaseException | None


def _ahead(items: Generator[_T]) -> Generator[_T]:
    """Yield the same items, produced by a thread that stays a few of them ahead.

    The thread ends, and the generator that it runs is closed, when this generator ends.
    """
    made: SimpleQueue[_T | _Last] = SimpleQueue()
    slots = Semaphore(_N_AHEAD)
    stopped = False

    def make() -> None:
        error = None
        try:
            with closing(items):
                while slots.acquire() and not stopped:
                    made.put(next(items))
        except StopIteration:
            pass
        except BaseException as raised:  # noqa: BLE001 - raised again in the consumer's thread
            error = raised
        made.put(_Last(error))

    # A daemon, so that a hanging network mount does not keep the process from exiting.
    thread = Thread(target=make, name="rico-hdl-decompression", daemon=True)
    try:
        thread.start()
        while not isinstance(item := made.get(), _Last):
            yield item
            del item
            slots.release()
        if item.error is not None:
            raise item.error
    finally:
        stopped = True
        slots.release()
        _join(thread)


def _join(thread: Thread) -> None:
    """Wait for the end of a thread, even if an exception interrupted its start."""
    while thread.ident is None and thread in threading.enumerate():
        time.sleep(0.001)
    if thread.ident is not None:
        thread.join()
