"""One writer at a time.

In: an open file. Out: a lock that ends with the process. A killed conversion leaves nothing that
blocks the next one.
"""

from __future__ import annotations

import sys
from io import FileIO
from pathlib import Path
from time import sleep
from typing import Final

from rico_hdl.sources.files import open_regular

_N_TRIES: Final = 5
_PAUSE_SECONDS: Final = 0.01
"""Between two tries: `is_locked` in another process may hold the lock for a moment."""

if sys.platform == "win32":
    import msvcrt

    _FAR = 2**62  # a byte that is never written: Windows locks also prevent reading

    def _lock(file: FileIO, *, shared: bool) -> bool:  # noqa: ARG001 - only one kind exists
        """Lock a file; false if another process has locked it."""
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import errno
    import fcntl

    def _lock(file: FileIO, *, shared: bool) -> bool:
        """Lock a file; false if another process has locked it.

        On network file systems without locks, this always succeeds.
        """
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
        return True


def try_lock(file: FileIO) -> bool:
    """Lock a file for this process; false if another process has locked it."""
    for _ in range(_N_TRIES - 1):
        if _lock(file, shared=False):
            return True
        sleep(_PAUSE_SECONDS)
    return _lock(file, shared=False)


def is_locked(path: Path) -> bool:
    """Whether another process has locked a file; false if the file can't be read.

    This takes a shared lock for a moment; `try_lock` waits for it.
    """
    try:
        with FileIO(open_regular(path)) as file:
            return not _lock(file, shared=True)
    except OSError:
        return False
