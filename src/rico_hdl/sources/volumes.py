"""Random access to several files as if they were one.

In: the parts of a split archive, in order; a single file is the simplest case. Out: the bytes at
any offset, for any thread. Nothing beyond the requested bytes is read, and nothing is written.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final, Self

from rico_hdl.errors import SourceError
from rico_hdl.sources.files import hint_for, open_regular

MAX_OPEN: Final = 128
"""Maximum number of files that are kept open. If there are more, each read opens its file: most
systems limit a process to 1,024 open files, and other code needs some, too."""

_SEEKING = Lock()


class Volumes:
    """Consecutive files, read as one.

    Several threads may read at once. Reading still works after `close`, but more slowly: each read
    then opens its file. So closing doesn't have to wait for the last reader.

    Args:
        files: Their paths, in order.

    Raises:
        SourceError: A file is missing, can't be opened, or is not a regular file.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        self._lock = Lock()
        self._n_reading = 0
        self._closed = False
        self._descriptors: list[int] = []
        starts = [0]
        try:
            for path in self._files:
                starts.append(starts[-1] + self._open_and_measure(path))
        except BaseException:
            self.close()
            raise
        self._starts = tuple(starts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Total bytes of all files, at the time they were opened."""
        return self._starts[-1]

    @property
    def starts(self) -> tuple[int, ...]:
        """Zero-based offset of the first byte of each file."""
        return self._starts[:-1]

    def pread(self, offset: int, n_bytes: int) -> bytes:
        """Read bytes at an offset; fewer than requested at the end of the files.

        Raises:
            OSError: The bytes can't be read.
        """
        index = max(0, bisect_right(self._starts, offset) - 1)
        chunks: list[bytes] = []
        while n_bytes > 0 and index < len(self._files):
            start, stop = self._starts[index : index + 2]
            chunk = self._read(index, offset - start, min(n_bytes, stop - offset))
            chunks.append(chunk)
            n_bytes -= len(chunk)
            offset += len(chunk)
            if offset < stop:
                break  # everything was read, or the file has become shorter
            index += 1
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def close(self) -> None:
        """Close the files, once the reads in progress are done."""
        with self._lock:
            self._closed = True
            self._close_if_unused()

    def _open_and_measure(self, path: Path) -> int:
        try:
            descriptor = open_regular(path)
        except FileNotFoundError:
            raise SourceError(f"{path}: no such file", "Check the path.") from None
        except OSError as error:
            reason = f"{path}: can't be opened: {error.strerror}"
            raise SourceError(reason, hint_for(error)) from None
        # Listed before anything can fail, so that it is closed in that case.
        self._descriptors.append(descriptor)
        n_bytes = os.fstat(descriptor).st_size
        if len(self._files) > MAX_OPEN:
            os.close(self._descriptors.pop())
        return n_bytes

    def _read(self, index: int, offset: int, n_bytes: int) -> bytes:
        """Read bytes of one file."""
        with self._lock:
            kept = not self._closed and len(self._descriptors) > index
            self._n_reading += kept
        if not kept:
            descriptor = open_regular(self._files[index])
            try:
                return _read_at(descriptor, offset, n_bytes)
            finally:
                os.close(descriptor)
        try:
            return _read_at(self._descriptors[index], offset, n_bytes)
        finally:
            with self._lock:
                self._n_reading -= 1
                self._close_if_unused()

    def _close_if_unused(self) -> None:
        # Once closed, a descriptor's number may be reused for another file while a reader uses it.
        if self._closed and self._n_reading == 0:
            while self._descriptors:
                os.close(self._descriptors.pop())


class MemoryVolume(Volumes):
    """A file in memory, read like `Volumes`.

    Args:
        data: Its bytes.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__([])
        self._data = data
        self._starts = (0, len(data))

    def pread(self, offset: int, n_bytes: int) -> bytes:
        """See `Volumes.pread`."""
        return self._data[offset : offset + n_bytes]


def _read_at(descriptor: int, offset: int, n_bytes: int) -> bytes:
    """Read up to ``n_bytes``; fewer only at the end of the file."""
    data = _pread(descriptor, n_bytes, offset)
    if len(data) == n_bytes or not data:
        return data
    # Linux reads at most 2 GiB at once, and a signal or a network file system may end a read early.
    chunks = [data]
    n_read = len(data)
    while n_read < n_bytes and (data := _pread(descriptor, n_bytes - n_read, offset + n_read)):
        chunks.append(data)
        n_read += len(data)
    return b"".join(chunks)


def _seek_and_read(descriptor: int, n_bytes: int, offset: int) -> bytes:
    """Replace `os.pread` on Windows, which lacks it."""
    with _SEEKING:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, n_bytes)


_pread = getattr(os, "pread", _seek_and_read)
