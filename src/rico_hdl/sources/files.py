"""Opening files by their paths, so that nothing but a regular file is ever read.

Opening a named pipe waits for a writer, and a device may never end. Both are refused here, at the
cost of one flag: with ``O_NONBLOCK``, opening a pipe returns at once.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from rico_hdl.errors import MemoryLimitError
from rico_hdl.sources.protocol import MAX_MEMBER_BYTES

# O_BINARY exists on Windows, where text mode would end a file at its first 0x1a. With O_NOCTTY, a
# terminal in a file's place does not become that of this process.
_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOCTTY", 0)
)
_AT_ONCE: Final = _FLAGS | getattr(os, "O_NONBLOCK", 0)

KINDS: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}


def open_regular(path: str | os.PathLike[str]) -> int:
    """Open a regular file for reading; links are followed.

    Returns:
        The descriptor, which the caller closes.

    Raises:
        OSError: The file can't be opened, or is not a regular file.
    """
    file = _opened(path)
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        os.close(file)
        raise _not_regular(path, mode)
    _make_blocking(file)
    return file


def read_regular(path: str | os.PathLike[str], max_bytes: int = MAX_MEMBER_BYTES) -> bytes:
    """Read a whole regular file.

    Raises:
        OSError: The file can't be read, or is not a regular file.
        MemoryLimitError: The file has more than ``max_bytes``. Nothing was read.
    """
    file = _opened(path)
    try:
        status = os.fstat(file)
        n_bytes = status.st_size
        if not stat.S_ISREG(status.st_mode):
            raise _not_regular(path, status.st_mode)
        if n_bytes > max_bytes:
            raise MemoryLimitError(n_bytes)
        try:
            # Requesting the exact size is cheaper than requesting more: no buffer is touched twice.
            data = os.read(file, n_bytes)
        except BlockingIOError:  # as file systems do that fetch the file from tape first
            _make_blocking(file)
            data = b""
        if len(data) < n_bytes:
            data = _read_on(file, data, n_bytes)
    finally:
        os.close(file)
    return data


def _read_on(file: int, data: bytes, n_bytes: int) -> bytes:
    """Read the rest of a file after a short read, as signals and network file systems cause."""
    chunks = [data]
    n_left = n_bytes - len(data)
    while n_left > 0 and (chunk := os.read(file, min(n_left, 2**20))):
        chunks.append(chunk)
        n_left -= len(chunk)
    return b"".join(chunks)


def hint_for(error: OSError) -> str:
    """What to do about a file that can't be opened or read."""
    if isinstance(error, _NotRegularError):
        return "Give a regular file, or a link to one."
    return "Check the path, the permissions, and that the disk or network share is mounted."


class _NotRegularError(OSError):
    """There is something else in a file's place."""


def _opened(path: str | os.PathLike[str]) -> int:
    try:
        return os.open(path, _AT_ONCE)
    except BlockingIOError:
        # Another process, such as a file server, has a lease on the file and must give it up first.
        return os.open(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a device without a driver
            raise _not_regular(path, Path(path).stat().st_mode) from None
        raise


def _make_blocking(file: int) -> None:
    """Let reads of an opened file wait for its data, however long that takes."""
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(file, True)


def _not_regular(path: str | os.PathLike[str], mode: int) -> OSError:
    kind = stat.S_IFMT(mode)
    number = errno.EISDIR if kind == stat.S_IFDIR else errno.EINVAL
    found = KINDS.get(kind, "of another kind")
    return _NotRegularError(number, f"not a regular file ({found})", os.fspath(path))
