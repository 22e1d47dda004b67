"""What files hold, read forward as if it were one file.

In: chunks of bytes, as decompression makes them. Out: as many bytes as are asked for. It goes back
by nothing but one look ahead, copies each byte once, and keeps one chunk.
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
    """What files hold, decompressed and read forward as if it were one file.

    It is opened when it is first read from. Where the files are damaged, each call from there on
    raises the error that `decompress` raised, which is `failure` then.

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
        """How many bytes of the files are behind the chunk that is being read."""
        self.failure: RicoError | None = None
        """Why it can't be read on, if it can't."""

    def tell(self) -> int:
        """The zero-based offset of the next byte; -1 once it is closed."""
        return self._start + self._position

    def read(self, n_bytes: int) -> bytes:
        """The next bytes; fewer where the files end."""
        stop = self._position + n_bytes
        if stop > len(self._chunk):
            return self._read_across(n_bytes)
        data = self._chunk[self._position : stop]
        self._position = stop
        return data

    def peek(self, n_bytes: int) -> bytes:
        """The next bytes, without moving on; fewer where the files end."""
        self._start, data = self.tell(), self.read(n_bytes)
        self._chunk = data + self._chunk[self._position :]
        self._position = 0
        return data

    def seek(self, offset: int) -> bool:
        """Skip to an offset, or to the end; whether it was reached."""
        self._position = offset - self._start
        while self._position > len(self._chunk):
            n_beyond = self._position - len(self._chunk)
            if not self._advance():
                return False
            self._position = n_beyond
        return True

    def skip_zeros(self, block_bytes: int) -> int:
        """Skip whole blocks of zeros, and what is less than a block at the end.

        Args:
            block_bytes: Bytes of a block; the first begins here.

        Returns:
            How many bytes were skipped.
        """
        start = self.tell()
        while (other := _NOT_ZERO.search(self._chunk, self._position)) is None:
            self._position = len(self._chunk)
            if not self._advance():
                return self.tell() - start
        self._position = other.start()
        n_too_many = (self.tell() - start) % block_bytes
        # The block may begin in a chunk that is gone, but then with nothing but zeros.
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
        """Go to the beginning of the next chunk, or to the end."""
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
