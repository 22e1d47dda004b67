"""A forward-only stream over the decompressed content of one or more files.

In: chunks of bytes from decompression. Out: as many bytes as requested. The stream can peek but not
go back, copies each byte once, and keeps one chunk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from rico_hdl.errors import RicoError
from rico_hdl.sources.decompression import decompress

_NOT_ZERO: Final = re.compile(rb"[^\0]")


class Stream:
    """The decompressed content of some files, read forward as if they were one file.

    The files are opened at the first read. After damage is found, every call that needs more data
    raises the error that `decompress` raised, which `failure` holds.

    Args:
        files: See `decompress`.
        on_raw: See `decompress`.
    """

    def __init__(
        self, files: Sequence[Path], *, on_raw: Callable[[bytes], object] | None = None
    ) -> None:
        self._chunks = decompress(files, on_raw=on_raw)
        self._chunk = b""
        self._start = 0  # offset of the chunk
        self._position = 0  # in the chunk
        self.n_bytes_read = 0
        """Bytes of the files that were consumed up to the end of the current chunk."""
        self.failure: RicoError | None = None
        """Why reading can't continue, if so."""

    def tell(self) -> int:
        """The zero-based offset of the next byte; -1 if the stream is closed."""
        return self._start + self._position

    def read(self, n_bytes: int) -> bytes:
        """Read the next bytes; fewer at the end of the files."""
        stop = self._position + n_bytes
        if stop > len(self._chunk):
            return self._read_across(n_bytes)
        data = self._chunk[self._position : stop]
        self._position = stop
        return data

    def peek(self, n_bytes: int) -> bytes:
        """Return the next bytes without advancing; fewer at the end of the files."""
        self._start, data = self.tell(), self.read(n_bytes)
        self._chunk = data + self._chunk[self._position :]
        self._position = 0
        return data

    def seek(self, offset: int) -> bool:
        """Skip to an offset, or to the end. Returns whether the offset was reached."""
        self._position = offset - self._start
        while self._position > len(self._chunk):
            n_beyond = self._position - len(self._chunk)
            if not self._advance():
                return False
            self._position = n_beyond
        return True

    def skip_zeros(self, block_bytes: int) -> int:
        """Skip whole blocks of zeros, and a partial block of zeros at the end.

        Args:
            block_bytes: Bytes per block; the first block starts here.

        Returns:
            The number of bytes skipped.
        """
        start = self.tell()
        while (other := _NOT_ZERO.search(self._chunk, self._position)) is None:
            self._position = len(self._chunk)
            if not self._advance():
                return self.tell() - start
        self._position = other.start()
        n_too_many = (self.tell() - start) % block_bytes
        # The block may start in a chunk that is gone, but that part of it was all zeros.
        if (n_gone := n_too_many - self._position) > 0:
            self._chunk = bytes(n_gone) + self._chunk
            self._start -= n_gone
            self._position += n_gone
        self._position -= n_too_many
        return self.tell() - start

    def close(self) -> None:
        """Close the files and end the threads."""
        self._chunk, self._start, self._position = b"", -1, 0
        self._chunks.close()

    def _read_across(self, n_bytes: int) -> bytes:
        chunks = []
        while n_bytes:
            chunk = self._chunk[self._position : self._position + n_bytes]
            self._position += len(chunk)
            n_bytes -= len(chunk)
            chunks.append(chunk)
            if n_bytes and not self._advance():
                break
        return b"".join(chunks)

    def _advance(self) -> bool:
        """Move to the start of the next chunk, or to the end."""
        if self.failure is not None:
            raise self.failure
        self._start += len(self._chunk)
        self._chunk, self._position = b"", 0
        try:
            chunk = next(self._chunks, None)
        except RicoError as error:
            self.failure = error
            raise
        if chunk is None:
            return False
        self._chunk, self.n_bytes_read = chunk
        return True
