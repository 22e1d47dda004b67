"""One writer at a time.

In: an open file. Out: a lock that ends with the process, however it ends: a killed conversion
leaves nothing that would block the next one.
"""

from __future__ import annotations

import sys
from io import FileIO

if sys.platform == "win32":
    import msvcrt

    _FAR = 2**62  # a byte that is never written: Windows locks keep others from reading, too

    def try_lock(file: FileIO) -> bool:
        """Lock a file for this process; false if another one has it."""
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import errno
    import fcntl

    def try_lock(file: FileIO) -> bool:
        """Lock a file for this process; false if another one has it.

        Some network file systems know no locks: there it is taken for granted.
        """
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
        return True
